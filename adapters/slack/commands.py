"""Slash commands, shortcuts and buttons → commands; their cards → answers that only the asker sees."""

import asyncio
import logging
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp

from adapters.slack import blocks
from adapters.slack.api import Api, Json, Refused, is_loopback
from adapters.slack.events import PLATFORM, attachment, files, items, root_of, table, text
from adapters.slack.markup import readable
from adapters.slack.probe import Identity
from bot.domain import Attachment, Card, Command
from bot.errors import SetupError, ThreadsightError
from bot.ports import Desk

RECENT = 20  # messages of a channel in which /estimate looks for pictures
LOOKED_UP = 20  # files of other organisations whose sizes Slack is asked for, for one estimate
ANSWER_SECONDS = 10.0
ESTIMATE = "estimate"
"""The shortcut's callback id, as the manifest names it."""
PRESS = "press:"

UNREADABLE = (
    "I cannot read this conversation. Invite me with `/invite @{name}`, or give me a size: "
    "`/estimate 1920x1080 x3 high`."
)
BROKEN = "Something broke while I worked on this. Please try again."
log = logging.getLogger("threadsight.slack")


class Commands:
    """Answers what people ask outside of messages."""

    def __init__(self, api: Api, desk: Desk, me: Identity) -> None:
        self.api = api
        self.desk = desk
        self.me = me

    async def slash(self, body: Json) -> None:
        """`/estimate [SIZE]` and `/vision [WORD …]`."""
        await self.answer(body, await self.card_for(self.slashed(body)))

    async def shortcut(self, body: Json) -> None:
        """“Estimate cost” on a message."""
        await self.answer(body, await self.card_for(self.pointed(body)))

    async def buttons(self, body: Json) -> None:
        """A button under a card or a reply."""
        person = text(table(body.get("user")), "id")
        for action in items(body.get("actions")):
            if text(action, "action_id").startswith(PRESS):
                card = await self.pressed(text(action, "value"), person)
                if card is not None:
                    await self.answer(body, card)

    def slashed(self, body: Json) -> Command:
        """A slash command in our words."""
        name, words = text(body, "command").removeprefix("/"), text(body, "text").strip()
        if name != ESTIMATE:
            name, _, words = words.partition(" ")
        return Command(
            name=name.lower() or "help",
            platform=PLATFORM,
            workspace=text(body, "team_id") or self.me.team,
            channel=text(body, "channel_id"),
            author=text(body, "user_id"),
            text=readable(words, self.me.user),
        )

    def pointed(self, body: Json) -> Command:
        """A message shortcut in our words."""
        message = table(body.get("message"))
        return Command(
            name=ESTIMATE,
            platform=PLATFORM,
            workspace=text(table(body.get("team")), "id") or self.me.team,
            channel=text(table(body.get("channel")), "id"),
            author=text(table(body.get("user")), "id"),
            root=root_of(message),
            attachments=pictures(files(message)),
            options={"question": readable(text(message, "text"), self.me.user)},
        )

    async def card_for(self, command: Command) -> Card:
        """The desk's card, or what went wrong as one."""
        try:
            if command.name == ESTIMATE and not command.text and command.root is None:
                command = await self.with_recent(command)
            return await self.desk.run(await self.with_sizes(command))
        except Unreadable:
            return Card("", UNREADABLE.format(name=self.me.name or "the bot"))
        except ThreadsightError as error:
            return Card("", error.sentence)
        except Exception as error:
            log.error("a command broke: %s", type(error).__name__)
            return Card("", BROKEN)

    async def pressed(self, token: str, person: str) -> Card | None:
        try:
            return await self.desk.press(token, person)
        except ThreadsightError as error:
            return Card("", error.sentence)
        except Exception as error:
            log.error("a button broke: %s", type(error).__name__)
            return Card("", BROKEN)

    async def with_recent(self, command: Command) -> Command:
        """The command for the pictures of the channel's last messages, oldest first."""
        try:
            page = await self.api.call(
                self.api.sure.conversations_history(channel=command.channel, limit=RECENT)
            )
        except (Refused, SetupError) as error:
            raise Unreadable from error
        found: list[Attachment] = []
        for message in reversed(items(page.get("messages"))):
            found += pictures(files(message))
        return replace(command, attachments=tuple(found))

    async def with_sizes(self, command: Command) -> Command:
        """The command with what Slack tells only on request of files from other organisations."""
        first, others = command.attachments[:LOOKED_UP], command.attachments[LOOKED_UP:]
        known = await asyncio.gather(*(self.looked_up(file) for file in first))
        return replace(command, attachments=(*pictures(tuple(known)), *others))

    async def looked_up(self, file: Attachment) -> Attachment:
        """A file as Slack knows it, where its message did not say."""
        if file.url or file.width:
            return file
        try:
            answer = await self.api.call(self.api.sure.files_info(file=file.id))
        except ThreadsightError as error:
            log.info("a file's size is not known: %s", type(error).__name__)
            return file
        return attachment(table(answer.get("file"))) or file

    async def answer(self, body: Json, card: Card) -> None:
        """Answers to the address that Slack gave for this very command."""
        url = text(body, "response_url")
        address = urlsplit(url)
        local = self.api.local and is_loopback(address.hostname)
        if address.scheme != "https" and not local:
            log.warning("a command came without an address to answer to")
            return
        shown = blocks.card(card)
        # Whatever Slack may have against the blocks, it takes the text.
        if not await self.respond(url, shown):
            await self.respond(url, {**shown, "blocks": []})

    async def respond(self, url: str, message: Json) -> bool:
        """Sends a message to a response address; True unless Slack refuses it."""
        try:
            async with self.api.session.post(
                url,
                json=message,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
                allow_redirects=False,
            ) as response:
                if response.status == 200:
                    return True
                log.warning("a command's answer was refused: %s", response.status)
                return False
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("a command's answer was lost: %s", type(error).__name__)
            return True


class Unreadable(Exception):
    """The bot is not in the conversation."""


def pictures(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Those that are pictures, as far as Slack tells."""
    return tuple(
        file for file in attachments if file.media_type.startswith("image/") or not file.media_type
    )
