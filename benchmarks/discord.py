"""Discord: how soon a message is stored while pictures decode, a sign is seen, the last word is out."""

import asyncio
import multiprocessing
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp

from adapters.discord import DiscordAdapter
from bot import tokens
from bot.command_line.serving import settle_down
from bot.domain import (
    Card,
    Claim,
    Command,
    Message,
    Person,
    PostId,
    Proposal,
    Reply,
    Scope,
    ThreadId,
)
from bot.images import Darkroom
from storage.store import SqlStore, open_store
from tests.adapters.contract import Upload, png
from tests.adapters.discord.stage import DiscordStage
from tests.servers.discord import DiscordServer
from tests.servers.openai import Says

PHOTO = Path(__file__).parent / "fixtures" / "phone_12mp_exif6_gps.jpg"
RATE = 100  # messages a second
SECONDS = 10
DECODERS = 2
QUESTIONS = 50  # at once in one channel
CROWD, PEOPLE = 200, 50  # questions and people, where Discord takes 50 requests a second
ANSWERS = 5


def main() -> None:
    """Prints one figure a line, with what was promised."""
    with tempfile.TemporaryDirectory() as folder:
        stored = asyncio.run(storing(Path(folder)))
        signs, lasts = asyncio.run(showing())
        for name in ("few", "crowd"):
            Path(folder, name).mkdir()
        seconds, once, _ = asyncio.run(at_once(Path(folder) / "few", QUESTIONS, 1, 0))
        crowd = asyncio.run(at_once(Path(folder) / "crowd", CROWD, PEOPLE, 50))
    print(f"{'discord':<64}{'measured':>12}{'promised':>12}")
    line(f"gateway event → stored, {RATE}/s, pictures decoding: median, ms", median(stored) * 1000)
    line("… p99, ms", quantile(stored, 0.99) * 1000, "50")
    line("question → first sign, ms", max(signs) * 1000, "1000")
    line("last word → final reply, ms", max(lasts) * 1000, "150")
    line(f"{QUESTIONS} questions at once in a channel → all answered, s", seconds)
    line("… answered exactly once", once, str(QUESTIONS))
    line(f"{CROWD} questions of {PEOPLE} people, 50 requests a second → all answered, s", crowd[0])
    line("… answered exactly once", crowd[1], str(CROWD))
    line("… requests that Discord refused", crowd[2], "0")


def line(name: str, value: float, promised: str = "") -> None:
    print(f"{name:<64}{value:>12.1f}{promised:>12}")


async def storing(folder: Path) -> list[float]:
    """Seconds from each message's own time to the moment when it is stored."""
    here, there = multiprocessing.Pipe()
    platform = multiprocessing.get_context("spawn").Process(target=speak, args=(there,))
    platform.start()
    url = await asyncio.to_thread(here.recv)
    async with (
        aiohttp.ClientSession() as session,
        open_store(f"sqlite:///{folder}/store.db") as store,
    ):
        desk = TimedDesk(store)
        adapter = bot(url, session)
        listening = asyncio.create_task(adapter.listen(desk))
        await asyncio.to_thread(here.recv)
        settle_down()
        async with decoding():
            here.send("go")
            await desk.until(RATE * SECONDS)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await adapter.close()
    here.send("stop")
    await asyncio.to_thread(platform.join)
    return desk.seconds


def speak(pipe: Connection) -> None:
    """A small Discord in a process of its own, where people post at a steady rate."""
    asyncio.run(speaking(pipe))


async def speaking(pipe: Connection) -> None:
    server = DiscordServer()
    await server.start()
    pipe.send(server.url)
    await server.gateway.ready.wait()
    pipe.send("ready")
    await asyncio.to_thread(pipe.recv)
    started = time.monotonic()
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
        await server.say(f"<@{server.bot}> what is this?", [("a.png", b"", "image/png")])
    await asyncio.to_thread(pipe.recv)
    await server.close()


class TimedDesk:
    """Stores messages and notes how long after they were posted."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.seconds: list[float] = []
        self.changed = asyncio.Event()

    async def accept(self, message: Message) -> Card | None:
        await self.store.accept(message)
        self.seconds.append(time.time() - message.sent_at)
        self.changed.set()
        return None

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        return await self.store.read_up_to(platform, workspace)

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        await self.store.note_read(platform, workspace, channel, message)

    async def until(self, count: int) -> None:
        while len(self.seconds) < count:
            self.changed.clear()
            await self.changed.wait()

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        return ()

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        return []

    async def last_seen(self, platform: str) -> float | None:
        return None

    async def run(self, command: Command) -> Card:
        return Card("", "")

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        return None

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        return None


@asynccontextmanager
async def decoding() -> AsyncIterator[None]:
    """Prepares a phone's photo over and over, as a busy bot does."""
    photo, rule, room = PHOTO.read_bytes(), tokens.rule("gpt-4o"), Darkroom()

    async def decode() -> None:
        while True:
            await room.prepare(photo, rule, "high")

    decoders = [asyncio.create_task(decode()) for _ in range(DECODERS)]
    try:
        yield
    finally:
        for task in decoders:
            task.cancel()
        await asyncio.gather(*decoders, return_exceptions=True)
        room.close()


async def showing() -> tuple[list[float], list[float]]:
    """Seconds to the first sign of some answers, and from their last word to the whole of them."""
    server = DiscordServer()
    await server.start()
    signs: list[float] = []
    lasts: list[float] = []
    async with aiohttp.ClientSession() as session:
        adapter = bot(server.url, session)
        for number in range(ANSWERS):
            said = await server.say(f"question {number}?")
            thread = ThreadId("discord", server.guild, server.channel, said["id"])
            question = Message(thread, said["id"], "ann", "question?", time.time())
            draft = adapter.draft(Claim(question, 1, 1, 0, 0.0))
            started = time.monotonic()
            await draft.show("")
            await server.until(lambda: len(server.typing) > len(signs))
            signs.append(server.typing[-1][1] - started)
            for count in range(1, 80):
                await draft.show("word " * count)
                await asyncio.sleep(0.05)
            started = time.monotonic()
            await draft.finish(Reply("The end.", footer=("1 in · 1 out",)))
            lasts.append(server.shown[-1][2] - started)
        await adapter.close()
    await server.close()
    return signs, lasts


async def at_once(
    folder: Path, questions: int, people: int, most_a_second: int
) -> tuple[float, int, int]:
    """Seconds until the whole bot has answered all questions posted at once, how many once, and what was refused."""
    stage = DiscordStage(folder, apart=False)
    await stage.begin()
    stage.server.most_a_second = most_a_second
    stage.model.scripts = deque(Says("Here.") for _ in range(questions * 2))
    started = time.monotonic()
    picture = [Upload("a.png", png(1))]
    asked = [
        await stage.post(f"{stage.mention} {n}?", picture, author=f"person{n % people}")
        for n in range(questions)
    ]
    for question in asked:
        await stage.until(lambda question=question: bool(stage.complete(question)), 120)  # type: ignore[misc]
    seconds = time.monotonic() - started
    once = sum(len(stage.visible(question)) == 1 for question in asked)
    await stage.close()
    return seconds, once, stage.server.refused


def bot(url: str, session: aiohttp.ClientSession) -> DiscordAdapter:
    return DiscordAdapter(
        token=DiscordServer.token,
        api_url=url,
        session=session,
        max_file_bytes=50_000_000,
        download_seconds=10.0,
    )


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()
