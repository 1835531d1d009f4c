"""Pixels of any kind → plain RGB: upright, opaque, eight bits, colours as sRGB means them."""

from PIL import Image as Pillow
from PIL import ImageChops, ImageCms

from bot.images.colours import in_srgb
from bot.tokens import Size

DARKEST_WHITE = 0.25
"""A scientific picture whose brightest spot is darker than this is shown brighter: it would be black."""

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
    """The picture as people see it, from its EXIF turn."""
    return picture.transpose(TURNS[turn]) if turn in TURNS else picture


def turned(size: Size, turn: int) -> Size:
    """A size as it is stored, from the size as it is seen, and back."""
    return (size[1], size[0]) if turn >= 5 else size


def full_colour(picture: Pillow.Image) -> Pillow.Image:
    """The pixels in a mode that may be averaged: grey, RGB or RGBA, at eight bits."""
    if picture.mode.startswith("I"):
        return sixteen_bits(picture)
    if picture.mode == "F":
        return measured_light(picture)
    if picture.mode == "LAB":
        return from_lab(picture)
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def sixteen_bits(picture: Pillow.Image) -> Pillow.Image:
    """Grey of 16 bits, brought to eight by its upper byte; Pillow alone would clip it to white.

    What a microscope keeps in the lowest bits of a TIFF, and any grey of 32 bits, is stretched instead.
    """
    whole = picture.convert("I")
    low, high = extremes(whole)
    faint = picture.format == "TIFF" and 0 < high < 65_535 * DARKEST_WHITE
    if faint or high > 65_535 or low < 0:
        return stretched(whole.convert("F"), min(low, 0.0) if faint else low, high)
    return whole.point(lambda value: value / 257 + 0.5).convert("L")


def measured_light(picture: Pillow.Image) -> Pillow.Image:
    """Measured light of any range, stretched from its darkest to its brightest spot."""
    return stretched(picture, *extremes(picture))


def extremes(picture: Pillow.Image) -> tuple[float, float]:
    """The darkest and the brightest spot of a picture with one channel."""
    low, high = picture.getextrema()
    assert not isinstance(low, tuple)
    assert not isinstance(high, tuple)
    return float(low), float(high)


def stretched(picture: Pillow.Image, low: float, high: float) -> Pillow.Image:
    span = high - low
    # Nothing there, or not a number: plain black, for want of anything to see.
    if not 0 < span < float("inf"):
        return Pillow.new("L", picture.size)
    return picture.point(lambda value: value * (255 / span) + (0.5 - low * 255 / span)).convert("L")


def from_lab(picture: Pillow.Image) -> Pillow.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def plain(picture: Pillow.Image) -> Pillow.Image:
    """Plain RGB: colours as sRGB means them, nothing transparent, nothing told about the picture."""
    picture = in_srgb(picture)
    if picture.mode == "RGBA" and not is_opaque(picture):
        picture = flat(picture)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    # Encoders write out what they find here, a JPEG's comment for one.
    picture.info = {}
    return picture


def is_opaque(picture: Pillow.Image) -> bool:
    """Whether nothing shines through a picture in RGBA."""
    return bool(picture.getchannel("A").getextrema() == (255, 255))


def flat(picture: Pillow.Image) -> Pillow.Image:
    """Laid on white, or on grey where hardly anything would be seen on white."""
    visible = picture.getchannel("A").point(lambda alpha: 255 if alpha >= 64 else 0)
    shades = picture.convert("L").histogram(visible)
    dark, all_of_them = sum(shades[:225]), sum(shades)
    colour = "#808080" if all_of_them and dark * 20 < all_of_them else "white"
    ground = Pillow.new("RGB", picture.size, colour)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def inverted(picture: Pillow.Image) -> Pillow.Image:
    """Inks the other way round."""
    turned_round = ImageChops.invert(picture)
    turned_round.info = dict(picture.info)
    return turned_round
