"""The stream of one answer: words as they come, and what is known of it at its end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp

from bot.domain import Finish, Usage
from bot.errors import Outage, SetupError, Stalled, TransientError
from bot.model.refusals import Refusal, charged, of_event
from bot.model.sse import DONE, MAX_EVENT_BYTES, Events, Heard, Unreadable, read

# A model's longest answer is some 128,000 tokens; more than this is no answer.
MAX_ANSWER_CHARS = 2_000_000
# After its last word a server tells the usage at once or never; a figure is not worth a long wait.
USAGE_SECONDS = 5.0
BLANK = b"\xef\xbb\xbf \t\r\n"
# A connection is kept for the next question only if it is free as good as at once.
DRAIN_SECONDS = 0.05


class Listener:
    """Hears one answer to its end, whatever the server does."""

    def __init__(self, response: aiohttp.ClientResponse, stall_seconds: float) -> None:
        self.response = response
        self.stall_seconds = stall_seconds
        self.events = events(response)
        self.said: list[str] = []
        self.chars = 0
        self.thought = False
        """Whether the model was heard to think."""
        self.model = ""
        """Who answers, as the server says."""
        self.usage: Usage | None = None
        self.refusal: Refusal | None = None
        self.finish: Finish | None = None
        self.done = False
        """Whether the server said that this was all."""
        self.over = False

    @property
    def text(self) -> str:
        """All words so far."""
        return "".join(self.said)

    @property
    def outcome(self) -> Finish:
        """How the answer ended; one that nobody ended was cut."""
        return self.finish or ("stop" if self.done else "cut")

    @property
    def complete(self) -> bool:
        """Whether there is something to show or to bill: then a broken stream is an end, too."""
        return bool(self.said or self.usage) or self.outcome != "cut"

    async def words(self) -> str:
        """The next words; empty at the end.

        Before the first it raises Stalled, or Outage when the stream breaks; later that is the end.
        """
        try:
            async with asyncio.timeout(self.stall_seconds) as patience:
                while (data := await self.next()) is not None:
                    heard = self.take(data)
                    if heard.words:
                        return heard.words
                    self.adjust(patience, heard)
        except (TimeoutError, aiohttp.ClientError, OSError, Unreadable) as error:
            self.over = True
            if not self.complete:
                raise failure(error) from error
        if not self.complete and self.refusal is None:
            raise broken_off()
        return ""

    async def next(self) -> str | None:
        """The data of the next event; None at the end."""
        return None if self.over else await anext(self.events, None)

    async def drain(self) -> None:
        """Reads what is left after the end, so that the connection can serve the next question."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self.outcome != "cut" and await self.response.content.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError):
            self.response.close()

    async def close(self) -> None:
        """Hangs up at once, wherever the answer is."""
        self.response.close()
        await self.events.aclose()

    def take(self, data: str) -> Heard:
        """Notes what an event says."""
        if data.strip() == DONE:
            self.done, self.over = True, True
            return Heard()
        heard = read(data)
        if heard.fault is not None:
            self.refusal, self.over = of_event(heard.fault), True
        self.thought = self.thought or heard.thought
        self.model = self.model or heard.model
        self.usage = heard.usage or self.usage
        self.finish = heard.finish or self.finish
        self.note(heard.words)
        self.done = self.done or heard.last
        if self.done or (self.finish is not None and self.usage is not None):
            self.over = True
        return heard

    def note(self, words: str) -> None:
        """Keeps the words, up to more than any answer."""
        if words:
            self.said.append(words)
            self.chars += len(words)
        if self.chars > MAX_ANSWER_CHARS:
            self.finish, self.over = "cut", True

    def adjust(self, patience: asyncio.Timeout, heard: Heard) -> None:
        """Thinking is a sign of life; once the answer has ended, only its usage is waited for."""
        now = asyncio.get_running_loop().time()
        if heard.finish is not None:
            patience.reschedule(now + min(USAGE_SECONDS, self.stall_seconds))
        elif heard.thought:
            patience.reschedule(now + self.stall_seconds)


async def events(response: aiohttp.ClientResponse) -> AsyncGenerator[str]:
    """The data of each event; from a server that does not stream, its one JSON object."""
    chunks = response.content.iter_any()
    start = b""
    async for chunk in chunks:
        start += chunk
        if start.strip(BLANK):
            break
    if start.strip(BLANK).startswith(b"<"):
        raise SetupError(
            "A web page is at the model's address, and no model; check OPENAI_BASE_URL."
        )
    if start.strip(BLANK).startswith(b"{"):
        yield await whole(start, chunks)
        return
    splitter = Events()
    for data in splitter.feed(start):
        yield data
    async for chunk in chunks:
        for data in splitter.feed(chunk):
            yield data
    for data in splitter.close():
        yield data


async def whole(start: bytes, chunks: AsyncIterator[bytes]) -> str:
    """The whole body; raises Unreadable when it is longer than any answer."""
    body = bytearray(start)
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_EVENT_BYTES:
            raise Unreadable("a body without end")
    return body.decode("utf-8-sig", "replace")


def failure(error: Exception) -> TransientError:
    """What it means that the stream broke before a word; the server had the whole question."""
    if isinstance(error, TimeoutError):
        return Stalled("The model took the question and said nothing for too long.")
    if isinstance(error, Unreadable):
        return charged(
            Outage("The model's server sent something that is no answer; trying again may help.")
        )
    return broken_off()


def broken_off() -> TransientError:
    """The stream ended before a word."""
    return charged(Outage("The model's server broke off without an answer; trying again may help."))
