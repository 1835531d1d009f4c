"""Asking the real client for answers, with pictures on a shelf and any host on this machine."""

import hashlib
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

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
)
from bot.errors import (
    PictureUnseen,
    ThreadsightError,
)
from bot.model import ChatCompletions
from bot.pricing import Prices
from tests.servers.openai import ModelServer

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


class Loopback(AbstractResolver):
    """Finds every host on this machine, so that a test server can stand for any provider."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


def at(server: ModelServer, host: str, path: str = "/v1") -> str:
    """The server's address under another name."""
    return f"http://{host}:{server.port}{path}"


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
    host, path = options.pop("host", "127.0.0.1"), options.pop("path", "/v1")
    url = options.pop("url", at(server, host, path))
    key = options.pop("key", "sk-test")
    prices = options.pop("prices", None) or Prices.load(None)
    defaults: dict[str, Any] = {"stall_seconds": 5.0, "backoff_seconds": 0.001}
    connector = aiohttp.TCPConnector(resolver=Loopback())
    async with aiohttp.ClientSession(connector=connector) as session:
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


def link(number: int, url: str) -> Picture:
    attachment = Attachment(f"link:{url}", "a.png", url=url, linked=True)
    return Picture(number, message(), attachment, receipt="linked")


async def failed(model: ChatCompletions, *turns: Turn, ask: Ask = ASK) -> ThreadsightError:
    """The error that a question ends in before a word."""
    with pytest.raises(ThreadsightError) as caught:
        await heard(model, turns or [asks("?")], ask)
    return caught.value
