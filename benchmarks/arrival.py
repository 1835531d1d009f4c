"""A 12 MP photo, from its message's arrival to the whole body at the model's server, through the whole bot.

Desk, store, worker, download, preparing, request: all of it, on SQLite. The floor beside it is the download and
the least that any way must do with the photo, in the same run.
"""

import asyncio
import random
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters import terminal
from benchmarks.pictures import FAMILIES, PHOTO, floor
from benchmarks.request import Sink, arrival, sink
from bot.domain import Attachment, Check, Claim, Message, PostId, Reply, ThreadId
from bot.engine import assembled
from bot.ports import Desk
from bot.settings import Settings
from storage.store import open_store

ROUNDS = 25
BOUND = 1.3
PATIENCE_SECONDS = 30.0


def main() -> None:
    """Prints a row for each family."""
    print("\nA 12 MP photo, message → whole body at the model's server, against download and floor")
    with sink() as server:
        for family, model in FAMILIES.items():
            with TemporaryDirectory() as folder:
                asyncio.run(measure(Path(folder), server, family, model))


class Place:
    """Where messages come from: files on this machine, replies that are heard."""

    name = "bench"

    def __init__(self) -> None:
        self.replies: dict[str, asyncio.Future[Reply]] = {}

    async def listen(self, desk: Desk) -> None:
        """Nothing comes by itself."""

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """The download."""
        return await asyncio.to_thread(terminal.read, Path(attachment.url), 50_000_000)

    async def earlier(self, message: Message) -> list[Message]:
        return []

    def draft(self, claim: Claim) -> "Heard":
        return Heard(self.replies[claim.message.id])

    async def probe(self) -> list[Check]:
        return []

    async def administers(self, workspace: str, person: str) -> bool:
        return False


class Heard:
    """A reply that is waited for."""

    def __init__(self, reply: "asyncio.Future[Reply]") -> None:
        self.reply = reply

    async def show(self, text: str) -> tuple[PostId, ...]:
        return ("1",)

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        self.reply.set_result(reply)
        return ("1",)

    async def leave(self) -> None:
        pass

    async def withdraw(self) -> None:
        pass


async def measure(folder: Path, server: Sink, family: str, model: str) -> None:
    """The bot and the floor in turns, so that a busy moment of the machine meets both."""
    place = Place()
    settings = Settings().model_copy(
        update={
            "openai_base_url": server.url("now"),
            "model": model,
            "budget_person_day": None,
            "budget_workspace_month": None,
        }
    )
    async with (
        open_store(f"sqlite:///{folder}/bench.db") as store,
        assembled(settings, store, {place.name: place}) as engine,
    ):
        worker = engine.worker()
        working = asyncio.create_task(worker.run())
        desk = engine.desk(worker)
        bot, least = [], []
        for number in range(ROUNDS):
            file = copied(folder, number)
            bot.append(await asked(desk, place, file, number))
            least.append(await alone(file, model))
        worker.stop()
        await working
    ratio = statistics.median(bot) / statistics.median(least)
    missed = f"(≤ {BOUND})" if ratio <= BOUND else f"over {BOUND}"
    print(
        f"{family:8}bot {statistics.median(bot) * 1e3:6.1f} ms · download and floor "
        f"{statistics.median(least) * 1e3:6.1f} ms · {ratio:.2f} × {missed}"
    )


def copied(folder: Path, number: int) -> Path:
    """The photo with other bytes behind its end, so that it was never seen before."""
    path = folder / f"{number}.jpg"
    path.write_bytes(PHOTO.read_bytes() + random.Random(number).randbytes(16))
    return path


async def asked(desk: Desk, place: Place, file: Path, number: int) -> float:
    """Seconds from the message's arrival until the server had the whole body."""
    thread = ThreadId(place.name, "w", "c", f"t{number}")
    size = await asyncio.to_thread(lambda: file.stat().st_size)
    attachment = Attachment("1", file.name, "image/jpeg", size, str(file))
    message = Message(
        thread, f"m{number}", "ana", "What is this?", time.time(), (attachment,), addressed=True
    )
    place.replies[message.id] = asyncio.get_running_loop().create_future()
    start = time.monotonic()
    await desk.accept(message)
    reply = await asyncio.wait_for(place.replies[message.id], PATIENCE_SECONDS)
    return arrival(f'"content":"{reply.text}"'.encode()) - start


async def alone(file: Path, model: str) -> float:
    """Seconds of the download and of the floor, as the bot would do them: off the loop."""
    start = time.monotonic()
    data = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(floor, data, model)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
