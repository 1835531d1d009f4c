"""What was set where, and what holds."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import terms
from bot.domain import Level
from bot.presets import PRESETS
from bot.terms import SETTINGS, Terms, for_this_question, held, source
from tests.fakes import posted

BASE = Terms("gpt-4o", budget_person_day=Decimal(1), instructions="Be brief.")


def test_the_nearest_level_wins() -> None:
    chosen: dict[Level, dict[str, str]] = {
        "workspace": {"detail": "low", "model": "gpt-5.6-luna", "limit": "500"},
        "channel": {"detail": "auto", "model": "gpt-5.4-mini"},
        "thread": {"detail": "high"},
    }

    here = held(BASE, chosen)

    assert (here.detail, here.model, here.limit) == ("high", "gpt-5.4-mini", 500)
    names = ("detail", "model", "limit", "follow_ups")
    assert [source(name, chosen) for name in names] == [
        "thread",
        "channel",
        "workspace",
        "environment",
    ]


def test_what_cannot_be_read_any_more_leaves_the_next_level() -> None:
    chosen: dict[Level, dict[str, str]] = {
        "workspace": {"detail": "low"},
        "channel": {"detail": "enormous", "limit": "-1", "was_known_once": "1"},
    }

    assert held(BASE, chosen) == replace(BASE, detail="low")


def test_what_is_set_where_it_cannot_be_does_not_hold() -> None:
    chosen: dict[Level, dict[str, str]] = {
        "thread": {"budget_person_day": "100", "question": "5"},
        "channel": {"budget_workspace_month": "100"},
    }

    assert held(BASE, chosen) == BASE


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("model", "openai/gpt-5.4-mini", "openai/gpt-5.4-mini"),
        ("detail", "LOW", "low"),
        ("limit", "2,000", 2000),
        ("retention", "7", 7),
        ("preset", "Alt-Text", "alt-text"),
        ("follow_ups", "mentions", "mentions"),
        ("question", "$0.05", Decimal("0.05")),
        ("budget_person_day", "0", Decimal(0)),
        ("budget_workspace_month", "none", None),
    ],
)
def test_values_are_read_as_people_write_them(name: str, words: str, value: object) -> None:
    assert SETTINGS[name].kind.read(words) == value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model", "two words"),
        ("model", "<!channel>"),
        ("model", "x" * 201),
        ("detail", "huge"),
        ("limit", "0"),
        ("limit", "-5"),
        ("limit", "1e9"),
        ("limit", "9" * 5000),
        ("limit", "٣٠٠"),
        ("retention", "0"),
        ("instructions", ""),
        ("instructions", "x" * 8001),
        ("preset", "cooking"),
        ("budget_person_day", "ten"),
        ("budget_person_day", "-1"),
        ("budget_person_day", "NaN"),
        ("budget_person_day", "1000000000000"),
        ("budget_person_day", ""),
    ],
)
def test_a_bad_value_is_refused_with_what_would_do(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)\w+"):
        SETTINGS[name].kind.read(words)


@given(st.sampled_from(sorted(SETTINGS)), st.text(max_size=30))
def test_any_value_is_read_or_refused(name: str, words: str) -> None:
    reason = "it is taken"
    try:
        SETTINGS[name].kind.read(words)
    except ValueError as error:
        reason = str(error)

    assert reason


def test_a_preset_adds_its_instructions_and_its_detail() -> None:
    here = held(BASE, {"channel": {"preset": "alt-text"}})

    assert here.detail == "low"
    assert here.ask.instructions == f"Be brief.\n\n{PRESETS['alt-text'].prompt}"


@pytest.mark.parametrize(
    ("chosen", "detail"),
    [
        ({"channel": {"preset": "alt-text", "detail": "auto"}}, "auto"),
        ({"channel": {"preset": "alt-text"}, "thread": {"detail": "high"}}, "high"),
        ({"workspace": {"detail": "auto"}, "channel": {"preset": "alt-text"}}, "low"),
        ({"channel": {"preset": "alt-text"}, "thread": {"preset": "none"}}, "high"),
        ({"workspace": {"preset": "alt-text"}, "channel": {"preset": "charts"}}, "high"),
    ],
)
def test_a_preset_s_detail_yields_to_one_that_is_set_as_near(
    chosen: dict[Level, dict[str, str]], detail: str
) -> None:
    assert held(BASE, chosen).detail == detail


def test_the_medical_preset_warns_and_the_others_need_not() -> None:
    assert "no diagnosis" in PRESETS["medical"].warning
    assert {name for name, each in PRESETS.items() if each.warning} == {"medical"}


def test_a_question_chooses_for_itself() -> None:
    here, notes = for_this_question(BASE, {"model": "gpt-5.4-mini", "detail": "Low"}, known)

    assert (here.model, here.detail, notes) == ("gpt-5.4-mini", "low", ())


def test_a_bad_word_of_a_question_is_named_and_changes_nothing() -> None:
    here, notes = for_this_question(BASE, {"model": "a b", "detail": "<huge>"}, known)

    assert here == BASE
    assert notes == (
        "model:a_b was not taken: it should be a model's name, such as gpt-5.4-mini",
        "detail:_huge_ was not taken: it should be low, high, auto or original",
    )


def test_nobody_asks_past_a_budget_by_naming_a_model_that_it_cannot_hold() -> None:
    here, notes = for_this_question(BASE, {"model": "mine"}, known)

    assert here.model == "gpt-4o"
    assert "its price is unknown" in notes[0]


@pytest.mark.parametrize(
    "base", [replace(BASE, budget_person_day=None), replace(BASE, model="local")]
)
def test_where_no_budget_holds_any_model_may_be_asked(base: Terms) -> None:
    here, notes = for_this_question(base, {"model": "mine"}, known)

    assert (here.model, notes) == ("mine", ())


def test_all_six_budgets_hold_that_are_set() -> None:
    here = held(BASE, {"workspace": {"budget_channel_month": "3", "budget_workspace_day": "none"}})

    standing = here.budgets(posted(1), datetime(2026, 11, 22, tzinfo=UTC))

    assert [(each.scope, each.period, each.cap) for each in standing] == [
        ("person", "2026-11-22", Decimal(1)),
        ("channel", "2026-11", Decimal(3)),
    ]


def test_every_setting_says_what_would_do_and_has_a_field() -> None:
    for name, setting in SETTINGS.items():
        assert hasattr(BASE, name)
        assert setting.kind.wants
        assert setting.meaning
    assert set(terms.BUDGETS) < terms.MONEY


def known(model: str) -> bool:
    return model.startswith("gpt-")
