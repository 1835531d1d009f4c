"""A small Discord: one server with channels and people, its REST API and its file host.

It speaks API v10 as documented, keeps what a person would see, and refuses what Discord refuses. Its gateway
is in `discord_gateway.py`. Faults are put in with `faults`.
"""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.servers.discord_gateway import GatewayServer
from tests.servers.discord_interactions import Interactions, check_files, posted

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EPOCH = 1_420_070_400_000
TEXT, DM, THREAD, VOICE, FORUM = 0, 1, 11, 2, 15
ANNOUNCEMENTS, ANNOUNCEMENT_THREAD, STAGE = 5, 10, 13
COUNTED = frozenset({401, 403, 429})
SUPPRESS_EMBEDS = 1 << 2
HAS_THREAD = 1 << 5
MENTIONS = {
    "everyone": re.compile(r"@(?:everyone|here)"),
    "users": re.compile(r"<@!?(\d+)>"),
    "roles": re.compile(r"<@&(\d+)>"),
}
# Requests in a window of seconds, for each channel, as observed.
LIMITS = {
    "POST /channels/{channel}/messages": (5, 5.0),
    "PATCH /channels/{channel}/messages/{message}": (5, 5.0),
    "DELETE /channels/{channel}/messages/{message}": (5, 1.0),
    "POST /channels/{channel}/typing": (5, 5.0),
}
GENEROUS = (50, 1.0)
SOMEBODY: Json = {"discriminator": "0", "avatar": None, "global_name": None, "public_flags": 0}


@dataclass
class Fault:
    """What happens to the next requests of a kind: refused with a status, late, or done with the answer lost."""

    kind: Literal["status", "late", "lost", "reset"]
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Json | None = None
    text: str = ""
    """What is answered instead of JSON."""
    until: asyncio.Event = field(default_factory=asyncio.Event)
    after: int = 0
    """So many requests are spared first."""


@dataclass
class Window:
    """A rate-limit bucket."""

    left: int
    ends: float


class Refusal(Exception):
    """An error as Discord words it."""

    def __init__(self, status: int, code: int, message: str = "") -> None:
        self.status = status
        self.body = {"message": message or f"Error {code}", "code": code}


class DiscordServer:
    """Discord, as far as a bot can tell."""

    token = "bot-token"
    guild = "1000"
    channel = "1001"
    bot = "42"
    application = "43"
    role = "44"

    def __init__(self, *, limits: bool = True) -> None:
        self.limits = limits
        self.content_intent = True
        self.content_flag = True
        """Whether the application's flags grant the intent."""
        self.shards = 1
        self.guilds = [self.guild]
        self.remaining = 990
        """Identifies left for the day."""
        self.reset_after = 1000
        """Milliseconds until there are more."""
        self.minds_nonces = True
        self.charset = ""
        """Added to the type of each answer; Discord adds nothing, but what stands before it may."""
        self.link_seconds = 86_400.0
        self.shift = 0.0
        """Seconds by which posts are younger than they are."""
        self.users: dict[str, Json] = {
            self.bot: {**SOMEBODY, "id": self.bot, "username": "threadsight", "bot": True}
        }
        self.owner = "700"
        self.roles: dict[str, str] = {self.guild: "0"}
        """Permissions of roles; everybody's has the server's id."""
        self.members: dict[str, list[str]] = {}
        """Roles of people."""
        self.channels: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = defaultdict(dict)
        self.files: dict[str, tuple[bytes, str]] = {}
        self.lost: dict[str, str] = {}
        """File id → how it is lost: `gone`, `html`, `short`, `huge`."""
        self.denied: set[tuple[str, str]] = set()
        """Channel and permission: view, send, threads, history."""
        self.faults: dict[str, Fault] = {}
        self.requests: list[str] = []
        self.typing: list[tuple[str, float]] = []
        self.pings: list[str] = []
        self.previews: list[str] = []
        self.shown: list[tuple[str, str, float]] = []
        """Message id, content and moment of each post and edit of the bot."""
        self.leaked: list[str] = []
        """File requests that carried the bot's token."""
        self.commands: list[Json] = []
        self.registered = 0
        self.changed = asyncio.Event()
        self.gateway = GatewayServer(self)
        self.interactions = Interactions(self)
        self.most_a_second = 0
        """Requests of all kinds together that are taken in a second; 0 for any number."""
        self.refused = 0
        """Answers that Discord counts against a bot: 401, 403 and 429."""
        self._starts: list[float] = []
        self._windows: dict[str, Window] = {}
        self._nonces: dict[str, str] = {}
        self._last = 0
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.add_channel(self.channel, TEXT)

    # What a test does before and after.

    async def start(self, port: int = 0) -> None:
        app = web.Application(middlewares=[self._guard], client_max_size=64 << 20)
        add, api = app.router.add_route, "/api/v10"
        add("GET", "/gateway", self.gateway.connect)
        add("GET", "/attachments/{channel}/{file}/{name}", self._file)
        for method, path, handler in self._routes():
            add(method, api + path, handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self.gateway.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    # What people do.

    def person(self, name: str) -> Json:
        for user in self.users.values():
            if user["username"] == name:
                return user
        user = {**SOMEBODY, "id": str(500 + len(self.users)), "username": name}
        self.users[user["id"]] = user
        return user

    def add_channel(self, channel: str, kind: int, **more: Any) -> Json:
        made: Json = {"id": channel, "type": kind, "last_message_id": None, **more}
        if kind != DM:
            made = {"guild_id": self.guild, "name": f"channel-{channel}", **made}
        self.channels[channel] = made
        return made

    async def say(
        self,
        content: str,
        files: Sequence[tuple[str, bytes, str]] = (),
        *,
        channel: str | None = None,
        author: str = "ann",
        reply_to: str | None = None,
        tell: bool = True,
        **more: Any,
    ) -> Json:
        """A person posts; `files` are name, bytes and type; `more` are fields of the message."""
        channel = channel or self.channel
        message = self._message(channel, self.person(author), content, **more)
        message["attachments"] = [self._attach(channel, *file) for file in files]
        if reply_to:
            message["type"] = 19
            message["message_reference"] = {
                "type": 0,
                "message_id": reply_to,
                "channel_id": channel,
            }
        self._keep(message)
        if tell:
            await self.tell("MESSAGE_CREATE", message)
        return message

    async def change(self, message: Json, content: str) -> None:
        """Its author edits a post."""
        message["content"] = content
        message["edited_timestamp"] = stamp()
        message["mentions"] = self._mentioned(content)
        await self.tell("MESSAGE_UPDATE", message)

    async def remove(self, message: str) -> None:
        """Somebody deletes a post."""
        channel = self.where(message)
        self._drop(channel, message)
        await self._tell_removed(channel, message)

    async def open_thread(self, message: str, *, name: str = "a thread") -> Json:
        """A person makes a thread from a post."""
        return await self._thread_at(self.where(message), message, name, owner="500")

    async def forget_thread(self, thread: str) -> None:
        """Somebody deletes a thread."""
        channel = self.channels.pop(thread)
        self.messages.pop(thread, None)
        gone = {key: channel[key] for key in ("id", "guild_id", "parent_id", "type")}
        await self.gateway.dispatch("THREAD_DELETE", gone)

    async def press(self, message: Json, label: str, *, author: str = "ann") -> Json:
        """Somebody presses a button under a post; returns what they see of the answer, as it comes."""
        return await self.interactions.press(message, label, author=author)

    async def use(self, data: Json, **more: Any) -> Json:
        """Somebody uses a command; returns what they see of the answer, as it comes."""
        return await self.interactions.use(data, **more)

    async def answer_to(self, data: Json, **more: Any) -> Json:
        """Somebody uses a command; returns what they see once there is an answer."""
        seen = await self.use(data, **more)
        await self.until(lambda: bool(seen["contents"]))
        return seen

    async def form_of(self, data: Json, **more: Any) -> Json:
        """Somebody uses a command; returns the form that opens."""
        seen = await self.use(data, **more)
        await self.until(lambda: seen["modal"] is not None)
        return dict(seen["modal"])

    # What people see.

    def where(self, message: str) -> str:
        return next(channel for channel, held in self.messages.items() if message in held)

    def posts(self, channel: str) -> list[Json]:
        """The bot's posts in a channel, oldest first."""
        held = self.messages.get(channel, {})
        return [each for each in held.values() if each["author"]["id"] == self.bot]

    def contents(self, channel: str) -> list[str]:
        return [post["content"] for post in self.posts(channel)]

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Waits until people see something."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    # What the API does.

    def _routes(self) -> list[tuple[str, str, Handler]]:
        messages = "/channels/{channel}/messages"
        return [
            ("GET", "/users/@me", self._me),
            ("GET", "/users/@me/guilds", self._guilds),
            ("GET", "/guilds/{guild}", self._guild),
            ("GET", "/guilds/{guild}/members/{member}", self._member),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/applications/@me", self._application),
            ("GET", "/gateway/bot", self._gateway_bot),
            ("GET", "/applications/{application}/commands", self._list_commands),
            ("PUT", "/applications/{application}/commands", self._put_commands),
            ("GET", "/channels/{channel}", self._get_channel),
            ("PATCH", "/channels/{channel}", self._change_channel),
            ("POST", "/channels/{channel}/typing", self._typing),
            ("GET", messages, self._history),
            ("POST", messages, self._create),
            ("GET", messages + "/{message}", self._get_message),
            ("PATCH", messages + "/{message}", self._edit),
            ("DELETE", messages + "/{message}", self._delete),
            ("POST", messages + "/{message}/threads", self._start_thread),
            *self.interactions.routes(),
        ]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What happens to every request: faults, the token, the limits, and errors as JSON."""
        path = request.match_info.route.resource
        kind = f"{request.method} {path.canonical if path else request.path}".replace(
            "/api/v10", ""
        )
        self.requests.append(kind)
        self.changed.set()
        headers: dict[str, str] = {}
        try:
            fault = self._fault(kind)
            if fault and fault.kind == "reset":
                assert request.transport
                request.transport.abort()
                raise Refusal(500, 0)
            if fault and fault.kind == "late":
                await fault.until.wait()
            if fault and fault.kind == "status":
                self.refused += fault.status in COUNTED
                return self._faulty(fault)
            if "/api/" in request.path:
                self._authorise(request, kind)
                headers |= self._count(request, kind)
            response = await handler(request)
            if fault and fault.kind == "lost":
                assert request.transport
                request.transport.abort()
        except Refusal as refusal:
            self.refused += refusal.status in COUNTED
            headers |= (
                {"Retry-After": str(refusal.body["retry_after"])} if refusal.status == 429 else {}
            )
            response = told_as_json(refusal.body, status=refusal.status)
        if not isinstance(response, web.WebSocketResponse) and not response.prepared:
            response.headers.update(headers | {"Via": "1.1 google"})
            if response.content_type == "application/json":
                response.headers["Content-Type"] = "application/json" + self.charset
        return response

    def _faulty(self, fault: Fault) -> web.Response:
        response = told_as_json(fault.body or {}, status=fault.status)
        if fault.text:
            response = web.Response(text=fault.text, status=fault.status, content_type="text/html")
        response.headers.update(fault.headers)
        return response

    def _fault(self, kind: str) -> Fault | None:
        fault = self.faults.get(kind)
        if fault is None:
            return None
        if fault.after:
            fault.after -= 1
            return None
        fault.times -= 1
        if fault.times <= 0:
            del self.faults[kind]
        return fault

    def _authorise(self, request: web.Request, kind: str) -> None:
        open_paths = ("/interactions/", "/webhooks/")
        if any(path in kind for path in open_paths):
            return
        if request.headers.get("Authorization") != f"Bot {self.token}":
            raise Refusal(401, 0, "401: Unauthorized")

    def _count_all(self) -> None:
        """Counts a request among all of the bot's."""
        if not self.most_a_second:
            return
        now = time.monotonic()
        self._starts = [at for at in self._starts if at > now - 1.0]
        if len(self._starts) >= self.most_a_second:
            refusal = Refusal(429, 0, "You are being rate limited.")
            refusal.body |= {"retry_after": round(self._starts[0] + 1.0 - now, 3), "global": True}
            raise refusal
        self._starts.append(now)

    def _count(self, request: web.Request, kind: str) -> dict[str, str]:
        """Counts a request in its bucket; the headers say what is left."""
        if "/interactions/" in kind or not self.limits:
            return {}
        self._count_all()
        most, seconds = LIMITS.get(kind, GENEROUS)
        key = f"{kind}:{request.match_info.get('channel', '')}"
        now = time.time()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = Window(most, now + seconds)
        after = window.ends - now
        if window.left == 0:
            refusal = Refusal(429, 0, "You are being rate limited.")
            refusal.body |= {"retry_after": round(after, 3), "global": False}
            raise refusal
        window.left -= 1
        return {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(window.left),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(kind.encode()).hexdigest(),
        }

    async def _me(self, request: web.Request) -> web.Response:
        return told_as_json(self.users[self.bot])

    async def _guilds(self, request: web.Request) -> web.Response:
        return told_as_json([{"id": each, "name": "a server"} for each in self.guilds])

    async def _guild(self, request: web.Request) -> web.Response:
        if request.match_info["guild"] != self.guild:
            raise Refusal(404, 10004, "Unknown Guild")
        roles = [{"id": role, "permissions": may} for role, may in self.roles.items()]
        return told_as_json({"id": self.guild, "owner_id": self.owner, "roles": roles})

    async def _member(self, request: web.Request) -> web.Response:
        member = request.match_info["member"]
        if request.match_info["guild"] != self.guild or member not in self.members:
            raise Refusal(404, 10007, "Unknown Member")
        return told_as_json({"user": {"id": member}, "roles": self.members[member]})

    async def _application(self, request: web.Request) -> web.Response:
        owner = {**SOMEBODY, "id": "1", "username": "owner"}
        return told_as_json(
            {
                "id": self.application,
                "name": "threadsight",
                "icon": None,
                "description": "",
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": owner,
                "verify_key": "",
                "team": None,
                "flags": 1 << 19 if self.content_flag else 0,
            }
        )

    async def _gateway_bot(self, request: web.Request) -> web.Response:
        limit = {
            "total": 1000,
            "remaining": self.remaining,
            "reset_after": self.reset_after,
            "max_concurrency": 1,
        }
        told = {"url": self.gateway.url, "shards": self.shards, "session_start_limit": limit}
        self.remaining = self.remaining or 990
        return told_as_json(told)

    async def _list_commands(self, request: web.Request) -> web.Response:
        return told_as_json(self.commands)

    async def _put_commands(self, request: web.Request) -> web.Response:
        self.commands = [
            {
                "id": self.snowflake(),
                "application_id": self.application,
                "version": self.snowflake(),
                "default_member_permissions": None,
                "nsfw": False,
                "description": "",
                **command,
            }
            for command in await request.json()
        ]
        self.registered += 1
        self.changed.set()
        return told_as_json(self.commands)

    async def _get_channel(self, request: web.Request) -> web.Response:
        return told_as_json(self._channel(request))

    async def _change_channel(self, request: web.Request) -> web.Response:
        channel, payload = self._channel(request), await request.json()
        if channel["type"] != THREAD or channel.get("locked"):
            raise Refusal(403, 50013)
        channel["archived"] = payload["archived"]
        return told_as_json(channel)

    async def _typing(self, request: web.Request) -> web.Response:
        self.typing.append((self._channel(request)["id"], time.monotonic()))
        self.changed.set()
        return web.Response(status=204)

    async def _history(self, request: web.Request) -> web.Response:
        channel = self._channel(request)["id"]
        if (channel, "history") in self.denied:
            return told_as_json([])
        limit = int(request.query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise Refusal(400, 50035, "Invalid Form Body")
        ids = sorted(int(each) for each in self.messages[channel])
        if "after" in request.query:
            ids = [each for each in ids if each > int(request.query["after"])][:limit]
        if "before" in request.query:
            ids = [each for each in ids if each < int(request.query["before"])]
        found = [self.read(self.messages[channel][str(each)]) for each in ids[-limit:]]
        return told_as_json(found[::-1])

    async def _get_message(self, request: web.Request) -> web.Response:
        return told_as_json(self.read(self._found(request)))

    async def _create(self, request: web.Request) -> web.Response:
        channel, (payload, files) = self._channel(request), await posted(request)
        self._permit(channel, "send")
        if channel["type"] == FORUM:
            raise Refusal(400, 50008, "Cannot send messages in a non-text channel")
        if channel.get("locked"):
            raise Refusal(400, 160005)
        channel["archived"] = False
        self._check(payload)
        check_files(payload, files)
        nonce = payload.get("nonce")
        enforced = payload.get("enforce_nonce") and self.minds_nonces
        if nonce and enforced and nonce in self._nonces:
            return told_as_json(self.told(self.messages[channel["id"]][self._nonces[nonce]]))
        message = self._message(channel["id"], self.users[self.bot], payload["content"].strip())
        message["flags"] = payload.get("flags", 0)
        message["components"] = payload.get("components", [])
        message["attachments"] = [self._uploaded(channel["id"], *file) for file in files]
        self._refer(message, payload.get("message_reference"))
        self._keep(message)
        if nonce:
            self._nonces[nonce] = message["id"]
        self._published(message, payload)
        await self.tell("MESSAGE_CREATE", {**message, "nonce": nonce})
        return told_as_json(self.told(message))

    async def _edit(self, request: web.Request) -> web.Response:
        message, (payload, files) = self._found(request), await posted(request)
        if message["author"]["id"] != self.bot:
            raise Refusal(403, 50005)
        if self._channel(request).get("archived"):
            raise Refusal(400, 50083, "Thread is archived")
        self._check(payload)
        message["content"] = payload["content"].strip()
        message["flags"] = payload.get("flags", message["flags"])
        message["components"] = payload.get("components", message["components"])
        message["edited_timestamp"] = stamp()
        if "attachments" in payload:
            kept = {str(each["id"]) for each in payload["attachments"] if "filename" not in each}
            left = [each for each in message["attachments"] if each["id"] in kept]
            check_files(payload, files)
            new = [self._uploaded(message["channel_id"], *file) for file in files]
            message["attachments"] = left + new
        self._published(message, payload)
        await self.tell("MESSAGE_UPDATE", message)
        return told_as_json(self.told(message))

    async def _delete(self, request: web.Request) -> web.Response:
        message = self._found(request)
        if message["author"]["id"] != self.bot:
            raise Refusal(403, 50013)
        self._drop(message["channel_id"], message["id"])
        await self._tell_removed(message["channel_id"], message["id"])
        return web.Response(status=204)

    async def _start_thread(self, request: web.Request) -> web.Response:
        channel, payload = self._channel(request), await request.json()
        message = self._found(request)
        if channel["type"] not in (0, 5):
            raise Refusal(400, 50024)
        self._permit(channel, "threads")
        if not 1 <= len(payload.get("name", "")) <= 100 or payload.get(
            "auto_archive_duration", 60
        ) not in (60, 1440, 4320, 10080):
            raise Refusal(400, 50035, "Invalid Form Body")
        if message["id"] in self.channels:
            raise Refusal(400, 160004, "A thread has already been created for this message")
        made = await self._thread_at(channel["id"], message["id"], payload["name"], owner=self.bot)
        return told_as_json(made, status=201)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """The file host: a signed link, and no token."""
        if "Authorization" in request.headers:
            self.leaked.append(request.path)
        file, channel = request.match_info["file"], request.match_info["channel"]
        name, ex = request.match_info["name"], request.query.get("ex", "0")
        how = self.lost.get(file)
        signed = hmac.compare_digest(request.query.get("hm", ""), sign(channel, file, name, ex))
        if not signed or int(ex, 16) <= time.time() or how == "gone" or file not in self.files:
            return web.Response(status=404, text="This content is no longer available.")
        data, media_type = self.files[file]
        if how == "html":
            return web.Response(text="<html>Log in</html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": media_type})
        if how == "huge":
            response.enable_chunked_encoding()
            await response.prepare(request)
            while True:
                await response.write(bytes(1 << 20))
        response.content_length = len(data)
        await response.prepare(request)
        await response.write(data[: len(data) // 2] if how == "short" else data)
        if how == "short":
            assert request.transport
            request.transport.abort()
        return response

    # How things are.

    def snowflake(self) -> str:
        now = int((time.time() + self.shift) * 1000)
        self._last = max(self._last + 1, (now - EPOCH) << 22)
        return str(self._last)

    def told(self, message: Json) -> Json:
        """A message as Discord sends it: links signed anew, the message that it replies to inside."""
        told = {**message, "attachments": [self._signed(each) for each in message["attachments"]]}
        told["message_snapshots"] = [
            {
                "message": {
                    **each,
                    "attachments": [self._signed(file) for file in each["attachments"]],
                }
            }
            for each in message.get("snapshots", [])
        ]
        reference = message.get("message_reference")
        if reference and reference.get("type", 0) == 0:
            held = self.messages.get(reference["channel_id"], {}).get(reference["message_id"])
            told["referenced_message"] = held and {
                **held,
                "attachments": [self._signed(each) for each in held["attachments"]],
            }
        return {key: value for key, value in told.items() if key != "snapshots"}

    def read(self, message: Json) -> Json:
        """A message as the API gives it to this bot."""
        told = self.told(message)
        return told if self.content_intent else self.veiled(told)

    async def tell(self, event: str, message: Json) -> None:
        self.changed.set()
        channel = self.channels[message["channel_id"]]
        where = {"guild_id": channel["guild_id"]} if "guild_id" in channel else {}
        await self.gateway.dispatch(event, {**self.told(message), **where})

    def veiled(self, data: Json) -> Json:
        """A message as an app without the message-content intent gets it; anything else as it is."""
        if "content" not in data or "channel_id" not in data:
            return data
        mine = data["author"]["id"] == self.bot or any(
            each["id"] == self.bot for each in data["mentions"]
        )
        shown = data
        if not mine and "guild_id" in self.channels[data["channel_id"]]:
            blank = {"content": "", "attachments": [], "embeds": [], "components": []}
            shown = {**data, **blank, "message_snapshots": []}
        if shown.get("referenced_message"):
            shown = {**shown, "referenced_message": self.veiled(shown["referenced_message"])}
        return shown

    def guild_state(self, guild: str = guild) -> Json:
        here = [each for each in self.channels.values() if each.get("guild_id") == guild]
        channels = [each for each in here if each["type"] != THREAD]
        threads = [each for each in here if each["type"] == THREAD]
        roles = [
            {"id": guild, "name": "@everyone"},
            {"id": self.role, "name": "threadsight", "tags": {"bot_id": self.bot}},
        ]
        return {
            "id": guild,
            "name": "a server",
            "unavailable": False,
            "channels": channels,
            "threads": threads,
            "roles": roles,
            "members": [],
            "member_count": 2,
        }

    def _message(self, channel: str, author: Json, content: str, **more: Any) -> Json:
        return {
            "id": self.snowflake(),
            "channel_id": channel,
            "author": author,
            "content": content,
            "timestamp": stamp(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": self._mentioned(content),
            "mention_roles": MENTIONS["roles"].findall(content),
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            "type": 0,
            "flags": 0,
            **more,
        }

    def _mentioned(self, content: str) -> list[Json]:
        return [
            self.users[each] for each in MENTIONS["users"].findall(content) if each in self.users
        ]

    def _attach(self, channel: str, name: str, data: bytes, media_type: str) -> Json:
        file = self.snowflake()
        self.files[file] = (data, media_type)
        return {
            "id": file,
            "filename": name,
            "content_type": media_type,
            "size": len(data),
            "channel": channel,
        }

    def _uploaded(self, channel: str, name: str, data: bytes) -> Json:
        return self._attach(channel, name, data, "application/octet-stream")

    def _signed(self, attachment: Json) -> Json:
        file, name, channel = attachment["id"], attachment["filename"], attachment["channel"]
        ex = f"{int(time.time() + self.link_seconds):x}"
        url = (
            f"http://127.0.0.1:{self.port}/attachments/{channel}/{file}/{name}"
            f"?ex={ex}&is=0&hm={sign(channel, file, name, ex)}&"
        )
        return {**attachment, "url": url, "proxy_url": url}

    def _keep(self, message: Json) -> None:
        self.messages[message["channel_id"]][message["id"]] = message
        self.channels[message["channel_id"]]["last_message_id"] = message["id"]

    def _drop(self, channel: str, message: str) -> None:
        if self.messages[channel].pop(message, None) is None:
            raise Refusal(404, 10008)
        self.changed.set()

    async def _tell_removed(self, channel: str, message: str) -> None:
        gone = {"id": message, "channel_id": channel}
        if "guild_id" in self.channels[channel]:
            gone["guild_id"] = self.channels[channel]["guild_id"]
        await self.gateway.dispatch("MESSAGE_DELETE", gone)

    async def _thread_at(self, channel: str, message: str, name: str, owner: str) -> Json:
        thread = self.add_channel(message, THREAD, name=name, parent_id=channel, owner_id=owner)
        root = self.messages[channel].get(message)
        if root:
            root["flags"] |= HAS_THREAD
            root["thread"] = thread
        await self.gateway.dispatch("THREAD_CREATE", {**thread, "newly_created": True})
        if root:
            await self.tell("MESSAGE_UPDATE", root)
        return thread

    def _channel(self, request: web.Request) -> Json:
        channel = self.channels.get(request.match_info["channel"])
        if channel is None:
            raise Refusal(404, 10003, "Unknown Channel")
        self._permit(channel, "view", code=50001)
        return channel

    def _found(self, request: web.Request) -> Json:
        held = self.messages[self._channel(request)["id"]]
        message = held.get(request.match_info["message"])
        if message is None:
            raise Refusal(404, 10008, "Unknown Message")
        return message

    def _permit(self, channel: Json, permission: str, *, code: int = 50013) -> None:
        if (channel["id"], permission) in self.denied:
            raise Refusal(403, code, "Missing Permissions")

    def _check(self, payload: Json) -> None:
        """What Discord refuses in a post."""
        content = payload.get("content")
        if not isinstance(content, str) or not content.strip():
            raise Refusal(400, 50006, "Cannot send an empty message")
        if max(len(content), len(content.encode("utf-16-le")) // 2) > 2000:
            raise Refusal(400, 50035, "Invalid Form Body")
        if len(str(payload.get("nonce") or "")) > 25:
            raise Refusal(400, 50035, "Invalid Form Body")
        rows = payload.get("components") or []
        buttons = [button for row in rows for button in row["components"]]
        tokens = {button["custom_id"] for button in buttons}
        fits = all(1 <= len(button["custom_id"]) <= 100 for button in buttons)
        fits = fits and all(1 <= len(button["label"]) <= 80 for button in buttons)
        fits = fits and len(rows) <= 5 and all(1 <= len(row["components"]) <= 5 for row in rows)
        if not fits or len(tokens) != len(buttons):
            raise Refusal(400, 50035, "Invalid Form Body")
        allowed = payload.get("allowed_mentions") or {}
        if any(
            kind in allowed.get("parse", []) and allowed.get(kind) for kind in ("users", "roles")
        ):
            raise Refusal(400, 50035, "Invalid Form Body")

    def _refer(self, message: Json, reference: Json | None) -> None:
        if reference is None:
            return
        channel = message["channel_id"]
        if (channel, "history") in self.denied:
            raise Refusal(403, 160002, "Cannot reply without permission to read message history")
        if reference["message_id"] in self.messages[channel]:
            message["type"] = 19
            message["message_reference"] = {
                "type": 0,
                "message_id": reference["message_id"],
                "channel_id": channel,
            }
        elif reference.get("fail_if_not_exists", True):
            raise Refusal(400, 50035, "Unknown message")

    def _published(self, message: Json, payload: Json) -> None:
        """Notes what people were shown, whom it called, and what it previewed."""
        content = message["content"]
        self.shown.append((message["id"], content, time.monotonic()))
        allowed = payload.get("allowed_mentions")
        parse = ["users", "roles", "everyone"] if allowed is None else allowed.get("parse", [])
        for kind in parse:
            self.pings += MENTIONS[kind].findall(content)
        replied = message.get("message_reference") and (allowed or {}).get("replied_user", True)
        if replied and message["edited_timestamp"] is None:
            self.pings.append("the person replied to")
        if "://" in content and not message["flags"] & SUPPRESS_EMBEDS:
            self.previews.append(content)
        self.changed.set()


def told_as_json(value: object, *, status: int = 200) -> web.Response:
    """An answer as Discord's API gives it: with no character set in its type."""
    body = json.dumps(value).encode()
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json"})


def sign(channel: str, file: str, name: str, ex: str) -> str:
    return hmac.new(b"key", f"{channel}/{file}/{name}/{ex}".encode(), "sha256").hexdigest()


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())
