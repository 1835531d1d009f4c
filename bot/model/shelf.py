"""Pictures that were just sent, kept at hand for a follow-up within the minute."""

import asyncio
import mmap
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain import ImageKey

# Deletion promises that bytes are gone from every process within a minute.
KEEP_SECONDS = 50.0
# Ten pictures as large as a model takes, and little beside what fifty waiting questions hold.
MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture at hand, until a moment by the event loop's clock.

    Its memory is the system's own and goes back there: on the heap, long-lived pictures between
    short-lived ones would hold several times their size.
    """

    memory: mmap.mmap
    until: float


class Shelf:
    """Loads pictures, the ones used last from memory; bounded in bytes and in time."""

    def __init__(
        self,
        load: Callable[[ImageKey], Awaitable[bytes]],
        *,
        keep_seconds: float = KEEP_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._load = load
        self._keep_seconds = keep_seconds
        self._max_bytes = max_bytes
        self._kept: OrderedDict[ImageKey, Kept] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self.held_bytes = 0

    async def load(self, key: ImageKey) -> bytes | memoryview:
        """The picture's bytes; raises what the store raises."""
        if kept := self._kept.get(key):
            # Its time is not prolonged: use must not outwit deletion.
            self._kept.move_to_end(key)
            return memoryview(kept.memory)
        data = await self._load(key)
        self._keep(key, data)
        return data

    def clear(self) -> None:
        """Lets go of everything."""
        for key in list(self._kept):
            self._drop(key)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keep(self, key: ImageKey, data: bytes) -> None:
        self._drop(key)
        if not 0 < len(data) <= self._max_bytes:
            return
        while self.held_bytes + len(data) > self._max_bytes:
            self._drop(next(iter(self._kept)))
        memory = mmap.mmap(-1, len(data))
        memory.write(data)
        until = asyncio.get_running_loop().time() + self._keep_seconds
        self._kept[key] = Kept(memory, until)
        self.held_bytes += len(data)
        self._wake_later()

    def _drop(self, key: ImageKey) -> None:
        if kept := self._kept.pop(key, None):
            # Not closed: whoever sends it now may finish; with the last one the memory goes.
            self.held_bytes -= len(kept.memory)

    def _wake_later(self) -> None:
        """Sees to it that what is old goes also when nobody asks again."""
        if self._timer is None and self._kept:
            first = min(kept.until for kept in self._kept.values())
            self._timer = asyncio.get_running_loop().call_at(first, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for key in [key for key, kept in self._kept.items() if kept.until <= now]:
            self._drop(key)
        self._wake_later()
