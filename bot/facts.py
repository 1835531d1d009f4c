"""Nouns → what `--json` and `--csv` print; dollars are strings, so that no program rounds them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot import commands
from bot.domain import Estimate, LedgerRow, Reply, Spent, UsageRow

Facts = dict[str, Any]

CALL = (
    "started_at",
    "platform",
    "workspace",
    "channel",
    "person",
    "model",
    "answered_by",
    "detail",
    "estimated_input_tokens",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "price_source",
    "outcome",
    "possibly_charged",
)
"""What is exported of each call, in this order."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def of_reply(reply: Reply) -> Facts:
    """An answer, its own usage, its price and what became of each picture."""
    answer = reply.answer
    usage = answer.usage if answer else None
    return {
        "answer": reply.text,
        "usage": usage
        and {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
            "reasoning_tokens": usage.reasoning,
        },
        "cost_usd": number(answer.cost if answer else None),
        "receipts": list(reply.looked),
    }


def of_estimate(told: Estimate) -> Facts:
    """What a question would cost; an unknown figure is null."""
    return {
        "model": told.model,
        "detail": told.detail,
        "certainty": told.certainty,
        "pictures": [
            {"name": each.name, "error": each.error}
            if each.error
            else {
                "name": each.name,
                "width": each.width,
                "height": each.height,
                "tokens": dict(each.tokens),
                "cost_usd": {level: number(cost) for level, cost in each.costs.items()},
                **({"parts": dict(each.parts)} if each.parts else {}),
            }
            for each in told.pictures
        ],
        "text_tokens": told.text_tokens,
        "question_tokens": told.question_tokens,
        "input_tokens": told.input_tokens,
        "cost_usd": number(told.input_cost),
        "most_usd": number(told.most),
        "follow_up": {
            "input_tokens": told.follow_up_tokens,
            "cost_usd": number(told.follow_up_cost),
        },
        "others": [
            {
                "model": other.model,
                "detail": other.detail,
                "certainty": other.certainty,
                "cost_usd": number(other.input_cost),
                "most_usd": number(other.most),
            }
            for other in told.others
        ],
        "price_source": told.price_source,
    }


def of_usage(rows: Sequence[UsageRow], calls: Sequence[LedgerRow] = ()) -> Facts:
    """The ledger's sums, and each call."""
    return {
        "total": of_spent(commands.total(rows)),
        "rows": [of_row(row) for row in rows],
        "calls": [of_call(call) for call in calls],
    }


def of_call(row: LedgerRow) -> Facts:
    """One call to the model; what is not known is null."""
    usage = row.usage
    return {
        "started_at": datetime.fromtimestamp(row.started_at, UTC).isoformat(timespec="seconds"),
        "platform": row.platform,
        "workspace": row.workspace,
        "channel": row.channel,
        "person": row.person,
        "model": row.model,
        "answered_by": row.answered_by,
        "detail": row.detail,
        "estimated_input_tokens": row.estimated_input,
        "input_tokens": usage.input if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "cache_write_tokens": usage.cache_written if usage else None,
        "output_tokens": usage.output if usage else None,
        "reasoning_tokens": usage.reasoning if usage else None,
        "cost_usd": number(row.cost),
        "price_source": row.price_source,
        "outcome": row.outcome,
        "possibly_charged": row.possibly_charged,
    }


def cells(facts: Facts) -> dict[str, str]:
    """Facts as a table's cells; a text that a spreadsheet would take for a formula is quoted."""
    return {name: cell(value) for name, value in facts.items()}


def cell(value: object) -> str:
    """One cell; empty for what is not known."""
    if value is None:
        return ""
    words = str(value)
    return f"'{words}" if isinstance(value, str) and words.startswith(FORMULA) else words


def of_row(row: UsageRow) -> Facts:
    place = {"day": row.day, "platform": row.platform, "workspace": row.workspace}
    return {**place, "model": row.model, **of_spent(row.spent)}


def of_spent(spent: Spent) -> Facts:
    return {
        "calls": spent.calls,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cost_usd": number(spent.cost if spent.priced else None),
        "unpriced_calls": spent.unpriced,
        "possibly_charged_calls": spent.possibly_charged,
        "votes_up": spent.up,
        "votes_down": spent.down,
    }


def number(amount: Decimal | None) -> str | None:
    """USD to the nano-dollar; None where it is unknown."""
    return None if amount is None else f"{amount:.9f}"
