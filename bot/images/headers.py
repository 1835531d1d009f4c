"""A file's first bytes → its kind, size, turn and frames; no decoder runs here, and no Pillow.

Every length in a file is a claim: the readers walk from chunk to chunk inside the bytes that are
there, in a bounded number of steps, and never make room for what a header promises.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.errors import PictureUnseen

Format = Literal["JPEG", "PNG", "WEBP", "GIF"]
Order = Literal["big", "little"]

MEGAPIXELS = {"JPEG": 200, "PNG": 50, "WEBP": 50, "GIF": 50}
"""JPEG is scaled while it is decoded; the others must be held whole, at 4 bytes a pixel and more."""
MEGAPIXELS_LAYERED = 50
"""A progressive JPEG is held whole too, at up to 6 bytes a pixel."""
MOST_PASSES = 100
"""Scans of a layered JPEG; real ones have about ten, and each costs a walk over all pixels."""
LONGEST_SIDE = 65_535
"""Pixels: the limit of JPEG and of every model."""
MOST_STEPS = 500_000
"""Chunks or blocks that are walked; a GIF of 100 MB has fewer."""

CUT_OFF = "the file is cut off; post it again"
DAMAGED = "the file is damaged and cannot be read; save it anew and post it again"
ACCEPTED = "post it as PNG, JPEG, WebP or GIF"


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says; sizes are as stored, before its turn is applied."""

    format: Format
    width: int
    height: int
    turn: int = 1
    """EXIF orientation, 1 to 8; from 5 on width and height change places."""
    frames: int = 1
    fine: bool = True
    """False for a JPEG that keeps colours at half of its resolution, as cameras make them."""

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as people see them."""
        return (self.height, self.width) if self.turn >= 5 else (self.width, self.height)


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
    except IndexError as error:
        raise PictureUnseen(CUT_OFF) from error
    raise PictureUnseen(instead(data))


JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
RIFF = b"RIFF"
GIFS = (b"GIF87a", b"GIF89a")


def jpeg(data: bytes) -> Header:
    """Reads turn and size from the segments before the first scan."""
    turn, frame, layered = 1, memoryview(b""), False
    for marker, start, end in segments(data):
        body = memoryview(data)[start + 4 : end]
        if marker == 0xE1 and turn == 1 and body[:6].tobytes() == b"Exif\0\0":
            turn = orientation(body[6:].tobytes())
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame, layered = body, marker in (0xC2, 0xC6, 0xCA, 0xCE)
    if len(frame) < 6 or not body:
        raise PictureUnseen(DAMAGED)
    layered = layered or body[0] < frame[5]
    # Inside a scan the byte FF is always escaped: this counts scans, and at worst a few too many.
    if layered and data.count(b"\xff\xda", start) > MOST_PASSES:
        raise PictureUnseen(DAMAGED)
    height, width = number(frame, 1, 2, "big"), number(frame, 3, 2, "big")
    if layered:
        check("progressive JPEG", width, height, MEGAPIXELS_LAYERED)
    check("JPEG", width, height, MEGAPIXELS["JPEG"])
    return Header("JPEG", width, height, turn, fine=len(frame) < 15 or frame[7] < 0x22)


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
    """Reads the size, then walks all chunks: turn and frames may be told late."""
    if data[12:16] != b"IHDR":
        raise PictureUnseen(DAMAGED if len(data) > 16 else CUT_OFF)
    width, height = number(data, 16, 4, "big"), number(data, 20, 4, "big")
    check("PNG", width, height, MEGAPIXELS["PNG"])
    turn, frames = 1, 1
    for kind, body in chunks(data, len(PNG), "big"):
        if kind == b"eXIf":
            turn = orientation(body.tobytes())
        elif kind == b"acTL" and len(body) >= 4:
            frames = max(1, number(body, 0, 4, "big"))
    return Header("PNG", width, height, turn, frames)


def webp(data: bytes) -> Header:
    """Reads the canvas from the first chunk, then turn and frames from the others."""
    width, height = canvas(data)
    check("WebP", width, height, MEGAPIXELS["WEBP"])
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
    check("GIF", max(1, width), max(1, height), MEGAPIXELS["GIF"])
    frames = 0
    for at in images_of(data, 13 + palette(data[10])):
        if not frames:
            left, top, wide, high = (number(data, at + n, 2, "little") for n in (1, 3, 5, 7))
            width, height = max(width, left + wide), max(height, top + high)
        frames += 1
    if not frames:
        raise PictureUnseen(CUT_OFF)
    check("GIF", width, height, MEGAPIXELS["GIF"])
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


def check(name: str, width: int, height: int, megapixels: int) -> None:
    """Refuses what no picture is, and what would take too much memory to decode."""
    if width < 1 or height < 1:
        raise PictureUnseen(DAMAGED)
    if width * height > megapixels * 1_000_000:
        raise PictureUnseen(
            f"it has {width}×{height} pixels, and a {name} may have {megapixels} million; "
            "post it smaller"
        )
    if max(width, height) > LONGEST_SIDE:
        raise PictureUnseen(
            f"it has {width}×{height} pixels, and a side may have {LONGEST_SIDE:,}; post it smaller"
        )


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


def orientation(exif: bytes) -> int:
    """The turn that EXIF asks for; 1, upright, where it is missing or makes no sense."""
    order: Order = "little" if exif.startswith(b"II") else "big"
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        entry = exif[at : at + 12]
        if len(entry) < 12:
            break
        if int.from_bytes(entry[:2], order) == 0x0112:
            turn = int.from_bytes(entry[8:10], order)
            return turn if 1 <= turn <= 8 else 1
    return 1


def number(data: bytes | memoryview, at: int, size: int, order: Order) -> int:
    """A whole number inside the file; raises IndexError past its end."""
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], order)


def instead(data: bytes) -> str:
    """What a file is that is no picture we take, and what to do; one sentence."""
    if not data:
        return "the file is empty (0 bytes); post it again"
    if any(start.startswith(data[:12]) for start in (JPEG, PNG, *GIFS, RIFF + data[4:8] + b"WEBP")):
        return CUT_OFF
    if data.startswith(PNG[:4]):
        return DAMAGED
    head = data[:4096]
    opening = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").replace(b"\0", b"").lower()
    if PAGE.match(opening):
        return (
            "the platform sent a web page instead of the file; "
            "check that the bot is allowed to read files, then post it again"
        )
    for kind, found in KINDS:
        if found.match(opening if kind.startswith("an SVG") else head):
            return f"it is {kind}, which cannot be read here; {ACCEPTED}"
    if b"%PDF-" in head[:1024]:
        return "it is a PDF document, which cannot be read here; post its pages as pictures"
    if is_text(head):
        return f"it is a text file and not a picture; {ACCEPTED}"
    return f"it is not a picture of a known kind; {ACCEPTED}"


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file reads as words."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # Up to three bytes may be the beginning of a character that was cut by us.
    words = head.decode("utf-8", "ignore")
    broken = len(head) - len(words.encode())
    return broken <= 3 and not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", words)


PAGE = re.compile(
    rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|script)\b",
    re.DOTALL,
)
KINDS = tuple(
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("a HEIC photo", rb"....ftyp(hei|hev|mif1|msf1)"),
        ("an AVIF picture", rb"....ftypavi[fs]"),
        ("a camera's raw picture", rb"....ftypcrx |IIRO|IIU\0|FUJIFILMCCD-RAW"),
        ("an audio file", rb"....ftypM4[AB]|ID3|OggS|fLaC|RIFF....WAVE|\xff[\xf2-\xfb]"),
        (
            "a video",
            rb"....(ftyp|moov|mdat|wide)|\x1aE\xdf\xa3|RIFF....AVI |FLV|\x00\x00\x01[\xb3\xba]",
        ),
        ("a TIFF picture", rb"II[*+]\0|MM\0[*+]"),
        ("a BMP picture", rb"BM....\0\0\0\0"),
        ("an icon or cursor", rb"\x00\x00[\x01\x02]\x00[^\x00]\x00|icns"),
        ("a JPEG XL picture", rb"\xff\x0a|\0\0\0\x0cJXL "),
        ("a JPEG 2000 picture", rb"\0\0\0\x0cjP  |\xffO\xffQ"),
        ("a Photoshop file", rb"8BPS"),
        ("a zip archive or Office document", rb"PK(\x03\x04|\x05\x06|\x07\x08)|\xd0\xcf\x11\xe0"),
        ("an archive", rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd"),
        ("an SVG drawing", rb"(<\?xml.*|<!--.*|<!doctype svg.*)?<svg\b"),
    )
)
