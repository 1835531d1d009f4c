"""Estimates and help, the same on every platform."""

import csv
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from bot.commands import (
    DETAILS,
    Precision,
    Sized,
    brief,
    compared,
    estimate,
    estimate_card,
    total,
    usage_card,
)
from bot.commands.estimating import typed
from bot.domain import Ask, Attachment, Spent, ThreadId, UsageRow
from bot.pricing import Prices
from storage.store import SqlStore
from tests.bot.building import command, commands_on
from tests.pictures import FIXTURES

ASK = Ask(model="gpt-4o", detail="high", limit=1000, instructions="Be brief.")
PRICES = Prices.load(None)


def test_an_estimate_sums_pictures_and_text() -> None:
    told = estimate([Sized("a.jpg", 1024, 1024), Sized("b.jpg", 1024, 1024)], "What?", ASK, PRICES)

    assert [dict(each.tokens)["high"] for each in told.pictures] == [765, 765]
    assert told.input_tokens == 2 * 765 + told.text_tokens
    assert told.input_cost == (Decimal("2.5") * told.input_tokens / 1_000_000).quantize(
        Decimal("1e-9")
    )


def test_the_picture_part_of_an_estimate_is_what_every_documented_rule_bills() -> None:
    with (FIXTURES / "image_tokens.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["tokens"] != "refused"]
    checked = 0
    for row in rows:
        detail = next(each for each in DETAILS if each == row["detail"])
        picture = Sized("a.jpg", int(row["width"]), int(row["height"]))
        told = estimate([picture], "", replace(ASK, model=row["model"], detail=detail), PRICES)
        if told.detail != detail or told.input_tokens is None:
            continue
        checked += 1

        assert told.input_tokens - told.text_tokens == int(row["tokens"]), row

    assert checked > len(rows) * 0.9


def test_the_most_a_question_can_cost_holds_the_answer_at_its_limit() -> None:
    told = estimate([Sized("a.jpg", 1024, 1024)], "What?", ASK, PRICES)

    assert told.input_cost is not None
    assert told.most is not None
    assert told.most >= told.input_cost + Decimal(10) * ASK.limit / 1_000_000


def test_the_next_follow_up_carries_the_pictures_again() -> None:
    told = estimate([Sized("a.jpg", 1024, 1024)], "What?", ASK, PRICES)

    assert told.input_tokens is not None
    assert told.follow_up_tokens is not None
    assert told.follow_up_tokens > told.input_tokens


def test_a_model_that_would_refuse_a_picture_is_not_the_cheapest() -> None:
    pictures = [Sized("a.jpg", 20_000, 20_000)]
    ask = replace(ASK, detail="original")

    others = [other.model for other in compared(pictures, "What?", ask, PRICES)]
    refused = estimate(pictures, "What?", replace(ask, model="gpt-5.6-luna"), PRICES)

    # At `original` these take any size up to 30,000 patches, and this picture has more.
    assert not {"gpt-5.6-luna", "gpt-5.6-terra", "gpt-5.6-sol"} & set(others)
    assert "not in the sum" in estimate_card(refused).text


def test_a_typed_size_may_have_spaces() -> None:
    pictures, _ = typed("4032 x 3024 x2 low", ASK)

    assert [(each.width, each.height) for each in pictures] == [(4032, 3024)] * 2


def test_a_model_of_unknown_rule_gets_no_figure() -> None:
    ask = Ask(model="somebody-s-model")

    told = estimate([Sized("a.jpg", 1024, 1024)], "What?", ask, PRICES)

    assert (told.certainty, told.input_tokens, told.input_cost) == ("unknown", None, None)
    assert "unknown" in estimate_card(told).text
    assert "$" not in estimate_card(told).text + brief(told)


def test_a_model_whose_rule_is_a_guess_says_so() -> None:
    told = estimate([Sized("a.jpg", 1024, 1024)], "", Ask(model="gpt-6-sol"), PRICES)

    assert "assumed" in estimate_card(told).text


def test_a_picture_without_a_size_is_named_and_left_out_of_the_sum() -> None:
    with_it = estimate([Sized("a.jpg", 64, 64), Sized("b", error="size unknown")], "", ASK, PRICES)

    assert with_it.pictures[1].error == "size unknown"
    assert "not in the sum" in estimate_card(with_it).text


@pytest.mark.parametrize(
    ("typed", "title", "words"),
    [
        ("1920x1080 x3 high", "gpt-4o, detail high", "3. 1920×1080"),
        ("1024×1024 low", "gpt-4o, detail low", "low**: 85 tokens"),
        ("640x480 1024x1024", "gpt-4o, detail high", "2. 1024×1024"),
        ("0x100", "Estimate", "no picture's size"),
        ("-1x100", "Estimate", "I did not understand"),
        ("99999x99999", "Estimate", "each side has 1 to 65,535 pixels"),
        ("1e9x4", "Estimate", "I did not understand"),
        ("a big one", "Estimate", "I did not understand"),
        ("x3", "Estimate", "I did not understand"),
        ("", "Estimate", "I found no picture here"),
    ],
)
async def test_sizes_can_be_typed(store: SqlStore, typed: str, title: str, words: str) -> None:
    card = await commands_on(store).run(command("estimate", text=typed))

    assert title in card.title
    assert words in card.text


@pytest.mark.parametrize(
    ("text", "options", "title"),
    [
        ("1024x1024 detail:low", {}, "gpt-4o, detail low"),
        ("model:gpt-5.4-mini 1024x1024", {}, "gpt-5.4-mini, detail high"),
        ("1024x1024", {"question": "What is it? detail:low"}, "gpt-4o, detail low"),
        ("1024x1024 detail:low", {"detail": "auto"}, "gpt-4o, detail auto"),
        ("1024x1024", {"model": "somebody-s-model"}, "somebody-s-model, detail high"),
    ],
)
async def test_an_estimate_is_for_the_options_that_a_question_would_have(
    store: SqlStore, text: str, options: dict[str, str], title: str
) -> None:
    asked = replace(command("estimate", text=text), options=options)

    assert title in (await commands_on(store).run(asked)).title


async def test_an_option_of_an_estimate_that_does_not_do_is_named(store: SqlStore) -> None:
    card = await commands_on(store).run(command("estimate", text="1024x1024 detail:huge"))

    assert "detail high" in card.title
    assert "detail:huge was not taken: it should be low, high, auto or original" in card.text


async def test_an_estimate_is_for_what_was_set_for_its_place(store: SqlStore) -> None:
    await store.choose(ThreadId("fake", "w1", "c1", ""), "channel", "detail", "low")

    card = await commands_on(store).run(command("estimate", text="1024x1024"))

    assert "detail low" in card.title


async def test_a_thousand_typed_pictures_are_bounded(store: SqlStore) -> None:
    card = await commands_on(store).run(command("estimate", text="10x10 x999 20x20 x999"))

    assert "20. " in card.text
    assert "… and 80 more." in card.text


async def test_what_was_typed_comes_back_without_markup(store: SqlStore) -> None:
    card = await commands_on(store).run(command("estimate", text="<!channel>`@everyone"))

    assert not set("<>@") & set(card.text)


async def test_the_platform_s_own_sizes_are_enough_for_an_estimate(store: SqlStore) -> None:
    photo = Attachment("F1", "photo.jpg", width=1024, height=1024)

    card = await commands_on(store).run(command("estimate", attachments=(photo,)))

    assert "765 tokens" in card.text


async def test_help_names_formats_and_what_models_are_weak_at(store: SqlStore) -> None:
    card = await commands_on(store).run(command("help"))

    for word in ("PNG", "JPEG", "WebP", "GIF", "medical", "non-Latin", "rotated", "exact", "fine"):
        assert word in card.text


def test_usage_adds_up_and_tells_unknown_prices_apart() -> None:
    rows = [
        UsageRow("2026-11-22", "slack", "T1", "gpt-4o", Spent(2, 100, 10, Decimal("0.5"))),
        UsageRow("2026-11-21", "slack", "T1", "mine", Spent(1, 50, 5, Decimal(0), unpriced=1)),
    ]

    assert total(rows) == Spent(3, 150, 15, Decimal("0.5"), unpriced=1)
    error = Precision(calls=2, estimated=90, counted=100, off=10)
    assert usage_card(rows, date(2026, 11, 22), error).text.splitlines() == [
        "**Today:** 2 calls · 100 in · 10 out · $0.5000",
        "**This month:** 3 calls · 150 in · 15 out · $0.5000 · 1 at an unknown price",
        "- gpt-4o: 2 calls · 100 in · 10 out · $0.5000",
        "- mine: 1 call · 50 in · 5 out · 1 at an unknown price",
        "",
        "2026-11-22  gpt-4o: 2 calls · 100 in · 10 out · $0.5000",
        "2026-11-21  mine: 1 call · 50 in · 5 out · 1 at an unknown price",
        "Total: 3 calls · 150 in · 15 out · $0.5000 · 1 at an unknown price",
        "Estimates of the input: 10.0 % off on average, in all 10.0 % too low (of 2 calls)",
    ]
    assert usage_card([], date(2026, 11, 22), Precision()).text == "Nothing was asked yet."


def test_usage_tells_places_apart_and_a_month_without_a_question() -> None:
    rows = [
        UsageRow("2026-10-31", place, "T1", "gpt-4o", Spent(1, 100, 10, Decimal("0.5")))
        for place in ("discord", "slack")
    ]

    days = [
        "2026-10-31  discord T1  gpt-4o: 1 call · 100 in · 10 out · $0.5000",
        "2026-10-31  slack T1  gpt-4o: 1 call · 100 in · 10 out · $0.5000",
        "Total: 2 calls · 200 in · 20 out · $1.0000",
    ]

    new_month = usage_card(rows, date(2026, 11, 1), Precision())
    last_days = usage_card(rows, None, Precision())

    assert new_month.text.splitlines() == ["**This month:** nothing", "", *days]
    assert last_days.text.splitlines() == days
