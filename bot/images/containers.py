"""HEIC, AVIF, TIFF, BMP, ICO and PDF: what their headers say; no decoder runs here."""

import re
from collections.abc import Iterator

from bot.errors import PictureUnseen
from bot.images.reading import CUT_OFF, DAMAGED, NO_PAGES, Header, Order, Size, check, number

MEGAPIXELS = 50
"""They must be held whole, some of them twice."""
MOST_BOXES = 20_000
"""Boxes of a HEIC that are walked, and items in its lists; a photo has some hundred."""
MOST_PAGES = 1_000
"""Pictures in a TIFF that are counted."""
MOST_TAGS = 500
"""Entries of each that are read; those of its size stand among the first, since they are in order."""

HEIC_BRANDS = re.compile(rb"hei[cmsx]|hev[cmsx]|m[is]f1")
AVIF_BRANDS = re.compile(rb"avi[fs]")
BMP_HEADS = frozenset({12, 40, 52, 56, 64, 108, 124})
TIFFS: dict[bytes, tuple[Order, bool]] = {
    b"II*\0": ("little", False),
    b"MM\0*": ("big", False),
    b"II+\0": ("little", True),
    b"MM\0+": ("big", True),
}


def read(data: bytes) -> Header | None:
    """The header of one of these; None for anything else."""
    if data[4:8] == b"ftyp":
        return isobmff(data)
    if data[:4] in TIFFS:
        return tiff(data)
    if data.startswith(b"BM") and number(data, 14, 4, "little") in BMP_HEADS:
        return bmp(data)
    if data.startswith(b"\0\0\1\0") and data[4:6] != b"\0\0":
        return icon(data)
    if b"%PDF-" in data[:1024]:
        # Sizes of pages stand wherever a document wants; only drawing them tells.
        return Header("PDF", 0, 0)
    return None


def isobmff(data: bytes) -> Header | None:
    """HEIC or AVIF by their brands; None for a video."""
    first = next(boxes(memoryview(data), 0, len(data)))
    brands = [bytes(first[1][at : at + 4]) for at in (0, *range(8, len(first[1]), 4))]
    avif = any(AVIF_BRANDS.match(brand) for brand in brands)
    if not avif and not any(HEIC_BRANDS.match(brand) for brand in brands):
        return None
    meta = box(memoryview(data), b"meta")
    if meta is None:
        raise PictureUnseen(CUT_OFF if cut(data) else DAMAGED)
    size, quarter, mirror, colours = primary(
        meta[4:], "an AVIF picture" if avif else "a HEIC photo"
    )
    if cut(data):
        raise PictureUnseen(CUT_OFF)
    if avif:
        # Its decoder shows the still one where the first brand says so, whatever else is there.
        turn, frames = TURNS[quarter, mirror], 1 if brands[0] == b"avif" else samples(data)
        return Header("AVIF", *size, turn=turn, frames=frames, colours=colours)
    # Its decoder turns it upright by itself.
    return Header("HEIF", *(size[::-1] if quarter % 2 else size), colours=colours)


TURNS: dict[tuple[int, int | None], int] = {
    (0, None): 1,
    (0, 1): 2,
    (0, 0): 4,
    (1, None): 8,
    (1, 1): 7,
    (1, 0): 5,
    (2, None): 3,
    (2, 1): 4,
    (2, 0): 2,
    (3, None): 6,
    (3, 1): 5,
    (3, 0): 7,
}
"""Quarter turns to the left, then the axis of a mirror → the turn as EXIF names it."""


def primary(meta: memoryview, name: str) -> tuple[Size, int, int | None, Size | None]:
    """Size, quarter turns, mirror and named colours of the picture that the file shows first."""
    shown = box(meta, b"pitm")
    stock = box(meta, b"iprp")
    if shown is None or stock is None:
        raise PictureUnseen(DAMAGED)
    item = number(shown, 4, 4 if shown[0] else 2, "big")
    container = box(stock, b"ipco")
    properties = [] if container is None else list(boxes(container, 0, len(container)))
    for kind, body in properties:
        if kind == b"ispe":
            check(name, number(body, 4, 4, "big"), number(body, 8, 4, "big"), MEGAPIXELS)
    size, quarter, mirror, colours = None, 0, None, None
    for index in belonging(stock, item):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", stock)
        if kind == b"ispe":
            size = number(body, 4, 4, "big"), number(body, 8, 4, "big")
        elif kind == b"clap" and size and name.endswith("HEIC photo"):
            size = aperture(body, size)
        elif kind == b"irot":
            quarter = number(body, 0, 1, "big") & 3
        elif kind == b"imir":
            mirror = number(body, 0, 1, "big") & 1
        elif kind == b"colr" and bytes(body[:4]) == b"nclx" and len(body) >= 8:
            colours = number(body, 4, 2, "big"), number(body, 6, 2, "big")
    if size is None:
        raise PictureUnseen(DAMAGED)
    return size, quarter, mirror, colours


def belonging(stock: memoryview, item: int) -> Iterator[int]:
    """Which properties, counted from 1, belong to an item; only its first list counts."""
    left = MOST_BOXES
    for kind, body in boxes(stock, 0, len(stock)):
        if kind != b"ipma":
            continue
        wide, long = number(body, 3, 1, "big") & 1, 4 if body[0] else 2
        at, listed = 8, min(number(body, 4, 4, "big"), left)
        left -= listed
        for _ in range(listed):
            owner, count = number(body, at, long, "big"), number(body, at + long, 1, "big")
            at += long + 1
            end = at + count * (1 + wide)
            if owner == item:
                for place in range(at, end, 1 + wide):
                    yield number(body, place, 1 + wide, "big") & (0x7FFF if wide else 0x7F)
                return
            at = end


def aperture(body: memoryview, size: tuple[int, int]) -> tuple[int, int]:
    """What is left of a size inside a clean aperture; all of it where that makes no sense."""
    parts = [number(body, at, 4, "big") for at in (0, 4, 8, 12)]
    if not (parts[1] and parts[3]):
        return size
    wide, high = parts[0] // parts[1], parts[2] // parts[3]
    return (wide, high) if 0 < wide <= size[0] and 0 < high <= size[1] else size


def samples(data: bytes) -> int:
    """The frames of an animated AVIF; 1 for a still one."""
    body: memoryview | None = memoryview(data)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
        body = None if body is None else box(body, kind)
    return 1 if body is None or len(body) < 12 else max(1, number(body, 8, 4, "big"))


def box(inside: memoryview, kind: bytes) -> memoryview | None:
    """The body of the first box of a kind."""
    return next((body for found, body in boxes(inside, 0, len(inside)) if found == kind), None)


def boxes(view: memoryview, at: int, end: int) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes side by side in a part of a file, as far as they are there."""
    for _ in range(MOST_BOXES):
        if at + 8 > end:
            return
        size, kind, head = number(view, at, 4, "big"), bytes(view[at + 4 : at + 8]), 8
        if size == 1:
            size, head = number(view, at + 8, 8, "big"), 16
        elif size == 0:
            size = end - at
        if size < head:
            raise PictureUnseen(DAMAGED)
        yield kind, view[at + head : min(at + size, end)]
        at += size


def cut(data: bytes) -> bool:
    """Whether a box at the top promises more than there is."""
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > len(data):
            break
        size = number(data, at, 4, "big")
        at += number(data, at + 8, 8, "big") if size == 1 else size or len(data) - at
    return at > len(data)


def tiff(data: bytes) -> Header:
    """Walks from picture to picture; pages are those that are no small copy of another."""
    order, big = TIFFS[data[:4]]
    at = number(data, 8 if big else 4, 8 if big else 4, order)
    seen: set[int] = set()
    pages: list[tuple[int, Size]] = []
    while at and at not in seen and len(seen) < MOST_PAGES:
        seen.add(at)
        tags, at = directory(data, at, order, big=big)
        width, height = tags.get(0x100, 0), tags.get(0x101, 0)
        check("a TIFF picture", width, height, MEGAPIXELS)
        if not tags.get(0xFE, 0) & 1 or not pages:
            turned = 5 <= tags.get(0x112, 1) <= 8
            pages.append((len(seen) - 1, (height, width) if turned else (width, height)))
    if not pages:
        raise PictureUnseen(NO_PAGES)
    return Header("TIFF", *pages[0][1], pages=tuple(pages))


def directory(data: bytes, at: int, order: Order, *, big: bool) -> tuple[dict[int, int], int]:
    """The plain numbers in one directory of a TIFF, and where the next one stands."""
    count, entry = number(data, at, 8 if big else 2, order), 20 if big else 12
    start = at + (8 if big else 2)
    tags: dict[int, int] = {}
    for place in range(start, start + entry * min(count, MOST_TAGS), entry):
        tag, kind = number(data, place, 2, order), number(data, place + 2, 2, order)
        size = {1: 1, 3: 2, 4: 4, 16: 8}.get(kind)
        if size and tag in (0xFE, 0x100, 0x101, 0x112):
            tags[tag] = number(data, place + (12 if big else 8), size, order)
    return tags, number(data, start + entry * count, 8 if big else 4, order)


def bmp(data: bytes) -> Header:
    """Reads the size; a height below nothing means that rows come from the top."""
    if number(data, 14, 4, "little") == 12:
        width, height = number(data, 18, 2, "little"), number(data, 20, 2, "little")
    else:
        width, height = (signed(number(data, at, 4, "little")) for at in (18, 22))
    check("a BMP picture", width, abs(height), MEGAPIXELS)
    return Header("BMP", width, abs(height))


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def icon(data: bytes) -> Header:
    """The size of the largest picture in an icon."""
    inner = largest(data)
    if inner[:4] == b"\x89PNG":
        width, height = number(inner, 16, 4, "big"), number(inner, 20, 4, "big")
    else:
        if number(inner, 0, 4, "little") not in BMP_HEADS:
            raise PictureUnseen(DAMAGED)
        # Its own height counts the picture and a mask below it.
        width, height = number(inner, 4, 4, "little"), number(inner, 8, 4, "little") // 2
    check("an icon", width, height, MEGAPIXELS)
    return Header("ICO", width, height)


def largest(data: bytes) -> bytes:
    """The bytes of an icon's largest picture, at its most colours; raises PictureUnseen when cut off."""
    entries = []
    for at in range(6, 6 + 16 * number(data, 4, 2, "little"), 16):
        wide, high = number(data, at, 1, "little") or 256, number(data, at + 1, 1, "little") or 256
        size, start = number(data, at + 8, 4, "little"), number(data, at + 12, 4, "little")
        entries.append((wide * high, number(data, at + 6, 2, "little"), start, size))
    _, _, start, size = max(entries)
    if start + size > len(data):
        raise PictureUnseen(CUT_OFF)
    return data[start : start + size]
