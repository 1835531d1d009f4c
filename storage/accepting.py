"""A message comes in: stored if it is new, merged with what is known of it otherwise."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, tuple_, update

from bot.domain import Attachment, Kind, Message
from storage import cutting, erasure
from storage.claiming import POSTED, WORK
from storage.database import Transaction
from storage.database import insert as inserting
from storage.rows import (
    IN_ORDER,
    OF_POST,
    THREAD_PARTS,
    as_post,
    attached,
    attachment_columns,
    message_columns,
    thread_parts,
    tidy,
    to_message,
    to_thread,
)
from storage.tables import attachments, messages, threads

# The thread of a post that is known; all of these are built once, since every message needs them.
KNOWN = (
    update(threads)
    .where(threads.c.key == select(messages.c.thread).where(OF_POST).scalar_subquery())
    .values(touched=bindparam("now"))
    .returning(threads)
)
OPEN = {
    postgres: inserting(threads, postgres=postgres)
    .on_conflict_do_update(index_elements=THREAD_PARTS, set_={"touched": bindparam("now")})
    .returning(threads)
    for postgres in (False, True)
}
ADD = insert(messages).returning(messages.c.key)
DUE = update(threads).where(threads.c.key == bindparam("thread_key")).values(due=bindparam("now"))


def accept(
    transaction: Transaction, message: Message, quiet_seconds: float, idle_seconds: float
) -> bool:
    """Whether the message is work now or soon."""
    arrived = erasure.survivor(transaction, tidy(message))
    if arrived is None:
        return False
    now = transaction.now()
    thread = home(transaction, arrived, now, idle_seconds)
    known = transaction.first(POSTED, as_post(arrived))
    if known is None:
        return add(transaction, thread, arrived, now)
    return combine(transaction, thread, known, arrived, now, now + quiet_seconds)


def merge(known: Message, arrived: Message) -> Message:
    """One message out of two deliveries, whichever came first.

    The newest edit wins; of two deliveries of the same version the known one stays, with the
    attachments that only the other brought. It is addressed if either was.
    """
    if edit_time(arrived) > edit_time(known):
        newest, other = arrived, known
    else:
        newest, other = known, arrived
    files = newest.attachments
    if edit_time(arrived) == edit_time(known):
        files = united(known.attachments, arrived.attachments)
    return replace(
        newest,
        thread=known.thread,
        author=known.author or arrived.author,
        sent_at=known.sent_at,
        attachments=files,
        kind=kind_of(newest, other),
        addressed=known.addressed or arrived.addressed,
        # An edit does not repeat what a form or a button chose.
        options={**other.options, **newest.options},
    )


def kind_of(newest: Message, other: Message) -> Kind:
    """What the message is: one event may not know yet what another has understood."""
    understood = edit_time(newest) == edit_time(other) and other.kind == "command"
    return other.kind if understood or newest.kind == "context" else newest.kind


def edit_time(message: Message) -> float:
    """When it became what it is; the first version is older than any edit."""
    return float("-inf") if message.edited_at is None else message.edited_at


def united(
    known: tuple[Attachment, ...], arrived: tuple[Attachment, ...]
) -> tuple[Attachment, ...]:
    """What is known, then what only the other delivery brought."""
    ids = {each.id for each in known}
    return known + tuple(each for each in arrived if each.id not in ids)


def home(transaction: Transaction, message: Message, now: float, idle_seconds: float) -> Row[Any]:
    """The thread that the message is known in, else the one that it belongs to; locked."""
    known = transaction.run(KNOWN, {**as_post(message), "now": now}).first()
    if known is not None:
        return known
    place = message.thread
    if not place.root:
        place = cutting.place_of(transaction, message, idle_seconds)
    named = dict(zip(THREAD_PARTS, thread_parts(place), strict=True))
    new = {"claim": 0, "numbered": 0, "touched": now, "cut": not message.thread.root}
    return transaction.run(OPEN[transaction.postgres], {**named, **new, "now": now}).one()


def add(transaction: Transaction, thread: Row[Any], message: Message, now: float) -> bool:
    """Stores a message that is new."""
    row = {
        "thread": thread.key,
        "platform": thread.platform,
        "workspace": thread.workspace,
        "channel": thread.channel,
        "id": message.id,
        "version": 1,
        "asked_at": now,
        "failures": 0,
        "stopped": False,
        "posts": [],
        **message_columns(message),
    }
    number = transaction.run(ADD, row).scalar_one()
    attach(transaction, thread.key, number, message.attachments)
    if message.addressed:
        make_due(transaction, thread, now)
    return message.addressed


def combine(
    transaction: Transaction,
    thread: Row[Any],
    known: Row[Any],
    arrived: Message,
    now: float,
    quiet_until: float,
) -> bool:
    """Merges a message with the one that is there; where its words changed, it is work again."""
    files = transaction.all(attached(messages.c.key == known.key))
    before = to_message(known, to_thread(thread), files)
    after = merge(before, arrived)
    changed = differs(before, after)
    again = changed and after.addressed and is_last_question(transaction, known)
    settled_at = None if again else known.settled_at
    if after != before:
        transaction.run(
            update(messages)
            .where(messages.c.key == known.key)
            .values(
                version=known.version + changed,
                asked_at=now if changed or not before.addressed else known.asked_at,
                failures=0 if changed else known.failures,
                stopped=known.stopped and not changed,
                settled_at=settled_at,
                **message_columns(after),
            )
        )
        refresh(transaction, known, files, after)
    if not after.addressed or settled_at is not None:
        return False
    if changed and waits_for_more(transaction, thread, known, before, after, now):
        transaction.run(update(threads).where(threads.c.key == thread.key).values(due=quiet_until))
    else:
        make_due(transaction, thread, now)
    return True


def waits_for_more(
    transaction: Transaction,
    thread: Row[Any],
    known: Row[Any],
    before: Message,
    after: Message,
    now: float,
) -> bool:
    """Whether a changed question is left alone for a while.

    Whoever edits may not be done, and whoever answers the old words has to hear of it first.
    """
    if thread.claimed == known.key:
        return True
    return edit_time(after) > edit_time(before) and is_next(transaction, thread, known, now)


def differs(before: Message, after: Message) -> bool:
    """Whether an answer to the one is no answer to the other."""
    return (
        before.text != after.text
        or before.options != after.options
        or [each.id for each in before.attachments] != [each.id for each in after.attachments]
    )


def is_last_question(transaction: Transaction, message: Row[Any]) -> bool:
    """Whether nobody spoke to the bot in the thread after this message."""
    later = select(messages.c.key).where(
        messages.c.thread == message.thread,
        messages.c.addressed,
        tuple_(*IN_ORDER) > tuple_(message.sent_at, message.id),
    )
    return transaction.first(later.limit(1)) is None


def is_next(transaction: Transaction, thread: Row[Any], message: Row[Any], now: float) -> bool:
    """Whether this message is what a claim would find, with nobody at work in the thread."""
    if thread.claimed is not None and thread.due is not None and thread.due > now:
        return False
    first = transaction.first(
        select(messages.c.key)
        .where(messages.c.thread == message.thread, WORK)
        .order_by(*IN_ORDER)
        .limit(1)
    )
    return first is not None and bool(first.key == message.key)


def make_due(transaction: Transaction, thread: Row[Any], now: float) -> None:
    """Due at once, unless a lease, a quiet time or a back-off already says when."""
    if thread.due is None:
        transaction.run(DUE, {"thread_key": thread.key, "now": now})


def refresh(
    transaction: Transaction, message: Row[Any], stored: list[Row[Any]], after: Message
) -> None:
    """Brings the attachments up to date; those that stay keep their row and so their number."""
    known = {each.id: each for each in stored}
    kept = {each.id for each in after.attachments}
    gone = [each.key for each in stored if each.id not in kept]
    erasure.drop_attachments(transaction, gone)
    for position, each in enumerate(after.attachments):
        if each.id in known:
            transaction.run(
                update(attachments)
                .where(attachments.c.key == known[each.id].key)
                .values(**attachment_columns(each, position))
            )
    attach(
        transaction,
        message.thread,
        message.key,
        after.attachments,
        known=frozenset(known),
    )


def attach(
    transaction: Transaction,
    thread: int,
    message: int,
    files: tuple[Attachment, ...],
    known: frozenset[str] = frozenset(),
) -> None:
    """Adds the rows of new attachments, not numbered yet."""
    rows = [
        {
            "thread": thread,
            "message": message,
            "id": each.id,
            "mark": "",
            "receipt": "",
            **attachment_columns(each, position),
        }
        for position, each in enumerate(files)
        if each.id not in known
    ]
    if rows:
        transaction.run(insert(attachments), rows)
