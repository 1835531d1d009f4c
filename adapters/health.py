"""Whether all is well, for a host that asks by HTTP."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.errors import ThreadsightError

PATH = "/healthz"
PATIENCE_SECONDS = 3.0
HOLDS_SECONDS = 1.0  # however often somebody asks, the database is asked no oftener

log = logging.getLogger("threadsight.health")


class Health:
    """200 while the bot listens and its database answers."""

    def __init__(
        self, listens: Callable[[], bool], database_answers: Callable[[], Awaitable[object]]
    ) -> None:
        self.listens = listens
        self.database_answers = database_answers
        self.known = 0.0, False
        """Until when an answer of the database holds, and which."""

    async def answer(self, request: web.Request) -> web.Response:
        """What whoever asks is told."""
        if not self.listens():
            return web.Response(status=503, text="starting")
        if not await self.database_well():
            return web.Response(status=503, text="the database does not answer")
        return web.Response(text="ok")

    async def database_well(self) -> bool:
        until, well = self.known
        if time.monotonic() < until:
            return well
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.database_answers()
            well = True
        except (ThreadsightError, TimeoutError) as error:
            log.warning("the database does not answer: %s", type(error).__name__)
            well = False
        self.known = time.monotonic() + HOLDS_SECONDS, well
        return well
