"""Replies and cards → the contents of Discord's posts: within its limits, with nothing that acts by itself."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from adapters.discord import markup
from adapters.discord.markup import File
from adapters.text import split
from bot.domain import Button, Card, Reply

LIMIT = 1900  # Discord takes 2,000 and does not say of what; we count UTF-16 and keep a reserve.
SMALL_LINE = 300  # characters of a line in small print
NAME = 80  # characters of a thread's name; Discord takes 100
UNNAMED = "A question about a picture"
NOTHING = "(The answer is empty.)"
WHOLE = "answer.md"
SHORT_RECEIPTS = 2  # of an answer that must do with one post
FENCE = 12  # characters for closing a code block that is cut

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
    return pieces(markup.shown(text))


def posts(reply: Reply, *, veil: bool = False) -> list[str]:
    """A whole reply: the text, then in small print what it cost and what became of the pictures.

    With a veil, the text is a spoiler: people see it when they choose to.
    """
    return composed(markup.shown(reply.text), reply, veil=veil)


def posts_with_files(reply: Reply) -> tuple[list[str], tuple[File, ...]]:
    """The same, with long code and large tables as files."""
    text, files = markup.with_files(reply.text)
    return composed(text, reply), files


def briefly(reply: Reply, heading: str = "") -> tuple[str, tuple[File, ...]]:
    """A reply for where little may be posted: one post, and the whole answer as a file."""
    small = "\n".join(small_print(replace(reply, receipts=reply.receipts[:SHORT_RECEIPTS])))
    small = cut(small, LIMIT // 2)
    note = f"\n*The whole answer is in the file* `{WHOLE}`\n"
    whole = f"{heading}\n{markup.shown(reply.text)}"
    beginning = pieces(cut("".join(pieces(whole)[:1]), LIMIT - utf16(note + small) - FENCE))
    return "".join(beginning[:1]) + note + small, (
        File(WHOLE, reply.text.encode(errors="replace")),
    )


def composed(text: str, reply: Reply, *, veil: bool = False) -> list[str]:
    """A text in the form that Discord shows, and a reply's small print under it."""
    body = [chunk for chunk in pieces(text) if legible(chunk)]
    body = [veiled(chunk) for chunk in body] if veil else body
    small = split("\n".join(small_print(reply)), LIMIT, measure=utf16)
    if body and small and utf16(body[-1]) + 1 + utf16(small[0]) <= LIMIT:
        body[-1] += "\n" + small.pop(0)
    return [*body, *small] or [NOTHING]


def veiled(text: str) -> str:
    """A text as a spoiler; bars of its own would end it too soon."""
    inner = text.replace("||", "|\u200b|")
    return f"||{inner}||"


def small_print(reply: Reply) -> list[str]:
    """What an answer cost and what became of the pictures, line by line."""
    lines = [line for line in (*reply.footer, *reply.receipts) if legible(line)]
    return [small_line(line) for line in lines]


def pieces(text: str) -> list[str]:
    """A text in the form that Discord shows as the contents of posts."""
    return split(defused(text), LIMIT, measure=utf16)


def card(shown: Card) -> list[str]:
    """The answer to a command."""
    title = f"**{shown.title}**\n" if shown.title else ""
    return [each for each in chunks(title + shown.text) if legible(each)] or [NOTHING]


def cut(text: str, most: int) -> str:
    """The beginning of a text, with a sign where more was."""
    if utf16(text) <= most:
        return text
    # A character outside the first plane counts twice.
    short = text[: most - 1]
    while utf16(short) > most - 1:
        short = short[: len(short) - max(1, (utf16(short) - most + 1) // 2)]
    return short.rstrip() + "…"


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
