"""Everything at once: whatever meets whatever, the books add up and nothing is done twice."""

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bot.domain import Action, Claim, Message, Person, Scope, ThreadId
from bot.errors import Superseded
from storage.database import Transaction, open_database
from storage.store import SqlStore, open_store
from tests.storage.conftest import Server
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    answer,
    asked,
    call,
    claimed,
    edited,
    image,
    message,
    offer,
    person_day,
    reply,
    workspace_month,
)
from tests.storage.test_processes import process

BUDGETS = (person_day("1000"), workspace_month("1000"))
LATER = 4e9  # sent after any clock of these tests, so that an erased place does not stay empty


async def test_the_books_add_up_whatever_meets_whatever(url: str) -> None:
    async with open_store(url):
        await asyncio.gather(*(somebody(url, seed) for seed in range(4)))

    async with open_database(url) as database:
        sums = await database.read(books)
    assert sums["reserved"] == sums["open"]
    assert sums["settled"] == sums["closed"]
    assert sums["orphans"] == 0
    assert sums["cost"] > 0


async def somebody(url: str, seed: int) -> None:
    """A process that takes in, answers, erases and dies at random."""
    chance = random.Random(seed)
    claims: list[Claim] = []
    async with open_store(url) as store:
        for _ in range(60):
            with suppress(Superseded):
                await anything(store, chance, claims)


async def anything(store: SqlStore, chance: random.Random, claims: list[Claim]) -> None:
    """One of all that can happen, in a few places so that they meet."""
    each = post(chance)
    match chance.choice([*["accept", "claim", "work"] * 4, "edit", "erase", "press", "rest"]):
        case "accept":
            await store.accept(each)
        case "edit":
            await store.accept(edited(each, str(chance.random()), chance.random()), quiet=0.0)
        case "claim":
            await store.renew(claims)
            if claim := await store.claim(PLATFORMS):
                claims.append(claim)
        case "work" if claims:
            await work(store, chance, claims.pop())
        case "press" if claims:
            action = chance.choice(ACTIONS)
            token = await offer(store, chance.choice(claims), action, "low 1")
            await store.press(token, Person("U1", administrator=True))
        case "rest":
            await rest(store, chance, each)
        case _:
            await store.retract(scope(chance, each))


ACTIONS: tuple[Action, ...] = ("again", "closer", "mark", "up", "allow", "stop")


async def rest(store: SqlStore, chance: random.Random, each: Message) -> None:
    """What people do beside asking."""
    match chance.randrange(5):
        case 0:
            await store.forget("slack", "T1", "U1", thread=each.thread)
        case 1:
            await store.accept(replace(each, thread=replace(each.thread, channel="D", root="")))
        case 2:
            await store.end_conversation(replace(each.thread, channel="D", root=""))
        case 3:
            await store.choose(each.thread, "thread", "retention", "0.000001")
            await store.purge()
        case _:
            await store.mark(each.thread, [1, 2], "low")
            await store.conversation(each.thread)


async def work(store: SqlStore, chance: random.Random, claim: Claim) -> None:
    """An answer, which may fail, be lost, or stay open as if its process had died."""
    for picture in await store.pictures(claim):
        forms = [image(bytes([chance.randrange(3)]), form) for form in ("tile", "low", "low")]
        await store.keep(claim, picture.number, forms[0])
        await store.keep(claim, picture.number, forms[1], forms[2:])
        await store.recall(claim, picture.number, "tile", source=chance.choice(["", "file"]))
    number = await store.attempt(claim, call("0.001", *BUDGETS))
    if chance.random() < 0.3:
        return
    if chance.random() < 0.3:
        await store.close(claim, number, charged=chance.random() < 0.5)
    await store.record(claim, reply(), call=number, answer=answer("0.0005"))
    await store.settle(claim)


def post(chance: random.Random) -> Message:
    """One of some hundred posts."""
    thread = ThreadId("slack", "T1", f"C{chance.randrange(2)}", f"r{chance.randrange(3)}")
    n = chance.randrange(20)
    files = tuple({f"F{chance.randrange(4)}" for _ in range(chance.randrange(3))})
    return message(f"{thread.root}-{n}", thread=thread, files=files, sent_at=LATER + n)


def scope(chance: random.Random, each: Message) -> Scope:
    """Something to erase, mostly small."""
    here = Scope("slack", "T1", each.thread.channel)
    small = [replace(here, message=each.id), Scope("slack", "T1", attachment="F0")]
    large = [replace(here, root=each.thread.root), here, Scope("slack", "T1")]
    return chance.choice(small * 5 + large)


def books(transaction: Transaction) -> dict[str, int]:
    """What has to add up, in nano-dollars; an erased workspace takes its budgets with it."""
    statement = """
        SELECT (SELECT coalesce(sum(reserved), 0) FROM budgets) AS reserved,
               (SELECT coalesce(sum(settled), 0) FROM budgets) AS settled,
               (SELECT coalesce(sum(reserve), 0) FROM reservations
                   JOIN calls ON calls.key = reservations.call WHERE outcome IS NULL) AS open,
               (SELECT coalesce(sum(cost), 0) FROM reservations
                   JOIN calls ON calls.key = reservations.call) AS closed,
               (SELECT coalesce(sum(cost), 0) FROM calls) AS cost,
               (SELECT count(*) FROM pictures WHERE key NOT IN
                   (SELECT picture FROM forms)) AS orphans
    """
    row = transaction.connection.exec_driver_sql(statement).one()
    return {name: int(value) for name, value in row._mapping.items()}


async def test_a_thread_that_somebody_writes_in_holds_nobody_up(postgres: Server) -> None:
    url = postgres.create()
    async with open_store(url) as store:
        for root in ("busy", "free"):
            await store.accept(message(root, thread=replace(THREAD, root=root), sent_at=1.0))

        with psycopg.connect(url) as writer:
            writer.execute("SELECT 1 FROM threads WHERE root = 'busy' FOR UPDATE")
            assert (await claimed(store)).message.id == "free"

        assert (await claimed(store)).message.id == "busy"


@pytest.mark.parametrize(
    ("change", "claim_holds"),
    [
        ("UPDATE threads SET touched = touched + 1", True),
        ("UPDATE messages SET version = version + 1", False),
        ("UPDATE threads SET claim = claim + 1", False),
        ("UPDATE threads SET claimed = NULL", False),
        ("DELETE FROM messages", False),
    ],
)
async def test_whoever_had_to_wait_for_a_thread_sees_it_as_it_was_left(
    postgres: Server, change: str, claim_holds: bool
) -> None:
    url = postgres.create()
    async with open_store(url) as store, asyncio.timeout(30):
        claim = await asked(store, message(files=("F1",)))
        await store.pictures(claim)
        with psycopg.connect(url) as writer:
            writer.execute("SELECT 1 FROM threads FOR UPDATE")
            writer.execute(change)
            late = asyncio.create_task(store.note(claim, 1, "not seen: gone"))
            while not await somebody_waits(postgres):
                pass

        lost = isinstance((await asyncio.gather(late, return_exceptions=True))[0], Superseded)

    assert lost is not claim_holds


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        ("UPDATE threads SET touched = touched + 1", None),
        ("UPDATE threads SET claim = claim + 1", "taken"),
        ("UPDATE messages SET version = version + 1", "edited"),
        ("UPDATE messages SET stopped = true", "stopped"),
        ("UPDATE threads SET claimed = NULL; DELETE FROM messages", "deleted"),
    ],
)
async def test_whoever_waited_to_prolong_a_claim_hears_what_became_of_it(
    postgres: Server, change: str, loss: str | None
) -> None:
    url = postgres.create()
    async with open_store(url) as store, asyncio.timeout(30):
        claim = await asked(store)
        with psycopg.connect(url) as writer:
            writer.execute("SELECT 1 FROM threads FOR UPDATE")
            writer.execute(change)
            renewing = asyncio.create_task(store.renew([claim]))
            while not await somebody_waits(postgres):
                pass

        assert (await renewing).get(THREAD) == loss


async def somebody_waits(postgres: Server) -> bool:
    """Whether a transaction stands before a lock of another."""

    def waiting() -> int:
        with psycopg.connect(postgres.url("postgres")) as connection:
            found = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return int(found.fetchall()[0][0])

    return await asyncio.to_thread(waiting) > 0


async def test_transactions_that_collide_are_tried_again(postgres: Server) -> None:
    tries = Counter[str]()

    def collide(transaction: Transaction) -> str:
        tries["all"] += 1
        if tries["all"] < 3:
            transaction.connection.exec_driver_sql(
                "DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '40P01'; END $$"
            )
        return "done"

    async with open_database(postgres.create()) as database:
        assert await database.write(collide) == "done"


ANSWER_ALL = """
import asyncio, sys
from storage.store import open_store
from tests.storage.nouns import PLATFORMS, answer, call, person_day, reply

async def main():
    async with open_store(sys.argv[1], exclusive=True) as store:
        print("ready", flush=True)
        while claim := await store.claim(PLATFORMS):
            print("claimed", claim.message.id, flush=True)
            if claim.reply is None:
                number = await store.attempt(claim, call("0.01", person_day("1000")))
                await store.record(claim, reply(), call=number, answer=answer("0.004"))
                print("recorded", claim.message.id, flush=True)
            await store.posted(claim, ["post"])
            await store.settle(claim)
            print("settled", claim.message.id, flush=True)

asyncio.run(main())
"""


async def test_a_bot_that_is_killed_again_and_again_answers_everything_once(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    names = [str(n) for n in range(1, 31)]
    async with open_store(url) as store:
        for name in names:
            await store.accept(message(name))

    lines: list[str] = []
    for lived in (5, 9, 14, 1_000):
        with process(ANSWER_ALL, url) as bot:
            assert bot.stdout is not None
            for line in bot.stdout:
                lines.append(line.strip())
                if len(lines) % lived == 0:
                    os.kill(bot.pid, signal.SIGKILL)
                    break

    told = Counter(lines)
    assert [name for name in names if told[f"recorded {name}"] > 1] == []
    order = dict.fromkeys(line.split()[1] for line in lines if line.startswith("settled"))
    assert list(order) == sorted(order, key=int)
    async with open_store(url, exclusive=True) as store:
        assert await store.claim(PLATFORMS) is None
        spent = await store.thread_spent(THREAD)
    # A call that was open when the bot died is in the books, too.
    assert len(names) <= spent.calls <= len(names) + 3
    assert spent.possibly_charged == spent.calls - len(names)
