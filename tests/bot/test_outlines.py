"""What an estimate counts is what will be sent, whatever the file: by its header, before anything is decoded."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot import images, tokens
from bot.commands import Sized, estimate, parts_of
from bot.domain import Ask, Detail
from bot.errors import PictureUnseen
from bot.images import Darkroom, boards, documents
from bot.images.reading import Header
from bot.images.wishes import Wish
from bot.pricing import Prices
from tests import pictures

MODELS = ["gpt-4o", "gpt-5.6-luna", "gpt-5.4-mini", "gpt-5-nano", "gpt-4o-mini"]
DETAILS: list[Detail] = ["low", "high", "auto", "original"]
CHOICES = [
    images.Options(),
    images.Options(animations="first"),
    images.Options(split_tall=True),
]
SIDE = st.one_of(st.integers(1, 40), st.integers(1, 900))


def counted_before(found: Sequence[Sized], model: str, detail: Detail) -> int:
    told = estimate(found, "", Ask(model, detail), Prices.load(None))
    return sum(picture.tokens[told.detail] or 0 for picture in told.pictures)


def counted_after(
    data: bytes, model: str, detail: Detail, options: images.Options | None = None
) -> int:
    made = images.prepare_all(data, model, detail, options=options)
    return sum(tokens.rule(model).count(each.width, each.height, detail) or 0 for each in made)


FILES = {
    "photo": pictures.photo(1500, 1100),
    "turned photo": pictures.photo(900, 500, exif=pictures.exif(turn=6)),
    "progressive photo": pictures.photo(1026, 769, progressive=True),
    "screenshot": pictures.screenshot(1170, 2532),
    "long screenshot": pictures.png(400, 5000),
    "heic": pictures.heic(800, 600),
    "avif": pictures.saved(pictures.scene(300, 200), "AVIF"),
    "bmp": pictures.saved(pictures.scene(300, 200), "BMP"),
    "icon": pictures.saved(pictures.scene(256, 256), "ICO"),
    "scan": pictures.tiff(*(Image.new("L", (900, 700 + 90 * at), "white") for at in range(7))),
    "document": pictures.pdf("One", "Two", "Three"),
    "poster": pictures.pdf("Big", width=9_000, height=9_000),
    "gif": pictures.animation("GIF", 700, 500, 12),
    "webp": pictures.animation("WEBP", 300, 700, 5),
    "apng": pictures.animation("PNG", 300, 200, 2),
    "moving avif": pictures.animation("AVIF", 200, 150, 4),
    "station": pictures.fixture("animated_iss.gif"),
    "phone": pictures.fixture("orientation_6.jpg"),
    "china": pictures.fixture("photo_china_640x427.jpg"),
    "text": pictures.fixture("screenshot_text_1170x1100.png"),
}


@pytest.mark.parametrize("options", CHOICES, ids=["storyboard", "first", "split"])
@pytest.mark.parametrize("name", FILES)
async def test_an_estimate_counts_what_is_sent(name: str, options: images.Options) -> None:
    data = FILES[name]
    found = await parts_of(name, data, Darkroom(options))

    for model, detail in (("gpt-4o", "high"), ("gpt-5.6-luna", "low"), ("gpt-5.6-luna", "auto")):
        before = counted_before(found, model, detail)  # type: ignore[arg-type]
        after = counted_after(data, model, detail, options)  # type: ignore[arg-type]
        assert before == after > 0


@given(
    st.sampled_from(["GIF", "PNG", "WEBP"]),
    SIDE,
    SIDE,
    st.integers(2, 11),
    st.sampled_from(MODELS),
    st.sampled_from(DETAILS),
)
@settings(max_examples=60, deadline=None)
def test_an_animation_of_any_size_is_counted_as_it_is_sent(
    kind: str, width: int, height: int, frames: int, model: str, detail: Detail
) -> None:
    data = pictures.animation(kind, width, height, frames)
    outline = images.outlined(data, images.Options())

    assert outline is not None
    found = [Sized("", *size, cut=outline.cut) for size in outline.sizes]
    assert counted_before(found, model, detail) == counted_after(data, model, detail)


@given(
    st.integers(1, 7000),
    st.integers(1, 7000),
    st.integers(2, 2000),
    st.sampled_from(MODELS),
    st.sampled_from(DETAILS),
)
@settings(max_examples=300)
def test_a_board_of_any_frames_is_one_that_the_model_takes_and_costs_the_same_when_it_is_shrunk(
    width: int, height: int, frames: int, model: str, detail: Detail
) -> None:
    size = boards.layout(Header("GIF", width, height, frames=frames)).size
    wish = Wish(tokens.rule(model), detail)
    count = wish.rule.count(*size, detail)

    assert count is not None
    assert count == wish.rule.count(*wish.target(size), detail)
    assert max(size) <= boards.LONGEST_BOARD


@given(st.floats(1, 20_000), st.floats(1, 20_000))
def test_every_model_takes_a_page_as_it_is_drawn(width: float, height: float) -> None:
    size = documents.dots(width, height)

    for model in MODELS:
        assert all(tokens.rule(model).count(*size, detail) for detail in DETAILS)


async def test_what_is_counted_is_named() -> None:
    darkroom = Darkroom()

    named = {
        name: [each.name for each in await parts_of("a", data, darkroom)]
        for name, data in FILES.items()
    }

    assert named["photo"] == ["a"]
    assert named["station"] == ["a, 9 of 42 frames"]
    assert named["webp"] == ["a, all 5 frames"]
    assert named["document"] == [f"a, page {number} of 3" for number in (1, 2, 3)]
    assert named["scan"][-1] == "a, page 5 of 7"
    [first] = await parts_of("a", FILES["station"], Darkroom(images.Options(animations="first")))
    assert first.name == "a, first frame of 42"


def test_of_an_animation_that_shows_something_else_where_it_cannot_move_only_frames_are_shown() -> (
    None
):
    other = Image.new("RGB", (100, 80), "white")
    frames = [Image.new("RGB", (100, 80), colour) for colour in ("red", "lime", "blue")]
    data = pictures.saved(
        other, "PNG", save_all=True, append_images=frames, duration=50, default_image=True
    )

    [image] = images.prepare_all(data, "gpt-4o", "high")

    board = pictures.opened(image.data).convert("RGB")
    assert image.receipt == "storyboard: all 3 frames, in time order"
    assert [board.getpixel(at) for at in ((50, 40), (160, 40), (50, 130))] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]


def test_of_frames_that_a_png_only_promises_none_is_counted_or_missed() -> None:
    many, none = (struct.pack(">II", number, 0) for number in (50, 5))
    moving = pictures.animation("PNG", 100, 80, 3)
    at = moving.index(b"acTL") - 4
    lying = moving[:at] + pictures.chunk(b"acTL", many) + moving[at + 20 :]
    still = pictures.png(100, 80)
    alone = still[:33] + pictures.chunk(b"acTL", none) + still[33:]
    late = still[:-12] + pictures.chunk(b"acTL", none) + still[-12:]

    assert [images.prepare(data, "gpt-4o", "high").receipt for data in (lying, alone, late)] == [
        "storyboard: all 3 frames, in time order",
        "seen",
        "seen",
    ]
    with pytest.raises(PictureUnseen, match="cut off"):
        images.prepare(lying[:-12], "gpt-4o", "high")


def test_an_avif_that_is_first_of_all_a_still_one_is_seen_as_it() -> None:
    moving = pictures.animation("AVIF", 200, 150, 4)
    still = moving.replace(b"ftypavis", b"ftypavif", 1)

    assert (
        images.prepare(moving, "gpt-4o", "high").receipt
        == "storyboard: all 4 frames, in time order"
    )
    assert images.prepare(still, "gpt-4o", "high").receipt == "seen"
