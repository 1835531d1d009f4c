"""Which budgets hold for a question, and what is said when one is spent. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal

from bot.domain import Budget, Message
from bot.errors import BudgetSpent
from bot.pricing import dollars

Scope = Literal["person", "channel", "workspace"]

DAY = "%Y-%m-%d"
MONTH = "%Y-%m"
MOST = Decimal(1_000_000)  # USD; who means more than that means something else
NONE = "none"  # is no limit at all
PLACES = 9  # a nano-dollar is the least that is counted


def standing(
    message: Message,
    *,
    now: datetime,
    person_day: Decimal | None = None,
    person_month: Decimal | None = None,
    channel_day: Decimal | None = None,
    channel_month: Decimal | None = None,
    workspace_day: Decimal | None = None,
    workspace_month: Decimal | None = None,
) -> tuple[Budget, ...]:
    """The budgets that a call for this message must fit, in the order in which they are reserved.

    Each holds for a day or a month of UTC, whatever zone `now` is told in; None is no budget.
    """
    day, month = (now.astimezone(UTC).strftime(form) for form in (DAY, MONTH))
    person, channel = message.author, message.thread.channel
    caps: tuple[tuple[Scope, str, str, Decimal | None], ...] = (
        ("person", person, day, person_day),
        ("person", person, month, person_month),
        ("channel", channel, day, channel_day),
        ("channel", channel, month, channel_month),
        ("workspace", "", day, workspace_day),
        ("workspace", "", month, workspace_month),
    )
    return tuple(
        Budget(scope, subject, period, cap)
        for scope, subject, period, cap in caps
        if cap is not None
    )


def refusal(spent: BudgetSpent, most: Decimal, *, whom: str = "an administrator") -> str:
    """One sentence: which budget, how much is left, when it renews and whom to ask."""
    whose = {"person": "Your", "channel": "This channel's", "workspace": "The workspace's"}
    span = "for today" if is_day(spent.period) else "for this month"
    left = max(spent.left, Decimal(0))
    return (
        f"{whose.get(spent.scope, 'A')} budget {span} has {dollars(left)} left and this question "
        f"may cost up to {dollars(most)}; it renews on {renewal(spent.period)} (UTC), or ask "
        f"{whom} to allow this question or to raise the budget."
    )


def too_dear(most: Decimal | None, allowed: Decimal | None) -> str | None:
    """Why a question is not asked that may cost more than a single one may; None where it is."""
    if most is None or allowed is None or most <= allowed:
        return None
    return (
        f"This question may cost up to {dollars(most)}, and one question may cost "
        f"{dollars(allowed)} here: ask with fewer pictures or at low detail, or ask an "
        "administrator for a shorter answer limit or a higher limit for each question."
    )


def cap(words: str) -> Decimal | None:
    """A limit in dollars, or `none`; raises ValueError with what would do."""
    return None if words.strip().lower() == NONE else amount(words)


def amount(words: str) -> Decimal:
    """Dollars as a person writes them; raises ValueError with what would do."""
    plain = words.strip().removeprefix("$").removesuffix("$").replace("_", "").strip()
    try:
        value = Decimal(plain)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise ValueError("dollars as a plain number, such as 0.50")
    if not 0 <= value <= MOST:
        raise ValueError(f"dollars from 0 to {MOST:,f}")
    return round(value, PLACES)


def renewal(period: str) -> str:
    """The day on which the budget after this one starts."""
    if is_day(period):
        day = datetime.strptime(period, DAY).replace(tzinfo=UTC)
        return (day + timedelta(days=1)).strftime(DAY)
    month = datetime.strptime(period, MONTH).replace(tzinfo=UTC)
    return (month + timedelta(days=32)).strftime("%Y-%m-01")


def is_day(period: str) -> bool:
    """Whether a period is a day; else it is a month."""
    return len(period) == len("2026-11-22")
