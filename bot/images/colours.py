"""Colours as their file means them → colours as sRGB means them."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO
from math import exp
from struct import pack

from PIL import Image as Pillow
from PIL import ImageChops, ImageCms

from bot.images.reading import Header

MOST_PROFILE = 4_000_000
"""Bytes of a colour profile; a printer's has up to three million, and what is larger is left out."""
PROGRAM = b"mpet"
"""The kind of a profile's part that is a list of any number of steps: one of a few kilobytes could take minutes."""
SPACES = {"L": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}

# By ITU-T H.273, as PNG, HEIC and AVIF name colours without a profile.
BT_709, BT_2020, DISPLAY_P3 = 1, 9, 12
LINEAR, PQ, HLG = 8, 16, 18

Colour = tuple[float, float, float]
PRIMARIES: Mapping[int, tuple[Colour, Colour, Colour]] = {
    BT_709: ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
    BT_2020: (
        (0.67348, 0.27904, -0.00193),
        (0.16566, 0.67535, 0.02998),
        (0.12505, 0.04561, 0.79686),
    ),
    DISPLAY_P3: (
        (0.51512, 0.24120, -0.00105),
        (0.29198, 0.69225, 0.04189),
        (0.15710, 0.06657, 0.78407),
    ),
}
"""Red, green and blue in XYZ, brought to the white of profiles (D50)."""
WHITE = (0.9642, 1.0, 0.8249)
STEPS = 4096
"""Of a curve from what is stored to light."""
PAPER = 203
"""Candelas of white paper in a picture for bright screens (ITU-R BT.2408)."""
KNEE = 0.6
"""Up to this share of white paper light stays as it is; what is brighter is pressed into the rest."""


def in_its_colours(picture: Pillow.Image, header: Header) -> Pillow.Image:
    """The picture with a profile of the colours that its file only names."""
    named = profile(*header.colours) if header.colours else None
    # A PNG's name goes before its profile; elsewhere it is there for programs that read no profiles.
    if named and (header.format == "PNG" or not picture.info.get("icc_profile")):
        picture.info["icc_profile"] = named
    return picture


def in_srgb(picture: Pillow.Image) -> Pillow.Image:
    """Colours of another profile brought to sRGB; a profile that makes no sense is left out."""
    given = picture.info.get("icc_profile")
    if not isinstance(given, bytes) or not 128 < len(given) <= MOST_PROFILE or PROGRAM in given:
        return picture
    if given[16:20] == SPACES["L"] and is_grey(picture):
        return grey_in_srgb(picture, given)
    if given[16:20] != SPACES.get(picture.mode):
        return picture
    try:
        meant = ImageCms.ImageCmsProfile(BytesIO(given))
        if ImageCms.getProfileDescription(meant).strip().lower().startswith(("srgb", "c2")):
            return picture
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            picture, meant, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    return converted or picture


def is_grey(picture: Pillow.Image) -> bool:
    """Whether a picture in red, green and blue has no colour: its decoder knows no plain grey."""
    if picture.mode not in ("RGB", "RGBA"):
        return False
    red, green, blue, *_ = picture.split()
    return not any(ImageChops.difference(red, each).getbbox() for each in (green, blue))


def grey_in_srgb(picture: Pillow.Image, given: bytes) -> Pillow.Image:
    """By the profile of its grey, with what is transparent left as it is."""
    grey, *_ = picture.split()
    grey.info = {"icc_profile": given}
    shown = in_srgb(grey).convert("RGB")
    if picture.mode == "RGBA":
        shown.putalpha(picture.getchannel("A"))
    return shown


# Few: a file may name any numbers.
@lru_cache(maxsize=16)
def profile(primaries: int, transfer: int) -> bytes | None:
    """A profile of colours that are named by their numbers; None for sRGB's, and for those nobody uses."""
    curve = CURVES.get(transfer)
    if primaries not in PRIMARIES or (primaries == BT_709 and curve is None):
        return None
    curve = curve or srgb
    steps = [round(65_535 * min(1.0, curve(at / (STEPS - 1)))) for at in range(STEPS)]
    red, green, blue = (coordinates(each) for each in PRIMARIES[primaries])
    light = b"curv\0\0\0\0" + pack(f">I{STEPS}H", STEPS, *steps)
    name = b"Named\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0\0\0\0\0",
        b"wtpt": coordinates(WHITE),
        b"rXYZ": red,
        b"gXYZ": green,
        b"bXYZ": blue,
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), light),
    }
    return bound(tags)


def bound(tags: Mapping[bytes, bytes]) -> bytes:
    """The parts of a profile as one file (ICC.1:2001-04)."""
    table, body, start = pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, part in tags.items():
        table += name + pack(">II", start + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = b"\x02\x10\0\0mntrRGB XYZ ".rjust(20, b"\0").ljust(32, b"\0") + b"acsp" + bytes(28)
    head += coordinates(WHITE)[8:] + bytes(48)
    return pack(">I", 4 + len(head) + len(table) + len(body)) + head + table + body


def coordinates(colour: Colour) -> bytes:
    return b"XYZ \0\0\0\0" + pack(">3i", *(round(part * 65_536) for part in colour))


def srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def pq(value: float) -> float:
    """SMPTE ST 2084."""
    root = value ** (1 / 78.84375)
    candelas = 10_000 * (max(0.0, root - 0.8359375) / (18.8515625 - 18.6875 * root)) ** (
        1 / 0.1593017578125
    )
    return pressed(candelas / PAPER)


def hlg(value: float) -> float:
    """ITU-R BT.2100, on a screen of 1,000 candelas."""
    scene = (
        value * value / 3
        if value <= 0.5
        else (exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return pressed(1_000 * scene**1.2 / PAPER)


def pressed(light: float) -> float:
    """Light by that of white paper, within what a common screen can show."""
    if light <= KNEE:
        return light
    return 1 - (1 - KNEE) * exp((KNEE - light) / (1 - KNEE))


CURVES: Mapping[int, Callable[[float], float]] = {LINEAR: lambda value: value, PQ: pq, HLG: hlg}
"""What differs from sRGB's curve; video's own looks the same on a screen."""
