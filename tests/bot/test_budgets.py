"""Which budgets hold, and how a refusal reads."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.budgets import refusal, renewal, standing
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
