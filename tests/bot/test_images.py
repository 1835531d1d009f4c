import struct
import time
import tracemalloc
import zlib
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from PIL.GifImagePlugin import GifImageFile

from bot import images, tokens
from bot.domain import Detail
from bot.errors import PictureUnseen, SetupError
from bot.images import decoding, headers, pixels, resizing
from tests import pictures

PHONE = Path(__file__).parents[2] / "benchmarks/fixtures/phone_12mp_exif6_gps.jpg"
MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-5.6-luna", "gpt-5.4", "gpt-5-mini", "llava"]
DETAILS: list[Detail] = ["low", "high", "auto", "original"]


# What comes out


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pictures.photo(), "image/jpeg"),
        (pictures.photo(progressive=True), "image/jpeg"),
        (pictures.webp(640, 480), "image/jpeg"),
        (pictures.screenshot(), "image/png"),
        (pictures.webp(640, 480, lossless=True), "image/jpeg"),
        (pictures.gif(), "image/png"),
    ],
)
def test_photographs_become_jpeg_and_graphics_stay_png(data: bytes, kind: str) -> None:
    image = images.prepare(data, "gpt-4o", "high")

    assert image.media_type == kind
    assert pictures.opened(image.data).mode == "RGB"
    assert image.digest == sha256(image.data).hexdigest()
    assert image.receipt == "seen"


def test_the_same_bytes_always_give_the_same_bytes() -> None:
    data = pictures.photo(2000, 1500, exif=pictures.exif(turn=8))

    assert images.prepare(data, "gpt-4o", "high") == images.prepare(data, "gpt-4o", "high")


@pytest.mark.parametrize("data", [pictures.photo(1500, 1100), pictures.screenshot(1500, 1100)])
def test_equal_forms_are_equal_bytes_whichever_model_asks(data: bytes) -> None:
    made: dict[str, set[str]] = {}
    for model in MODELS:
        for detail in DETAILS:
            image = images.prepare(data, model, detail)
            made.setdefault(image.form, set()).add(image.digest)

    assert len(made) >= 5
    assert {form for form, digests in made.items() if len(digests) > 1} == set()


def test_a_phones_photo_is_turned_upright_and_shrunk_and_says_so() -> None:
    image = images.prepare(PHONE.read_bytes(), "gpt-4o", "high")

    assert image.receipt == "resized 3024×4032 → 756×1008"
    assert (image.width, image.height) == pictures.opened(image.data).size == (756, 1008)
    assert (image.original_width, image.original_height) == (3024, 4032)
    assert image.form == "tile-768"


def test_a_shrunk_photo_looks_like_the_original() -> None:
    data = PHONE.read_bytes()
    image = images.prepare(data, "gpt-5.6-luna", "high")
    with Image.open(BytesIO(data)) as original:
        exact = original.convert("RGB").resize((1824, 1368), Image.Resampling.LANCZOS)

    assert (image.width, image.height) == (1368, 1824)
    assert difference(exact.transpose(Image.Transpose.ROTATE_270), image.data) < 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_turn_ends_upright(turn: int, kind: str) -> None:
    upright = pictures.scene(300, 200)
    back = {6: 8, 8: 6}.get(turn, turn)
    stored = pixels.upright(upright, back)
    data = pictures.saved(stored, kind, exif=pictures.exif(turn=turn), quality=95)

    image = images.prepare(data, "gpt-4o", "high")

    assert images.measure(data) == (image.width, image.height) == (300, 200)
    # A JPEG's halved colours cost 14; any other turn of this scene costs more than 40.
    assert difference(upright, image.data) < 20


def test_an_orientation_told_after_the_pixels_is_heard() -> None:
    data = pictures.png(60, 40)
    turned = pictures.chunk(b"eXIf", pictures.exif(turn=6).removeprefix(b"Exif\0\0"))
    end = data.rindex(b"IEND") - 4

    assert images.measure(data[:end] + turned + data[end:]) == (40, 60)


@given(
    st.integers(1, 1400),
    st.integers(1, 1400),
    st.integers(1, 8),
    st.sampled_from(MODELS),
    st.sampled_from(DETAILS),
    st.sampled_from(["JPEG", "GIF"]),
)
@settings(max_examples=60, deadline=None)
def test_a_picture_is_never_enlarged_hardly_smaller_than_its_target_and_costs_the_same(
    width: int, height: int, turn: int, model: str, detail: Detail, kind: str
) -> None:
    extra = {"exif": pictures.exif(turn=turn)} if kind == "JPEG" else {}
    data = pictures.saved(Image.new("L", (width, height), "gray"), kind, **extra)
    rule = tokens.rule(model)

    image = images.prepare(data, model, detail)

    size = image.original_width, image.original_height
    target = rule.target(*size, detail)
    assert images.measure(data) == size
    assert rule.count(image.width, image.height, detail) == rule.count(*size, detail)
    for side, limit in zip((image.width, image.height), target, strict=True):
        assert limit * 39 / 40 <= side <= limit


@given(st.integers(1, 12_000), st.integers(1, 12_000), st.sampled_from(MODELS))
def test_a_jpegs_own_scale_is_only_taken_where_it_costs_the_same(
    width: int, height: int, model: str
) -> None:
    rule = tokens.rule(model)
    target = rule.target(width, height, "high")
    for scale in (8, 4, 2, 1):
        size = -(-width // scale), -(-height // scale)
        if decoding.is_near(size, target) and rule.alike((width, height), size, "high"):
            assert rule.count(*size, "high") == rule.count(width, height, "high")
            assert all(side <= limit for side, limit in zip(size, target, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (3, 65_500), (17, 5000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_thinnest_pictures_are_pictures(size: tuple[int, int], kind: str) -> None:
    data = pictures.saved(Image.new("RGB", size, "teal"), kind)

    for model in MODELS:
        image = images.prepare(data, model, "high")

        assert pictures.opened(image.data).size == (image.width, image.height)
        assert min(image.width, image.height) >= 1


def test_the_words_of_a_screenshot_stay_as_sharp_as_an_exact_resize() -> None:
    data = pictures.fixture("screenshot_text_1170x1100.png")
    exact = pictures.opened(data).resize((816, 768), Image.Resampling.LANCZOS)

    image = images.prepare(data, "gpt-4o", "high")

    assert (image.width, image.height) == (816, 768)
    assert difference(exact, image.data) < 4


# Colours


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_the_same_plain_grey(mode: str) -> None:
    grey = 255 if mode == "1" else 128
    shade = grey * 257 if mode == "I;16" else grey
    picture = Image.new("I;16" if mode == "I;16" else "L", (40, 30), shade).convert(mode)

    image = images.prepare(pictures.saved(picture, "PNG"), "gpt-4o", "high")

    assert pictures.opened(image.data).getpixel((20, 15)) == (grey, grey, grey)


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    shades = (0, 0x4000, 0x8000, 0xFFFF)
    picture = Image.frombytes("I;16", (4, 1), struct.pack("<4H", *shades))

    image = images.prepare(pictures.saved(picture, "PNG"), "gpt-4o", "high")

    seen = pictures.opened(image.data)
    assert [seen.getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 64, 128, 255)]


def test_the_inks_of_a_printed_jpeg_become_its_colours() -> None:
    inks = Image.new("RGB", (64, 64), "orange").convert("CMYK")

    image = images.prepare(pictures.saved(inks, "JPEG", quality=95), "gpt-4o", "high")

    assert near(image.data, (255, 165, 0))


@pytest.mark.parametrize(("kind", "lossless"), [("PNG", None), ("JPEG", None), ("WEBP", True)])
def test_the_colours_of_a_wide_screen_are_shown_as_meant(kind: str, lossless: bool | None) -> None:
    options = {"lossless": lossless} if lossless else {}
    picture = Image.new("RGB", (64, 64), (200, 100, 50))
    data = pictures.saved(picture, kind, icc_profile=pictures.wide_gamut_profile(), **options)

    image = images.prepare(data, "gpt-4o", "high")

    assert near(image.data, (216, 93, 24))


def test_a_profile_that_makes_no_sense_is_left_out() -> None:
    profile = pictures.wide_gamut_profile()[:200]

    image = images.prepare(pictures.photo(64, 64, icc_profile=profile), "gpt-4o", "high")

    assert image.receipt == "seen"


@pytest.mark.parametrize(
    ("colour", "ground"),
    [("black", 255), ("red", 255), ("white", 128), ("#ffffe0", 128)],
)
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_what_is_transparent_lies_on_white_or_on_grey_where_white_would_hide_the_rest(
    colour: str, ground: int, kind: str
) -> None:
    sticker = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    sticker.paste(Image.new("RGBA", (20, 20), colour), (20, 20))
    data = pictures.saved(sticker, kind)

    seen = pictures.opened(images.prepare(data, "gpt-4o", "high").data)

    assert seen.getpixel((2, 2)) == (ground,) * 3
    assert seen.getpixel((30, 30)) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))


# Nothing told about anybody


@pytest.mark.parametrize("model", ["gpt-4o", "llava"])
def test_no_metadata_survives(model: str) -> None:
    secret = b"CANARY-48.2125N-16.3728E"
    xmp = b"<x:xmpmeta>" + secret + b"</x:xmpmeta>"
    exif = pictures.exif(turn=6, camera=secret.decode())
    texts = pictures.chunk(b"tEXt", b"Comment\0" + secret) + pictures.chunk(b"eXIf", secret)
    drawn = pictures.screenshot(200, 100)
    files = [
        pictures.photo(300, 200, exif=exif, xmp=xmp, comment=secret, icc_profile=secret) + secret,
        pictures.webp(300, 200, exif=exif, xmp=xmp, icc_profile=secret),
        drawn[:33] + texts + drawn[33:] + secret,
        pictures.gif()[:-1] + b"\x21\xfe" + bytes([len(secret)]) + secret + b"\0;" + secret,
        pictures.saved(pictures.scene(90, 60), "GIF", comment=secret),
    ]
    for data in files:
        assert secret in data

        image = images.prepare(data, model, "high")

        assert secret not in image.data
        assert not {"exif", "xmp", "comment", "icc_profile"} & set(pictures.opened(image.data).info)


def test_the_position_and_name_of_a_real_phone_are_gone() -> None:
    image = images.prepare(PHONE.read_bytes(), "gpt-5.6-luna", "high")

    assert not pictures.opened(image.data).getexif()
    assert b"iPhone" not in image.data
    assert b"Exif" not in image.data


# Animations


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_alone_is_seen_where_the_installer_wants_so(
    kind: str,
) -> None:
    data = pictures.animation(kind, 80, 60, 14)

    [image] = images.prepare_all(data, "gpt-4o", "high", options=images.Options("first"))

    assert image.receipt == "first frame of 14"
    assert near(image.data, (255, 0, 0))


def test_a_large_first_frame_is_resized_too() -> None:
    data = pictures.animation("GIF", 1000, 900, 3)

    [image] = images.prepare_all(data, "gpt-4o", "high", options=images.Options("first"))

    assert image.receipt == "resized 1000×900 → 853×768, first frame of 3"


def test_frames_are_counted_without_decoding_them() -> None:
    data = pictures.fixture("animated_iss.gif")

    assert headers.read(data).frames == GifImageFile(BytesIO(data)).n_frames == 42


# What is not seen


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xff\xd8", "cut off"),
        (b"\x89PNG", "cut off"),
        (b"RIFF\x10\0\0\0WEBP", "cut off"),
        (b"GIF89a", "cut off"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "cut off"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "cut off"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "cut off"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "video"),
        (b"RIFF\x10\0\0\0AVI LIST", "video"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio"),
        (b"ID3\x04\0\0", "audio"),
        (b"II*\0\x08\0\0\0", "cut off"),
        (b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0", "cut off"),
        (b"\0\0\1\0\1\0\x10\x10", "cut off"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"\x1f\x8b\x08\0", "archive"),
        (b"<!DOCTYPE html><html><body>Sign in", "web page"),
        (b"\xef\xbb\xbf\n <html lang=en>", "web page"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">', "web page"),
        (b"<!-- hi --><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!-- one --> <!-- two -->\n<html>", "web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'{"ok": false, "error": "file_not_found"}', "text"),
        ("Grüße aus Wien".encode(), "text"),
        ("\ufeffGrüße".encode("utf-16-le"), "text"),
        (b"\x93NUMPY\x01\0\xff\xfe\0\0", "not a picture of a known kind"),
        (b"\x89PNG\n\x1a\n\0\0\0\rIHDR", "damaged"),
        (b"BMW is a car maker.", "text"),
    ],
)
def test_what_is_no_picture_is_named_with_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(PictureUnseen, match=words) as caught:
        images.prepare(data, "gpt-4o", "high")

    sentence = caught.value.sentence
    assert "post" in sentence
    assert sentence[0].islower()
    assert not sentence.endswith(".")
    assert "\n" not in sentence
    with pytest.raises(PictureUnseen, match=words):
        images.measure(data)


@pytest.mark.parametrize(
    "data",
    [
        pictures.photo(),
        pictures.photo(progressive=True),
        pictures.screenshot(),
        pictures.webp(300, 200),
        pictures.animation("WEBP", 90, 60, 3),
        pictures.saved(pictures.scene(200, 100), "GIF"),
    ],
)
def test_a_cut_file_is_never_half_seen(data: bytes) -> None:
    for share in (0.02, 0.1, 0.5, 0.9):
        with pytest.raises(PictureUnseen, match="cut off"):
            images.prepare(data[: int(len(data) * share)], "gpt-4o", "high")


def test_a_photo_that_is_cut_anywhere_is_said_to_be_cut() -> None:
    data = pictures.saved(pictures.scene(160, 120), "JPEG")
    pixels = data.index(b"\xff\xda")

    for end in range(pixels + 20, len(data) - 100, 23):
        with pytest.raises(PictureUnseen, match="cut off"):
            images.prepare(data[:end], "gpt-4o", "high")


def test_a_real_cut_photo_is_never_half_seen() -> None:
    for model in MODELS:
        with pytest.raises(PictureUnseen, match="cut off; post it again"):
            images.prepare(pictures.fixture("truncated_half.jpg"), model, "high")


SEEDS = [
    pictures.photo(90, 60, exif=pictures.exif(turn=6)),
    pictures.photo(90, 60, progressive=True),
    pictures.png(30, 20, mode="P"),
    pictures.webp(40, 30),
    pictures.animation("GIF", 30, 20, 3),
    pictures.animation("PNG", 30, 20, 3),
]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
@settings(max_examples=300, deadline=None)
def test_damage_ends_in_a_sentence_and_in_nothing_else(
    seed: bytes, changes: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(seed)
    for at, value in changes:
        data[int(at * len(data))] = value
    data = data[: int(len(data) * cut)] if cut < 0.5 else data

    try:
        [image] = images.prepare_all(bytes(data), "gpt-4o", "high", options=images.Options("first"))
    except PictureUnseen:
        return
    assert images.measure(bytes(data)) == (image.original_width, image.original_height)


@pytest.mark.parametrize(
    "data",
    [
        pictures.bomb(9_400),
        pictures.bomb(30_000),
        pictures.bomb(2**31 - 1),
        b"GIF89a\xff\xff\xff\xff\0\0\0",
        b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;",
        b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0",
        b"\xff\xd8\xff\xc0\0\x11\x08\x75\x30\x75\x30\3\1\x11\0\2\x11\0\3\x11\0\xff\xda\0\x0c\3\1",
        b"\xff\xd8\xff\xc2\0\x11\x08\x27\x10\x27\x10\3\1\x11\0\2\x11\0\3\x11\0\xff\xda\0\x0c\3\1",
    ],
    ids=["png", "png-30000", "png-max", "gif", "gif-frame", "webp", "jpeg", "jpeg-progressive"],
)
def test_a_bomb_is_refused_by_its_header_at_once(data: bytes) -> None:
    tracemalloc.start()
    started = time.thread_time()
    with pytest.raises(PictureUnseen, match="post it smaller"):
        images.prepare(data, "gpt-4o", "high")
    seconds = time.thread_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert seconds < 0.05
    assert peak < 1_000_000


def test_a_size_that_is_told_twice_is_not_believed() -> None:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = pictures.png()
    data = data[:33] + pictures.chunk(b"IHDR", header) + data[33:]

    with pytest.raises(PictureUnseen, match="damaged"):
        images.prepare(data, "gpt-4o", "high")


def test_a_text_of_many_comments_is_told_at_once() -> None:
    started = time.thread_time()
    with pytest.raises(PictureUnseen, match="text"):
        images.measure(b"<!---->" * 24)

    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a\1\0\1\0\0\0\0!\xfe" + b"\1a" * 5_000_000,
        b"\xff\xd8\xff" + b"\xff" * 10_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\2" * 2_500_000,
    ],
    ids=["gif", "jpeg-fill", "jpeg-segments"],
)
def test_a_file_of_endless_crumbs_is_given_up(data: bytes) -> None:
    with pytest.raises(PictureUnseen, match="post it again"):
        images.prepare(data, "gpt-4o", "high")


def test_a_jpeg_that_is_walked_over_too_often_is_refused() -> None:
    data = pictures.photo(64, 64, progressive=True)
    scan, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")

    with pytest.raises(PictureUnseen, match="more than 100 scans"):
        images.prepare(data[:end] + data[scan:end] * 200 + data[end:], "gpt-4o", "high")


def test_a_text_that_unpacks_to_a_hundred_megabytes_is_never_unpacked() -> None:
    text = b"Comment\0\0" + zlib.compress(b"x" * 100_000_000, 9)
    data = pictures.png()
    data = data[:33] + pictures.chunk(b"zTXt", text) + data[33:]

    tracemalloc.start()
    image = images.prepare(data, "gpt-4o", "high")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert image.receipt == "seen"
    assert peak < 1_000_000


def test_a_photo_over_pillows_own_warning_is_seen() -> None:
    image = images.prepare(
        pictures.saved(Image.new("L", (12_000, 9_000), "gray"), "JPEG"), "gpt-4o", "high"
    )

    assert image.receipt.startswith("resized 12000×9000 → ")


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(PictureUnseen, match="has 2 MB, and 1 MB"):
        images.prepare(b"\xff\xd8\xff" + bytes(2_000_000), "gpt-4o", "high", max_bytes=1_000_000)


def test_what_the_model_would_refuse_is_not_sent_at_all() -> None:
    data = pictures.saved(Image.new("1", (6500, 6500)), "PNG")

    with pytest.raises(PictureUnseen, match="ask at detail high"):
        images.prepare(data, "gpt-5.6-sol", "original")
    assert images.prepare(data, "gpt-5.6-sol", "high").width == 1600


def test_an_old_pillow_is_not_run_with() -> None:
    images.require_safe_decoders()
    images.require_safe_decoders("13.0.0")
    images.require_safe_decoders("14.1.0.dev0")
    for old in ("12.9.9", "9.5.0"):
        with pytest.raises(SetupError, match=r'pip install "pillow>=13\.0\.0"'):
            images.require_safe_decoders(old)


def difference(expected: Image.Image, data: bytes) -> float:
    """The mean distance of two pictures, in steps of a channel's 256."""
    seen = pictures.opened(data)
    assert seen.size == expected.size
    return max(ImageStat.Stat(ImageChops.difference(expected, seen)).rms)


def near(data: bytes, colour: tuple[int, int, int]) -> bool:
    """Whether a picture's middle has a colour, as far as JPEG tells."""
    seen = pictures.opened(data)
    pixel = seen.getpixel((seen.width // 2, seen.height // 2))
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= 3 for one, other in zip(pixel, colour, strict=True))


@pytest.mark.skipif(not resizing.FAST, reason="no wheel of the fast resizer; Pillow needs no bands")
@pytest.mark.parametrize("box", [None, (0.0, 0.0, 299.5, 410.25), (10.0, 100.0, 290.0, 400.0)])
@pytest.mark.parametrize("sharp", [True, False])
def test_a_large_picture_is_the_same_in_bands(
    box: tuple[float, float, float, float] | None, sharp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Image.effect_noise((300, 411), 90)
    whole = resizing.resize(picture, (130, 171), box, sharp=sharp)
    monkeypatch.setattr(resizing, "MOST_BETWEEN", 0)

    banded = resizing.resize(picture, (130, 171), box, sharp=sharp)

    assert max(ImageChops.difference(whole, banded).tobytes()) <= 1
