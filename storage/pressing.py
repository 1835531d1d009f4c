"""Buttons: opaque tokens that stand for one thing that somebody may do."""

import secrets
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select, update

from bot.domain import Action, Claim, Pressed
from storage.claiming import held
from storage.database import Transaction
from storage.tables import buttons, messages, threads

TOKEN_BYTES = 16  # more than anybody can guess


def offer(transaction: Transaction, claim: Claim, action: Action, retention_seconds: float) -> str:
    """A token for this message; the same one however often it is asked for."""
    message = held(transaction, claim)
    known = transaction.first(
        select(buttons).where(buttons.c.message == message.key, buttons.c.action == action)
    )
    if known is not None:
        return str(known.token)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    transaction.run(
        buttons.insert().values(
            platform=message.platform,
            workspace=message.workspace,
            token=token,
            channel=message.channel,
            thread=message.thread,
            message=message.key,
            action=action,
            value="",
            person=message.author,
            expires=transaction.now() + retention_seconds,
        )
    )
    return token


def with_stop(
    transaction: Transaction, claim: Claim | None, retention_seconds: float
) -> Claim | None:
    """The claim with the token that stops it."""
    if claim is None:
        return None
    return replace(claim, stop=offer(transaction, claim, "stop", retention_seconds))


def press(transaction: Transaction, token: str, person: str) -> Pressed:
    """Does what the token stands for, and tells what that was."""
    button = transaction.first(
        select(buttons).where(buttons.c.token == token, buttons.c.expires > transaction.now())
    )
    if button is None:
        return "late"
    if button.person != person:
        return "stranger"
    # The thread's row is locked first by everybody who writes.
    transaction.first(select(threads.c.key).where(threads.c.key == button.thread).with_for_update())
    message = transaction.first(select(messages).where(messages.c.key == button.message))
    if message is None:
        return "late"
    return stop(transaction, message) if button.action == "stop" else again(transaction, message)


def stop(transaction: Transaction, message: Row[Any]) -> Pressed:
    """Ends the answer that is being written: `renew` tells whoever writes it."""
    if message.settled_at is not None:
        return "late"
    transaction.run(update(messages).where(messages.c.key == message.key).values(stopped=True))
    return "stopped"


def again(transaction: Transaction, message: Row[Any]) -> Pressed:
    """Makes an answered question work again; its next answer goes into the same posts."""
    if message.settled_at is None:
        return "late"
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
        )
    )
    transaction.run(
        update(threads)
        .where(threads.c.key == message.thread, threads.c.claimed.is_(None))
        .values(due=now)
    )
    return "again"
