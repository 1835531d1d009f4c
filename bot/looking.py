"""A thread's pictures, fetched, prepared and kept: each once, and each fails alone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from bot import history, tokens
from bot.domain import Ask, Claim, Image, Picture, StoredImage
from bot.errors import (
    Outage,
    PermanentError,
    PictureUnseen,
    Superseded,
    TransientError,
    first,
)
from bot.history import Fitted
from bot.images import Darkroom
from bot.originals import Lost, Made, Originals, Use
from bot.ports import Adapter, Store
from bot.tokens import Rule

# Failures after which a file that cannot be fetched is given up, and the rest answered.
PATIENCE = 1
# Preparing may stop at a size a little under the target, where the decoder has one for nothing.
NEARLY = 0.97
# A kept form with so many times the pixels that the model can use is worth a smaller one.
WASTEFUL = 2
BROKE = "I broke down over this file; post it again as a PNG or JPEG"
GONE = "the original is gone, so this smaller form is what I have"
FROM_KEPT = "made from the form that I kept, since the original is gone"

log = structlog.get_logger("threadsight.looking")


@dataclass(frozen=True, slots=True)
class Begun:
    """A question's own new files on their way, while the rest of its thread is read."""

    use: asyncio.Future[Use]
    tasks: dict[str, asyncio.Task[Made]]
    """By the files' ids; each is taken once."""

    def go_on(self, ask: Ask) -> None:
        """Tells what the pictures are for."""
        self.use.set_result((rule_of(ask), ask.detail))

    def take(self, file: str, use: Use) -> asyncio.Task[Made] | None:
        """What is made of a file, if it is made for this use."""
        return self.tasks.pop(file, None) if self.use.result() == use else None


class Eyes:
    """Sees to it that every picture of a thread is kept in the form that the model can use."""

    def __init__(self, store: Store, adapters: Mapping[str, Adapter], darkroom: Darkroom) -> None:
        self.store = store
        self.darkroom = darkroom
        self.originals = Originals(store, adapters, darkroom)

    @property
    def cuts(self) -> bool:
        """Whether very long pictures are cut into parts."""
        return self.darkroom.options.split_tall

    @asynccontextmanager
    async def begun(self, claim: Claim) -> AsyncIterator[Begun]:
        """Begins with the question's own new files."""
        use: asyncio.Future[Use] = asyncio.get_running_loop().create_future()
        tasks = {
            each.id: asyncio.create_task(self.originals.made(claim.message, each, use))
            for each in claim.unseen
            if not each.linked
        }
        try:
            yield Begun(use, dict(tasks))
        finally:
            for task in tasks.values():
                task.cancel()
            # Also those whose fault nobody came to hear.
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def look(self, claim: Claim, ask: Ask, begun: Begun | None = None) -> set[int]:
        """Fetches, prepares and keeps every picture that is not kept yet, several at once.

        Returns the numbers of those of which there is news: their originals are gone, or will not do.
        """
        news: set[int] = set()
        looks: list[asyncio.Task[Exception | None]] = []
        pictures = await self.store.pictures(claim)
        try:
            async with asyncio.TaskGroup() as group:
                for picture in pictures:
                    if picture.pending:
                        looks.append(group.create_task(self.look_at(claim, picture, ask, begun)))
                    elif fits_badly(picture, ask):
                        group.create_task(self.look_again(claim, picture, ask, news))
        except ExceptionGroup as errors:
            raise first(errors) from errors
        for fault in filter(None, (each.result() for each in looks)):
            raise fault
        return news

    async def missing(self, fitted: Fitted) -> list[int]:
        """The pictures whose bytes are no longer there as they were stored."""
        numbers = []
        for picture in (p for turn in fitted.turns for p in turn.pictures if p.visible):
            try:
                for image in picture.images:
                    await self.store.load(image.key)
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

    async def look_at(
        self, claim: Claim, picture: Picture, ask: Ask, begun: Begun | None
    ) -> Exception | None:
        """Keeps one new picture; one that cannot be seen fails alone.

        Returns why it has to be tried again, once the others are kept.
        """
        if picture.attachment.linked:
            await self.store.note(claim, picture.number, "linked")
            return None
        try:
            made = await self.from_original(claim, picture, ask, begun)
        except PictureUnseen as error:
            await self.leave_out(claim, [picture.number], error.sentence)
        except (PermanentError, Outage, Superseded):
            # No fault of the file's.
            raise
        except Exception as error:
            # Not to be had just now, or a fault of ours: tried again, but not at the others' cost.
            if claim.failures < PATIENCE:
                return error
            why = error.sentence if isinstance(error, TransientError) else BROKE
            await self.leave_out(claim, [picture.number], why)
        else:
            await self.keep(claim, picture, made.images)
        return None

    async def look_again(self, claim: Claim, picture: Picture, ask: Ask, news: set[int]) -> None:
        """Shows a kept picture in the form that holds now: kept before, made anew, or as it is."""
        form = rule_of(ask).form(history.detail_of(picture, ask))
        if any(parts[0].key.form == form for parts in picture.forms):
            await self.store.recall(claim, picture.number, form)
            return
        try:
            images = await self.anew(claim, picture, ask)
        except Lost:
            await self.say(claim, picture, GONE, news)
        except Exception as error:
            # Whatever ails the original: what is kept already serves, so the answer goes on
            # without it, and the next question tries again.
            log.warning("as it was", number=picture.number, reason=type(error).__name__)
        else:
            await self.keep(claim, picture, images)
            if images and FROM_KEPT in images[0].receipt:
                news.add(picture.number)

    async def anew(self, claim: Claim, picture: Picture, ask: Ask) -> tuple[Image, ...]:
        """Another form of a picture: from its original, while its platform has it, else from the largest kept."""
        larger = largest(picture)
        if GONE not in picture.receipt and FROM_KEPT not in picture.receipt:
            try:
                return (await self.from_original(claim, picture, ask)).images
            except Lost:
                if not reaches(larger[0], picture, ask):
                    raise
        return await self.from_kept(picture, larger, ask)

    async def from_original(
        self, claim: Claim, picture: Picture, ask: Ask, begun: Begun | None = None
    ) -> Made:
        """The picture as the model can use it, from the file itself; no images when it is shown already.

        Held until they are kept, it serves whoever else asks about the same file.
        """
        use = rule, detail = rule_of(ask), history.detail_of(picture, ask)
        making = None
        if begun and picture.message.id == claim.message.id:
            making = begun.take(picture.attachment.id, use)
        while True:
            made = await (making or self.make(picture, use))
            form = rule.form(detail)
            if made.images or await self.store.recall(
                claim, picture.number, form, source=made.source
            ):
                return made
            # Whoever posted it before has it forgotten just now.
            making = None

    async def make(self, picture: Picture, use: Use) -> Made:
        known: asyncio.Future[Use] = asyncio.get_running_loop().create_future()
        known.set_result(use)
        return await self.originals.made(picture.message, picture.attachment, known)

    async def from_kept(
        self, picture: Picture, parts: Sequence[StoredImage], ask: Ask
    ) -> tuple[Image, ...]:
        """A smaller form of a picture from its largest kept one."""
        detail = history.detail_of(picture, ask)
        images = []
        for part in parts:
            data = await self.store.load(part.key)
            [image] = await self.darkroom.prepare(data, rule_of(ask), detail)
            images.append(image)
        told = f"{picture.receipt.removesuffix(f'; {FROM_KEPT}')}; {FROM_KEPT}"
        width, height = picture.width or images[0].width, picture.height or images[0].height
        return tuple(
            replace(each, original_width=width, original_height=height, receipt=told, source="")
            for each in images
        )

    async def keep(self, claim: Claim, picture: Picture, images: Sequence[Image]) -> None:
        """Keeps what was made; nothing where it was there already."""
        if images:
            await self.store.keep(claim, picture.number, images[0], images[1:])

    async def say(self, claim: Claim, picture: Picture, words: str, news: set[int]) -> None:
        """Adds something to what is told of a picture, once."""
        if words not in picture.receipt:
            await self.store.note(claim, picture.number, f"{picture.receipt}; {words}")
            news.add(picture.number)


def rule_of(ask: Ask) -> Rule:
    return tokens.rule(ask.model)


def fits_badly(picture: Picture, ask: Ask) -> bool:
    """Whether this model and detail want another form of a kept picture, and one can be had."""
    if picture.image is None or not picture.visible or not picture.width or not picture.height:
        return False
    rule, detail = rule_of(ask), history.detail_of(picture, ask)
    form = rule.form(detail)
    if picture.image.key.form == form:
        return False
    if rule.each is not None and rule.count(picture.width, picture.height, detail) is None:
        # The API would refuse the whole of it; what is kept, it takes.
        return False
    if any(parts[0].key.form == form for parts in picture.forms):
        return True
    if reaches(picture.image, picture, ask) and not wasteful(picture, ask):
        return False
    gone = GONE in picture.receipt or FROM_KEPT in picture.receipt
    return not gone or reaches(largest(picture)[0], picture, ask)


def reaches(image: StoredImage, picture: Picture, ask: Ask) -> bool:
    """Whether a kept form is as large as this model and detail could see."""
    assert picture.width
    assert picture.height
    detail = history.detail_of(picture, ask)
    width, height = rule_of(ask).target(picture.width, picture.height, detail)
    return image.width >= width * NEARLY and image.height >= height * NEARLY


def wasteful(picture: Picture, ask: Ask) -> bool:
    """Whether the form that is shown is much larger than the model can use, or costs other tokens."""
    assert picture.image
    assert picture.width
    assert picture.height
    rule, detail = rule_of(ask), history.detail_of(picture, ask)
    kept, whole = (picture.image.width, picture.image.height), (picture.width, picture.height)
    target = rule.target(*whole, detail)
    return kept[0] * kept[1] > WASTEFUL * target[0] * target[1] or not rule.alike(
        kept, whole, detail
    )


def largest(picture: Picture) -> tuple[StoredImage, ...]:
    """The parts of the largest kept form."""
    return max((*picture.forms, picture.images), key=lambda parts: parts[0].width * parts[0].height)
