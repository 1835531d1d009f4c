"""What outlives a power cut: what people were told and what was paid; the rest is done again."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from bot.domain import Chance, Claim, Scope
from storage.database import Database, Transaction
from storage.engines import parse
from storage.store import SqlStore, open_store
from tests.storage.nouns import (
    THREAD,
    answer,
    asked,
    call,
    claimed,
    image,
    message,
    person_day,
    reply,
)

T = TypeVar("T")
WAITS = 2  # SQLite's number for FULL


class Watched(Database):
    """Notes whether each piece of work waits for the disk."""

    waited: bool

    async def write(self, work: Callable[[Transaction], T], *, lasting: bool = True) -> T:
        def noted(transaction: Transaction) -> T:
            level = transaction.connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
            self.waited = level == WAITS
            return work(transaction)

        return await super().write(noted, lasting=lasting)


@asynccontextmanager
async def watched(file: Path) -> AsyncIterator[tuple[Watched, SqlStore]]:
    """A store on a file, and what it stands on."""
    database = Watched(parse(f"sqlite:///{file}"), None)
    yield database, SqlStore(database, lease_seconds=30, retention_days=30)
    database.close()


@pytest.fixture
def file(tmp_path: Path, pattern: Path) -> Path:
    """An SQLite file with empty tables."""
    return Path(shutil.copy(pattern, tmp_path / "store.db"))


LASTING: list[Callable[[SqlStore, Claim], Awaitable[object]]] = [
    lambda store, claim: store.accept(claim.message),
    lambda store, claim: store.attempt(claim, call("0.01", person_day())),
    lambda store, claim: store.record(claim, reply()),
    lambda store, claim: store.posted(claim, ["post"]),
    lambda store, claim: store.settle(claim),
    lambda store, claim: store.postpone(claim, 1.0, failed=True),
    lambda store, claim: store.choose(THREAD, "thread", "detail", "low"),
    lambda store, claim: store.retract(Scope("slack", "T1")),
    lambda store, claim: store.forget("slack", "T1", "U1"),
]
DONE_AGAIN: list[Callable[[SqlStore, Claim], Awaitable[object]]] = [
    lambda store, claim: store.claim(["slack"]),
    lambda store, claim: store.renew([claim]),
    lambda store, claim: store.pictures(claim),
    lambda store, claim: store.keep(claim, 1, image()),
    lambda store, claim: store.recall(claim, 1, "tile-768"),
    lambda store, claim: store.note(claim, 1, "not seen: gone"),
    lambda store, claim: store.offer(claim, [Chance("again")]),
]


@pytest.mark.parametrize(
    ("write", "waits"),
    [*((each, True) for each in LASTING), *((each, False) for each in DONE_AGAIN)],
)
async def test_what_cannot_be_done_again_waits_for_the_disk(
    file: Path, write: Callable[[SqlStore, Claim], Awaitable[object]], waits: bool
) -> None:
    async with watched(file) as (database, store):
        claim = await asked(store, message(files=("F1",)))

        await write(store, claim)

        assert database.waited is waits


async def test_after_a_power_cut_the_question_is_there_and_answered_as_if_anew(
    file: Path, tmp_path: Path
) -> None:
    log = file.with_name(f"{file.name}-wal")
    async with watched(file) as (_, store):
        await store.accept(message(files=("F1",)))
        on_disk = log.stat().st_size
        claim = await claimed(store)
        await store.pictures(claim)
        await store.keep(claim, 1, image())
        assert log.stat().st_size > on_disk
        cut = power_cut(file, tmp_path / "cut.db", on_disk)

    async with open_store(cut, exclusive=True) as store:
        again = await claimed(store)
        (picture,) = await store.pictures(again)

        # Something may have been posted already, so it must not look as if nobody was here before.
        assert (again.message, again.number) == (claim.message, 2)
        assert picture.pending


async def test_what_was_paid_takes_all_before_it_to_the_disk(file: Path, tmp_path: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    async with watched(file) as (_, store):
        claim = await asked(store, message(files=("F1",)))
        await store.pictures(claim)
        await store.keep(claim, 1, image())
        number = await store.attempt(claim, call("0.01", person_day()))
        await store.record(claim, reply(), call=number, answer=answer())
        on_disk = log.stat().st_size
        await store.posted(claim, ["post"])
        cut = power_cut(file, tmp_path / "cut.db", on_disk)

    async with open_store(cut, exclusive=True) as store:
        again = await claimed(store)
        (picture,) = await store.pictures(again)

        assert (again.reply, again.number) == (reply(), 2)
        assert picture.image is not None
        assert (await store.thread_spent(THREAD)).calls == 1


def power_cut(file: Path, copy: Path, on_disk: int) -> str:
    """The URL of what is left of a database of whose log so many bytes had reached the disk."""
    shutil.copy(file, copy)
    log = copy.with_name(f"{copy.name}-wal")
    shutil.copy(file.with_name(f"{file.name}-wal"), log)
    with log.open("r+b") as left:
        left.truncate(on_disk)
    return f"sqlite:///{copy}"
