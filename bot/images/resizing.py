"""Pixels → fewer pixels: in SIMD where a wheel brings it, by Pillow elsewhere."""

import os
import threading
from functools import cache

from PIL import Image as Pillow
from PIL import _imaging

from bot.images.pixels import is_opaque

try:
    from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions
    from cykooz_resizer.rust_lib import PilImageWrapper, ResizerThreadPool, RustResizer
except ImportError:  # No wheel for this machine, such as Linux on ARM.
    FAST = False
else:
    FAST = True

Box = tuple[float, float, float, float]

# What the fast way reads and writes in place.
FAST_MODES = frozenset({"L", "RGB", "RGBA"})


# Blocks of 16 MiB that Pillow keeps for the next picture instead of asking the system for new ones.
KEPT_BLOCKS = 2

# Pixels of a picture whose buffers are kept for the next one, at four bytes each.
KEPT_PIXELS = 9_000_000
OWN = threading.local()

# Pixels between the two walks, at four bytes each, beyond which a picture is resized band by band.
MOST_BETWEEN = 2_800_000
BANDS = 8

# That resize one picture: somebody waits for it.
THREADS = 2


def resize(
    picture: Pillow.Image, size: tuple[int, int], box: Box | None = None, *, sharp: bool
) -> Pillow.Image:
    """The picture, or the part of it in `box`, at this smaller size in pixels.

    `sharp` keeps the edges of letters; a camera's picture has none that fine, and takes half the time.
    A machine gives the same pixels every time; two kinds of machine may differ in a colour's last bit.
    """
    if picture.size == size:
        return picture
    picture.load()
    if not FAST or picture.mode not in FAST_MODES:
        way = Pillow.Resampling.BICUBIC if sharp else Pillow.Resampling.BILINEAR
        return picture.resize(size, way, box=box, reducing_gap=2.0)
    smaller = fast(picture, size, box, sharp=sharp, alpha=False)
    # Weighing by alpha, lest a clear pixel's colour shine into its neighbours, takes four times as long.
    if picture.mode == "RGBA" and not is_opaque(smaller):
        smaller = fast(picture, size, box, sharp=sharp, alpha=True)
    # The colour profile above all: what it says holds for the smaller picture too.
    smaller.info = dict(picture.info)
    return smaller


def fast(
    picture: Pillow.Image, size: tuple[int, int], box: Box | None, *, sharp: bool, alpha: bool
) -> Pillow.Image:
    """In bands where the picture is large: between its two walks the resizer holds a picture of all rows."""
    left, top, right, bottom = box or (0, 0, *picture.size)
    kind = FilterType.catmull_rom if sharp else FilterType.bilinear
    # No colour: every pixel is written anyway.
    smaller = Pillow.new(picture.mode, size, None)
    deep = -(-size[1] // BANDS) if size[0] * picture.height > MOST_BETWEEN else size[1]
    step = (bottom - top) / size[1]
    for first in range(0, size[1], deep):
        rows = min(deep, size[1] - first)
        band = smaller if rows == size[1] else Pillow.new(picture.mode, (size[0], rows), None)
        # The resizer looks beyond the part that it is given: bands leave no seams.
        begin = top + first * step
        crop = CropBox(left, begin, right - left, min(rows * step, bottom - begin))
        options = ResizeOptions(
            ResizeAlg.convolution(kind), crop_box=crop, use_alpha=alpha, thread_pool=threads()
        )
        # What the library's own Python part would do, which weighs by alpha whatever it is told.
        resizer_for(picture).resize_pil(
            PilImageWrapper(picture), PilImageWrapper(band), options.rust_options
        )
        if band is not smaller:
            smaller.paste(band, (0, first))
    return smaller


@cache
def keep_memory() -> None:
    """Has Pillow keep its memory, once: the system clears each new page, which takes longer than resizing."""
    _imaging.set_blocks_max(KEPT_BLOCKS)


@cache
def threads() -> "ResizerThreadPool":
    """Those of this process, whoever resizes; started when the first picture comes."""
    return ResizerThreadPool(min(THREADS, os.cpu_count() or 1))


def resizer_for(picture: Pillow.Image) -> "RustResizer":
    """This thread's own, which keeps its memory, since new memory costs as much as the resizing."""
    if picture.width * picture.height > KEPT_PIXELS:
        return RustResizer()
    if not hasattr(OWN, "resizer"):
        OWN.resizer = RustResizer()
    return OWN.resizer
