"""Migrations make what the tables say, once, from wherever the bot is started."""

import asyncio
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Select, Text, create_engine, select
from sqlalchemy.types import TypeEngine

from bot.domain import Claim
from bot.errors import SetupError
from storage.claiming import WORK, claimed_messages, due_thread
from storage.database import Transaction, open_database
from storage.engines import parse
from storage.rows import IN_ORDER
from storage.store import migrate, open_store
from storage.tables import Words, messages, metadata
from tests.storage.nouns import asked, message

ROOT = Path(__file__).parents[2]


def test_the_migrations_make_the_tables_as_they_are_written(url: str) -> None:
    migrate(url)
    engine = create_engine(parse(url))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": differ})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


async def test_what_waits_is_found_without_looking_at_what_does_not(tmp_path: Path) -> None:
    waiting = select(messages).where(messages.c.thread == 1, WORK).order_by(*IN_ORDER).limit(1)
    due = due_thread(["slack"], None, 1.0, 2.0)
    claims = [Claim(message(name), 1, 1, 0, 0.0) for name in ("1", "2")]
    due_anywhere = due_thread(["slack", "discord"], None, 1.0, 2.0)

    async with open_database(f"sqlite:///{tmp_path}/store.db") as database:
        assert "ix_messages_waiting" in await database.read(partial(plan, waiting))
        assert "ix_threads_due_work" in await database.read(partial(plan, due))
        assert "ix_threads_due_work" in await database.read(partial(plan, due_anywhere))
        assert "SCAN" not in await database.read(partial(plan, claimed_messages(claims)))


def plan(query: Select[Any], transaction: Transaction) -> str:
    """How SQLite means to find the rows."""
    compiled = query.compile(transaction.connection, compile_kwargs={"literal_binds": True})
    rows = transaction.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
    return " ".join(str(row[-1]) for row in rows)


def differ(
    _context: object,
    _there: object,
    _wanted: object,
    there: TypeEngine[Any],
    wanted: TypeEngine[Any],
) -> bool | None:
    """Whether the types differ; alembic judges (None), but it does not look into ours."""
    if not isinstance(wanted, Words):
        return None
    return not isinstance(there, Text) or there.collation not in ("C", None)


async def test_many_openers_at_once_migrate_once(url: str) -> None:
    async def open_and_close() -> None:
        async with open_store(url):
            pass

    await asyncio.gather(*(open_and_close() for _ in range(4)))


def test_migrating_twice_is_migrating_once(tmp_path: Path) -> None:
    for _ in range(2):
        migrate(f"sqlite:///{tmp_path}/store.db")


async def test_a_database_of_a_newer_version_is_left_alone(url: str) -> None:
    async with open_database(url) as database:
        await database.write(lambda tx: tx.connection.exec_driver_sql(VERSION.format("newer")))

        with pytest.raises(SetupError, match="newer version"):
            migrate(url)

        await database.write(lambda tx: tx.connection.exec_driver_sql(VERSION.format("0002")))
    migrate(url)


VERSION = "UPDATE alembic_version SET version_num = '{}'"


def test_it_migrates_from_any_folder_and_says_nothing(tmp_path: Path) -> None:
    code = "from storage.store import migrate; migrate('sqlite:///made/here/store.db')"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "made/here/store.db").exists()


async def test_folder_and_file_are_for_our_eyes_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "store.db"
    async with open_store(f"sqlite:///{path}", exclusive=True) as store:
        await asked(store)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "mysql://u:secret@h/d",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h:port/d",
        "sqlite:////proc/nowhere/store.db",
        "sqlite:////dev/full",
        "sqlite:///a\0b.db",
        f"sqlite:///{'x' * 300}.db",
        "postgresql://u:secret@127.0.0.1:1/d?nonsense=1",
    ],
)
async def test_an_address_that_will_not_do_is_one_sentence(url: str) -> None:
    with pytest.raises(SetupError) as refused:
        async with open_store(url):
            pass

    assert "secret" not in refused.value.sentence
    assert refused.value.sentence.endswith(".")
