"""Pixels → the names of their colours, by distance in a space where distance is what eyes see."""

import math
from collections import Counter
from functools import lru_cache

from PIL import Image

Lab = tuple[float, float, float]

SIDE = 128
"""Pixels: enough to weigh colours by area, small enough to name them in a millisecond or two."""
SHADES = 64
LEAST_SHARE = 0.04

# One name has several anchors, since a name covers a range of shades, not a point.
NAMES = {
    "white": ("ffffff", "f7f7f7"),
    "light grey": ("dcdcdc", "c4c4c4"),
    "grey": ("a0a0a0", "808080", "6c6c6c"),
    "dark grey": ("505050", "3a3a3a", "2f4246"),
    "black": ("000000", "1c1c1c"),
    "red": ("ff0000", "d01c1c", "e24a4a"),
    "dark red": ("8b0000", "9c2410", "5e1212"),
    "orange": ("ff8c00", "ffa500", "f26a21"),
    "brown": ("8b4513", "a9642f", "5c3a21", "3d2415"),
    "tan": ("d2b48c", "c19a6b", "a8876a"),
    "cream": ("f7f0e3", "fff4d6", "f0e0c0"),
    "yellow": ("ffff00", "ffd700", "f0c93a", "fff176"),
    "gold": ("d4af37", "e1ad01", "b8902a"),
    "olive": ("808000", "6f7033", "4d4d1f", "a8a45a"),
    "lime green": ("00ff00", "9aef32", "a4d03a"),
    "green": ("008000", "2fa84f", "4c8c3c", "567d46"),
    "light green": ("90ee90", "bfe3b4"),
    "dark green": ("0b4a22", "22452b", "14301c"),
    "teal": ("008080", "14574f", "2f8f88"),
    "turquoise": ("40e0d0", "00ffff", "48c9d6"),
    "light blue": ("87ceeb", "add8e6", "cfe4f2", "8fb4dc"),
    "blue": ("0000ff", "1e6fd9", "4169e1", "3f87c9"),
    "dark blue": ("000080", "1b2a52", "24407a"),
    "purple": ("800080", "6a2c91", "7a2a6b", "4a154b", "8a2be2"),
    "lavender": ("c8b6e2", "e6e0fa"),
    "magenta": ("ff00ff", "c71585", "e0359a"),
    "pink": ("ffc0cb", "ff69b4", "eea0ac", "fa8072"),
}


def shares(image: Image.Image) -> tuple[tuple[str, float], ...]:
    """The named colours of an RGB picture with their share of its area, largest first."""
    # Pixels are picked, not averaged: black text on white is not grey.
    size = (min(SIDE, image.width), min(SIDE, image.height))
    small = image.resize(size, Image.Resampling.NEAREST)
    flat = small.quantize(SHADES, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = flat.getpalette() or []
    area = Counter[str]()
    for count, index in flat.getcolors(SHADES) or []:
        assert isinstance(index, int)
        red, green, blue = palette[3 * index : 3 * index + 3]
        area[name(red, green, blue)] += count
    whole = small.width * small.height
    ranked = ((each, count / whole) for each, count in area.most_common())
    return tuple((each, share) for each, share in ranked if share >= LEAST_SHARE)


@lru_cache(4096)
def name(red: int, green: int, blue: int) -> str:
    """The name of the nearest anchor."""
    here = lab(red, green, blue)
    return min(anchors(), key=lambda anchor: distance(anchor[1], here))[0]


def distance(one: Lab, other: Lab) -> float:
    """How different two colours look: 0.02 is just visible, black to white is 1."""
    return math.dist(one, other)


@lru_cache(4096)
def lab(red: int, green: int, blue: int) -> Lab:
    """sRGB bytes → Oklab (Björn Ottosson, 2020)."""
    r, g, b = linear(red), linear(green), linear(blue)
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def linear(byte: int) -> float:
    """An sRGB byte → light."""
    value = byte / 255
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


@lru_cache(1)
def anchors() -> tuple[tuple[str, Lab], ...]:
    return tuple(
        (each, lab(*bytes.fromhex(shade))) for each, shades in NAMES.items() for shade in shades
    )
