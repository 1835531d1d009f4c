"""Who may answer which message, and until when: the thread's row is the mutex."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from bot.domain import Claim, Loss, Message, PostId, Reply, ThreadId
from bot.errors import Superseded
from storage import money
from storage.database import Transaction
from storage.rows import (
    IN_ORDER,
    OF_POST,
    POST_PARTS,
    WITHIN,
    in_thread,
    reply_columns,
    thread_parts,
    to_attachment,
    to_message,
    to_posts,
    to_reply,
    to_thread,
)
from storage.tables import answers, attachments, calls, clean, messages, threads

NOT_OURS = "Somebody else answers this message now, or it has changed."

# Nobody is made to wait longer. A thread that is due later than this is so because the clock was
# put back (an hour is what a wrong time zone makes), and is due now.
FARTHEST_SECONDS = 3000.0

WORK = and_(messages.c.addressed, messages.c.settled_at.is_(None))

# What every claim and every write under one asks for is built once.
# The thread's row is locked first by everybody who writes, so that nobody waits in a circle; with
# the message's, so that PostgreSQL shows both as whoever was waited for has left them.
HELD = (
    select(*messages.c["key", "thread", *POST_PARTS, "author", "version", "allowed"])
    .join(threads, threads.c.claimed == messages.c.key)
    .where(WITHIN, threads.c.claim == bindparam("number"), messages.c.id == bindparam("said"))
    .with_for_update(of=[threads, messages], key_share=True)
)
POSTED = select(messages).where(OF_POST)
# That it is due at all is said once more, since only then SQLite takes the index of such threads.
DUE = select(threads).where(
    threads.c.due.is_not(None),
    or_(threads.c.due <= bindparam("now"), threads.c.due > bindparam("never")),
)
# The longest-due thread, past those that others are taking at this moment.
LONGEST_DUE = (
    DUE.where(threads.c.platform.in_(bindparam("platforms", expanding=True)))
    .order_by(threads.c.due, threads.c.key)
    .limit(1)
    .with_for_update(skip_locked=True)
)
THIS_IF_DUE = DUE.where(WITHIN).with_for_update()
IN_VERSION = and_(answers.c.message == messages.c.key, answers.c.version == messages.c.version)
LEFT_OPEN = and_(calls.c.thread == messages.c.thread, calls.c.outcome.is_(None))
# One key each: for EXISTS, PostgreSQL may read all answers and all calls beforehand.
NEXT = (
    select(
        messages,
        select(answers.c.key).where(IN_VERSION).scalar_subquery().label("replied"),
        select(calls.c.key).where(LEFT_OPEN).limit(1).scalar_subquery().label("open"),
    )
    .where(messages.c.thread == bindparam("thread_key"), WORK)
    .order_by(*IN_ORDER)
    .limit(1)
)
CHANGE_THREAD = update(threads).where(threads.c.key == bindparam("thread_key"))
CHANGE_MESSAGE = update(messages).where(messages.c.key == bindparam("message_key"))
SETTLE = CHANGE_THREAD.values(
    due=case(
        (exists().where(messages.c.thread == threads.c.key, WORK), bindparam("now")), else_=None
    )
)
COUNT_FAILURE = CHANGE_MESSAGE.values(failures=messages.c.failures + 1)
FORGIVE = CHANGE_MESSAGE.where(messages.c.failures > 0).values(failures=messages.c.failures - 1)
RECORDED = (
    select(answers).join(messages, IN_VERSION).where(messages.c.key == bindparam("message_key"))
)
UNSAY = delete(answers).where(answers.c.message == bindparam("message_key"))
SAY = insert(answers)
FILES = (
    select(attachments)
    .where(attachments.c.message == bindparam("message_key"))
    .order_by(attachments.c.position)
)


def claim(
    transaction: Transaction,
    platforms: Collection[str],
    thread: ThreadId | None,
    lease_seconds: float,
) -> tuple[Claim, Row[Any]] | None:
    """Takes the longest-due thread that has work, with its message's row.

    Those that have none are due no more.
    """
    now = transaction.now()
    times = {"now": now, "never": now + max(FARTHEST_SECONDS, lease_seconds)}
    due = (LONGEST_DUE, {**times, "platforms": list(platforms)})
    if thread is not None:
        due = (THIS_IF_DUE, {**times, **in_thread(thread)})
    while found := transaction.first(*due):
        message = transaction.first(NEXT, {"thread_key": found.key})
        if message is not None:
            return take(transaction, found, message, now, now + lease_seconds), message
        release(transaction, found.key, due=None)
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
    """What names the claimed message, locked until the transaction ends; raises Superseded."""
    ours = {**in_thread(claim.message.thread), "number": claim.number, "said": claim.message.id}
    row = transaction.first(HELD, ours)
    if row is None or not (any_version or row.version == claim.version):
        raise Superseded(NOT_OURS)
    return row


def record(transaction: Transaction, message: Row[Any], reply: Reply) -> None:
    """Stores the reply to this version; what was said to earlier versions is gone."""
    transaction.run(UNSAY, {"message_key": message.key})
    row = {"message": message.key, "version": message.version, **reply_columns(reply)}
    transaction.run(SAY, row)


def posted(transaction: Transaction, claim: Claim, posts: Sequence[PostId]) -> None:
    """Notes the posts, also when the message has changed: its next answer goes into them."""
    message = held(transaction, claim, any_version=True)
    ids = [clean(post) for post in posts]
    transaction.run(CHANGE_MESSAGE, {"message_key": message.key, "posts": ids})


def settle(transaction: Transaction, claim: Claim) -> None:
    """Ends the work on the message; the thread is due at once where more is waiting."""
    message = held(transaction, claim)
    now = transaction.now()
    transaction.run(CHANGE_MESSAGE, {"message_key": message.key, "settled_at": now})
    settled = {"thread_key": message.thread, "claimed": None, "touched": now, "now": now}
    transaction.run(SETTLE, settled)


def give_back(transaction: Transaction, claim: Claim, delay: float, *, failed: bool) -> None:
    """Makes the thread due again after a bounded while; only a failure stays counted."""
    message = held(transaction, claim)
    if not failed:
        transaction.run(FORGIVE, {"message_key": message.key})
    release(transaction, message.thread, due=transaction.now() + min(delay, FARTHEST_SECONDS))


def take_back_all(transaction: Transaction) -> None:
    """Makes every claimed thread due now: whoever held it is known to be dead.

    A power cut may have taken a claim with it, under which something was posted already: no number
    is given twice, and no claim on what waits is taken for the thread's first.
    """
    free = threads.c.claimed.is_(None)
    transaction.run(update(threads).where(~free).values(due=transaction.now()))
    waiting = update(threads).where(free, threads.c.due.is_not(None))
    transaction.run(waiting.values(claim=threads.c.claim + 1))


def take(
    transaction: Transaction, thread: Row[Any], message: Row[Any], now: float, until: float
) -> Claim:
    """Moves the due time past the lease, and counts the failure that this may become."""
    number = thread.claim + 1
    taken = {"thread_key": thread.key, "due": until, "claim": number, "claimed": message.key}
    transaction.run(CHANGE_THREAD, taken)
    transaction.run(COUNT_FAILURE, {"message_key": message.key})
    if message.open is not None:
        money.give_up_on_open_calls(transaction, calls.c.thread == thread.key, now)
    files = transaction.all(FILES, {"message_key": message.key})
    return Claim(
        message=to_message(message, to_thread(thread), files),
        number=number,
        version=message.version,
        failures=message.failures,
        since=message.asked_at,
        stopped=message.stopped,
        until=until,
        reply=recorded(transaction, message) if message.replied is not None else None,
        posts=to_posts(message.posts),
        allowed=message.allowed == message.version,
        unseen=tuple(to_attachment(each) for each in files if not each.receipt),
    )


def recorded(transaction: Transaction, message: Row[Any]) -> Reply | None:
    """The reply to this version, if a claim before this one came so far."""
    row = transaction.first(RECORDED, {"message_key": message.key})
    return None if row is None else to_reply(row)


def release(transaction: Transaction, thread: int, *, due: float | None) -> None:
    """Lets go of the thread."""
    transaction.run(CHANGE_THREAD, {"thread_key": thread, "claimed": None, "due": due})


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
        .where(or_(*(and_(*named(each.message)) for each in claims)))
        .order_by(threads.c.key)
        .with_for_update(of=[threads, messages], key_share=True)
    )


def named(message: Message) -> Iterator[ColumnElement[bool]]:
    """The row of this message."""
    parts = zip(POST_PARTS, post_key(message), strict=True)
    return (messages.c[name] == part for name, part in parts)


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
