"""Every kind of server: addresses, keys, fields that it does not know, the doctor's look."""

import asyncio
import socket
from dataclasses import replace

import pytest

from bot.errors import (
    PermanentError,
    SetupError,
)
from bot.model import links_allowed
from bot.model.endpoint import Endpoint, judged
from tests.bot.asking import ASK, asks, at, client, failed, heard
from tests.servers.openai import Asked, ModelServer


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


@pytest.mark.parametrize("listed", ["llava", "llava:latest", "models/llava"])
async def test_the_probe_knows_names_as_servers_list_them(listed: str) -> None:
    async with ModelServer(models=[listed]) as server, client(server) as model:
        checks = await model.probe("llava")

    assert all(check.ok for check in checks)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_probe_tells_a_fault_from_a_wrong_key(status: int) -> None:
    (check,) = judged(Endpoint.of("http://nowhere.test/v1", "sk-test"), "llava", status, b"")

    assert not check.ok
    assert "fault" in check.text


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}', b"[" * 100_000, b""])
def test_the_probe_knows_what_is_no_models_api(body: bytes) -> None:
    (check,) = judged(Endpoint.of("http://nowhere.test/v1", None), "llava", 200, body)

    assert not check.ok
    assert "OPENAI_BASE_URL" in check.text


async def test_the_probe_finds_nobody_at_home() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        async with ModelServer() as server, client(server, url=url) as model:
            (check,) = await model.probe("gpt-4o")

    assert not check.ok
    assert "OPENAI_BASE_URL" in check.text
