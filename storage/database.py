"""One database, reached through threads: each piece of work is one synchronous transaction in one of them."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy import Row as SqlRow
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import Table

from bot.errors import Outage, SetupError
from storage import faults, schema

T = TypeVar("T")

READERS = 3
# Connections that one process takes from PostgreSQL; hosts give small databases some twenty.
CONNECTIONS = 5
# How long SQLite waits for another process that writes.
BUSY_SECONDS = 5
# No caller waits longer, whatever the database does; longer than any of its own limits.
PATIENCE_SECONDS = 30.0
WRONG_URL = (
    "DATABASE_URL should be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME, with a path or "
    "a name."
)


@dataclass(slots=True)
class Transaction:
    """What one piece of work may use, while it lasts."""

    connection: Connection
    clock: Callable[[], float] | None
    postgres: bool
    scrub: bool = field(default=False, init=False)
    """Set by work that erased something: then no copy may stay in the write-ahead log."""

    def now(self) -> float:
        """Seconds since 1970, by the clock that all processes share."""
        if self.clock is not None:
            return self.clock()
        asks = POSTGRES_NOW if self.postgres else SQLITE_NOW
        return float(self.connection.exec_driver_sql(asks).scalar_one())

    def run(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Executes a statement that changes something."""
        result = self.connection.execute(statement, rows)
        assert isinstance(result, CursorResult)
        return result

    def all(self, statement: Executable) -> list[SqlRow[Any]]:
        """All rows."""
        return list(self.connection.execute(statement).all())

    def first(self, statement: Executable) -> SqlRow[Any] | None:
        """The first row, or None."""
        return self.connection.execute(statement).first()

    def insert(self, table: Table) -> postgresql.Insert:
        """An INSERT that knows ON CONFLICT, which both databases write alike."""
        # The two classes have the same methods; naming one spares every caller a union.
        return postgresql.insert(table) if self.postgres else sqlite.insert(table)  # type: ignore[return-value]

    def lock(self, *, key: int, shared: bool) -> None:
        """Keeps writers of one workspace and those who erase in it apart; SQLite has one writer anyway."""
        if self.postgres:
            mode = "_shared" if shared else ""
            self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{mode}({key})")


POSTGRES_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
# 2440587.5 is 1970 in Julian days.
SQLITE_NOW = "SELECT (julianday('now') - 2440587.5) * 86400.0"


class Database:
    """Engines and the threads that use them."""

    def __init__(self, url: URL, clock: Callable[[], float] | None) -> None:
        self.url = url
        self.postgres = url.get_backend_name() == "postgresql"
        self._clock = clock
        self._scrub_due = False
        if self.postgres:
            self._writer = self._reader = postgres_engine(url, binary=True)
            self._writes = self._reads = ThreadPoolExecutor(CONNECTIONS, "database")
        else:
            self._writer = sqlite_engine(url, connections=1, writes=True)
            self._reader = sqlite_engine(url, connections=READERS, writes=False)
            self._writes = ThreadPoolExecutor(1, "database-write")
            self._reads = ThreadPoolExecutor(READERS, "database-read")

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Does the work in one transaction, which is whole even when the caller is cancelled."""
        return await self._in_thread(self._writes, lambda: self._write(work))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Does work that changes nothing, beside whoever writes."""
        return await self._in_thread(self._reads, lambda: self._attempt(self._reader, work))

    def close(self) -> None:
        """Waits for what is under way and gives every connection back."""
        self._writes.shutdown(wait=True)
        self._reads.shutdown(wait=True)
        if self._scrub_due:
            self._scrub()
        self._reader.dispose()
        self._writer.dispose()

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await loop.run_in_executor(threads, work)
        except TimeoutError as error:
            raise Outage(faults.AWAY if self.postgres else faults.LOCKED) from error

    def _write(self, work: Callable[[Transaction], T]) -> T:
        result = self._attempt(self._writer, work)
        if self._scrub_due:
            self._scrub()
        return result

    def _attempt(self, engine: Engine, work: Callable[[Transaction], T]) -> T:
        for last in (False, False, False, True):
            try:
                return self._transact(engine, work)
            except SQLAlchemyError as error:
                if last or not faults.collided(error):
                    raise faults.translate(error) from error
        raise AssertionError("the last try returns or raises")

    def _transact(self, engine: Engine, work: Callable[[Transaction], T]) -> T:
        with engine.begin() as connection:
            transaction = Transaction(connection, self._clock, self.postgres)
            result = work(transaction)
        # Only work that was committed has left something to scrub.
        if transaction.scrub and not self.postgres:
            self._scrub_due = True
        return result

    def _scrub(self) -> None:
        """Moves the log into the file and empties it; tried again after the next write while others read."""
        connection = self._writer.raw_connection()
        try:
            cursor = connection.cursor()
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            cursor.close()
        except sqlite3.Error:
            # What was asked for is committed; only the scrubbing has to wait.
            busy = 1
        finally:
            connection.close()
        self._scrub_due = bool(busy)


@asynccontextmanager
async def open_database(
    url: str, clock: Callable[[], float] | None = None
) -> AsyncIterator[Database]:
    """A database that exists, is migrated, and is closed at the end."""
    address = parse(url)
    await asyncio.to_thread(prepare, address)
    database = Database(address, clock)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def migrate(url: str) -> None:
    """Brings the database up to this version; raises SetupError or Outage."""
    prepare(parse(url))


def parse(url: str) -> URL:
    """The address as SQLAlchemy wants it; raises SetupError, which never repeats a password."""
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise SetupError(WRONG_URL) from error
    if backend == "sqlite" and address.database not in (None, "", ":memory:"):
        return address.set(drivername="sqlite+pysqlite")
    if backend in ("postgres", "postgresql") and address.database:
        return address.set(drivername="postgresql+psycopg")
    raise SetupError(WRONG_URL)


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


def database_file(url: URL) -> Path:
    """The file of an SQLite database."""
    assert url.database is not None
    return Path(url.database)


def make_file(path: Path) -> None:
    """Makes folder and file for our eyes only; those that exist stay as they are."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise SetupError(faults.CANNOT_OPEN) from error


def sqlite_engine(url: URL, *, connections: int, writes: bool) -> Engine:
    """Transactions that say BEGIN themselves, since Python's driver would begin too late."""
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    # A transaction that reads first and then wants to write fails at once where another writes;
    # one that says so at its beginning waits.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS if writes else (*PRAGMAS, "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # What is deleted is overwritten.
    "secure_delete = ON",
    # No text of a message in a temporary file.
    "temp_store = MEMORY",
)


def postgres_engine(url: URL, *, binary: bool) -> Engine:
    """Connections that are tried before use and give up on a silent server."""
    try:
        from storage.postgres import CURSORS
    except ImportError as error:
        raise SetupError(NO_DRIVER) from error
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        # A quiet bot needs one connection; the others then stay free for others.
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": 15_000,
            "keepalives_idle": 15,
            "cursor_factory": CURSORS[binary],
        },
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(LIMITS)
        connection.commit()

    return engine


NO_DRIVER = 'PostgreSQL needs one more package: pip install "threadsight[postgres]".'

# Shorter than a lease, so that whoever waits for a lock still has time to say so.
LIMITS = (
    "SELECT set_config('statement_timeout', '20s', false), set_config('lock_timeout', '10s', false), "
    "set_config('idle_in_transaction_session_timeout', '30s', false)"
)
