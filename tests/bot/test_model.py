"""The model's client against a real server on a real socket."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp

from bot.domain import (
    Answer,
    Ask,
    Attachment,
    ImageKey,
    Message,
    Picture,
    StoredImage,
    ThreadId,
    Turn,
    Usage,
)
from bot.errors import PictureUnseen
from bot.model import ChatCompletions
from bot.pricing import Prices
from tests.servers.openai import ModelServer, Says

THREAD = ThreadId("test", "w", "c", "r")
ASK = Ask(model="gpt-5.6-luna", instructions="Be brief.", thread_key="abc")


@dataclass
class Shelf:
    """Stored pictures by their name."""

    kept: dict[ImageKey, bytes] = field(default_factory=dict)

    async def load(self, key: ImageKey) -> bytes:
        if key not in self.kept:
            raise PictureUnseen("the picture is gone")
        return self.kept[key]

    def picture(self, number: int, data: bytes = b"", name: str = "photo.jpg") -> Picture:
        data = data or b"\xff\xd8\xff" + bytes([number]) * (1000 + number)
        key = ImageKey("test", "w", hashlib.sha256(data).hexdigest(), "low-512")
        self.kept[key] = data
        stored = StoredImage(key, "image/jpeg", 640, 480, len(data))
        return Picture(number, message(), Attachment(f"f{number}", name), stored, receipt="seen")


def message() -> Message:
    return Message(THREAD, "m", "ana", "?", 1.0)


def asks(text: str, *pictures: Picture, author: str = "") -> Turn:
    return Turn("user", text, author, "m", pictures)


def says(text: str) -> Turn:
    return Turn("assistant", text)


@asynccontextmanager
async def client(
    server: ModelServer, shelf: Shelf | None = None, **options: Any
) -> AsyncIterator[ChatCompletions]:
    url = options.pop("url", server.url)
    key = options.pop("key", "sk-test")
    prices = options.pop("prices", None) or Prices.load(None)
    defaults: dict[str, Any] = {"stall_seconds": 5.0, "backoff_seconds": 0.001}
    async with aiohttp.ClientSession() as session:
        yield ChatCompletions(
            session, url, key, prices, (shelf or Shelf()).load, **{**defaults, **options}
        )


async def heard(
    model: ChatCompletions, turns: Iterable[Turn], ask: Ask = ASK
) -> tuple[list[str], Answer]:
    """All that the model yields: words, and last the answer, whose text they add up to."""
    async with aclosing(model.answer(list(turns), ask)) as pieces:
        said = [piece async for piece in pieces]
    answer = said.pop()
    assert isinstance(answer, Answer)
    words = [piece for piece in said if isinstance(piece, str)]
    assert "".join(words) == answer.text
    assert len(words) == len(said)
    return words, answer


async def test_a_picture_and_a_question_are_answered_word_by_word_with_the_apis_own_usage() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Says("A black cat.", usage={"prompt_tokens": 1203, "completion_tokens": 42}))
        picture = shelf.picture(1)

        words, answer = await heard(model, [asks("What is this?", picture)])

    assert words == ["A ", "black ", "cat."]
    assert answer == Answer(
        "A black cat.", "gpt-5.6-luna", Usage(1203, 42), Decimal("0.000291000"), "stop"
    )
    assert server.asked[0].pictures == list(shelf.kept.values())
    assert server.refused == []
