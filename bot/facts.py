"""Nouns → what `--json` prints."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot import commands
from bot.domain import Estimate, Reply, Spent, UsageRow

Facts = dict[str, Any]


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
        "price_source": told.price_source,
    }


def of_usage(rows: Sequence[UsageRow]) -> Facts:
    """The ledger's sums."""
    return {"total": of_spent(commands.total(rows)), "rows": [of_row(row) for row in rows]}


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
    }


def number(amount: Decimal | None) -> float | None:
    """USD as JSON has it; None where it is unknown."""
    return None if amount is None else float(amount)
