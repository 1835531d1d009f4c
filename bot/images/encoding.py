"""Pixels → the bytes that are kept and sent: PNG or JPEG, by what is to be seen."""

import os
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

from PIL import Image as Pillow
from PIL import ImageChops

QUALITY = 85
"""Of photographs: nothing that a model could read is lost (`make bench` measures it)."""
QUALITY_GRAPHICS = 90
"""Of screens and drawings, which keep all their colours too: there the text is smallest."""
FEW_COLOURS = 256
"""Up to so many, PNG keeps graphics exactly, and often in fewer bytes."""
PNG_ADVANTAGE = 2
"""Graphics of few colours stay PNG up to so many times the bytes of JPEG; others while it is the smaller one."""
PNG_EFFORT = 3
"""Level 6 takes twice the time, and makes screenshots no smaller."""
FLAT = 0.5
"""The share of pixels like their neighbour: screens have 0.7 and more, photographs 0.45 at most."""
SMALL = 65_536
"""Pixels; up to so many, a picture is kept well whatever it shows: it costs next to nothing."""
BANDS = 12
ALIKE = 2
"""Shades of 256 within which two pixels are alike."""


def encode(picture: Pillow.Image, *, exact: bool, fine: bool, shrunk: bool) -> tuple[str, bytes]:
    """Media type and bytes; `exact` is what no JPEG was before, `fine` what has colours as sharp as light."""
    if not exact:
        return "image/jpeg", jpeg(picture, QUALITY, fine=fine)
    if not is_drawn(picture):
        return "image/jpeg", jpeg(picture, QUALITY, fine=False)
    encoded = jpeg(picture, QUALITY_GRAPHICS, fine=True)
    few = picture.getcolors(FEW_COLOURS) is not None
    # Shrinking makes edges soft, and soft edges are long in PNG: then it is not even tried.
    if few or not shrunk:
        kept = saved(picture, "PNG", compress_level=PNG_EFFORT)
        if len(kept) <= len(encoded) * (PNG_ADVANTAGE if few else 1):
            return "image/png", kept
    return "image/jpeg", encoded


def is_drawn(picture: Pillow.Image) -> bool:
    """Whether it is a screen or a drawing, which have even surfaces, and no photograph, which has grain."""
    if picture.width < 2 or picture.width * picture.height < SMALL:
        return True
    alike = looked_at = 0
    # A few bands tell as much as all of it, in a quarter of the time.
    deep = max(1, picture.height // (4 * BANDS))
    for top in range(0, picture.height - deep + 1, max(1, picture.height // BANDS)):
        light = picture.crop((0, top, picture.width, top + deep)).getchannel("G")
        left, right = light.crop((0, 0, light.width - 1, deep)), light.crop((1, 0, *light.size))
        steps = ImageChops.difference(left, right).histogram()
        alike, looked_at = alike + sum(steps[:ALIKE]), looked_at + sum(steps)
    return alike >= FLAT * looked_at


def jpeg(picture: Pillow.Image, quality: int, *, fine: bool) -> bytes:
    sampling = "4:4:4" if fine else "4:2:0"
    return saved(picture, "JPEG", quality=quality, subsampling=sampling)


def saved(picture: Pillow.Image, kind: str, **options: int | str) -> bytes:
    """The picture as a file."""
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
