"""Which of a thread's messages are parts of a reply; pure."""

from collections.abc import Iterable, Sequence

from adapters.slack.api import Json
from adapters.slack.blocks import marked
from adapters.slack.events import text, timestamp
from adapters.slack.probe import Identity
from adapters.slack.thread import is_own
from bot.domain import PostId


def parts_of(messages: Iterable[Json], question: str, me: Identity) -> list[Json]:
    """The bot's own messages that answer this question."""
    return [each for each in messages if is_own(each, me) and is_part(each, question)]


def is_part(message: Json, question: str) -> bool:
    """Whether a message of the bot belongs to the reply to this question.

    A thread's answers come one after the other, and each complete one is marked with its question: an
    unmarked one after our question can only be a stream that we did not come to finish.
    """
    sent, asked = timestamp(text(message, "ts")), timestamp(question)
    if sent is None or asked is None or sent <= asked:
        return False
    mark = marked(message)
    return mark is None or mark[0] == question


def merged(known: Sequence[PostId], found: Sequence[Json]) -> list[PostId]:
    """All posts of a reply in the order of its parts; unfinished ones count as the first."""
    parts = {text(message, "ts"): (marked(message) or ("", 0))[1] for message in found}
    for number, post in enumerate(known):
        parts.setdefault(post, number)
    return sorted(parts, key=lambda post: (parts[post], timestamp(post) or 0.0))
