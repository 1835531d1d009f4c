"""What the files of an estimate come to: by what their platform tells, or by their own bytes where that may be more."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from bot import images, tokens
from bot.commands.estimating import UNSIZED, Sized
from bot.domain import Attachment, Detail, Message
from bot.errors import PictureUnseen, ThreadsightError
from bot.images import Darkroom
from bot.ports import Adapter

MOST_READ = 10
"""Files of one estimate that are read: as many as a form takes."""
FETCH_SECONDS = 6.0
"""For one file; people wait for a card."""
READ_SECONDS = 10.0
"""For all of them; what is not read by then counts as its platform tells it."""
KINDS = frozenset(
    (
        "application/pdf",
        *(f"image/{kind}" for kind in ("apng", "avif", "gif", "png", "tiff", "webp")),
    )
)
NAMES = (".apng", ".avif", ".gif", ".pdf", ".png", ".tif", ".tiff", ".webp")
"""Of files that may move or have pages: they come to several pictures, or to one of another size."""

# What a drawing is made of: no more than it can show, whatever the estimate is for.
DRAWN_MODEL = "gpt-4o"
DRAWN_DETAIL: Detail = "high"


class Files:
    """The files of one estimate; what is read of them is held until it is drawn, and never stored."""

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        darkroom: Darkroom,
        max_bytes: int,
        readers: asyncio.Semaphore,
        held: AsyncExitStack,
    ) -> None:
        """`readers` bounds how many estimates hold files at once; a place in it is `held` as long as they are."""
        self.adapters = adapters
        self.darkroom = darkroom
        self.max_bytes = max_bytes
        self.readers = readers
        self.held = held
        self.read: dict[str, bytes] = {}
        """By attachment; nothing for one that could not be had."""
        self.until = asyncio.get_running_loop().time() + READ_SECONDS

    async def look(self, message: Message, attachment: Attachment) -> list[Sized]:
        """The pictures of a file, by its own bytes where they may tell more than its platform does."""
        told = Sized.of(attachment, max_bytes=self.max_bytes, cut=self.darkroom.options.split_tall)
        unsized = told.error == UNSIZED and not attachment.linked
        more = not told.error and may_be_more(attachment)
        if not (self.has_room_for(attachment) and (unsized or more)):
            return [told]
        try:
            async with asyncio.timeout_at(self.until):
                if not self.read:
                    await self.held.enter_async_context(self.readers)
                self.read[attachment.id] = b""
                self.read[attachment.id] = data = await self.fetch(message, attachment)
                return await parts_of(attachment.name, data, self.darkroom)
        except PictureUnseen as error:
            return [Sized(attachment.name, error=error.sentence)]
        except (ThreadsightError, TimeoutError):
            return [told]

    def has_room_for(self, attachment: Attachment) -> bool:
        """Whether all files together would still be hardly more than one may be."""
        size = sum(map(len, self.read.values())) + max(1, attachment.size or 0)
        return len(self.read) < MOST_READ and size <= self.max_bytes

    async def shown(
        self, message: Message, attachment: Attachment, *, cut: bool
    ) -> tuple[bytes, bytes]:
        """A picture, and its first part where it is cut, in forms that we made ourselves, small enough to draw."""
        data = self.read.get(attachment.id) or await self.fetch(message, attachment)
        rule = tokens.rule(DRAWN_MODEL)
        part = (await self.darkroom.prepare(data, rule, DRAWN_DETAIL))[0].data
        # Low detail leaves it whole.
        whole = (await self.darkroom.prepare(data, rule, "low"))[0].data if cut else part
        return whole, part

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """A file from its platform."""
        adapter = self.adapters[message.thread.platform]
        async with asyncio.timeout(FETCH_SECONDS):
            return await adapter.fetch(message, attachment)


def may_be_more(attachment: Attachment) -> bool:
    return attachment.media_type in KINDS or attachment.name.lower().endswith(NAMES)


async def parts_of(name: str, data: bytes, darkroom: Darkroom) -> list[Sized]:
    """All that a file comes to: a picture, a document's pages, an animation's storyboard; raises PictureUnseen."""
    most, options = darkroom.max_bytes, darkroom.options
    found = await asyncio.to_thread(images.outlined, data, options, max_bytes=most)
    if found is None:
        # As small as can be: each page tells its own size.
        found = images.of_pages(await darkroom.prepare(data, tokens.rule(DRAWN_MODEL), "low"))
    return [
        Sized(", ".join(filter(None, (name, words))), *size, cut=found.cut)
        for size, words in zip(found.sizes, found.names, strict=True)
    ]
