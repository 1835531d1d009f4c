"""Who may answer which message, and until when: the thread's row is the mutex."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, delete, or_, select, update

from bot.domain import Claim, Loss, Message, PostId, Reply, ThreadId
from bot.errors import Superseded
from storage import money
from storage.database import Transaction
from storage.rows import (
    IN_ORDER,
    OF_POST,
    WITHIN,
    as_post,
    attached,
    in_thread,
    of_post,
    reply_columns,
    thread_parts,
    to_attachment,
    to_message,
    to_posts,
    to_reply,
    to_thread,
    within,
)
from storage.tables import answers, calls, clean, messages, threads

NOT_OURS = "Somebody else answers this message now, or it has changed."

# Nobody is made to wait longer. A thread that is due later than this is so because the clock was
# put back (an hour is what a wrong time zone makes), and is due now.
FARTHEST_SECONDS = 3000.0

WORK = and_(messages.c.addressed, messages.c.settled_at.is_(None))

HELD = select(threads).where(WITHIN).with_for_update()
POSTED = select(messages).where(OF_POST)
NEXT = (
    select(messages)
    .where(messages.c.thread == bindparam("thread_key"), WORK)
    .order_by(*IN_ORDER)
    .limit(1)
)
TAKE = (
    update(threads)
    .where(threads.c.key == bindparam("thread_key"))
    .values(due=bindparam("until"), claim=bindparam("number"), claimed=bindparam("message_key"))
)
COUNT_FAILURE = (
    update(messages)
    .where(messages.c.key == bindparam("message_key"))
    .values(failures=messages.c.failures + 1)
)
RECORDED = select(answers).where(
    answers.c.message == bindparam("message_key"), answers.c.version == bindparam("at_version")
)
FILES = attached(messages.c.key == bindparam("message_key"))


def claim(
    transaction: Transaction,
    platforms: Collection[str],
    thread: ThreadId | None,
    lease_seconds: float,
) -> Claim | None:
    """Takes the longest-due thread that has work; those that have none are due no more."""
    now = transaction.now()
    never = now + max(FARTHEST_SECONDS, lease_seconds)
    while found := transaction.first(due_thread(platforms, thread, now, never)):
        message = transaction.first(NEXT, {"thread_key": found.key})
        if message is not None:
            return take(transaction, found, message, now, now + lease_seconds)
        transaction.run(
            update(threads).where(threads.c.key == found.key).values(due=None, claimed=None)
        )
    return None


def renew(
    transaction: Transaction, claims: Sequence[Claim], lease_seconds: float
) -> Mapping[ThreadId, Loss]:
    """Prolongs what still holds and tells what became of the rest."""
    known = {
        (row.platform, row.workspace, row.channel, row.id): row
        for row in transaction.all(claimed_messages(claims))
    }
    losses: dict[ThreadId, Loss] = {}
    ours: list[int] = []
    for each in claims:
        row = known.get(post_key(each.message))
        loss = loss_of(each, row)
        if loss is not None:
            losses[each.message.thread] = loss
        # A stopped answer is still ours: what it says so far is recorded and posted.
        if row is not None and loss in (None, "stopped"):
            ours.append(row.thread)
    if ours:
        until = transaction.now() + lease_seconds
        transaction.run(update(threads).where(threads.c.key.in_(ours)).values(due=until))
    return losses


def held(transaction: Transaction, claim: Claim, *, any_version: bool = False) -> Row[Any]:
    """The claimed message's row, its thread locked until the transaction ends; raises Superseded.

    The thread's row is locked first by everybody who writes, so that nobody waits in a circle.
    """
    thread = transaction.first(HELD, in_thread(claim.message.thread))
    if thread is None or thread.claim != claim.number or thread.claimed is None:
        raise Superseded(NOT_OURS)
    row = transaction.first(POSTED, as_post(claim.message))
    if row is None or row.key != thread.claimed:
        raise Superseded(NOT_OURS)
    if not any_version and row.version != claim.version:
        raise Superseded(NOT_OURS)
    return row


def record(transaction: Transaction, message: Row[Any], reply: Reply) -> None:
    """Stores the reply to this version; what was said to earlier versions is gone."""
    transaction.run(delete(answers).where(answers.c.message == message.key))
    row = {"message": message.key, "version": message.version, **reply_columns(reply)}
    transaction.run(answers.insert(), row)


def posted(transaction: Transaction, claim: Claim, posts: Sequence[PostId]) -> None:
    """Notes the posts, also when the message has changed: its next answer goes into them."""
    message = held(transaction, claim, any_version=True)
    transaction.run(
        update(messages)
        .where(messages.c.key == message.key)
        .values(posts=[clean(post) for post in posts])
    )


def settle(transaction: Transaction, claim: Claim) -> None:
    """Ends the work on the message; the thread is due at once where more is waiting."""
    message = held(transaction, claim)
    now = transaction.now()
    transaction.run(update(messages).where(messages.c.key == message.key).values(settled_at=now))
    more = transaction.first(
        select(messages.c.key).where(messages.c.thread == message.thread, WORK).limit(1)
    )
    release(transaction, message, due=now if more is not None else None, touched=now)


def give_back(transaction: Transaction, claim: Claim, delay: float, *, failed: bool) -> None:
    """Makes the thread due again after a bounded while; only a failure stays counted."""
    message = held(transaction, claim)
    if not failed:
        transaction.run(
            update(messages)
            .where(messages.c.key == message.key, messages.c.failures > 0)
            .values(failures=messages.c.failures - 1)
        )
    release(transaction, message, due=transaction.now() + min(delay, FARTHEST_SECONDS))


def take_back_all(transaction: Transaction) -> None:
    """Makes every claimed thread due now: whoever held it is known to be dead."""
    transaction.run(
        update(threads).where(threads.c.claimed.is_not(None)).values(due=transaction.now())
    )


def due_thread(
    platforms: Collection[str], thread: ThreadId | None, now: float, never: float
) -> Select[Any]:
    """The longest-due thread, past those that others are taking at this moment."""
    # That it is due at all is said once more, since only then SQLite takes the index of such threads.
    due = select(threads).where(
        threads.c.due.is_not(None), or_(threads.c.due <= now, threads.c.due > never)
    )
    if thread is not None:
        return due.where(within(thread)).with_for_update()
    return (
        due.where(threads.c.platform.in_(platforms))
        .order_by(threads.c.due, threads.c.key)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def take(
    transaction: Transaction, thread: Row[Any], message: Row[Any], now: float, until: float
) -> Claim:
    """Moves the due time past the lease, and counts the failure that this may become."""
    number = thread.claim + 1
    here = {"thread_key": thread.key, "message_key": message.key}
    transaction.run(TAKE, {**here, "until": until, "number": number})
    transaction.run(COUNT_FAILURE, here)
    money.give_up_on_open_calls(transaction, calls.c.thread == thread.key, now)
    files = transaction.all(FILES, here)
    return Claim(
        message=to_message(message, to_thread(thread), files),
        number=number,
        version=message.version,
        failures=message.failures,
        since=message.asked_at,
        stopped=message.stopped,
        until=until,
        reply=recorded(transaction, message),
        posts=to_posts(message.posts),
        allowed=message.allowed == message.version,
        unseen=tuple(to_attachment(each) for each in files if not each.receipt),
    )


def recorded(transaction: Transaction, message: Row[Any]) -> Reply | None:
    """The reply to this version, if a claim before this one came so far."""
    version = {"message_key": message.key, "at_version": message.version}
    row = transaction.first(RECORDED, version)
    return None if row is None else to_reply(row)


def release(transaction: Transaction, message: Row[Any], **values: float | None) -> None:
    """Lets go of the thread."""
    transaction.run(
        update(threads).where(threads.c.key == message.thread).values(claimed=None, **values)
    )


def claimed_messages(claims: Sequence[Claim]) -> Select[Any]:
    """The messages of these claims with who holds their threads, locked in one fixed order."""
    return (
        select(
            *messages.c["key", "thread", "platform", "workspace", "channel", "id"],
            *messages.c["version", "stopped"],
            *threads.c["claim", "claimed"],
        )
        .join(threads, threads.c.key == messages.c.thread)
        # One by one, since for a list of names SQLite would walk through all threads.
        .where(or_(*(of_post(each.message) for each in claims)))
        .order_by(threads.c.key)
        .with_for_update(of=threads)
    )


def post_key(message: Message) -> tuple[str, str, str, str]:
    """What names a post on its platform."""
    platform, workspace, channel, _ = thread_parts(message.thread)
    return platform, workspace, channel, message.id


def loss_of(claim: Claim, row: Row[Any] | None) -> Loss | None:
    """Why this claim no longer holds; None when it does."""
    if row is None:
        return "deleted"
    if row.claim != claim.number or row.claimed != row.key:
        return "taken"
    if row.version != claim.version:
        return "edited"
    return "stopped" if row.stopped else None
