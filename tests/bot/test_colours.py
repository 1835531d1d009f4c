"""Colours end as sRGB means them, whichever way a file says what it means."""

import struct
import time
import zlib
from collections.abc import Sequence

import pytest
from PIL import Image

from bot import images
from bot.images import colours, headers
from tests import pictures

# Chromaticities of red, green and blue, and of white (D65 but for ProPhoto's D50), from each standard.
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SPACES = {
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65),
    "p3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65),
    "adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65),
    "prophoto": ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), D50),
    "2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
}
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
STORED = [(200, 100, 50), (60, 140, 90), (128, 128, 128), (250, 250, 250), (30, 30, 60)]

Matrix = Sequence[Sequence[float]]
Triple = Sequence[float]


# The colour mathematics of every textbook.


def times(matrix: Matrix, vector: Triple) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def product(one: Matrix, other: Matrix) -> Matrix:
    return transposed([times(one, column) for column in transposed(other)])


def transposed(matrix: Matrix) -> Matrix:
    return list(zip(*matrix, strict=True))


def inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return [[each / whole for each in row] for row in cofactors]


def spot(xy: tuple[float, float]) -> list[float]:
    return [xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]]


def to_d50(space: str) -> Matrix:
    """Linear red, green and blue → XYZ under the white of profiles."""
    *lights, white = SPACES[space]
    shares = transposed([spot(each) for each in lights])
    scales = times(inverse(shares), spot(white))
    own = [[value * scale for value, scale in zip(row, scales, strict=True)] for row in shares]
    before, after = times(BRADFORD, spot(white)), times(BRADFORD, spot(D50))
    adapt = [[after[n] / before[n] if n == m else 0.0 for m in range(3)] for n in range(3)]
    return product(product(product(inverse(BRADFORD), adapt), BRADFORD), own)


def as_srgb(light: Triple, space: str) -> tuple[int, int, int]:
    """Linear light of a space as stored in sRGB."""
    shown = times(inverse(to_d50("srgb")), times(to_d50(space), light))
    red, green, blue = (round(255 * bent(min(1.0, max(0.0, each)))) for each in shown)
    return red, green, blue


def bent(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def straight(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def linear(stored: Triple, gamma: float | None) -> list[float]:
    return [straight(each / 255) if gamma is None else (each / 255) ** gamma for each in stored]


# Files


def swatches() -> Image.Image:
    """A square of each stored colour."""
    picture = Image.new("RGB", (64 * len(STORED), 64))
    for place, colour in enumerate(STORED):
        picture.paste(colour, (64 * place, 0, 64 * place + 64, 64))
    return picture


def seen(data: bytes) -> list[tuple[int, int, int]]:
    picture = pictures.opened(images.prepare(data, "gpt-4o", "high").data).convert("RGB")
    return [picture.getpixel((64 * n + 32, 32)) for n in range(len(STORED))]  # type: ignore[misc]


def profile_of(space: str, gamma: float) -> bytes:
    red, green, blue = transposed(to_d50(space))
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return colours.bound(
        {
            b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + bytes(78),
            b"cprt": b"text\0\0\0\0none\0\0\0\0",
            b"wtpt": pictures.xyz(0.9642, 1.0, 0.8249),
            b"rXYZ": pictures.xyz(*red),
            b"gXYZ": pictures.xyz(*green),
            b"bXYZ": pictures.xyz(*blue),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
        }
    )


def for_space(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of a class, a space and a way to connect it, with these tags and the usual ones."""
    usual = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Mine\0" + bytes(78),
        b"wtpt": pictures.xyz(0.9642, 1.0, 0.8249),
    }
    profile = colours.bound({**usual, **tags})
    return profile[:12] + kind + profile[24:]


def inks_to(lab: tuple[int, int, int]) -> bytes:
    """A table that shows all inks in one colour, and what has black in it as black."""
    ramp = bytes(range(256))
    colour = bytes((round(lab[0] * 2.55), lab[1] + 128, lab[2] + 128))
    unchanged = struct.pack(">9i", *(65_536 * (at % 4 == 0) for at in range(9)))
    return b"mft1\0\0\0\0\4\3\2\0" + unchanged + ramp * 4 + (colour + b"\0\x80\x80") * 8 + ramp * 3


def from_lab(lab: tuple[int, int, int]) -> tuple[int, int, int]:
    """CIE 1976, under the white of profiles."""
    middle = (lab[0] + 16) / 116
    roots = middle + lab[1] / 500, middle, middle - lab[2] / 200
    xyz = [
        white * (root**3 if root > 6 / 29 else 3 * (6 / 29) ** 2 * (root - 4 / 29))
        for root, white in zip(roots, spot(D50), strict=True)
    ]
    red, green, blue = times(inverse(to_d50("srgb")), xyz)
    return as_srgb((red, green, blue), "srgb")


def named(kind: str, primaries: int, transfer: int) -> bytes:
    """A file that only names its colours."""
    if kind == "PNG":
        data = pictures.saved(swatches(), "PNG")
        return data[:33] + pictures.chunk(b"cICP", bytes((primaries, transfer, 0, 1))) + data[33:]
    if kind == "HEIC":
        return pictures.heic(
            picture=swatches(),
            quality=100,
            chroma=444,
            color_primaries=primaries,
            transfer_characteristics=transfer,
        )
    data = pictures.saved(swatches(), "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize(
    ("space", "gamma"), [("adobe", 2.19921875), ("prophoto", 1.8), ("p3", 2.2)]
)
def test_the_colours_of_a_profile_are_shown_as_they_are_meant(
    kind: str, space: str, gamma: float
) -> None:
    picture, profile = swatches(), profile_of(space, gamma)
    fine: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 100, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True},
    }
    if kind == "HEIC":
        picture.info["icc_profile"] = profile
        data = pictures.heic(picture=picture, quality=100, chroma=444)
    else:
        data = pictures.saved(picture, kind, icc_profile=profile, **fine.get(kind, {}))

    for stored, pixel in zip(STORED, seen(data), strict=True):
        assert pictures.close(pixel, as_srgb(linear(stored, gamma), space), 5)


@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIC"])
@pytest.mark.parametrize(("space", "primaries"), [("p3", 12), ("2020", 9)])
def test_colours_that_are_only_named_are_shown_as_they_are_meant(
    kind: str, space: str, primaries: int
) -> None:
    data = named(kind, primaries, 13)

    assert headers.read(data).colours == (primaries, 13)
    for stored, pixel in zip(STORED, seen(data), strict=True):
        assert pictures.close(pixel, as_srgb(linear(stored, None), space), 6)


@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIC"])
@pytest.mark.parametrize("numbers", [(1, 13), (1, 1), (2, 2), (6, 6)])
def test_common_names_leave_colours_as_they_are(kind: str, numbers: tuple[int, int]) -> None:
    assert all(map(pictures.close, seen(named(kind, *numbers)), STORED, [6] * len(STORED)))


def test_a_name_goes_before_a_png_s_profile_and_after_that_of_a_photo() -> None:
    wide = profile_of("prophoto", 1.8)
    plain = pictures.saved(swatches(), "PNG", icc_profile=wide)
    both = plain[:33] + pictures.chunk(b"cICP", bytes((12, 13, 0, 1))) + plain[33:]
    photo = swatches()
    photo.info["icc_profile"] = wide

    meant = as_srgb(linear(STORED[1], None), "p3")
    profiled = as_srgb(linear(STORED[1], 1.8), "prophoto")

    assert pictures.close(seen(both)[1], meant, 5)
    assert pictures.close(
        seen(pictures.heic(picture=photo, quality=100, chroma=444))[1], profiled, 5
    )


@pytest.mark.parametrize(
    ("transfer", "signal", "candelas"),
    # From the tables of SMPTE ST 2084 and ITU-R BT.2408.
    [(16, 0.508, 100), (16, 0.440, 50), (16, 0.0, 0), (18, 0.5, 50.7), (18, 0.0, 0)],
)
def test_a_picture_for_bright_screens_is_as_bright_as_paper_shows_it(
    transfer: int, signal: float, candelas: float
) -> None:
    grey = pictures.png(64, 64, f"rgb({', '.join([str(round(signal * 255))] * 3)})")
    data = grey[:33] + pictures.chunk(b"cICP", bytes((9, transfer, 0, 1))) + grey[33:]

    pixel = pictures.opened(images.prepare(data, "gpt-4o", "high").data).convert("RGB")

    assert pictures.close(pixel.getpixel((32, 32)), (round(255 * bent(candelas / 203)),) * 3, 4)


@pytest.mark.parametrize("transfer", [16, 18])
def test_what_is_brighter_than_paper_is_still_told_apart(transfer: int) -> None:
    curve = colours.CURVES[transfer]
    lights = [curve(at / 255) for at in range(256)]

    assert lights == sorted(lights)
    assert 0.8 < curve(0.75 if transfer == 18 else 0.58) < 0.87 < curve(1.0) <= 1.0


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_heeded(mode: str) -> None:
    light = b"curv\0\0\0\0" + struct.pack(">IH", 1, 256)
    profile = for_space(b"mntrGRAYXYZ ", {b"kTRC": light})
    picture = Image.new("I;16", (64, 64), 128 * 257)
    if mode != "I;16":
        picture = Image.new("L", (64, 64), 128).convert(mode)

    for kind in ("PNG", "AVIF") if mode != "I;16" else ("PNG",):
        data = pictures.saved(picture, kind, icc_profile=profile)

        pixel = pictures.opened(images.prepare(data, "gpt-4o", "high").data).convert("RGB")
        assert pictures.close(pixel.getpixel((32, 32)), (round(255 * bent(128 / 255)),) * 3, 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_grey_profile_takes_no_colours_away(mode: str) -> None:
    light = b"curv\0\0\0\0" + struct.pack(">IH", 1, 256)
    profile = for_space(b"mntrGRAYXYZ ", {b"kTRC": light})

    assert seen(pictures.saved(swatches().convert(mode), "PNG", icc_profile=profile)) == STORED


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("inks", "lab"),
    [
        ((0, 0, 0, 0), (100, 0, 0)),
        ((255, 0, 0, 0), (60, -30, -30)),
        ((0, 255, 255, 0), (48, 60, 40)),
    ],
)
def test_a_printer_s_inks_are_shown_as_its_profile_means_them(
    kind: str, inks: tuple[int, int, int, int], lab: tuple[int, int, int]
) -> None:
    profile = for_space(b"prtrCMYKLab ", {b"A2B0": inks_to(lab)})
    picture = Image.new("CMYK", (64, 64), inks)
    data = pictures.saved(picture, kind, icc_profile=profile, quality=100)

    pixel = pictures.opened(images.prepare(data, "gpt-4o", "high").data).convert("RGB")

    assert pictures.close(pixel.getpixel((32, 32)), from_lab(lab), 6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize(
    "profile",
    [
        bytes(200),
        profile_of("p3", 2.2)[:200],
        profile_of("p3", 2.2).replace(b"rXYZ", b"xxxx"),
        profile_of("p3", 2.2)[:128] + b"\xff" * 400,
        for_space(b"mntrGRAYXYZ ", {}),
    ],
    ids=["nothing", "cut", "without red", "noise", "of grey"],
)
def test_a_profile_that_makes_no_sense_is_left_out(kind: str, profile: bytes) -> None:
    picture = swatches()
    if kind == "HEIC":
        picture.info["icc_profile"] = profile
        data = pictures.heic(picture=picture, quality=100, chroma=444)
    else:
        lossless = {"lossless": True} if kind == "WEBP" else {}
        data = pictures.saved(picture, kind, icc_profile=profile, quality=100, **lossless)

    assert all(map(pictures.close, seen(data), STORED, [12] * len(STORED)))


@pytest.mark.parametrize(
    "body",
    [
        b"bomb\0\0" + zlib.compress(bytes(60_000_000)),
        b"bomb\0\0" + zlib.compress(profile_of("p3", 2.2) + bytes(2_000_000)),
        b"noise\0\0" + b"\x99" * 400,
        b"other way\0\1" + zlib.compress(bytes(200)),
        b"no end",
        b"",
    ],
)
def test_a_png_is_seen_whatever_stands_where_its_profile_should(body: bytes) -> None:
    data = pictures.saved(swatches(), "PNG")

    data = data[:33] + pictures.chunk(b"iCCP", body) + data[33:]

    assert seen(data) == STORED


def test_of_thousands_of_profiles_one_is_unpacked() -> None:
    body = b"again\0\0" + zlib.compress(profile_of("adobe", 2.19921875) + bytes(1_000_000), 9)
    data = pictures.saved(swatches(), "PNG")

    data = data[:33] + pictures.chunk(b"iCCP", body) * 5000 + data[33:]

    begun = time.thread_time()
    assert pictures.close(seen(data)[0], as_srgb(linear(STORED[0], 2.19921875), "adobe"), 5)
    assert time.thread_time() - begun < 2


def test_a_profile_that_would_take_minutes_to_compute_is_left_out() -> None:
    # The same step thirty thousand times, told in eight bytes each.
    step = b"matf\0\0\0\0" + struct.pack(">HH12f", 3, 3, *(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0))
    head, steps = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, 30_000), 30_000
    places = struct.pack(">II", len(head) + 8 * steps, len(step)) * steps
    profile = for_space(b"mntrRGB XYZ ", {b"D2B0": head + places + step})
    data = pictures.saved(
        swatches(), "WEBP", lossless=True, icc_profile=profile[:8] + b"\4" + profile[9:]
    )

    begun = time.thread_time()
    pixels = seen(data)

    assert time.thread_time() - begun < 3
    assert all(map(pictures.close, pixels, STORED, [12] * len(STORED)))


def test_a_profile_of_many_megabytes_is_left_out_of_a_photo() -> None:
    profile = profile_of("p3", 2.2) + bytes(5_000_000)
    data = pictures.saved(swatches(), "WEBP", lossless=True, icc_profile=profile)

    assert all(map(pictures.close, seen(data), STORED, [12] * len(STORED)))


def test_files_that_name_ever_other_colours_take_no_memory() -> None:
    for transfer in range(100, 140):
        assert colours.profile(12, transfer) is not None

    assert colours.profile.cache_info().currsize <= 16
