"""The way of a picture from bytes to Images. Synchronous: callers run it in a thread or a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata

import PIL
from PIL import Image as Pillow

from bot import tokens
from bot.domain import Detail, Image
from bot.errors import PictureUnseen, SetupError
from bot.images import boards, documents, headers
from bot.images.decoding import at_full_size, decode, scaled_jpeg, version
from bot.images.encoding import encode
from bot.images.outlines import Outline, outline
from bot.images.pixels import plain, turned, upright
from bot.images.reading import Header, damage_told
from bot.images.resizing import keep_memory, resize
from bot.images.wishes import Options, Wish
from bot.tokens import Size

MAX_BYTES = 50_000_000
"""The largest file that is looked at."""
SAFE_PILLOW = (13, 0, 0)
"""Older ones have holes in their JPEG and TIFF decoders (CVE-2026-112403, CVE-2026-112398)."""
SAFE_PILLOW_HEIF = (1, 8, 1)
"""The first one that brings libheif 1.23.6 (CVE-2026-84383, CVE-2026-32740)."""
RECIPE = 3
"""Raised when the same file would be prepared otherwise than before."""
UNMEASURED = "its size is only known once it is looked at"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was made of a file: one picture, or several parts of it."""

    pictures: tuple[Pillow.Image, ...]
    sizes: tuple[Size, ...]
    """The parts' own sizes, before they were shrunk."""
    receipt: str


def prepare(data: bytes, model: str, detail: Detail, *, max_bytes: int = MAX_BYTES) -> Image:
    """The picture, or its first part, as a model can use it; raises PictureUnseen."""
    return prepare_all(data, model, detail, max_bytes=max_bytes)[0]


def prepare_all(
    data: bytes,
    model: str,
    detail: Detail,
    *,
    options: Options | None = None,
    max_bytes: int = MAX_BYTES,
) -> tuple[Image, ...]:
    """The picture, or its parts, as the model can use them: upright, bounded, plain RGB, with no metadata.

    The same bytes, form, options and release always give the same result. Raises PictureUnseen.
    """
    wish = Wish(tokens.rule(model), detail, options or Options())
    return develop(data, opened(data, max_bytes), wish, origin(data, wish.options))


def develop(data: bytes, header: Header, wish: Wish, source: str) -> tuple[Image, ...]:
    """Like `prepare_all`, for a file whose header was read already."""
    keep_memory()
    with damage_told():
        seen = look(data, header, wish)
    exact = header.format != "JPEG"
    return tuple(
        framed(picture, size, wish, seen.receipt, source, exact=exact, fine=header.fine)
        for picture, size in zip(seen.pictures, seen.sizes, strict=True)
    )


def outlined(data: bytes, options: Options, *, max_bytes: int = MAX_BYTES) -> Outline | None:
    """The pictures that a file comes to, from its header alone; None where only drawing it tells.

    Raises PictureUnseen.
    """
    return outline(opened(data, max_bytes), options)


def measure(data: bytes, *, max_bytes: int = MAX_BYTES) -> Size:
    """Width and height as people see them, from the header alone; raises PictureUnseen."""
    header = opened(data, max_bytes)
    if header.format == "PDF":
        raise PictureUnseen(UNMEASURED)
    return header.upright


def origin(data: bytes, options: Options) -> str:
    """The name of a file and of the way it is prepared: equal names and forms give equal pictures."""
    way = f"{RECIPE} {options.animations} {options.split_tall} ".encode()
    return sha256(way + sha256(data).digest()).hexdigest()


def require_safe_decoders(pillow: str = PIL.__version__, pillow_heif: str | None = None) -> None:
    """Raises SetupError where a decoder is older than strangers' files need."""
    require("Pillow", pillow, SAFE_PILLOW)
    require("pillow-heif", pillow_heif or metadata.version("pillow-heif"), SAFE_PILLOW_HEIF)


def require(name: str, found: str, floor: tuple[int, int, int]) -> None:
    if version(".".join(found.split(".")[:3])) < floor:
        wanted = ".".join(map(str, floor))
        raise SetupError(
            f"{name} {found} is not safe to read people's pictures with; "
            f'install a newer one: pip install "{name.lower()}>={wanted}"'
        )


def opened(data: bytes, max_bytes: int) -> Header:
    """The header; raises PictureUnseen for what is too large, or no picture."""
    if len(data) > max_bytes:
        raise PictureUnseen(
            f"the file has {len(data) / 1e6:.0f} MB, and {max_bytes / 1e6:.0f} MB are read at most; "
            "post it smaller"
        )
    return headers.read(data)


def look(data: bytes, header: Header, wish: Wish) -> Seen:
    """What the model will be shown of a file."""
    if found := outline(header, wish.options):
        accept(wish, found)
    if header.format == "PDF" or len(header.pages) > 1:
        drawn, receipt = documents.pages(data, header, wish)
        return Seen(tuple(page for page, _ in drawn), tuple(size for _, size in drawn), receipt)
    if header.frames > 1 and wish.options.animations == "storyboard":
        plan = boards.layout(header)
        return Seen((boards.storyboard(data, header, wish),), (plan.size,), plan.told)
    parts = wish.parts(header.upright)
    if len(parts) > 1:
        return cut(data, header, wish, parts)
    picture = upright(decode(data, header, wish), header.turn)
    return Seen((picture,), parts, received(header, picture.size))


def cut(data: bytes, header: Header, wish: Wish, parts: tuple[Size, ...]) -> Seen:
    """A very long picture in parts that overlap a little."""
    target = wish.target(parts[0])
    ratio = min(target) / min(parts[0])
    size = header.upright
    if header.format == "JPEG":
        least = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
        picture, box = scaled_jpeg(data, header, turned(least, header.turn))
        if box is not None:
            picture = picture.crop((0, 0, round(box[2]), round(box[3])))
    else:
        picture = at_full_size(data, header)
    picture = upright(picture, header.turn)
    pictures = tuple(
        plain(resize(picture, target, box, sharp=True)) for box in boxes(picture.size, size, parts)
    )
    told = f"cut into {len(parts)} parts, {pixels(size)} → {pixels(target)} each"
    return Seen(pictures, parts, told)


def boxes(
    there: Size, size: Size, parts: tuple[Size, ...]
) -> Iterator[tuple[float, float, float, float]]:
    """Where the parts stand in a picture of which `there` is the size now, and `size` was."""
    wide, high = parts[0]
    scale = there[0] / size[0], there[1] / size[1]
    for number in range(len(parts)):
        share = number / (len(parts) - 1)
        left, top = (size[0] - wide) * share, (size[1] - high) * share
        yield (
            left * scale[0],
            top * scale[1],
            min(there[0], (left + wide) * scale[0]),
            min(there[1], (top + high) * scale[1]),
        )


def accept(wish: Wish, found: Outline) -> None:
    """Refuses what the model's API would refuse, before any work."""
    for full in found.sizes:
        size = wish.parts(full)[0] if found.cut else full
        if wish.rule.certainty != "unknown" and wish.rule.count(*size, wish.detail) is None:
            raise PictureUnseen(
                f"{pixels(size)} pixels are more than the model takes at detail {wish.detail}; "
                "ask at detail high, or post it smaller"
            )


def framed(
    picture: Pillow.Image,
    size: Size,
    wish: Wish,
    receipt: str,
    source: str,
    *,
    exact: bool,
    fine: bool,
) -> Image:
    """The picture as it is kept and sent."""
    media_type, encoded = encode(picture, exact=exact, fine=fine, shrunk=picture.size != size)
    return Image(
        digest=sha256(encoded).hexdigest(),
        form=wish.form,
        media_type=media_type,
        width=picture.width,
        height=picture.height,
        data=encoded,
        original_width=size[0],
        original_height=size[1],
        receipt=receipt,
        source=source,
    )


def received(header: Header, shown: Size) -> str:
    """What happened to a picture, in plain words."""
    told = []
    if shown != header.upright:
        told.append(f"resized {pixels(header.upright)} → {pixels(shown)}")
    if header.frames > 1:
        told.append(f"first frame of {header.frames}")
    return ", ".join(told) or "seen"


def pixels(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
