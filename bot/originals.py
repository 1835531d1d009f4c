"""A posted file → what the model gets of it: downloaded and prepared once, whoever asks and however many at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bot.domain import Attachment, Detail, Image, Message
from bot.errors import Outage, PictureUnseen, TransientError
from bot.images import Darkroom
from bot.ports import Adapter, Store
from bot.tokens import Rule

BYTES_AT_ONCE = 100_000_000  # of originals, in memory, in this process
USUAL_BYTES = 5_000_000  # of a file whose platform does not tell its size
LARGE_BYTES = 300_000  # a file of so many is likely to need a process


Use = tuple[Rule, Detail]
"""What a model sees of a picture."""
Name = tuple[str, ...]
"""Platform, workspace, file and form."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Made:
    """What was made of a file."""

    source: str
    """The name of the file and of the way it is prepared here."""
    images: tuple[Image, ...]
    """Its parts; none where this workspace keeps them already."""


class Lost(PictureUnseen):
    """The platform does not give the original, and never will."""


class Originals:
    """Fetches files from their platforms and prepares them."""

    def __init__(self, store: Store, adapters: Mapping[str, Adapter], darkroom: Darkroom) -> None:
        self.store = store
        self.adapters = adapters
        self.darkroom = darkroom
        self.desk = Scales(BYTES_AT_ONCE)
        self.preparing: dict[Name, asyncio.Task[Made]] = {}
        self.fresh: WeakValueDictionary[Name, Made] = WeakValueDictionary()
        """What somebody holds who is about to keep it."""

    async def made(self, message: Message, attachment: Attachment, use: Awaitable[Use]) -> Made:
        """The file as the model can use it, prepared once in a workspace; raises Lost where it is gone.

        It is fetched also while nobody knows yet what its use is.
        """
        place = message.thread
        async with self.desk.room_for(attachment.size or USUAL_BYTES):
            if (attachment.size or USUAL_BYTES) >= LARGE_BYTES:
                self.darkroom.warm()
            try:
                data = await self.adapters[place.platform].fetch(message, attachment)
            except PictureUnseen as error:
                raise Lost(error.sentence) from error
            except Outage as error:
                # One broken file is no outage for everybody: it counts.
                raise TransientError(error.sentence, retry_after=error.retry_after) from error
            source = await self.darkroom.source(data)
            rule, detail = await use
            form = rule.form(detail)
            name = (place.platform, place.workspace, source, form)
            if not self.under_way(name) and await self.store.knows(place, source, form):
                return Made(source, ())
            return await self.once(name, lambda: self.prepared(data, rule, detail, source))

    async def prepared(self, data: bytes, rule: Rule, detail: Detail, source: str) -> Made:
        return Made(source, await self.darkroom.prepare(data, rule, detail, source))

    def under_way(self, name: Name) -> bool:
        """Whether it is being prepared, or was just now, and whoever began has not kept it yet."""
        return name in self.preparing or name in self.fresh

    async def once(self, name: Name, prepare: Callable[[], Awaitable[Made]]) -> Made:
        """What is prepared under this name, by whoever came first."""
        if made := self.fresh.get(name):
            return made

        async def work() -> Made:
            try:
                made = self.fresh[name] = await prepare()
                return made
            finally:
                del self.preparing[name]

        if name not in self.preparing:
            task = self.preparing[name] = asyncio.create_task(work())
            # Somebody hears of its fault, or nobody wants to any more.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Who came first may be called off; the others still wait.
        return await asyncio.shield(self.preparing[name])


class Scales:
    """Bounds how many bytes are held at once; whoever came first goes first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room_for(self, size: int) -> AsyncIterator[None]:
        """Waits until so many bytes fit, or nothing else is held."""
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append((size, turn))
        try:
            self.let_in()
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self.held -= size
            self.let_in()

    def let_in(self) -> None:
        """Lets in those who come first and fit; who gave up waiting is passed over."""
        while self.waiting:
            size, turn = self.waiting[0]
            if not turn.done():
                if self.held and self.held + size > self.most:
                    return
                self.held += size
                turn.set_result(None)
            self.waiting.popleft()
