"""Small classes that obey the doors, for tests of what stands behind them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.domain import (
    Answer,
    Ask,
    Attachment,
    Check,
    Claim,
    Finish,
    Message,
    Picture,
    PostId,
    Reply,
    ThreadId,
    Turn,
    Usage,
)
from bot.errors import PictureUnseen, ThreadsightError
from bot.ports import Desk

THREAD = ThreadId("fake", "w1", "c1", "t1")


class FakeModel:
    """Answers with what was enqueued and remembers what it was asked."""

    def __init__(self) -> None:
        self.queue: list[Answer | ThreadsightError | Hang] = []
        self.asked: list[tuple[tuple[Turn, ...], Ask]] = []

    def enqueue(
        self,
        text: str = "A cat.",
        *,
        usage: Usage | None = None,
        cost: Decimal | None = Decimal("0.0034"),
        finish: Finish = "stop",
        estimated: bool = False,
        unseen_links: tuple[int, ...] = (),
    ) -> None:
        usage = usage or Usage(input=1203, output=42)
        answer = Answer(text, "gpt-4o", usage, cost, finish, estimated=estimated)
        self.queue.append(replace(answer, unseen_links=unseen_links))

    def fail(self, error: ThreadsightError) -> None:
        self.queue.append(error)

    def hang(self) -> "Hang":
        hang = Hang()
        self.queue.append(hang)
        return hang

    async def answer(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[str | Answer, None]:
        self.asked.append((tuple(turns), ask))
        reaction = self.queue.pop(0)
        if isinstance(reaction, ThreadsightError):
            raise reaction
        if isinstance(reaction, Hang):
            yield "I am"
            reaction.reached.set()
            await asyncio.Event().wait()
            return
        for word in reaction.text.split(" "):
            yield f"{word} "
        yield reaction

    def pictures_sent(self, call: int = -1) -> list[int]:
        """Numbers of the pictures that the model was shown."""
        return [p.number for p in shown(self.asked[call][0])]


@dataclass
class Hang:
    """A model that begins to answer and never ends."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)


def shown(turns: Sequence[Turn]) -> list[Picture]:
    return [picture for turn in turns for picture in turn.pictures if picture.visible]


class FakeAdapter:
    """A place with files and visible replies."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.files: dict[str, bytes | Exception] = {}
        self.fetching = asyncio.Event()
        self.fetched: list[str] = []
        self.before: list[Message] = []
        self.drafts: dict[str, FakeDraft] = {}
        self.refuse: list[Exception] = []
        """What the next `finish` calls raise."""
        self.administrators: set[str] = set()

    async def listen(self, desk: Desk) -> None:
        await asyncio.Event().wait()

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        self.fetched.append(attachment.id)
        self.fetching.set()
        found = self.files.get(attachment.id, PictureUnseen("the file is gone; post it again"))
        if isinstance(found, Exception):
            raise found
        return found

    async def earlier(self, message: Message) -> list[Message]:
        return self.before

    def draft(self, claim: Claim) -> "FakeDraft":
        draft = self.under(claim.message.id)
        draft.claim = claim
        return draft

    async def administers(self, workspace: str, person: str) -> bool:
        return person in self.administrators

    async def probe(self) -> list[Check]:
        return [Check(self.name, True, "here")]

    def under(self, message: str) -> "FakeDraft":
        """The reply under a message, there or still to come."""
        return self.drafts.setdefault(message, FakeDraft(self, message))


class FakeDraft:
    """One visible reply, whoever completes it."""

    def __init__(self, adapter: FakeAdapter, message: str) -> None:
        self.adapter = adapter
        self.message = message
        self.claim: Claim | None = None
        self.shown: list[str] = []
        self.reply: Reply | None = None
        self.finishes = 0
        self.posts: list[tuple[PostId, ...]] = []
        """What the next `show` calls return, in place of the one post."""
        self.replied = asyncio.Event()
        self.left = asyncio.Event()
        self.withdrawn = asyncio.Event()
        self.opening: Callable[[], Awaitable[object]] | None = None
        """How long the first, empty post takes."""
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """What happens while words are shown."""
        self.slow: asyncio.Event | None = None
        """What `withdraw` waits for, as for a platform that is slow."""

    async def show(self, text: str) -> tuple[PostId, ...]:
        self.shown.append(text)
        if not text and self.opening:
            await self.opening()
        if text and self.meanwhile:
            await self.meanwhile()
        return self.posts.pop(0) if self.posts else (f"post-{self.message}",)

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        if self.adapter.refuse:
            raise self.adapter.refuse.pop(0)
        self.reply = reply
        self.finishes += 1
        self.replied.set()
        return (f"post-{self.message}",)

    async def leave(self) -> None:
        self.left.set()

    async def withdraw(self) -> None:
        if self.slow:
            await self.slow.wait()
        self.withdrawn.set()


def posted(
    number: int,
    text: str = "What is this?",
    *attachments: Attachment,
    thread: ThreadId = THREAD,
    author: str = "anna",
    addressed: bool = True,
    sent_at: float | None = None,
) -> Message:
    """A message whose id and time follow from its number."""
    return Message(
        thread=thread,
        id=f"m{number:03}",
        author=author,
        text=text,
        sent_at=1_000_000.0 + number if sent_at is None else sent_at,
        attachments=attachments,
        addressed=addressed,
    )


def file(adapter: FakeAdapter, name: str, data: bytes | ThreadsightError) -> Attachment:
    """A file that the adapter can fetch, or whose fetching fails."""
    adapter.files[name] = data
    # Platforms tell it; where none does, a process is started in case that the file is a large one.
    size = len(data) if isinstance(data, bytes) else None
    return Attachment(id=name, name=name, size=size)
