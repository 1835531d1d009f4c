"""Estimate, usage, settings, forget, help: what people ask of the bot outside of a question."""

from bot.commands.answering import Commands
from bot.commands.estimating import DETAILS, Sized, brief, estimate, estimate_card
from bot.commands.spending import total, usage_card

__all__ = [
    "DETAILS",
    "Commands",
    "Sized",
    "brief",
    "estimate",
    "estimate_card",
    "total",
    "usage_card",
]
