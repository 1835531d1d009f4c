"""What a thread's earlier pictures cost, and the buttons that act on it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import tax
from bot.domain import Answer, Ask, Attachment, ImageKey, Mark, Picture, StoredImage, Turn, Usage
from bot.history import Fitted, Room, fit
from bot.pricing import Price, Prices
from tests.fakes import posted

ASK = Ask(model="gpt-4o", detail="high")
LIST = Prices.load(None)
WIDE = Room(tokens=1_000_000)


def test_nothing_is_offered_where_there_is_only_the_first_question() -> None:
    assert tax.buttons(fitted(1), ASK, answer(900), LIST) == ()


def test_earlier_pictures_that_are_most_of_the_price_can_be_lowered_or_dropped() -> None:
    offered = tax.buttons(fitted(3), ASK, answer(2_600), LIST)

    assert offered == (
        # Two pictures of 765 tokens at 85: 1,360 tokens at $2.50 a million.
        ("Older pictures → low (−$0.0034 per question)", "low 1 2"),
        ("Drop picture 1 (−$0.0019 per question)", "dropped 1"),
    )


def test_what_the_provider_had_cached_saves_only_what_cached_input_costs() -> None:
    [lower, drop] = tax.buttons(fitted(5), ASK, answer(4_000, cached=3_072, output=1), LIST)

    # Four pictures of 765 tokens at 85, and one of them, at $1.25 a million.
    assert "−$0.0034 per" in lower[0]
    assert "−$0.0010 per" in drop[0]


def test_what_is_too_short_to_be_cached_afterwards_saves_less() -> None:
    [lower, _] = tax.buttons(fitted(3), ASK, answer(1_800, cached=1_664, output=1), LIST)

    # 1,360 cached tokens less, but the 440 that stay cost twice as much as before.
    assert lower[0] == "Older pictures → low (−$0.0012 per question)"  # 0.00115, half to even


def test_of_equal_pictures_the_first_is_offered_whose_loss_of_the_cache_pays() -> None:
    ask = replace(ASK, model="gpt-5.4-mini")
    talk = [*fitted(3, ask=ask, side=2_048).turns, Turn("assistant", "A cat."), Turn("user", "?")]
    told = answer(9_200, cached=8_960, output=1, ask=ask)

    offered = tax.buttons(fit(talk, ask, WIDE), ask, told, LIST)

    # Behind pictures 1 and 2 others would be read anew, at ten times the price.
    assert [value for _, value in offered] == ["dropped 3"]


def test_a_model_that_charges_for_its_cache_looks_closer_at_that_price() -> None:
    low = replace(ASK, model="gpt-5.6-luna", detail="low")
    sent = fitted(1, ask=low, side=1_600)

    label = tax.closer(sent, low, answer(500, output=0, ask=low), LIST)

    # 500 tokens, and 3,000 in place of 308; all of it at 5/4 of $0.20 a million.
    assert label == "Look closer (+$0.0008)"


def test_nothing_is_offered_while_earlier_pictures_are_less_than_half_of_the_price() -> None:
    assert tax.buttons(fitted(2), ASK, answer(2_600, output=1_000), LIST) == ()


@pytest.mark.parametrize("mark", ["pinned", "dropped", "low"])
def test_a_picture_that_is_pinned_dropped_or_low_already_is_not_offered_again(mark: Mark) -> None:
    offered = tax.buttons(fitted(3, marks={1: mark}), ASK, answer(1_000), LIST)

    assert ("low 2" in {value for _, value in offered}) == bool(offered)
    assert "dropped 1" not in {value for _, value in offered}


def test_lowering_is_not_offered_where_low_costs_more() -> None:
    ask = replace(ASK, model="gpt-5.4")

    offered = tax.buttons(fitted(3, ask=ask, side=2_048), ask, answer(9_000, ask=ask), LIST)

    assert [value for _, value in offered] == ["dropped 1"]


def test_a_free_or_unpriced_answer_offers_nothing_to_save() -> None:
    free = Prices.load(None, free=True)
    unpriced = replace(answer(2_600), cost=None)

    assert tax.buttons(fitted(3), ASK, replace(answer(2_600), cost=Decimal(0)), free) == ()
    assert tax.buttons(fitted(3), ASK, unpriced, LIST) == ()
    assert tax.buttons(fitted(3), replace(ASK, model="mine"), answer(2_600), LIST) == ()


def test_looking_closer_costs_the_whole_question_again() -> None:
    low = replace(ASK, detail="low")

    label = tax.closer(fitted(1, ask=low), low, answer(200, output=100), LIST)

    # 200 tokens, and 765 in place of 85; then the answer's 100 at $10 a million.
    assert label == "Look closer (+$0.0032)"


def test_looking_closer_at_a_long_screenshot_pays_for_each_of_its_parts() -> None:
    low = replace(ASK, detail="low")
    [turn] = fitted(1, ask=low).turns
    tall = replace(turn.pictures[0], width=1_000, height=10_000)
    sent = fit([replace(turn, pictures=(tall,))], low, WIDE)

    whole = tax.closer(sent, low, answer(200, output=0), LIST)
    cut = tax.closer(sent, low, answer(200, output=0), LIST, cut=True)

    # Whole it has four tiles, and each of five parts has eight: 765 or 5 x 1,445 in place of 85.
    assert whole == "Look closer (+$0.0022)"
    assert cut == "Look closer (+$0.0184)"


def test_looking_closer_is_offered_without_a_price_where_that_is_unknown() -> None:
    ask = Ask(model="team-gpt-4o", detail="low")

    assert tax.closer(fitted(1, ask=ask), ask, answer(200), LIST) == "Look closer"


def test_nobody_looks_closer_than_high_or_at_what_a_mark_holds_low() -> None:
    low = replace(ASK, detail="low")

    assert tax.closer(fitted(1), ASK, answer(900), LIST) is None
    assert tax.closer(fitted(1, ask=low, marks={1: "low"}), low, answer(200), LIST) is None


@given(
    pictures=st.integers(1, 8),
    prices=st.tuples(*[st.decimals(0, 100, places=3)] * 4),
    cached=st.integers(0, 5_000),
)
def test_no_button_promises_more_than_the_earlier_pictures_cost(
    pictures: int, prices: tuple[Decimal, Decimal, Decimal, Decimal], cached: int
) -> None:
    own = Prices({"gpt-4o": Price(*prices)})
    usage = Usage(6_200, 40, cached=cached)
    told = Answer("A cat.", "gpt-4o", usage, own.cost("gpt-4o", usage))
    sent = fitted(pictures)

    offered = tax.buttons(sent, ASK, told, own)

    values = [value for _, value in offered]
    numbers = {int(word) for value in values for word in value.split()[1:]}
    assert numbers <= set(range(1, pictures))
    assert all(float(label.split("$")[1].split()[0]) > 0 for label, _ in offered)


def fitted(
    pictures: int, *, ask: Ask = ASK, side: int = 1_024, marks: dict[int, Mark] | None = None
) -> Fitted:
    """So many questions with a picture each, all but the last answered."""
    turns: list[Turn] = []
    for number in range(1, pictures + 1):
        turns += [Turn("assistant", "A cat.")] if turns else []
        mark = (marks or {}).get(number, "")
        turns.append(Turn("user", "?", pictures=(picture(number, side, mark),)))
    return fit(turns, ask, WIDE)


def picture(number: int, side: int, mark: Mark) -> Picture:
    key = ImageKey("fake", "w1", f"{number:064}", "tile-768")
    return Picture(
        number,
        posted(number),
        Attachment(f"a{number}", "photo.jpg"),
        StoredImage(key, "image/jpeg", side, side, 1_000),
        side,
        side,
        mark=mark,
        receipt="seen",
    )


def answer(tokens: int, *, cached: int = 0, output: int = 42, ask: Ask = ASK) -> Answer:
    usage = Usage(tokens, output, cached=cached)
    return Answer("A cat.", ask.model, usage, LIST.cost(ask.model, usage))
