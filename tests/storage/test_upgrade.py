"""A database of an earlier version goes on: all that it holds is still there and still works."""

from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.schema import MetaData

from bot.domain import ImageKey, Person
from storage import schema
from storage.engines import parse
from storage.store import migrate, open_store
from tests.clock import Clock
from tests.storage.conftest import Server
from tests.storage.nouns import THREAD, claimed, message
from tests.storage.test_conversation import rows

FIRST = "0001"
BYTES = b"picture"
DIGEST = sha256(BYTES).hexdigest()


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the first version with an answered question and one that waits."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        name = f"old_{next(server.numbers)}"
        server.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
    engine = create_engine(parse(url))
    with engine.begin() as connection:
        schema.upgrade(connection, FIRST)
        fill(connection)
    engine.dispose()
    return url


def fill(connection: Connection) -> None:
    """What the first version would have written."""
    there = MetaData()
    there.reflect(connection)
    for table, row in ROWS:
        connection.execute(insert(there.tables[table]), row)


PLACE = {"platform": "slack", "workspace": "T1"}
POSTED = {**PLACE, "thread": 1, "channel": "C1", "author": "U1", "kind": "question"}
ASKED = {
    **POSTED,
    "addressed": True,
    "to_others": False,
    "version": 1,
    "failures": 0,
    "stopped": False,
}
FILE = {"thread": 1, "message": 1, "media_type": "image/png", "url": "", "linked": False}
BUTTON = {**PLACE, "channel": "C1", "thread": 1, "message": 1, "value": "", "expires": 4e9}
ROWS: list[tuple[str, dict[str, Any]]] = [
    (
        "threads",
        {
            **PLACE,
            "key": 1,
            "channel": "C1",
            "root": "root",
            "due": 0.0,
            "claim": 1,
            "numbered": 1,
            "expires": 1_800_000_000.0 + 30 * 86_400,
        },
    ),
    (
        "messages",
        {
            **ASKED,
            "key": 1,
            "id": "1",
            "text": "What is this?",
            "sent_at": 1.0,
            "asked_at": 1_800_000_000.0,
            "settled_at": 1_800_000_010.0,
            "posts": ["p1"],
        },
    ),
    (
        "messages",
        {
            **ASKED,
            "key": 2,
            "id": "2",
            "text": "And that?",
            "sent_at": 2.0,
            "asked_at": 1_800_000_020.0,
            "posts": [],
        },
    ),
    (
        "answers",
        {
            "key": 1,
            "message": 1,
            "version": 1,
            "text": "A cat.",
            "footer": ["700 in"],
            "receipts": [],
            "buttons": [],
            "failed": False,
        },
    ),
    (
        "pictures",
        {
            **PLACE,
            "key": 1,
            "digest": DIGEST,
            "form": "tile-768",
            "media_type": "image/jpeg",
            "width": 8,
            "height": 6,
            "size": len(BYTES),
            "data": BYTES,
        },
    ),
    (
        "attachments",
        {
            **FILE,
            "key": 1,
            "id": "F1",
            "position": 0,
            "name": "a.png",
            "number": 1,
            "mark": "",
            "receipt": "seen",
            "original_width": 16,
            "original_height": 12,
            "picture": 1,
        },
    ),
    (
        "budgets",
        {
            **PLACE,
            "key": 1,
            "scope": "person",
            "subject": "U1",
            "period": "2027-01-15",
            "cap": 10**9,
            "settled": 4_000_000,
            "reserved": 0,
        },
    ),
    (
        "calls",
        {
            **PLACE,
            "key": 1,
            "thread": 1,
            "message": 1,
            "channel": "C1",
            "person": "U1",
            "claim": 1,
            "day": "2027-01-15",
            "started_at": 1_800_000_001.0,
            "model": "gpt-5.6-luna",
            "detail": "high",
            "reserve": 10_000_000,
            "price_source": "list",
            "outcome": "answered",
            "possibly_charged": False,
            "input": 700,
            "cached": 0,
            "cache_written": 0,
            "output": 50,
            "reasoning": 0,
            "cost": 4_000_000,
        },
    ),
    ("reservations", {"call": 1, "budget": 1}),
    ("buttons", {**BUTTON, "key": 1, "token": "again-token", "action": "again", "person": "U1"}),
    (
        "tombstones",
        {
            **PLACE,
            "key": 1,
            "channel": "C1",
            "root": "",
            "message": "dead",
            "attachment": "",
            "erased_at": 1_800_000_000.0,
        },
    ),
]


async def test_a_conversation_goes_on_with_its_pictures_and_answers(old: str, clock: Clock) -> None:
    async with open_store(old, clock=clock) as store:
        claim = await claimed(store)
        turns = await store.history(claim)
        (picture,) = await store.pictures(claim)

    assert (claim.message.id, claim.message.options, claim.allowed) == ("2", {}, False)
    assert [turn.text for turn in turns] == ["What is this?", "A cat.", "And that?"]
    assert picture.image is not None
    assert picture.forms == ((picture.image,),)
    assert picture.image.key == ImageKey("slack", "T1", DIGEST, "tile-768")


async def test_what_it_kept_is_read_and_erased_as_before(old: str, clock: Clock) -> None:
    async with open_store(old, clock=clock) as store:
        claim = await claimed(store)
        assert await store.load(ImageKey("slack", "T1", DIGEST, "tile-768")) == BYTES
        assert await store.recall(claim, 1, "tile-768")
        assert not await store.accept(message("dead", sent_at=1.0))
        assert await store.forget("slack", "T1", "U1")

        assert await rows(store, "pictures") == 0


async def test_its_money_and_its_buttons_still_count(old: str, clock: Clock) -> None:
    async with open_store(old, clock=clock) as store:
        offered = await store.offered("again-token")
        assert offered is not None
        assert (offered.place, offered.message, offered.person) == (THREAD, "1", "U1")
        assert await store.press("again-token", Person("U1")) == "again"
        assert (await store.thread_spent(THREAD)).cost == Decimal("0.004")
        assert [row.cost async for row in store.ledger()] == [Decimal("0.004")]

        claim = await claimed(store)
        assert (claim.message.id, claim.version, claim.posts) == ("1", 2, ("p1",))


async def test_its_threads_are_kept_as_long_as_now_is_said(old: str, clock: Clock) -> None:
    clock.now = 1_800_000_020.0 + 6 * 86_400
    async with open_store(old, clock=clock, retention_days=7) as store:
        assert await store.purge() == 0
        clock.move(2 * 86_400)

        assert await store.purge() == 1


async def test_it_is_changed_once(old: str) -> None:
    migrate(old)
    migrate(old)
