"""Bytes → what can be told of a picture without reading it: its size, its colours, its light."""

from dataclasses import dataclass
from io import BytesIO

from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from bot.offline import colours
from bot.offline.colours import Lab

MAX_PIXELS = 40_000_000
"""More than the 30,000 patches of 32 × 32 pixels above which the API refuses a picture."""
READING_SIDE = 2_000
"""Pixels: the text reader itself reduces anything larger."""
GRID = 16
"""Cells a side in which two pictures are compared."""


class Unreadable(Exception):
    """The bytes are no picture that the API would take; its text says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a glance tells of a picture."""

    width: int
    height: int
    colours: tuple[tuple[str, float], ...]
    """Names and their share of the area, largest first."""
    cells: tuple[Lab, ...]
    """GRID × GRID average colours, row by row."""

    @property
    def light(self) -> float:
        """0 for black, 1 for white."""
        return sum(cell[0] for cell in self.cells) / len(self.cells)


def look(data: bytes) -> Look:
    """Decodes a picture and looks at it; raises Unreadable."""
    image, size = decode(data)
    small = image.resize((GRID, GRID), Image.Resampling.BOX)
    flat = small.tobytes()
    cells = tuple(colours.lab(*flat[at : at + 3]) for at in range(0, len(flat), 3))
    return Look(*size, colours.shares(image), cells)


def decode(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """The picture in plain RGB, perhaps smaller than it is, and its true size; raises Unreadable."""
    plugin = plugin_for(data)
    if plugin is None:
        raise Unreadable("it is not a PNG, JPEG, WebP or GIF")
    # Any fault of a decoder means the same: the bytes are damaged. Decoders raise nearly anything.
    try:
        with plugin(BytesIO(data)) as image:
            size = image.size
            if size[0] * size[1] > MAX_PIXELS:
                raise Unreadable(f"{size[0]} × {size[1]} pixels are too many")
            image.draft("RGB", (READING_SIDE, READING_SIDE))
            return flatten(image), size
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable("it is damaged or cut off") from error


def plugin_for(data: bytes) -> type[ImageFile.ImageFile] | None:
    # The decoders are named here and not found by Image.open, which warns about large pictures on
    # standard error before anybody can refuse them.
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GifImagePlugin.GifImageFile
    return None


def flatten(image: Image.Image) -> Image.Image:
    """Plain RGB, transparency on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")
