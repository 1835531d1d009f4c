"""A channel without threads is cut into conversations, each under the id of its first message."""

from hashlib import sha256
from typing import Any

from sqlalchemy import Row, Select, func, select, update

from bot.domain import Message, ThreadId
from storage.database import Transaction
from storage.rows import to_thread
from storage.tables import messages, threads

# As long as nobody says otherwise: what is asked after a night has nothing to do with the day before.
IDLE_SECONDS = 6 * 3600.0


def place_of(transaction: Transaction, message: Message, idle_seconds: float) -> ThreadId:
    """The conversation that the message belongs to by the time when it was sent."""
    place, sent_at = message.thread, message.sent_at
    # Two first messages at once would start two conversations.
    transaction.lock(key=lock_key(place), shared=False)
    last = transaction.first(conversations(place, before=sent_at))
    if last is not None and goes_on(last, sent_at, idle_seconds):
        return to_thread(last)
    # It came late: what was said after it may have started the conversation that it belongs to.
    following = transaction.first(conversations(place, after=sent_at))
    if following is not None and following.moment - sent_at < idle_seconds:
        return to_thread(following)
    return ThreadId(place.platform, place.workspace, place.channel, message.id)


def end(transaction: Transaction, place: ThreadId, moment: float | None) -> None:
    """Ends the last conversation, up to a moment, with the last message that it has by then."""
    last = transaction.first(conversations(place, before=moment))
    if last is not None:
        transaction.run(
            update(threads).where(threads.c.key == last.key).values(ended_at=last.moment)
        )


def last_of(transaction: Transaction, place: ThreadId) -> ThreadId:
    """The thread, or the channel's last conversation where there are no threads."""
    if place.root:
        return place
    last = transaction.first(conversations(place))
    return place if last is None else to_thread(last)


def current_of(transaction: Transaction, place: ThreadId) -> ThreadId:
    """The thread, or the conversation that a message of now would join, where there is one."""
    if place.root:
        return place
    last = transaction.first(conversations(place))
    if last is None or not goes_on(last, transaction.now(), IDLE_SECONDS):
        return place
    return to_thread(last)


def goes_on(conversation: Row[Any], moment: float, idle_seconds: float) -> bool:
    """Whether what is said at this moment still belongs to it."""
    ended = conversation.ended_at is not None and moment > conversation.ended_at
    return not ended and moment - conversation.moment < idle_seconds


def conversations(
    place: ThreadId, *, before: float | None = None, after: float | None = None
) -> Select[Any]:
    """The channel's conversations with the moment of their last message, the latest first.

    With a moment: of the last message up to it; or of the first one after it, the earliest first.
    """
    moment = func.max(messages.c.sent_at) if after is None else func.min(messages.c.sent_at)
    said = (
        select(threads, moment.label("moment"))
        .join(messages, messages.c.thread == threads.c.key)
        .where(
            threads.c.platform == place.platform,
            threads.c.workspace == place.workspace,
            threads.c.channel == place.channel,
            threads.c.cut,
        )
        .group_by(threads.c.key)
        .limit(1)
    )
    if after is not None:
        return said.where(messages.c.sent_at > after).order_by(moment, threads.c.key)
    if before is not None:
        said = said.where(messages.c.sent_at <= before)
    return said.order_by(moment.desc(), threads.c.key.desc())


def lock_key(place: ThreadId) -> int:
    """A number for a channel, as PostgreSQL's advisory locks want it."""
    names = "\0".join((place.platform, place.workspace, place.channel, "conversation"))
    digest = sha256(names.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], signed=True)
