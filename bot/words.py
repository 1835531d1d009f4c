"""What people write to the bot that is no question: options beside one, and commands in a thread. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bot.domain import Mark

OPTION = re.compile(r"(detail|model):(\S+)", re.IGNORECASE)
MAX_OPTIONS = 10  # at either end of a text; more are no options but somebody's list
MAX_COMMAND = 200  # characters; nobody writes a longer one, but for instructions
MARKS: Mapping[str, Mark] = {
    "drop": "dropped",
    "pin": "pinned",
    "low": "low",
    "high": "high",
    "keep": "",
    "restore": "",
}
ALONE = frozenset({"estimate", "help", "forget", "new"})
USAGE = frozenset({"me", "thread", "channel", "workspace", "today", "month"})
LEVELS = frozenset({"thread", "channel", "workspace"})


@dataclass(frozen=True, slots=True)
class Spoken:
    """A command that was written in a thread."""

    name: str
    """`mark`, `estimate`, `usage`, `settings`, `help`, `forget` or `new`."""
    text: str = ""
    """What follows the name."""
    options: Mapping[str, str] = field(default_factory=dict)
    mark: Mark = ""
    numbers: tuple[int, ...] = ()
    """Pictures to be marked; none stands for all."""


def options(text: str) -> tuple[str, Mapping[str, str]]:
    """A question without the `detail:` and `model:` at its beginning and end, and what they say.

    Those within a sentence are part of it: `What does detail:high mean?`
    """
    front, behind = [], []
    rest = text
    for _ in range(MAX_OPTIONS):
        parts = rest.split(None, 1)
        if not parts or not (found := option(parts[0])):
            break
        front.append(found)
        rest = parts[1] if len(parts) == 2 else ""
    for _ in range(MAX_OPTIONS):
        parts = rest.rsplit(None, 1)
        if not parts or not (found := option(parts[-1])):
            break
        behind.append(found)
        rest = parts[0] if len(parts) == 2 else ""
    chosen = dict((*front, *reversed(behind)))
    return (rest.strip() if chosen else text), chosen


def plain(text: str) -> str:
    """A question as the model reads it."""
    return options(text)[0]


def command(text: str, settable: Collection[str]) -> Spoken | None:
    """The command that a text is, whole and exactly; None for a question.

    `settable` are the names that `settings` knows.
    """
    text = bare(text)
    if found := setting(text, settable):
        return found
    if len(text) > MAX_COMMAND:
        return None
    words, chosen = options(text.rstrip(".! "))
    tokens = words.lower().replace(",", " ").split()
    match tokens:
        case [name] if name in ALONE and (name == "estimate" or not chosen):
            return Spoken(name, options=chosen)
        case _ if chosen:
            return None
        case ["usage", *rest] if len(rest) <= 2 and USAGE.issuperset(rest):
            return Spoken("usage", " ".join(rest))
        case [verb, *rest] if verb in MARKS:
            return marking(verb, rest)
    return None


def bare(text: str) -> str:
    """What was typed, also where it was copied as code, as we name our commands."""
    text = text.strip()
    return text.strip("`").strip() if text.startswith("`") and text.endswith("`") else text


def setting(text: str, settable: Collection[str]) -> Spoken | None:
    """`settings [NAME [VALUE]]`, or with the level said: `settings channel [NAME [VALUE …]]`."""
    words = text.lower().split(None, 3)
    if words[:1] != ["settings"]:
        return None
    levelled = words[1:2] != [] and words[1] in LEVELS
    name = words[2:3] if levelled else words[1:2]
    # Without a level a value is one word: `settings instructions on page two?` is a question.
    if (name and name[0] not in settable) or (not levelled and len(text.split()) > 3):
        return None
    # As it was written: instructions may hold lines.
    return Spoken("settings", text.strip()[len("settings") :].strip())


def marking(verb: str, rest: list[str]) -> Spoken | None:
    """`drop 2`, `pin picture 1 and 3`, `low all`."""
    if rest[:1] in (["picture"], ["pictures"]):
        rest = rest[1:]
    if rest == ["all"]:
        return Spoken("mark", mark=MARKS[verb])
    numbers = [word.removeprefix("#") for word in rest if word != "and"]
    if not numbers or rest[0] == "and" or rest[-1] == "and":
        return None
    if not all(word.isascii() and word.isdecimal() and len(word) <= 4 for word in numbers):
        return None
    unique = tuple(dict.fromkeys(map(int, numbers)))
    return Spoken("mark", mark=MARKS[verb], numbers=unique) if 0 not in unique else None


def option(word: str) -> tuple[str, str] | None:
    """What `detail:low` says, without the punctuation of the sentence behind it."""
    found = OPTION.fullmatch(word.rstrip(".,;!?"))
    return (found[1].lower(), found[2]) if found else None
