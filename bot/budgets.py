"""Which budgets hold for a question, and what is said when one is spent. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.domain import Budget, Message
from bot.errors import BudgetSpent
from bot.pricing import dollars


def standing(
    message: Message, *, person_day: Decimal, workspace_month: Decimal, now: datetime
) -> tuple[Budget, ...]:
    """The budgets that a call for this message must fit, in the order in which they are reserved."""
    return (
        Budget("person", message.author, now.strftime("%Y-%m-%d"), person_day),
        Budget("workspace", "", now.strftime("%Y-%m"), workspace_month),
    )


def refusal(spent: BudgetSpent, most: Decimal) -> str:
    """One sentence: which budget, how much is left, when it renews and whom to ask."""
    whose = {"person": "Your", "channel": "This channel's", "workspace": "The workspace's"}
    span = "for today" if len(spent.period) == len("2026-11-22") else "for this month"
    left = max(spent.left, Decimal(0))
    return (
        f"{whose.get(spent.scope, 'A')} budget {span} has {dollars(left)} left and this question "
        f"may cost up to {dollars(most)}; it renews on {renewal(spent.period)} (UTC), or ask an "
        "administrator to raise it."
    )


def renewal(period: str) -> str:
    """The day on which the budget after this one starts."""
    if len(period) == len("2026-11-22"):
        day = datetime.strptime(period, "%Y-%m-%d").replace(tzinfo=UTC)
        return (day + timedelta(days=1)).strftime("%Y-%m-%d")
    month = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    return (month + timedelta(days=32)).strftime("%Y-%m-01")
