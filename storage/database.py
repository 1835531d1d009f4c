"""One database, reached through threads: a piece of work is one synchronous transaction in one."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, Select
from sqlalchemy import Row as SqlRow
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import Outage
from storage import faults, schema
from storage.engines import (
    BUSY_SECONDS,
    CONNECTIONS,
    LASTING,
    database_file,
    make_file,
    parse,
    postgres_engine,
    sqlite_engine,
)
from storage.line import Line

T = TypeVar("T")

READERS = 3
# How long a write that erased something waits for those who still read what was there.
SCRUB_MILLISECONDS = 100
# No caller waits longer, whatever the database does; longer than any of its own limits.
PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class Transaction:
    """What one piece of work may use, while it lasts."""

    connection: Connection
    clock: Callable[[], float] | None
    postgres: bool
    scrub: bool = field(default=False, init=False)
    """Set by work that erased something: then no copy may stay in the write-ahead log."""
    told: float | None = field(default=None, init=False)
    """What PostgreSQL's clock said, which is asked once."""

    def now(self) -> float:
        """Seconds since 1970, by the clock that all processes share."""
        if self.clock is not None:
            return self.clock()
        if self.told is None:
            self.told = float(self.connection.exec_driver_sql(f"SELECT {CLOCK}").scalar_one())
        return self.told

    def run(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Executes a statement that changes something."""
        result = self.connection.execute(statement, rows)
        assert isinstance(result, CursorResult)
        return result

    def all(
        self, statement: Executable, values: Mapping[str, object] | None = None
    ) -> list[SqlRow[Any]]:
        """All rows."""
        return list(self.connection.execute(statement, values).all())

    def first(
        self, statement: Executable, values: Mapping[str, object] | None = None
    ) -> SqlRow[Any] | None:
        """The first row, or None."""
        return self.connection.execute(statement, values).first()

    def lock_rows(self, which: Select[Any], values: Mapping[str, object] | None = None) -> None:
        """Keeps others from these rows until the end; SQLite has one writer anyway."""
        if self.postgres:
            self.all(which, values)

    def lock(self, *, key: int, shared: bool) -> None:
        """Keeps those who write in a workspace and those who erase in it apart."""
        if self.postgres:
            mode = "_shared" if shared else ""
            locks = f"SELECT pg_advisory_xact_lock{mode}({key}), {CLOCK}"
            _, self.told = self.connection.exec_driver_sql(locks).one()


# An INSERT that knows ON CONFLICT: both databases write it alike, and both dialects read this one.
insert = postgresql.insert
CLOCK = "extract(epoch FROM clock_timestamp())::float8"  # of PostgreSQL


class Database:
    """Engines and the threads that use them."""

    def __init__(
        self, url: URL, clock: Callable[[], float] | None, *, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.postgres = url.get_backend_name() == "postgresql"
        # Who shares a file shares a machine and its clock.
        self._clock = clock if clock or self.postgres else time.time
        self._scrub_due = False
        if self.postgres:
            self._writer: Engine = postgres_engine(url, binary=True)
            # There each statement sees what is committed by then, with or without a transaction.
            self._reader: Engine = self._writer.execution_options(isolation_level="AUTOCOMMIT")
            self._threads = ThreadPoolExecutor(CONNECTIONS, "database")
            self._line: Line[Transaction] | None = None
        else:
            self._writer = sqlite_engine(url, connections=1, writes=True, busy_seconds=busy_seconds)
            self._reader = sqlite_engine(
                url, connections=READERS, writes=False, busy_seconds=busy_seconds
            )
            self._threads = ThreadPoolExecutor(READERS, "database-read")
            self._line = Line(self._write)

    async def write(self, work: Callable[[Transaction], T], *, lasting: bool = True) -> T:
        """Does the work in one transaction, which is whole even when the caller is cancelled.

        Work that need not last outlives every process, but not a power cut: SQLite does not wait
        for the disk. PostgreSQL does, since who holds a claim may outlive it.
        """
        if self._line is not None:
            return await self._patiently(self._line.join(work, lasting))
        return await self._patiently(self._threads.submit(self._attempt, self._writer, work))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Does work that changes nothing, beside whoever writes."""
        return await self._patiently(self._threads.submit(self._attempt, self._reader, work))

    def close(self) -> None:
        """Waits for what is under way and gives every connection back."""
        if self._line is not None:
            self._line.close()
        self._threads.shutdown(wait=True)
        if self._scrub_due:
            self._scrub()
        self._reader.dispose()
        self._writer.dispose()

    async def _patiently(self, result: Future[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.wrap_future(result)
        except TimeoutError as error:
            raise Outage(faults.AWAY if self.postgres else faults.LOCKED) from error

    def _write(self, work: Callable[[Transaction], T], lasting: bool) -> T:
        result = self._attempt(self._writer, work, lasting)
        if self._scrub_due:
            self._scrub()
        return result

    def _attempt(self, engine: Engine, work: Callable[[Transaction], T], lasting: bool = True) -> T:
        for last in (False, False, False, True):
            try:
                return self._transact(engine, work, lasting)
            except SQLAlchemyError as error:
                if last or not faults.collided(error):
                    raise faults.translate(error) from faults.discreet(error)
        raise AssertionError("the last try returns or raises")

    def _transact(self, engine: Engine, work: Callable[[Transaction], T], lasting: bool) -> T:
        with engine.connect() as connection:
            connection.info[LASTING] = lasting
            with connection.begin():
                transaction = Transaction(connection, self._clock, self.postgres)
                result = work(transaction)
        # Only work that was committed has left something to scrub.
        if transaction.scrub and not self.postgres:
            self._scrub_due = True
        return result

    def _scrub(self) -> None:
        """Moves the log into the file and empties it; after the next write where others read."""
        connection = self._writer.raw_connection()
        try:
            self._scrub_due = not emptied_log(connection.cursor())
        except sqlite3.Error:
            # What was asked for is committed; only the scrubbing has to wait.
            self._scrub_due = True
        finally:
            connection.close()


def emptied_log(cursor: DBAPICursor) -> bool:
    """Whether SQLite's log could be emptied; nobody waits long for somebody who reads in it."""
    patience = first_number(cursor, "PRAGMA busy_timeout")
    cursor.execute(f"PRAGMA busy_timeout = {SCRUB_MILLISECONDS}")
    try:
        return first_number(cursor, "PRAGMA wal_checkpoint(TRUNCATE)") == 0
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {patience}")
        cursor.close()


def first_number(cursor: DBAPICursor, pragma: str) -> int:
    """What a pragma says first."""
    cursor.execute(pragma)
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


@asynccontextmanager
async def open_database(
    url: str, clock: Callable[[], float] | None = None, *, busy_seconds: float = BUSY_SECONDS
) -> AsyncIterator[Database]:
    """A database that exists, is migrated, and is closed at the end."""
    address = parse(url)
    await asyncio.to_thread(prepare, address)
    database = Database(address, clock, busy_seconds=busy_seconds)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def migrate(url: str) -> None:
    """Brings the database up to this version; raises SetupError or Outage."""
    prepare(parse(url))


def prepare(url: URL) -> None:
    """Makes the file where there is none, and migrates under a lock."""
    if url.get_backend_name() == "sqlite":
        make_file(database_file(url))
        engine = sqlite_engine(url, connections=1, writes=True)
    else:
        # Alembic reads the catalogue, which only comes right as text.
        engine = postgres_engine(url, binary=False)
    try:
        with engine.begin() as connection:
            schema.upgrade(connection)
    except SQLAlchemyError as error:
        raise faults.translate(error) from error
    finally:
        engine.dispose()
