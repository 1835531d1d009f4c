"""What people delete is gone, and what comes late for it stays out."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Claim, ImageKey, Scope
from bot.errors import PictureUnseen
from storage.store import SqlStore, open_store
from tests.clock import Clock
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    answer,
    answered,
    asked,
    call,
    claimed,
    image,
    message,
    reply,
)

WORKSPACE = Scope("slack", "T1")
CHANNEL = replace(WORKSPACE, channel="C1")
WHOLE_THREAD = replace(CHANNEL, root="root")
MESSAGE = replace(CHANNEL, message="1")
DAY = 86_400.0


async def kept(store: SqlStore, claim: Claim, data: bytes) -> ImageKey:
    """The picture of the claimed message, stored."""
    picture = (await store.pictures(claim))[-1]
    await store.keep(claim, picture.number, image(data))
    thread = claim.message.thread
    return ImageKey(thread.platform, thread.workspace, image(data).digest, "tile-768")


@pytest.mark.parametrize("scope", [WORKSPACE, CHANNEL, WHOLE_THREAD, MESSAGE])
async def test_what_is_deleted_is_gone_and_its_posts_are_told(
    store: SqlStore, clock: Clock, scope: Scope
) -> None:
    claim = await asked(store, message(files=("F1",)))
    key = await kept(store, claim, b"bytes")
    await store.record(claim, reply())
    await store.posted(claim, ["p1", "p2"])
    await store.settle(claim)

    assert await store.retract(scope) == ("p1", "p2")

    with pytest.raises(PictureUnseen):
        await store.load(key)
    assert await store.participation(THREAD, "U1") == "stranger"
    assert await store.retract(scope) == ()


@pytest.mark.parametrize("scope", [WORKSPACE, CHANNEL, WHOLE_THREAD, MESSAGE])
async def test_late_events_for_what_was_deleted_stay_out(
    store: SqlStore, clock: Clock, scope: Scope
) -> None:
    await store.retract(scope)

    for late in (message(), message(edited_at=clock.now + 5), replace(message(), addressed=False)):
        assert not await store.accept(late)
    assert await store.participation(THREAD, "U1") == "stranger"


async def test_a_deleted_message_stays_out_under_another_root(store: SqlStore) -> None:
    await store.retract(MESSAGE)

    assert not await store.accept(message(thread=replace(THREAD, root="else")))
    assert await store.accept(message(thread=replace(THREAD, channel="C2")))


@pytest.mark.parametrize("scope", [WORKSPACE, CHANNEL, WHOLE_THREAD])
async def test_life_goes_on_after_a_place_was_erased(
    store: SqlStore, clock: Clock, scope: Scope
) -> None:
    await answered(store)
    await store.retract(scope)

    claim = await asked(store, message("2", sent_at=clock.now + 1))

    assert [turn.message for turn in await store.history(claim)] == ["2"]


@pytest.mark.parametrize("scope", [WORKSPACE, CHANNEL, WHOLE_THREAD, MESSAGE])
async def test_other_places_are_not_touched(store: SqlStore, scope: Scope) -> None:
    await answered(store, message("1"))
    others = [replace(THREAD, workspace="T2"), replace(THREAD, platform="discord")]
    if scope != WORKSPACE:
        others.append(replace(THREAD, channel="C2"))
    if scope in (WHOLE_THREAD, MESSAGE):
        others.append(replace(THREAD, root="else"))
    for n, other in enumerate(others, start=2):
        await store.accept(message(str(n), thread=other))

    await store.retract(scope)

    for other in others:
        assert await store.participation(other, "U1") == "asker"


async def test_a_deletion_ends_the_claim_and_the_thread_moves_on(store: SqlStore) -> None:
    claim = await asked(store, message("1"))
    await store.posted(claim, ["draft"])
    await store.accept(message("2"))

    assert await store.retract(MESSAGE) == ("draft",)

    assert await store.renew([claim]) == {THREAD: "deleted"}
    assert (await claimed(store)).message.id == "2"


async def test_a_deleted_question_takes_its_answer_out_of_the_conversation(
    store: SqlStore,
) -> None:
    await answered(store, message("1", "one"), "first answer")
    await answered(store, message("2", "two"), "second answer")
    await store.retract(MESSAGE)

    turns = await store.history(await asked(store, message("3", "three")))

    assert [turn.text for turn in turns] == ["two", "second answer", "three"]


async def test_shared_bytes_go_with_their_last_reference(store: SqlStore) -> None:
    first = await asked(store, message("1", files=("F1",)))
    key = await kept(store, first, b"same")
    await store.settle(first)
    second = await asked(store, message("2", files=("F2",)))
    await kept(store, second, b"same")

    await store.retract(MESSAGE)
    assert await store.load(key) == b"same"

    await store.retract(replace(CHANNEL, message="2"))
    with pytest.raises(PictureUnseen):
        await store.load(key)


async def test_a_deleted_file_goes_alone_wherever_it_was_posted(store: SqlStore) -> None:
    claim = await asked(store, message("1", files=("F1", "F2")))
    key = await kept(store, claim, b"F2")
    await store.record(claim, reply())
    await store.settle(claim)

    assert await store.retract(Scope("slack", "T1", attachment="F2")) == ()

    with pytest.raises(PictureUnseen):
        await store.load(key)
    again = await asked(store, message("2", files=("F2", "F3")))
    assert [each.attachment.id for each in await store.pictures(again)] == ["F1", "F3"]
    assert len(await store.history(again)) == 3


async def test_a_question_that_loses_its_file_in_mid_answer_is_answered_anew(
    store: SqlStore, clock: Clock
) -> None:
    claim = await asked(store, message(files=("F1",)))
    await store.retract(Scope("slack", "T1", "C1", message="1", attachment="F1"))

    assert await store.renew([claim]) == {THREAD: "edited"}
    clock.move(3.0)
    again = await claimed(store)
    assert (again.message.attachments, again.version) == ((), 2)


async def test_an_edit_that_takes_a_picture_away_takes_its_bytes(store: SqlStore) -> None:
    claim = await asked(store, message(files=("F1",)))
    key = await kept(store, claim, b"bytes")

    await store.accept(replace(message(files=()), edited_at=5.0))

    with pytest.raises(PictureUnseen):
        await store.load(key)


async def test_retention_erases_idle_threads_and_keeps_the_ledger(
    store: SqlStore, clock: Clock
) -> None:
    claim = await asked(store, message("1", files=("F1",)))
    key = await kept(store, claim, b"bytes")
    number = await store.attempt(claim, call("0.01"))
    await store.record(claim, reply(), call=number, answer=answer("0.004"))
    await store.settle(claim)
    clock.move(29 * DAY)
    await store.accept(message("2", thread=replace(THREAD, root="young")))
    assert await store.purge() == 0

    clock.move(DAY)

    assert await store.purge() == 1
    with pytest.raises(PictureUnseen):
        await store.load(key)
    assert (await claimed(store)).message.id == "2"
    assert [row.spent.calls for row in await store.usage()] == [1]


async def test_retention_starts_anew_with_each_message_and_spares_who_is_at_work(
    store: SqlStore, clock: Clock
) -> None:
    await answered(store, message("1"))
    clock.move(29 * DAY)
    await store.accept(message("2"))
    clock.move(29 * DAY)
    assert await store.purge() == 0

    claim = await claimed(store)
    clock.move(DAY)
    assert await store.renew([claim]) == {}
    assert await store.purge() == 0
    clock.move(31)
    assert await store.purge() == 1


async def test_many_threads_go_at_once(store: SqlStore, clock: Clock) -> None:
    for n in range(30):
        await store.accept(message(str(n), thread=replace(THREAD, root=str(n)), files=(f"F{n}",)))

    await store.retract(CHANNEL)

    assert await store.claim(PLATFORMS) is None


def traces(folder: Path, *needles: bytes) -> Iterator[tuple[str, bytes]]:
    """Where in the database's files the needles still lie."""
    for path in folder.iterdir():
        content = path.read_bytes()
        yield from ((path.name, each) for each in needles if each in content)


async def test_somebody_who_reads_delays_the_scrubbing_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.accept(message("1", "SECRET-QUESTION"))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()

        started = time.monotonic()
        await store.retract(MESSAGE)
        assert time.monotonic() - started < 2
        assert list(traces(tmp_path, b"SECRET-QUESTION"))

        reader.close()
        await store.accept(message("2"))
        assert list(traces(tmp_path, b"SECRET-QUESTION")) == []


@pytest.mark.parametrize("way", ["retract", "purge", "file"])
async def test_no_deleted_byte_is_left_in_the_files(tmp_path: Path, clock: Clock, way: str) -> None:
    picture = b"PICTURE-BYTES-" * 5_000
    secret = message("1", "SECRET-QUESTION " * 300, files=("SECRET-FILE",))
    async with open_store(f"sqlite:///{tmp_path}/store.db", clock=clock) as store:
        claim = await asked(store, secret)
        await kept(store, claim, picture)
        await store.record(claim, reply("SECRET-ANSWER"))
        await store.settle(claim)
        assert {each for _, each in traces(tmp_path, picture[:140], b"SECRET-ANSWER")}

        if way == "retract":
            await store.retract(MESSAGE)
        elif way == "purge":
            clock.move(31 * DAY)
            await store.purge()
        else:
            await store.retract(Scope("slack", "T1", attachment="SECRET-FILE"))

        gone = [b"PICTURE-BYTES-", b"SECRET-FILE.png"]
        if way != "file":
            gone += [b"SECRET-QUESTION", b"SECRET-ANSWER"]
        assert list(traces(tmp_path, *gone)) == []
