"""Looks at pictures and reads them in one thread, and remembers for a while what it saw."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from bot.offline import pixels
from bot.offline.pixels import Look
from bot.offline.reader import Reader

T = TypeVar("T")

REMEMBERED = 256
REMEMBERED_SECONDS = 600
"""A follow-up sends the earlier pictures again, and reading one takes a second or more."""


class Eyes:
    """One thread that decodes and reads, so that a crowd of pictures never takes every core."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="offline-eyes")
        self._looks = Memory[Look](clock)
        self._lines = Memory[tuple[str, ...]](clock)

    async def ready(self) -> None:
        """Loads the reader; raises SetupError."""
        await self._run(self._reader.load)

    async def look(self, data: bytes) -> Look:
        """Size, colours and light; raises Unreadable."""
        return await self._run(lambda: self._looks.recall(data, pixels.look))

    async def read(self, data: bytes) -> tuple[str, ...]:
        """The lines of text in the picture."""
        return await self._run(lambda: self._lines.recall(data, self._lines_of))

    def close(self) -> None:
        """Lets the picture at hand be finished, and no other be begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _lines_of(self, data: bytes) -> tuple[str, ...]:
        image, _ = pixels.decode(data)
        return self._reader.lines(image)

    async def _run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)


class Memory(Generic[T]):
    """What was made of some bytes, under their hash; the bytes themselves are not kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def recall(self, data: bytes, make: Callable[[bytes], T]) -> T:
        """What was made of these bytes before, or is now."""
        self._forget()
        key = hashlib.sha256(data).digest()
        known = self._known.get(key)
        value = known[1] if known else make(data)
        if known is None:
            self._known[key] = (self._clock() + REMEMBERED_SECONDS, value)
        return value

    def _forget(self) -> None:
        now = self._clock()
        while self._known:
            oldest, (until, _) = next(iter(self._known.items()))
            if until > now and len(self._known) < REMEMBERED:
                return
            del self._known[oldest]
