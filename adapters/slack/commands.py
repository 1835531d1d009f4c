"""Slash commands, shortcuts, forms and buttons → what the desk is asked, and what people get to see."""

import asyncio
import logging
from dataclasses import replace

from adapters.slack import modals
from adapters.slack.api import Api, Json, Refused
from adapters.slack.blocks import PRESS, TAKE_BACK, Block, asker
from adapters.slack.events import (
    PLATFORM,
    attachment,
    files,
    items,
    root_of,
    table,
    text,
    timestamp,
)
from adapters.slack.markup import readable
from adapters.slack.modals import ASK, ESTIMATE, Form, Spot
from adapters.slack.people import groups_of
from adapters.slack.probe import Identity, name_of
from adapters.slack.proposals import Proposals
from adapters.slack.replies import Replies
from adapters.slack.thread import erase
from bot.domain import Attachment, Card, Command, Person, Proposal, Scope, ThreadId
from bot.errors import SetupError, ThreadsightError
from bot.ports import Desk

RECENT = 20  # messages of a channel in which /estimate looks for pictures
RECENT_SECONDS = 1.5  # A form can be opened for three seconds after the command.
LOOKED_UP = 20  # files of other organisations whose sizes Slack is asked for, for one estimate
FORM = "form:"
OTHER = f"{FORM}{ESTIMATE}"
"""The button that opens the form where the channel's own pictures were estimated."""

UNREADABLE = (
    "I cannot read this conversation. Invite me with `/invite @{name}`, or give me a size: "
    "`/estimate 1920x1080 x3 high`."
)
BROKEN = "Something broke while I worked on this. Please try again."
EXPIRED = "Slack did not wait for the form to open. Please do that again."
UNOPENED = "Slack does not open the form ({code})."
NOT_YOURS = "Only whoever asked can take the question back."
NO_PICTURES = "This message has no picture."
TRIGGER = ("expired_trigger_id", "exchanged_trigger_id", "trigger_expired", "trigger_exchanged")
log = logging.getLogger("threadsight.slack")


class Commands:
    """Answers what people ask outside of messages."""

    def __init__(self, api: Api, desk: Desk, me: Identity) -> None:
        self.api = api
        self.desk = desk
        self.me = me
        self.replies = Replies(api)
        self.proposals = Proposals(api, desk)

    async def slash(self, body: Json) -> None:
        """`/estimate [SIZE]` and `/vision [WORD …]`."""
        spot, command = slashed_at(body), self.slashed(body)
        if command.name == ESTIMATE and not command.text:
            await self.estimate_here(spot, command, text(body, "trigger_id"))
            return
        await self.replies.show(spot, await self.card_for(command))

    async def shortcut(self, body: Json) -> None:
        """“Estimate cost” and “Ask about this” on a message."""
        spot, command = pointed_at(body), self.pointed(body)
        if text(body, "callback_id") != ASK:
            await self.replies.show(spot, await self.card_for(command))
        elif not command.attachments:
            await self.replies.show(spot, Card("", NO_PICTURES))
        elif refusal := await self.refused(command):
            await self.replies.show(spot, refusal)
        else:
            form = modals.asking(spot, command.message, command.attachments)
            await self.open(spot, form, text(body, "trigger_id"))

    async def buttons(self, body: Json) -> None:
        """A button under a card or a reply."""
        spot = pressed_at(body)
        person = Person(spot.person, groups_of(body))
        for action in items(body.get("actions")):
            name = text(action, "action_id")
            if name.startswith(PRESS):
                await self.pressed(spot, text(action, "value"), person, text(body, "trigger_id"))
            elif name == TAKE_BACK:
                await self.take_back(spot, body)
            elif name == OTHER:
                await self.open(spot, modals.estimating(spot), text(body, "trigger_id"))

    def check(self, body: Json) -> dict[str, str]:
        """What is wrong with a form that was sent, by its field; told while the person still sees it."""
        return modals.errors(callback_of(body), modals.filled(body))

    async def submitted(self, body: Json) -> None:
        """A form without mistakes."""
        form = modals.filled(body)
        if callback_of(body) == ESTIMATE:
            await self.replies.show(form.spot, await self.card_for(self.sized(body, form)))
        elif callback_of(body) == ASK and form.token:
            person = Person(form.spot.person, groups_of(body))
            await self.worded(form, person)
        elif callback_of(body) == ASK:
            await self.ask(form.spot, self.proposed(body, form), groups_of(body))

    # What people asked, in our words.

    def slashed(self, body: Json) -> Command:
        """A slash command."""
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
            groups=groups_of(body),
            direct=text(body, "channel_id").startswith("D"),
        )

    def pointed(self, body: Json) -> Command:
        """A message shortcut."""
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
            message=text(message, "ts"),
            groups=groups_of(body),
        )

    def sized(self, body: Json, form: Form) -> Command:
        """An estimate by form."""
        return Command(
            name=ESTIMATE,
            platform=PLATFORM,
            workspace=text(table(body.get("team")), "id") or self.me.team,
            channel=form.spot.channel,
            author=form.spot.person,
            root=form.spot.root or None,
            attachments=form.files,
            options={"question": form.question, **form.options},
            groups=groups_of(body),
            direct=form.spot.channel.startswith("D"),
        )

    def proposed(self, body: Json, form: Form) -> Proposal:
        """A question by form."""
        workspace = text(table(body.get("team")), "id") or self.me.team
        root = form.spot.root or form.message
        return Proposal(
            place=ThreadId(PLATFORM, workspace, form.spot.channel, root),
            author=form.spot.person,
            text=form.question,
            attachments=form.files,
            options=form.options,
            source=form.message,
        )

    # What they get.

    async def card_for(self, command: Command) -> Card:
        """The desk's card, or what went wrong as one."""
        try:
            known = pictures(await self.with_sizes(command.attachments))
            return await self.desk.run(replace(command, attachments=known))
        except ThreadsightError as error:
            return Card("", error.sentence)
        except Exception as error:
            log.error("a command broke: %s", type(error).__name__)
            return Card("", BROKEN)

    async def estimate_here(self, spot: Spot, command: Command, trigger: str) -> None:
        """Estimates the channel's last pictures; the form asks for others where there are none."""
        readable = True
        try:
            async with asyncio.timeout(RECENT_SECONDS):
                command = replace(command, attachments=await self.recent(command.channel))
        except (Refused, SetupError):
            readable = False
        except (ThreadsightError, TimeoutError) as error:
            log.info("the last pictures are not known in time: %s", type(error).__name__)
        if command.attachments:
            await self.replies.show(spot, await self.card_for(command), (other_button(),))
        elif (problem := await self.opened(modals.estimating(spot), trigger)) is None:
            return
        elif readable:
            await self.replies.show(spot, problem)
        else:
            name = await name_of(self.me, self.api)
            unreadable = UNREADABLE.format(name=name or "the bot")
            await self.replies.show(spot, Card("", unreadable))

    async def pressed(self, spot: Spot, token: str, person: Person, trigger: str) -> None:
        """Shows what came of a button, if anything did."""
        found = await self.press(token, person)
        if isinstance(found, Card):
            await self.replies.show(spot, found)
        elif found is None:
            await self.replies.dismiss(spot)
        elif found.text:
            await self.ask(spot, found, person.groups)
        else:
            # A card for pictures alone: the words are asked for, and the button is pressed again.
            await self.open(spot, modals.asking(spot, "", found.attachments, token), trigger)

    async def worded(self, form: Form, person: Person) -> None:
        """Asks what a button stands for, in the words of a form."""
        found = await self.press(form.token, person)
        if isinstance(found, Proposal):
            options = {**found.options, **form.options}
            asked = replace(found, text=form.question, options=options)
            await self.ask(form.spot, asked, person.groups)
        elif found is not None:
            await self.replies.show(form.spot, found)

    async def refused(self, command: Command) -> Card | None:
        """Why somebody may not ask in this place: said before they have written anything."""
        place = ThreadId(PLATFORM, command.workspace, command.channel, command.root or "")
        return await self.desk.denial(place, Person(command.author, command.groups))

    async def press(self, token: str, person: Person) -> Card | Proposal | None:
        """What the desk makes of a button, or what went wrong as a card."""
        try:
            return await self.desk.press(token, person)
        except ThreadsightError as error:
            return Card("", error.sentence)
        except Exception as error:
            log.error("a button broke: %s", type(error).__name__)
            return Card("", BROKEN)

    async def take_back(self, spot: Spot, body: Json) -> None:
        """Deletes a question that the bot posted for this person, as if it were the person's own message."""
        message = table(body.get("message"))
        post = text(message, "ts") or text(table(body.get("container")), "message_ts")
        if asker(message) != spot.person or timestamp(post) is None:
            await self.replies.show(spot, Card("", NOT_YOURS))
            return
        workspace = text(table(body.get("team")), "id") or self.me.team
        root = text(message, "thread_ts") or post
        try:
            scope = Scope(PLATFORM, workspace, spot.channel, root=root, message=post)
            posts = await self.desk.retract(scope)
        except ThreadsightError as error:
            await self.replies.show(spot, Card("", error.sentence))
            return
        await erase(self.api, spot.channel, [*posts, post])

    async def ask(self, spot: Spot, proposal: Proposal, groups: tuple[str, ...]) -> None:
        """Posts a question for all to see; a card says why not."""
        try:
            known = await self.with_sizes(proposal.attachments)
            proposal = replace(proposal, attachments=known)
            refusal = await self.proposals.ask(proposal, groups)
        except ThreadsightError as error:
            refusal = Card("", kept(error.sentence, proposal.text))
        except Exception as error:
            log.error("a question broke: %s", type(error).__name__)
            refusal = Card("", kept(BROKEN, proposal.text))
        if refusal is None:
            await self.replies.dismiss(spot)
        else:
            await self.replies.show(spot, refusal)

    async def open(self, spot: Spot, form: modals.View, trigger: str) -> None:
        """Opens a form, or says why it does not open."""
        problem = await self.opened(form, trigger)
        if problem is not None:
            await self.replies.show(spot, problem)

    async def opened(self, form: modals.View, trigger: str) -> Card | None:
        """None once the form is open, else why it is not."""
        try:
            await self.api.call(self.api.hasty.views_open(trigger_id=trigger, view=form))
        except Refused as error:
            return Card("", EXPIRED if error.code in TRIGGER else UNOPENED.format(code=error.code))
        except ThreadsightError as error:
            return Card("", error.sentence)
        return None

    async def recent(self, channel: str) -> tuple[Attachment, ...]:
        """The pictures of the channel's last messages, oldest first."""
        page = await self.api.call(
            self.api.sure.conversations_history(channel=channel, limit=RECENT)
        )
        found: list[Attachment] = []
        for message in reversed(items(page.get("messages"))):
            found += pictures(files(message))
        return tuple(found)

    async def with_sizes(self, attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        """Files with what Slack tells only on request, as of other organisations' or a form's."""
        first, others = attachments[:LOOKED_UP], attachments[LOOKED_UP:]
        known = await asyncio.gather(*(self.looked_up(file) for file in first))
        return (*known, *others)

    async def looked_up(self, file: Attachment) -> Attachment:
        """A file as Slack knows it, where its message did not say: right after its upload not even its size."""
        if file.width or file.linked or (file.url and not file.media_type.startswith("image/")):
            return file
        try:
            answer = await self.api.call(self.api.sure.files_info(file=file.id))
        except ThreadsightError as error:
            log.info("a file's size is not known: %s", type(error).__name__)
            return file
        return attachment(table(answer.get("file"))) or file


def slashed_at(body: Json) -> Spot:
    return Spot(text(body, "channel_id"), text(body, "user_id"), url=text(body, "response_url"))


def pointed_at(body: Json) -> Spot:
    message = table(body.get("message"))
    return Spot(
        channel=text(table(body.get("channel")), "id"),
        person=text(table(body.get("user")), "id"),
        root=text(message, "thread_ts"),
        url=text(body, "response_url"),
    )


def pressed_at(body: Json) -> Spot:
    container = table(body.get("container"))
    root = text(container, "thread_ts") or text(table(body.get("message")), "thread_ts")
    return Spot(
        channel=text(table(body.get("channel")), "id") or text(container, "channel_id"),
        person=text(table(body.get("user")), "id"),
        root=root if timestamp(root) is not None else "",
        url=text(body, "response_url"),
        fresh=container.get("is_ephemeral") is not True,
    )


def callback_of(body: Json) -> str:
    return text(table(body.get("view")), "callback_id")


def other_button() -> Block:
    label = {"type": "plain_text", "text": "Other pictures …", "emoji": False}
    return {"type": "button", "action_id": OTHER, "text": label}


def kept(sentence: str, question: str) -> str:
    """Why a question is not asked, and its words: the form in which they were typed is gone."""
    return f"{sentence}\n\nYou asked:\n\n{question}" if question else sentence


def pictures(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Those that are pictures or documents, as far as Slack tells."""
    return tuple(
        file
        for file in attachments
        if not file.media_type or file.media_type.startswith(("image/", "application/pdf"))
    )
