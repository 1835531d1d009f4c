"""The Slack of the tests, an adapter that talks to it, and a desk that remembers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from adapters.slack import SlackAdapter
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
from bot.errors import Outage, ThreadsightError
from tests.adapters.house import begun
from tests.adapters.slack.stage import SlackStage
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, CHANNEL, TEAM, SlackServer

REPLY = Reply(text="A red square.", footer=("1,203 in · 42 out · $0.0034", "thread $0.01"))


@dataclass(slots=True)
class Notebook:
    """A desk that writes down what it is handed."""

    messages: list[Message] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    presses: list[tuple[str, Person]] = field(default_factory=list)
    failures: list[ThreadsightError] = field(default_factory=list)
    """What the next acceptances raise."""
    posts: tuple[PostId, ...] = ()
    """What a retraction returns."""
    unerased: list[ThreadsightError] = field(default_factory=list)
    """What the next retractions raise."""
    answer: Card | Exception = field(default_factory=lambda: Card("Estimate", "About **$0.01**."))
    waits: asyncio.Event | None = None
    """Until this is set, nothing is stored."""
    waiting: int = 0
    """So many wait for that."""
    away: bool = False
    """Whether the database does not answer."""
    refusal: Card | None = None
    """What the authors of messages are told."""
    unwelcome: Card | None = None
    """What whoever wants a question to be posted for them is told."""
    pressed: Card | Proposal | Exception | None = field(
        default_factory=lambda: Card("Done", "It is done.")
    )
    """What a button does."""

    async def accept(self, message: Message) -> Card | None:
        if self.waits is not None:
            self.waiting += 1
            await self.waits.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        return self.refusal

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        return {}

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        pass

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        if self.unerased:
            raise self.unerased.pop(0)
        self.scopes.append(scope)
        return self.posts

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        return []

    async def last_seen(self, platform: str) -> float | None:
        if self.away:
            raise Outage("The database is away.")
        return None

    async def run(self, command: Command) -> Card:
        self.commands.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        return self.unwelcome

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        self.presses.append((button, person))
        if isinstance(self.pressed, Exception):
            raise self.pressed
        return self.pressed


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    server = await SlackServer().start()
    yield server
    await server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def make_adapter(slack: SlackServer, session: aiohttp.ClientSession) -> Callable[..., SlackAdapter]:
    def make(**changes: object) -> SlackAdapter:
        given: dict[str, object] = {
            "bot_token": BOT_TOKEN,
            "app_token": APP_TOKEN,
            "api_url": slack.url,
            "session": session,
            "max_file_bytes": 1_000_000,
            "download_seconds": 5.0,
        }
        return SlackAdapter(**(given | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def adapter(make_adapter: Callable[..., SlackAdapter]) -> SlackAdapter:
    return make_adapter()


@pytest.fixture
def desk() -> Notebook:
    return Notebook()


@pytest.fixture
async def listening(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> AsyncIterator[Notebook]:
    """The desk of an adapter that is connected."""
    task = asyncio.create_task(adapter.listen(desk))
    await slack.until(lambda: slack.sockets)
    yield desk
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[SlackStage]:
    """The whole bot, in the test's own process."""
    async with begun(SlackStage(tmp_path, apart=False)) as stage:
        yield stage


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[SlackStage]:
    """The whole bot, in a process that can be killed."""
    async with begun(SlackStage(tmp_path, apart=True)) as stage:
        yield stage


@pytest.fixture(autouse=True)
def no_secrets_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does, no token and no text of a person reaches a log, the SDK's included."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "xoxb-" not in logged
    assert "xapp-" not in logged
    assert "canary" not in logged


def claim(
    question: str,
    *,
    root: str | None = None,
    number: int = 1,
    posts: tuple[str, ...] = (),
    author: str = "U0ANN",
    channel: str = CHANNEL,
    stop: str = "",
) -> Claim:
    """The right to answer a message that stands on the server."""
    thread = ThreadId("slack", TEAM, channel, root or question)
    message = Message(thread, question, author, "what is this?", float(question), addressed=True)
    return Claim(message, number, 1, 0, float(question) + 30, posts=posts, stop=stop)
