"""What people type after a slash → a command."""

import re

from adapters.web.memory import Memory
from adapters.web.nouns import CHANNEL, PERSON, PLATFORM, WORKSPACE, Upload, attachment
from bot.domain import Attachment, Card, Command

ESTIMATE = "estimate"
VISION = "vision"
RECENT = 20  # posts in which /estimate looks for pictures when it is given nothing
SIZE = re.compile(r"\d+\s*[x×*]\s*\d+", re.I)
DETAIL = re.compile(r"\b(low|high|auto|original)\s*$", re.I)

UNKNOWN = Card(
    "No such command",
    "There are `/estimate`, which tells what a question would cost, and `/vision help`.",
)


def command(text: str, root: str | None, uploads: tuple[Upload, ...]) -> Command | None:
    """The command that was typed; None for one that does not exist. Typed sizes go before attached pictures."""
    name, _, words = text.strip().removeprefix("/").partition(" ")
    name, words = name.lower(), words.strip()
    options: dict[str, str] = {}
    if name == ESTIMATE and SIZE.match(words):
        uploads = ()
    if name == ESTIMATE and uploads:
        options, words = asked(words), ""
    elif name == VISION:
        name, _, words = words.partition(" ")
        name = name.lower() or "help"
    elif name != ESTIMATE:
        return None
    return Command(
        name=name,
        platform=PLATFORM,
        workspace=WORKSPACE,
        channel=CHANNEL,
        author=PERSON,
        root=root,
        text=words,
        attachments=pictures(uploads),
        options=options,
        administrator=True,
    )


def wants_recent(text: str) -> bool:
    """Whether it is an estimate of nothing in particular."""
    return text.strip().lower() == f"/{ESTIMATE}"


def asked(words: str) -> dict[str, str]:
    """The question that is to be estimated, and the detail that may stand at its end."""
    found = DETAIL.search(words)
    question = words[: found.start()].strip() if found else words
    return {"question": question} | ({"detail": found[1].lower()} if found else {})


def pictures(uploads: tuple[Upload, ...]) -> tuple[Attachment, ...]:
    """Files as the bot knows them."""
    return tuple(attachment(each) for each in uploads)


def chosen(memory: Memory, files: tuple[str, ...]) -> tuple[Upload, ...]:
    """The files of these ids, as far as they are here."""
    found = (memory.upload(name) for name in files)
    return tuple(each for each in found if each is not None)
