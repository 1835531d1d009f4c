"""Which budgets hold, and how a refusal reads."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.budgets import amount, refusal, renewal, standing, too_dear
from bot.domain import Budget
from bot.errors import BudgetSpent
from tests.fakes import posted


def test_a_question_must_fit_the_person_s_day_and_the_workspace_s_month() -> None:
    now = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)

    person, workspace = standing(
        posted(1), person_day=Decimal(1), workspace_month=Decimal(20), now=now
    )

    assert (person.scope, person.subject, person.period) == ("person", "anna", "2026-11-22")
    assert (workspace.scope, workspace.subject, workspace.period) == ("workspace", "", "2026-11")


def test_a_refusal_says_which_how_much_is_left_when_it_renews_and_whom_to_ask() -> None:
    spent = BudgetSpent("", scope="person", period="2026-11-22", left=Decimal("0.0021"))

    assert refusal(spent, Decimal("0.05")) == (
        "Your budget for today has $0.0021 left and this question may cost up to $0.0500; "
        "it renews on 2026-11-23 (UTC), or ask an administrator to allow this question or to "
        "raise the budget."
    )


def test_six_budgets_hold_where_six_are_set() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)

    held = standing(
        posted(1),
        now=now,
        person_day=Decimal(1),
        person_month=Decimal(2),
        channel_day=Decimal(3),
        channel_month=Decimal(4),
        workspace_day=Decimal(0),
        workspace_month=Decimal(6),
    )

    assert held == (
        Budget("person", "anna", "2026-11-22", Decimal(1)),
        Budget("person", "anna", "2026-11", Decimal(2)),
        Budget("channel", "c1", "2026-11-22", Decimal(3)),
        Budget("channel", "c1", "2026-11", Decimal(4)),
        Budget("workspace", "", "2026-11-22", Decimal(0)),
        Budget("workspace", "", "2026-11", Decimal(6)),
    )


def test_a_budget_that_is_not_set_holds_nobody() -> None:
    assert standing(posted(1), now=datetime(2026, 11, 22, tzinfo=UTC)) == ()


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        ("2026-12-31T23:59:59.999+00:00", "2026-12-31", "2026-12"),
        ("2027-01-01T00:00:00+00:00", "2027-01-01", "2027-01"),
        # Half past midnight in Berlin is still yesterday in UTC, and the month before.
        ("2026-12-01T00:30:00+01:00", "2026-11-30", "2026-11"),
        ("2026-10-31T20:30:00-07:00", "2026-11-01", "2026-11"),
        ("2028-02-29T12:00:00+14:00", "2028-02-28", "2028-02"),
    ],
)
def test_days_and_months_are_those_of_utc_whatever_zone_the_clock_shows(
    moment: str, day: str, month: str
) -> None:
    held = standing(
        posted(1),
        now=datetime.fromisoformat(moment),
        person_day=Decimal(1),
        person_month=Decimal(1),
    )

    assert [each.period for each in held] == [day, month]


@given(
    moment=st.integers(1_500_000_000, 4_000_000_000),
    zone=st.timezones(),
)
def test_a_budget_is_over_before_the_next_one_begins(moment: int, zone: ZoneInfo) -> None:
    now = datetime.fromtimestamp(moment, zone)
    day, month = standing(posted(1), now=now, person_day=Decimal(1), person_month=Decimal(1))

    utc = datetime.fromtimestamp(moment, UTC)
    assert renewal(day.period) == (utc + timedelta(days=1)).strftime("%Y-%m-%d")
    assert renewal(month.period) > day.period
    assert renewal(month.period).endswith("-01")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("0", "0"),
        (" 0.50 ", "0.5"),
        ("$2", "2"),
        ("2$", "2"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("0.0000000004", "0"),
    ],
)
def test_dollars_are_read_as_people_write_them(words: str, value: str) -> None:
    assert amount(words) == Decimal(value)


@pytest.mark.parametrize(
    "words", ["", "ten", "-1", "1000000000000", "1e400", "nan", "inf", "0x10", "1,5", "$"]
)
def test_what_is_no_sensible_amount_is_told_what_would_do(words: str) -> None:
    with pytest.raises(ValueError, match="dollars"):
        amount(words)


def test_a_question_dearer_than_one_may_be_is_told_how_to_make_it_cheaper() -> None:
    told = too_dear(Decimal("0.0312"), Decimal("0.01"))

    assert told is not None
    for words in ("$0.0312", "$0.0100", "fewer pictures", "low detail", "administrator"):
        assert words in told
    assert too_dear(Decimal("0.01"), Decimal("0.01")) is None
    assert too_dear(None, Decimal("0.01")) is None
    assert too_dear(Decimal(9), None) is None


@pytest.mark.parametrize(
    ("period", "day"),
    [
        ("2026-12-31", "2027-01-01"),
        ("2028-02-28", "2028-02-29"),
        ("2026-11", "2026-12-01"),
        ("2026-12", "2027-01-01"),
        ("2026-01", "2026-02-01"),
    ],
)
def test_a_budget_renews_on_the_first_day_after_its_period(period: str, day: str) -> None:
    assert renewal(period) == day
