"""Slack's Web API as this adapter calls it: bounded in time, paced, its errors in our words."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import encode_basic_auth
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.live import Live
from adapters.slack.pace import Gates, Pace
from bot.errors import Outage, PermanentError, RateLimited, SetupError

CALL_SECONDS = 15.0  # short waits included
HASTY_SECONDS = 5.0  # What only shows progress is not waited for as long.
PATIENCE_SECONDS = 3.0  # A longer wait that Slack asks for is the worker's to plan.
AGAIN = FixedValueRetryIntervalCalculator(0.3)  # seconds

# docs.slack.dev/apis/web-api/rate-limits: calls a minute and workspace by tier (20, 100, 50), posts one a
# second and channel. A bucket gives away its burst and a minute's refill in its first minute, which together
# stay within the tier.
STARTS, STARTS_BURST = 10 / 60, 10
APPENDS, APPENDS_BURST = 80 / 60, 20
UPDATES, UPDATES_BURST = 40 / 60, 10
UPDATES_KEPT = 5  # calls that are left for updates which complete an answer
POSTS, POSTS_BURST = 1.0, 3
BY_CHANNEL = ("chat.postMessage",)  # Its limit in one channel is none of the others' business.

Json = Mapping[str, Any]
"""An answer or a payload of Slack, as far as nobody has looked at it."""

TOKEN = {
    "invalid_auth": "Slack does not know the bot token",
    "not_authed": "Slack got no bot token",
    "account_inactive": "The bot's account is switched off in Slack",
    "token_revoked": "The bot token was revoked",
    "token_expired": "The bot token has expired",
    "not_allowed_token_type": "This is no bot token, which starts with xoxb-",
}
BOT_MEND = (
    "copy the Bot User OAuth Token (xoxb-…) from the app's page OAuth & Permissions into "
    "SLACK_BOT_TOKEN"
)
SCOPE_MEND = (
    "add it on the app's page OAuth & Permissions and reinstall the app in the workspace "
    "(deploy/slack-manifest.yaml has all of them)"
)
PLACE = {
    "channel_not_found": "The channel is gone, or I am not in it: invite me with /invite.",
    "not_in_channel": "I am not in this channel: invite me with /invite.",
    "is_archived": "The channel is archived.",
    "thread_not_found": "The thread is gone.",
    "restricted_action": "An administrator does not let me post here.",
    "restricted_action_read_only_channel": "An administrator does not let me post here.",
    "restricted_action_thread_locked": "The thread is locked.",
    "user_not_found": "The person is gone.",
    "messages_tab_disabled": "The app's messages tab is switched off (App Home).",
}
SLOWLY = "Slack asks me to slow down."
AWAY = {
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "messaging_processing_failed",
}

log = logging.getLogger("threadsight.slack")


class Refused(PermanentError):
    """Slack refuses a call; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(PLACE.get(code, f"Slack refuses it ({code})."))
        self.code = code


class Unsure(Outage):
    """Nobody knows whether Slack did what it was asked: its answer never came."""


class Client(AsyncWebClient):
    """The SDK's client, which calls no method before the time that Slack named for it."""

    def __init__(self, gates: Gates, patience: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.gates = gates
        self.patience = patience
        """Seconds that a call waits for its time; when it is longer, it is not made."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Calls a method; raises RateLimited instead when it would have to wait for too long."""
        wait = self.gates.left(api_method)
        if wait > self.patience:
            raise RateLimited(SLOWLY, retry_after=wait)
        if wait:
            await asyncio.sleep(wait)
        if isinstance(auth := arguments.get("auth"), Mapping):
            # aiohttp gives up the way in which the SDK would write it.
            basic = encode_basic_auth(auth["client_id"], auth["client_secret"])
            arguments |= {"auth": None, "headers": {"Authorization": basic}}
        try:
            return await super().api_call(api_method, **arguments)
        except SlackApiError as error:
            told = translated(error)
            if isinstance(told, RateLimited) and api_method not in BY_CHANNEL:
                self.gates.close(api_method, told.retry_after or 0.0)
            raise


class Api:
    """One workspace's Web API, by one token."""

    def __init__(
        self, *, token: str, url: str, session: aiohttp.ClientSession, mend: str = BOT_MEND
    ) -> None:
        self.token = token
        self.mend = mend
        """What to do when Slack takes the token no longer."""
        self.url = url
        self.session = session
        self.logger = quiet_logger()
        self.gates = Gates()
        self.hasty = self.client(patience=0.0)
        """Never waits and never repeats: for what is worth nothing later."""
        self.careful = self.client(ShortWaits())
        """Waits a little when told to, never repeats a call that may have been done: for posting."""
        self.sure = self.client(
            ShortWaits(),
            AsyncConnectionErrorRetryHandler(2, AGAIN),
            AsyncServerErrorRetryHandler(2, AGAIN),
        )
        """Repeats as well: for what has the same effect however often it is done."""
        self.starts = Pace(STARTS, STARTS_BURST)
        self.appends = Pace(APPENDS, APPENDS_BURST)
        self.updates = Pace(UPDATES, UPDATES_BURST)
        self.lacks = Gates()
        """What Slack said that it does not have: asked for again after a while."""
        self.live = Live()
        self.times = 1.0
        self._posts: dict[str, Pace] = {}

    def client(self, *handlers: AsyncRetryHandler, patience: float = PATIENCE_SECONDS) -> Client:
        """A client of the SDK on the shared session, which logs nothing."""
        client = Client(
            self.gates,
            patience,
            token=self.token,
            base_url=self.url,
            session=self.session,
            logger=self.logger,
            retry_handlers=list(handlers),
        )
        if self.local:
            client.proxy = None  # The SDK reads the environment's proxy, but not its exceptions.
        return client

    @property
    def local(self) -> bool:
        """Whether the API is on this machine."""
        return is_loopback(urlsplit(self.url).hostname)

    def hurry(self, times: float) -> None:
        """Calls so many times as often as Slack's documentation says, for a server that lets it."""
        self.times = times
        for pace in (self.starts, self.appends, self.updates):
            pace.rate *= times

    def posts(self, channel: str) -> Pace:
        """The pace of posts in a channel; channels at rest are forgotten."""
        if len(self._posts) > 1000:
            self._posts = {name: pace for name, pace in self._posts.items() if not pace.idle()}
        return self._posts.setdefault(channel, Pace(POSTS * self.times, POSTS_BURST))

    async def call(
        self, request: Awaitable[AsyncSlackResponse], *, seconds: float = CALL_SECONDS
    ) -> Json:
        """Awaits a call of one of the clients and returns Slack's answer.

        Raises Refused, SetupError, RateLimited, Outage or, when the answer never came, Unsure.
        """
        return (await self.ask(request, seconds=seconds)).data  # type: ignore[return-value]

    async def delete(self, channel: str, post: str) -> None:
        """Deletes a post of the bot; one that is gone already is no error."""
        try:
            await self.call(self.sure.chat_delete(channel=channel, ts=post))
        except Refused as error:
            log.debug("a post was not deleted: %s", error.code)

    async def ask(
        self, request: Awaitable[AsyncSlackResponse], *, seconds: float = CALL_SECONDS
    ) -> AsyncSlackResponse:
        """Like `call`, headers included."""
        try:
            async with asyncio.timeout(seconds):
                return await request
        except SlackApiError as error:
            raise translated(error, self.mend) from error
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unsure("Slack does not answer right now.") from error


def translated(error: SlackApiError, mend: str = BOT_MEND) -> Exception:
    """An error of Slack in our words; `mend` is for a token that it refuses."""
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0) or 0)
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, Mapping) else ""
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return RateLimited(SLOWLY, retry_after=retry_after(response.headers))
    if status >= 500 or code in AWAY or (not code and status < 400):
        return Unsure("Slack does not answer right now.")
    if code in TOKEN:
        return SetupError(f"{TOKEN[code]} ({code}): {mend}.")
    if code == "missing_scope":
        needed = str(data.get("needed") or "") if isinstance(data, Mapping) else ""
        return SetupError(f"The Slack app lacks the scope {needed or 'it needs'}: {SCOPE_MEND}.")
    return Refused(code or f"http_{status}")


def retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds that Slack asks us to wait."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return max(0.0, float(value[0] if isinstance(value, list) else value))
            except (ValueError, IndexError):
                break
    return 1.0


class ShortWaits(AsyncRetryHandler):
    """Waits as long as Slack asks, if that is not long, and calls again."""

    def __init__(self) -> None:
        super().__init__(max_retry_count=2)

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or response.status_code != 429:
            return False
        return retry_after(response.headers) <= PATIENCE_SECONDS

    async def prepare_for_next_attempt_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        if response is not None:
            await asyncio.sleep(retry_after(response.headers))
        state.increment_current_attempt()


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine itself: only there plain http will do."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def quiet_logger() -> logging.Logger:
    """A logger for the SDK that says nothing: its lines hold texts, addresses and payloads."""
    logger = logging.getLogger("threadsight.slack.sdk")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
