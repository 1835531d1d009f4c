"""Usage → money. Decimal, rounded half-even to the nano-dollar a call; unknown is None, never 0.

A price comes from the installer's file, else from the list prices of genai-prices by the model's
name, whatever the endpoint's address; nothing here ever asks a network.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Self

from genai_prices import Usage as ListUsage
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from bot.domain import Usage
from bot.errors import SetupError

NANO_DOLLAR = Decimal("1e-9")
SHOWN = Decimal("0.0001")
MILLION = 1_000_000
MOST_INPUT = 2**22  # tokens; more than any model reads
# Longer than any model's name; the library remembers each name that it did not find.
MAX_NAME_CHARS = 200
PICTURE = "picture"
"""The key of a model's picture rule, which `bot.rules` reads."""
KEYS = ("input", "output", "cached", "cache_write")
# What a provider appends to a model's name for its release: `-2025-08-07` or `-20250807`.
RELEASE = re.compile(r"-20\d\d-?\d\d-?\d\d$")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, as the installer's file says."""

    input: Decimal
    output: Decimal
    cached: Decimal
    cache_write: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """The price of one call, not rounded."""
        plain = usage.input - usage.cached - usage.cache_written
        return (
            self.input * plain
            + self.cached * usage.cached
            + self.cache_write * usage.cache_written
            + self.output * usage.output
        ) / MILLION


@dataclass(frozen=True, slots=True)
class Rates:
    """USD for one token of each kind, below any tier for long requests."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal

    @property
    def fresh(self) -> Decimal:
        """USD for a token that the provider has not read before, and keeps."""
        return max(self.input, self.cache_write)


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A model's entry in genai-prices."""

    provider: Provider
    model: ModelInfo

    def cost(self, usage: Usage) -> Decimal:
        """The price of one call, not rounded; cached and long-context tiers included."""
        counted = ListUsage(
            input_tokens=usage.input,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_written,
            output_tokens=usage.output,
        )
        return self.model.calc_price(counted, self.provider).total_price


@dataclass(frozen=True, slots=True)
class Prices:
    """What models cost."""

    own: Mapping[str, Price] = field(default_factory=dict)
    """By model, from the installer's file."""
    file: str = ""
    """The name of that file."""
    free: bool = False
    """True for the offline model: nothing is charged, whatever the list says."""

    @classmethod
    def load(cls, path: Path | None, *, free: bool = False) -> Self:
        """Reads the installer's price file, if any; raises SetupError that names what is wrong."""
        if path is None:
            return cls(free=free)
        return cls(read_file(path), path.name, free)

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """USD for one call; None where the price is unknown or the usage cannot be one."""
        if not sound(usage):
            return None
        return Decimal(0) if self.free else self.list_cost(model, usage)

    def list_cost(self, model: str, usage: Usage) -> Decimal | None:
        """USD that one call would cost if nothing were free."""
        price = self.price(model)
        if price is None or not sound(usage):
            return None
        return price.cost(usage).quantize(NANO_DOLLAR, ROUND_HALF_EVEN)

    def most(self, model: str, input_tokens: int | None, limit: int) -> Decimal | None:
        """The most that a call can cost: all input at its dearest, an answer of `limit` tokens."""
        if input_tokens is None:
            return None
        kinds = (
            Usage(input_tokens, limit),
            Usage(input_tokens, limit, cached=input_tokens),
            Usage(input_tokens, limit, cache_written=input_tokens),
        )
        costs = [cost for usage in kinds if (cost := self.cost(model, usage)) is not None]
        return max(costs, default=None)

    def rates(self, model: str) -> Rates | None:
        """What one token of each kind costs; None where the price is unknown."""
        many = 10_000  # so that rounding to the nano-dollar loses nothing
        kinds = (
            Usage(many, 0),
            Usage(many, 0, cached=many),
            Usage(many, 0, cache_written=many),
            Usage(0, many),
        )
        costs = [cost / many for usage in kinds if (cost := self.cost(model, usage)) is not None]
        return Rates(*costs) if len(costs) == len(kinds) else None

    def affordable(self, model: str, spend: Decimal, limit: int) -> int | None:
        """The most input of a call that costs at most so many USD with an answer of `limit` tokens.

        0 where the answer alone costs more; None where the price is unknown.
        """
        if self.most(model, 0, limit) is None:
            return None
        low, high = 0, MOST_INPUT
        while low < high:
            middle = (low + high + 1) // 2
            most = self.most(model, middle, limit)
            low, high = (middle, high) if most is not None and most <= spend else (low, middle - 1)
        return low

    def known(self, model: str) -> bool:
        """Whether the model has a price."""
        return self.price(model) is not None

    def source(self, model: str) -> str:
        """Where the model's price comes from, in words for a card."""
        price = self.price(model)
        if price is None:
            return "unknown"
        return self.file if isinstance(price, Price) else f"list price (genai-prices {release()})"

    def context_window(self, model: str) -> int | None:
        """Tokens that the model reads at most, as far as the list knows."""
        listed = find(model)
        return listed.model.context_window if listed else None

    def price(self, model: str) -> Price | ListPrice | None:
        """The installer's price, else the list's."""
        for name in names(model):
            for key in (name, name.rpartition("/")[2]):
                if key in self.own:
                    return self.own[key]
        listed = find(model)
        return listed if listed and is_priced(listed.model) else None


def dollars(cost: Decimal) -> str:
    """`$0.0034`; `<$0.0001` for what is more than nothing and less than that."""
    if 0 < cost < SHOWN:
        return f"<${SHOWN}"
    return f"${cost.quantize(SHOWN, ROUND_HALF_EVEN):,f}"


def small(amount: Decimal) -> str:
    """Dollars, also where they are fractions of a hundredth of a cent: `$0.0021`, `$0.000034`."""
    if amount >= SHOWN or amount <= 0:
        return dollars(amount)
    exponent = amount.adjusted() - 1
    return f"${amount.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_EVEN):f}"


def sound(usage: Usage) -> bool:
    """Whether these are counts: whole, not negative, and no part more than the whole."""
    counts = (usage.input, usage.output, usage.cached, usage.cache_written)
    if any(type(count) is not int or count < 0 for count in counts):
        return False
    return usage.cached + usage.cache_written <= usage.input


def find(model: str) -> ListPrice | None:
    """The list's entry for a model, named with or without its provider and release."""
    snapshot = get_snapshot()
    for name in names(model):
        for where, what in searches(name):
            if found := look_up(snapshot, where, what):
                return found
    return None


def searches(name: str) -> Iterator[tuple[str | None, str]]:
    """Provider and name to look for, the likeliest first."""
    provider, slash, rest = name.rpartition("/")
    if slash:
        # A name with a slash says whose model it is; OpenRouter lists most of such names.
        yield provider, rest
        yield "openrouter", name
    yield None, rest
    if rest.startswith("ft:"):
        yield "openai", rest


def look_up(snapshot: DataSnapshot, provider: str | None, name: str) -> ListPrice | None:
    """The entry of this name, at this provider or at the one that such names belong to."""
    try:
        return ListPrice(*snapshot.find_provider_model(name, None, provider, None))
    except LookupError:
        return None


def names(model: str) -> Iterator[str]:
    """What the model may be listed as: its name, then its name without a release."""
    name = model.strip().lower()
    if name and len(name) <= MAX_NAME_CHARS:
        yield name
        if RELEASE.search(name):
            yield RELEASE.sub("", name)


def is_priced(model: ModelInfo) -> bool:
    """Whether the list knows what the model's input and output cost; some entries hold neither."""
    price: ModelPrice = model.get_prices(datetime.now(UTC))
    sides = (price.input_mtok, price.output_mtok)
    return all(isinstance(side, Decimal | TieredPrices) for side in sides)


@cache
def release() -> str:
    """The version of the price list; read once, since every call's row names it."""
    return version("genai-prices")


def read_file(path: Path) -> dict[str, Price]:
    """The installer's prices; raises SetupError that names the file, the key and the mend."""
    return {
        model.strip().lower(): read_price(path, model, entry)
        for model, entry in entries(path).items()
        # Who tells only how a model counts pictures leaves its price to the list.
        if not (isinstance(entry, dict) and set(entry) == {PICTURE})
    }


def entries(path: Path) -> dict[str, object]:
    """What the file says of each model, in TOML where its name ends so, else in JSON."""
    kind = "TOML" if path.suffix.lower() == ".toml" else "JSON"
    try:
        text = path.read_text(encoding="utf-8")
        content = (
            tomllib.loads(text, parse_float=Decimal)
            if kind == "TOML"
            else json.loads(text, parse_float=Decimal)
        )
    except OSError as error:
        raise SetupError(f"BOT_PRICES names {path}, which cannot be read.") from error
    except (ValueError, RecursionError) as error:
        raise SetupError(f"BOT_PRICES names {path}, which is not {kind} in UTF-8.") from error
    if not isinstance(content, dict):
        raise SetupError(
            f'{path} should hold {{"model": {{"input": 0.2, "output": 1.2}}}}, '
            "in USD per million tokens."
        )
    return content


def read_price(path: Path, model: str, entry: object) -> Price:
    """One model's prices; cached or cache-written input without a price costs what input costs."""
    if not isinstance(entry, dict):
        raise SetupError(
            f'{path}: "{model}" should hold "input" and "output", in USD per million tokens.'
        )
    if unknown := sorted(set(entry) - {*KEYS, PICTURE}):
        takes = ", ".join((*KEYS, PICTURE))
        raise SetupError(f'{path}: "{model}" has "{unknown[0]}"; it takes {takes}.')
    if missing := [key for key in KEYS[:2] if entry.get(key) is None]:
        raise SetupError(f'{path}: "{model}" lacks "{missing[0]}", in USD per million tokens.')
    plain = read_amount(path, model, "input", entry["input"])
    return Price(
        input=plain,
        output=read_amount(path, model, "output", entry["output"]),
        cached=read_amount(path, model, "cached", entry.get("cached", plain)),
        cache_write=read_amount(path, model, "cache_write", entry.get("cache_write", plain)),
    )


def read_amount(path: Path, model: str, key: str, value: object) -> Decimal:
    """USD per million tokens, as a number or a string."""
    number = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    try:
        amount = Decimal(str(value)) if number else None
    except InvalidOperation:
        amount = None
    # A thousand times the dearest model there is: what is more is a slip.
    if amount is None or not amount.is_finite() or not 0 <= amount <= MILLION:
        raise SetupError(
            f'{path}: "{key}" of "{model}" should be USD per million tokens, such as 0.25.'
        )
    return amount
