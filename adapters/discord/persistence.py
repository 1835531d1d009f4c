"""Trying until it succeeds: Discord tells of a message once, so it is ours to keep until it is stored."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.errors import SetupError, TransientError

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
MOST_FAULTS = 5

T = TypeVar("T")

log = logging.getLogger("threadsight.discord")


async def persist(act: Callable[[], Awaitable[T]]) -> T | None:
    """What an act gives once it succeeds; None for one that fails again and again by a fault of ours."""
    pause, faults = FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return await act()
        except TransientError as error:
            log.warning("not stored yet: %s", type(error).__name__)
            pause = max(pause, min(error.retry_after or 0, LONGEST_PAUSE_SECONDS))
        except SetupError:
            raise
        except Exception as error:
            # It may have met us at a bad moment, but it may not go on for ever.
            faults += 1
            log.error("not stored: %s", type(error).__name__)
            if faults == MOST_FAULTS:
                return None
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
