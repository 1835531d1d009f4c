"""The model's client against a real server on a real socket: answers."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

import pytest

from bot import tokens
from bot.domain import (
    Answer,
    Usage,
)
from bot.errors import (
    PictureRefused,
)
from bot.pricing import Prices
from tests.bot.asking import ASK, Shelf, asks, client, failed, heard, link, says
from tests.servers.openai import Fails, ModelServer, Says, Sends, Stalls


async def test_a_picture_and_a_question_are_answered_word_by_word_with_the_apis_own_usage() -> None:
    shelf = Shelf()
    async with ModelServer() as server, client(server, shelf) as model:
        server.enqueue(Says("A black cat.", usage={"prompt_tokens": 1203, "completion_tokens": 42}))
        picture = shelf.picture(1)

        words, answer = await heard(model, [asks("What is this?", picture)])

    assert words == ["A ", "black ", "cat."]
    assert answer == Answer(
        "A black cat.",
        "gpt-5.6-luna",
        Usage(1203, 42),
        Decimal("0.000291000"),
        "stop",
        answered_by="gpt-5.6-luna",
    )
    assert server.asked[0].pictures == list(shelf.kept.values())
    assert server.refused == []


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_that_answers_under_another_name_is_told_and_priced_as_asked(
    stream: bool,
) -> None:
    async with ModelServer() as server, client(server, Shelf()) as model:
        server.enqueue(Says("Hi.", named="house-model-2", ignore_stream=not stream))

        _, answer = await heard(model, [asks("What is this?")])

    assert (answer.model, answer.answered_by) == ("gpt-5.6-luna", "house-model-2")
    assert answer.cost == Prices().cost("gpt-5.6-luna", answer.usage)


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
        Says("Zwölf Katzen 🐈", done=False, finish=None),
        Says("Zwölf Katzen 🐈", ignore_stream=True),
        Says("Zwölf Katzen 🐈", thoughts=["hm", "well"]),
    ],
    ids=["drip", "crlf", "usage in last chunk", "no [DONE]", "no reason", "no stream", "thoughts"],
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
            assert server.runner.server is not None
            connections |= {id(each) for each in server.runner.server.connections}

    assert len(connections) == 1


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
    assert not answer.said
    assert answer.finish == finish
    assert answer.cost is not None
    assert answer.cost > 0


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
                "Failed to download image from 2.png. Image size exceeds the limit.",
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
