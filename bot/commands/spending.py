"""What was spent, as people read it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from bot import charting
from bot.budgets import is_day, renewal
from bot.domain import Budget, Card, Command, LedgerRow, Spent, UsageRow
from bot.ports import Store
from bot.pricing import dollars
from bot.terms import shown

SCOPES = ("me", "channel", "workspace", "thread")
SUBJECTS = {"me": "You", "channel": "This channel", "workspace": "This workspace"}
SPANS = ("today", "month")
READING_SECONDS = 2.0  # of the ledger, for the estimates' error; a card does not wait longer
NOTHING = "Nothing was asked yet."
HOW = "I did not understand `{word}`: write `usage` with me, channel or workspace, and today or month."


class Spending:
    """Answers `usage`: for me, this channel, this workspace or this thread."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store = store
        self.now = now

    async def card(self, command: Command, *, budgets: Sequence[Budget] = ()) -> Card:
        """Sums, models, votes and the estimates' error, with a chart; `budgets` are those that hold here."""
        words = command.text.lower().split()
        if unknown := next((word for word in words if word not in (*SCOPES, *SPANS)), None):
            return Card("Usage", HOW.format(word=shown(unknown)))
        scope = next((word for word in words if word in SCOPES), "me")
        if scope == "thread":
            return await self.thread(command)
        today = self.now().astimezone(UTC).date()
        first = today if "today" in words else today.replace(day=1)
        rows = await self.rows(command, scope, first)
        lines = usage_lines(rows, today)
        if rows:
            lines += await self.precision(command, scope, first)
        lines += await self.standing(command, budgets)
        card = Card(f"Usage: {SUBJECTS[scope].lower()}", "\n".join(lines))
        if not command.drawn:
            return card
        drawing = await asyncio.to_thread(charting.usage, SUBJECTS[scope], rows, first, today)
        return replace(card, drawing=drawing)

    async def thread(self, command: Command) -> Card:
        """What one thread has cost."""
        if not command.root:
            return Card("Usage", "This is no thread: write `usage thread` in one.")
        spent = await self.store.thread_spent(command.place)
        return Card("Usage: this thread", spent_words(spent) if spent.calls else NOTHING)

    async def rows(self, command: Command, scope: str, first: date) -> list[UsageRow]:
        """The ledger's sums for what was asked."""
        return await self.store.usage(
            since=midnight(first),
            platform=command.platform,
            workspace=command.workspace,
            channel=command.channel if scope == "channel" else None,
            person=command.author if scope == "me" else None,
        )

    async def precision(self, command: Command, scope: str, first: date) -> list[str]:
        """How far the estimates of the input were from the API's own count, as far as that is quickly read."""
        error = Precision()
        try:
            async with asyncio.timeout(READING_SECONDS):
                async for row in self.store.ledger(since=midnight(first)):
                    if concerns(row, command, scope):
                        error = error.with_row(row)
        except TimeoutError:
            return []
        return [error.words] if error.counted else []

    async def standing(self, command: Command, budgets: Sequence[Budget]) -> list[str]:
        """What is left in the budgets that hold here."""
        if not budgets:
            return []
        left = await self.store.left(command.place, budgets)
        return ["", *(left_words(b, amount) for b, amount in zip(budgets, left, strict=True))]


@dataclass(frozen=True, slots=True)
class Precision:
    """How far estimates were from what was billed."""

    calls: int = 0
    estimated: int = 0
    counted: int = 0
    off: int = 0
    """Tokens by which the estimates were off, whichever way."""

    def with_row(self, row: LedgerRow) -> "Precision":
        """Counts a call whose estimate and usage are both known."""
        if row.estimated_input is None or row.usage is None or row.possibly_charged:
            return self
        counted = row.usage.input
        return Precision(
            self.calls + 1,
            self.estimated + row.estimated_input,
            self.counted + counted,
            self.off + abs(row.estimated_input - counted),
        )

    @property
    def words(self) -> str:
        """One line, where anything was counted."""
        share = Decimal(100 * self.off) / self.counted
        bias = Decimal(100 * (self.estimated - self.counted)) / self.counted
        way = "too high" if bias > 0 else "too low"
        whole = f"in all {abs(bias):.1f} % {way} " if bias else ""
        return (
            f"Estimates of the input: {share:.1f} % off on average, {whole}"
            f"(of {counted_calls(self.calls)})"
        )


def usage_card(rows: Sequence[UsageRow], today: date | None, error: Precision) -> Card:
    """The ledger's sums, as people read them: today, this month, and by day and model.

    Without today by day and model alone, as for rows of some days that are no month.
    """
    if not rows:
        return Card("Usage", NOTHING)
    lines = [f"{label(row, rows)}: {spent_words(row.spent)}" for row in rows]
    lines += [f"Total: {spent_words(total(rows))}"]
    lines += [error.words] if error.counted else []
    if today:
        month = [row for row in rows if row.day[:7] == today.isoformat()[:7]]
        lines = [*(usage_lines(month, today) if month else ["**This month:** nothing"]), "", *lines]
    return Card("Usage", "\n".join(lines))


def label(row: UsageRow, rows: Sequence[UsageRow]) -> str:
    """Day and model of a row, and its place where there are several."""
    places = {(each.platform, each.workspace) for each in rows}
    where = f"  {row.platform} {row.workspace}" if len(places) > 1 else ""
    return f"{row.day}{where}  {row.model}"


def usage_lines(rows: Sequence[UsageRow], today: date) -> list[str]:
    """Today, this month, by model, and what people thought of the answers."""
    if not rows:
        return [NOTHING]
    month = total(rows)
    now = total([row for row in rows if row.day == today.isoformat()])
    lines = [f"**Today:** {spent_words(now) if now.calls else 'nothing'}"]
    if any(row.day != today.isoformat() for row in rows):
        lines.append(f"**This month:** {spent_words(month)}")
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        sums = {model: total([row for row in rows if row.model == model]) for model in models}
        ranked = sorted(models, key=lambda model: (-sums[model].cost, model))
        lines += [f"- {model}: {spent_words(sums[model])}" for model in ranked]
    else:
        lines.append(f"All on {models[0]}.")
    if month.up or month.down:
        lines.append(f"Votes: {month.up:,} 👍 · {month.down:,} 👎")
    return lines


def total(rows: Sequence[UsageRow]) -> Spent:
    """The sum of all rows, field by field."""
    sums = {
        each.name: sum((getattr(row.spent, each.name) for row in rows), 0)
        for each in fields(Spent)
        if each.name != "cost"
    }
    return Spent(cost=sum((row.spent.cost for row in rows), Decimal(0)), **sums)


def spent_words(spent: Spent) -> str:
    words = [
        counted_calls(spent.calls),
        f"{spent.input_tokens:,} in",
        f"{spent.output_tokens:,} out",
    ]
    if spent.priced:
        words.append(dollars(spent.cost))
    if spent.unpriced:
        words.append(f"{spent.unpriced:,} at an unknown price")
    if spent.possibly_charged:
        words.append(f"{spent.possibly_charged:,} possibly charged")
    return " · ".join(words)


def left_words(budget: Budget, left: Decimal) -> str:
    """What is left in one budget, and until when."""
    whose = {"person": "Your", "channel": "This channel's", "workspace": "The workspace's"}
    span = "daily" if is_day(budget.period) else "monthly"
    return (
        f"{whose[budget.scope]} {span} budget: {dollars(max(left, Decimal(0)))} of "
        f"{dollars(budget.cap)} left until {renewal(budget.period)} (UTC)"
    )


def counted_calls(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls:,} calls"


def concerns(row: LedgerRow, command: Command, scope: str) -> bool:
    """Whether a call belongs to what was asked for."""
    if (row.platform, row.workspace) != (command.platform, command.workspace):
        return False
    if scope == "me":
        return row.person == command.author
    return scope == "workspace" or row.channel == command.channel


def midnight(day: date) -> float:
    """The beginning of a day of UTC, in seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
