"""A file's first bytes → its kind, size, turn and frames; no decoder runs here, and no Pillow.

Every length in a file is a claim: the readers walk from chunk to chunk inside the bytes that are
there, in a bounded number of steps, and never make room for what a header promises.
"""

from collections.abc import Iterator

from bot.errors import PictureUnseen
from bot.images import containers
from bot.images.reading import (
    CUT_OFF,
    DAMAGED,
    MOST_STEPS,
    Header,
    Order,
    check,
    number,
    orientation,
)
from bot.images.strangers import instead

MEGAPIXELS = {"JPEG": 200, "PNG": 50, "WEBP": 50, "GIF": 50}
"""JPEG is scaled while it is decoded; the others must be held whole, at 4 bytes a pixel and more."""
MEGAPIXELS_LAYERED = 50
"""A progressive JPEG is held whole too, at up to 6 bytes a pixel."""
MOST_PASSES = 100
"""Scans of a layered JPEG; real ones have about ten, and each costs a walk over all pixels."""
LAYERS = (
    f"it is a progressive JPEG of more than {MOST_PASSES} scans; save it anew and post it again"
)


def read(data: bytes) -> Header:
    """The header of a picture that may be decoded.

    Raises PictureUnseen with what the file is instead, or what is wrong with it, and what to do.
    """
    try:
        if data.startswith(JPEG):
            return jpeg(data)
        if data.startswith(PNG):
            return png(data)
        if data.startswith(RIFF) and data[8:12] == b"WEBP":
            return webp(data)
        if data.startswith(GIFS):
            return gif(data)
        if header := containers.read(data):
            return header
    except IndexError as error:
        raise PictureUnseen(CUT_OFF) from error
    raise PictureUnseen(instead(data))


JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
RIFF = b"RIFF"
GIFS = (b"GIF87a", b"GIF89a")


def jpeg(data: bytes) -> Header:
    """Reads turn and size from the segments before the first scan."""
    turn, frame, layered, adobe = 1, memoryview(b""), False, False
    for marker, start, end in segments(data):
        body = memoryview(data)[start + 4 : end]
        if marker == 0xE1 and turn == 1 and body[:6].tobytes() == b"Exif\0\0":
            turn = orientation(body[6:].tobytes())
        elif marker == 0xEE:
            adobe = adobe or body[:5].tobytes() == b"Adobe"
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame, layered = body, marker in (0xC2, 0xC6, 0xCA, 0xCE)
    if len(frame) < 6 or not body:
        raise PictureUnseen(DAMAGED)
    layered = layered or body[0] < frame[5]
    # Inside a scan the byte FF is always escaped: this counts scans, and at worst a few too many.
    if layered and data.count(b"\xff\xda", start) > MOST_PASSES:
        raise PictureUnseen(LAYERS)
    height, width = number(frame, 1, 2, "big"), number(frame, 3, 2, "big")
    if layered:
        check("a progressive JPEG", width, height, MEGAPIXELS_LAYERED)
    check("a JPEG", width, height, MEGAPIXELS["JPEG"])
    return Header(
        "JPEG",
        width,
        height,
        turn,
        fine=len(frame) < 15 or frame[7] < 0x22,
        layered=layered,
        positive_inks=frame[5] == 4 and not adobe,
    )


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The markers of a JPEG with begin and end, up to the first scan's, which is the last told."""
    at = 2
    for _ in range(MOST_STEPS):
        if data[at] != 0xFF:
            raise PictureUnseen(DAMAGED)
        marker = data[at + 1]
        if marker == 0xD9:
            raise PictureUnseen(CUT_OFF)
        if marker == 0xFF:
            # Any number of these may stand before a marker.
            at += 1
            continue
        end = at + 2 + number(data, at + 2, 2, "big")
        yield marker, at, end
        if marker == 0xDA:
            return
        at = end
    raise PictureUnseen(DAMAGED)


def png(data: bytes) -> Header:
    """Reads the size, then walks all chunks: a turn may be told late, and frames may be fewer than promised."""
    if data[12:16] != b"IHDR":
        raise PictureUnseen(DAMAGED if len(data) > 16 else CUT_OFF)
    width, height = number(data, 16, 4, "big"), number(data, 20, 4, "big")
    check("a PNG", width, height, MEGAPIXELS["PNG"])
    turn, promised, begun, pixels, colours = 1, 1, 0, False, None
    for kind, body in chunks(data, len(PNG), "big"):
        match kind:
            case b"eXIf":
                turn = orientation(body.tobytes())
            case b"cICP" if len(body) >= 2:
                colours = body[0], body[1]
            case b"acTL" if len(body) >= 4 and not pixels:
                promised = number(body, 0, 4, "big")
            case b"fcTL":
                begun += 1
            case b"IDAT":
                pixels = True
            case b"IEND":
                # Where the end is missing, frames may be too, and that is not to be overlooked.
                promised = min(promised, begun)
                break
    return Header("PNG", width, height, turn, max(1, promised), colours=colours)


def webp(data: bytes) -> Header:
    """Reads the canvas from the first chunk, then turn and frames from the others."""
    width, height = canvas(data)
    check("a WebP", width, height, MEGAPIXELS["WEBP"])
    if number(data, 4, 4, "little") + 8 > len(data):
        raise PictureUnseen(CUT_OFF)
    turn, frames = 1, 0
    for kind, body in chunks(data, 12, "little"):
        if kind == b"EXIF":
            turn = orientation(body.tobytes().removeprefix(b"Exif\0\0"))
        frames += kind == b"ANMF"
    return Header("WEBP", width, height, turn, max(1, frames))


def canvas(data: bytes) -> tuple[int, int]:
    """The size of a WebP, which each of its three kinds keeps elsewhere."""
    match data[12:16]:
        case b"VP8X":
            return number(data, 24, 3, "little") + 1, number(data, 27, 3, "little") + 1
        case b"VP8L":
            bits = number(data, 21, 4, "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            bits = number(data, 26, 4, "little")
            return bits & 0x3FFF, bits >> 16 & 0x3FFF
        case _:
            raise PictureUnseen(DAMAGED if len(data) > 16 else CUT_OFF)


def gif(data: bytes) -> Header:
    """Walks the blocks; the canvas is as large as the screen and the first frame need."""
    width, height = number(data, 6, 2, "little"), number(data, 8, 2, "little")
    check("a GIF", max(1, width), max(1, height), MEGAPIXELS["GIF"])
    frames = 0
    for at in images_of(data, 13 + palette(data[10])):
        if not frames:
            left, top, wide, high = (number(data, at + n, 2, "little") for n in (1, 3, 5, 7))
            width, height = max(width, left + wide), max(height, top + high)
        frames += 1
    if not frames:
        raise PictureUnseen(CUT_OFF)
    check("a GIF", width, height, MEGAPIXELS["GIF"])
    return Header("GIF", width, height, frames=frames)


def images_of(data: bytes, at: int) -> Iterator[int]:
    """Where a GIF's frames begin, as far as they are there and the steps last."""
    inside = False
    for _ in range(MOST_STEPS):
        if at >= len(data):
            return
        if inside:
            inside = data[at] > 0
            at += 1 + data[at]
        elif data[at] == 0x2C:
            flags = number(data, at + 9, 1, "little")
            yield at
            at += 11 + palette(flags)
            inside = True
        elif data[at] == 0x21:
            at += 2
            inside = True
        else:
            return


def palette(flags: int) -> int:
    """The bytes of a GIF's colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def chunks(data: bytes, at: int, order: Order) -> Iterator[tuple[bytes, memoryview]]:
    """The chunks of a PNG (big) or a WebP (little), as far as they are there, bodies uncopied."""
    view = memoryview(data)
    for _ in range(MOST_STEPS):
        if at + 8 > len(data):
            return
        if order == "big":
            length, kind = number(data, at, 4, order), data[at + 4 : at + 8]
        else:
            kind, length = data[at : at + 4], number(data, at + 4, 4, order)
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length if order == "big" else 8 + length + length % 2
