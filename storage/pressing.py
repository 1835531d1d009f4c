"""Buttons: opaque tokens that stand for one thing that somebody may do."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, get_args

from sqlalchemy import Row, bindparam, or_, select, update

from bot.domain import Action, Chance, Claim, Mark, Offer, Person, Pressed, ThreadId
from storage import gallery
from storage.claiming import held, recorded
from storage.database import Transaction, insert
from storage.rows import OF_POST, WITHIN, as_post, in_thread, to_thread
from storage.tables import buttons, calls, messages, threads, votes

TOKEN_BYTES = 16  # more than anybody can guess
CARD_SECONDS = 86_400.0  # how long a card may be acted on
NOTING_SECONDS = 3.0  # for whoever has just posted an answer to note where
MANY_DIGITS = 10  # more pictures than any thread has
MARKS: frozenset[Mark] = frozenset(get_args(Mark)) - {""}

# Built once, since every claim offers to stop it.
OFFER_AGAIN = (
    update(buttons)
    .where(
        *(
            buttons.c[name] == bindparam(f"has_{name}")
            for name in ("message", "action", "value", "person")
        )
    )
    .returning(buttons.c.token)
)
ADD = insert(buttons)
LOCK = select(threads.c.key).where(threads.c.key == bindparam("thread_key")).with_for_update()


def offer(
    transaction: Transaction, claim: Claim, chances: Sequence[Chance], retention_seconds: float
) -> list[str]:
    """Tokens under this message's reply; the same ones however often they are asked for."""
    message = held(transaction, claim)
    expires = transaction.now() + retention_seconds
    return [token_for(transaction, claim, message, each, expires) for each in chances]


def token_for(
    transaction: Transaction, claim: Claim, message: Row[Any], chance: Chance, expires: float
) -> str:
    """The token that is there, which lives on, or a new one."""
    names = {
        "message": message.key,
        "action": chance.action,
        "value": chance.value,
        "person": "" if chance.anybody else message.author,
    }
    holds = {"version": message.version, "expires": expires}
    here = {f"has_{name}": value for name, value in names.items()}
    known: str | None = transaction.run(OFFER_AGAIN, {**here, **holds}).scalar()
    if known is not None:
        return known
    place = claim.message.thread
    return add(transaction, place, {**names, **holds, "thread": message.thread}, message.id)


def offer_card(
    transaction: Transaction,
    place: ThreadId,
    person: str,
    action: Action,
    value: str,
    question: str,
) -> str:
    """A token under a card, which goes with the thread and the message that it is about."""
    thread = transaction.first(select(threads.c.key).where(WITHIN), in_thread(place))
    message = transaction.first(select(messages.c.key).where(OF_POST), as_post(place, question))
    row = {
        "thread": None if thread is None else thread.key,
        "message": None if message is None else message.key,
        "action": action,
        "value": value,
        "person": person,
        "expires": transaction.now() + CARD_SECONDS,
    }
    return add(transaction, place, row, question)


def offered(transaction: Transaction, token: str) -> Offer | None:
    """What a token stands for."""
    button = living(transaction, token)
    if button is None:
        return None
    return Offer(
        action=button.action,
        value=button.value,
        place=to_thread(button),
        message=button.question,
        person=button.person,
    )


def with_stop(
    transaction: Transaction, taken: tuple[Claim, Row[Any]] | None, retention_seconds: float
) -> Claim | None:
    """The claim with the token that stops it."""
    if taken is None:
        return None
    claim, message = taken
    expires = claim.until + retention_seconds
    return replace(claim, stop=token_for(transaction, claim, message, Chance("stop"), expires))


def press(transaction: Transaction, token: str, person: Person) -> Pressed:
    """Does what the token stands for, and tells what that was."""
    button = living(transaction, token)
    if button is None or button.action not in DOES:
        return "late"
    if not may(button, person):
        return "stranger"
    # The thread's row is locked first by everybody who writes.
    transaction.lock_rows(LOCK, {"thread_key": button.thread})
    return DOES[button.action](transaction, button, person)


def stop(transaction: Transaction, button: Row[Any], _person: Person) -> Pressed:
    """Ends the answer that is being written: `renew` tells whoever writes it."""
    stopped = (
        update(messages)
        .where(messages.c.key == button.message, messages.c.settled_at.is_(None))
        .values(stopped=True)
    )
    return "stopped" if transaction.run(stopped).rowcount else "late"


def again(transaction: Transaction, button: Row[Any], _person: Person) -> Pressed:
    """Makes an answered question work again; its next answer goes into the same posts.

    Pressed once more while that is written, it asks for nothing else.
    """
    message = question(transaction, button)
    if message is None:
        return "late"
    return ask_anew(transaction, message) if answered(transaction, message) else "again"


def closer(transaction: Transaction, button: Row[Any], _person: Person) -> Pressed:
    """The same, at high detail."""
    message = question(transaction, button)
    if message is None:
        return "late"
    options = {**message.options, "detail": "high"}
    if answered(transaction, message):
        return ask_anew(transaction, message, options=options)
    return "again" if message.options == options else "late"


def allow(transaction: Transaction, button: Row[Any], _person: Person) -> Pressed:
    """The same, past its budgets, for a question that is still as it was when they refused it."""
    message = question(transaction, button)
    if message is None or button.version not in (None, message.version):
        return "late"
    if not answered(transaction, message):
        return "late"
    return ask_anew(transaction, message, allowed=message.version + 1)


def vote(transaction: Transaction, button: Row[Any], person: Person) -> Pressed:
    """Counts what a person thinks of the answer; a second thought takes the place of the first."""
    call = transaction.first(
        select(calls.c.key)
        .where(calls.c.message == button.message, calls.c.outcome == "answered")
        .order_by(calls.c.key.desc())
        .limit(1)
    )
    if call is None:
        return "late"
    good = button.action == "up"
    transaction.run(
        insert(votes)
        .values(call=call.key, person=person.id, good=good)
        .on_conflict_do_update(index_elements=["call", "person"], set_={"good": good})
    )
    return "counted"


def mark(transaction: Transaction, button: Row[Any], _person: Person) -> Pressed:
    """Sets the mark that the value names on its numbers, such as `low 1 2`; without one, none."""
    words = button.value.split()
    named: Mark = words.pop(0) if words and words[0] in MARKS else ""
    numbers = [int(each) for each in words if each.isdecimal() and len(each) < MANY_DIGITS]
    there = gallery.mark_in(transaction, button.thread, numbers, named)
    return "marked" if there else "late"


DOES: Mapping[str, Callable[[Transaction, Row[Any], Person], Pressed]] = {
    "stop": stop,
    "again": again,
    "closer": closer,
    "allow": allow,
    "up": vote,
    "down": vote,
    "mark": mark,
}


def may(button: Row[Any], person: Person) -> bool:
    """Whether this person may press the button."""
    if person.administrator:
        return True
    return button.action != "allow" and button.person in ("", person.id)


def living(transaction: Transaction, token: str) -> Row[Any] | None:
    """The button of a token that still stands for something."""
    return transaction.first(
        select(buttons).where(buttons.c.token == token, buttons.c.expires > transaction.now())
    )


def question(transaction: Transaction, button: Row[Any]) -> Row[Any] | None:
    """The question that the button stands under, and whether somebody is at work on it."""
    at_work = (threads.c.claimed == messages.c.key).label("at_work")
    return transaction.first(
        select(messages, at_work)
        .join(threads, threads.c.key == messages.c.thread)
        .where(messages.c.key == button.message)
    )


def answered(transaction: Transaction, message: Row[Any]) -> bool:
    """Whether people read its answer, if only since a moment: then it is posted and not settled yet."""
    if message.settled_at is not None:
        return True
    return bool(message.at_work) and recorded(transaction, message) is not None


def ask_anew(transaction: Transaction, message: Row[Any], **values: object) -> Pressed:
    """Makes a question work; nobody who claimed it before may answer it now, but they may note its posts."""
    now = transaction.now()
    transaction.run(
        update(messages)
        .where(messages.c.key == message.key)
        .values(
            version=messages.c.version + 1,
            asked_at=now,
            failures=0,
            settled_at=None,
            stopped=False,
            **values,
        )
    )
    # Others of the thread's questions are answered first.
    free = or_(threads.c.claimed.is_(None), threads.c.claimed == message.key)
    due = now + NOTING_SECONDS if message.at_work else now
    transaction.run(update(threads).where(threads.c.key == message.thread, free).values(due=due))
    return "again"


def add(transaction: Transaction, place: ThreadId, row: Mapping[str, object], question: str) -> str:
    """Writes a button and returns its token."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    transaction.run(ADD, {"token": token, **asdict(place), "question": question, **row})
    return token
