"""The gateway: discord.py keeps the connection, and this hands on what it hears, as Discord sent it."""

import asyncio
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket, KeepAliveHandler

from adapters.discord.limits import LOGIN_REFUSED, Limits
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest, point
from adapters.discord.sight import NO_INTENT, Sight
from adapters.discord.wire import Json, item, number, string
from bot.errors import Outage, RateLimited, SetupError, ThreadsightError, TransientError

CLOSE_SECONDS = 5.0  # for a Discord that no longer says goodbye
STILL_SECONDS = 1.0  # a beat under way may take a moment
DIAL_SECONDS = 15.0  # for one connection to be made
REDIAL_SECONDS = 40.0  # discord.py gives a session up when it is not resumed within a minute
LONGEST_DIAL_PAUSE_SECONDS = 8.0
DIALS_SECONDS = 120.0  # so long a connection counts as one that others follow fast
LONGEST_PAUSE_SECONDS = 120.0  # 1,000 identifies a day are allowed; this stays under them for good
WATCHES = 4  # looks at a connection's beats in the time that one may take

SHORT_LIVED = "Discord ended a session soon after it began."
LOST = "The connection to Discord was lost."
FATAL = {
    4004: LOGIN_REFUSED,
    4010: "Discord refused the shard, also after I asked it anew how many there are; restart the bot.",
    4011: "Discord wants more shards than it says it does; restart the bot later.",
    4012: "Discord no longer speaks this version of its API; update Threadsight.",
    4013: "Discord does not know the intents that the bot asks for; update Threadsight.",
}
SHARDING = frozenset({4010, 4011})
INTENT_REFUSED = 4014

log = logging.getLogger("threadsight.discord")

Hear = Callable[[str, Json], None]


class Gateway:
    """One connection for each shard, kept up until it is cancelled."""

    def __init__(
        self,
        *,
        token: str,
        rest: Rest,
        sight: Sight,
        identify_seconds: float,
        pause_seconds: float,
        ack_seconds: float,
    ) -> None:
        self._token = token
        self._rest = rest
        self._sight = sight
        self._pause_seconds = pause_seconds
        self._identify_seconds = identify_seconds
        self._ack_seconds = ack_seconds
        self._shards = 1
        self._refused_shards = 0
        """So many shards Discord did not want, though it had said so."""

    async def run(self, events: Collection[str], hear: Hear) -> None:
        """Hands each of these events to `hear`, in order; raises SetupError when Discord refuses for good."""
        pause = self._pause_seconds
        while True:
            loop = asyncio.get_running_loop()
            started, least = loop.time(), 0.0
            try:
                await self._connect(events, hear)
            except TransientError as error:
                log.warning("discord away: %s", error.sentence)
                least = error.retry_after or 0.0
            if loop.time() - started > LONGEST_PAUSE_SECONDS:
                pause = self._pause_seconds
            await asyncio.sleep(max(least, pause * random.uniform(0.5, 1.0)))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _connect(self, events: Collection[str], hear: Hear) -> None:
        told = await self._rest.get("/gateway/bot")
        self._shards = max(1, number(told, "shards") or 1)
        mind_the_limit(item(told, "session_start_limit"), self._shards)
        await self._look()
        client = _Client(
            self._shards,
            events,
            hear,
            self._sight,
            self._rest.limits,
            self._identify_seconds,
            self._ack_seconds,
        )
        # An invalid session sends discord.py back to this address, and so does a new identify.
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(string(told, "url"))
        point(self._rest.api_url)
        try:
            await client.open(self._token)
            await client.stay()
        except ThreadsightError:
            raise
        except Exception as error:
            # discord.py reads what it hears trustingly, so nonsense ends it with errors of any kind.
            raise self._translated(error) from error
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()
            await client.still()

    async def _look(self) -> None:
        """Finds out whether we may ask to read what does not mention us, and says it if not."""
        try:
            self._sight.look_at(await self._rest.get("/applications/@me"))
        except (Refused, TransientError):
            # Without its flags the gateway itself tells.
            self._sight.look_at({})
        if not self._sight.full:
            log.warning("discord: %s", NO_INTENT)

    def _translated(self, error: Exception) -> ThreadsightError:
        """What an error that ended the connection means here."""
        if isinstance(error, discord.LoginFailure):
            return SetupError(LOGIN_REFUSED)
        if isinstance(error, discord.PrivilegedIntentsRequired):
            # Its flags may be newer or older than what the gateway goes by.
            self._sight.refuse()
            return Outage("Discord does not grant the Message Content intent; I go on without it.")
        code = error.code if isinstance(error, discord.ConnectionClosed) else 0
        if code in SHARDING and self._shards != self._refused_shards:
            self._refused_shards = self._shards
            return Outage("Discord wants another number of shards; I ask it how many.")
        return SetupError(FATAL[code]) if code in FATAL else Outage(LOST)


def mind_the_limit(limit: Json, shards: int) -> None:
    """Raises RateLimited where Discord grants fewer connections than we need.

    It resets the token of a bot that identifies more often than it may in a day.
    """
    remaining = number(limit, "remaining")
    if remaining is None or remaining >= shards:
        return
    wait = max(1.0, (number(limit, "reset_after") or 0) / 1000)
    sentence = f"Discord grants no new connection for {span(wait)}; I wait for it."
    raise RateLimited(sentence, retry_after=wait)


def span(seconds: float) -> str:
    """A length of time in words."""
    minutes = round(seconds / 60)
    if minutes == 0:
        return f"{seconds:.0f} seconds"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


class _Client(discord.AutoShardedClient):
    """discord.py without its cache: it connects, beats, resumes and decompresses."""

    def __init__(
        self,
        shards: int,
        events: Collection[str],
        hear: Hear,
        sight: Sight,
        limits: Limits,
        identify_seconds: float,
        ack_seconds: float,
    ) -> None:
        intents = discord.Intents(
            guilds=True, guild_messages=True, dm_messages=True, message_content=sight.full
        )
        # This bot has no voice, so nobody needs to hear what is missing for one.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=intents,
            shard_count=shards,
            http_trace=limits.trace(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        # Its own parsers build objects that we do not use, and end the connection at a payload that
        # they do not expect.
        self._connection.parsers = {event: partial(hear, event) for event in events}
        self._identify_seconds = identify_seconds
        self._ack_seconds = ack_seconds
        self._identified: dict[int | None, float] = {}
        """When each shard last did, by the loop's clock."""
        self._dials: list[float] = []
        """When connections were made lately, by the loop's clock."""
        self._hopeless = asyncio.Event()
        self._ws_connect = self.http.ws_connect
        self.http.ws_connect = self._dial  # type: ignore[method-assign]

    async def open(self, token: str) -> None:
        """Makes ready to connect; discord.py's own login also reads an application that may lack fields."""
        await self._async_setup_hook()
        await self.http.static_login(token.strip())

    async def stay(self) -> None:
        """Connects all shards and keeps them connected."""
        connected = asyncio.create_task(self.connect())
        hopeless = asyncio.create_task(self._hopeless.wait())
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait((connected, hopeless), return_when=asyncio.FIRST_COMPLETED)
            if not connected.done():
                # discord.py would try the same address for ever.
                raise Outage("Discord's gateway cannot be reached just now.")
            await connected
        finally:
            for task in (connected, hopeless, watching):
                task.cancel()
            await asyncio.gather(connected, hopeless, watching, return_exceptions=True)

    async def still(self) -> None:
        """Ends connections that discord.py gave up without closing them, and the threads that beat for them."""
        beating = self._beating()
        for thread in beating:
            thread.stop()
        await asyncio.gather(
            *(asyncio.to_thread(each.join, STILL_SECONDS) for each in beating),
            *(hang_up(each.ws) for each in beating),
        )

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Bounds identifies: a session that ends soon ends the client, and whoever runs it waits longer each time."""
        now = self.loop.time()
        last = self._identified.get(shard_id)
        began = self.get_shard(shard_id or 0) is not None
        if began and last is not None and now - last < LONGEST_PAUSE_SECONDS:
            raise RateLimited(SHORT_LIVED, retry_after=self._identify_seconds)
        if not initial:
            await asyncio.sleep(self._identify_seconds)
        self._identified[shard_id] = self.loop.time()

    async def _watch(self) -> None:
        """Cuts connections on which Discord no longer answers: what is half open says nothing by itself."""
        while True:
            await asyncio.sleep(self._ack_seconds / WATCHES)
            now = time.perf_counter()
            for beater in self._beating():
                patience = (beater.interval or 0) + self._ack_seconds
                if beater._last_send > beater._last_ack and now - beater._last_ack > patience:
                    log.warning(
                        "discord away: no answer to a heartbeat on shard %s", beater.shard_id
                    )
                    cut(beater.ws)

    def _beating(self) -> list[KeepAliveHandler]:
        """The threads that beat for this client's connections."""
        return [
            thread
            for thread in threading.enumerate()
            if isinstance(thread, KeepAliveHandler) and thread.ws._connection is self._connection
        ]

    async def _dial(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Makes a connection; tries again while the session can still be resumed, as discord.py does not."""
        until = self.loop.time() + REDIAL_SECONDS
        while True:
            await asyncio.sleep(self._space())
            try:
                async with asyncio.timeout(DIAL_SECONDS):
                    return await self._ws_connect(url, compress=compress)
            except (aiohttp.ClientError, OSError):
                if not self.shards:
                    self._hopeless.set()
                if not self._launched or self.loop.time() > until:
                    raise

    def _space(self) -> float:
        """Seconds to wait before a connection that follows others fast: discord.py resumes at once, however often."""
        now = self.loop.time()
        self._dials = [at for at in self._dials if now - at < DIALS_SECONDS]
        shards = self.shard_count or 1
        extra = len(self._dials) - shards if self._launched else 0
        self._dials.append(now)
        return (
            min(0.25 * 2.0 ** ((extra - 1) / shards), LONGEST_DIAL_PAUSE_SECONDS)
            if extra > 0
            else 0.0
        )

    @property
    def _launched(self) -> bool:
        """Whether every shard was connected once."""
        return len(self.shards) >= (self.shard_count or 1)


def cut(connection: DiscordWebSocket) -> None:
    """Ends a connection without waiting for the other side, which may be gone."""
    raw = connection.socket.get_extra_info("socket")
    with suppress(OSError):
        if raw is not None:
            raw.shutdown(socket.SHUT_RDWR)


async def hang_up(connection: DiscordWebSocket) -> None:
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.socket.close()
