"""The model's client against a real server on a real socket."""

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot import tokens
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
from bot.errors import (
    Outage,
    PermanentError,
    PictureRefused,
    PictureUnseen,
    RateLimited,
    SetupError,
    Stalled,
    ThreadsightError,
)
from bot.model import ChatCompletions, links_allowed
from bot.pricing import Prices
from tests.servers.openai import Asked, Fails, ModelServer, Resets, Says, Script, Sends, Stalls

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


async def test_a_follow_up_carries_the_same_bytes_again() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        first = [asks("What is this?", shelf.picture(1))]
        await heard(model, first)
        await heard(model, [*first, says("A cat."), asks("And this?", shelf.picture(2))])

    one, two = server.asked
    assert two.pictures[0] == one.pictures[0]
    assert two.raw.startswith(one.raw[: one.raw.rindex(b'],"max_completion_tokens"')])
    assert server.refused == []


@pytest.mark.parametrize(
    "script",
    [
        Says("Zwölf Katzen 🐈", drip=True),
        Says("Zwölf Katzen 🐈", crlf=True, comments=3),
        Says("Zwölf Katzen 🐈", usage_in_last_chunk=True),
        Says("Zwölf Katzen 🐈", done=False),
        Says("Zwölf Katzen 🐈", ignore_stream=True),
        Says("Zwölf Katzen 🐈", thoughts=["hm", "well"]),
    ],
    ids=["drip", "crlf", "usage in last chunk", "no [DONE]", "no stream", "thoughts"],
)
async def test_every_way_to_send_an_answer_is_heard(script: Says) -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(script)

        _, answer = await heard(model, [asks("How many?")])

    assert (answer.text, answer.finish, answer.estimated) == ("Zwölf Katzen 🐈", "stop", False)
    told = server.bill(server.asked[0])
    assert (answer.usage.input, answer.usage.output) == (told["prompt_tokens"], 42)


async def test_cached_written_and_thinking_tokens_are_counted_and_priced() -> None:
    usage = {
        "prompt_tokens": 10_000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 3_000},
        "completion_tokens_details": {"reasoning_tokens": 400},
    }
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Says("A cat.", usage=usage))

        _, answer = await heard(model, [asks("?")])

    assert answer.usage == Usage(10_000, 500, 6_000, 3_000, 400)
    assert answer.cost == Prices.load(None).cost(ASK.model, answer.usage)


async def test_a_stream_that_tells_no_usage_is_estimated_and_whole() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Says("A black cat.", usage=None))

        _, answer = await heard(model, [asks("What is this?", shelf.picture(1))])

    assert (answer.finish, answer.estimated) == ("stop", True)
    # 640×480 are 20 × 15 patches of 32 pixels, at 1.2 tokens each.
    assert 360 < answer.usage.input < 400
    assert answer.usage.output == 4
    assert answer.cost == Prices.load(None).cost(ASK.model, answer.usage)


async def test_an_estimate_without_a_rule_for_its_pictures_has_no_price() -> None:
    shelf = Shelf()
    ask = replace(ASK, model="qwen/qwen2.5-vl-72b-instruct")
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Says("A cat.", usage=None))

        _, answer = await heard(model, [asks("?", shelf.picture(1))], ask)

    assert model.prices.known(ask.model)
    assert (answer.estimated, answer.cost) == (True, None)


async def test_usage_that_cannot_be_is_taken_for_none() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Says("A cat.", usage={"prompt_tokens": -5, "completion_tokens": 1e99}))

        _, answer = await heard(model, [asks("?")])

    assert answer.estimated
    assert answer.cost is not None
    assert answer.cost > 0


async def test_the_offline_model_is_free_and_says_what_it_would_have_cost() -> None:
    async with ModelServer() as server:
        prices = Prices.load(None, free=True)
        async with client(server, offline=True, prices=prices) as model:
            server.enqueue(Says("A cat.", usage={"prompt_tokens": 1203, "completion_tokens": 42}))

            _, answer = await heard(model, [asks("?")])

    assert answer.offline
    assert (answer.cost, answer.list_cost) == (Decimal(0), Decimal("0.000291"))


async def test_an_unknown_price_is_none_and_never_nothing() -> None:
    async with ModelServer() as server, client(server) as model:
        _, answer = await heard(model, [asks("?")], replace(ASK, model="llava"))

    assert (answer.cost, answer.usage.output) == (None, 42)


REFUSALS: dict[str, tuple[Script, type[ThreadsightError], str]] = {
    "wrong key": (Fails(401, "invalid_api_key", "Bad key sk-test"), SetupError, "OPENAI_API_KEY"),
    "forbidden": (Fails(403, None, "Not for you"), SetupError, "OPENAI_API_KEY"),
    "no model": (Fails(404, "model_not_found", "No."), SetupError, "no model gpt-5.6-luna"),
    "ollama": (Fails(404, None, 'model "x" not found, try pulling it'), SetupError, "BOT_MODEL"),
    "openrouter": (Fails(400, None, "x is not a valid model ID"), SetupError, "BOT_MODEL"),
    "azure": (Fails(404, "DeploymentNotFound", "The API deployment"), SetupError, "BOT_MODEL"),
    "wrong path": (Fails(404, body=b"<html>nginx"), SetupError, "OPENAI_BASE_URL"),
    "moved": (Fails(307, headers={"Location": "http://evil.test/"}), SetupError, "OPENAI_BASE_URL"),
    "no credit": (Fails(429, "insufficient_quota", "You exceeded"), SetupError, "credit"),
    "must pay": (Fails(402, None, "Payment Required"), SetupError, "credit"),
    "too long": (Fails(400, "context_length_exceeded", "Max 128000"), PermanentError, "more than"),
    "too big": (Fails(413, body=b"<html>413"), PermanentError, "more than the model takes"),
    "too big a minute": (
        Fails(429, "rate_limit_exceeded", "Request too large for gpt-4o: Limit 30, Requested 50"),
        PermanentError,
        "more than the model takes",
    ),
    "vllm pictures": (
        Fails(400, None, "At most 1 image(s) may be provided in one request."),
        PermanentError,
        "more than the model takes",
    ),
    "long answer": (
        Fails(400, "invalid_value", "max_completion_tokens is too large", "max_completion_tokens"),
        SetupError,
        "BOT_MAX_TOKENS",
    ),
    "filter": (Fails(400, "content_filter", "The response was filtered"), PermanentError, "filter"),
    "puzzle": (Fails(418, None, "secret words"), PermanentError, "status 418"),
    "web page": (Sends([b"<!DOCTYPE html>"], "text/html"), SetupError, "OPENAI_BASE_URL"),
    "busy": (Fails(429, "rate_limit_exceeded", "Slow down"), RateLimited, "wait"),
    "fault": (Fails(500), Outage, "fault"),
    "proxy": (Fails(502, body=b"<html>Bad Gateway</html>"), Outage, "fault"),
    "overloaded": (Fails(529, None, "Overloaded"), Outage, "fault"),
    "error in 200": (Sends([b'{"error": {"code": 401, "message": "sk-test"}}']), SetupError, "key"),
    "error in stream": (
        Sends([b'data: {"error": {"message": "secret words", "type": "server_error"}}\n\n']),
        Outage,
        "fault",
    ),
    "nothing": (Sends([]), Outage, "broke off"),
    "cut before words": (Sends([b": hello\n\n"], cut=True), Outage, "broke off"),
    "broken json": (Sends([b'data: {"choices": [{"del\n\n']), Outage, "no answer"),
    "broken object": (Sends([b'{"choices": [{"del']), Outage, "no answer"),
    "reset": (Resets(), Outage, "broke off"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_each_refusal_is_one_plain_sentence_with_its_mend(case: str) -> None:
    script, kind, words = REFUSALS[case]
    async with ModelServer() as server, client(server) as model:
        server.enqueue(*[script] * 3)
        error = await failed(model, asks("my secret question"))

    assert type(error) is kind
    assert words in error.sentence
    for secret in ("sk-test", "secret", "html", "evil"):
        assert secret not in error.sentence
        assert secret not in repr(error)


PICTURE_REFUSALS: dict[str, tuple[Fails, type[ThreadsightError], int | None]] = {
    "by place": (
        Fails(400, "invalid_image_format", "?", "messages[1].content[3]"),
        PictureRefused,
        2,
    ),
    "by message": (
        Fails(400, None, "Invalid image data in messages.1.content.1.image_url"),
        PictureRefused,
        1,
    ),
    "somewhere": (
        Fails(
            400, "invalid_image_format", "You uploaded an unsupported image. Make sure it is valid"
        ),
        PictureRefused,
        None,
    ),
    "parse": (Fails(400, "image_parse_error", "?"), PictureRefused, None),
    "safety": (
        Fails(
            400, "content_policy_violation", "Your input image may contain content that is not OK"
        ),
        PictureRefused,
        None,
    ),
    "blind": (
        Fails(400, None, "Invalid content type. image_url is only supported by certain models."),
        SetupError,
        None,
    ),
    "blind vllm": (Fails(400, None, "llama is not a multimodal model"), SetupError, None),
    "blind openrouter": (
        Fails(404, None, "No endpoints found that support image input"),
        SetupError,
        None,
    ),
    "blind llama.cpp": (
        Fails(500, None, "image input is not supported - hint: mmproj"),
        SetupError,
        None,
    ),
    "blind deepseek": (
        Fails(400, None, "messages[0]: unknown variant `image_url`, expected `text`"),
        SetupError,
        None,
    ),
}


@pytest.mark.parametrize("case", PICTURE_REFUSALS)
async def test_a_refused_picture_is_named_and_a_blind_model_too(case: str) -> None:
    script, kind, number = PICTURE_REFUSALS[case]
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(script)
        error = await failed(model, asks("?", shelf.picture(1), shelf.picture(2)))

    assert type(error) is kind
    assert len(server.asked) == 1
    if isinstance(error, PictureRefused):
        assert error.number == number
    else:
        assert "cannot see pictures" in error.sentence
        assert "BOT_MODEL" in error.sentence


async def test_the_only_picture_is_the_refused_one() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Fails(400, "image_parse_error", "?"))
        error = await failed(model, asks("?", shelf.picture(7)))

    assert isinstance(error, PictureRefused)
    assert error.number == 7


async def test_a_server_without_a_key_is_told_apart_from_a_wrong_key() -> None:
    async with ModelServer(key="sk-right") as server:
        async with client(server, key=None) as model:
            assert "set OPENAI_API_KEY" in (await failed(model)).sentence
        async with client(server, key="sk-wrong") as model:
            assert "refused the key" in (await failed(model)).sentence
        async with client(server, key="sk-right") as model:
            assert (await heard(model, [asks("?")]))[1].text


async def test_a_key_that_no_header_can_carry_is_refused_at_once() -> None:
    async with ModelServer() as server, aiohttp.ClientSession() as session:
        with pytest.raises(SetupError, match="OPENAI_API_KEY"):
            ChatCompletions(session, server.url, "sk\nx", Prices(), Shelf().load, stall_seconds=1)


# When to ask again.


async def test_a_wait_that_the_server_names_is_waited_and_the_question_asked_again() -> None:
    async with ModelServer() as server, client(server) as model:
        clock = asyncio.get_running_loop()
        start = clock.time()
        server.enqueue(Fails(429, headers={"retry-after-ms": "150"}), Fails(503), "a cat")

        _, answer = await heard(model, [asks("?")])

    assert answer.text == "a cat"
    assert len(server.asked) == 3
    assert clock.time() - start >= 0.15


async def test_a_long_wait_is_left_to_the_caller() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Fails(429, "rate_limit_exceeded", retry_after="120"), "a cat")
        error = await failed(model)

    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.charged, len(server.asked)) == (120, False, 1)


async def test_a_wait_may_be_a_date() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Fails(503, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"))
        error = await failed(model)

    assert isinstance(error, Outage)
    assert error.retry_after == 86_400


@pytest.mark.parametrize("wait", ["soon", "-5", "nan", "inf", "Wed, 99 Foo"])
async def test_a_wait_that_is_none_is_not_waited(wait: str) -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Fails(429, retry_after=wait), "a cat")

        assert (await heard(model, [asks("?")]))[1].text == "a cat"


async def test_a_server_that_stays_broken_is_asked_three_times() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(*[Fails(500)] * 5)
        error = await failed(model)

    assert isinstance(error, Outage)
    assert (error.charged, error.counts, len(server.asked)) == (False, False, 3)


async def test_a_reset_while_the_question_is_sent_costs_nothing_and_is_asked_again() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Resets(while_reading=True), "a cat")
        pictures = [shelf.picture(n, b"\xff\xd8\xff" + bytes([n]) * 2_000_000) for n in (1, 2, 3)]

        assert (await heard(model, [asks("?", *pictures)]))[1].text == "a cat"


@pytest.mark.parametrize(
    "script",
    [Resets(), Stalls(), Stalls(headers=True), Stalls(comments=True), Sends([]), Sends([b"{"])],
    ids=["reset", "silence", "only headers", "only comments", "empty", "half an object"],
)
async def test_what_may_be_charged_is_never_asked_again(script: Script) -> None:
    async with ModelServer() as server, client(server, stall_seconds=0.2) as model:
        server.enqueue(script, "a cat")
        error = await failed(model)

    assert (error.charged, len(server.asked)) == (True, 1)
    assert isinstance(error, Stalled) == isinstance(script, Stalls)
    assert getattr(error, "counts", False)


async def test_thinking_is_a_sign_of_life() -> None:
    event = asyncio.Event()
    thought = b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n'
    async with ModelServer() as server, client(server, stall_seconds=0.3) as model:
        server.enqueue(Sends([thought] * 3, hold=event))
        error = await failed(model)

    assert isinstance(error, Stalled)


async def test_a_server_that_is_not_there_costs_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://nowhere.test:{free.getsockname()[1]}/v1"
        async with ModelServer() as server, client(server, url=url) as model:
            error = await failed(model)

    assert isinstance(error, Outage)
    assert not error.charged
    assert "nowhere.test" in error.sentence


async def test_a_picture_that_is_gone_is_the_stores_error_and_the_server_is_left_alone() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        pictures = [shelf.picture(1), shelf.picture(2)]
        shelf.kept.popitem()
        error = await failed(model, asks("?", *pictures))

        assert isinstance(error, PictureUnseen)
        assert (await heard(model, [asks("And you?")]))[1].text
    assert len(server.asked) == 1


async def test_a_server_that_never_takes_the_whole_question_counts_as_a_failure() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(*[Resets(while_reading=True)] * 3)
        picture = shelf.picture(1, b"\xff\xd8\xff" + bytes(8_000_000))
        error = await failed(model, asks("?", picture))

    assert isinstance(error, Outage)
    assert (error.charged, error.counts) == (False, True)


async def test_a_fault_inside_an_answer_may_be_charged_and_counts() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Sends([b'data: {"error": {"code": 500, "message": "?"}}\n\n']))
        late = await failed(model)
        server.enqueue(Sends([b'data: {"error": {"code": 429, "message": "?"}}\n\n']))
        early = await failed(model)

    assert isinstance(late, Outage)
    assert (late.charged, late.counts) == (True, True)
    assert isinstance(early, RateLimited)
    assert (early.charged, early.counts) == (False, False)


# Once words have come.


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"data: {broken\n\n",
        b'data: {"error": {"code": 500, "message": "secret"}}\n\n',
        b"data: [1]\n\n",
    ],
    ids=["cut", "broken", "error", "no object"],
)
async def test_a_stream_that_breaks_after_words_is_an_answer_and_never_asked_again(
    end: bytes,
) -> None:
    words = b'data: {"choices":[{"index":0,"delta":{"content":"A black "}}]}\n\n'
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Sends([words, end], cut=not end), "a second call")

        said, answer = await heard(model, [asks("What is this?")])

    assert said == ["A black "]
    assert (answer.finish, answer.estimated, len(server.asked)) == ("cut", True, 1)
    assert answer.usage.input > 5
    assert answer.usage.output == tokens.text("A black ")
    assert answer.cost is not None
    assert answer.cost > 0


async def test_a_stall_after_words_is_an_answer() -> None:
    async with ModelServer() as server, client(server, stall_seconds=0.2) as model:
        server.enqueue(Says("A black cat.", hold=asyncio.Event(), after=2))

        said, answer = await heard(model, [asks("?")])

        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert said == ["A ", "black "]
    assert (answer.finish, answer.estimated) == ("cut", True)


async def test_an_answer_without_end_is_cut() -> None:
    words = json.dumps({"choices": [{"delta": {"content": "x" * 100_000}}]})
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Sends([f"data: {words}\n\n".encode()] * 40))

        _, answer = await heard(model, [asks("?")])

    assert answer.finish == "cut"
    assert len(answer.text) <= 2_100_000


async def test_a_reader_who_leaves_closes_the_connection_at_once() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Says("A black cat.", hold=asyncio.Event(), after=1))
        async with aclosing(model.answer([asks("?")], ASK)) as pieces:
            assert await anext(pieces) == "A "

        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert server.hung_up.is_set()


async def test_a_reader_who_is_cancelled_closes_the_connection_at_once() -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(Stalls())
        asking = asyncio.create_task(heard(model, [asks("?")]))
        await server.until_asked()
        asking.cancel()

        await asyncio.wait_for(server.hung_up.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_finished_answer_leaves_its_connection_to_the_next() -> None:
    async with ModelServer() as server, client(server) as model:
        connections = set()
        for _ in range(3):
            await heard(model, [asks("?")])
            connections |= {id(each) for each in server.runner.server.connections}  # type: ignore[union-attr]

    assert len(connections) == 1


# Nothing said.


@pytest.mark.parametrize(
    ("script", "words", "finish"),
    [
        (
            Says(
                "",
                finish="length",
                usage={
                    "prompt_tokens": 10,
                    "completion_tokens": 1000,
                    "completion_tokens_details": {"reasoning_tokens": 1000},
                },
            ),
            "spent its 1,000 tokens thinking and said nothing",
            "length",
        ),
        (Says("", finish="length", usage=None, thoughts=["hm"]), "1,000 tokens thinking", "length"),
        (Says("", finish="content_filter"), "content filter", "filtered"),
        (Says(""), "said nothing; ask again", "stop"),
        (Says(" \n "), "said nothing; ask again", "stop"),
    ],
    ids=["thought too long", "thought untold", "filtered", "silent", "blank"],
)
async def test_an_answer_without_words_is_a_sentence_and_billed(
    script: Says, words: str, finish: str
) -> None:
    async with ModelServer() as server, client(server) as model:
        server.enqueue(script)

        _, answer = await heard(model, [asks("?")])

    assert words in answer.text
    assert answer.finish == finish
    assert answer.cost is not None
    assert answer.cost > 0


# What other servers do not know.


async def test_a_server_that_knows_only_max_tokens_is_asked_so_and_remembered() -> None:
    ask = replace(ASK, model="llava")
    refuses = ["max_completion_tokens", "stream_options"]
    async with (
        ModelServer(refuses=refuses) as server,
        client(server, limit_field="max_completion_tokens") as model,
    ):
        for _ in range(2):
            _, answer = await heard(model, [asks("?")], ask)

    assert answer.estimated
    fields = [set(asked.json) - {"messages", "model", "stream"} for asked in server.asked]
    assert fields == [
        {"max_completion_tokens", "stream_options"},
        {"max_tokens", "stream_options"},
        {"max_tokens"},
        {"max_tokens"},
    ]


async def test_an_older_name_for_a_new_model_is_put_right() -> None:
    async with ModelServer() as server, client(server, limit_field="max_tokens") as model:
        await heard(model, [asks("?")])
        await heard(model, [asks("?")])

    limits = [[name for name in asked.json if name.startswith("max_")] for asked in server.asked]
    assert limits == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]


async def test_a_server_that_refuses_both_names_is_not_asked_for_ever() -> None:
    refuses = ["max_completion_tokens", "max_tokens"]
    async with ModelServer(refuses=refuses) as server, client(server) as model:
        error = await failed(model)

    assert isinstance(error, PermanentError)
    assert len(server.asked) == 2


async def test_questions_that_learn_the_same_at_once_are_all_answered() -> None:
    ask = replace(ASK, model="llava")
    refuses = ["max_completion_tokens", "stream_options"]
    async with (
        ModelServer(refuses=refuses) as server,
        client(server, limit_field="max_completion_tokens") as model,
    ):
        answers = await asyncio.gather(*[heard(model, [asks("?")], ask) for _ in range(8)])

    assert {answer.text for _, answer in answers} == {"I see 0 pictures."}


@pytest.mark.parametrize(
    ("host", "path", "asked_path", "query", "header", "cached"),
    [
        ("api.openai.com", "/v1", "/v1/chat/completions", "", "Authorization", True),
        ("eu.api.openai.com", "/v1/", "/v1/chat/completions", "", "Authorization", True),
        ("openrouter.ai", "/api/v1", "/api/v1/chat/completions", "", "Authorization", False),
        ("localhost", "/v1", "/v1/chat/completions", "", "Authorization", False),
        ("localhost", "/v1/chat/completions", "/v1/chat/completions", "", "Authorization", False),
        (
            "us.openai.azure.com",
            "/openai/deployments/eyes?api-version=2025-01-01",
            "/openai/deployments/eyes/chat/completions",
            "api-version=2025-01-01",
            "api-key",
            False,
        ),
        ("us.openai.azure.com", "/openai/v1", "/openai/v1/chat/completions", "", "api-key", False),
        ("api.openai.com.evil.test", "/v1", "/v1/chat/completions", "", "Authorization", False),
    ],
)
async def test_every_kind_of_address_is_asked_in_its_own_way(
    host: str, path: str, asked_path: str, query: str, header: str, cached: bool
) -> None:
    async with (
        ModelServer(key="sk-test") as server,
        client(server, host=host, path=path) as model,
    ):
        await heard(model, [asks("?")])
        asked: Asked = server.asked[0]

    assert (asked.path, asked.query) == (asked_path, query)
    assert "sk-test" in asked.headers[header]
    assert ("prompt_cache_key" in asked.json) == cached
    assert ("Authorization" in asked.headers) == (header == "Authorization")
    assert "temperature" not in asked.json
    assert links_allowed(at(server, host, path)) == cached


@pytest.mark.parametrize("url", ["", "ftp://x/v1", "http://", "http://[x/v1", "http://x:99999/v1"])
def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(SetupError, match="OPENAI_BASE_URL"):
        links_allowed(url)


# Pictures by their address.


async def test_an_address_that_the_api_cannot_fetch_is_left_out_and_named() -> None:
    shelf = Shelf()
    async with (
        ModelServer() as server,
        client(server, shelf, host="api.openai.com") as model,
    ):
        pictures = [link(1, "https://example.org/a.png"), shelf.picture(2)]
        server.enqueue(
            Fails(400, "invalid_image_url", "Timeout while downloading https://example.org/a.png."),
            "a cat",
        )

        _, answer = await heard(model, [asks("?", *pictures)])

    assert (answer.text, answer.unseen_links) == ("a cat", (1,))
    first, second = server.asked
    assert first.image_urls[0]["url"] == "https://example.org/a.png"
    assert second.pictures == list(shelf.kept.values())
    assert "Picture 1 (a.png) was not shown" in second.text


async def test_only_the_named_address_is_left_out_and_then_all() -> None:
    links = [link(n, f"https://example.org/{n}.png") for n in (1, 2, 3)]
    async with (
        ModelServer() as server,
        client(server, host="api.openai.com") as model,
    ):
        server.enqueue(
            Fails(
                400,
                "invalid_image_url",
                "Failed to download image from https://example.org/2.png",
            ),
            Fails(400, "invalid_image_url", "Error while downloading a file."),
            "nothing to see",
        )

        _, answer = await heard(model, [asks("?", *links)])

    assert [len(asked.image_urls) for asked in server.asked] == [3, 2, 0]
    assert answer.unseen_links == (1, 2, 3)


async def test_a_stored_picture_at_fault_leaves_the_addresses_alone() -> None:
    shelf = Shelf()
    async with (
        ModelServer() as server,
        client(server, shelf, host="api.openai.com") as model,
    ):
        server.enqueue(Fails(400, "invalid_image_format", "?", "messages[1].content[1].image_url"))
        turn = asks("?", shelf.picture(1), link(2, "https://example.org/a.png"))
        error = await failed(model, turn)

    assert isinstance(error, PictureRefused)
    assert (error.number, len(server.asked)) == (1, 1)


# The doctor's look.


async def test_the_probe_tells_key_and_model() -> None:
    async with ModelServer(key="sk-test", models=["gpt-4o"]) as server:
        async with client(server) as model:
            good, bad = await model.probe("gpt-4o"), await model.probe("gpt-9")
        async with client(server, key="sk-wrong") as model:
            wrong = await model.probe("gpt-4o")

    assert [check.ok for check in good] == [True, True]
    assert [check.ok for check in bad] == [True, False]
    assert "BOT_MODEL" in bad[1].text
    assert not wrong[1].ok
    assert "OPENAI_API_KEY" in wrong[1].text
    assert not any("sk-" in check.text for check in (*good, *bad, *wrong))


async def test_the_probe_finds_nobody_at_home() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        async with ModelServer() as server, client(server, url=url) as model:
            (check,) = await model.probe("gpt-4o")

    assert not check.ok
    assert "OPENAI_BASE_URL" in check.text
