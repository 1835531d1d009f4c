"""How long a thread is kept after something happened in it: as its nearest setting says."""

from math import isfinite
from typing import Any

from sqlalchemy import Row, and_, case, select
from sqlalchemy.sql.elements import ColumnElement

from storage.database import Transaction
from storage.tables import settings, threads

NAME = "retention"  # of the setting, in days
DAY_SECONDS = 86_400.0


def chosen(transaction: Transaction) -> list[Row[Any]]:
    """What was set anywhere, the nearest places first."""
    return transaction.all(
        select(settings)
        .where(settings.c.name == NAME)
        .order_by(settings.c.root.desc(), settings.c.channel.desc())
    )


def over(choices: list[Row[Any]], default_seconds: float, now: float) -> ColumnElement[bool]:
    """The threads whose time is over."""
    valid = [(place(each), seconds(each.value)) for each in choices if seconds(each.value)]
    shortest = min([default_seconds, *(each for _, each in valid)])
    holds = case(*valid, else_=default_seconds) if valid else default_seconds
    return and_(threads.c.touched <= now - shortest, threads.c.touched <= now - holds)


def seconds(days: str) -> float:
    """What somebody set; 0 for what is no time to keep anything: then it does not hold."""
    try:
        number = float(days)
    except ValueError:
        return 0.0
    return number * DAY_SECONDS if isfinite(number) and number > 0 else 0.0


def place(choice: Row[Any]) -> ColumnElement[bool]:
    """The threads that a setting is for."""
    narrowed = [
        threads.c[part] == choice._mapping[part]
        for part in ("channel", "root")
        if choice._mapping[part]
    ]
    here = (threads.c.platform == choice.platform, threads.c.workspace == choice.workspace)
    return and_(*here, *narrowed)
