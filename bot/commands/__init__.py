"""Estimate, usage, settings, forget, help: what people ask of the bot outside of a question."""

from bot.commands.answering import Commands
from bot.commands.estimating import DETAILS, Sized, compared, estimate
from bot.commands.estimator import Estimator
from bot.commands.sizing import parts_of
from bot.commands.spending import Precision, total, usage_card
from bot.commands.telling import brief, estimate_card

__all__ = [
    "DETAILS",
    "Commands",
    "Estimator",
    "Precision",
    "Sized",
    "brief",
    "compared",
    "estimate",
    "estimate_card",
    "parts_of",
    "total",
    "usage_card",
]
