"""The page's server with a desk that remembers, and a tab."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.web import WebAdapter
from bot import images
from bot.domain import (
    Card,
    Claim,
    Command,
    Message,
    Person,
    PostId,
    Proposal,
    Scope,
    ThreadId,
)
from bot.errors import ThreadsightError
from tests.adapters.contract import png
from tests.adapters.web.tab import WAIT_SECONDS, Tab

MAX_FILE_BYTES = 1_000_000


@dataclass(slots=True)
class Notebook:
    """A desk that writes down what it is handed."""

    messages: list[Message] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    presses: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """What the next acceptances and retractions raise."""
    card: Card = field(default_factory=lambda: Card("Estimate", "About **$0.01**."))
    refused: Card | None = None
    """What messages are refused with."""
    proposal: Proposal | None = None
    """What the button `ask` brings."""
    refusal: ThreadsightError | None = None
    """What commands raise."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, message: Message) -> Card | None:
        await self.note(lambda: self.messages.append(message))
        return self.refused

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        await self.note(lambda: self.scopes.append(scope))
        return (f"reply-{scope.message}",)

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        return []

    async def last_seen(self, platform: str) -> float | None:
        return None

    async def run(self, command: Command) -> Card:
        if self.refusal:
            raise self.refusal
        self.commands.append(command)
        return self.card

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        return None

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        self.presses.append((button, person.id))
        if button == "ask":
            return self.proposal
        return Card("Too late", "It is answered.") if button == "late" else None

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        return {}

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        pass

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self.changed:
            await self.changed.wait_for(condition)

    async def note(self, write: Callable[[], None]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        async with self.changed:
            write()
            self.changed.notify_all()


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is served."""

    adapter: WebAdapter
    desk: Notebook
    url: str
    moved: bool


@asynccontextmanager
async def served(folder: Path, desk: Notebook | None = None, port: int = 0) -> AsyncIterator[Page]:
    """The page on a free port, until the end of the block."""
    started: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
    desk = desk or Notebook()
    adapter = WebAdapter(
        folder=folder,
        port=port,
        max_file_bytes=MAX_FILE_BYTES,
        measure=images.measure,
        about="A fake answers.",
        started=lambda url, moved: started.set_result((url, moved)),
    )
    listening = asyncio.create_task(adapter.listen(desk))
    both: set[asyncio.Future[object]] = {listening, started}  # type: ignore[arg-type]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if listening.done():
        await listening
    try:
        yield Page(adapter, desk, *started.result())
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with served(tmp_path / "channel") as built:
        yield built


@pytest.fixture
async def tab(page: Page) -> AsyncIterator[Tab]:
    async with Tab(page.url) as opened:
        yield opened


def claim(message: Message, *, number: int = 1, stop: str = "") -> Claim:
    """The right to answer a message that the desk was handed."""
    return Claim(message, number, 1, 0, message.sent_at + 30, stop=stop)


async def asked(page: Page, tab: Tab, text: str = "@threadsight what is this?") -> Message:
    """Posts a question with a picture and returns what the desk got."""
    count = len(page.desk.messages)
    file = await tab.upload("a.png", png(1))
    await tab.post(text, [file["id"]])
    await page.desk.until(lambda: len(page.desk.messages) > count)
    return page.desk.messages[-1]
