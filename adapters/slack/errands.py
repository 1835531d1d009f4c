"""What is done after the acknowledgement: nobody waits for it, each fails alone, and a stop lets it end."""

import asyncio
import logging
from collections.abc import Coroutine

from bot.errors import ThreadsightError

log = logging.getLogger("threadsight.slack")


class Errands:
    """Owns the tasks that outlive the request they came from."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Does something beside everything else."""
        task = asyncio.create_task(guarded(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def end(self, seconds: float) -> None:
        """Gives what is under way so long to end by itself, then ends it."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds)
        left = list(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def guarded(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except ThreadsightError as error:
        log.warning("something was not done: %s", type(error).__name__)
    except Exception as error:
        log.error("something broke: %s", type(error).__name__)
