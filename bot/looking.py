"""A thread's pictures, fetched, prepared and kept: each once, and each fails alone."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import structlog

from bot import history, images, tokens
from bot.domain import Ask, Claim, Image, Picture
from bot.errors import Outage, PermanentError, PictureUnseen, TransientError, first
from bot.history import Fitted
from bot.ports import Adapter, Store

# Failures after which a file that cannot be fetched is given up, and the rest answered.
PATIENCE = 1
FILES_AT_ONCE = 4  # in memory, whole, in this process
DECODERS = 2  # threads that decode; more would take memory and no less time
BROKE = "I broke down over this file; post it again as a PNG or JPEG"
GONE = "the original is gone, so this smaller form is what I have"


log = structlog.get_logger("threadsight.looking")


class Eyes:
    """Sees to it that every picture of a thread is kept in the form that the model can use."""

    def __init__(
        self, store: Store, adapters: Mapping[str, Adapter], *, max_file_bytes: int
    ) -> None:
        self.store = store
        self.adapters = adapters
        self.max_file_bytes = max_file_bytes
        self.files = asyncio.Semaphore(FILES_AT_ONCE)
        self.decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="eyes")

    async def look(self, claim: Claim, ask: Ask) -> set[int]:
        """Fetches, prepares and keeps every picture that is not kept yet, several at once.

        Returns the numbers of those that should be larger now, and whose originals are gone.
        """
        gone: set[int] = set()
        pictures = await self.store.pictures(claim)
        try:
            async with asyncio.TaskGroup() as group:
                for picture in pictures:
                    if picture.pending:
                        group.create_task(self.look_at(claim, picture, ask))
                    elif too_small(picture, ask):
                        group.create_task(self.look_again(claim, picture, ask, gone))
        except ExceptionGroup as errors:
            raise first(errors) from errors
        return gone

    async def missing(self, fitted: Fitted) -> list[int]:
        """The pictures whose bytes are no longer there as they were stored."""
        numbers = []
        for picture in (p for turn in fitted.turns for p in turn.pictures if p.visible):
            if picture.image is not None:
                try:
                    await self.store.load(picture.image.key)
                except PictureUnseen:
                    numbers.append(picture.number)
        return numbers

    async def turn_away(self, claim: Claim) -> list[Picture]:
        """Leaves out, unseen, what was never looked at to the end: it may have ended the process."""
        feared = [each for each in await self.store.pictures(claim) if each.pending]
        await self.leave_out(claim, [each.number for each in feared], BROKE)
        return [replace(each, receipt=f"not seen: {BROKE}") for each in feared]

    async def leave_out(self, claim: Claim, numbers: Iterable[int], why: str) -> None:
        """Notes pictures that the model does not get."""
        for number in numbers:
            await self.store.note(claim, number, f"not seen: {why}")

    async def look_at(self, claim: Claim, picture: Picture, ask: Ask) -> None:
        """Keeps one new picture; one that cannot be seen fails alone."""
        if picture.attachment.linked:
            await self.store.note(claim, picture.number, "linked")
            return
        try:
            image = await self.prepared(picture, ask)
        except PictureUnseen as error:
            await self.leave_out(claim, [picture.number], error.sentence)
        except PermanentError:
            raise
        except Exception as error:
            # Not to be had just now, or a fault of ours: tried again, but not at the others' cost.
            if claim.failures >= PATIENCE:
                why = error.sentence if isinstance(error, TransientError) else BROKE
                await self.leave_out(claim, [picture.number], why)
            elif isinstance(error, Outage):
                # One broken file is no outage for everybody: it counts.
                raise TransientError(error.sentence, retry_after=error.retry_after) from error
            else:
                raise
        else:
            await self.store.keep(claim, picture.number, image)

    async def look_again(self, claim: Claim, picture: Picture, ask: Ask, gone: set[int]) -> None:
        """Makes a larger form of a kept picture from its original, while its platform still has it."""
        try:
            image = await self.prepared(picture, ask)
        except PictureUnseen:
            await self.store.note(claim, picture.number, f"{picture.receipt}; {GONE}")
            gone.add(picture.number)
        except Exception as error:
            # Whatever ails the original: what is kept already serves, so the answer goes on
            # without it, and the next question tries again.
            log.warning("not larger", number=picture.number, reason=type(error).__name__)
        else:
            await self.store.keep(claim, picture.number, image)

    async def prepared(self, picture: Picture, ask: Ask) -> Image:
        """The picture in the form that the model's rule wants; decoded in a thread."""
        adapter = self.adapters[picture.message.thread.platform]
        async with self.files:
            data = await adapter.fetch(picture.message, picture.attachment)
            detail = history.detail_of(picture, ask)
            prepare = partial(images.prepare, max_bytes=self.max_file_bytes)
            running = asyncio.get_running_loop()
            return await running.run_in_executor(self.decoders, prepare, data, ask.model, detail)


def too_small(picture: Picture, ask: Ask) -> bool:
    """Whether the kept form is smaller than this model and detail could see."""
    if picture.image is None or not picture.visible or GONE in picture.receipt:
        return False
    if picture.width is None or picture.height is None:
        return False
    detail = history.detail_of(picture, ask)
    rule = tokens.rule(ask.model)
    width, height = rule.target(picture.width, picture.height, detail)
    # Preparing may stop at a size a little under the target, where the decoder has one for nothing.
    return picture.image.width < width * 0.97 or picture.image.height < height * 0.97
