"""The installer's price file → how models count pictures that no table of ours knows."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from bot import tokens
from bot.domain import Detail
from bot.errors import SetupError
from bot.pricing import PICTURE, entries
from bot.tokens import Level, Rule

BASE_ALONE = "base"
LEVEL_KEYS = ("side", "short", "squares")
KEYS = ("square", "tokens", "base", *LEVEL_KEYS, "low")
MOST = 65_535
"""Pixels of a side, and squares of a picture; more are a slip."""
HOW = (
    'it should be the name of a model that counts alike, such as "gpt-4o", or hold "square" '
    '(pixels of a square\'s side) and "tokens" (for each square)'
)


def read(path: Path | None) -> dict[str, Rule]:
    """The rules by model; raises SetupError that names the file, the key and the mend."""
    if path is None:
        return {}
    return {
        model: read_rule(f'{path}: "{PICTURE}" of "{model}"', entry[PICTURE])
        for model, entry in entries(path).items()
        if isinstance(entry, dict) and PICTURE in entry
    }


def read_rule(where: str, told: object) -> Rule:
    """One model's rule: another's by its name, or one of its own."""
    if isinstance(told, str):
        known = tokens.rule(told)
        if known.certainty == "unknown":
            raise SetupError(f"{where} is {told!r}, whose own rule is not known; {HOW}.")
        return known
    if not isinstance(told, dict) or not {"square", "tokens"} <= set(told):
        raise SetupError(f"{where} is not understood: {HOW}.")
    if unknown := sorted(set(told) - set(KEYS)):
        raise SetupError(f'{where} has "{unknown[0]}"; it takes {", ".join(KEYS)}.')
    square = whole(where, "square", told["square"])
    high = level(where, square, told)
    low = told.get("low", {})
    flat = low == BASE_ALONE
    if not flat and not isinstance(low, dict):
        raise SetupError(
            f'{where}: "low" should be "{BASE_ALONE}" or hold {", ".join(LEVEL_KEYS)}.'
        )
    table: dict[Detail, Level] = {
        "low": tokens.LOW if flat else level(where, square, {**told, **low}),
        "high": high,
        "auto": high,
    }
    return Rule(
        "documented",
        table,
        each(where, told["tokens"]),
        whole(where, "base", told.get("base", 0), least=0),
        flat=frozenset({"low"}) if flat else frozenset(),
    )


def level(where: str, square: int, told: Mapping[str, object]) -> Level:
    """How a picture is reduced before it is cut into squares."""
    side = whole(where, "side", told.get("side", MOST))
    short, budget = (
        whole(where, key, told[key]) if key in told else None for key in ("short", "squares")
    )
    return Level(f"own-{square}-{side}-{short}-{budget}", square, side, short, budget)


def whole(where: str, key: str, value: object, *, least: int = 1) -> int:
    """A whole number within reason."""
    if type(value) is not int or not least <= value <= MOST:
        raise SetupError(f'{where}: "{key}" should be a whole number from {least} to {MOST:,}.')
    return value


def each(where: str, value: object) -> Fraction:
    """Tokens of a square, which need not be whole."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(0)
    if isinstance(value, bool) or not amount.is_finite() or not 0 < amount <= MOST:
        raise SetupError(f'{where}: "tokens" should be a number above 0, such as 1.2.')
    return Fraction(amount)
