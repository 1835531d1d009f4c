"""A small server that speaks OpenAI's chat completions over a real socket, faults included.

It refuses what the API documents that it refuses, so that a test fails on a wrong request. Feed it
what it shall say and read what it was asked:

    async with ModelServer() as server:
        server.enqueue("a cat", Fails(429, retry_after="1"), Says("two cats", usage=None))
        ...
        assert server.asked[0].pictures[0] == jpeg
"""

import asyncio
import json
import re
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

from aiohttp import web

from tests.servers.openai_rules import Asked, Fails, Json, first_fault, no_twins

__all__ = ["Asked", "Fails", "ModelServer", "Resets", "Says", "Script", "Sends", "Stalls"]

MAX_BODY_BYTES = 128 * 1024 * 1024
Usage = Json | Literal["billed"] | None


@dataclass(frozen=True)
class Says:
    """An answer: streamed word by word, or at once to who did not ask for a stream."""

    text: str | Sequence[str]
    usage: Usage = "billed"
    """`billed` is the server's own count; None tells none, though it was asked to."""
    finish: str | None = "stop"
    hold: asyncio.Event | None = None
    """Waits for it after the words, before the end."""
    after: int | None = None
    """Waits after so many words already."""
    ignore_stream: bool = False
    """Answers with one JSON object whatever was asked."""
    done: bool = True
    """Whether `[DONE]` ends the stream."""
    drip: bool = False
    """Sends byte by byte."""
    crlf: bool = False
    usage_in_last_chunk: bool = False
    thoughts: Sequence[str] = ()
    named: str = ""
    """Another model's name than the one that was asked."""
    comments: int = 0
    """Keep-alive comments before the first word."""


@dataclass(frozen=True)
class Sends:
    """Any bytes under a 200, as they are; then the end, or a connection cut off."""

    chunks: Sequence[bytes]
    content_type: str = "text/event-stream"
    cut: bool = False
    hold: asyncio.Event | None = None
    """Waits for it after the chunks."""


@dataclass(frozen=True)
class Resets:
    """A connection reset before anything was answered, or while the question is being read."""

    while_reading: bool = False


@dataclass(frozen=True)
class Stalls:
    """Takes the question and says nothing, or only headers and comments, until the client goes."""

    headers: bool = False
    comments: bool = False


Script = Says | Fails | Sends | Resets | Stalls


class ModelServer:
    """The server: `async with ModelServer() as server`, then `server.url`."""

    def __init__(
        self,
        *,
        key: str | None = None,
        models: Sequence[str] | None = None,
        refuses: Sequence[str] = (),
        bill: Callable[[Asked], Json] | None = None,
        validate: bool = True,
    ) -> None:
        self.key = key
        self.models = models
        self.refuses = set(refuses)
        """Fields that it does not know, as an older or another server."""
        self.bill = bill or billed
        self.validate = validate
        self.asked: list[Asked] = []
        self.refused: list[Json] = []
        """The errors of requests that broke the API's rules."""
        self.scripts: deque[Script] = deque()
        self.arrived = asyncio.Condition()
        self.hung_up = asyncio.Event()
        """Set when a client goes before its answer has ended."""
        self.speaking = 0
        self.port = 0

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL would be."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/{base:.*}/models", self.list_models)
        app.router.add_post("/{base:.*}/chat/completions", self.complete)
        self.runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.runner.cleanup()

    def enqueue(self, *scripts: str | Script) -> None:
        """What the next requests are answered with; with none left, it counts their pictures."""
        self.scripts.extend(Says(each) if isinstance(each, str) else each for each in scripts)

    async def until_asked(self, times: int = 1) -> Asked:
        """Waits for so many requests and returns the last of them."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.asked) >= times)
        return self.asked[times - 1]

    async def list_models(self, request: web.Request) -> web.Response:
        """The models there are."""
        if refusal := self.unauthorized(request):
            return error_response(refusal)
        names = self.models or ("gpt-5.6-luna", "gpt-4o", "gpt-4o-mini")
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
        )

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One chat completion."""
        if self.scripts and self.scripts[0] == Resets(while_reading=True):
            self.scripts.popleft()
            await request.content.readany()
            reset(request)
            raise asyncio.CancelledError
        asked = Asked(request.path, request.query_string, request.headers, await request.read(), {})
        refusal = self.unauthorized(request) or self.read(asked)
        async with self.arrived:
            self.asked.append(asked)
            self.arrived.notify_all()
        if refusal is not None:
            self.refused.append(vars(refusal))
            return error_response(refusal)
        script = self.scripts.popleft() if self.scripts else Says(default_answer(asked))
        try:
            return await self.play(script, asked, request)
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up.set()
            raise

    def unauthorized(self, request: web.Request) -> Fails | None:
        """Refuses a wrong key, and echoes it as some providers do."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = given or request.headers.get("api-key", "")
        if self.key is None or given == self.key:
            return None
        return Fails(401, "invalid_api_key", f"Incorrect API key provided: {given}.")

    def read(self, asked: Asked) -> Fails | None:
        """Parses the body and finds the first thing that the API refuses."""
        try:
            asked.json.update(json.loads(asked.raw.decode(), object_pairs_hook=no_twins))
        except (ValueError, TypeError) as error:
            return Fails(400, None, f"We could not parse the JSON body of your request: {error}")
        return first_fault(asked, self.models, self.refuses) if self.validate else None

    async def play(self, script: Script, asked: Asked, request: web.Request) -> web.StreamResponse:
        """Answers as the script says."""
        match script:
            case Fails():
                return error_response(script)
            case Resets():
                reset(request)
                raise asyncio.CancelledError
            case Stalls():
                return await self.stall(script, request)
            case Sends():
                return await self.send(script, request)
        usage = self.bill(asked) if script.usage == "billed" else script.usage
        if script.ignore_stream or not asked.json.get("stream"):
            return web.json_response(whole_answer(asked, script, usage))
        return await self.stream(script, asked, usage, request)

    async def stream(
        self, script: Says, asked: Asked, usage: Json | None, request: web.Request
    ) -> web.StreamResponse:
        """The answer, word by word."""
        response = await started(request, "text/event-stream; charset=utf-8")
        events = stream_events(asked, script, usage)
        for index, event in enumerate(events):
            if script.hold is not None and index == held_at(script, len(events)):
                await script.hold.wait()
            data = event.replace(b"\n", b"\r\n") if script.crlf else event
            for start in range(0, len(data), 1 if script.drip else len(data)):
                await response.write(data[start : start + 1] if script.drip else data)
        await response.write_eof()
        return response

    async def send(self, script: Sends, request: web.Request) -> web.StreamResponse:
        """Bytes as they are."""
        response = await started(request, script.content_type)
        for chunk in script.chunks:
            await response.write(chunk)
        if script.hold is not None:
            await script.hold.wait()
        if script.cut:
            assert request.transport is not None
            request.transport.close()
            raise asyncio.CancelledError
        await response.write_eof()
        return response

    async def stall(self, script: Stalls, request: web.Request) -> web.StreamResponse:
        """Nothing, until the client goes."""
        response = web.StreamResponse()
        if script.headers or script.comments:
            response = await started(request, "text/event-stream")
        while script.comments:
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()
        return response


def billed(asked: Asked) -> Json:
    """The server's own count: made up, but the same for the same request."""
    prompt = 100 + 765 * len(asked.image_urls) + len(asked.text) // 4
    return {
        "prompt_tokens": prompt,
        "completion_tokens": 42,
        "total_tokens": prompt + 42,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def default_answer(asked: Asked) -> str:
    """What it says when nobody told it what to say."""
    return f"I see {len(asked.image_urls)} pictures."


def words(script: Says) -> list[str]:
    """The deltas of an answer."""
    return (
        re.findall(r"\S+\s*|\s+", script.text) if isinstance(script.text, str) else [*script.text]
    )


def held_at(script: Says, events: int) -> int:
    """The event before which the server waits: after the words, or after so many of them."""
    first = 1 + script.comments + len(script.thoughts)
    return first + (len(words(script)) if script.after is None else script.after)


def stream_events(asked: Asked, script: Says, usage: Json | None) -> list[bytes]:
    """The events of an answer, in order."""
    deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"reasoning_content": thought} for thought in script.thoughts]
    deltas += [{"content": word} for word in words(script)]
    chunks = [chunk(asked, [{"index": 0, "delta": each, "finish_reason": None}]) for each in deltas]
    if script.finish is not None:
        chunks.append(chunk(asked, [{"index": 0, "delta": {}, "finish_reason": script.finish}]))
    if usage is not None and script.usage_in_last_chunk:
        chunks[-1]["usage"] = usage
    elif usage is not None and asked.json.get("stream_options", {}).get("include_usage"):
        chunks.append(chunk(asked, []) | {"usage": usage})
    if script.named:
        chunks = [each | {"model": script.named} for each in chunks]
    events = [f"data: {json.dumps(each, ensure_ascii=False)}\n\n".encode() for each in chunks]
    events[0:0] = [b": keep-alive\n\n"] * script.comments
    return [*events, b"data: [DONE]\n\n"] if script.done else events


def chunk(asked: Asked, choices: list[Json]) -> Json:
    """One event's object."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": asked.json["model"],
        "choices": choices,
    }


def whole_answer(asked: Asked, script: Says, usage: Json | None) -> Json:
    """The object of an answer that is not streamed."""
    message = {"role": "assistant", "content": "".join(words(script)), "refusal": None}
    answer: Json = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": script.named or asked.json["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": script.finish}],
    }
    return answer if usage is None else answer | {"usage": usage}


def error_response(script: Fails) -> web.Response:
    """An error as the API tells it."""
    extra = dict(script.headers)
    if script.retry_after is not None:
        extra["Retry-After"] = script.retry_after
    if script.body is not None:
        return web.Response(
            status=script.status, body=script.body, content_type="text/html", headers=extra
        )
    error = {
        "message": script.message,
        "type": script.type,
        "param": script.param,
        "code": script.code,
    }
    return web.json_response({"error": error}, status=script.status, headers=extra)


async def started(request: web.Request, content_type: str) -> web.StreamResponse:
    """A response whose headers are out."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    return response


def reset(request: web.Request) -> None:
    """Ends the connection with a reset, not with an end."""
    assert request.transport is not None
    sock = request.transport.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
