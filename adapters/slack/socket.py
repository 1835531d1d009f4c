"""Socket Mode: Slack's envelopes over a web socket that this process opens."""

import asyncio
import logging
import time
from contextlib import suppress

from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from adapters.slack.api import Api
from adapters.slack.events import table
from adapters.slack.probe import connection
from adapters.slack.reception import Receive
from bot.errors import SetupError, ThreadsightError, TransientError

PING_SECONDS = 5.0  # A connection is given up after four pings without an answer.
PINGS_TO_CONNECT = 3  # then an address is given up for a fresh one
CLOSE_SECONDS = 2.0
WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 30.0

log = logging.getLogger("threadsight.slack")


class Socket(SocketModeClient):
    """The SDK's client, which ends when the app token will never do and is told apart from an outage."""

    def __init__(
        self, api: Api, receive: Receive, app_token: str, ping_seconds: float = PING_SECONDS
    ) -> None:
        super().__init__(
            app_token=app_token,
            logger=api.logger,
            web_client=api.sure,
            ping_interval=ping_seconds,
        )
        if api.local:
            self.proxy = None  # The SDK reads the environment's proxy, but not its exceptions.
        self.api = api
        self.receive = receive
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.socket_mode_request_listeners.append(self.handle)

    async def run(self) -> None:
        """Hands in what Slack sends until cancelled; raises SetupError when Slack refuses the app."""
        try:
            await self.connect()
            await self.refused
        finally:
            await self.shut()

    async def handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Acknowledges an envelope once it is taken in; Slack sends again what is not acknowledged."""
        started = time.time()
        try:
            response = await self.receive(table(request.payload))
        except ThreadsightError as error:
            log.warning("an envelope is not acknowledged: %s", type(error).__name__)
        except Exception as error:
            log.error("an envelope broke: %s", type(error).__name__)
        else:
            await send_async_response(client, request, response, started)

    async def connect(self) -> None:
        """Connects; the SDK alone would try an address that Slack gave for one use again and again."""
        while not self.closed:
            # However long Slack lets us wait for an address: only opening it has a deadline.
            self.wss_uri = self.wss_uri or await self.issue_new_wss_url()
            try:
                async with asyncio.timeout(self.ping_interval * PINGS_TO_CONNECT):
                    await super().connect()  # type: ignore[no-untyped-call]
                return
            except TimeoutError:
                log.warning("Slack's socket does not open; asking for a new address")
                self.wss_uri = None

    async def issue_new_wss_url(self) -> str:
        """A fresh address, which Slack gives for one use; waits out an outage of Slack."""
        wait = WAIT_SECONDS
        while True:
            try:
                return await connection(self.api, self.app_token)
            except SetupError as error:
                self.closed = True
                if not self.refused.done():
                    self.refused.set_exception(error)
                raise
            except TransientError as error:
                wait = max(wait, error.retry_after or 0.0)
                log.warning("no connection: %s", error.sentence)
            await asyncio.sleep(wait)
            wait = min(wait * 2, MAX_WAIT_SECONDS)

    async def shut(self) -> None:
        """Closes the connection and the tasks of the SDK's client."""
        tasks = (self.message_processor, self.current_session_monitor, self.message_receiver)
        with suppress(TimeoutError, ThreadsightError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close()  # type: ignore[no-untyped-call]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        await self.aiohttp_client_session.close()
