"""One picture's bytes → its pixels, no larger than they must be; still turned as stored."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from typing import TypeVar

from PIL import Image as Pillow
from PIL import ImageFile, PngImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.IcoImagePlugin import IcoFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bot.errors import PictureUnseen
from bot.images import containers, headers
from bot.images.colours import in_its_colours
from bot.images.pixels import full_colour, inverted, plain, turned
from bot.images.reading import DAMAGED, Header
from bot.images.resizing import Box, resize
from bot.images.wishes import Wish
from bot.tokens import Size

SAFE_LIBHEIF = (1, 23, 6)
"""Older ones have holes (CVE-2026-84383, CVE-2026-32740)."""
UNSAFE_HEIF = (
    "HEIC photos cannot be read here until an administrator updates pillow-heif; post it as a JPEG"
)
SHORTFALL = 40
"""A side may be a fortieth (2.5 %) smaller than its target: a JPEG's own scaled size is then free."""
PIXELS_OF_PNG = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND")
"""The parts of a PNG that make its pixels and colours."""
FRAMES_OF_PNG = (b"acTL", b"fcTL", b"fdAT")
"""Those that make it move."""
STUFFING = (b"\x00" * 64, b"\x5a\x3c\x96\xe1" * 16)
"""Two tails that a decoder reads differently wherever it still misses pixels."""
MOST_COMPARED = 25_000_000
"""Pixels that are looked at to tell the two apart."""

Opened = TypeVar("Opened", bound=Pillow.Image)
OPENERS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "AVIF": AvifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}


def decode(data: bytes, header: Header, wish: Wish) -> Pillow.Image:
    """Plain RGB pixels of the size that is wished for, still turned as stored."""
    target = turned(wish.target(header.upright), header.turn)
    if header.format == "JPEG":
        return shrunk_jpeg(data, header, target, wish)
    return plain(resize(at_full_size(data, header), target, sharp=True))


def shrunk_jpeg(data: bytes, header: Header, target: Size, wish: Wish) -> Pillow.Image:
    """Decodes at the smallest of JPEG's own scales that will do, and resizes only if it must."""

    def will_do(size: Size) -> bool:
        return is_near(size, target) and wish.alike(header.upright, turned(size, header.turn))

    picture, box = scaled_jpeg(data, header, target, will_do)
    if will_do(picture.size):
        return plain(picture)
    return plain(resize(picture, target, box, sharp=header.fine))


def scaled_jpeg(
    data: bytes, header: Header, target: Size, will_do: Callable[[Size], bool] = lambda size: False
) -> tuple[Pillow.Image, Box | None]:
    """At the smallest scale that will do or covers the target, and the part of it that is the picture."""
    for scale in (8, 4, 2, 1):
        size = -(-header.width // scale), -(-header.height // scale)
        if will_do(size) or covers(size, target):
            break
    # Rounded down, since Pillow takes the largest scale that leaves at least what it is asked for.
    asked = max(1, header.width // scale), max(1, header.height // scale)
    pixels = jpeg_pixels_only(data)
    try:
        picture, box = drafted(pixels, header, asked)
    except OSError as error:
        if "truncated" not in str(error) or not lacks_only_its_end(pixels, header):
            raise
        picture, box = drafted(pixels + STUFFING[0] + b"\xff\xd9", header, asked)
    return (inverted(picture), box) if header.positive_inks else (picture, box)


def drafted(data: bytes, header: Header, asked: Size) -> tuple[Pillow.Image, Box | None]:
    picture = as_told(JpegImageFile(BytesIO(data)), header)
    found = picture.draft(None, asked)
    picture.load()
    return picture, found[1] if found else None


def lacks_only_its_end(data: bytes, header: Header) -> bool:
    """Whether all pixels are there, and only the mark after them is not.

    A decoder takes whatever follows for the pixels that it misses: two tails that make the same picture
    were both not needed.
    """
    asked = header.size
    # Smaller pixels tell less: at an eighth, whatever stands in for a missing part may look like another.
    while not header.layered and asked[0] * asked[1] > MOST_COMPARED:
        asked = asked[0] // 2, asked[1] // 2
    try:
        one, other = (
            sha256(drafted(data + tail + b"\xff\xd9", header, asked)[0].tobytes()).digest()
            for tail in STUFFING
        )
    except OSError:
        # What was cut off in the middle of a code may make none with any tail.
        return False
    return one == other


def is_near(size: Size, target: Size) -> bool:
    """Whether a size is close enough under its target to be sent as it is."""
    return all(
        limit - limit // SHORTFALL <= side <= limit
        for side, limit in zip(size, target, strict=True)
    )


def covers(size: Size, target: Size) -> bool:
    return all(side >= limit for side, limit in zip(size, target, strict=True))


def at_full_size(data: bytes, header: Header) -> Pillow.Image:
    """All pixels, in a mode that may be averaged and with the profile of their colours."""
    return full_colour(in_its_colours(whole(data, header), header))


def whole(data: bytes, header: Header) -> Pillow.Image:
    """All pixels of the picture, or of its first frame."""
    match header.format:
        case "HEIF":
            return heif(data, header)
        case "ICO":
            return icon(data, header)
        case "PNG":
            data = png_parts(data, PIXELS_OF_PNG)
    picture = as_told(OPENERS[header.format](BytesIO(data)), header)
    picture.load()
    return picture


def heif(data: bytes, header: Header) -> Pillow.Image:
    """A HEIC's first picture, which its decoder turns upright."""
    import pillow_heif

    if version(pillow_heif.libheif_version()) < SAFE_LIBHEIF:
        raise PictureUnseen(UNSAFE_HEIF)
    opened = pillow_heif.open_heif(data)
    first = opened[opened.primary_index]
    if first.size[0] * first.size[1] > header.width * header.height:
        raise PictureUnseen(DAMAGED)
    return first.to_pillow()


def version(text: str) -> tuple[int, ...]:
    """`1.23.6` as numbers that can be compared."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def icon(data: bytes, header: Header) -> Pillow.Image:
    """An icon's largest picture: a PNG, or a bitmap with a mask."""
    inner = containers.largest(data)
    if inner.startswith(b"\x89PNG"):
        return whole(inner, headers.png(inner))
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, *bits(inner), len(inner), 22)
    picture = IcoFile(BytesIO(b"\0\0\1\0\1\0" + entry + inner)).frame(0)
    picture.load()
    return as_told(picture, header)


def bits(bitmap: bytes) -> tuple[int]:
    """Bits of a pixel in a bitmap without a file's header."""
    return (int.from_bytes(bitmap[14:16], "little"),)


def as_told(picture: Opened, header: Header) -> Opened:
    """Refuses a file that tells us one size and its decoder another."""
    if picture.size != (header.width, header.height):
        raise PictureUnseen(DAMAGED)
    return picture


def png_parts(data: bytes, kinds: tuple[bytes, ...]) -> bytes:
    """A PNG without texts and the like: they make no pixels, and give a decoder chances to fail."""
    view = memoryview(data)
    kept, at, profiles = [view[:8]], 8, 0
    for kind, body in headers.chunks(data, at, "big"):
        end = at + 12 + len(body)
        profiles += kind == b"iCCP"
        # One is all there may be; of thousands each would be unpacked.
        if kind in kinds and (kind != b"iCCP" or (profiles == 1 and unpacks(body))):
            kept.append(view[at:end])
        at = end
    return b"".join(kept)


def unpacks(body: memoryview) -> bool:
    """Whether a PNG's colour profile unpacks to a sensible size; for one that does not, its decoder refuses it all."""
    _, _, packed = bytes(body).partition(b"\0")
    unpacking = zlib.decompressobj()
    with suppress(zlib.error):
        unpacking.decompress(packed[1:], PngImagePlugin.MAX_TEXT_CHUNK)
        return packed[:1] == b"\0" and not unpacking.unconsumed_tail
    return False


def jpeg_pixels_only(data: bytes) -> bytes:
    """A JPEG without EXIF, thumbnails and comments, for the same reason."""
    view = memoryview(data)
    kept, dropped = [view[:2]], 0
    for marker, start, end in headers.segments(data):
        if marker == 0xDA:
            kept.append(view[start:])
        elif makes_pixels(marker, view[start + 4 : end]):
            kept.append(view[start:end])
        else:
            dropped += 1
    return b"".join(kept) if dropped else data


def makes_pixels(marker: int, body: memoryview) -> bool:
    """Whether a segment is needed: of the application's own, density, colours and colour model."""
    if marker == 0xE2:
        return body[:12].tobytes() == b"ICC_PROFILE\0"
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in (0xE0, 0xEE)
