"""What people delete is gone, and what comes late for it stays out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import (
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from bot.domain import Message, PostId, Scope
from storage import money, retention
from storage.claiming import WORK
from storage.database import Transaction, insert
from storage.rows import IN_ORDER, or_all
from storage.tables import (
    attachments,
    bookmarks,
    budgets,
    buttons,
    calls,
    forms,
    messages,
    pictures,
    reservations,
    settings,
    threads,
    tombstones,
    votes,
)

T = TypeVar("T")

# Whoever is answering has heard of the change by then.
QUIET_SECONDS = 3.0
# The tombstones over a post; built once, since every message asks for them.
STONES = select(*tombstones.c["message", "attachment", "erased_at"]).where(
    tombstones.c.platform == bindparam("platform"),
    tombstones.c.workspace == bindparam("workspace"),
    *(or_all(tombstones.c[name], name) for name in ("channel", "message", "root")),
    tombstones.c.attachment.in_(bindparam("attachments", expanding=True)),
)
# What names a thread, in every table that has it.
PLACE = ("platform", "workspace", "channel", "root")


def survivor(transaction: Transaction, message: Message) -> Message | None:
    """The message without the attachments that were deleted; None when it was deleted itself.

    Until the transaction ends, nobody erases in this workspace what this message is about to bring.
    """
    place = message.thread
    transaction.lock(key=lock_key(place.platform, place.workspace), shared=True)
    # Where there are no threads, a conversation bears the name of its first message.
    names = {
        "platform": place.platform,
        "workspace": place.workspace,
        "channel": place.channel,
        "message": message.id,
        "root": place.root or message.id,
        "attachments": ["", *(each.id for each in message.attachments)],
    }
    found = transaction.all(STONES, names)
    dead = {each.attachment for each in found}
    if any(
        each.attachment == "" and (each.message or each.erased_at >= message.sent_at)
        for each in found
    ):
        return None
    return replace(
        message, attachments=tuple(each for each in message.attachments if each.id not in dead)
    )


def retract(transaction: Transaction, scope: Scope) -> tuple[PostId, ...]:
    """Erases what the scope names and leaves a tombstone; returns the posts that answered it."""
    transaction.lock(key=lock_key(scope.platform, scope.workspace), shared=False)
    transaction.scrub = True
    now = transaction.now()
    # Where there are no threads, nothing is narrowed.
    scope = replace(scope, root=scope.root or None)
    if scope.attachment is not None:
        bury(transaction, [scope], now)
        erase_attachments(transaction, scope, now)
        return ()
    # First, so that whoever notes a post in between has done so before it is read.
    lock_threads(transaction, select(messages.c.thread).join(threads).where(messages_in(scope)))
    doomed = transaction.all(
        select(*messages.c["key", "thread", "sent_at", "posts"])
        .join(threads)
        .where(messages_in(scope))
        .order_by(threads.c.key, *IN_ORDER)
    )
    newest = max((each.sent_at for each in doomed), default=now)
    bury(transaction, [scope], max(now, newest))
    if scope.message is not None:
        erase_messages(transaction, doomed, now)
    else:
        erase_threads(transaction, threads_in(scope), now)
        forget_place(transaction, scope)
    if scope.channel is None and scope.message is None:
        forget_workspace(transaction, scope)
    return tuple(post for each in doomed for post in each.posts)


def purge(transaction: Transaction, retention_seconds: float, most: int) -> int:
    """Erases so many threads whose retention is over, but for those that somebody is answering in."""
    now = transaction.now()
    idle = or_(threads.c.claimed.is_(None), threads.c.due.is_(None), threads.c.due <= now)
    over = retention.over(retention.chosen(transaction), retention_seconds, now)
    erased = erase_threads(transaction, and_(over, idle), now, most)
    # A late event for something this old is none that any platform still sends.
    transaction.run(delete(tombstones).where(tombstones.c.erased_at <= now - retention_seconds))
    transaction.run(delete(buttons).where(buttons.c.expires <= now))
    transaction.scrub = transaction.scrub or erased > 0
    return erased


def drop_attachments(transaction: Transaction, keys: Sequence[int]) -> None:
    """Erases attachments and the bytes that nobody else refers to."""
    if not keys:
        return
    transaction.scrub = True
    kept = picture_keys(transaction, attachments.c.key.in_(keys))
    transaction.run(delete(attachments).where(attachments.c.key.in_(keys)))
    drop_pictures(transaction, kept)


def drop_pictures(transaction: Transaction, keys: Sequence[int]) -> None:
    """Erases the bytes of these pictures where no reference is left."""
    if keys:
        used = exists().where(forms.c.picture == pictures.c.key)
        transaction.run(delete(pictures).where(pictures.c.key.in_(keys), ~used))


def erase_threads(
    transaction: Transaction, which: ColumnElement[bool], now: float, most: int | None = None
) -> int:
    """Erases whole threads with all that hangs on them; returns how many."""
    locked = select(threads.c.key).where(which).order_by(threads.c.key).limit(most)
    locked = locked.with_for_update()
    keys = [each.key for each in transaction.all(locked)]
    for some in chunks(keys):
        money.give_up_on_open_calls(transaction, calls.c.thread.in_(some), now)
        kept = picture_keys(transaction, attachments.c.thread.in_(some))
        forget_threads(transaction, some)
        transaction.run(delete(threads).where(threads.c.key.in_(some)))
        drop_pictures(transaction, kept)
    return len(keys)


def erase_messages(transaction: Transaction, doomed: Sequence[Row[Any]], now: float) -> None:
    """Erases messages with their answers and pictures; their threads go on."""
    for some in chunks(sorted({each.thread for each in doomed})):
        lock_threads(transaction, some)
    for some in chunks(doomed):
        keys = [each.key for each in some]
        money.give_up_on_open_calls(transaction, calls.c.message.in_(keys), now)
        kept = picture_keys(transaction, attachments.c.message.in_(keys))
        transaction.run(delete(messages).where(messages.c.key.in_(keys)))
        drop_pictures(transaction, kept)
        let_go(transaction, some, now)


def let_go(transaction: Transaction, gone: Sequence[Row[Any]], now: float) -> None:
    """Ends the claims on messages that are gone; what waits behind them is due at once."""
    waiting = exists().where(messages.c.thread == threads.c.key, WORK)
    transaction.run(
        update(threads)
        .where(holding(gone))
        .values(claimed=None, due=case((waiting, now), else_=None))
    )


def holding(claimed: Sequence[Row[Any]]) -> ColumnElement[bool]:
    """The threads in which somebody answers one of these messages."""
    return and_(
        threads.c.key.in_([each.thread for each in claimed]),
        threads.c.claimed.in_([each.key for each in claimed]),
    )


def erase_attachments(transaction: Transaction, scope: Scope, now: float) -> None:
    """Erases a file wherever it was posted; a question that still waits changes with it."""
    found = select(attachments.c.key, attachments.c.message, messages.c.thread).join(
        messages, messages.c.key == attachments.c.message
    )
    where = [
        attachments.c.id == scope.attachment,
        messages.c.platform == scope.platform,
        messages.c.workspace == scope.workspace,
    ]
    if scope.channel is not None:
        where.append(messages.c.channel == scope.channel)
    if scope.message is not None:
        where.append(messages.c.id == scope.message)
    gone = transaction.all(found.where(*where))
    for some in chunks(gone):
        lock_threads(transaction, [each.thread for each in some])
        drop_attachments(transaction, [each.key for each in some])
        change_waiting(transaction, [each.message for each in some], now)


def change_waiting(transaction: Transaction, keys: Sequence[int], now: float) -> None:
    """Raises the version of waiting questions that lost a file: one under way begins anew."""
    changed = (
        update(messages)
        .where(messages.c.key.in_(keys), WORK)
        .values(version=messages.c.version + 1)
        .returning(messages.c.key, messages.c.thread)
    )
    again = transaction.run(changed).all()
    transaction.run(update(threads).where(holding(again)).values(due=now + QUIET_SECONDS))


def forget_threads(transaction: Transaction, keys: Sequence[int]) -> None:
    """Erases what was set for threads."""
    of_thread = exists().where(
        threads.c.key.in_(keys),
        *(settings.c[part] == threads.c[part] for part in PLACE),
    )
    transaction.run(delete(settings).where(settings.c.root != "", of_thread))


def forget_place(transaction: Transaction, scope: Scope) -> None:
    """Erases what was set for a thread, a channel or a workspace, and the buttons there."""
    for table in (settings, buttons):
        transaction.run(delete(table).where(*part_of(table, scope)))
    if scope.root is None:
        transaction.run(delete(bookmarks).where(*part_of(bookmarks, scope)))


def forget_workspace(transaction: Transaction, scope: Scope) -> None:
    """Erases a workspace's budgets, and who is who in its ledger; its sums stay."""
    ours = select(calls.c.key).where(*part_of(calls, scope))
    held = select(budgets.c.key).where(*part_of(budgets, scope))
    transaction.run(update(calls).where(*part_of(calls, scope)).values(person="", channel=""))
    transaction.run(delete(votes).where(votes.c.call.in_(ours)))
    transaction.run(delete(reservations).where(reservations.c.budget.in_(held)))
    transaction.run(delete(budgets).where(*part_of(budgets, scope)))
    # The stone over the whole covers all that was deleted before.
    transaction.run(
        delete(tombstones).where(*part_of(tombstones, scope), tombstones.c.channel != "")
    )


def part_of(table: Table, scope: Scope) -> list[ColumnElement[bool]]:
    """The rows of a table that belong to a workspace, a channel or a thread."""
    named = (scope.platform, scope.workspace, scope.channel, scope.root)
    return [
        table.c[part] == name for part, name in zip(PLACE, named, strict=True) if name is not None
    ]


def bury(transaction: Transaction, scopes: Sequence[Scope], erased_at: float) -> None:
    """Writes the tombstones, or moves those that are there to the newest time."""
    if not scopes:
        return
    stone = insert(tombstones)
    transaction.run(
        stone.on_conflict_do_update(
            index_elements=list(names_of(scopes[0])),
            set_={"erased_at": stone.excluded.erased_at},
        ),
        [{**names_of(each), "erased_at": erased_at} for each in scopes],
    )


def names_of(scope: Scope) -> dict[str, str]:
    """What names a tombstone."""
    # A post has one id in its channel, and a late event may name another thread for it.
    root = scope.root if scope.message is None and scope.attachment is None else None
    return {
        "platform": scope.platform,
        "workspace": scope.workspace,
        "channel": scope.channel or "",
        "root": root or "",
        "message": scope.message or "",
        "attachment": scope.attachment or "",
    }


def messages_in(scope: Scope) -> ColumnElement[bool]:
    """The messages that a scope without a file names."""
    if scope.message is None:
        return threads_in(scope)
    here = [
        messages.c.platform == scope.platform,
        messages.c.workspace == scope.workspace,
        messages.c.id == scope.message,
    ]
    if scope.channel is not None:
        here.append(messages.c.channel == scope.channel)
    return and_(*here)


def threads_in(scope: Scope) -> ColumnElement[bool]:
    """The threads that a scope without message and file names."""
    here = [threads.c.platform == scope.platform, threads.c.workspace == scope.workspace]
    if scope.channel is not None:
        here.append(threads.c.channel == scope.channel)
    if scope.root is not None:
        here.append(threads.c.root == scope.root)
    return and_(*here)


def picture_keys(transaction: Transaction, which: ColumnElement[bool]) -> list[int]:
    """The stored forms that these attachments refer to."""
    referred = (
        select(forms.c.picture)
        .join(attachments, attachments.c.key == forms.c.attachment)
        .where(which)
    )
    return [each.picture for each in transaction.all(referred.distinct())]


def lock_threads(transaction: Transaction, keys: Sequence[int] | Select[Any]) -> None:
    """Locks threads before anything in them, in one order, so that nobody waits in a circle."""
    in_order = select(threads.c.key).where(threads.c.key.in_(keys)).order_by(threads.c.key)
    transaction.lock_rows(in_order.with_for_update())


def chunks(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """Lists short enough to be the parameters of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def lock_key(platform: str, workspace: str) -> int:
    """A number for a workspace, as PostgreSQL's advisory locks want it."""
    digest = sha256(f"{platform}\0{workspace}".encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], signed=True)
