"""Replies and cards → the contents of Discord's posts: within its limits, with nothing that acts by itself."""

import re
import unicodedata
from collections.abc import Sequence

from adapters.text import split
from bot.domain import Button, Card, Reply

LIMIT = 1900  # Discord takes 2,000 and does not say of what; we count UTF-16 and keep a reserve.
SMALL_LINE = 300  # characters of a line in small print
NAME = 80  # characters of a thread's name; Discord takes 100
UNNAMED = "A question about a picture"
NOTHING = "(The answer is empty.)"

ROWS, BUTTON = 1, 2  # component types
STYLES = {"": 2, "primary": 1, "danger": 4}
ROW = 5  # buttons in a row, and rows under a post
BUTTON_LABEL = 80  # characters

# `[text](address)` shows a text of the writer's choice over any address, and `![…](…)` a picture.
# Brackets nest and span lines, so it is known by its middle.
MASKED = re.compile(r"\](?=\(\W{0,8}[a-z][a-z0-9+.-]{0,20}:)", re.I)
SURROGATE = re.compile(r"[\ud800-\udfff]")


def chunks(text: str) -> list[str]:
    """An answer so far as the contents of posts; the same beginning gives the same posts."""
    return split(defused(text), LIMIT, measure=utf16)


def posts(reply: Reply) -> list[str]:
    """A whole reply: the text, then in small print what it cost and what became of the pictures."""
    body = [chunk for chunk in chunks(reply.text) if legible(chunk)]
    lines = [line for line in (*reply.footer, *reply.receipts) if legible(line)]
    small = split("\n".join(small_line(line) for line in lines), LIMIT, measure=utf16)
    if body and small and utf16(body[-1]) + 1 + utf16(small[0]) <= LIMIT:
        body[-1] += "\n" + small.pop(0)
    return [*body, *small] or [NOTHING]


def card(shown: Card) -> list[str]:
    """The answer to a command."""
    return chunks(f"**{shown.title}**\n{shown.text}") or [NOTHING]


def components(buttons: Sequence[Button]) -> list[dict[str, object]]:
    """Buttons in rows of five; each carries its token and nothing else."""
    made = [
        {
            "type": BUTTON,
            "style": STYLES[button.style],
            "label": button.label[:BUTTON_LABEL],
            "custom_id": button.token,
        }
        for button in buttons[: ROW * ROW]
    ]
    return [{"type": ROWS, "components": made[n : n + ROW]} for n in range(0, len(made), ROW)]


def thread_name(text: str) -> str:
    """A name for the thread that starts at a question: its first words."""
    words = " ".join(re.sub(r"<[@#]\S*>", "", SURROGATE.sub("", text)).split())
    if not legible(re.sub(r"[^\w\s]", "", words)):
        return UNNAMED
    if utf16(words) <= NAME:
        return words
    # A character outside the first plane counts twice.
    end = NAME if utf16(words[:NAME]) <= NAME else NAME // 2
    return words[: end - 1].rsplit(" ", 1)[0].rstrip() + "…"


def defused(text: str) -> str:
    """Text from the model without links that hide where they lead, and fit to be sent."""
    return MASKED.sub("] ", SURROGATE.sub("\ufffd", text).replace("\0", ""))


def small_line(line: str) -> str:
    """One line of small print; the names of files in it are people's."""
    return f"-# {defused(' '.join(line.split()))[:SMALL_LINE]}"


def legible(text: str) -> bool:
    """Whether there is anything to see; Discord refuses a post of nothing but invisible characters."""
    return any(unicodedata.category(each) not in ("Cf", "Cc", "Zs", "Zl", "Zp") for each in text)


def utf16(text: str) -> int:
    """The larger of the two counts that Discord may use."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
