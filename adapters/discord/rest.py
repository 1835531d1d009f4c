"""Requests to Discord's API: discord.py minds the rate limits, this bounds, retries and translates."""

import asyncio
import io
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError, dumps, loads
from typing import Any, cast

import aiohttp
import discord
from discord.http import HTTPClient, Route

from adapters.discord.limits import BUSY, LOGIN_REFUSED, Limits
from adapters.discord.markup import File
from adapters.discord.refusals import Refused
from adapters.discord.wire import Json, listed, mapping, number, snowflake
from bot.errors import Outage, RateLimited, SetupError, ThreadsightError, TransientError

TRIES = 4
PATIENCE_SECONDS = 10.0  # A longer wait is the worker's, which meanwhile answers others.
DEADLINE_SECONDS = 40.0  # Longer than discord.py's own tries and the longest wait that it accepts.
LONGEST_LIMIT_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0

NOT_DISCORD = (
    "What answers at DISCORD_API_URL is not Discord's API; it should be https://discord.com/api/v10 "
    "or a proxy of it."
)
AWAY = "Discord cannot be reached just now."

Lost = Callable[[], Awaitable[Json]]
FAULTS = (
    discord.DiscordException,
    aiohttp.ClientError,
    OSError,
    # The session was closed under a request.
    RuntimeError,
    # discord.py reads trustingly: a header or a field is missing, or is not what it should be.
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
DECODING = (JSONDecodeError, UnicodeDecodeError)


def point(api_url: str) -> None:
    """Turns discord.py to this API; it reads the address from the class whenever it makes a route."""
    if api_url != Route.BASE:
        Route.BASE = api_url


@contextmanager
def waiting_for_the_token() -> Iterator[None]:
    """Makes a token that is refused in the middle of work an outage: once the installer mends it, work goes on."""
    try:
        yield
    except SetupError as error:
        raise Outage(error.sentence) from error


class Rest:
    """Discord's API with the bot's token; opens itself when it is first used."""

    def __init__(self, *, token: str, api_url: str, limits: Limits, pause_seconds: float) -> None:
        self.api_url = api_url
        self.limits = limits
        self._pause_seconds = pause_seconds
        self._token = token.strip()
        self._http: HTTPClient | None = None
        self._me: Json = {}
        self._opening = asyncio.Lock()

    async def me(self) -> str:
        """The bot's own user id."""
        await self._opened()
        return snowflake(self._me, "id")

    async def get(
        self, path: str, *, query: Mapping[str, str | int] | None = None, **ids: str
    ) -> Json:
        """Reads one object."""
        return mapping(await self.call("GET", path, query=query, lost=None, files=(), **ids))

    async def list(
        self, path: str, *, query: Mapping[str, str | int] | None = None, **ids: str
    ) -> "list[Json]":
        """Reads several objects."""
        return listed(await self.call("GET", path, query=query, lost=None, files=(), **ids))

    async def post(self, path: str, json: Json, lost: Lost, **ids: str) -> Json:
        """Creates something and returns it; before another try, `lost` looks for what the last one made."""
        return mapping(
            await self.call("POST", path, json=json, query=None, lost=lost, files=(), **ids)
        )

    async def upload(self, path: str, json: Json, files: Sequence[File], **ids: str) -> Json:
        """Creates something with files; what keeps it from being there twice stands in the request itself."""
        return mapping(
            await self.call("POST", path, json=json, query=None, lost=None, files=files, **ids)
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        query: Mapping[str, str | int] | None = None,
        lost: Lost | None = None,
        files: Sequence[File] = (),
        **ids: str,
    ) -> object:
        """One request, tried again while that may help; `ids` fill the path's places.

        Raises Refused, SetupError for a bad token, RateLimited and Outage.
        """
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._patiently(method, path, json, query, lost, files, ids)
        except TimeoutError as error:
            raise Outage(AWAY) from error

    async def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _patiently(
        self,
        method: str,
        path: str,
        json: object,
        query: Mapping[str, str | int] | None,
        lost: Lost | None,
        files: Sequence[File],
        ids: Mapping[str, str],
    ) -> object:
        pause = self._pause_seconds
        for tries in range(1, TRIES + 1):
            try:
                if tries > 1 and lost is not None and (found := await lost()):
                    return found
                return await self._once(method, path, json, query, files, ids)
            except TransientError as error:
                wait = error.retry_after or pause * random.uniform(0.5, 1.5)  # noqa: S311
                if tries == TRIES or wait > PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(wait)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    async def _once(
        self,
        method: str,
        path: str,
        json: object,
        query: Mapping[str, str | int] | None,
        files: Sequence[File],
        ids: Mapping[str, str],
    ) -> object:
        http = await self._opened()
        more: dict[str, Any] = {}
        if files:
            streams = [io.BytesIO(file.data) for file in files]
            more["form"] = form(json, files, streams)
            more["files"] = [_Rewound(streams)]
        elif json is not None:
            more["json"] = json
        if query is not None:
            more["params"] = query
        point(self.api_url)
        try:
            return told(await http.request(Route(method, path, **ids), **more))
        except FAULTS as error:
            raise await translated(error) from error

    async def _opened(self) -> HTTPClient:
        async with self._opening:
            if self._http is None:
                self._http = await self._open()
            return self._http

    async def _open(self) -> HTTPClient:
        http = HTTPClient(
            asyncio.get_running_loop(),
            http_trace=self.limits.trace(),
            max_ratelimit_timeout=LONGEST_LIMIT_SECONDS,
        )
        point(self.api_url)
        try:
            self._me = mapping(told(await http.static_login(self._token)))
            if not snowflake(self._me, "id"):
                raise SetupError(NOT_DISCORD)
        except BaseException as error:
            await http.close()
            if isinstance(error, FAULTS):
                raise await of_login(error) from error
            raise
        return http


@dataclass(frozen=True, slots=True)
class _Rewound:
    """What discord.py asks to start anew before each try of its own."""

    streams: Sequence[io.BytesIO]

    def reset(self, *, seek: object) -> None:
        for stream in self.streams:
            stream.seek(0)


def form(
    json: object, files: Sequence[File], streams: Sequence[io.BytesIO]
) -> "list[dict[str, object]]":
    """A request with files, as discord.py takes its parts."""
    parts: list[dict[str, object]] = [{"name": "payload_json", "value": dumps(json)}]
    for each, (file, stream) in enumerate(zip(files, streams, strict=True)):
        parts.append(
            {
                "name": f"files[{each}]",
                "value": stream,
                "filename": file.name,
                "content_type": "application/octet-stream",
            }
        )
    return parts


async def of_login(error: Exception) -> ThreadsightError:
    """What an error at the first request means: there it may be the set-up that is wrong."""
    if isinstance(error, discord.NotFound | aiohttp.InvalidURL):
        return SetupError(NOT_DISCORD)
    if isinstance(error, ValueError) and not isinstance(error, DECODING):
        # A token with a line end in it cannot even be sent.
        return SetupError(LOGIN_REFUSED)
    return await translated(error)


async def translated(error: Exception) -> ThreadsightError:
    """What an error of discord.py or of the network means here."""
    if isinstance(error, discord.LoginFailure):
        return SetupError(LOGIN_REFUSED)
    if isinstance(error, discord.RateLimited):
        return RateLimited(BUSY, retry_after=error.retry_after)
    if not isinstance(error, discord.HTTPException):
        return Outage(AWAY)
    if error.status == 401:
        return SetupError(LOGIN_REFUSED)
    if error.status == 429:
        return RateLimited(BUSY, retry_after=await wait_of(error))
    code = error.code or number(mapping(told(error.text)), "code") or 0
    if error.status >= 500 or (error.status == 403 and code == 0):
        # A 403 without a code comes from what stands before Discord, when it is asked too often.
        return Outage(AWAY)
    return Refused(code, error.status)


def told(answer: object) -> object:
    """What an answer says; discord.py leaves JSON a text where its type also names a character set."""
    if not isinstance(answer, str):
        return answer
    try:
        return cast(object, loads(answer))
    except ValueError:
        return answer


async def wait_of(error: discord.HTTPException) -> float:
    """Seconds that a 429 asks us to wait, by its body or its headers."""
    try:
        # The body has been read already, so this waits for nothing.
        body = mapping(await error.response.json(content_type=None))
        return bounded(float(str(body["retry_after"])))
    except (KeyError, ValueError, aiohttp.ClientError, AttributeError):
        return named_wait(error.response.headers)


def bounded(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_PAUSE_SECONDS)


def named_wait(headers: Mapping[str, str]) -> float:
    """Seconds that a 429 asks us to wait."""
    for name in ("X-RateLimit-Reset-After", "Retry-After"):
        try:
            return bounded(float(headers[name]))
        except (KeyError, ValueError):
            continue
    return 1.0
