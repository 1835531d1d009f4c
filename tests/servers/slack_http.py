"""How a small Slack delivers over HTTP: signed, within three seconds, events again when they are refused."""

import asyncio
import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp

if TYPE_CHECKING:
    from tests.servers.slack_workspace import Delivery

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
RETRIES = 3
SECONDS = 3.0


class HttpDelivery(ABC):
    """Delivers to the address that the app's page names, where it names one."""

    def __init__(self) -> None:
        self.request_url = ""
        """Where events, commands and interactions go; empty for Socket Mode."""
        self.signing_secret = SIGNING_SECRET
        self.retry_seconds = (0.0, 60.0, 300.0)
        self.retrying = asyncio.Event()
        """Nothing is sent again while it is clear."""
        self.retrying.set()
        self.patience_seconds = SECONDS
        self.failures: list[str] = []
        """Why deliveries were not taken, by Slack's words for it."""
        self._session: aiohttp.ClientSession | None = None

    async def deliver_by_http(self, delivery: "Delivery") -> None:
        """Sends, and again when the answer is late or is no 2xx; commands and buttons are sent once."""
        kind, body = written(delivery)
        tries = RETRIES if delivery.kind == "events_api" else 0
        headers: dict[str, str] = {}
        for number in range(tries + 1):
            delivery.sent += 1
            delivery.sent_at = delivery.sent_at or time.monotonic()
            reason = await self.request(delivery, body, {"Content-Type": kind, **headers})
            if not reason:
                delivery.acked_at = time.monotonic()
                delivery.done.set()
                self.moved()
                return
            self.failures.append(reason)
            self.moved()
            if reason == "no_retry" or number == tries:
                return
            await asyncio.sleep(self.retry_seconds[number])
            await self.retrying.wait()
            headers = {"X-Slack-Retry-Num": str(number + 1), "X-Slack-Retry-Reason": reason}

    async def request(
        self,
        delivery: "Delivery",
        body: bytes,
        headers: Mapping[str, str],
    ) -> str:
        """One request; returns why it failed, or nothing."""
        try:
            async with self.connections().post(
                self.request_url,
                data=body,
                headers={**headers, **signature(self.signing_secret, body)},
                timeout=aiohttp.ClientTimeout(total=self.patience_seconds),
            ) as response:
                answer = await response.read()
                if not 200 <= response.status < 300:
                    stop = response.headers.get("X-Slack-No-Retry") == "1"
                    return "no_retry" if stop else "http_error"
                if response.content_type == "application/json" and answer:
                    delivery.answer = json.loads(answer)
                return ""
        except TimeoutError:
            return "http_timeout"
        except aiohttp.ClientError:
            return "connection_failed"

    def connections(self) -> aiohttp.ClientSession:
        """Connections that are used again, as Slack does."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    async def hang_up_all(self) -> None:
        """Closes them."""
        if self._session is not None:
            await self._session.close()

    @abstractmethod
    def moved(self) -> None:
        """Something happened."""


def written(delivery: "Delivery") -> tuple[str, bytes]:
    """An event as JSON, a command as a form, an interaction as JSON in a form."""
    if delivery.kind == "events_api":
        return "application/json", json.dumps(delivery.payload).encode()
    fields = delivery.payload
    if delivery.kind == "interactive":
        fields = {"payload": json.dumps(delivery.payload)}
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def signature(secret: str, body: bytes, timestamp: str | None = None) -> dict[str, str]:
    """The headers by which the app knows Slack."""
    timestamp = timestamp or str(int(time.time()))
    base = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
