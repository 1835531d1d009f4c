"""Files that are more than one picture: animations, documents, and very long screenshots."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from bot import images, tokens
from bot.domain import Detail
from bot.errors import PictureUnseen
from bot.images import boards, documents
from tests import pictures

DETAILS: list[Detail] = ["low", "high", "auto", "original"]
SPLIT = images.Options(split_tall=True)


# Animations


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_becomes_a_board_of_its_frames_in_time_order(kind: str) -> None:
    options = {"quality": 95} if kind == "AVIF" else {}
    colours = ["red", "lime", "blue", "yellow"]
    frames = [Image.new("RGB", (160, 120), colour) for colour in colours]
    data = pictures.saved(
        frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options
    )

    image = images.prepare(data, "gpt-4o", "high")

    board = pictures.opened(image.data)
    assert image.receipt == "storyboard: all 4 frames, in time order"
    assert board.size == (320, 240)
    for place, colour in enumerate(colours):
        pixel = board.getpixel((160 * (place % 2) + 120, 120 * (place // 2) + 90))
        assert pictures.close(pixel, rgb(colour), 12)


def test_of_a_long_animation_nine_frames_are_shown_from_the_first_to_the_last() -> None:
    data = pictures.fixture("animated_iss.gif")

    image = images.prepare(data, "gpt-4o", "high")

    assert image.receipt == "storyboard: 9 of 42 frames, in time order"
    assert boards.spread(42, 9) == [0, 5, 10, 15, 20, 26, 31, 36, 41]
    size = images.measure(data)
    assert (image.original_width, image.original_height) == (3 * size[0], 3 * size[1])


def test_a_frame_is_never_enlarged_and_a_large_board_is_as_large_as_the_model_sees() -> None:
    rule = tokens.rule("gpt-5.6-luna")

    image = images.prepare(pictures.animation("GIF", 900, 700, 9), "gpt-5.6-luna", "high")

    assert (image.original_width, image.original_height) == (2700, 2100)
    assert (image.width, image.height) == rule.target(2700, 2100, "high")


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400), (2000, 1)])
def test_the_smallest_frames_make_a_board_too(size: tuple[int, int]) -> None:
    image = images.prepare(pictures.animation("GIF", *size, 9), "gpt-4o", "high")

    assert pictures.opened(image.data).size == (image.width, image.height)


def test_each_frame_wears_its_number() -> None:
    plain = Image.new("RGB", (300, 300), "white")
    other = Image.new("RGB", (300, 300), "#fefefe")
    data = pictures.saved(plain, "PNG", save_all=True, append_images=[other], duration=50)

    board = pictures.opened(images.prepare(data, "gpt-4o", "high").data).convert("L")

    for left in (0, 300):
        badge = board.crop((left, 0, left + 37, 37))
        assert darkest(badge) < 30
        assert darkest(ImageChops.invert(badge)) < 55
    assert darkest(board.crop((60, 60, 298, 300))) > 240


@pytest.mark.parametrize(
    ("chosen", "total", "reachable", "words"),
    [
        (9, 5000, 800, "9 of the first 800 of 5000 frames"),
        (8, 9, 8, "the first 8 of 9 frames"),
        (9, 42, 42, "9 of 42 frames"),
        (4, 4, 4, "all 4 frames"),
    ],
)
def test_what_is_on_a_board_is_told_also_of_a_film_too_long_to_be_decoded(
    chosen: int, total: int, reachable: int, words: str
) -> None:
    assert boards.told(chosen, total, reachable) == f"storyboard: {words}, in time order"


@given(st.integers(1, 5000), st.integers(1, 9))
def test_frames_are_spread_evenly_and_each_is_shown_once(total: int, most: int) -> None:
    chosen = boards.spread(total, most)

    assert len(set(chosen)) == len(chosen) == min(total, most)
    assert chosen == sorted(chosen)
    assert 0 <= chosen[0] <= chosen[-1] < total
    assert most == 1 or chosen[-1] == total - 1


def test_a_cut_animation_is_never_half_seen() -> None:
    data = pictures.animation("GIF", 90, 60, 6)

    with pytest.raises(PictureUnseen, match="post it again"):
        images.prepare(data[: len(data) - 12], "gpt-4o", "high")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_that_breaks_later_on_is_told_how_far_it_could_be_read(kind: str) -> None:
    frames = [pictures.scene(200, 150).rotate(13 * number) for number in range(6)]
    data = pictures.saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    at = len(data) * 85 // 100
    broken = data[:at] + b"\xa5\x5a\0\xff" * 30 + data[at + 120 :]

    with pytest.raises(PictureUnseen, match=r"beyond frame [345] of 6; save it anew"):
        images.prepare(broken, "gpt-4o", "high")

    first = images.Options(animations="first")
    assert images.prepare_all(broken, "gpt-4o", "high", options=first)[0].receipt == (
        "first frame of 6"
    )


# Documents


def test_the_pages_of_a_document_are_drawn_for_the_model() -> None:
    found = images.prepare_all(pictures.pdf("One", "Two", "Three"), "gpt-4o", "high")

    assert [each.receipt for each in found] == ["pages 1–3 of 3"] * 3
    assert [(each.original_width, each.original_height) for each in found] == [(1167, 1653)] * 3
    assert [(each.width, each.height) for each in found] == [(768, 1087)] * 3
    assert len({each.digest for each in found}) == 3
    page = pictures.opened(found[0].data).convert("L")
    assert darkest(page) < 40
    assert darkest(ImageChops.invert(page)) == 0


def test_the_first_five_pages_are_drawn_and_it_is_said() -> None:
    found = images.prepare_all(pictures.pdf(*"abcdefgh"), "gpt-4o", "low")

    assert len(found) == 5
    assert found[0].receipt == "pages 1–5 of 8"
    assert images.prepare_all(pictures.pdf("a"), "gpt-4o", "low")[0].receipt == "page 1 of 1"


def test_a_poster_is_drawn_no_larger_than_sensible() -> None:
    [image] = images.prepare_all(
        pictures.pdf("Big", width=9_000, height=14_400), "gpt-5.6-luna", "original"
    )

    assert max(image.width, image.height) == documents.LONGEST_PAGE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pictures.pdf("a", trailer=pictures.LOCKED), "password"),
        (pictures.pdf(), "no pages"),
        (b"%PDF-1.7\n", "cut off"),
        (b"%PDF-1.7\n" + bytes(5000), "cut off"),
        (pictures.pdf("a")[:-30], "cut off"),
        (b"%PDF-1.7\n" + bytes(5000) + b"%%EOF", "damaged"),
        (pictures.pdf("a").replace(b"/Type /Page ", b"/Type /None "), "damaged"),
        (pictures.pdf("a", "b", "c").replace(b" 8 0 R]", b" 3 0 R]"), "page 3 of 3 cannot be read"),
        (b"II*\0\0\0\0\0", "no pages"),
        (b"MM\0*\0\0\0\0", "no pages"),
    ],
)
def test_a_document_that_cannot_be_drawn_is_told_why(data: bytes, words: str) -> None:
    with pytest.raises(PictureUnseen, match=words):
        images.prepare(data, "gpt-4o", "high")


def test_an_empty_document_after_a_locked_one_is_told_to_be_empty() -> None:
    for data, words in (
        (pictures.pdf("a", trailer=pictures.LOCKED), "password"),
        (pictures.pdf(), "no pages"),
    ):
        with pytest.raises(PictureUnseen, match=words):
            images.prepare(data, "gpt-4o", "high")


def test_the_size_of_a_document_is_only_known_once_it_is_drawn() -> None:
    with pytest.raises(PictureUnseen, match="only known once"):
        images.measure(pictures.pdf("a"))


def test_the_pages_of_a_scan_are_shown_each_in_its_own_size() -> None:
    pages = [Image.new("L", (200 + at, 300), "white") for at in range(7)]

    found = images.prepare_all(pictures.tiff(*pages), "gpt-4o", "high")

    assert [each.width for each in found] == [200, 201, 202, 203, 204]
    assert found[0].receipt == "pages 1–5 of 7"


# Very long screenshots


def long_screenshot(width: int = 400, height: int = 4000) -> Image.Image:
    """Bands of all greys from top to bottom, so that each row tells where it stood."""
    picture = Image.linear_gradient("L").resize((width, height))
    ImageDraw.Draw(picture).rectangle((0, 0, width, 20), fill="black")
    return picture.convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_very_long_screenshot_is_cut_where_the_installer_wants_so(kind: str) -> None:
    data = pictures.saved(long_screenshot(), kind)

    whole = images.prepare_all(data, "gpt-4o", "high")
    cut = images.prepare_all(data, "gpt-4o", "high", options=SPLIT)

    assert len(whole) == 1
    assert [(each.width, each.height) for each in cut] == [(400, 820)] * 5
    assert cut[0].receipt == "cut into 5 parts, 400×4000 → 400×820 each"
    middles = [pictures.opened(each.data).convert("L").getpixel((200, 410)) for each in cut]
    assert middles == pytest.approx([26, 76, 127, 178, 229], abs=3)


def test_a_turned_photo_is_cut_as_people_see_it() -> None:
    stored = long_screenshot().transpose(Image.Transpose.ROTATE_90)
    data = pictures.saved(stored, "JPEG", exif=pictures.exif(turn=6))

    cut = images.prepare_all(data, "gpt-4o", "high", options=SPLIT)

    assert [(each.width, each.height) for each in cut] == [(400, 820)] * 5
    tops = [pictures.opened(each.data).convert("L").getpixel((200, 410)) for each in cut]
    assert tops == pytest.approx([26, 76, 127, 178, 229], abs=3)


@given(
    st.integers(1, 3000),
    st.integers(1, 40_000),
    st.sampled_from(["gpt-4o", "gpt-5.6-luna", "gpt-5-mini", "llava"]),
    st.sampled_from(DETAILS),
)
@settings(max_examples=300)
def test_parts_cover_all_of_a_picture_and_are_seen_larger(
    short: int, long: int, model: str, level: Detail
) -> None:
    short, long = sorted((short, long))
    parts = tokens.parts(short, long, model, level)
    rule = tokens.rule(model)

    assert 1 <= len(parts) <= tokens.MOST_PARTS
    assert len(set(parts)) == 1
    assert parts == tuple(part[::-1] for part in tokens.parts(long, short, model, level))
    if len(parts) == 1:
        assert parts == ((short, long),)
        return
    assert sum(height for _, height in parts) >= long
    assert parts[0][0] == short
    refused = rule.each is not None and rule.count(short, long, level) is None
    assert refused or rule.seen(*parts[0], level)[0] > rule.seen(short, long, level)[0]


def test_what_is_cheap_or_short_or_thin_stays_whole() -> None:
    assert tokens.parts(400, 4000, "gpt-4o", "low") == ((400, 4000),)
    assert tokens.parts(400, 3100, "gpt-4o", "high") == ((400, 3100),)
    assert tokens.parts(100, 9000, "gpt-4o", "high") == ((100, 9000),)


def darkest(picture: Image.Image) -> float:
    low = picture.getextrema()[0]
    assert not isinstance(low, tuple)
    return low


def rgb(colour: str) -> tuple[int, int, int]:
    pixel = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]
