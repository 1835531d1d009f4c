"""The ledger against the bill of a model's server that counts for itself, and budgets against a crowd."""

import asyncio
import base64
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from bot.desk import Desk
from bot.domain import Attachment, LedgerRow, Message, ThreadId
from bot.engine import Engine, assembled
from bot.settings import Settings
from bot.worker import Worker
from storage.store import open_store
from tests import pictures
from tests.fakes import FakeAdapter
from tests.servers.openai import Asked, Fails, ModelServer, Says, Script, Sends

NANO = Decimal(1_000_000_000)
# Nano-dollars a token: input, cached, written to the cache, output; as the provider publishes them.
PRICE_LIST = {
    "gpt-4o": (2_500, 1_250, 2_500, 10_000),
    "gpt-5.4-mini": (750, 75, 750, 4_500),
    "gpt-5.6-luna": (200, 20, 250, 1_200),
}
SIZES = ((100, 80), (300, 200), (800, 600))
QUESTIONS = 1_000
THREADS = 250
PEOPLE = 20
SEED = 7
BROKEN = Sends((b'data: {"choices":[{"index":0,"delta":{"content":"Half"}}]}\n\n',), cut=True)


@dataclass
class Meter:
    """The provider's own books: what it counts, and what it will bill."""

    nanos: int = 0
    calls: int = 0
    read: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Tokens of each conversation's last request, which it may still hold."""

    def __call__(self, asked: Asked) -> dict[str, Any]:
        model = asked.json["model"]
        seen = sum(counted(each, model) for each in asked.image_urls)
        prompt = seen + 11 + len(asked.text.encode()) // 3
        # Whatever begins alike may be held: it is the beginning that a cache knows.
        talk = f"{model} {hash(str(asked.messages[1]))}"
        held = min(self.read[talk], prompt) // 128 * 128
        cached = held if held >= 1_024 else 0
        written = prompt - cached if model == "gpt-5.6-luna" else 0
        output = 20 + prompt % 37
        self.read[talk] = prompt
        self.calls += 1
        plain, again, write, out = PRICE_LIST[model]
        self.nanos += plain * (prompt - cached - written) + again * cached
        self.nanos += write * written + out * output
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": output // 2},
        }


def counted(url: dict[str, Any], model: str) -> int:
    """A picture's tokens, counted from the bytes that came."""
    data = base64.b64decode(url["url"].partition(",")[2])
    with Image.open(BytesIO(data)) as picture:
        width, height = picture.size
    low = url["detail"] == "low"
    if model == "gpt-4o":
        if low:
            return 85
        scale = min(1.0, 768 / min(width, height))
        tiles = -(-int(width * scale) // 512) * -(-int(height * scale) // 512)
        return 85 + 170 * tiles
    if low and model == "gpt-5.6-luna":
        scale = min(1.0, 512 / max(width, height))
        width, height = round(width * scale), round(height * scale)
    return -(-(-(-width // 32) * -(-height // 32) * 12) // 10)


async def test_a_thousand_questions_cost_to_the_nano_dollar_what_the_provider_bills(
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    meter = Meter()
    # The seventh part fails, each in its own way; some of it was billed, and nobody can know.
    faults: list[Script] = [Fails(400, "bad", "No."), Fails(403, "no", "No."), BROKEN]
    async with (
        ModelServer(bill=meter, validate=False) as server,
        running(tmp_path, server, BOT_BUDGET_PERSON_DAY="0.02") as bot,
    ):
        server.scripts.extend(
            chance.choice(faults) if chance.random() < 0.15 else Says("A cat on a mat.")
            for _ in range(2 * QUESTIONS)
        )
        asked = [question(number, chance, bot.place) for number in range(QUESTIONS)]

        await bot.answered(asked)

        rows = await bot.rows()
        sums = await bot.engine.store.usage()
    told = [row for row in rows if row.outcome == "answered" and not row.possibly_charged]
    unsure = [row for row in rows if row.possibly_charged]
    failed = [row for row in rows if row.outcome == "failed"]
    assert len(told) == meter.calls
    assert total(told) == Decimal(meter.nanos) / NANO
    assert len(told) + len(unsure) + len(failed) == len(rows)
    assert total(failed) == 0
    assert unsure
    assert failed
    assert {row.model for row in told} == set(PRICE_LIST)
    assert {row.detail for row in told} == {"low", "high"}
    assert sum((row.spent.cost for row in sums), Decimal(0)) == total(rows)
    spent = Counter[str]()
    for row in rows:
        spent[row.person] += int((row.cost or 0) * NANO)
    assert max(spent.values()) <= Decimal("0.02") * NANO
    # Some wanted more than their budget holds, and were told so.
    assert any("budget" in text for text in bot.replies(asked))


async def test_of_two_hundred_questions_at_once_a_budget_for_ten_lets_ten_through(
    tmp_path: Path,
) -> None:
    meter = Meter()
    async with ModelServer(bill=meter, validate=False) as server:
        one = await reserve_of_one(tmp_path / "one", server)
        budget = one * 10
        async with running(tmp_path, server, BOT_BUDGET_WORKSPACE_MONTH=str(budget)) as bot:
            # Nobody is done before everybody has asked: ten reserves fill the budget.
            gate = asyncio.Event()
            server.scripts.extend(Says("A cat.", hold=gate) for _ in range(200))
            asked = [
                question(number, random.Random(1), bot.place, alone=True) for number in range(200)
            ]
            answering = asyncio.create_task(bot.answered(asked))
            before = len(server.asked)
            await server.until_asked(before + 10)
            await bot.refused(190)
            gate.set()
            await answering
            rows = await bot.rows()

    assert len([row for row in rows if row.outcome == "answered"]) == 10
    assert total(rows) <= budget
    refusals = [text for text in bot.replies(asked) if "budget" in text]
    assert len(refusals) == 190
    assert "The workspace's budget for this month has $0.00" in refusals[0]


@dataclass
class Bot:
    """The whole bot in this process, but for its platform."""

    engine: Engine
    worker: Worker
    desk: Desk
    place: FakeAdapter

    async def answered(self, asked: Iterable[Message]) -> None:
        """Hands in all questions at once and waits for all replies."""
        asked = list(asked)
        await asyncio.gather(*(self.desk.accept(message) for message in asked))
        await asyncio.gather(*(self.place.under(message.id).replied.wait() for message in asked))

    async def refused(self, count: int) -> None:
        """Waits until so many were told that there is no money left."""
        waiting = {
            asyncio.create_task(draft.replied.wait()) for draft in self.place.drafts.values()
        }
        done = 0
        while done < count:
            finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done += len(finished)
        for task in waiting:
            task.cancel()

    async def rows(self) -> list[LedgerRow]:
        return [row async for row in self.engine.store.ledger()]

    def replies(self, asked: Iterable[Message]) -> list[str]:
        """What was said to each."""
        drafts = (self.place.under(message.id) for message in asked)
        return [draft.reply.text for draft in drafts if draft.reply]


@asynccontextmanager
async def running(folder: Path, server: ModelServer, **environ: str) -> AsyncIterator[Bot]:
    """A bot that answers until the end of the block; a failure is told at once."""
    plain = {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "sk-test",
        "BOT_MODEL": "gpt-4o",
        "BOT_MAX_TOKENS": "100",
        "BOT_WORKERS": "64",
        "BOT_BUDGET_PERSON_DAY": "1000",
        "BOT_BUDGET_WORKSPACE_MONTH": "1000",
        "DATABASE_URL": f"sqlite:///{folder}/bot.db",
    }
    settings = Settings(**{**plain, **environ})  # type: ignore[arg-type]
    place = FakeAdapter()
    async with (
        open_store(settings.database_url, exclusive=True) as store,
        assembled(settings, store, {"fake": place}) as engine,
    ):
        worker = engine.worker(max_failures=1, outage_seconds=0)
        working = asyncio.create_task(worker.run())
        try:
            yield Bot(engine, worker, engine.desk(worker), place)
        finally:
            worker.stop()
            await working


async def reserve_of_one(folder: Path, server: ModelServer) -> Decimal:
    """The most that one of the crowd's questions may cost: what is reserved for it."""
    async with running(folder, server) as bot:
        server.enqueue(BROKEN)
        await bot.answered([question(0, random.Random(1), bot.place, alone=True)])
        [row] = await bot.rows()
    assert row.estimated_input is not None
    most = bot.engine.prices.most(row.model, row.estimated_input, 100)
    assert most is not None
    return most


def question(
    number: int, chance: random.Random, place: FakeAdapter, *, alone: bool = False
) -> Message:
    """One of many: somebody asks in some thread, often with a picture."""
    thread = number if alone else number % THREADS
    new = alone or number < THREADS or chance.random() < 0.4
    name = f"picture-{0 if alone else chance.randrange(len(SIZES))}"
    if name not in place.files:
        place.files[name] = pictures.photo(*SIZES[int(name[-1])])
    detail, model = chance.choice(("low", "high")), chance.choice(list(PRICE_LIST))
    return Message(
        thread=ThreadId("fake", "w1", f"c{thread % 5}", f"t{thread}"),
        id=f"m{number:04}",
        author=f"p{number % PEOPLE}",
        text="What is this?" if alone else f"What is this? {'Tell it all. ' * (number % 9)}",
        sent_at=1_800_000_000.0 + number,
        attachments=(Attachment(f"{name}", f"{name}.jpg"),) if new else (),
        addressed=True,
        options={"model": "gpt-4o", "detail": "low"}
        if alone
        else {"model": model, "detail": detail},
    )


def total(rows: Iterable[LedgerRow]) -> Decimal:
    """What these rows come to."""
    return sum((row.cost for row in rows if row.cost is not None), Decimal(0))
