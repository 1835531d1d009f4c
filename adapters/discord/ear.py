"""From the gateway's events to what the desk is told: each message until it is stored, and what was missed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

from adapters.discord import events
from adapters.discord.catchup import MOST_PLACES, MOST_TALKS, missed, with_news
from adapters.discord.commands import Commands
from adapters.discord.draft import delete
from adapters.discord.gateway import Gateway
from adapters.discord.places import DIRECT, Place, Places
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, item, items, mapping, number, snowflake
from bot.domain import PostId, Scope
from bot.errors import SetupError, ThreadsightError, TransientError
from bot.ports import Desk

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
OVERLAP_SECONDS = 60.0  # messages of several channels may be stored a little out of order
SCANS_AT_ONCE = 2
MOST_FAULTS = 5

PLACES = (
    "GUILD_CREATE",
    "CHANNEL_CREATE",
    "CHANNEL_UPDATE",
    "THREAD_CREATE",
    "THREAD_UPDATE",
    "THREAD_LIST_SYNC",
)
DELETIONS = (
    "MESSAGE_DELETE",
    "MESSAGE_DELETE_BULK",
    "THREAD_DELETE",
    "CHANNEL_DELETE",
    "GUILD_DELETE",
)
HEARD = ("READY", "MESSAGE_CREATE", "MESSAGE_UPDATE", "INTERACTION_CREATE", *PLACES, *DELETIONS)

log = logging.getLogger("threadsight.discord")


class Ear:
    """One time of listening: from the gateway's events to what the desk is told."""

    def __init__(self, desk: Desk, rest: Rest, places: Places, commands: Commands) -> None:
        self._desk = desk
        self._rest = rest
        self._places = places
        self._commands = commands
        self._heard: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        self._me = ""
        self._since = 0
        self._direct_since = 0
        self._newest: dict[str, int] = {}
        """The newest message heard of each server: after a gap in the connection, reading starts there."""
        self._readings = 0
        """So many places may still be read in this session for what was missed."""
        self._here: set[str] = set()
        """Servers whose state has come in this session; what others say before it is no sign that we heard all."""
        self._scans = asyncio.Semaphore(SCANS_AT_ONCE)

    async def listen(self, gateway: Gateway) -> None:
        # Before any message of this session is stored: what is newer than this was missed.
        await persist(self._remember)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(gateway.run(HEARD, self._hear))
                while True:
                    self._take(*await self._heard.get(), group)
        except BaseExceptionGroup as errors:
            raise first(errors) from errors

    def _hear(self, event: str, data: Json) -> None:
        self._heard.put_nowait((event, mapping(data)))

    def _take(self, event: str, data: Json, group: asyncio.TaskGroup) -> None:
        """Notes at once what later events build on; all that takes time gets a task."""
        place = self._places.get(snowflake(data, "channel_id"))
        self._places.learn(event, data, self._me)
        if event == "READY":
            self._readings = MOST_PLACES
            self._here -= {snowflake(guild, "id") for guild in items(data, "guilds")}
            group.create_task(self._register(snowflake(item(data, "application"), "id")))
            since, self._direct_since = self._direct_since, self._about_now()
            group.create_task(self._catch_up_directly(since))
        elif event == "GUILD_CREATE":
            self._here.add(snowflake(data, "id"))
            group.create_task(self._catch_up(snowflake(data, "id"), self._seen(data)))
        elif event == "INTERACTION_CREATE":
            group.create_task(self._commands.hear(data, self._desk))
        elif event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            self._note(data)
            group.create_task(self._deliver(event, data))
        elif event in DELETIONS:
            for scope in events.deletions(event, data, place):
                group.create_task(self._forget(scope))

    async def _deliver(self, event: str, data: Json) -> None:
        """Hands in a message that may concern the bot, as often as it takes to have it stored."""
        if not events.by_a_person(data) or (event == "MESSAGE_UPDATE" and not events.is_edit(data)):
            return

        async def deliver() -> None:
            place = await self._place(data)
            roles = self._places.own_roles(place.guild)
            message = events.message(data, place, self._me, roles)
            changed = event == "MESSAGE_UPDATE" and events.has_thread(data)
            if message is not None and (message.addressed or place.is_thread or changed):
                groups = self._places.groups(place, events.roles_of(data))
                await self._desk.accept(replace(message, groups=groups))

        await persist(deliver)

    async def _forget(self, scope: Scope) -> None:
        """Has the desk erase what was deleted, and deletes the posts that answered a message."""
        posts: list[PostId] = []

        async def forget() -> None:
            posts.extend(await self._desk.retract(scope))

        await persist(forget)
        if scope.message is None:
            # A thread, channel or server took all posts in it along.
            return
        for post in posts:
            await persist(partial(self._delete, post))

    async def _delete(self, post: PostId) -> None:
        try:
            await delete(self._rest, post)
        except Refused as error:
            log.warning("post not deleted: code %s", error.code)

    async def _register(self, application: str) -> None:
        try:
            if not application:
                application = snowflake(await self._rest.get("/applications/@me"), "id")
            await self._commands.register(application)
        except ThreadsightError as error:
            log.warning("commands not registered: %s", error.sentence)

    async def _catch_up(self, guild: str, since: int) -> None:
        """Hands in what people said in a server while nobody listened."""
        # A bot in many servers reads no more than one in a few: it has its limits with Discord.
        places = with_news(self._places.of_guild(guild), since, self._readings)
        self._readings -= len(places)
        await self._read(places, since)

    async def _catch_up_directly(self, since: int) -> None:
        """Hands in what people wrote to the bot itself; Discord does not tell where, but the desk remembers."""
        talks: list[Place] = []

        async def recall() -> None:
            known = await self._desk.recent(events.PLATFORM, DIRECT)
            talks.extend(Place(thread.channel, "", kind=1) for thread in known[:MOST_TALKS])

        await persist(recall)
        await self._read(talks, since)

    async def _read(self, places: Iterable[Place], since: int) -> None:
        async with self._scans:
            try:
                async for data in missed(self._rest, places, since):
                    await self._deliver("MESSAGE_CREATE", data)
            except TransientError as error:
                log.warning("catching up stopped: %s", error.sentence)

    async def _remember(self) -> None:
        self._me = await self._rest.me()
        seen = await self._desk.last_seen(events.PLATFORM)
        # A bot that has heard nothing yet has missed nothing.
        self._since = events.first_id_at(time.time() if seen is None else seen - OVERLAP_SECONDS)
        self._direct_since = self._since

    def _about_now(self) -> int:
        return events.first_id_at(time.time() - OVERLAP_SECONDS)

    def _seen(self, guild: Json) -> int:
        return self._newest.get(snowflake(guild, "id"), self._since)

    def _note(self, data: Json) -> None:
        guild, message = snowflake(data, "guild_id"), int(snowflake(data, "id") or 0)
        if guild in self._here:
            self._newest[guild] = max(self._newest.get(guild, 0), message)

    async def _place(self, data: Json) -> Place:
        """Where a message stands; asks Discord where the gateway did not tell."""
        channel, guild = snowflake(data, "channel_id"), snowflake(data, "guild_id")
        if not guild:
            return Place(channel, "", kind=1)
        if known := self._places.get(channel):
            return known
        try:
            told = await self._rest.get("/channels/{channel_id}", channel_id=channel)
        except Refused:
            # Remembered, so that a place we may not look at is not asked for with every message.
            told = {"id": channel, "type": number(data, "channel_type")}
        return self._places.add(told, guild=guild)


async def persist(act: Callable[[], Awaitable[None]]) -> None:
    """Tries until it succeeds: Discord tells of a message once, so it is ours to keep until it is stored."""
    pause, faults = FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return await act()
        except TransientError as error:
            log.warning("not stored yet: %s", type(error).__name__)
            pause = max(pause, min(error.retry_after or 0, LONGEST_PAUSE_SECONDS))
        except SetupError:
            raise
        except Exception as error:
            # A fault of ours: it may have met us at a bad moment, but it may not go on for ever.
            faults += 1
            log.error("not stored: %s", type(error).__name__)
            if faults == MOST_FAULTS:
                return None
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a task group ended with."""
    error = errors.exceptions[0]
    return first(error) if isinstance(error, BaseExceptionGroup) else error
