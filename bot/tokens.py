"""A picture or a text → tokens, and the size a model sees, by the model's own rule. Pure.

The picture rules are those of OpenAI's guide "Images and vision", in exact arithmetic.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, isqrt
from typing import Literal

import toktok  # type: ignore[import-untyped]

from bot.domain import Detail

Certainty = Literal["documented", "assumed", "unknown"]
Size = tuple[int, int]

MOST_PATCHES = 30_000
"""Over it the API refuses a picture; it does not shrink it."""

TALL = 8
"""From so many times as long as wide on, a picture may be cut: whole, a model would see letters of no size."""
PART = Fraction(11, 5)
"""How much longer than wide a part is at least: a phone's screen, which models read well."""
MOST_PARTS = 10
OVERLAP = 16
"""A sixteenth of the width stands at the end of one part and again in the next: a line of text is whole in one."""
NARROWEST = 200
"""Pixels; what is narrower holds no text worth cutting for."""
CLEARER = Fraction(5, 4)
"""How much larger a part must be seen than the whole, or the cut is not worth its tokens."""


def rule(model: str) -> "Rule":
    """How this model counts pictures; an unknown model gets a rule that counts nothing."""
    name = plain(model)
    if own := LEARNT.get(model.strip().lower()) or LEARNT.get(name):
        return own
    if name in DOCUMENTED:
        return DOCUMENTED[name]
    if name in ASSUMED:
        return ASSUMED[name]
    return DEPLOYED.get(family(name), UNKNOWN)


def parts(width: int, height: int, model: str, detail: Detail) -> tuple[Size, ...]:
    """The sizes of the parts into which a very long picture is cut where that is allowed; else its own."""
    return rule(model).parts(width, height, detail)


def learn(rules: Mapping[str, "Rule"]) -> None:
    """Takes in the installer's rules, by model, once when a process starts; they go before the documented ones."""
    LEARNT.clear()
    LEARNT.update({model.strip().lower(): rule for model, rule in rules.items()})


def text(words: str, model: str = "") -> int:
    """The tokens of a text; linear in its length, whatever it holds (10 MB a second and more)."""
    counts: list[int] = toktok.batch_count([readable(words)], encoding(model), threads=1)
    return counts[0]


def overhead(turns: int) -> int:
    """The tokens around the words of a request with so many messages.

    Three a message and three that begin the answer, after the OpenAI Cookbook's
    "How to count tokens with tiktoken".
    """
    return 3 * turns + 3


def base64_length(size: int) -> int:
    """How many characters so many bytes take in base64."""
    return 4 * ((size + 2) // 3)


@dataclass(frozen=True, slots=True)
class Level:
    """How a picture is reduced at one detail, and the squares that it is then cut into."""

    form: str
    """Equal forms mean equal prepared bytes."""
    square: int
    """Pixels of a square's side."""
    side: int
    """Pixels that the longer side may have."""
    short: int | None = None
    """Pixels that the shorter side may have."""
    budget: int | None = None
    """Squares that a picture may have; it is shrunk until it fits."""

    def reduce(self, width: int, height: int) -> Size:
        """The size that the service reduces a picture to; never larger."""
        width, height = max(1, width), max(1, height)
        if self.short is not None:
            return self.within_short_side(width, height, self.short)
        width, height = self.within_side(width, height)
        if self.budget is not None and self.cells(width, height) > self.budget:
            return self.within_budget(width, height, self.budget)
        return width, height

    def squares(self, width: int, height: int) -> int:
        """The squares of a picture of this size, after it was reduced."""
        return self.cells(*self.reduce(width, height))

    def within_short_side(self, width: int, height: int, short: int) -> Size:
        """Both limits at once and rounded down once; in between it would cost other tiles."""
        ratio = min(
            Fraction(1),
            Fraction(self.side, max(width, height)),
            Fraction(short, min(width, height)),
        )
        return scaled(width, height, ratio)

    def within_side(self, width: int, height: int) -> Size:
        longer = max(width, height)
        if longer <= self.side:
            return width, height
        return nearest(width * self.side, longer), nearest(height * self.side, longer)

    def within_budget(self, width: int, height: int, budget: int) -> Size:
        """The documented shrinking, solved for whole squares, so that no root is ever rounded."""
        columns = isqrt(budget * width // height)
        rows = isqrt(budget * height // width)
        ratio = min(Fraction(self.square * columns, width), Fraction(self.square * rows, height))
        return scaled(width, height, ratio)

    def cells(self, width: int, height: int) -> int:
        return -(-width // self.square) * -(-height // self.square)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one family of models sees and counts pictures."""

    certainty: Certainty
    table: Mapping[Detail, Level]
    each: Fraction | None
    """Tokens a square; None where nobody knows."""
    base: int = 0
    """Tokens a picture, beside its squares."""
    flat: frozenset[Detail] = frozenset()
    """Details that cost the base alone."""

    @property
    def levels(self) -> tuple[Detail, ...]:
        """The details that these models know; any other is treated as `high`."""
        return tuple(self.table)

    def count(self, width: int, height: int, detail: Detail) -> int | None:
        """The tokens of a picture; None where the API refuses it or nobody knows."""
        level = self.level(detail)
        if self.each is None or min(width, height) < 1:
            return None
        if detail in self.flat:
            return self.base
        squares = level.squares(width, height)
        if level.square == PATCH and squares > MOST_PATCHES:
            return None
        return self.base + -(-squares * self.each.numerator // self.each.denominator)

    def most(self, detail: Detail) -> int | None:
        """The most tokens that a picture of any size costs; None where nobody knows."""
        if self.each is None:
            return None
        if detail in self.flat:
            return self.base
        level = self.level(detail)
        squares = level.cells(level.side, level.short or level.side)
        if level.square == PATCH:
            squares = min(squares, level.budget or MOST_PATCHES, MOST_PATCHES)
        return self.base + -(-squares * self.each.numerator // self.each.denominator)

    def seen(self, width: int, height: int, detail: Detail) -> Size:
        """The size in pixels that the model sees."""
        return self.level(detail).reduce(width, height)

    def target(self, width: int, height: int, detail: Detail) -> Size:
        """The largest size worth sending: what the service would reduce the picture to."""
        return self.level(detail).reduce(width, height)

    def parts(self, width: int, height: int, detail: Detail) -> tuple[Size, ...]:
        """The sizes of the parts of a very long picture, all equal; its own where a cut helps nobody."""
        long, short = max(width, height), min(width, height)
        if detail == "low" or short < NARROWEST or long < TALL * short:
            return ((width, height),)
        number = min(MOST_PARTS, -(-long // floor(short * PART)))
        each = -(-(long + (number - 1) * (short // OVERLAP)) // number)
        part = (each, short) if width > height else (short, each)
        clearer = min(self.seen(*part, detail)) >= CLEARER * min(self.seen(width, height, detail))
        refused = self.each is not None and self.count(width, height, detail) is None
        return (part,) * number if clearer or refused else ((width, height),)

    def form(self, detail: Detail) -> str:
        """The name of the size rule; equal forms mean equal prepared bytes."""
        return self.level(detail).form

    def alike(self, one: Size, other: Size, detail: Detail) -> bool:
        """Whether two sizes cost the same; told by the form alone, also where a price is flat."""
        level = self.level(detail)
        return level.squares(*one) == level.squares(*other)

    def level(self, detail: Detail) -> Level:
        return self.table.get(detail, self.table["high"])


# What `learn` was told: the one thing here that is not a constant, and fixed once a process serves.
LEARNT: dict[str, Rule] = {}
TILE = 512
PATCH = 32
LOW = Level("low-512", PATCH, side=512)
TILED = Level("tile-768", TILE, side=2048, short=768)
WHOLE = Level("whole-2048", PATCH, side=2048)
UNKNOWN = Rule("unknown", {"low": LOW, "high": WHOLE, "auto": WHOLE}, each=None)


def tiles(base: int, each: int) -> Rule:
    """A family that pays by the tile of 512 pixels."""
    table: dict[Detail, Level] = {"low": LOW, "high": TILED, "auto": TILED}
    return Rule("documented", table, Fraction(each), base, flat=frozenset({"low"}))


def patches(
    each: str, low: Level, high: Level, original: Level | None = None, auto: Level | None = None
) -> Rule:
    """A family that pays by the patch of 32 pixels; `auto` means `high` unless it is given."""
    table: dict[Detail, Level] = {"low": low, "high": high, "auto": auto or high}
    if original:
        table["original"] = original
    return Rule("documented", table, Fraction(each))


def budgeted(side: int, budget: int, name: str = "patch") -> Level:
    """A level that bounds both the longer side and the patches."""
    return Level(f"{name}-{side}-{budget}", PATCH, side, budget=budget)


FEW = budgeted(2048, 1536)
SOME = budgeted(2048, 2500)
MANY = budgeted(2048, 6144)
ORIGINAL = budgeted(6000, 10_000, "original")
BOUNDLESS = Level("original-65535", PATCH, side=65_535)

GPT_4 = tiles(85, 170)
GPT_5 = tiles(70, 140)
O_SERIES = tiles(75, 150)
GPT_5_4 = patches("1.2", low=MANY, high=SOME, original=ORIGINAL)
GPT_5_6 = patches("1.2", LOW, SOME, BOUNDLESS, auto=BOUNDLESS)
GPT_6 = patches("1.2", LOW, budgeted(65_535, 2500), BOUNDLESS, auto=BOUNDLESS)

DOCUMENTED: Mapping[str, Rule] = {
    "gpt-4-vision": GPT_4,
    "gpt-4-turbo": GPT_4,
    "gpt-4o": GPT_4,
    "gpt-4.1": GPT_4,
    "gpt-4.5": GPT_4,
    "gpt-4o-mini": tiles(2833, 5667),
    "gpt-5": GPT_5,
    "gpt-5-chat": GPT_5,
    "gpt-5.1": GPT_5,
    "o1": O_SERIES,
    "o1-pro": O_SERIES,
    "o3": O_SERIES,
    "computer-use": tiles(65, 129),
    "gpt-6-astra": GPT_6,
    "gpt-5.6-sol": GPT_5_6,
    "gpt-5.6-terra": GPT_5_6,
    "gpt-5.6-luna": GPT_5_6,
    "gpt-5.5": patches("1.2", LOW, SOME, ORIGINAL, auto=ORIGINAL),
    "gpt-5.4": GPT_5_4,
    "gpt-5.4-mini": GPT_5_4,
    "gpt-5.4-nano": GPT_5_4,
    "gpt-5.2": patches("1.2", MANY, MANY),
    "gpt-4.1-mini": patches("1.62", MANY, MANY),
    "gpt-5-mini": patches("1.2", FEW, FEW),
    "gpt-5-nano": patches("1.5", FEW, FEW),
    "gpt-4.1-nano": patches("2.46", FEW, FEW),
    "o4-mini": patches("1.72", FEW, FEW),
}


def assumed(known: Rule) -> Rule:
    """The same rule, for a model that it was not written for."""
    return Rule("assumed", known.table, known.each, known.base, known.flat)


ASSUMED: Mapping[str, Rule] = {
    name: assumed(GPT_6) for name in ("gpt-6-sol", "gpt-6-luna", "gpt-6.1-sol")
}
DEPLOYED: Mapping[str, Rule] = {
    name: assumed(known) for name, known in {**DOCUMENTED, **ASSUMED}.items()
}


def plain(model: str) -> str:
    """The name without provider, fine-tune, variant, date and `-latest`: what the tables hold."""
    name = model.strip().lower().rsplit("/", 1)[-1].removeprefix("ft:")
    name = re.split(r"[:@]", name, maxsplit=1)[0]
    name = re.sub(r"-(\d{4}-\d{2}-\d{2}|\d{8})$", "", name)
    return re.sub(r"^(gpt-4)-\d{4}(-vision)", r"\1\2", re.sub(r"-(latest|preview)$", "", name))


def family(name: str) -> str:
    """The family that a deployment's name ends with, as in `team-gpt-4o-mini`; else nothing.

    Only the end counts: what follows a family's name may be another model, as in `gpt-4o-audio`.
    """
    found = re.search(r"(?<=[-_.])gpt-\d.*$", name)
    return found.group() if found else ""


def encoding(model: str) -> str:
    """The vocabulary of a model's texts; newer and foreign ones are counted as o200k."""
    old = plain(model).startswith(("gpt-4-", "gpt-3.5", "gpt-35")) or plain(model) == "gpt-4"
    return "cl100k_base" if old else "o200k_base"


def readable(words: str) -> str:
    """The words with halves of characters replaced: the tokenizer takes whole ones only."""
    return words.encode("utf-8", "replace").decode("utf-8")


def scaled(width: int, height: int, ratio: Fraction) -> Size:
    """Both sides by a ratio, rounded down, never to nothing."""
    return max(1, floor(width * ratio)), max(1, floor(height * ratio))


def nearest(part: int, whole: int) -> int:
    """The whole number nearest to a fraction, at least 1; a half goes up."""
    return max(1, (2 * part + whole) // (2 * whole))
