"""Slash commands and menu items: registered when they changed, acknowledged at once, answered in private."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress

import aiohttp

from adapters.discord import render
from adapters.discord.draft import NO_MENTIONS, SUPPRESS_EMBEDS
from adapters.discord.events import PLATFORM, attachment, attachments_of, readable
from adapters.discord.places import DIRECT
from adapters.discord.refusals import ALREADY_ACKNOWLEDGED
from adapters.discord.rest import Rest, named_wait
from adapters.discord.wire import Json, item, items, mapping, number, snowflake, string, strings
from bot.domain import Attachment, Card, Command
from bot.errors import ThreadsightError
from bot.ports import Desk

SUBCOMMAND, TEXT, FILE = 1, 3, 11  # option types
SLASH, ON_MESSAGE = 1, 3  # command types
COMMAND_USED, BUTTON_PRESSED = 2, 3  # interaction types
DEFER, DEFER_QUIETLY = (
    5,
    6,
)  # callback types: the answer comes later, shown as `thinking` or not at all
PRIVATE = 1 << 6
HERE = {"contexts": [0, 1], "integration_types": [0]}  # in servers and in our direct messages

ACKNOWLEDGE_SECONDS = 2.5  # Discord gives up after three
AGAIN_SECONDS = 0.25  # after a request that failed
ANSWER_SECONDS = 60.0
PICTURES = 4
ESTIMATE_MENU = "Estimate cost"
BROKEN = "Something broke while I worked on this. Please try again."

log = logging.getLogger("threadsight.discord")


def definitions() -> list[Json]:
    """The commands as people see them."""
    pictures = [
        {"type": FILE, "name": f"picture{n}", "description": f"Picture {n}"}
        for n in range(1, PICTURES + 1)
    ]
    details = [{"name": name, "value": name} for name in ("low", "high", "auto", "original")]
    return [
        {
            "type": SLASH,
            "name": "estimate",
            "description": "What would a question about these pictures cost?",
            "options": [
                *pictures,
                {
                    "type": TEXT,
                    "name": "size",
                    "description": "Sizes instead of pictures, such as 1920x1080 x3",
                },
                {
                    "type": TEXT,
                    "name": "detail",
                    "description": "How closely the model looks",
                    "choices": details,
                },
                {
                    "type": TEXT,
                    "name": "question",
                    "description": "The question, to count its tokens",
                },
            ],
            **HERE,
        },
        {
            "type": SLASH,
            "name": "vision",
            "description": "What this bot can do",
            "options": [
                {
                    "type": SUBCOMMAND,
                    "name": "help",
                    "description": "How to ask, what it costs, what a model cannot see",
                }
            ],
            **HERE,
        },
        {"type": ON_MESSAGE, "name": ESTIMATE_MENU, **HERE},
    ]


class Commands:
    """Hears interactions and answers them; needs nothing but the interaction's own token."""

    def __init__(self, *, rest: Rest, session: aiohttp.ClientSession) -> None:
        self._rest = rest
        self._session = session

    async def register(self, application: str) -> None:
        """Tells Discord our commands, if it knows others: it counts how often an app creates some."""
        path = "/applications/{application_id}/commands"
        known = await self._rest.list(path, application_id=application)
        wanted = definitions()
        if sorted(map(essence, known)) != sorted(map(essence, wanted)):
            await self._rest.call("PUT", path, json=wanted, application_id=application)

    async def hear(self, interaction: Json, desk: Desk) -> None:
        """Answers one interaction."""
        try:
            if number(interaction, "type") == COMMAND_USED:
                await self._command(interaction, desk)
            elif number(interaction, "type") == BUTTON_PRESSED:
                await self._button(interaction, desk)
        except (aiohttp.ClientError, OSError, ThreadsightError) as error:
            log.warning("interaction unanswered: %s", type(error).__name__)

    async def _command(self, interaction: Json, desk: Desk) -> None:
        if not await self._acknowledge(interaction, DEFER):
            return
        first, *more = await answered(desk.run(command(interaction)))
        await self._send("PATCH", f"{self._hook(interaction)}/messages/@original", first)
        for content in more:
            await self._send("POST", self._hook(interaction), content)

    async def _button(self, interaction: Json, desk: Desk) -> None:
        if not await self._acknowledge(interaction, DEFER_QUIETLY):
            return
        token = string(item(interaction, "data"), "custom_id")
        for content in await answered(desk.press(token, person(interaction))):
            await self._send("POST", self._hook(interaction), content)

    async def _acknowledge(self, interaction: Json, how: int) -> bool:
        """Whether Discord still waits for the answer."""
        # Not by discord.py: nothing that waits for a rate limit may come before this.
        url = (
            f"{self._rest.api_url}/interactions/{snowflake(interaction, 'id')}"
            f"/{string(interaction, 'token')}/callback"
        )
        payload = {"type": how, "data": {"flags": PRIVATE}}
        again = False
        async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    async with self._session.post(url, json=payload) as response:
                        if response.status < 500:
                            return response.status < 300 or (again and await was_known(response))
                # It may have been done all the same, and only the answer was lost.
                again = True
                await asyncio.sleep(AGAIN_SECONDS)

    def _hook(self, interaction: Json) -> str:
        application, token = snowflake(interaction, "application_id"), string(interaction, "token")
        return f"{self._rest.api_url}/webhooks/{application}/{token}"

    async def _send(self, method: str, url: str, content: str) -> None:
        flags = SUPPRESS_EMBEDS | (PRIVATE if method == "POST" else 0)
        payload = {"content": content, "allowed_mentions": NO_MENTIONS, "flags": flags}
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                wait = AGAIN_SECONDS
                with suppress(aiohttp.ClientError, OSError):
                    async with self._session.request(method, url, json=payload) as response:
                        if response.status != 429 and response.status < 500:
                            return
                        wait = named_wait(response.headers)
                await asyncio.sleep(wait)


async def was_known(response: aiohttp.ClientResponse) -> bool:
    """Whether Discord refuses an acknowledgement because it has it already."""
    try:
        body = mapping(await response.json(content_type=None))
    except ValueError:
        return False
    return number(body, "code") == ALREADY_ACKNOWLEDGED


async def answered(answer: Awaitable[Card | None]) -> list[str]:
    """What the desk says, or why it cannot."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            card = await answer
    except ThreadsightError as error:
        return [error.sentence]
    except Exception as error:
        # Somebody waits for an answer, whatever is wrong with us; the log says what it was.
        log.error("interaction broke: %s", type(error).__name__)
        return [BROKEN]
    return [] if card is None else render.card(card)


def command(interaction: Json) -> Command:
    """An interaction as the bot knows it."""
    data = item(interaction, "data")
    name, options = leaf(data)
    values = {string(option, "name"): str(option.get("value", "")) for option in options}
    files = uploaded(data, options)
    if number(data, "type") == ON_MESSAGE:
        target = item(item(item(data, "resolved"), "messages"), snowflake(data, "target_id"))
        files = attachments_of(target)
        values = {
            "question": readable(target, snowflake(interaction, "application_id"), frozenset())
        }
    return Command(
        name=name,
        platform=PLATFORM,
        workspace=snowflake(interaction, "guild_id") or DIRECT,
        channel=snowflake(interaction, "channel_id"),
        author=person(interaction),
        text=values.pop("size", ""),
        attachments=files,
        options={key: value for key, value in values.items() if not key.startswith("picture")},
    )


def person(interaction: Json) -> str:
    """Who used it: a member of a server, or somebody in direct messages."""
    member = item(item(interaction, "member"), "user")
    return snowflake(member, "id") or snowflake(item(interaction, "user"), "id")


def leaf(data: Json) -> tuple[str, list[Json]]:
    """The name of what was used, and its options: `/vision help` is `help`."""
    name, options = string(data, "name"), items(data, "options")
    if name == ESTIMATE_MENU:
        return "estimate", []
    if options and number(options[0], "type") == SUBCOMMAND:
        return string(options[0], "name"), items(options[0], "options")
    return name, options


def uploaded(data: Json, options: list[Json]) -> tuple[Attachment, ...]:
    """The files among a command's options, in their order."""
    resolved = item(item(data, "resolved"), "attachments")
    chosen = sorted(
        (option for option in options if number(option, "type") == FILE),
        key=lambda option: string(option, "name"),
    )
    files = [mapping(resolved.get(str(option.get("value")))) for option in chosen]
    return tuple(attachment(file) for file in files if file)


def essence(definition: Json) -> str:
    """What makes a command what it is, without what Discord adds to it."""
    parts: dict[str, object] = {
        "type": number(definition, "type") or SLASH,
        "name": string(definition, "name"),
        "description": string(definition, "description"),
        "contexts": sorted(strings(definition, "contexts")),
        "integration_types": sorted(strings(definition, "integration_types")),
        "options": [option_essence(option) for option in items(definition, "options")],
    }
    return repr(parts)


def option_essence(option: Json) -> Mapping[str, object]:
    return {
        "type": number(option, "type"),
        "name": string(option, "name"),
        "description": string(option, "description"),
        "required": bool(option.get("required")),
        "choices": [
            (choice.get("name"), choice.get("value")) for choice in items(option, "choices")
        ],
        "options": [option_essence(each) for each in items(option, "options")],
    }
