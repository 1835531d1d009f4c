"""Nouns as the tests of the store need them, with the fields that do not matter filled in."""

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from bot.domain import (
    Action,
    Answer,
    Attachment,
    Budget,
    Call,
    Chance,
    Claim,
    Image,
    Message,
    Reply,
    ThreadId,
    Usage,
)
from storage.store import SqlStore

THREAD = ThreadId("slack", "T1", "C1", "root")
PLATFORMS = ["slack"]


def message(
    name: str = "1",
    text: str = "What is this?",
    *,
    thread: ThreadId = THREAD,
    files: tuple[str, ...] = (),
    addressed: bool = True,
    edited_at: float | None = None,
    author: str = "U1",
    sent_at: float | None = None,
) -> Message:
    """A message sent in the order of its name."""
    return Message(
        thread=thread,
        id=name,
        author=author,
        text=text,
        sent_at=float(name) if sent_at is None else sent_at,
        attachments=tuple(Attachment(each, f"{each}.png", "image/png", 9) for each in files),
        addressed=addressed,
        edited_at=edited_at,
        kind="question" if addressed else "context",
    )


def edited(original: Message, text: str, at: float) -> Message:
    """The same message with other words."""
    return replace(original, text=text, edited_at=at)


def image(data: bytes = b"picture", form: str = "tile-768") -> Image:
    """A prepared picture of these bytes."""
    return Image(sha256(data).hexdigest(), form, "image/jpeg", 8, 6, data, 16, 12, "seen")


def person_day(cap: str = "1", subject: str = "U1") -> Budget:
    """A person's budget for a day."""
    return Budget("person", subject, "2027-01-15", Decimal(cap))


def workspace_month(cap: str = "20") -> Budget:
    """A workspace's budget for a month."""
    return Budget("workspace", "", "2027-01", Decimal(cap))


def call(reserve: str | None = "0.01", *budgets: Budget) -> Call:
    """A call that can cost that much."""
    most = None if reserve is None else Decimal(reserve)
    return Call("gpt-5.6-luna", "high", 800, most, "list", budgets)


def answer(cost: str | None = "0.004", text: str = "A cat.", *, estimated: bool = False) -> Answer:
    """What the model said for that much."""
    dollars = None if cost is None else Decimal(cost)
    return Answer(
        text, "gpt-5.6-luna-2026", Usage(700, 50, 100, 0, 10), dollars, estimated=estimated
    )


def reply(text: str = "A cat.") -> Reply:
    """What a person reads."""
    return Reply(text, ("700 in · 50 out · $0.004",), ("seen",))


async def offer(
    store: SqlStore, claim: Claim, action: Action, value: str = "", *, anybody: bool = False
) -> str:
    """The token of one button."""
    (token,) = await store.offer(claim, [Chance(action, value, anybody)])
    return token


async def claimed(store: SqlStore) -> Claim:
    """The claim on what is due; there has to be something."""
    claim = await store.claim(PLATFORMS)
    assert claim is not None
    return claim


async def asked(store: SqlStore, question: Message | None = None) -> Claim:
    """A question that is stored and claimed."""
    assert await store.accept(question or message())
    return await claimed(store)


async def answered(store: SqlStore, question: Message | None = None, text: str = "A cat.") -> Claim:
    """A question that is stored, claimed, answered and settled."""
    claim = await asked(store, question)
    await store.record(claim, reply(text))
    await store.posted(claim, [f"post-{claim.message.id}"])
    await store.settle(claim)
    return claim
