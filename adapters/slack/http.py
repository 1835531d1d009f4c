"""The bot's own address: Slack's requests come in, each answered once it is stored; and whether all is well."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.response import BoltResponse

from adapters import health
from adapters.slack.api import Json
from adapters.slack.envelopes import SSL_CHECK, Malformed, Signature, is_check, opened, signed
from adapters.slack.events import text
from adapters.slack.oauth import OAuth
from adapters.slack.reception import Receive
from bot.errors import SetupError, ThreadsightError

EVENTS_PATH = "/slack/events"
MAX_BODY_BYTES = (
    2 * 2**20
)  # a message of 40,000 characters in a form, and its blocks, several times
MAX_CHECK_BYTES = 2_000
BODY_SECONDS = 10.0  # for a request to come whole; Slack itself waits three for the answer
STORE_SECONDS = 10.0
IDLE_SECONDS = 75.0
LINGER_SECONDS = 1.0  # for whoever still sends what was refused
GRACE_SECONDS = 5.0

UNSIGNED = "This request does not carry Slack's signature."
UNREADABLE = "This request cannot be read."
SLOW = "This request did not come whole."
UNSTORED = "This is not stored yet; send it again."
BROKEN = "Something broke here; send it again."

log = logging.getLogger("threadsight.slack")


class Address:
    """One port for everything that comes by HTTP."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        signing_secret: str | None = None,
        oauth: OAuth | None = None,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.host = host
        self.port = port
        self.signature = None if signing_secret is None else Signature(signing_secret)
        """None where Slack's requests come by Socket Mode."""
        self.oauth = oauth
        self.body_seconds = body_seconds
        self.ready = False
        """Set once the bot knows who it is: before, nothing that comes can be stored."""

    @property
    def paths(self) -> tuple[str, ...]:
        """What is answered."""
        found = [health.PATH]
        if self.signature is not None:
            found.append(EVENTS_PATH)
        if self.oauth is not None:
            found += [self.oauth.install_path, self.oauth.redirect_path]
        return tuple(found)

    @asynccontextmanager
    async def open(
        self, receive: Receive, database_answers: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[None]:
        """Serves as long as this lasts; then takes nothing more in and finishes what is under way."""
        desk = Requests(self, receive, database_answers)
        runner = web.AppRunner(
            desk.app(),
            access_log=None,
            # The signature is of the bytes as they came, and what is packed may unpack to anything.
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            shutdown_timeout=GRACE_SECONDS,
        )
        await runner.setup()
        try:
            await self.bind(runner)
            yield
        finally:
            self.ready = False
            await runner.cleanup()

    async def bind(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            raise SetupError(
                f"The bot cannot listen on port {self.port}: set PORT to one that is free."
            ) from error
        self.port = runner.addresses[0][1]
        log.info("listening on port %s", self.port)


class Requests:
    """Answers what comes to the address."""

    def __init__(
        self,
        address: Address,
        receive: Receive,
        database_answers: Callable[[], Awaitable[object]],
    ) -> None:
        self.address = address
        self.receive = receive
        self.health = health.Health(lambda: address.ready, database_answers)

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get(health.PATH, self.health.answer)
        if self.address.signature is not None:
            app.router.add_get(EVENTS_PATH, self.checked)
            app.router.add_post(EVENTS_PATH, self.events)
        if self.address.oauth is not None:
            app.router.add_get(self.address.oauth.install_path, self.address.oauth.install)
            app.router.add_get(self.address.oauth.redirect_path, self.address.oauth.redirect)
        return app

    async def checked(self, request: web.Request) -> web.Response:
        """Slack tries the certificate of a slash command's address now and then."""
        return web.Response(status=200 if request.query.get(SSL_CHECK) == "1" else 404)

    async def events(self, request: web.Request) -> web.Response:
        """Events, commands, shortcuts, buttons and forms: 200 means stored."""
        kind = request.content_type
        if not signed(request.headers)[0] and not small(request):
            return web.Response(status=401, text=UNSIGNED)
        try:
            async with asyncio.timeout(self.address.body_seconds):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408, text=SLOW, headers={"Connection": "close"})
        if is_check(kind, body):
            return web.Response()
        assert self.address.signature is not None
        if not self.address.signature.holds(request.headers, body):
            return web.Response(status=401, text=UNSIGNED)
        try:
            payload = opened(kind, body)
        except Malformed:
            return web.Response(status=400, text=UNREADABLE)
        if text(payload, "type") == "url_verification":
            return web.json_response({"challenge": text(payload, "challenge")})
        return await self.answer(payload)

    async def answer(self, payload: Json) -> web.Response:
        """Takes a payload in; Slack sends an event again unless the status is 200."""
        if not self.address.ready:
            return web.Response(status=503, text=UNSTORED)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return told(await self.receive(payload))
        except (ThreadsightError, TimeoutError) as error:
            log.warning("a request is not stored: %s", type(error).__name__)
            return web.Response(status=503, text=UNSTORED)
        except Exception as error:
            log.error("a request broke: %s", type(error).__name__)
            return web.Response(status=500, text=BROKEN)


def small(request: web.Request) -> bool:
    """Whether a request without a signature may be a check of our certificate, which is short."""
    return (request.content_length or MAX_BODY_BYTES) <= MAX_CHECK_BYTES


def told(response: BoltResponse) -> web.Response:
    """An answer of the listeners as one of the web."""
    headers = {"Content-Type": next(iter(response.headers["content-type"]))}
    return web.Response(status=response.status, body=response.body.encode(), headers=headers)
