"""What fits, and what goes when it does not."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import Ask, Attachment, ImageKey, Mark, Picture, StoredImage, Turn
from bot.history import (
    CACHED_FROM,
    KEPT_SHARE,
    LABEL_TOKENS,
    NEXT_QUESTIONS,
    Fitted,
    Room,
    break_even,
    fit,
    room,
)
from bot.pricing import Prices, Rates
from tests.fakes import posted, shown

ASK = Ask(model="gpt-4o", detail="high", instructions="Be brief.")
PICTURE_TOKENS = 765
LOW_TOKENS = 85
WIDE = Room(tokens=1_000_000)


def test_a_thread_that_fits_is_sent_as_it_is() -> None:
    turns = thread(3)

    fitted = fit(turns, ASK, WIDE)

    assert fitted.turns == tuple(turns)
    assert (fitted.lowered, fitted.left_out, fitted.turns_left_out) == ((), (), 0)


def test_new_and_earlier_pictures_are_counted_apart() -> None:
    fitted = fit(thread(3), ASK, WIDE)

    assert fitted.new_picture_tokens == PICTURE_TOKENS
    assert fitted.earlier_picture_tokens == 2 * PICTURE_TOKENS


def test_pictures_of_a_model_whose_rule_is_unknown_have_no_figure() -> None:
    fitted = fit(thread(2), replace(ASK, model="somebody-s-model"), WIDE)

    assert fitted.new_picture_tokens is None
    assert fitted.earlier_picture_tokens is None


def test_the_oldest_pictures_are_lowered_before_any_is_dropped() -> None:
    fitted = fit(thread(5), ASK, Room(tokens=3_500))

    assert fitted.lowered == (1, 2, 3)
    assert fitted.left_out == ()
    assert [picture.mark for picture in pictures(fitted)] == ["low", "low", "low", "", ""]


def test_what_went_is_said() -> None:
    fitted = fit(thread(30), ASK, Room(tokens=2_000))

    assert "at low detail" in " ".join(fitted.notes) or "no longer sent" in " ".join(fitted.notes)
    assert fitted.left_out
    assert "no longer sent" in " ".join(fitted.notes)


def test_lowering_is_left_out_where_low_is_not_cheaper() -> None:
    ask = replace(ASK, model="gpt-5.4")
    turns = thread(6, width=2048, height=2048)

    fitted = fit(turns, ask, Room(tokens=12_000))

    assert fitted.lowered == ()
    assert fitted.left_out


def test_more_bytes_than_a_request_takes_drop_the_oldest_pictures() -> None:
    fitted = fit(thread(8, size=5_000_000), ASK, WIDE)

    assert fitted.lowered == ()
    assert fitted.left_out == (1, 2, 3, 4)


def test_more_pictures_than_a_request_takes_drop_the_oldest() -> None:
    fitted = fit(thread(6), ASK, Room(tokens=1_000_000, pictures=5))

    assert fitted.left_out == (1, 2, 3)


def test_a_pinned_picture_stays() -> None:
    turns = thread(8, size=5_000_000)
    first = replace(turns[0].pictures[0], mark="pinned")
    turns[0] = replace(turns[0], pictures=(first,))

    fitted = fit(turns, ASK, WIDE)

    assert 1 not in fitted.left_out
    assert fitted.left_out


def test_a_dropped_picture_takes_no_room_and_is_not_counted() -> None:
    turns = thread(2)
    first = replace(turns[0].pictures[0], mark="dropped")
    turns[0] = replace(turns[0], pictures=(first,))

    assert fit(turns, ASK, WIDE).earlier_picture_tokens == 0


def test_long_talk_goes_at_its_beginning_once_the_pictures_are_gone() -> None:
    turns = [Turn("user" if index % 2 == 0 else "assistant", "word " * 500) for index in range(41)]

    fitted = fit(turns, ASK, Room(tokens=5_000))

    assert fitted.turns[-1] == turns[-1]
    assert fitted.turns[0].role == "user"
    assert fitted.turns_left_out == 41 - len(fitted.turns)
    assert fitted.tokens <= 5_000


def test_a_question_larger_than_the_room_is_sent_all_the_same() -> None:
    question = Turn("user", "word " * 2_000)

    assert fit([*thread(2), question], ASK, Room(tokens=100)).turns[-1] == question


def test_without_a_limit_in_dollars_nothing_is_lowered_for_the_money() -> None:
    assert fit(thread(6), ASK, Room(tokens=8_000)).lowered == ()


def test_lowering_pays_at_once_where_cached_input_costs_as_much() -> None:
    no_cache = Rates(*[Decimal("0.000001")] * 4)

    fitted = fit(thread(6), ASK, Room(tokens=8_000, rates=no_cache))

    assert fitted.lowered
    assert "what a question may cost" in fitted.notes[0]
    assert "`pin 1` keeps it whole" in fitted.notes[0]


def test_lowering_waits_until_it_pays_for_the_cache_that_it_loses() -> None:
    # A tenth for what is cached, five quarters for what is written to the cache.
    rates = Rates(*(Decimal(price) for price in ("1", "0.1", "1.25", "6")))
    long_talk = [
        *thread(3),
        Turn("assistant", "word " * 3_000),
        Turn("user", "And why?"),
        Turn("assistant", "Because."),
        Turn("user", "And then? " * 300),
    ]

    # Only the last question fills more than half of the room, and by then the talk is cached.
    assert fit(long_talk, ASK, Room(tokens=11_500, rates=rates)).lowered == ()
    # Here the one before it does, when the long answer was not cached yet.
    assert fit(long_talk, ASK, Room(tokens=8_000, rates=rates)).lowered == (1, 2, 3)


@given(
    saved=st.integers(1, 50_000),
    anew=st.integers(0, 500_000),
    prices=st.tuples(*[st.decimals(0, 100, places=4)] * 3),
)
def test_a_change_pays_only_when_the_next_questions_cost_less_with_it(
    saved: int, anew: int, prices: tuple[Decimal, Decimal, Decimal]
) -> None:
    plain, cached, write = prices
    rates = Rates(plain, min(cached, plain), write, Decimal(0))
    prefix = saved + anew

    gain = break_even(saved, anew, CACHED_FROM, rates, cached=True)

    kept = NEXT_QUESTIONS * prefix * rates.cached
    changed = anew * rates.fresh + (NEXT_QUESTIONS - 1) * anew * rates.cached
    assert gain == kept - changed


def test_what_people_raised_or_pinned_is_not_lowered_for_the_money() -> None:
    no_cache = Rates(*[Decimal("0.000001")] * 4)
    turns = thread(6)
    held_by: tuple[tuple[int, Mark], ...] = ((0, "pinned"), (2, "high"))
    for index, mark in held_by:
        held = replace(turns[index].pictures[0], mark=mark)
        turns[index] = replace(turns[index], pictures=(held,))

    lowered = fit(turns, ASK, Room(tokens=8_000, rates=no_cache)).lowered

    assert not {1, 2} & set(lowered)
    assert lowered


def test_a_limit_in_dollars_narrows_the_room_to_what_it_pays_for() -> None:
    prices = Prices.load(None)
    ask = replace(ASK, limit=100)

    held = room(ask, prices, most_tokens=100_000, question_dollars=Decimal("0.01"))

    assert held.tokens == 3_600  # $0.009 at $2.50 a million; $0.001 are for the answer
    assert held.rates is not None
    most = prices.most("gpt-4o", held.tokens, 100)
    assert most is not None
    assert most <= Decimal("0.01")


def test_a_model_of_unknown_price_is_held_by_tokens_alone() -> None:
    ask = replace(ASK, model="mine")

    held = room(ask, Prices.load(None), most_tokens=7_000, question_dollars=Decimal("0.01"))

    assert held == Room(7_000)


def test_an_answer_that_alone_costs_more_than_the_limit_leaves_no_room() -> None:
    held = room(ASK, Prices.load(None), most_tokens=7_000, question_dollars=Decimal("0.001"))

    assert held.tokens == 1


def test_all_parts_of_a_document_are_counted_with_a_label_each() -> None:
    turns = thread(1)
    page = turns[0].pictures[0]
    assert page.image is not None
    document = replace(page, more=(page.image, page.image))

    fitted = fit([replace(turns[0], pictures=(document,))], ASK, WIDE)

    assert fitted.new_picture_tokens == 3 * PICTURE_TOKENS
    one = fit(turns, ASK, WIDE).tokens
    assert fitted.tokens == one + 2 * (PICTURE_TOKENS + LABEL_TOKENS)


@settings(max_examples=60, deadline=None)
@given(
    questions=st.integers(1, 25),
    room=st.builds(
        Room,
        tokens=st.integers(1_000, 30_000),
        bytes=st.integers(1_000_000, 40_000_000),
        pictures=st.integers(2, 30),
    ),
)
def test_whatever_the_thread_the_rest_fits_and_the_question_is_whole(
    questions: int, room: Room
) -> None:
    turns = thread(questions)

    fitted = fit(turns, ASK, room)

    assert fitted.turns[-1] == turns[-1]
    older = [p for turn in fitted.turns[:-1] for p in turn.pictures if p.visible]
    assert len(older) + 1 <= room.pictures
    assert sum(p.image.size for p in shown(fitted.turns) if p.image) <= room.bytes
    assert fitted.tokens <= max(room.tokens, PICTURE_TOKENS + 100)


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(2_500, 15_000))
def test_between_two_batches_a_request_begins_with_the_whole_one_before_it(tokens: int) -> None:
    turns = thread(30)
    requests = [fit(turns[: 2 * asked - 1], ASK, Room(tokens)).turns for asked in range(1, 31)]

    broken = sum(later[: len(earlier)] != earlier for earlier, later in pairwise(requests))

    # Each batch frees three tenths of the room: room for so many pictures at low detail at least.
    per_batch = int(tokens * (1 - KEPT_SHARE)) // (PICTURE_TOKENS + 40)
    assert broken <= 30 / max(per_batch, 1) + 1


def thread(
    questions: int, *, width: int = 1024, height: int = 1024, size: int = 300_000
) -> list[Turn]:
    """So many questions with a picture each, all but the last answered."""
    turns: list[Turn] = []
    for number in range(1, questions + 1):
        if turns:
            turns.append(Turn("assistant", "A cat on a mat."))
        turns.append(
            Turn("user", "What is this?", pictures=(picture(number, width, height, size),))
        )
    return turns


def picture(number: int, width: int, height: int, size: int) -> Picture:
    key = ImageKey("fake", "w1", f"{number:064}", "tile-768")
    return Picture(
        number,
        posted(number),
        Attachment(f"a{number}", "photo.jpg"),
        StoredImage(key, "image/jpeg", width, height, size),
        width,
        height,
        receipt="seen",
    )


def pictures(fitted: Fitted) -> list[Picture]:
    return [picture for turn in fitted.turns for picture in turn.pictures]
