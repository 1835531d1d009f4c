"""What stands under an answer: its cost, the thread's, and what became of its pictures. Pure."""

import re
from collections.abc import Iterable, Mapping

from bot import tokens
from bot.domain import Answer, Ask, Finish, Mark, Picture, Spent
from bot.history import Fitted, named
from bot.pricing import dollars

MAX_NAME = 40  # characters of a file's name that a receipt shows
MARKED: Mapping[Mark, str] = {
    "low": "at low detail",
    "high": "at high detail",
    "pinned": "pinned",
    "dropped": "left out",
}
ENDINGS: Mapping[Finish, str] = {
    "length": "the answer reached its limit of tokens: ask for the rest, or raise BOT_MAX_TOKENS",
    "filtered": "the provider's content filter ended the answer: ask differently",
    "cut": "the answer broke off before its end: ask for the rest",
}


def footer(answer: Answer, fitted: Fitted, thread: Spent) -> tuple[str, ...]:
    """Two lines: the answer's own usage and price, then where the money of this thread goes.

    `thread` is what the thread had cost before this answer. A third line says which marks hold.
    """
    return first_line(answer), second_line(answer, fitted, thread), *marks(fitted)


def marks(fitted: Fitted) -> tuple[str, ...]:
    """A line for what people chose for the thread's pictures; it holds until they choose otherwise."""
    ours = {*fitted.lowered, *fitted.left_out}
    held: dict[Mark, list[int]] = {}
    for picture in (picture for turn in fitted.turns for picture in turn.pictures):
        if picture.mark and picture.number not in ours:
            held.setdefault(picture.mark, []).append(picture.number)
    if not held:
        return ()
    words = [f"{named(held[mark])} {MARKED[mark]}" for mark in MARKED if mark in held]
    return (f"as you chose: {' · '.join(words)}",)


def substitute(ask: Ask) -> tuple[str, ...]:
    """A line where the model does not know the detail that was asked for."""
    rule = tokens.rule(ask.model)
    if ask.detail in rule.levels or rule.certainty == "unknown":
        return ()
    return (f"{ask.model} does not know detail {ask.detail}: high was used",)


def receipts(pictures: Iterable[Picture]) -> tuple[str, ...]:
    """A line for each picture that was changed or not seen."""
    return looked(picture for picture in pictures if picture.receipt not in ("seen", "linked"))


def looked(pictures: Iterable[Picture]) -> tuple[str, ...]:
    """A line for each picture."""
    return tuple(f"{label(picture)}: {picture.receipt}" for picture in pictures if picture.receipt)


def ending(answer: Answer) -> tuple[str, ...]:
    """A line for an answer that is not whole, since nothing in its words need show that."""
    line = ENDINGS.get(answer.finish)
    return (line,) if line and answer.said else ()


def label(picture: Picture) -> str:
    """`picture 3 (photo.jpg)`; the name comes from a stranger, so it is cut and made plain."""
    name = plain_name(picture.attachment.name)
    return f"picture {picture.number} ({name})" if name else f"picture {picture.number}"


def plain_name(name: str) -> str:
    """A file's name that can stand in any text: no control, markup or mention characters."""
    plain = re.sub(r"[^\w .,+()-]", "_", name.replace("\n", " ")).strip()
    return plain if len(plain) <= MAX_NAME else f"{plain[: MAX_NAME - 9]}…{plain[-8:]}"


def first_line(answer: Answer) -> str:
    usage = answer.usage
    about = "about " if answer.estimated else ""
    parts = [f"{about}{usage.input:,} in", f"{usage.output:,} out"]
    if answer.offline and answer.list_cost is not None:
        parts.append(f"free (offline; about {dollars(answer.list_cost)} on {answer.model})")
    elif answer.offline:
        parts.append("free (offline)")
    elif answer.cost is not None:
        parts.append(dollars(answer.cost))
    return " · ".join(parts)


def second_line(answer: Answer, fitted: Fitted, thread: Spent) -> str:
    parts = []
    if fitted.new_picture_tokens:
        parts.append(f"≈{fitted.new_picture_tokens:,} new pictures")
    if fitted.earlier_picture_tokens:
        parts.append(f"≈{fitted.earlier_picture_tokens:,} earlier pictures")
    if answer.usage.cached:
        parts.append(f"{answer.usage.cached:,} cached")
    parts.append(thread_part(answer, thread))
    if answer.estimated or thread.possibly_charged:
        parts.append("possibly charged")
    return " · ".join(part for part in parts if part)


def thread_part(answer: Answer, thread: Spent) -> str:
    """The thread's cost with this answer; nothing where it would be a guess."""
    if answer.offline:
        return "thread free"
    if answer.cost is None or thread.unpriced:
        return "thread price unknown"
    return f"thread {dollars(thread.cost + answer.cost)}"
