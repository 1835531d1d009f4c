import base64
import csv
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import tokens
from bot.domain import Detail
from tests.pictures import FIXTURES

with (FIXTURES / "image_tokens.csv").open() as file:
    ROWS = list(csv.DictReader(file))
MODELS = [*tokens.DOCUMENTED, *tokens.ASSUMED, "llava:13b"]
DETAILS: list[Detail] = ["low", "high", "auto", "original"]
ONE_OF_EACH = [
    "gpt-4o",
    "gpt-5.6-luna",
    "gpt-6-astra",
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.2",
    "gpt-5-mini",
]
SIDES = st.integers(1, 12_000)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row.values()))
def test_a_picture_costs_what_is_documented_or_was_measured(row: dict[str, str]) -> None:
    rule = tokens.rule(row["model"])
    detail = next(detail for detail in DETAILS if detail == row["detail"])

    counted = rule.count(int(row["width"]), int(row["height"]), detail)

    assert counted == (None if row["tokens"] == "refused" else int(row["tokens"]))


@given(st.sampled_from(MODELS), st.sampled_from(DETAILS), SIDES, SIDES)
def test_what_is_worth_sending_is_never_larger_and_costs_the_same(
    model: str, detail: Detail, width: int, height: int
) -> None:
    rule = tokens.rule(model)

    wide, high = rule.target(width, height, detail)

    assert 1 <= wide <= width
    assert 1 <= high <= height
    if (cost := rule.count(width, height, detail)) is not None:
        assert rule.count(wide, high, detail) == cost
    assert rule.target(wide, high, detail) == (wide, high)


@given(st.sampled_from(MODELS), st.sampled_from(DETAILS), SIDES, SIDES)
def test_a_picture_on_its_side_costs_the_same(
    model: str, detail: Detail, width: int, height: int
) -> None:
    rule = tokens.rule(model)

    assert rule.count(width, height, detail) == rule.count(height, width, detail)
    assert rule.target(width, height, detail) == rule.target(height, width, detail)[::-1]


@given(st.sampled_from(["gpt-5.4", "gpt-5-mini", "gpt-6-astra"]), SIDES, SIDES)
def test_a_shrunk_picture_stays_in_its_budget_and_keeps_its_shape(
    model: str, width: int, height: int
) -> None:
    level = tokens.rule(model).level("high")
    assert level.budget is not None

    wide, high = level.reduce(width, height)

    assert level.cells(wide, high) <= level.budget
    # Each side is rounded twice at most, and not by two pixels in all.
    assert abs(wide * height - high * width) < 2 * (width + height)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("openrouter/openai/gpt-4o-mini:extended", "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("ft:gpt-4.1-nano-2025-04-14:acme::x1", "gpt-4.1-nano"),
        ("gpt-4-1106-vision-preview", "gpt-4-vision"),
        ("gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
        ("gpt-4.5-preview-2025-02-27", "gpt-4.5"),
        ("gpt-5-chat-latest", "gpt-5"),
        (" GPT-5.6-Luna ", "gpt-5.6-luna"),
        ("o4-mini-2025-04-16", "o4-mini"),
    ],
)
def test_a_name_with_provider_date_or_variant_means_the_model_in_it(name: str, same: str) -> None:
    assert tokens.rule(name) == tokens.rule(same)
    assert tokens.rule(name).certainty == "documented"


@pytest.mark.parametrize("name", ["gpt-6-sol", "gpt-6-luna", "gpt-6.1-sol", "openai/gpt-6-sol"])
def test_the_newest_models_are_counted_like_their_sister_and_it_is_said(name: str) -> None:
    rule = tokens.rule(name)

    assert rule.certainty == "assumed"
    assert rule.count(1024, 1024, "high") == tokens.rule("gpt-6-astra").count(1024, 1024, "high")


def test_a_deployment_named_after_a_model_is_assumed_to_be_it() -> None:
    rule = tokens.rule("my-team-gpt-4o-mini")

    assert (rule.certainty, rule.count(64, 64, "low")) == ("assumed", 2833)


@pytest.mark.parametrize(
    "name",
    ["", "llava", "gpt-4o-audio-preview", "gpt-5-pro", "marco-o1", "gpt-4o-mini-tts", "gpt-7", "/"],
)
def test_an_unknown_model_never_gets_a_figure(name: str) -> None:
    rule = tokens.rule(name)

    assert rule.certainty == "unknown"
    assert [rule.count(800, 600, detail) for detail in DETAILS] == [None] * 4
    assert rule.form("high") == "whole-2048"
    assert rule.target(4096, 1024, "high") == (2048, 512)


@pytest.mark.parametrize("name", tokens.DOCUMENTED)
def test_a_small_model_is_never_taken_for_its_big_sister(name: str) -> None:
    for size in ("-mini", "-nano"):
        if name + size not in tokens.DOCUMENTED:
            assert tokens.rule(name + size).certainty == "unknown"


def test_a_detail_that_a_model_does_not_know_is_its_high() -> None:
    rule = tokens.rule("gpt-4o")

    assert "original" not in rule.levels
    assert rule.count(4000, 3000, "original") == rule.count(4000, 3000, "high")
    assert rule.form("original") == rule.form("high")
    assert tokens.rule("gpt-5.5").levels == ("low", "high", "auto", "original")


@pytest.mark.parametrize(
    ("model", "detail", "form"),
    [
        ("gpt-4o", "high", "tile-768"),
        ("gpt-4o", "low", "low-512"),
        ("gpt-5.6-luna", "low", "low-512"),
        ("gpt-5.6-luna", "high", "patch-2048-2500"),
        ("gpt-5.6-luna", "auto", "original-65535"),
        ("gpt-5.4", "original", "original-6000-10000"),
        ("gpt-5.4", "low", "patch-2048-6144"),
        ("gpt-6-astra", "high", "patch-65535-2500"),
    ],
)
def test_forms_are_named_after_their_rule(model: str, detail: Detail, form: str) -> None:
    assert tokens.rule(model).form(detail) == form


def test_equal_forms_are_equal_rules_in_all_models() -> None:
    levels: dict[str, set[tokens.Level]] = {}
    for model in MODELS:
        for level in tokens.rule(model).table.values():
            levels.setdefault(level.form, set()).add(level)

    assert {form for form, found in levels.items() if len(found) > 1} == set()


@pytest.mark.parametrize("size", [(0, 100), (100, 0), (-5, -5)])
def test_a_size_that_no_picture_has_gets_no_figure(size: tuple[int, int]) -> None:
    assert tokens.rule("gpt-4o").count(*size, "high") is None
    assert tokens.rule("gpt-4o").count(*size, "low") is None
    assert min(tokens.rule("gpt-4o").target(*size, "high")) >= 1


def test_the_words_are_counted_with_the_models_own_vocabulary() -> None:
    assert tokens.text("") == 0
    assert tokens.text("hello world", "gpt-4o") == 2
    assert tokens.text("漢字", "gpt-4o") == 2
    assert tokens.text("漢字", "gpt-4-turbo") == 3


@pytest.mark.parametrize("words", ["a" * 1_000_000, " " * 1_000_000, "🧠" * 200_000, "\ud800" * 9])
def test_any_text_is_counted_at_once(words: str) -> None:
    assert 0 < tokens.text(words) <= 4 * len(words)


@given(st.binary(max_size=50))
def test_the_length_of_base64_is_known_beforehand(data: bytes) -> None:
    assert tokens.base64_length(len(data)) == len(base64.b64encode(data))


def test_a_request_of_two_messages_costs_nine_tokens_more_than_its_words() -> None:
    assert tokens.overhead(2) == 9


@given(
    model=st.sampled_from(sorted(tokens.DOCUMENTED)),
    width=st.integers(1, 70_000),
    height=st.integers(1, 70_000),
    detail=st.sampled_from(["low", "high", "auto", "original"]),
)
def test_no_picture_of_any_size_costs_more_than_the_most(
    model: str, width: int, height: int, detail: Detail
) -> None:
    rule = tokens.rule(model)

    assert (rule.count(width, height, detail) or 0) <= (rule.most(detail) or 0)


def test_the_most_of_an_unknown_model_is_unknown() -> None:
    assert tokens.rule("somebody-s-model").most("high") is None


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_what_is_sent_costs_what_was_posted(model: str, detail: Detail) -> None:
    rule = tokens.rule(model)
    rng = random.Random(f"{model} {detail}")
    sides = [*range(1, 4_101, 311), 512, 513, 768, 769, 2048, 2049]
    sizes = [(one, other) for one in sides for other in sides]
    sizes += [(rng.randint(1, 12_000), rng.randint(1, 12_000)) for _ in range(700)]

    for size in sizes:
        sent = rule.target(*size, detail)
        assert rule.count(*sent, detail) == rule.count(*size, detail), size
        assert sent[0] <= size[0]
        assert sent[1] <= size[1]
        assert rule.target(*sent, detail) == sent, size
