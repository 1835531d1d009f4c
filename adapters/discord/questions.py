"""How a question looks that the bot posts in somebody's name. Pure."""

import unicodedata

from adapters.discord.markup import File
from adapters.discord.render import LIMIT, cut, defused, utf16

HEADING = 500  # of a question that stands above its own answer
NAME = 100  # characters of a file's name
WHOLE = "question.txt"
CUT = "\n-# The whole question is in the file."
UNSHOWN = "\n-# {count} of the pictures {are} not shown here: too large, too many, or gone."


def question_post(author: str, text: str, unshown: int = 0) -> tuple[str, tuple[File, ...]]:
    """A question's post: who asks what; a question too long for it comes as a file too."""
    head = asked_by(author) + " "
    note = "" if not unshown else UNSHOWN.format(count=unshown, are="is" if unshown == 1 else "are")
    whole = head + defused(text)
    if utf16(whole + note) <= LIMIT:
        return whole + note, ()
    return cut(whole, LIMIT - utf16(CUT + note)) + CUT + note, (whole_question(text),)


def heading(author: str, text: str) -> str:
    """The same above an answer: one line, which no code block of the question runs out of."""
    words = " ".join(defused(text).replace("```", "'''").split())
    return cut(f"{asked_by(author)} {words}", HEADING)


def asked_by(author: str) -> str:
    """Who asks, as a question's post begins."""
    return f"**<@{author}> asks:**"


def whole_question(text: str) -> File:
    return File(WHOLE, text.encode(errors="replace"))


def file_name(name: str) -> str:
    """A file's name as it may stand in a request."""
    kept = "".join(
        each for each in name if unicodedata.category(each)[0] not in "CZ" or each == " "
    )
    return kept.replace('"', "").replace("/", "_").replace("\\", "_")[-NAME:].strip() or "picture"
