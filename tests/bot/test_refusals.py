"""What servers answer instead of words, and what people are told then."""

import aiohttp
import pytest

from bot.errors import (
    Outage,
    PermanentError,
    PictureRefused,
    RateLimited,
    SetupError,
    ThreadsightError,
)
from bot.model import ChatCompletions
from bot.pricing import Prices
from tests.bot.asking import Shelf, asks, client, failed, heard
from tests.servers.openai import Fails, ModelServer, Resets, Script, Sends

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
    "no endpoint": (
        Fails(404, None, "No endpoints available matching your data policy"),
        SetupError,
        "BOT_MODEL",
    ),
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
    "blind and old": (
        Fails(400, None, "json: cannot unmarshal array into Go field content of type string"),
        SetupError,
        None,
    ),
    "broken": (Fails(400, None, "illegal base64 data at input byte 5"), PictureRefused, None),
    "unreadable": (
        Fails(400, "sanitizer_server_error", "You uploaded an unsupported image."),
        PictureRefused,
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
