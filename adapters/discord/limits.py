"""What Discord takes from one bot in all: so many requests a second, and so many refused ones in ten minutes.

discord.py minds each bucket and the waits that Discord names; it does not count. Source of the numbers: Discord's
documentation, topics/rate-limits.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp

from adapters.discord.refusals import EDITS_SPENT, Refused
from adapters.discord.wire import Json, mapping, number
from bot.errors import RateLimited, SetupError

REQUESTS_A_SECOND = 45  # Discord takes 50.
SECOND = 1.1  # Some requests travel faster than others.
WINDOW_SECONDS = 600.0
MOST_REFUSED = 5_000  # in that time; at 10,000 Discord shuts out the whole address
REFUSALS = frozenset({401, 403, 429})
SHUT_OUT_SECONDS = 60.0  # where nothing says how long

LOGIN_REFUSED = (
    "Discord does not accept DISCORD_TOKEN: open your application in the developer portal, "
    "Bot, Reset Token, and set the new one."
)
BUSY = "Discord asks me to slow down."
TOO_MANY_REFUSALS = "Discord has refused so many requests that I pause before it shuts me out."


class Limits:
    """Watches all requests of one bot; none is sent that Discord would hold against it."""

    def __init__(
        self,
        *,
        requests_a_second: int = REQUESTS_A_SECOND,
        most_refused: int = MOST_REFUSED,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._starts: deque[float] = deque(maxlen=requests_a_second)
        self._most_refused = most_refused
        self._refused: deque[float] = deque()
        self._closed_until = 0.0
        self._why = BUSY
        self._token_refused = asyncio.Event()

    async def token_refused(self) -> None:
        """Returns once Discord has said that it does not know the token."""
        await self._token_refused.wait()

    def trace(self) -> aiohttp.TraceConfig:
        """What an HTTP session needs to be watched."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._before)
        trace.on_request_end.append(self._after)
        return trace

    async def _before(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        request: aiohttp.TraceRequestStartParams,
    ) -> None:
        self.check()
        await asyncio.sleep(self.reserve())

    async def _after(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        response = request.response
        if response.status not in REFUSALS:
            return
        body = await body_of(response)
        self.count(response.status, shared=response.headers.get("X-RateLimit-Scope") == "shared")
        if response.status == 429 and body is None:
            # Not Discord itself but what stands before it: everything is refused for a while.
            self.close(named(response.headers.get("Retry-After")))
        if response.status == 429 and (body or {}).get("global") is True:
            # discord.py holds all requests back while this one waits, and for ever if it is cancelled meanwhile.
            self.close(named(str((body or {}).get("retry_after"))))
            self.check()
        if number(body or {}, "code") == EDITS_SPENT:
            # discord.py would wait for a chance that does not come.
            raise Refused(EDITS_SPENT, 429)

    def check(self) -> None:
        """Raises SetupError or RateLimited when nothing may be sent."""
        if self._token_refused.is_set():
            raise SetupError(LOGIN_REFUSED)
        left = self._closed_until - self._now()
        if left > 0:
            raise RateLimited(self._why, retry_after=left)

    def reserve(self) -> float:
        """Seconds until the next request may go."""
        now = self._now()
        full = len(self._starts) == self._starts.maxlen
        at = max(now, self._starts[0] + SECOND) if full else now
        self._starts.append(at)
        return at - now

    def count(self, status: int, *, shared: bool = False) -> None:
        """Counts a refusal; one for a limit that we share with others is not held against us."""
        if status == 401:
            self._token_refused.set()
        if shared:
            return
        now = self._now()
        self._refused.append(now)
        while self._refused[0] <= now - WINDOW_SECONDS:
            self._refused.popleft()
        if len(self._refused) >= self._most_refused:
            self._why = TOO_MANY_REFUSALS
            self._closed_until = self._refused[0] + WINDOW_SECONDS

    def close(self, seconds: float) -> None:
        """Sends nothing for a while."""
        self._why = BUSY
        self._closed_until = max(self._closed_until, self._now() + seconds)


async def body_of(response: aiohttp.ClientResponse) -> Json | None:
    """What a refusal says; None where it is not said as Discord does."""
    try:
        return mapping(json.loads(await response.read()))
    except (ValueError, aiohttp.ClientError):
        return None


def named(wait: str | None) -> float:
    try:
        return max(0.0, float(wait or SHUT_OUT_SECONDS))
    except ValueError:
        return SHUT_OUT_SECONDS
