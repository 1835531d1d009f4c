"""A thread as the model will read it."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select

from bot.domain import Claim, Message, Reply, Standing, ThreadId, Turn
from bot.errors import Superseded
from storage.choosing import choices
from storage.claiming import NOT_OURS
from storage.database import Transaction
from storage.gallery import unnumbered
from storage.money import thread_spent
from storage.rows import (
    IN_ORDER,
    OF_POST,
    SHOWN,
    THREAD_KEY,
    UP_TO,
    WITHIN,
    File,
    as_post,
    by_message,
    heads,
    in_thread,
    to_message,
    to_picture,
    to_reply,
    to_thread,
    up_to,
    with_forms,
)
from storage.tables import answers, messages, threads

# Questions of a thread; built once, since every message that calls nobody asks for them.
ASKED = (
    select(messages.c.author)
    .join(threads, threads.c.key == messages.c.thread)
    .where(WITHIN, messages.c.addressed)
    .limit(1)
)
ASKED_BY_THEN = ASKED.where(messages.c.sent_at <= bindparam("moment"))
ASKED_BY = ASKED_BY_THEN.where(messages.c.author == bindparam("person"))
# Messages with what was said to them; an apology is no answer, and a command no part of it.
ANSWERED = (
    select(messages, answers.c.text.label("answer"))
    .outerjoin(answers, (answers.c.message == messages.c.key) & answers.c.failed.is_(False))
    .order_by(*IN_ORDER)
)
ANSWERED_BEFORE = (
    select(answers.c.key)
    .join(messages, (answers.c.message == messages.c.key) & answers.c.failed.is_(False))
    .where(UP_TO, messages.c.kind != "command", messages.c.id != bindparam("last_id"))
    .limit(1)
)
SAID = ANSWERED.where(
    UP_TO, or_(messages.c.kind != "command", messages.c.id == bindparam("last_id"))
)
ALL_SAID = ANSWERED.where(messages.c.thread == THREAD_KEY, messages.c.kind != "command")
ALL_SHOWN = with_forms(messages.c.thread == THREAD_KEY)


def standing(transaction: Transaction, claim: Claim) -> Standing:
    """What a question finds in its place."""
    place = claim.message.thread
    return Standing(
        choices=choices(transaction, place),
        spent=thread_spent(transaction, place),
        answered=transaction.first(ANSWERED_BEFORE, up_to(claim.message)) is not None,
    )


def history(transaction: Transaction, claim: Claim) -> list[Turn]:
    """What people and bot said up to the claimed message, oldest first, in two queries."""
    here = up_to(claim.message)
    rows = transaction.all(SAID, here)
    if not rows or rows[-1].id != claim.message.id:
        raise Superseded(NOT_OURS)
    files = transaction.all(SHOWN, here)
    told = turns(rows, claim.message.thread, files, numbers={})
    # What was said to the question before it was asked anew is no part of what led to it.
    return told[:-1] if told and told[-1].role == "assistant" else told


def conversation(transaction: Transaction, thread: ThreadId) -> list[Turn]:
    """All that people and bot said, with the numbers that new pictures will get."""
    last = transaction.first(select(threads.c.numbered).where(WITHIN), in_thread(thread))
    if last is None:
        return []
    rows = transaction.all(ALL_SAID, in_thread(thread))
    files = transaction.all(ALL_SHOWN, in_thread(thread))
    numbers = {key: n for n, key in enumerate(unnumbered(files), start=last.numbered + 1)}
    return turns(rows, thread, files, numbers)


def turns(
    said: Sequence[Row[Any]],
    thread: ThreadId,
    rows: Sequence[Row[Any]],
    numbers: Mapping[int, int],
) -> list[Turn]:
    """A turn for each message and each answer; a picture that has no number gets one of these."""
    files = by_message(rows)
    told: list[Turn] = []
    for row in said:
        told.append(user_turn(row, thread, files.get(row.key, []), numbers))
        if row.answer is not None:
            told.append(Turn(role="assistant", text=row.answer, message=row.id))
    return told


def user_turn(
    row: Row[Any], thread: ThreadId, files: Sequence[File], numbers: Mapping[int, int]
) -> Turn:
    """What a person said, with the pictures that came with it."""
    message = to_message(row, thread, heads(files))
    given = ((each, each[0].number or numbers.get(each[0].key)) for each in files)
    return Turn(
        role="user",
        text=message.text,
        author=message.author,
        message=message.id,
        pictures=tuple(to_picture(each, message, number) for each, number in given if number),
    )


def participation(
    transaction: Transaction, thread: ThreadId, author: str, before: float | None
) -> str:
    """Whether this person, or anybody, has spoken to the bot in the thread, up to a moment."""
    here = in_thread(thread)
    by_then = {**here, "moment": inf if before is None else before}
    if transaction.first(ASKED_BY, {**by_then, "person": author}) is not None:
        return "asker"
    if transaction.first(ASKED_BY_THEN, by_then) is not None:
        return "guest"
    return "early" if transaction.first(ASKED, here) is not None else "stranger"


def reply(transaction: Transaction, message: Message) -> Reply | None:
    """What was said to a message that is settled."""
    row = transaction.first(
        select(answers)
        .join(messages, messages.c.key == answers.c.message)
        .where(
            OF_POST,
            messages.c.settled_at.is_not(None),
            answers.c.version == messages.c.version,
        ),
        as_post(message.thread, message.id),
    )
    return None if row is None else to_reply(row)


def recent(transaction: Transaction, platform: str, workspace: str, most: int) -> list[ThreadId]:
    """The threads in which something happened last, the newest first."""
    rows = transaction.all(
        select(threads)
        .where(threads.c.platform == platform, threads.c.workspace == workspace)
        .order_by(threads.c.touched.desc())
        .limit(most)
    )
    return [to_thread(row) for row in rows]


def last_seen(transaction: Transaction, platform: str) -> float | None:
    """When the newest message of a platform was sent."""
    row = transaction.first(
        select(func.max(messages.c.sent_at).label("newest")).where(messages.c.platform == platform)
    )
    return None if row is None else row.newest
