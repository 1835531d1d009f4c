"""Several processes on one database, and what remains of one that dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Scope
from bot.errors import SetupError
from storage.store import SqlStore, open_store
from tests.storage.conftest import Server
from tests.storage.nouns import PLATFORMS, THREAD, claimed, message

ROOT = Path(__file__).parents[2]

CLAIM_AND_WAIT = """
import asyncio, sys
from storage.store import open_store
from tests.storage.nouns import call, claimed, person_day, reply

async def main():
    async with open_store(sys.argv[1], exclusive=True) as store:
        claim = await claimed(store)
        await store.attempt(claim, call("0.01", person_day()))
        print("claimed", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""

CLAIM_ALL = """
import asyncio, sys
from storage.store import open_store
from tests.storage.nouns import PLATFORMS

async def main():
    async with open_store(sys.argv[1]) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        empty = 0
        while empty < 3:
            claim = await store.claim(PLATFORMS)
            empty = empty + 1 if claim is None else 0
            if claim is not None:
                print(claim.message.thread.root, claim.message.id, flush=True)
                await store.settle(claim)

asyncio.run(main())
"""


@contextmanager
def process(code: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process on the database; it has said its first line."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline()
        yield started
        started.kill()


async def test_a_second_bot_on_one_file_is_refused_and_commands_are_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with open_store(url) as store:
        await store.accept(message())

    with process(CLAIM_AND_WAIT, url):
        with pytest.raises(SetupError, match="Another bot already answers"):
            async with open_store(url, exclusive=True):
                pass
        async with open_store(url) as beside:
            assert await beside.accept(message("2"))
            assert await beside.claim(PLATFORMS) is None


async def test_a_bot_that_was_killed_is_continued_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with open_store(url) as store:
        await store.accept(message())
    with process(CLAIM_AND_WAIT, url) as bot:
        os.kill(bot.pid, signal.SIGKILL)
        bot.wait(10)

    async with open_store(url, exclusive=True) as store:
        claim = await claimed(store)

        assert claim.number > 1
        assert (claim.failures, claim.message.id) == (1, "1")
        assert (await store.thread_spent(THREAD)).possibly_charged == 1


async def test_one_process_after_the_other_may_claim(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    for _ in range(2):
        async with open_store(url, exclusive=True) as store:
            await store.retract(Scope("slack", "T1"))


async def test_a_live_claim_beside_the_starting_bot_stays_alive(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with open_store(url) as beside:
        await beside.accept(message())
        claim = await claimed(beside)
        async with open_store(url, exclusive=True):
            assert await beside.renew([claim]) == {}
            await beside.settle(claim)


async def test_processes_share_the_work_once_and_in_order(url: str) -> None:
    async with open_store(url) as store:
        for root in "abc":
            for n in range(1, 5):
                await store.accept(
                    message(f"{root}{n}", thread=replace(THREAD, root=root), sent_at=float(n))
                )

        with process(CLAIM_ALL, url) as one, process(CLAIM_ALL, url) as other:
            lines = started(one, other)
            lines += await the_rest(store)

    assert sorted(lines) == sorted(f"{root} {root}{n}" for root in "abc" for n in range(1, 5))


def started(*processes: subprocess.Popen[str]) -> list[str]:
    """Lets them go at once and returns what all of them answered."""
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    outputs = [each.stdout.read().split("\n") for each in processes if each.stdout]
    return [line for output in outputs for line in output if line]


async def the_rest(store: SqlStore) -> list[str]:
    """What they left, since each stops when it finds nothing thrice."""
    lines = []
    while claim := await store.claim(PLATFORMS):
        lines.append(f"{claim.message.thread.root} {claim.message.id}")
        await store.settle(claim)
    return lines


async def test_postgres_takes_as_many_bots_as_come(postgres: Server) -> None:
    url = postgres.create()
    async with open_store(url, exclusive=True), open_store(url, exclusive=True) as second:
        assert await second.accept(message())
