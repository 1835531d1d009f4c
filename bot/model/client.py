"""Turns → one chat-completions request → a streamed Answer; the only wire format.

A request is sent again only while nothing was said and nothing can have been charged: the server
was not reached, asked us to wait, or had a fault. Once it took the whole question, or words have
come, it never is.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import aiohttp
import stamina

from bot import tokens
from bot.domain import Answer, Ask, Check, Turn, Usage
from bot.errors import Outage, SetupError, Stalled, ThreadsightError, TransientError
from bot.model.endpoint import Endpoint, probe, read_at_most
from bot.model.listening import Listener
from bot.model.refusals import Refusal, charged, error_for, links_at_fault, of_response
from bot.model.request import Dialect, LimitField, Load, Request, compose, limit_field_for
from bot.pricing import Prices

ATTEMPTS = 3
CONNECT_SECONDS = 10.0
RETRY_SECONDS = 60.0
# A longer wait is the worker's: it gives the thread back, so that nobody holds a claim and sleeps.
LONGEST_WAIT = 20.0
MAX_ERROR_BYTES = 64 * 1024
OTHER_FIELD: dict[LimitField, LimitField] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
# Refusals that are mended at once and cost nothing: two fields, the cache key, one link, all links.
MAX_MENDS = 5


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was taken, and the stream that answers it."""

    request: Request
    response: aiohttp.ClientResponse
    unseen_links: frozenset[int]


class ChatCompletions:
    """A model behind an endpoint that speaks OpenAI's chat completions."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        key: str | None,
        prices: Prices,
        load: Load,
        *,
        stall_seconds: float,
        limit_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto",
        offline: bool = False,
        backoff_seconds: float = 0.5,
    ) -> None:
        self.session = session
        self.endpoint = Endpoint.of(url, key)
        self.prices = prices
        self.load = load
        self.stall_seconds = stall_seconds
        self.limit_field = limit_field
        self.offline = offline
        self.backoff_seconds = backoff_seconds
        # What refusals taught, for as long as the process lives.
        self.limit_fields: dict[str, LimitField] = {}
        self.refused_fields: set[str] = set()

    async def answer(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[str | Answer, None]:
        """Yields words as they come, last the whole Answer; raises only before the first word."""
        exchange = await self.exchange(turns, ask)
        listener = Listener(exchange.response, self.stall_seconds)
        try:
            while words := await self.heard(listener, exchange.request, ask):
                yield words
            await listener.drain()
        finally:
            await listener.close()
        answer = self.whole(listener, exchange, ask)
        if unsaid := answer.text[len(listener.text) :]:
            yield unsaid
        yield answer

    async def probe(self, model: str) -> tuple[Check, ...]:
        """Looks whether the endpoint is there, takes the key and lists the model, at no cost."""
        return await probe(self.session, self.endpoint, model)

    async def exchange(self, turns: Sequence[Turn], ask: Ask) -> Exchange:
        """Sends the question and mends what the server refuses at no charge, each thing once."""
        unseen: frozenset[int] = frozenset()
        mends = 0
        while True:
            dialect = self.dialect(ask.model)
            request = compose(turns, ask, dialect, without=unseen)
            taken = await self.send(request, ask)
            if not isinstance(taken, Refusal):
                return Exchange(request, taken, unseen)
            at_fault = links_at_fault(taken, request, again=bool(unseen))
            learned = self.learn(taken, ask.model, dialect)
            mends += 1
            if not (at_fault or learned) or mends > MAX_MENDS:
                raise self.error(taken, request, ask)
            unseen |= at_fault

    async def send(self, request: Request, ask: Ask) -> aiohttp.ClientResponse | Refusal:
        """Sends until the server takes it or refuses it for good."""
        async for attempt in stamina.retry_context(
            on=worth_another_try,
            attempts=ATTEMPTS,
            timeout=RETRY_SECONDS,
            wait_initial=self.backoff_seconds,
            wait_jitter=self.backoff_seconds,
        ):
            with attempt:
                return await self.post(request, ask)
        raise AssertionError("the last attempt returns or raises")

    async def post(self, request: Request, ask: Ask) -> aiohttp.ClientResponse | Refusal:
        """Sends once; raises TransientError where the server is away, silent, busy or broken."""
        sending = Sending(request, self.load)
        try:
            async with asyncio.timeout(self.stall_seconds) as patience:
                sending.patience = patience, self.stall_seconds
                response = await self.session.post(
                    self.endpoint.chat_url,
                    data=sending.pieces(),
                    headers={**self.endpoint.headers, "Content-Length": str(request.size)},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                )
                if 200 <= response.status < 300:
                    return response
                refusal = await read_refusal(response)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise self.failure(error, sending) from error
        meant = self.error(refusal, request, ask)
        if isinstance(meant, TransientError):
            raise meant
        return refusal

    def failure(self, error: Exception, sending: "Sending") -> Exception:
        """What a connection that failed means for the question."""
        if sending.fault is not None:
            return sending.fault
        if isinstance(error, aiohttp.InvalidURL | ValueError):
            return SetupError("The model's address is not one; check OPENAI_BASE_URL.")
        if not sending.done:
            return broken_while_sending() if sending.begun else self.endpoint.unreachable()
        if isinstance(error, TimeoutError):
            return Stalled("The model took the question and said nothing for too long.")
        return charged(
            Outage("The model's server broke off without an answer; trying again may help.")
        )

    async def heard(self, listener: Listener, request: Request, ask: Ask) -> str:
        """The next words; empty at the end; raises while nothing was said."""
        words = await listener.words()
        if listener.refusal is not None and not listener.text:
            error = self.error(listener.refusal, request, ask)
            # What comes inside a 200 comes late: unless it is a refusal, the question was read.
            raise error if 400 <= listener.refusal.status < 500 else charged(error)
        return words

    def whole(self, listener: Listener, exchange: Exchange, ask: Ask) -> Answer:
        """The answer with its usage and its price."""
        usage, complete = listener.usage, True
        if usage is None:
            usage, complete = estimate(exchange.request, ask.model, listener.text)
        words = listener.text
        said = bool(words.strip())
        return Answer(
            text=words if said else words + silence(listener, usage, ask),
            model=ask.model,
            usage=usage,
            cost=self.cost(ask.model, usage) if complete else None,
            finish=listener.outcome,
            said=said,
            estimated=listener.usage is None,
            offline=self.offline,
            list_cost=self.prices.list_cost(ask.model, usage) if self.offline else None,
            answered_by=listener.model,
            unseen_links=tuple(sorted(exchange.unseen_links)),
        )

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return Decimal(0) if self.offline else self.prices.cost(model, usage)

    def dialect(self, model: str) -> Dialect:
        """What is known of the endpoint and the model so far."""
        likely: LimitField = (
            limit_field_for(model, openai=self.endpoint.openai or self.endpoint.azure)
            if self.limit_field == "auto"
            else self.limit_field
        )
        return Dialect(
            limit_field=self.limit_fields.get(model, likely),
            usage_in_stream="stream_options" not in self.refused_fields,
            cache_key=self.endpoint.openai and "prompt_cache_key" not in self.refused_fields,
            links=self.endpoint.openai,
        )

    def learn(self, refusal: Refusal, model: str, dialect: Dialect) -> bool:
        """Notes a field that the server does not know; True if the next request will be another.

        That is so too when another question has learned it while this one was on its way.
        """
        for name in ("stream_options", "prompt_cache_key"):
            if refusal.names(name):
                self.refused_fields.add(name)
        if refusal.names(dialect.limit_field):
            self.limit_fields.setdefault(model, OTHER_FIELD[dialect.limit_field])
        return self.dialect(model) != dialect

    def error(self, refusal: Refusal, request: Request, ask: Ask) -> ThreadsightError:
        """The error that a refusal means."""
        return error_for(refusal, request, model=ask.model, key_given=self.endpoint.key_given)


class Sending:
    """A body on its way to the server."""

    def __init__(self, request: Request, load: Load) -> None:
        self.request = request
        self.load = load
        self.begun = False
        """Whether the server was there."""
        self.done = False
        """Whether the server has all of it, and may charge for it."""
        self.fault: Exception | None = None
        """Why a piece could not be had; aiohttp hides it behind an error of its own."""
        self.patience: tuple[asyncio.Timeout, float] | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The pieces of the body, noting how far it got."""
        self.begun = True
        try:
            async for piece in self.request.body(self.load):
                yield piece
                self.progressed()
        except Exception as error:
            self.fault = error
            raise
        self.done = True

    def progressed(self) -> None:
        """A piece went out: the server is awake, so patience starts anew."""
        if self.patience is not None:
            patience, seconds = self.patience
            # The answer may have begun before the question's end; then nobody waits on this.
            with contextlib.suppress(RuntimeError):
                patience.reschedule(asyncio.get_running_loop().time() + seconds)


def broken_while_sending() -> Outage:
    """The server is there and does not take the question: free, but it may never pass."""
    error = Outage(
        "The model's server broke off while it took the question; trying again may help."
    )
    error.counts = True
    return error


def worth_another_try(error: Exception) -> bool | float:
    """Whether to send again at once, or after so many seconds: never what may have been charged."""
    if not isinstance(error, TransientError) or error.charged:
        return False
    if error.retry_after is None:
        return True
    return max(error.retry_after, 0.01) if error.retry_after <= LONGEST_WAIT else False


def estimate(request: Request, model: str, said: str) -> tuple[Usage, bool]:
    """Our own count of a call whose usage never came, and whether it holds every picture."""
    rule = tokens.rule(model)
    counts = [
        rule.count(shape.width or 0, shape.height or 0, detail)
        for picture, detail in request.shown
        for shape in picture.images or (picture,)
    ]
    words = sum(tokens.text(text, model) for text in request.texts)
    read = tokens.overhead(request.messages) + words + sum(count or 0 for count in counts)
    return Usage(read, tokens.text(said, model)), None not in counts


def silence(listener: Listener, usage: Usage, ask: Ask) -> str:
    """The sentence for an answer without words; it is billed all the same."""
    if listener.outcome == "filtered":
        return "The provider's content filter held the answer back; ask differently."
    if listener.outcome == "length":
        spent = usage.output or ask.limit
        how = "thinking and said" if usage.reasoning or listener.thought else "and said"
        return (
            f"The model spent its {spent:,} tokens {how} nothing; "
            "ask something simpler, or allow longer answers (BOT_MAX_TOKENS)."
        )
    return "The model said nothing; ask again in other words."


async def read_refusal(response: aiohttp.ClientResponse) -> Refusal:
    """What the server says against the request."""
    body = b""
    # The status alone tells most: a body that breaks off is no reason to forget it.
    with contextlib.suppress(aiohttp.ClientError, OSError, ValueError):
        body = await read_at_most(response, MAX_ERROR_BYTES)
    return of_response(response.status, body, response.headers)
