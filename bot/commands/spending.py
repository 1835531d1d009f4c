"""What was spent, as people read it."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain import Card, Spent, UsageRow
from bot.pricing import dollars


def usage_card(rows: Sequence[UsageRow]) -> Card:
    """The ledger's sums as people read them."""
    if not rows:
        return Card("Usage", "Nothing was asked yet.")
    lines = [f"{row.day}  {row.model}: {spent_words(row.spent)}" for row in rows]
    return Card("Usage", "\n".join([*lines, f"Total: {spent_words(total(rows))}"]))


def total(rows: Sequence[UsageRow]) -> Spent:
    """The sum of all rows."""
    parts = [row.spent for row in rows]
    return Spent(
        calls=sum(part.calls for part in parts),
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        cost=sum((part.cost for part in parts), Decimal(0)),
        unpriced=sum(part.unpriced for part in parts),
        possibly_charged=sum(part.possibly_charged for part in parts),
    )


def spent_words(spent: Spent) -> str:
    calls = "1 call" if spent.calls == 1 else f"{spent.calls:,} calls"
    words = [calls, f"{spent.input_tokens:,} in", f"{spent.output_tokens:,} out"]
    if spent.priced:
        words.append(dollars(spent.cost))
    if spent.unpriced:
        words.append(f"{spent.unpriced:,} at an unknown price")
    if spent.possibly_charged:
        words.append(f"{spent.possibly_charged:,} possibly charged")
    return " · ".join(words)
