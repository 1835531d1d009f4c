"""How each of the two databases is found, opened, and set up."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.errors import SetupError
from storage.faults import CANNOT_OPEN

# Connections that one process takes from PostgreSQL; hosts give small databases some twenty.
CONNECTIONS = 5
# How long SQLite waits for another process that writes.
BUSY_SECONDS = 5.0
WRONG_URL = (
    "DATABASE_URL should be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME, with a path or "
    "a name."
)
NO_DRIVER = "PostgreSQL needs one more package: pip install --require-hashes -r requirements.txt."


def parse(url: str) -> URL:
    """The address as SQLAlchemy wants it; raises SetupError, which never repeats a password."""
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise SetupError(WRONG_URL) from error
    if backend == "sqlite" and address.database not in (None, "", ":memory:"):
        # What follows a question mark would be a driver's own options: nothing that people know.
        return address.set(drivername="sqlite+pysqlite", query={})
    if backend in ("postgres", "postgresql") and address.database:
        return address.set(drivername="postgresql+psycopg")
    raise SetupError(WRONG_URL)


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
        usable = path.is_file()
    except (OSError, ValueError) as error:
        raise SetupError(CANNOT_OPEN) from error
    if not usable:
        raise SetupError(CANNOT_OPEN)


def sqlite_engine(
    url: URL, *, connections: int, writes: bool, busy_seconds: float = BUSY_SECONDS
) -> Engine:
    """Transactions that say BEGIN themselves, since Python's driver would begin too late."""
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )
    # A transaction that reads first and then wants to write fails at once where another writes;
    # one that says so at its beginning waits.
    words = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def begin(connection: PoolProxiedConnection) -> None:
        cursor = connection.cursor()
        if writes:
            level = "FULL" if connection.info.get(LASTING, True) else "NORMAL"
            cursor.execute(f"PRAGMA synchronous = {level}")
        cursor.execute(words)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS if writes else (*PRAGMAS, "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")

    # The dialect's own door: a listener would make every statement a third slower.
    engine.dialect.do_begin = begin  # type: ignore[assignment]
    return engine


# In what a connection knows of itself: whether its next transaction outlives a power cut. Either
# way the file stays whole (SQLite's manual, "PRAGMA synchronous", on NORMAL with a WAL).
LASTING = "lasting"
PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    # What is deleted is overwritten.
    "secure_delete = ON",
    # No text of a message in a temporary file.
    "temp_store = MEMORY",
)


def postgres_engine(url: URL, *, binary: bool) -> Engine:
    """Connections that give up on a silent server."""
    try:
        from storage.postgres import CURSORS
    except ImportError as error:
        raise SetupError(NO_DRIVER) from error
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        # A quiet bot needs one connection; the others then stay free for others.
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": 15_000,
            "keepalives_idle": 15,
            "cursor_factory": CURSORS[binary],
            # Poolers that hosts put before a database lose prepared statements.
            "prepare_threshold": None,
        },
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(LIMITS)
        connection.commit()

    return engine


# Shorter than a lease, so that whoever waits for a lock still has time to say so.
LIMITS = (
    "SELECT set_config('statement_timeout', '20s', false), "
    "set_config('lock_timeout', '10s', false), "
    "set_config('idle_in_transaction_session_timeout', '30s', false)"
)
