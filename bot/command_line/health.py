"""A port where there need be none: hosts that start a `web` process give up on it when it opens none."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from adapters import health

EVERYWHERE = "0.0.0.0"  # noqa: S104  # A host's router comes from outside.

GRACE_SECONDS = 1.0

log = logging.getLogger("threadsight.health")


@asynccontextmanager
async def healthy_on(
    port: int | None, database_answers: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Answers on this port, if any, that all is well, and nothing else; where the port is taken, goes on without."""
    app = web.Application()
    app.router.add_get(health.PATH, health.Health(lambda: True, database_answers).answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    try:
        if port is not None:
            await serve_on(port, runner)
        yield
    finally:
        await runner.cleanup()


async def serve_on(port: int, runner: web.AppRunner) -> None:
    try:
        await web.TCPSite(runner, EVERYWHERE, port).start()
        log.info("listening on port %s for %s alone", port, health.PATH)
    except OSError as error:
        log.warning("port %s of PORT is not free: %s", port, type(error).__name__)
