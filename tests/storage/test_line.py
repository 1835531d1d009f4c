"""Work that waits for SQLite's one writer: done together, failing alone, and durable before anybody hears of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import event

from bot.errors import Outage, Superseded
from storage.database import Database, Transaction, open_database
from storage.line import MOST_TOGETHER

ADD = (
    "INSERT INTO settings (platform, workspace, channel, root, name, value) "
    "VALUES ('', '', '', '', {0}, '')"
)
NAMES = "SELECT CAST(name AS INTEGER) FROM settings ORDER BY key"


class Busy:
    """A database whose writer is held up until it is let go, and the transactions that it committed since."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.commits = 0
        self.go = Event()
        self.held: asyncio.Task[bool] | None = None
        event.listen(database._writer, "commit", self.count)

    def count(self, _connection: object) -> None:
        self.commits += 1

    async def hold(self) -> None:
        """Returns once the writer is held up."""
        started, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait(_transaction: Transaction) -> bool:
            loop.call_soon_threadsafe(started.set)
            return self.go.wait(10)

        self.held = asyncio.create_task(self.database.write(wait))
        await started.wait()

    async def all_of(self, *works: Callable[[Transaction], object]) -> list[object]:
        """What becomes of pieces of work that wait behind the one which is held up."""
        await self.hold()
        waiting = [asyncio.create_task(self.database.write(work)) for work in works]
        await asyncio.sleep(0)
        self.go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    async def names(self) -> list[int]:
        """What is in the table."""
        return await self.database.read(
            lambda tx: list(tx.connection.exec_driver_sql(NAMES).scalars())
        )


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Busy]:
    async with open_database(f"sqlite:///{tmp_path}/store.db", busy_seconds=0.1) as database:
        yield Busy(database)


class Adding:
    """Puts a number into a table, and returns it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, transaction: Transaction) -> int:
        transaction.connection.exec_driver_sql(ADD.format(self.number))
        return self.number


async def test_all_that_waits_is_done_in_one_transaction_and_in_order(busy: Busy) -> None:
    results = await busy.all_of(*(Adding(n) for n in range(20)))

    assert results == await busy.names() == list(range(20))
    assert busy.commits == 2  # with the one that held it up


async def test_a_long_line_is_cut_into_several_transactions(busy: Busy) -> None:
    results = await busy.all_of(*(Adding(n) for n in range(MOST_TOGETHER + 1)))

    assert results == list(range(MOST_TOGETHER + 1))
    assert busy.commits == 3


async def test_work_that_fails_takes_nobody_else_with_it(busy: Busy) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql(ADD.format(99))
        raise Superseded("not ours")

    def break_a_rule(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("INSERT INTO settings (platform) VALUES (NULL)")

    one, failed, broken, two = await busy.all_of(Adding(1), fail, break_a_rule, Adding(2))

    assert (one, two) == (1, 2)
    assert isinstance(failed, Superseded)
    assert isinstance(broken, Exception)
    assert await busy.names() == [1, 2]


async def test_who_gives_up_while_it_waits_has_done_nothing(busy: Busy) -> None:
    await busy.hold()
    given_up = asyncio.create_task(busy.database.write(Adding(1)))
    after = asyncio.create_task(busy.database.write(Adding(2)))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    busy.go.set()
    await after

    assert await busy.names() == [2]


async def test_a_locked_database_is_waited_for_once_by_all(busy: Busy, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    tries = []

    def lock(*_: object) -> None:
        tries.append("again")
        if not other.in_transaction:
            other.execute("BEGIN EXCLUSIVE")

    await busy.hold()
    event.listen(busy.database._writer, "checkout", lock)
    waiting = [asyncio.create_task(busy.database.write(Adding(n))) for n in range(5)]
    await asyncio.sleep(0)
    busy.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    event.remove(busy.database._writer, "checkout", lock)
    other.close()

    assert [type(each) for each in results] == [Outage] * 5
    assert tries == ["again"]
    assert await busy.database.write(Adding(9)) == 9
    assert await busy.names() == [9]


async def test_all_waits_for_the_disk_with_whatever_has_to_last(busy: Busy) -> None:
    def level(transaction: Transaction) -> int:
        return int(transaction.connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    await busy.hold()
    together = [
        asyncio.create_task(busy.database.write(level, lasting=lasting))
        for lasting in (False, True, False)
    ]
    await asyncio.sleep(0)
    busy.go.set()

    assert await asyncio.gather(*together) == [FULL] * 3
    assert await busy.database.write(level, lasting=False) == NORMAL
    assert await busy.database.write(level) == FULL


NORMAL, FULL = 1, 2  # as SQLite numbers them
