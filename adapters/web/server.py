"""The page's server: static files, one stream of events, and a few things that people can do."""

import asyncio
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from adapters.web import commands
from adapters.web.channel import MAX_FILES, MAX_TEXT, Channel
from adapters.web.feed import event
from adapters.web.guard import Guard, middleware
from adapters.web.nouns import BOT, PERSON, Invitation, Json, Post, card, question_of
from adapters.web.tables import spelled
from adapters.web.uploads import Uploads
from bot.domain import Card, Person, Proposal
from bot.errors import PermanentError
from bot.ports import Desk

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
MAX_JSON_BYTES = 1_500_000  # a question of the longest text, however its characters are escaped
BEAT_SECONDS = 15.0  # between two signs of life on a quiet stream
WRITE_SECONDS = 20.0  # a tab that takes nothing for so long is gone
COMMAND_SECONDS = 20.0
BODY_SECONDS = 30.0  # for a message to come whole

UNREADABLE = "The page's server does not understand this request; reload the page."
CUT = "This message did not come whole; send it again."
NO_FILE = "This picture is not here."


class Server:
    """Everything that the browser asks for."""

    def __init__(
        self,
        channel: Channel,
        uploads: Uploads,
        desk: Desk,
        *,
        about: str,
        invitation: Invitation | None = None,
    ) -> None:
        self.channel = channel
        self.uploads = uploads
        self.desk = desk
        self.about = about
        self.invitation = invitation
        self.page = {path.name: Static(path) for path in PAGE.iterdir() if path.suffix in TYPES}

    def app(self, guard: Guard) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=MAX_JSON_BYTES, middlewares=[middleware(guard)])
        app.on_response_prepare.append(guard.protect)
        app.router.add_get("/", self.static)
        app.router.add_get("/{name}", self.static)
        app.router.add_get("/api/events", self.events, allow_head=False)
        app.router.add_get("/api/threads", self.threads)
        app.router.add_get("/api/invitation", self.invited)
        app.router.add_post("/api/files", self.upload)
        app.router.add_get("/api/files/{id}", self.file)
        app.router.add_delete("/api/files/{id}", self.drop)
        app.router.add_post("/api/posts", self.post)
        app.router.add_put("/api/posts/{id}", self.edit)
        app.router.add_delete("/api/posts/{id}", self.delete)
        app.router.add_post("/api/commands", self.command)
        app.router.add_post("/api/press", self.press)
        return app

    async def static(self, request: web.Request) -> web.Response:
        """A file of the page."""
        found = self.page.get(request.match_info.get("name", "index.html"))
        if found is None:
            raise web.HTTPNotFound
        if request.headers.get("If-None-Match") == found.tag:
            return web.Response(status=304, headers=found.headers)
        return web.Response(body=found.data, headers=found.headers, content_type=found.type)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The whole picture, then what happens, until the tab goes."""
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        async with self.channel.feed.listen() as listener:
            whole = event("picture", self.introduction() | await self.channel.picture())
            await response.prepare(request)
            try:
                await written(response, f"retry: 1000\n\n{whole}")
                while True:
                    try:
                        async with asyncio.timeout(BEAT_SECONDS):
                            line = await listener.get()
                    except TimeoutError:
                        line = ": still here\n\n"
                    if line is None:
                        break
                    await written(response, line)
            except (ConnectionError, TimeoutError):
                # The tab was closed; it comes back by itself if anybody still looks at it.
                return response
        return response

    async def threads(self, request: web.Request) -> web.Response:
        """Older threads."""
        try:
            before = int(request.query["before"])
        except (KeyError, ValueError) as error:
            raise web.HTTPBadRequest from error
        return web.json_response(await self.channel.picture(min(max(before, 0), 1 << 62)))

    async def invited(self, request: web.Request) -> web.StreamResponse:
        """The picture that people are invited to ask about."""
        if self.invitation is None:
            raise web.HTTPNotFound
        return web.FileResponse(self.invitation.picture)

    async def upload(self, request: web.Request) -> web.Response:
        """Takes in a file, its bytes as they are."""
        name = request.query.get("name", "")
        upload = await self.uploads.receive(name, request.content, request.content_length)
        return web.json_response(upload.json, status=201)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A picture; anything else is not served, so that nothing uploaded can be run here."""
        upload = await self.channel.run(self.channel.memory.upload, request.match_info["id"])
        path = upload and self.channel.memory.path_of(upload.id)
        if not upload or not upload.media_type or not path or not path.is_file():
            raise web.HTTPNotFound(reason=NO_FILE.rstrip("."))
        return web.FileResponse(
            path,
            headers={
                "Content-Type": upload.media_type,
                "Content-Disposition": f"inline; filename*=UTF-8''{quote(upload.name, safe='')}",
                "Content-Security-Policy": "default-src 'none'; sandbox",
            },
        )

    async def drop(self, request: web.Request) -> web.Response:
        """Forgets a file that was not posted."""
        await self.channel.run(self.channel.memory.drop, request.match_info["id"])
        return web.json_response({})

    async def post(self, request: web.Request) -> web.Response:
        """Posts; a repeated request with the same key posts once."""
        body = await body_of(request)
        key = string(body, "key")
        if not key or len(key) > 100:
            raise PermanentError(UNREADABLE)
        root = string(body, "root") or None
        post = await self.channel.post(key, string(body, "text"), root, strings(body, "files"))
        return web.json_response(post.json, status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """Replaces the words of a post."""
        text = string(await body_of(request), "text")
        return web.json_response((await self.channel.edit(request.match_info["id"], text)).json)

    async def delete(self, request: web.Request) -> web.Response:
        """Erases a post."""
        await self.channel.delete(request.match_info["id"])
        return web.json_response({})

    async def command(self, request: web.Request) -> web.Response:
        """Answers a command, privately."""
        body = await body_of(request)
        text, memory = string(body, "text"), self.channel.memory
        uploads = await self.channel.run(commands.chosen, memory, tuple(strings(body, "files")))
        if not uploads and commands.wants_recent(text):
            uploads = tuple(await self.channel.run(memory.recent, commands.RECENT))
        command = commands.command(text, string(body, "root") or None, uploads)
        if command is None:
            return web.json_response(card(commands.UNKNOWN))
        async with asyncio.timeout(COMMAND_SECONDS):
            answer = await self.desk.run(command)
        return web.json_response(await self.shown(answer))

    async def press(self, request: web.Request) -> web.Response:
        """Presses a button: what comes of it is a card, a post, or what everybody sees anyway."""
        token = string(await body_of(request), "token")
        async with asyncio.timeout(COMMAND_SECONDS):
            answer = await self.desk.press(token, Person(PERSON, administrator=True))
        if isinstance(answer, Proposal):
            return web.json_response({"post": (await self.propose(token, answer)).json})
        return web.json_response(await self.shown(answer) if answer else {})

    async def shown(self, answer: Card) -> Json:
        """A card, after what it says is gone is gone."""
        await self.channel.unsay([question_of(post.id) for post in answer.erased])
        return card(answer)

    async def propose(self, token: str, proposal: Proposal) -> Post:
        """Posts a question for the person, once for each button."""
        key = f"ask-{token}"
        if known := await self.channel.run(self.channel.memory.posted, key):
            return known
        files = [(await self.uploads.again(each.id)).id for each in proposal.attachments]
        text = f"@{BOT} {proposal.text}".strip()
        return await self.channel.post(
            key, text, proposal.place.root or None, files, proposal.options
        )

    def introduction(self) -> Json:
        """What a tab must know before anything else."""
        invitation = self.invitation
        return {
            "bot": BOT,
            "invitation": invitation and {"name": invitation.picture.name, "text": invitation.text},
            "about": self.about,
            "max_file_bytes": self.uploads.max_file_bytes,
            "max_files": MAX_FILES,
            "max_text": MAX_TEXT,
        }


class Static:
    """A file of the page, read once."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.type = TYPES[path.suffix]
        self.tag = f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'
        self.headers = {"ETag": self.tag, "Cache-Control": "no-cache"}


async def written(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text.encode("utf-8", "replace"))


async def body_of(request: web.Request, seconds: float = BODY_SECONDS) -> Json:
    """The JSON object that was sent; its size is bounded by the application."""
    try:
        async with asyncio.timeout(seconds):
            body = json.loads(await request.read())
    except TimeoutError as error:
        raise PermanentError(CUT) from error
    except (ValueError, RecursionError) as error:
        raise PermanentError(UNREADABLE) from error
    if not isinstance(body, dict):
        raise PermanentError(UNREADABLE)
    return body


def string(body: Json, name: str) -> str:
    """A text of the body; empty when it is not there."""
    value = body.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PermanentError(UNREADABLE)
    return spelled(value)


def strings(body: Json, name: str) -> list[str]:
    """A list of texts of the body."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise PermanentError(UNREADABLE)
    return [spelled(each) for each in value]
