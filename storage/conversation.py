"""A thread as the model will read it."""

from typing import Any

from sqlalchemy import Row, func, or_, select

from bot.domain import Claim, Message, Reply, ThreadId, Turn
from bot.errors import Superseded
from storage.claiming import NOT_OURS
from storage.database import Transaction
from storage.rows import (
    by_message,
    of_post,
    to_message,
    to_picture,
    to_reply,
    up_to,
    with_forms,
    within,
)
from storage.tables import answers, messages, threads


def history(transaction: Transaction, claim: Claim) -> list[Turn]:
    """What people and bot said up to the claimed message, oldest first, in three queries."""
    thread = claim.message.thread
    last = transaction.first(select(messages).where(of_post(claim.message)))
    if last is None:
        raise Superseded(NOT_OURS)
    said = transaction.all(
        select(messages, answers.c.text.label("answer"))
        .outerjoin(answers, (answers.c.message == messages.c.key) & answers.c.failed.is_(False))
        .where(up_to(last), or_(messages.c.kind != "command", messages.c.key == last.key))
        .order_by(messages.c.sent_at, messages.c.id)
    )
    files = by_message(transaction.all(with_forms(up_to(last))))
    turns: list[Turn] = []
    for row in said:
        turns.append(user_turn(row, thread, files.get(row.key, [])))
        if row.answer is not None and row.key != last.key:
            turns.append(Turn(role="assistant", text=row.answer, message=row.id))
    return turns


def user_turn(row: Row[Any], thread: ThreadId, files: list[Row[Any]]) -> Turn:
    """What a person said, with the pictures that came with it."""
    message: Message = to_message(row, thread, files)
    return Turn(
        role="user",
        text=message.text,
        author=message.author,
        message=message.id,
        pictures=tuple(to_picture(each, message) for each in files if each.number is not None),
    )


def participation(
    transaction: Transaction, thread: ThreadId, author: str, before: float | None
) -> str:
    """Whether this person, or anybody, has spoken to the bot in the thread, up to a moment."""
    asked = (
        select(messages.c.author)
        .join(threads, threads.c.key == messages.c.thread)
        .where(within(thread), messages.c.addressed)
    )
    by_then = asked if before is None else asked.where(messages.c.sent_at <= before)
    if transaction.first(by_then.where(messages.c.author == author).limit(1)) is not None:
        return "asker"
    if transaction.first(by_then.limit(1)) is not None:
        return "guest"
    return "early" if transaction.first(asked.limit(1)) is not None else "stranger"


def reply(transaction: Transaction, message: Message) -> Reply | None:
    """What was said to a message that is settled."""
    row = transaction.first(
        select(answers)
        .join(messages, messages.c.key == answers.c.message)
        .where(
            of_post(message),
            messages.c.settled_at.is_not(None),
            answers.c.version == messages.c.version,
        )
    )
    return None if row is None else to_reply(row)


def recent(transaction: Transaction, platform: str, workspace: str, most: int) -> list[ThreadId]:
    """The threads in which something happened last, the newest first."""
    rows = transaction.all(
        select(threads)
        .where(threads.c.platform == platform, threads.c.workspace == workspace)
        .order_by(threads.c.expires.desc())
        .limit(most)
    )
    return [ThreadId(row.platform, row.workspace, row.channel, row.root) for row in rows]


def last_seen(transaction: Transaction, platform: str) -> float | None:
    """When the newest message of a platform was sent."""
    row = transaction.first(
        select(func.max(messages.c.sent_at).label("newest")).where(messages.c.platform == platform)
    )
    return None if row is None else row.newest
