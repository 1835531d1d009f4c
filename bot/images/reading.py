"""What every reader of headers shares: what a header says, what is allowed, and the sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from bot.errors import PictureUnseen

Format = Literal["JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF", "TIFF", "BMP", "ICO", "PDF"]
Order = Literal["big", "little"]
Size = tuple[int, int]

LONGEST_SIDE = 65_535
"""Pixels: the limit of JPEG and of every model."""
MOST_STEPS = 500_000
"""Chunks or blocks that are walked; a GIF of 100 MB has fewer."""

CUT_OFF = "the file is cut off; post it again"
DAMAGED = "the file is damaged and cannot be read; save it anew and post it again"
NO_PAGES = "it has no pages, so there is nothing to see; export it anew and post it again"
TOO_LARGE = "reading it takes more memory than there is; post it smaller"


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
    layered: bool = False
    """True for a JPEG whose pixels come in several walks over all of it."""
    positive_inks: bool = False
    """True for a JPEG in four inks that are not stored inverted, as Adobe's programs store them."""
    pages: tuple[tuple[int, Size], ...] = ()
    """Where the pages of a TIFF stand among its pictures, and their sizes; the others are small copies."""
    colours: tuple[int, int] | None = None
    """Primaries and curve by their numbers in ITU-T H.273, where the file names them."""

    @property
    def size(self) -> Size:
        """Width and height as stored."""
        return self.width, self.height

    @property
    def upright(self) -> Size:
        """Width and height as people see them."""
        return (self.height, self.width) if self.turn >= 5 else (self.width, self.height)


def check(name: str, width: int, height: int, megapixels: int) -> None:
    """Refuses what no picture is, and what would take too much memory to decode; the name has its article."""
    if width < 1 or height < 1:
        raise PictureUnseen(DAMAGED)
    if width * height > megapixels * 1_000_000:
        raise PictureUnseen(
            f"it has {width}×{height} pixels, and {name} may have {megapixels} million; "
            "post it smaller"
        )
    if max(width, height) > LONGEST_SIDE:
        raise PictureUnseen(
            f"it has {width}×{height} pixels, and a side may have {LONGEST_SIDE:,}; post it smaller"
        )


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


@contextmanager
def damage_told(words: str = DAMAGED) -> Iterator[None]:
    """Turns whatever a decoder throws into a sentence: they throw nearly everything."""
    try:
        yield
    except PictureUnseen:
        raise
    except MemoryError as error:
        raise PictureUnseen(TOO_LARGE) from error
    except Exception as error:
        said = str(error).lower()
        cut = isinstance(error, EOFError) or "truncated" in said or "premature" in said
        raise PictureUnseen(CUT_OFF if cut else words) from error


def number(data: bytes | memoryview, at: int, size: int, order: Order) -> int:
    """A whole number inside the file; raises IndexError past its end."""
    if at < 0 or at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], order)
