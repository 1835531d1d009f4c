"""Migrations make what the tables say, once, from wherever the bot is started."""

import asyncio
import os
import re
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Select, Text, create_engine, event, select
from sqlalchemy.types import TypeEngine

from bot.domain import Claim
from bot.errors import SetupError
from storage.claiming import LONGEST_DUE, WORK, claimed_messages
from storage.database import Transaction, open_database
from storage.engines import parse
from storage.rows import IN_ORDER
from storage.store import SqlStore, migrate, open_store
from storage.tables import Words, messages, metadata
from tests.storage.nouns import (
    answer,
    asked,
    call,
    claimed,
    edited,
    image,
    message,
    person_day,
    reply,
    workspace_month,
)

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
    due = LONGEST_DUE.params(platforms=["slack"], now=1.0, never=2.0)
    claims = [Claim(message(name), 1, 1, 0, 0.0) for name in ("1", "2")]
    due_anywhere = due.params(platforms=["slack", "discord"])

    async with open_database(f"sqlite:///{tmp_path}/store.db") as database:
        assert "ix_messages_waiting" in await database.read(partial(plan, waiting))
        assert "ix_threads_due_work" in await database.read(partial(plan, due))
        assert "ix_threads_due_work" in await database.read(partial(plan, due_anywhere))
        assert "SCAN" not in await database.read(partial(plan, claimed_messages(claims)))


async def test_nothing_on_the_way_to_an_answer_walks_through_a_table(url: str) -> None:
    async with open_store(url) as store:
        database, said = store._database, dict[str, Any]()

        def listen(*heard: Any) -> None:
            said[heard[2]] = heard[3][0] if heard[5] else heard[3]

        for engine in (database._reader, database._writer):
            event.listen(engine, "before_cursor_execute", listen)
        await a_day(store)
        statements = dict(said)

        plans = {
            statement: await database.write(partial(explained, statement, values))
            for statement, values in statements.items()
        }

    assert len(plans) > 30
    assert [each for each, plan in plans.items() if re.search("SCAN|Seq Scan", plan)] == []


async def a_day(store: SqlStore) -> None:
    """All that is asked of the store from a question to its answer, and the question after that."""
    for name in ("1", "2"):
        claim = await asked(store, message(name, files=(f"F{name}",)))
        place = claim.message.thread
        await store.accept(edited(claim.message, "What is that?", 5.0), quiet=0.0)
        await store.hand_back(await claimed(store))
        claim = await claimed(store)
        await store.standing(claim)
        await store.participation(place, "U1")
        await store.pictures(claim)
        await store.knows(place, "file", "tile-768")
        await store.recall(claim, int(name), "tile-768", source="file")
        await store.keep(claim, int(name), image())
        await store.load((await store.pictures(claim))[0].images[0].key)
        await store.history(claim)
        await store.thread_spent(place)
        number = await store.attempt(claim, call("0.01", person_day(), workspace_month()))
        await store.renew([claim])
        await store.record(claim, reply(), call=number, answer=answer())
        await store.posted(claim, ["post"])
        await store.settle(claim)


def plan(query: Select[Any], transaction: Transaction) -> str:
    """How SQLite means to find the rows."""
    compiled = query.compile(transaction.connection, compile_kwargs={"literal_binds": True})
    return explained(str(compiled), (), transaction)


def explained(statement: str, values: Any, transaction: Transaction) -> str:
    """How the database means to find the rows for a statement as its driver gets it."""
    connection, explain = transaction.connection, "EXPLAIN QUERY PLAN"
    if transaction.postgres:
        # It walks through a table that is small, unless there is any other way.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", values)
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
