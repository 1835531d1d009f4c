"""Whatever the database does, people hear one plain sentence and nothing stored is lost."""

import asyncio
import ctypes
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from bot.errors import Outage, PermanentError, SetupError
from storage import database
from storage.store import SqlStore, open_store
from storage.tables import settings
from tests.storage.conftest import Server
from tests.storage.nouns import asked, claimed, message

ROOT = Path(__file__).parents[2]


async def test_a_locked_database_is_said_and_mends_itself(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with database.open_database(f"sqlite:///{path}", busy_seconds=0.05) as impatient:
        store = SqlStore(impatient, lease_seconds=30, retention_days=30)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")

        with pytest.raises(Outage, match=r"^The database is locked by another program: .*\.$"):
            await store.accept(message())

        holder.close()
        assert await store.accept(message())


async def test_a_full_disk_is_said_and_mends_itself(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        await store.accept(message("1"))
        await limit_pages(store, 1)

        with pytest.raises(Outage, match=r"^The disk of the database is full: .*\.$"):
            await store.accept(message("2", "x" * 1_000_000))

        await limit_pages(store, 1_000_000)
        assert await store.accept(message("2", "x" * 1_000_000))
        assert (await claimed(store)).message.id == "1"


async def limit_pages(store: SqlStore, pages: int) -> None:
    """Lets the file grow no further than this, or than it already is."""
    await store._database.write(
        lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()
    )


ACCEPT = """
import asyncio, sys
from bot.errors import ThreadsightError
from storage.store import open_store
from tests.storage.nouns import message

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.accept(message())

try:
    asyncio.run(main())
except ThreadsightError as error:
    print(type(error).__name__, error.sentence)
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_is_said(tmp_path: Path, what: str) -> None:
    path = tmp_path / "data" / "store.db"
    database.migrate(f"sqlite:///{path}")
    closed = path if what == "file" else path.parent
    closed.chmod(0o555)

    done = subprocess.run(
        [sys.executable, "-c", ACCEPT, f"sqlite:///{path}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=obey_modes,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    closed.chmod(0o700)
    assert done.stdout.startswith("Outage The database is read-only: "), done.stdout + done.stderr


def obey_modes() -> None:
    """Lets the modes of files hold for root, too; see prctl(2) and CAP_DAC_OVERRIDE."""
    drop_from_bounding_set, may_override = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, may_override)


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\0" * 5000])
async def test_a_file_that_is_no_database_is_said_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)

    with pytest.raises(SetupError, match="damaged or is no database"):
        async with open_store(f"sqlite:///{path}"):
            pass

    assert path.read_bytes() == content


async def test_a_database_damaged_while_we_run_is_said(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.accept(message())
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with pytest.raises(SetupError, match="damaged"):
        async with open_store(f"sqlite:///{path}") as store:
            await store.accept(message("2"))


async def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be opened"):
        async with open_store(f"sqlite:///{tmp_path}"):
            pass


async def test_no_error_carries_what_was_stored(store: SqlStore) -> None:
    row = {"platform": "SECRET", "name": "SECRET"}

    with pytest.raises(PermanentError) as refused:
        await store._database.write(lambda tx: tx.run(settings.insert(), row))

    assert refused.value.__cause__ is not None
    assert "SECRET" not in "".join(traceback.format_exception(refused.value))


async def test_a_moment_that_is_none_is_refused(store: SqlStore) -> None:
    for moment in (float("nan"), float("inf")):
        with pytest.raises(PermanentError, match="cannot hold this"):
            await store.accept(message(sent_at=moment))


async def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(Outage, match="does not answer"):
        async with open_store("postgresql://u:p@127.0.0.1:1/d"):
            pass


async def test_a_database_that_is_not_there_is_said(postgres: Server) -> None:
    with pytest.raises(SetupError, match="refuses us"):
        async with open_store(postgres.url("nowhere")):
            pass


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://", "postgresql+psycopg://"])
async def test_the_schemes_that_hosts_write_are_understood(postgres: Server, scheme: str) -> None:
    url = postgres.create().replace("postgresql://", scheme)

    async with open_store(url) as store:
        assert await store.accept(message())


async def test_a_server_that_restarts_is_waited_for(postgres: Server) -> None:
    async with open_store(postgres.create()) as store:
        await store.accept(message("1"))
        await asyncio.to_thread(postgres.process.stop)
        try:
            with pytest.raises(Outage, match="does not answer"):
                await store.accept(message("2"))
        finally:
            await asyncio.to_thread(postgres.process.start)

        assert await store.accept(message("2"))
        assert (await claimed(store)).message.id == "1"


async def test_lost_connections_are_replaced(postgres: Server) -> None:
    url = postgres.create()
    name = url.split("?")[0].rsplit("/", 1)[1]
    async with open_store(url) as store:
        await asyncio.gather(*(store.accept(message(str(n))) for n in range(8)))
        postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

        writes = [store.accept(message(str(n))) for n in range(8, 16)]
        reads = [store.last_seen("slack") for _ in range(8)]
        await asyncio.gather(*writes, *reads)

        assert (await claimed(store)).message.id == "0"


async def test_a_connection_lost_in_mid_transaction_is_an_outage_and_leaves_nothing_half_done(
    postgres: Server,
) -> None:
    async with open_store(postgres.create()) as store:

        def die(transaction: database.Transaction) -> None:
            transaction.connection.exec_driver_sql(
                "INSERT INTO settings (platform, workspace, channel, root, name, value) "
                "VALUES ('', '', '', '', '', '')"
            )
            transaction.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(Outage, match="does not answer"):
            await store._database.write(die)

        rows = await store._database.read(
            lambda tx: tx.connection.exec_driver_sql("SELECT count(*) FROM settings").scalar_one()
        )
        assert rows == 0


async def test_work_whose_connection_turns_out_to_be_dead_is_done_over_another(
    postgres: Server,
) -> None:
    tries = []

    def work(transaction: database.Transaction) -> str:
        tries.append(transaction)
        if len(tries) == 1:
            transaction.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return "done"

    async with open_store(postgres.create()) as store:
        assert await store._database.write(work) == "done"
        assert await store._database.read(work) == "done"

    assert len(tries) == 3


async def test_what_may_have_been_committed_is_not_done_again(postgres: Server) -> None:
    tries = []

    def work(transaction: database.Transaction) -> None:
        tries.append(transaction)
        pid = transaction.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        # It returns when the other is gone.
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 10000)")

    async with open_store(postgres.create()) as store:
        with pytest.raises(Outage, match="does not answer"):
            await store._database.write(work)

    assert len(tries) == 1


async def test_a_read_only_server_is_said(postgres: Server) -> None:
    url = postgres.create()
    name = url.split("?")[0].rsplit("/", 1)[1]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    async with open_store(url) as store:
        with pytest.raises(Outage, match="read-only"):
            await store.accept(message())


async def test_the_databases_own_clock_is_the_time(url: str) -> None:
    async with open_store(url, lease_seconds=10) as store:
        now = await store._database.read(lambda tx: tx.now())
        claim = await asked(store)

    assert 10 <= claim.until - now < 15
    assert abs(now - time.time()) < 60
