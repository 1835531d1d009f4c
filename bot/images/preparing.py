"""The way of a picture from bytes to Image. Synchronous: callers run it in a thread."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO

import PIL
from PIL import Image as Pillow
from PIL import ImageCms, ImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bot import tokens
from bot.domain import Detail, Image
from bot.errors import PictureUnseen, SetupError
from bot.images import headers
from bot.images.headers import CUT_OFF, DAMAGED, Header
from bot.images.resizing import keep_memory, resize
from bot.tokens import Rule, Size

MAX_BYTES = 50_000_000
"""The largest file that is looked at."""
SAFE_PILLOW = (13, 0, 0)
"""Older ones have holes in their JPEG and TIFF decoders (CVE-2026-112403, CVE-2026-112398)."""
QUALITY = 85
"""Of JPEG that comes again as JPEG."""
QUALITY_EXACT = 90
"""… for what came without loss, a screenshot most likely: there the text is smallest."""
SHORTFALL = 40
"""A side may be a fortieth (2.5 %) smaller than its target: a JPEG's own scaled size is then free."""
FEW_COLOURS = 4096
"""Up to so many a picture is taken for graphics, which PNG keeps exactly."""
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND")
"""The parts of a PNG that make its pixels and colours."""
PNG_ADVANTAGE = 2
"""Graphics stay PNG up to so many times the bytes of JPEG."""


def prepare(data: bytes, model: str, detail: Detail, *, max_bytes: int = MAX_BYTES) -> Image:
    """The picture as the model can use it: upright, bounded, plain RGB, with no metadata.

    The same bytes, form and release always give the same result. Raises PictureUnseen.
    """
    keep_memory()
    header = opened(data, max_bytes)
    rule = tokens.rule(model)
    accept(rule, header.upright, detail)
    with damage_told():
        picture = upright(decode(data, header, rule, detail), header.turn)
    width, height = picture.size
    media_type, encoded = encode(picture, exact=header.format != "JPEG", fine=header.fine)
    return Image(
        digest=sha256(encoded).hexdigest(),
        form=rule.form(detail),
        media_type=media_type,
        width=width,
        height=height,
        data=encoded,
        original_width=header.upright[0],
        original_height=header.upright[1],
        receipt=receipt(header, (width, height)),
    )


def measure(data: bytes, *, max_bytes: int = MAX_BYTES) -> Size:
    """Width and height as people see them, from the header alone; raises PictureUnseen."""
    return opened(data, max_bytes).upright


def require_safe_pillow(version: str = PIL.__version__) -> None:
    """Raises SetupError where Pillow is older than the decoders that strangers' files need."""
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < SAFE_PILLOW:
        floor = ".".join(map(str, SAFE_PILLOW))
        raise SetupError(
            f"Pillow {version} is not safe to read people's pictures with; "
            f'install a newer one: pip install "pillow>={floor}"'
        )


def opened(data: bytes, max_bytes: int) -> Header:
    if len(data) > max_bytes:
        raise PictureUnseen(
            f"the file has {len(data) / 1e6:.0f} MB, and {max_bytes / 1e6:.0f} MB are read at most; "
            "post it smaller"
        )
    return headers.read(data)


def accept(rule: Rule, size: Size, detail: Detail) -> None:
    """Refuses what the model's API would refuse, before any work."""
    if rule.certainty != "unknown" and rule.count(*size, detail) is None:
        raise PictureUnseen(
            f"{size[0]}×{size[1]} pixels are more than the model takes at detail {detail}; "
            "ask at detail high, or post it smaller"
        )


@contextmanager
def damage_told() -> Iterator[None]:
    """Turns whatever a decoder throws into a sentence: they throw nearly everything."""
    try:
        yield
    except PictureUnseen:
        raise
    except Exception as error:
        words = str(error).lower()
        cut = isinstance(error, EOFError) or "truncated" in words or "premature" in words
        raise PictureUnseen(CUT_OFF if cut else DAMAGED) from error


def decode(data: bytes, header: Header, rule: Rule, detail: Detail) -> Pillow.Image:
    """Plain RGB pixels of the right size, still turned as stored."""
    target = turned(rule.target(*header.upright, detail), header.turn)
    if header.format == "JPEG":
        return plain(shrunk_jpeg(data, header, target, rule, detail))
    return plain(resize(full_colour(whole(data, header)), target, sharp=True))


def shrunk_jpeg(
    data: bytes, header: Header, target: Size, rule: Rule, detail: Detail
) -> Pillow.Image:
    """Decodes at the smallest of JPEG's own scales that will do, and resizes only if it must."""

    def will_do(size: Size) -> bool:
        return is_near(size, target) and rule.alike(
            header.upright, turned(size, header.turn), detail
        )

    picture = as_told(JpegImageFile(BytesIO(jpeg_pixels_only(data))), header)
    for scale in (8, 4, 2, 1):
        size = -(-header.width // scale), -(-header.height // scale)
        if will_do(size) or covers(size, target):
            break
    # Rounded down, since Pillow takes the largest scale that leaves at least what it is asked for.
    drafted = picture.draft(None, (max(1, header.width // scale), max(1, header.height // scale)))
    picture.load()
    if will_do(picture.size):
        return picture
    return resize(picture, target, drafted[1] if drafted else None, sharp=header.fine)


def is_near(size: Size, target: Size) -> bool:
    """Whether a size is close enough under its target to be sent as it is."""
    return all(
        limit - limit // SHORTFALL <= side <= limit
        for side, limit in zip(size, target, strict=True)
    )


def covers(size: Size, target: Size) -> bool:
    return all(side >= limit for side, limit in zip(size, target, strict=True))


def whole(data: bytes, header: Header) -> Pillow.Image:
    """All pixels of the picture, or of its first frame."""
    picture: ImageFile.ImageFile
    match header.format:
        case "PNG":
            picture = PngImageFile(BytesIO(png_pixels_only(data)))
        case "WEBP":
            picture = WebPImageFile(BytesIO(data))
        case _:
            picture = GifImageFile(BytesIO(data))
    as_told(picture, header).load()
    return picture


def as_told(picture: ImageFile.ImageFile, header: Header) -> ImageFile.ImageFile:
    """Refuses a file that tells us one size and its decoder another."""
    if picture.size != (header.width, header.height):
        raise PictureUnseen(DAMAGED)
    return picture


def png_pixels_only(data: bytes) -> bytes:
    """A PNG without texts and animation: they make no pixels, and give a decoder chances to fail."""
    view = memoryview(data)
    kept, at = [view[:8]], 8
    for kind, body in headers.chunks(data, at, "big"):
        end = at + 12 + len(body)
        if kind in PNG_PIXELS:
            kept.append(view[at:end])
        at = end
    return b"".join(kept)


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


def full_colour(picture: Pillow.Image) -> Pillow.Image:
    """The pixels in a mode that may be averaged: grey, RGB or RGBA, at eight bits."""
    if picture.mode.startswith("I"):
        return sixteen_bits(picture)
    if picture.has_transparency_data:
        return opaque_if_possible(picture.convert("RGBA"))
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def sixteen_bits(picture: Pillow.Image) -> Pillow.Image:
    """Grey of 16 bits, brought to eight by its upper byte; Pillow alone would clip it to white."""
    return picture.convert("I").point(lambda value: value / 257 + 0.5).convert("L")


def opaque_if_possible(picture: Pillow.Image) -> Pillow.Image:
    extrema = picture.getchannel("A").getextrema()
    return picture.convert("RGB") if extrema == (255, 255) else picture


def plain(picture: Pillow.Image) -> Pillow.Image:
    """Plain RGB: colours as sRGB means them, nothing transparent, nothing told about the picture."""
    picture = in_srgb(picture)
    if picture.mode == "RGBA":
        picture = flat(picture)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    # Encoders write out what they find here, a JPEG's comment for one.
    picture.info = {}
    return picture


def in_srgb(picture: Pillow.Image) -> Pillow.Image:
    """Colours of another profile brought to sRGB; a profile that makes no sense is left out."""
    profile = picture.info.get("icc_profile")
    space = {"RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}.get(picture.mode)
    if not isinstance(profile, bytes) or space is None or profile[16:20] != space:
        return picture
    try:
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        if ImageCms.getProfileDescription(given).strip().lower().startswith(("srgb", "c2")):
            return picture
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            picture, given, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    return converted or picture


def flat(picture: Pillow.Image) -> Pillow.Image:
    """Laid on white, or on grey where hardly anything would be seen on white."""
    visible = picture.getchannel("A").point(lambda alpha: 255 if alpha >= 64 else 0)
    shades = picture.convert("L").histogram(visible)
    dark, all_of_them = sum(shades[:225]), sum(shades)
    colour = "#808080" if all_of_them and dark * 20 < all_of_them else "white"
    ground = Pillow.new("RGB", picture.size, colour)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


def upright(picture: Pillow.Image, turn: int) -> Pillow.Image:
    return picture.transpose(TURNS[turn]) if turn in TURNS else picture


def turned(size: Size, turn: int) -> Size:
    """A size as it is stored, from the size as it is seen, and back."""
    return (size[1], size[0]) if turn >= 5 else size


def encode(picture: Pillow.Image, *, exact: bool, fine: bool) -> tuple[str, bytes]:
    """PNG for graphics that came exact and stay small so; else JPEG, its colours as fine as they came."""
    quality = QUALITY_EXACT if exact else QUALITY
    sampling = "4:4:4" if fine else "4:2:0"
    jpeg = saved(picture, "JPEG", quality=quality, subsampling=sampling)
    if exact and picture.getcolors(FEW_COLOURS) is not None:
        png = saved(picture, "PNG")
        if len(png) <= PNG_ADVANTAGE * len(jpeg):
            return "image/png", png
    return "image/jpeg", jpeg


def saved(picture: Pillow.Image, kind: str, **options: int | str) -> bytes:
    with scratch() as file:
        picture.save(file, kind, **options)
        file.seek(0)
        return file.read()


def scratch() -> IO[bytes]:
    """A file without a name, in memory where the system has such files.

    Pillow frees the interpreter's lock while it encodes into a real file and holds it for any other,
    which would keep the event loop waiting for 20 ms.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            return os.fdopen(os.memfd_create("picture"), "w+b")
    return TemporaryFile()


def receipt(header: Header, size: Size) -> str:
    """What happened to the picture, in plain words."""
    told = []
    if size != header.upright:
        told.append(f"resized {pixels(header.upright)} → {pixels(size)}")
    if header.frames > 1:
        told.append(f"first frame of {header.frames}")
    return ", ".join(told) or "seen"


def pixels(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
