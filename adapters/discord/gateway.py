"""The gateway: discord.py keeps the connection, and this hands on what it hears, as Discord sent it."""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket, KeepAliveHandler

from adapters.discord.rest import LOGIN_REFUSED, Rest, point
from adapters.discord.wire import Json, item, number, string
from bot.errors import Outage, RateLimited, SetupError, ThreadsightError, TransientError

CLOSE_SECONDS = 5.0  # for a Discord that no longer says goodbye
STILL_SECONDS = 1.0  # a beat under way may take a moment
LONGEST_DIAL_SECONDS = 30.0  # discord.py gives a connection up that takes a minute
LONGEST_PAUSE_SECONDS = 120.0  # 1,000 identifies a day are allowed; this stays under them for good

NO_INTENT = (
    "Discord does not let this bot read messages yet: open your application in the developer "
    "portal, Bot, Privileged Gateway Intents, and switch on Message Content Intent."
)
SHORT_LIVED = "Discord ended a session soon after it began."
FATAL = {
    4004: LOGIN_REFUSED,
    4010: "Discord refused the shard; restart the bot.",
    4011: "Discord wants more shards than it said; restart the bot.",
    4012: "Discord no longer speaks this version of its API; update Threadsight.",
    4013: "Discord does not know the intents that the bot asks for; update Threadsight.",
    4014: NO_INTENT,
}

log = logging.getLogger("threadsight.discord")

Hear = Callable[[str, Json], None]


class Gateway:
    """One connection for each shard, kept up until it is cancelled."""

    def __init__(
        self, *, token: str, rest: Rest, identify_seconds: float, pause_seconds: float
    ) -> None:
        self._token = token
        self._rest = rest
        self._pause_seconds = pause_seconds
        self._identify_seconds = identify_seconds

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
        limit = item(told, "session_start_limit")
        if number(limit, "remaining") == 0:
            # Discord resets the token of a bot that identifies more often than it may in a day.
            wait = (number(limit, "reset_after") or 0) / 1000
            raise RateLimited("Discord allows no new connection yet.", retry_after=wait)
        shards = max(1, number(told, "shards") or 1)
        client = _Client(shards, events, hear, self._identify_seconds)
        # An invalid session sends discord.py back to this address, and so does a new identify.
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(string(told, "url"))
        point(self._rest.api_url)
        try:
            await client.open(self._token)
            await client.connect()
        except ThreadsightError:
            raise
        except Exception as error:
            # discord.py reads what it hears trustingly, so nonsense ends it with errors of any kind.
            raise translated(error) from error
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()
            await client.still()


class _Client(discord.AutoShardedClient):
    """discord.py without its cache: it connects, beats, resumes and decompresses."""

    def __init__(
        self, shards: int, events: Collection[str], hear: Hear, identify_seconds: float
    ) -> None:
        intents = discord.Intents(
            guilds=True, guild_messages=True, dm_messages=True, message_content=True
        )
        # This bot has no voice, so nobody needs to hear what is missing for one.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=intents,
            shard_count=shards,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        # Its own parsers build objects that we do not use, and end the connection at a payload that
        # they do not expect.
        self._connection.parsers = {event: partial(hear, event) for event in events}
        self._identify_seconds = identify_seconds
        self._identified: dict[int | None, float] = {}
        """When each shard last did, by the loop's clock."""
        self._dialled = 0.0
        self._dial_pause = 0.0
        self._ws_connect = self.http.ws_connect
        self.http.ws_connect = self._dial  # type: ignore[method-assign]

    async def open(self, token: str) -> None:
        """Makes ready to connect; discord.py's own login also reads an application that may lack fields."""
        await self._async_setup_hook()
        await self.http.static_login(token.strip())

    async def still(self) -> None:
        """Ends connections that discord.py gave up without closing them, and the threads that beat for them."""
        beating = [
            thread
            for thread in threading.enumerate()
            if isinstance(thread, KeepAliveHandler) and thread.ws._connection is self._connection
        ]
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

    async def _dial(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Waits before connections that follow each other fast: discord.py resumes at once, however often."""
        lasted = self.loop.time() - self._dialled
        launching = len(self.shards) < (self.shard_count or 1)
        if launching or lasted > LONGEST_DIAL_SECONDS:
            self._dial_pause = 0.0
        else:
            await asyncio.sleep(self._dial_pause)
            self._dial_pause = min(max(2 * self._dial_pause, 0.25), LONGEST_DIAL_SECONDS)
        self._dialled = self.loop.time()
        return await self._ws_connect(url, compress=compress)


async def hang_up(connection: DiscordWebSocket) -> None:
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.socket.close()


def translated(error: Exception) -> ThreadsightError:
    """What an error that ended the connection means here."""
    if isinstance(error, discord.LoginFailure):
        return SetupError(LOGIN_REFUSED)
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return SetupError(NO_INTENT)
    if isinstance(error, discord.ConnectionClosed) and error.code in FATAL:
        return SetupError(FATAL[error.code])
    return Outage("The connection to Discord was lost.")
