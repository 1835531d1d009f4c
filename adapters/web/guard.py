"""Who may speak to the page: this machine's browser, from the page itself, and nobody through another site."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from adapters.web.memory import Gone
from adapters.web.uploads import TooLarge
from bot.errors import Outage, ThreadsightError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SAFE = ("GET", "HEAD")

WRONG_HOST = "This page answers only under its own address, {address}"
WRONG_ORIGIN = "Another page may not write here."
TOO_LARGE = "This request is too large; shorten the message."
BROKEN = "Something broke in the page's server; please try again."
log = logging.getLogger("threadsight.web")


class Guard:
    """Checks each request and says in one sentence what is wrong with it."""

    def __init__(self, port: int) -> None:
        self.port = port
        names = ("127.0.0.1", "localhost", "[::1]")
        self.hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())

    async def protect(self, request: web.Request, response: web.StreamResponse) -> None:
        """The headers of every answer, errors and streams included."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")

    async def check(self, request: web.Request) -> None:
        """Raises Forbidden for what does not come from the page."""
        # Else a site that points its own name at this machine could read the channel.
        if request.host.lower() not in self.hosts:
            raise Forbidden(WRONG_HOST.format(address=f"http://127.0.0.1:{self.port}/"))
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in ("same-origin", "none") and request.path.startswith("/api/"):
            raise Forbidden(WRONG_ORIGIN)
        if request.method in SAFE:
            return
        origin = request.headers.get("Origin", "").lower()
        if origin != f"http://{request.host.lower()}":
            raise Forbidden(WRONG_ORIGIN)


class Forbidden(Exception):
    """A request that is not answered; its text says why."""


def middleware(guard: Guard) -> Middleware:
    """Checks first, and turns whatever is raised into a sentence."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            await guard.check(request)
            return await handler(request)
        except Forbidden as error:
            return sentence(403, str(error))
        except TooLarge as error:
            return sentence(413, error.sentence)
        except Gone as error:
            return sentence(410, error.sentence)
        except Outage as error:
            return sentence(503, error.sentence)
        except ThreadsightError as error:
            return sentence(422, error.sentence)
        except web.HTTPRequestEntityTooLarge:
            return sentence(413, TOO_LARGE)
        except web.HTTPException as error:
            return sentence(error.status, f"{error.reason}.")
        except ConnectionError:
            raise
        except Exception as error:
            # A fault of ours: the person hears of it, and only the log can tell where it is.
            log.error("a request broke: %s in %s", type(error).__name__, request.path)
            return sentence(500, BROKEN)

    return guarded


def sentence(status: int, text: str) -> web.Response:
    """What went wrong, as the page shows it."""
    return web.json_response({"error": text}, status=status)
