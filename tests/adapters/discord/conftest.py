"""A small Discord, the adapter in front of it, and a desk that notes what it is handed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from discord.gateway import KeepAliveHandler

from adapters.discord import DiscordAdapter, events
from adapters.discord.places import Place
from bot.domain import Card, Claim, Command, Message, Person, PostId, Proposal, Scope, ThreadId
from bot.errors import Outage
from tests.adapters.discord.stage import DiscordStage
from tests.adapters.house import begun
from tests.servers.discord import DiscordServer

MAX_FILE_BYTES = 1_000_000


class FakeDesk:
    """Takes in everything and forgets nothing."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.scopes: list[Scope] = []
        self.commands: list[Command] = []
        self.answers: dict[str, tuple[PostId, ...]] = {}
        """Message id → the posts that answered it."""
        self.card = Card("Estimate", "About $0.0034.")
        self.pressed: list[tuple[str, Person]] = []
        self.refusal: Card | None = None
        """What the authors of messages are told."""
        self.denied: dict[str, Card] = {}
        """By person, why they may not ask at all."""
        self.proposal: Proposal | None = None
        """What a button turns out to stand for."""
        self.marks: dict[tuple[str, str], str] = {}
        """Workspace and channel → the newest message that was read there."""
        self.hold = asyncio.Event()
        self.hold.set()
        self.away = 0
        """So many next calls find the database away."""
        self.seen: float | None = None
        self.known: list[ThreadId] = []
        self._changed = asyncio.Event()

    async def accept(self, message: Message) -> Card | None:
        self._stumble()
        self.messages.append(message)
        self._changed.set()
        return self.refusal

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        self._stumble()
        self.scopes.append(scope)
        self._changed.set()
        return self.answers.pop(scope.message or "", ())

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        return [thread for thread in self.known if thread.workspace == workspace]

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        self._stumble()
        return {channel: mark for (at, channel), mark in self.marks.items() if at == workspace}

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        self._stumble()
        self.marks[workspace, channel] = message
        self._changed.set()

    async def last_seen(self, platform: str) -> float | None:
        self._stumble()
        return self.seen

    async def run(self, command: Command) -> Card:
        self.commands.append(command)
        await self.hold.wait()
        return self.card

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        return self.denied.get(person.id)

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        self.pressed.append((button, person))
        return Card("Too late", "It is answered.") if button == "late" else self.proposal

    async def until(self, count: int) -> list[Message]:
        """Waits until so many messages were handed in."""
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.messages

    async def until_retracted(self, count: int) -> list[Scope]:
        """Waits until so many deletions were handed in."""
        async with asyncio.timeout(10):
            while len(self.scopes) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.scopes

    def _stumble(self) -> None:
        if self.away:
            self.away -= 1
            raise Outage("The database is away.")


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    """A small Discord with one server and one channel."""
    server = DiscordServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def adapter(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> AsyncIterator[DiscordAdapter]:
    """The bot's side, not listening yet."""
    async with made(discord, session) as built:
        yield built


@pytest.fixture
async def bot(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> AsyncIterator[DiscordAdapter]:
    """The bot's side, listening."""
    async with listening(discord, adapter, desk):
        yield adapter


@asynccontextmanager
async def made(
    discord: DiscordServer,
    session: aiohttp.ClientSession,
    *,
    token: str = DiscordServer.token,
    edit_seconds: float = 1.25,
    answer_seconds: float = 870.0,
    ack_seconds: float = 15.0,
    preview_seconds: float = 2.0,
) -> AsyncIterator[DiscordAdapter]:
    adapter = DiscordAdapter(
        token=token,
        api_url=discord.url,
        session=session,
        max_file_bytes=MAX_FILE_BYTES,
        download_seconds=1.0,
        edit_seconds=edit_seconds,
        answer_seconds=answer_seconds,
        identify_seconds=0.1,
        pause_seconds=0.02,
        ack_seconds=ack_seconds,
        preview_seconds=preview_seconds,
    )
    yield adapter
    await adapter.close()


@asynccontextmanager
async def listening(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> AsyncIterator[None]:
    task = asyncio.create_task(adapter.listen(desk))
    ready = asyncio.create_task(discord.gateway.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    ready.cancel()
    if task.done():
        await task
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def asked(
    discord: DiscordServer,
    text: str = "what is this?",
    *,
    channel: str = DiscordServer.channel,
) -> Message:
    """A question as the adapter hands it in."""
    said = await discord.say(text, channel=channel)
    told = discord.channels[channel]
    place = Place(channel, told.get("guild_id", ""), told["type"], told.get("parent_id", ""))
    message = events.message(discord.told(said), place, DiscordServer.bot)
    assert message is not None
    return message


def claimed(message: Message, *, posts: tuple[PostId, ...] = (), version: int = 1) -> Claim:
    """The right to answer a message."""
    return Claim(message, number=1, version=version, failures=0, until=0.0, posts=posts)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    """The whole bot, in the test's own process."""
    async with begun(DiscordStage(tmp_path, apart=False)) as stage:
        yield stage


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    """The whole bot, in a process that can be killed."""
    async with begun(DiscordStage(tmp_path, apart=True)) as stage:
        yield stage


@pytest.fixture(autouse=True)
def nobody_beats_on() -> Iterator[None]:
    """No test leaves one of discord.py's threads behind, to speak up in the middle of another test."""
    yield
    assert not [each for each in threading.enumerate() if isinstance(each, KeepAliveHandler)]
