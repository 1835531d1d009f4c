"""The loopback server: one request → pictures looked at → an answer, streamed or whole."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bot import tokens
from bot.errors import SetupError
from bot.offline import wire, words
from bot.offline.eyes import Eyes
from bot.offline.pixels import Look, Unreadable
from bot.offline.reader import RapidReader, Reader, require
from bot.offline.wire import Asked, Bill, Finish, Heading, Refused

MAX_BODY_BYTES = 60_000_000
"""Above the 50 MB at which the real API was seen to refuse."""
BODY_SECONDS = 60
CLOSING_SECONDS = 0.1
"""Who asks is the same program, and has stopped asking by then."""
UNKNOWN_PICTURE_TOKENS = 85
"""For a model whose rule nobody knows: the base that the older models charge."""
OWNER = "threadsight"
NAME = "offline"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OfflineServer:
    """The offline model while it listens."""

    def __init__(self, eyes: Eyes, pace: float) -> None:
        self._eyes = eyes
        self._pace = pace
        self.url = ""
        """The address for `OPENAI_BASE_URL`, such as `http://127.0.0.1:40123/v1`."""

    async def warm(self, tell: Callable[[str], None] = lambda sentence: None) -> None:
        """Loads the text reader ahead and tells of it in sentences; raises SetupError."""
        tell("Loading the offline model …")
        began = time.monotonic()
        await self._eyes.ready()
        tell(f"The offline model is ready after {time.monotonic() - began:.1f} s.")

    async def models(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/models`."""
        return web.json_response({"object": "list", "data": [model(NAME)]})

    async def model(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/models/{name}`: it answers under any name and bills by that name's rule."""
        return web.json_response(model(request.match_info["name"]))

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        asked = await asyncio.to_thread(wire.parse, await body_of(request))
        looks = await self._look(asked)
        cost = await asyncio.to_thread(input_tokens, asked, looks)
        await self._eyes.ready()
        said = Saying(self._speak(asked, looks), asked.limit)
        heading = Heading(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), asked.model)
        if asked.stream:
            return await self._stream(request, heading, asked, said, cost)
        text = "".join([word async for word in said])
        return web.json_response(wire.completion(heading, text, said.finish, said.bill(cost)))

    async def _look(self, asked: Asked) -> list[Look]:
        """All pictures are decoded before a word is said, since a broken one is a refusal."""
        looks = []
        for picture in asked.pictures:
            try:
                looks.append(await self._eyes.look(picture.data))
            except Unreadable as error:
                raise Refused(
                    f"A picture cannot be read: {error}.",
                    param=picture.param,
                    code="invalid_image_format",
                ) from error
        return looks

    def _speak(self, asked: Asked, looks: list[Look]) -> AsyncIterator[str]:
        seen = [
            words.Seen(picture.number, picture.new, look, picture.part)
            for picture, look in zip(asked.pictures, looks, strict=True)
        ]
        return words.answer(
            asked.question, seen, lambda index: self._eyes.read(asked.pictures[index].data)
        )

    async def _stream(
        self, request: web.Request, heading: Heading, asked: Asked, said: "Saying", cost: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        await response.prepare(request)
        opening = {"role": "assistant", "content": "", "refusal": None}
        await response.write(wire.event(wire.chunk(heading, opening, usage_follows=asked.usage)))
        async for word in said:
            step = wire.chunk(heading, {"content": word}, usage_follows=asked.usage)
            await response.write(wire.event(step))
            await asyncio.sleep(self._pace)
        last = wire.chunk(heading, {}, finish=said.finish, usage_follows=asked.usage)
        await response.write(wire.event(last))
        if asked.usage:
            await response.write(wire.event(wire.usage_chunk(heading, said.bill(cost))))
        await response.write(wire.DONE)
        await response.write_eof()
        return response


class Saying:
    """An answer word by word, cut where its limit of tokens ends."""

    def __init__(self, paragraphs: AsyncIterator[str], limit: int | None) -> None:
        self._paragraphs = paragraphs
        self._limit = limit
        self._said: list[str] = []
        self.finish: Finish = "stop"

    async def __aiter__(self) -> AsyncIterator[str]:
        """The words, with the white space after them."""
        spent = 0
        async for paragraph in self._paragraphs:
            lead = "\n\n" if self._said else ""
            for word in re.findall(r"\s*\S+", lead + paragraph):
                # Counted apart, words are never fewer tokens than together.
                spent += tokens.text(word)
                if self._limit is not None and spent > self._limit:
                    self.finish = "length"
                    return
                self._said.append(word)
                yield word

    def bill(self, input_tokens: int) -> Bill:
        """What the call costs after the words said so far."""
        return Bill(input_tokens, tokens.text("".join(self._said)))


@asynccontextmanager
async def serve(
    *, pace: float = 0.02, reader: Reader | None = None
) -> AsyncIterator[OfflineServer]:
    """Listens on a free port of 127.0.0.1; `pace` is seconds a word. Raises SetupError."""
    if reader is None:
        require()
    eyes = Eyes(reader or RapidReader())
    server = OfflineServer(eyes, pace)
    # A client that hangs up ends its answer at once.
    runner = web.AppRunner(
        routes(server), handler_cancellation=True, access_log=None, shutdown_timeout=CLOSING_SECONDS
    )
    try:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()
        eyes.close()


def routes(server: OfflineServer) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[in_the_apis_form])
    app.router.add_post("/v1/chat/completions", server.complete)
    app.router.add_get("/v1/models", server.models)
    app.router.add_get("/v1/models/{name:.+}", server.model)
    return app


@web.middleware
async def in_the_apis_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is JSON, as the API's are."""
    try:
        return await handler(request)
    except Refused as error:
        return refusal(str(error), error.status, error.param, error.code)
    except SetupError as error:
        body = wire.error_body(error.sentence, kind="server_error", code="setup")
        return web.json_response(body, status=500)
    except web.HTTPRequestEntityTooLarge:
        return refusal("The request is larger than 60 MB.", 413, code="request_too_large")
    except web.HTTPException as error:
        return refusal(f"{request.method} {request.path}: {error.reason}.", error.status)


def refusal(
    sentence: str, status: int, param: str | None = None, code: str | None = None
) -> web.Response:
    body = wire.error_body(sentence, kind="invalid_request_error", param=param, code=code)
    return web.json_response(body, status=status)


async def body_of(request: web.Request) -> bytes:
    """The body, bounded in bytes and seconds; only JSON, which no web page can send unasked."""
    if request.content_type != "application/json":
        raise Refused("Send the request as application/json.", status=415)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Refused("The request did not come whole in a minute.", status=408) from error


def input_tokens(asked: Asked, looks: list[Look]) -> int:
    """What the request would count as on the model that it names."""
    rule = tokens.rule(asked.model)
    spent = tokens.overhead(asked.messages)
    spent += sum(tokens.text(text, asked.model) for text in asked.texts)
    for picture, look in zip(asked.pictures, looks, strict=True):
        count = rule.count(look.width, look.height, picture.detail)
        if count is None and rule.certainty != "unknown":
            raise Refused(
                "A picture has more patches than the model takes.",
                param=picture.param,
                code="image_too_large",
            )
        spent += UNKNOWN_PICTURE_TOKENS if count is None else count
    return spent


def model(name: str) -> wire.Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}
