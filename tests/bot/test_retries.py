"""When the model is asked again, and when it must not be."""

import asyncio
import socket

import pytest

from bot.errors import (
    Outage,
    PictureUnseen,
    RateLimited,
    Stalled,
)
from tests.bot.asking import Shelf, asks, client, failed, heard
from tests.servers.openai import Fails, ModelServer, Resets, Script, Sends, Stalls


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
