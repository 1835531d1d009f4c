"""A file's header → the pictures that it comes to, before any is decoded: what estimates share with preparing."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import Image
from bot.images import boards, documents
from bot.images.reading import Header, Size
from bot.images.wishes import Options


@dataclass(frozen=True, slots=True)
class Outline:
    """The pictures that a file comes to."""

    sizes: tuple[Size, ...]
    """Of each, before it is shrunk or cut."""
    names: tuple[str, ...] = ("",)
    """What each is of the file, in plain words; nothing where it is all of it."""
    cut: bool = False
    """Whether it is cut into parts where it is very long."""


def outline(header: Header, options: Options) -> Outline | None:
    """From the header alone; None for a PDF, whose sizes only drawing it tells."""
    if header.format == "PDF":
        return None
    if len(header.pages) > 1:
        sizes = [size for _, size in header.pages[: documents.MOST_PAGES]]
        return paged(sizes, len(header.pages))
    if header.frames > 1 and options.animations == "storyboard":
        plan = boards.layout(header)
        shown = "all" if len(plan.frames) == header.frames else f"{len(plan.frames)} of"
        return Outline((plan.size,), (f"{shown} {header.frames} frames",))
    name = f"first frame of {header.frames}" if header.frames > 1 else ""
    return Outline((header.upright,), (name,), cut=options.split_tall)


def of_pages(pages: Sequence[Image]) -> Outline:
    """From a PDF's prepared pages."""
    sizes = [(page.original_width, page.original_height) for page in pages]
    return paged(sizes, documents.total(pages[0].receipt))


def paged(sizes: Sequence[Size], total: int) -> Outline:
    """The first pages of so many."""
    names = [f"page {number} of {total}" for number in range(1, len(sizes) + 1)]
    return Outline(tuple(sizes), tuple(names))
