"""A channel without threads is cut into conversations, each under the id of its first message."""

from hashlib import sha256
from math import inf
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from bot.domain import Message, ThreadId
from storage.database import Transaction
from storage.rows import in_thread, to_thread
from storage.tables import messages, threads

# As long as nobody says otherwise: what is asked after a night has nothing to do with the day before.
IDLE_SECONDS = 6 * 3600.0

# A channel's conversations, each with one moment of its messages.
CUT = (
    select(threads)
    .join(messages, messages.c.thread == threads.c.key)
    .where(
        threads.c.platform == bindparam("in_platform"),
        threads.c.workspace == bindparam("in_workspace"),
        threads.c.channel == bindparam("in_channel"),
        threads.c.cut,
    )
    .group_by(threads.c.key)
    .limit(1)
)
LATEST, EARLIEST = func.max(messages.c.sent_at), func.min(messages.c.sent_at)
LAST = (
    CUT.add_columns(LATEST.label("moment"))
    .where(messages.c.sent_at <= bindparam("by"))
    .order_by(LATEST.desc(), threads.c.key.desc())
)
FIRST_AFTER = (
    CUT.add_columns(EARLIEST.label("moment"))
    .where(messages.c.sent_at > bindparam("after"))
    .order_by(EARLIEST, threads.c.key)
)


def place_of(transaction: Transaction, message: Message, idle_seconds: float) -> ThreadId:
    """The conversation that the message belongs to by the time when it was sent."""
    place, sent_at = message.thread, message.sent_at
    # Two first messages at once would start two conversations.
    transaction.lock(key=lock_key(place), shared=False)
    before = last(transaction, place, by=sent_at)
    if before is not None and goes_on(before, sent_at, idle_seconds):
        return to_thread(before)
    # It came late: what was said after it may have started the conversation that it belongs to.
    following = transaction.first(FIRST_AFTER, {**in_thread(place), "after": sent_at})
    if following is not None and following.moment - sent_at < idle_seconds:
        return to_thread(following)
    return ThreadId(place.platform, place.workspace, place.channel, message.id)


def end(transaction: Transaction, place: ThreadId, moment: float | None) -> None:
    """Ends the last conversation, up to a moment, with the last message that it has by then."""
    ended = last(transaction, place, by=inf if moment is None else moment)
    if ended is not None:
        transaction.run(
            update(threads).where(threads.c.key == ended.key).values(ended_at=ended.moment)
        )


def last_of(transaction: Transaction, place: ThreadId) -> ThreadId:
    """The thread, or the channel's last conversation where there are no threads."""
    if place.root:
        return place
    latest = last(transaction, place)
    return place if latest is None else to_thread(latest)


def current_of(transaction: Transaction, place: ThreadId) -> ThreadId:
    """The thread, or the conversation that a message of now would join, where there is one."""
    if place.root:
        return place
    latest = last(transaction, place)
    if latest is None or not goes_on(latest, transaction.now(), IDLE_SECONDS):
        return place
    return to_thread(latest)


def goes_on(conversation: Row[Any], moment: float, idle_seconds: float) -> bool:
    """Whether what is said at this moment still belongs to it."""
    ended = conversation.ended_at is not None and moment > conversation.ended_at
    return not ended and moment - conversation.moment < idle_seconds


def last(transaction: Transaction, place: ThreadId, by: float = inf) -> Row[Any] | None:
    """The channel's last conversation up to a moment, with the moment of its last message by then."""
    return transaction.first(LAST, {**in_thread(place), "by": by})


def lock_key(place: ThreadId) -> int:
    """A number for a channel, as PostgreSQL's advisory locks want it."""
    names = "\0".join((place.platform, place.workspace, place.channel, "conversation"))
    digest = sha256(names.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], signed=True)
