"""A message comes in: stored if it is new, merged with what is known of it otherwise."""

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from bot.domain import Attachment, Kind, Message
from storage import cutting, erasure
from storage.claiming import CHANGE_MESSAGE, CHANGE_THREAD, FILES, NEXT, POSTED
from storage.database import Transaction, insert
from storage.rows import (
    IN_ORDER,
    OF_POST,
    POST_PARTS,
    THREAD_PARTS,
    as_post,
    attachment_columns,
    message_columns,
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
NEW = insert(threads)
OPEN = NEW.on_conflict_do_update(
    index_elements=THREAD_PARTS,
    set_={
        "touched": NEW.excluded.touched,
        # A lease, a quiet time or a back-off already says when.
        "due": func.coalesce(threads.c.due, NEW.excluded.due),
    },
).returning(threads.c.key)
ADD = insert(messages).on_conflict_do_nothing(index_elements=POST_PARTS).returning(messages.c.key)
ATTACH = insert(attachments)
LAST_QUESTION = (
    select(*IN_ORDER)
    .where(messages.c.thread == bindparam("thread_key"), messages.c.addressed)
    .order_by(messages.c.sent_at.desc(), messages.c.id.desc())
    .limit(1)
)


def accept(
    transaction: Transaction, message: Message, quiet_seconds: float, idle_seconds: float
) -> bool:
    """Whether the message is work now or soon."""
    arrived = erasure.survivor(transaction, tidy(message))
    if arrived is None:
        return False
    now = transaction.now()
    post = as_post(arrived.thread, arrived.id)
    thread = transaction.run(KNOWN, {**post, "now": now}).first()
    if thread is None:
        if add(transaction, arrived, now, idle_seconds):
            return arrived.addressed
        # Another process has just stored the same.
        thread = transaction.run(KNOWN, {**post, "now": now}).one()
    [known] = transaction.all(POSTED, post)
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


def add(transaction: Transaction, message: Message, now: float, idle_seconds: float) -> bool:
    """Stores a message in the thread that it belongs to; False when it was there already."""
    place = message.thread
    if not place.root:
        place = cutting.place_of(transaction, message, idle_seconds)
    thread = {
        **asdict(place),
        "due": now if message.addressed else None,
        "claim": 0,
        "numbered": 0,
        "touched": now,
        "cut": not message.thread.root,
    }
    key = transaction.run(OPEN, thread).scalar_one()
    row = {
        "thread": key,
        "platform": place.platform,
        "workspace": place.workspace,
        "channel": place.channel,
        "id": message.id,
        "version": 1,
        "asked_at": now,
        "failures": 0,
        "stopped": False,
        "posts": [],
        **message_columns(message),
    }
    number: int | None = transaction.run(ADD, row).scalar()
    if number is None:
        return False
    attach(transaction, key, number, message.attachments)
    return True


def combine(
    transaction: Transaction,
    thread: Row[Any],
    known: Row[Any],
    arrived: Message,
    now: float,
    quiet_until: float,
) -> bool:
    """Merges a message with the one that is there; where its words changed, it is work again."""
    files = transaction.all(FILES, {"message_key": known.key})
    before = to_message(known, to_thread(thread), files)
    after = merge(before, arrived)
    changed = differs(before, after)
    again = changed and after.addressed and is_last_question(transaction, known)
    settled_at = None if again else known.settled_at
    if after != before:
        row = {
            "message_key": known.key,
            "version": known.version + changed,
            "asked_at": now if changed or not before.addressed else known.asked_at,
            "failures": 0 if changed else known.failures,
            "stopped": known.stopped and not changed,
            "settled_at": settled_at,
            **message_columns(after),
        }
        transaction.run(CHANGE_MESSAGE, row)
        refresh(transaction, known, files, after)
    if not after.addressed or settled_at is not None:
        return False
    if changed and waits_for_more(transaction, thread, known, before, after, now):
        transaction.run(CHANGE_THREAD, {"thread_key": thread.key, "due": quiet_until})
    elif thread.due is None:
        # Else a lease, a quiet time or a back-off already says when.
        transaction.run(CHANGE_THREAD, {"thread_key": thread.key, "due": now})
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
    last = transaction.first(LAST_QUESTION, {"thread_key": message.thread})
    return last is None or (last.sent_at, last.id) <= (message.sent_at, message.id)


def is_next(transaction: Transaction, thread: Row[Any], message: Row[Any], now: float) -> bool:
    """Whether this message is what a claim would find, with nobody at work in the thread."""
    if thread.claimed is not None and thread.due is not None and thread.due > now:
        return False
    first = transaction.first(NEXT, {"thread_key": message.thread})
    return first is not None and bool(first.key == message.key)


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
        transaction.run(ATTACH, rows)
