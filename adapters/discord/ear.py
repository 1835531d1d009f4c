"""From the gateway's events to what the desk is told: each message until it is stored, and what was missed."""

import asyncio
import logging
import time
from collections.abc import Iterable
from functools import partial

from adapters.discord import events
from adapters.discord.catchup import MOST_PLACES, MOST_TALKS, missed, with_news
from adapters.discord.commands import Commands
from adapters.discord.delivery import Delivery
from adapters.discord.draft import delete
from adapters.discord.gateway import Gateway
from adapters.discord.lately import Lately
from adapters.discord.limits import LOGIN_REFUSED
from adapters.discord.marks import Marks
from adapters.discord.persistence import persist
from adapters.discord.places import DIRECT, Place, Places
from adapters.discord.previews import Previews
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.sight import Sight
from adapters.discord.spoilers import Spoilers
from adapters.discord.wire import Json, item, items, mapping, numbers, snowflake, string
from bot.domain import PostId, Scope
from bot.errors import SetupError, ThreadsightError, TransientError
from bot.ports import Desk

# Messages of several channels may come a little out of order; those before a first mark also were stored so.
OVERLAP_SECONDS = 5.0
FIRST_OVERLAP_SECONDS = 60.0
NOTE_SECONDS = 5.0  # between notes of how far was read: what came since is read twice after a crash
MOST_NOTES = 50  # at a time: a bot in thousands of servers has other things to write
LAST_NOTE_SECONDS = 2.0
SCANS_AT_ONCE = 2
FIRST_RESCAN_SECONDS = 1.0
LONGEST_RESCAN_SECONDS = 300.0

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

    def __init__(
        self,
        desk: Desk,
        rest: Rest,
        places: Places,
        commands: Commands,
        sight: Sight,
        previews: Previews,
        spoilers: Spoilers,
        plain: Lately[bool],
    ) -> None:
        self._desk = desk
        self._rest = rest
        self._places = places
        self._commands = commands
        self._delivery = Delivery(desk, rest, places, sight, previews, spoilers, plain)
        self._heard: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        self._me = ""
        self._since = 0
        """The newest message that can have been stored before anybody noted how far was read."""
        self._marks = Marks()
        self._shards = 1
        self._readings: dict[tuple[int, bool], int] = {}
        """By shard, how many channels, and how many threads, may still be read in its session for what was missed."""
        self._awaited: set[str] = set()
        """Servers whose state is still to come in their shard's session."""
        self._scans = asyncio.Semaphore(SCANS_AT_ONCE)

    async def listen(self, gateway: Gateway) -> None:
        # Before any message of this session is stored: what is newer than this was missed.
        await persist(self._remember)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(gateway.run(HEARD, self._hear))
                group.create_task(self._keep_noting())
                group.create_task(self._end_without_token())
                while True:
                    self._take(*await self._heard.get(), group)
        except BaseExceptionGroup as errors:
            raise first(errors) from errors
        finally:
            await self._note_a_last_time()

    async def _end_without_token(self) -> None:
        """Ends the listening when Discord takes our token for none, rather than asking on with it."""
        await self._rest.limits.token_refused()
        raise SetupError(LOGIN_REFUSED)

    def _hear(self, event: str, data: Json) -> None:
        self._heard.put_nowait((event, mapping(data)))

    def _take(self, event: str, data: Json, group: asyncio.TaskGroup) -> None:
        """Notes at once what later events build on; all that takes time gets a task."""
        place = self._places.get(snowflake(data, "channel_id"))
        self._places.learn(event, data, self._me)
        if event == "READY":
            self._begin(data, group)
        elif event == "GUILD_CREATE":
            self._marks.freeze(snowflake(data, "id"))
            group.create_task(self._catch_up(data))
        elif event == "INTERACTION_CREATE":
            group.create_task(self._commands.hear(data, self._desk))
        elif event == "MESSAGE_CREATE":
            group.create_task(self._deliver(data, *self._began(data)))
        elif event == "MESSAGE_UPDATE":
            group.create_task(self._delivery.updated(data))
        elif event in DELETIONS:
            for scope in events.deletions(event, data, place):
                group.create_task(self._forget(scope))

    def _begin(self, data: Json, group: asyncio.TaskGroup) -> None:
        """A shard's session begins: whatever was said before it may have been missed."""
        shard, self._shards = (*numbers(data, "shard"), 0, 1)[:2]
        self._readings[shard, False] = self._readings[shard, True] = MOST_PLACES
        for guild in items(data, "guilds"):
            # Until its state has come, what its people say is no sign that we heard all before it.
            server = snowflake(guild, "id")
            if server not in self._awaited:
                self._marks.freeze(server)
            self._awaited.add(server)
        if shard == 0:
            # The first shard alone hears direct messages.
            group.create_task(self._register(snowflake(item(data, "application"), "id")))
            self._marks.freeze(DIRECT)
            group.create_task(self._catch_up_directly())

    def _began(self, data: Json) -> tuple[str, int]:
        """Notes that a message is on its way to the store; returns its server and number."""
        server = snowflake(data, "guild_id") or DIRECT
        message = int(snowflake(data, "id") or 0)
        self._marks.heard(server, message)
        self._marks.begin(server, message)
        return server, message

    async def _deliver(self, data: Json, server: str, message: int) -> None:
        await self._delivery.created(data)
        self._marks.end(server, message)

    async def _forget(self, scope: Scope) -> None:
        """Has the desk erase what was deleted, and deletes the posts that answered a message."""
        posts = await persist(partial(self._desk.retract, scope))
        if scope.message is None:
            # A thread, channel or server took all posts in it along.
            return
        for post in posts or ():
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

    async def _catch_up(self, guild: Json) -> None:
        """Hands in what people said in a server while nobody listened."""
        server = snowflake(guild, "id")
        since = await self._resume(server)
        joined = events.moment(string(guild, "joined_at"))
        since = max(since, events.first_id_at(joined) if joined else 0)
        # A bot in many servers reads no more than one in a few: it has its limits with Discord.
        shard = (int(server or 0) >> 22) % self._shards
        news = with_news(self._places.of_guild(server), since)
        places = [*self._granted(shard, news, False), *self._granted(shard, news, True)]
        if len(news) > len(places):
            log.warning(
                "not caught up in %s places of server %s: more than %s have news",
                len(news) - len(places),
                server,
                MOST_PLACES,
            )
        await self._read(places, since)
        self._marks.thaw(server)
        if server in self._awaited:
            self._awaited.discard(server)
            self._marks.thaw(server)

    def _granted(self, shard: int, news: Iterable[Place], threads: bool) -> list[Place]:
        """So many of the channels, or of the threads, as may still be read.

        Threads are counted apart: most of their news may be the bot's own answers, since it was killed before
        it had read all.
        """
        left = self._readings.get((shard, threads), MOST_PLACES)
        places = [place for place in news if place.is_thread == threads][:left]
        self._readings[shard, threads] = left - len(places)
        return places

    async def _catch_up_directly(self) -> None:
        """Hands in what people wrote to the bot itself; Discord does not tell where, but the desk remembers."""
        since = await self._resume(DIRECT)
        known = await persist(partial(self._desk.recent, events.PLATFORM, DIRECT)) or []
        channels = list(dict.fromkeys(thread.channel for thread in known))[:MOST_TALKS]
        await self._read([Place(channel, "", kind=1) for channel in channels], since)
        self._marks.thaw(DIRECT)

    async def _resume(self, server: str) -> int:
        """The id after which a server is to be read, stored before anything of it is."""
        mark = self._marks.of(server)
        if mark is None:
            stored = await persist(partial(self._desk.read_up_to, events.PLATFORM, server)) or {}
            mark = int(stored.get(server) or 0)
            if not mark:
                mark = self._since
                note = partial(self._desk.note_read, events.PLATFORM, server, server, str(mark))
                await persist(note)
            self._marks.set(server, mark)
        return max(0, mark - (int(OVERLAP_SECONDS * 1000) << 22))

    async def _read(self, places: Iterable[Place], since: int) -> None:
        """Hands in what was said in these places; one that cannot be read now is read later."""
        left, pause = list(places), FIRST_RESCAN_SECONDS
        while left:
            async with self._scans:
                left = [place for place in left if not await self._read_one(place, since)]
            if left:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_RESCAN_SECONDS)

    async def _read_one(self, place: Place, since: int) -> bool:
        try:
            found = await missed(self._rest, place, since)
        except TransientError as error:
            log.warning("not caught up yet: %s", error.sentence)
            return False
        for data in found:
            await self._delivery.read(data)
        return True

    async def _remember(self) -> None:
        self._me = await self._rest.me()
        seen = await self._desk.last_seen(events.PLATFORM)
        # A bot that has heard nothing yet has missed nothing.
        self._since = events.first_id_at(
            time.time() if seen is None else seen - FIRST_OVERLAP_SECONDS
        )

    async def _keep_noting(self) -> None:
        """Notes now and then how far was read, so that a crash costs no more than a second look."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self._note_marks(MOST_NOTES)
            except ThreadsightError as error:
                log.warning("not noted how far was read: %s", type(error).__name__)

    async def _note_a_last_time(self) -> None:
        try:
            async with asyncio.timeout(LAST_NOTE_SECONDS):
                await self._note_marks()
        except (TimeoutError, ThreadsightError) as error:
            log.warning("not noted how far was read: %s", type(error).__name__)

    async def _note_marks(self, most: int | None = None) -> None:
        for server, mark in list(self._marks.news().items())[:most]:
            await self._desk.note_read(events.PLATFORM, server, server, str(mark))
            self._marks.noted(server, mark)


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a task group ended with."""
    error = errors.exceptions[0]
    return first(error) if isinstance(error, BaseExceptionGroup) else error
