"""What can be set for a place, and what holds there: the environment's words, then the nearer ones. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from bot import budgets
from bot.domain import Ask, Budget, Detail, Level, Message
from bot.presets import PRESETS, Preset

FollowUps = Literal["askers", "everyone", "mentions"]

OUTWARDS: tuple[Level, ...] = ("thread", "channel", "workspace")
EVERYWHERE = frozenset(OUTWARDS)
ABOVE_THREADS = frozenset[Level]({"channel", "workspace"})
WHOLE_WORKSPACE = frozenset[Level]({"workspace"})
NONE = budgets.NONE
MODEL = re.compile(r"[\w.:/@+-]{1,200}", re.ASCII)
UNPRICED = "its price is unknown, so no budget could hold it"


@dataclass(frozen=True, slots=True)
class Terms:
    """All that was set, as it holds in one place."""

    model: str
    detail: Detail = "high"
    limit: int = 1000
    """Tokens that an answer may take, reasoning included."""
    instructions: str = ""
    """The system prompt, without what the preset adds."""
    preset: str = NONE
    follow_ups: FollowUps = "askers"
    retention: int = 30
    """Days."""
    question: Decimal | None = None
    """USD that one question may cost; None for no such limit."""
    budget_person_day: Decimal | None = None
    budget_person_month: Decimal | None = None
    budget_channel_day: Decimal | None = None
    budget_channel_month: Decimal | None = None
    budget_workspace_day: Decimal | None = None
    budget_workspace_month: Decimal | None = None

    @property
    def ready_made(self) -> Preset | None:
        """The preset that holds here, if one does."""
        return PRESETS.get(self.preset)

    @property
    def ask(self) -> Ask:
        """The part that the model hears of."""
        parts = [self.instructions, self.ready_made.prompt if self.ready_made else ""]
        words = "\n\n".join(part for part in parts if part)
        return Ask(model=self.model, detail=self.detail, limit=self.limit, instructions=words)

    @property
    def capped(self) -> bool:
        """Whether any budget in dollars is to hold."""
        return any(getattr(self, name) is not None for name in BUDGETS)

    def budgets(self, message: Message, now: datetime) -> tuple[Budget, ...]:
        """The budgets that a call for this message must fit."""
        caps = {name.removeprefix("budget_"): getattr(self, name) for name in BUDGETS}
        return budgets.standing(message, now=now, **caps)


class Kind(Protocol):
    """What a setting's value may be."""

    @property
    def wants(self) -> str:
        """What would do, in words."""

    def read(self, words: str) -> object:
        """The value of what somebody wrote; raises ValueError."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A word out of a few."""

    values: tuple[str, ...]

    @property
    def wants(self) -> str:
        """What would do, in words."""
        return f"{', '.join(self.values[:-1])} or {self.values[-1]}"

    def read(self, words: str) -> str:
        """The word, in small letters."""
        if words.lower() not in self.values:
            raise ValueError(self.wants)
        return words.lower()


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits."""

    least: int
    most: int
    unit: str

    @property
    def wants(self) -> str:
        """What would do, in words."""
        return f"a whole number of {self.unit} from {self.least:,} to {self.most:,}"

    def read(self, words: str) -> int:
        """The number."""
        digits = words.replace(",", "").replace("_", "")
        plain = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(self.most))
        if not plain or not self.least <= int(digits) <= self.most:
            raise ValueError(self.wants)
        return int(digits)


@dataclass(frozen=True, slots=True)
class Dollars:
    """An amount of money, or none."""

    wants: str = f"dollars as a plain number, such as 0.50, or {NONE} for no such limit"

    def read(self, words: str) -> Decimal | None:
        """USD; None for no limit."""
        return budgets.cap(words)


@dataclass(frozen=True, slots=True)
class Prose:
    """Words, as they are."""

    most: int

    @property
    def wants(self) -> str:
        """What would do, in words."""
        return f"a text of at most {self.most:,} characters"

    def read(self, words: str) -> str:
        """The text."""
        if not 0 < len(words) <= self.most:
            raise ValueError(self.wants)
        return words


@dataclass(frozen=True, slots=True)
class Model:
    """A model's name."""

    wants: str = "a model's name, such as gpt-5.4-mini"

    def read(self, words: str) -> str:
        """The name; whether there is such a model, only its service knows."""
        if not MODEL.fullmatch(words):
            raise ValueError(self.wants)
        return words


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set."""

    kind: Kind
    meaning: str
    levels: frozenset[Level] = EVERYWHERE
    """Where it can be set."""


DETAIL = OneOf(("low", "high", "auto", "original"))
SETTINGS: Mapping[str, Setting] = {
    "model": Setting(Model(), "the model that answers"),
    "detail": Setting(DETAIL, "how closely it looks at pictures"),
    "limit": Setting(Whole(16, 200_000, "tokens"), "tokens that an answer may take"),
    "instructions": Setting(Prose(8_000), "what the model is told first"),
    "preset": Setting(OneOf((*PRESETS, NONE)), "instructions for what a place is about"),
    "follow_ups": Setting(
        OneOf(("askers", "everyone", "mentions")), "who is answered in a thread without a mention"
    ),
    "retention": Setting(Whole(1, 3650, "days"), "days that a thread is kept"),
    "question": Setting(Dollars(), "dollars that one question may cost", ABOVE_THREADS),
    "budget_person_day": Setting(Dollars(), "dollars a person and day", ABOVE_THREADS),
    "budget_person_month": Setting(Dollars(), "dollars a person and month", ABOVE_THREADS),
    "budget_channel_day": Setting(Dollars(), "dollars a channel and day", ABOVE_THREADS),
    "budget_channel_month": Setting(Dollars(), "dollars a channel and month", ABOVE_THREADS),
    "budget_workspace_day": Setting(Dollars(), "dollars the workspace and day", WHOLE_WORKSPACE),
    "budget_workspace_month": Setting(
        Dollars(), "dollars the workspace and month", WHOLE_WORKSPACE
    ),
}
BUDGETS = tuple(name for name in SETTINGS if name.startswith("budget_"))
MONEY = frozenset({"question", *BUDGETS})


def held(base: Terms, chosen: Mapping[Level, Mapping[str, str]]) -> Terms:
    """What holds where this was set, the nearest level first; a preset brings its own detail."""
    values: dict[str, Any] = {name: value for name, _, value in nearest(chosen)}
    ready_made = PRESETS.get(values.get("preset", base.preset))
    if ready_made and preset_decides(chosen):
        values["detail"] = ready_made.detail
    return replace(base, **values)


def source(name: str, chosen: Mapping[Level, Mapping[str, str]]) -> Level:
    """The level that something comes from."""
    return next((level for each, level, _ in nearest(chosen) if each == name), "environment")


def for_this_question(
    terms: Terms, options: Mapping[str, str], priced: Callable[[str], bool]
) -> tuple[Terms, tuple[str, ...]]:
    """The terms with what a question says for itself, and a line for each word of it that does not hold.

    `priced` tells whether a model's price is known. Where budgets hold, nobody asks past them by naming a model
    that they cannot hold.
    """
    notes = []
    for name in ("model", "detail"):
        wanted = options.get(name, "")
        if not wanted:
            continue
        try:
            value = str(SETTINGS[name].kind.read(wanted))
        except ValueError as error:
            notes.append(f"{name}:{shown(wanted)} was not taken: it should be {error}")
            continue
        if name == "model" and unheld(terms, value, priced):
            notes.append(f"model:{shown(value)} was not taken: {UNPRICED}")
            continue
        values: dict[str, Any] = {name: value}
        terms = replace(terms, **values)
    return terms, tuple(notes)


def unheld(terms: Terms, model: str, priced: Callable[[str], bool]) -> bool:
    """Whether budgets that hold now would hold no more with this model."""
    return terms.capped and priced(terms.model) and not priced(model)


def nearest(chosen: Mapping[Level, Mapping[str, str]]) -> Iterator[tuple[str, Level, object]]:
    """Each setting that was made, once: at its nearest level, as far as it can still be read."""
    for name, setting in SETTINGS.items():
        for level in OUTWARDS:
            words = chosen.get(level, {}).get(name)
            if words is None or level not in setting.levels:
                continue
            try:
                yield name, level, setting.kind.read(words)
            except ValueError:
                # An earlier version took it: the next level holds.
                continue
            break


def preset_decides(chosen: Mapping[Level, Mapping[str, str]]) -> bool:
    """Whether a preset's detail holds: no other was set as near as the preset or nearer."""
    near = (*OUTWARDS, "environment")
    return near.index(source("preset", chosen)) < near.index(source("detail", chosen))


def shown(words: str) -> str:
    """What somebody wrote, short and without markup."""
    return re.sub(r"[^\w.:/+-]", "_", words)[:40]
