"""A draft in a workspace that has to be looked up first, since this process has not heard of it yet."""

import logging
from collections.abc import Awaitable, Callable

from bot.domain import PostId, Reply
from bot.errors import ThreadsightError
from bot.ports import Draft

log = logging.getLogger("threadsight.slack")


class LaterDraft:
    """Becomes the real draft at its first use."""

    def __init__(self, find: Callable[[], Awaitable[Draft]]) -> None:
        self.find = find
        self.found: Draft | None = None

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Shows the answer so far, once the workspace is known; never raises."""
        draft = await self.quietly()
        return await draft.show(text) if draft else ()

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply; raises SetupError where the app is not installed any more."""
        return await (await self.draft()).finish(reply)

    async def leave(self) -> None:
        """Stops showing; what was never shown needs no end."""
        if self.found is not None:
            await self.found.leave()

    async def withdraw(self) -> None:
        """Takes back what was shown, by this process or one before it; never raises."""
        draft = await self.quietly()
        if draft:
            await draft.withdraw()

    async def draft(self) -> Draft:
        if self.found is None:
            self.found = await self.find()
        return self.found

    async def quietly(self) -> Draft | None:
        try:
            return await self.draft()
        except ThreadsightError as error:
            log.info("nothing is shown as it grows: %s", type(error).__name__)
            return None
