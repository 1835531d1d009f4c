"""Estimates and usage as pictures: what is painted, in any shape, and what is said of it."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot import charting, drawing, images
from bot.commands import Sized, estimate
from bot.domain import Ask, Detail, Drawing, Spent, UsageRow
from bot.pricing import Prices
from tests.pictures import saved

PRICES = Prices.load(None)
MODELS = ("gpt-4o", "gpt-5.4-mini", "gpt-5.6-luna", "gpt-4.1-mini", "gpt-6-sol")
RED = (220, 40, 40)


def test_the_drawing_says_in_words_what_it_shows() -> None:
    drawn = draw(4032, 3024, model="gpt-4o")

    assert drawn is not None
    for words in (
        "photo.jpg, 4032×3024 pixels, as gpt-4o sees it",
        "detail low it is seen at 512×384: one price, whatever the size, 85 tokens · $0.0002",
        "detail high it is seen at 1024×768: 2×2 = 4 tiles of 512 px, 765 tokens · $0.0019",
    ):
        assert words in drawn.alt


def test_the_posted_picture_itself_is_in_it() -> None:
    photo = images.prepare(saved(Image.new("RGB", (600, 400), RED), "JPEG"), "gpt-4o", "high").data

    with_it, without = draw(600, 400, data=photo), draw(600, 400)

    assert with_it is not None
    assert without is not None
    assert reds(with_it) > 10_000
    assert reds(without) == 0


def test_the_card_has_its_own_ground_and_round_corners() -> None:
    drawn = draw(640, 480)

    assert drawn is not None
    picture = pixels(drawn)
    assert picture.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert picture.getpixel((picture.width // 2, 12)) == (*drawing.GROUND, 255)


def test_a_model_whose_rule_is_unknown_is_not_drawn() -> None:
    assert draw(640, 480, model="somebody-s-model") is None


def test_a_picture_without_a_size_is_not_drawn() -> None:
    told = estimate([Sized("a", error="size unknown")], "", Ask("gpt-4o"), PRICES)

    assert drawing.estimate(told, told.pictures[0], None) is None


def test_what_the_model_refuses_is_said() -> None:
    drawn = draw(20_000, 20_000, model="gpt-5.6-luna", detail="original")

    assert drawn is not None
    assert "refused by the model" in drawn.alt


def test_a_price_that_is_unknown_is_not_drawn_as_nothing() -> None:
    drawn = draw(640, 480, model="team-gpt-4o")

    assert drawn is not None
    assert "765" in drawn.alt or "tokens" in drawn.alt
    assert "$" not in drawn.alt


@settings(max_examples=25, deadline=None)
@example(width=65_535, height=65_535, model="gpt-5.6-luna", detail="original")
@given(
    width=st.integers(1, 65_535),
    height=st.integers(1, 65_535),
    model=st.sampled_from(MODELS),
    detail=st.sampled_from(("low", "high", "auto", "original")),
)
def test_every_shape_gives_a_picture_of_bounded_size(
    width: int, height: int, model: str, detail: Detail
) -> None:
    drawn = draw(width, height, model=model, detail=detail)

    assert drawn is not None
    assert len(drawn.data) < 1_000_000
    picture = pixels(drawn)
    assert picture.width == drawing.WIDTH
    edge = {picture.getpixel((drawing.WIDTH - 16, y)) for y in range(60, picture.height - 60)}
    assert edge == {(*drawing.GROUND, 255)}
    assert 300 < picture.height < 1_800


@pytest.mark.parametrize("name", ["x" * 500, "漢字.png", "a\nb.png", "", "‮gpj.exe"])
def test_whatever_a_file_is_called_its_drawing_holds_a_line(name: str) -> None:
    drawn = draw(640, 480, name=name)

    assert drawn is not None
    assert pixels(drawn).width == drawing.WIDTH


def test_a_chart_shows_each_day_and_model_and_says_so() -> None:
    rows = [row(1, "gpt-4o", "0.02"), row(3, "gpt-4o", "0.01"), row(3, "mine", "0.5")]

    drawn = charting.usage("This channel", rows, date(2026, 11, 1), date(2026, 11, 3))

    assert drawn is not None
    assert "01 Nov $0.0200, 03 Nov $0.5100" in drawn.alt
    assert "Models: mine, gpt-4o" in drawn.alt
    assert pixels(drawn).width == drawing.WIDTH


def test_a_chart_of_unpriced_calls_counts_tokens() -> None:
    rows = [UsageRow("2026-11-01", "slack", "T1", "llava", Spent(1, 900, 100, Decimal(0), 1))]

    drawn = charting.usage("You", rows, date(2026, 11, 1), date(2026, 11, 2))

    assert drawn is not None
    assert "tokens a day" in drawn.alt
    assert "1,000" in drawn.alt
    assert "$" not in drawn.alt


def test_nothing_is_not_charted() -> None:
    assert charting.usage("You", [], date(2026, 11, 1), date(2026, 11, 2)) is None


@settings(max_examples=15, deadline=None)
@given(
    days=st.integers(0, 40),
    models=st.integers(1, 12),
    cost=st.decimals("0.000000001", 10_000_000, places=9),
)
def test_a_chart_of_any_size_is_bounded_and_loses_no_model(
    days: int, models: int, cost: Decimal
) -> None:
    rows = [row(1, f"model-{n}", str(cost)) for n in range(models)]
    first = date(2026, 11, 1)

    drawn = charting.usage("You", rows, first, first + timedelta(days))

    assert drawn is not None
    picture = pixels(drawn)
    assert picture.width == drawing.WIDTH
    assert picture.height < 1_200


def draw(
    width: int,
    height: int,
    *,
    model: str = "gpt-4o",
    detail: Detail = "high",
    data: bytes | None = None,
    name: str = "photo.jpg",
) -> Drawing | None:
    told = estimate([Sized(name, width, height)], "What?", Ask(model, detail), PRICES)
    return drawing.estimate(told, told.pictures[0], data)


def pixels(drawn: Drawing) -> Image.Image:
    with Image.open(BytesIO(drawn.data)) as picture:
        assert picture.format == "PNG"
        return picture.convert("RGBA")


def reds(drawn: Drawing) -> int:
    picture = pixels(drawn).convert("RGB")
    counted = picture.getcolors(picture.width * picture.height) or []
    return sum(count for count, colour in counted if near(colour))


def near(colour: object) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(one - other) < 12 for one, other in zip(colour, RED, strict=True))


def row(day: int, model: str, cost: str) -> UsageRow:
    return UsageRow(f"2026-11-{day:02}", "slack", "T1", model, Spent(1, 100, 10, Decimal(cost)))
