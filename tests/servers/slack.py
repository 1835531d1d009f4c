"""A small Slack on this machine: its Web API, Socket Mode and files, over real sockets, faults included."""

import asyncio
import json
import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.servers import slack_rules as rules
from tests.servers.slack_rules import Json, Refusal

TEAM, BOT_USER, BOT_ID, CHANNEL, DIRECT = "T0HOME", "U0BOT", "B0BOT", "C0HALL", "D0ANN"
BOT_TOKEN, APP_TOKEN = "xoxb-right", "xapp-right"
SCOPES = (
    "app_mentions:read,channels:history,groups:history,im:history,mpim:history,chat:write,"
    "files:read,commands"
)
STREAM_SECONDS = 300.0
TIERS = {  # calls a minute and workspace
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.appendStream": 100,
    "chat.update": 50,
    "conversations.replies": 50,
}


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` calls of a method."""

    error: str = ""
    status: int = 200
    retry_after: float | None = None
    late: float = 0.0
    """Seconds before the call is looked at."""
    lost: bool = False
    """Done, but the connection breaks before the answer."""
    dropped: bool = False
    """Not done, and the connection breaks."""
    times: int = 1


@dataclass(slots=True)
class File:
    """A file and how it is given out."""

    info: Json
    data: bytes = b""
    status: int = 200
    html: bool = False
    stuck: bool = False
    """Never ends."""
    cut: bool = False
    """Ends before its length."""
    redirect: str = ""
    refusals: int = 0
    """So many times a 503 first."""


@dataclass(slots=True)
class Channel:
    """A conversation and its messages by timestamp."""

    kind: str = "channel"
    member: bool = True
    archived: bool = False
    messages: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Delivery:
    """An envelope on its way; Slack sends it again until it is acknowledged, three times at most."""

    kind: str
    payload: Json
    envelope: str = ""
    sent: int = 0
    sent_at: float = 0.0
    acked_at: float | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


class SlackServer:
    """One workspace, with one app in it."""

    def __init__(self) -> None:
        self.bot_tokens = {BOT_TOKEN}
        self.app_tokens = {APP_TOKEN}
        self.scopes = SCOPES
        self.app_scopes = "connections:write"
        self.channels: dict[str, Channel] = {CHANNEL: Channel(), DIRECT: Channel("im")}
        self.files: dict[str, File] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.unknown: set[str] = set()
        """Methods that this Slack does not have."""
        self.limits = False
        """Whether the tiers' limits hold."""
        self.calls: Counter[str] = Counter()
        self.statuses: list[tuple[str, str, float]] = []
        self.ephemeral: list[Json] = []
        self.first_signs: dict[str, float] = {}
        """Thread → when the bot first showed something in it."""
        self.deliveries: list[Delivery] = []
        self.redeliver_seconds = 3.0
        self.sockets: list[web.WebSocketResponse] = []
        self.tickets: set[str] = set()
        self.connected = asyncio.Event()
        self.changed = asyncio.Event()
        self.foreign_tokens: list[str] = []
        """Authorization headers that came to a place outside the API and the files."""
        self._called: dict[str, deque[float]] = defaultdict(deque)
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    # The people's side.

    async def start(self) -> Self:
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/api/{method}", self.api)
        app.router.add_get("/link/", self.link)
        app.router.add_get("/files-pri/{id}/{name}", self.give)
        app.router.add_get("/login", self.login)
        app.router.add_post("/respond/{id}", self.respond)
        app.router.add_route("*", "/elsewhere", self.elsewhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.drop_sockets()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def post(
        self,
        text: str,
        *,
        files: list[str] | None = None,
        user: str = "U0ANN",
        channel: str = CHANNEL,
        thread: str | None = None,
    ) -> str:
        """A person posts; Slack tells of it once as a message, and once more as a mention."""
        message: Json = {"type": "message", "user": user, "text": text, "ts": self.now()}
        if thread is not None:
            message["thread_ts"] = thread
        if files:
            message |= {"files": [self.files[name].info for name in files], "upload": True}
            message["subtype"] = "file_share"
        self.channels[channel].messages[message["ts"]] = message
        self.tell(message["ts"], channel)
        return str(message["ts"])

    def tell(self, ts: str, channel: str = CHANNEL) -> list[Delivery]:
        """Delivers a post's events."""
        place = self.channels[channel]
        message = {**rules.stored(place.messages[ts]), "channel": channel}
        event = message | {"channel_type": place.kind, "event_ts": ts}
        told = [self.event(event)]
        if f"<@{BOT_USER}" in message["text"] and place.kind != "im":
            mention = {key: value for key, value in message.items() if key != "subtype"}
            told.append(self.event(mention | {"type": "app_mention", "event_ts": ts}))
        return told

    def edit(self, ts: str, text: str, channel: str = CHANNEL) -> None:
        place = self.channels[channel]
        before = dict(place.messages[ts])
        edited = {"user": before["user"], "ts": self.now()}
        place.messages[ts] |= {"text": text, "edited": edited}
        self.tell_changed(ts, before, channel)

    def tell_changed(self, ts: str, before: Json, channel: str) -> None:
        place = self.channels[channel]
        self.event(
            {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "channel": channel,
                "channel_type": place.kind,
                "ts": self.now(),
                "message": rules.stored(place.messages[ts]),
                "previous_message": rules.stored(before),
            }
        )

    def delete(self, ts: str, channel: str = CHANNEL) -> None:
        """A person deletes a message; a thread's root leaves a tombstone."""
        place = self.channels[channel]
        before = place.messages.pop(ts)
        replies = any(message.get("thread_ts") == ts for message in place.messages.values())
        if replies:
            root = {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": ts}
            place.messages[ts] = root | {"text": "This message was deleted.", "thread_ts": ts}
            self.tell_changed(ts, before | {"thread_ts": ts}, channel)
            return
        self.event(
            {
                "type": "message",
                "subtype": "message_deleted",
                "hidden": True,
                "channel": channel,
                "channel_type": place.kind,
                "ts": self.now(),
                "deleted_ts": ts,
                "previous_message": rules.stored(before),
            }
        )

    def upload(self, data: bytes, name: str = "a.png", media_type: str = "image/png") -> File:
        """Puts a file into the workspace."""
        identity = f"F{len(self.files):08d}"
        address = f"http://127.0.0.1:{self.port}/files-pri/{identity}/{name}"
        info = {
            "id": identity,
            "name": name,
            "mimetype": media_type,
            "size": len(data),
            "mode": "hosted",
            "is_external": False,
            "url_private": address,
            "url_private_download": address,
        }
        self.files[identity] = File(info, data)
        return self.files[identity]

    def command(self, name: str, text: str = "", channel: str = CHANNEL) -> Delivery:
        """A person types a slash command."""
        payload = {
            "command": name,
            "text": text,
            "team_id": TEAM,
            "channel_id": channel,
            "user_id": "U0ANN",
            "trigger_id": "1.2.3",
            "response_url": self.response_url(),
        }
        return self.send("slash_commands", payload)

    def shortcut(self, ts: str, callback: str = "estimate", channel: str = CHANNEL) -> Delivery:
        """A person picks a message shortcut."""
        payload = {
            "type": "message_action",
            "callback_id": callback,
            "team": {"id": TEAM},
            "user": {"id": "U0ANN"},
            "channel": {"id": channel},
            "message": rules.stored(self.channels[channel].messages[ts]),
            "message_ts": ts,
            "trigger_id": "1.2.3",
            "response_url": self.response_url(),
        }
        return self.send("interactive", payload)

    def press(self, value: str) -> Delivery:
        """A person presses a button."""
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": "U0ANN"},
            "actions": [{"type": "button", "action_id": "press:0", "value": value}],
            "response_url": self.response_url(),
        }
        return self.send("interactive", payload)

    def response_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/respond/{secrets.token_hex(4)}"

    def event(self, event: Json, **more: object) -> Delivery:
        """Tells the app of something, in the envelope of the Events API."""
        body = {
            "type": "event_callback",
            "team_id": TEAM,
            "api_app_id": "A0APP",
            "event": event,
            "event_id": f"Ev{secrets.token_hex(5)}",
            "event_time": int(time.time()),
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        }
        return self.send("events_api", body | more)

    def thread(self, root: str, channel: str = CHANNEL) -> list[str]:
        """What people read of the bot in a thread, oldest first."""
        return [
            rules.shown(message)
            for ts, message in sorted(self.channels[channel].messages.items())
            if message.get("user") == BOT_USER and message.get("thread_ts") == root
        ]

    def own(self, channel: str = CHANNEL) -> list[Json]:
        """The bot's messages."""
        messages = self.channels[channel].messages.values()
        return [message for message in messages if message.get("user") == BOT_USER]

    async def until(self, condition: Any, seconds: float = 10.0) -> None:
        """Waits until something holds that any call or envelope may bring about."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def now(self) -> str:
        """A timestamp that nothing else has."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def moved(self) -> None:
        self.changed.set()

    # Socket Mode.

    def send(self, kind: str, payload: Json) -> Delivery:
        delivery = Delivery(kind, payload)
        self.deliveries.append(delivery)
        task = asyncio.get_running_loop().create_task(self.deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def deliver(self, delivery: Delivery) -> None:
        """To one of the open sockets; again when no acknowledgement comes, events only."""
        again = delivery.kind == "events_api"
        while delivery.acked_at is None and delivery.sent < (4 if again else 1):
            await self.connected.wait()
            socket = self.sockets[delivery.sent % len(self.sockets)]
            delivery.envelope = secrets.token_hex(8)
            envelope: Json = {
                "envelope_id": delivery.envelope,
                "type": delivery.kind,
                "payload": delivery.payload,
                "accepts_response_payload": not again,
            }
            if again:
                reason = "timeout" if delivery.sent else ""
                envelope |= {"retry_attempt": delivery.sent, "retry_reason": reason}
            delivery.sent += 1
            delivery.sent_at = delivery.sent_at or time.monotonic()
            try:
                await socket.send_str(json.dumps(envelope))
                self.moved()
                async with asyncio.timeout(self.redeliver_seconds):
                    await delivery.done.wait()
            except (TimeoutError, ConnectionError):
                continue

    async def link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            raise web.HTTPForbidden
        self.tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hello = {"type": "hello", "num_connections": len(self.sockets) + 1}
        await socket.send_str(json.dumps(hello | {"connection_info": {"app_id": "A0APP"}}))
        self.sockets.append(socket)
        self.connected.set()
        self.moved()
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self.acknowledge(json.loads(message.data))
        finally:
            self.sockets.remove(socket)
            if not self.sockets:
                self.connected.clear()
        return socket

    def acknowledge(self, answer: Json) -> None:
        for delivery in reversed(self.deliveries):
            if delivery.envelope == answer.get("envelope_id"):
                delivery.acked_at = time.monotonic()
                delivery.done.set()
                self.moved()
                return

    async def refresh(self) -> None:
        """Asks the app to connect anew, as Slack does every few hours."""
        for socket in list(self.sockets):
            reason = {"type": "disconnect", "reason": "refresh_requested", "debug_info": {}}
            await socket.send_str(json.dumps(reason))

    async def drop_sockets(self) -> None:
        """Closes all sockets without a word."""
        for socket in list(self.sockets):
            await socket.close()

    # The Web API.

    async def api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await arguments(request)
        self.calls[method] += 1
        fault = self.fault(method)
        if fault is not None:
            await asyncio.sleep(fault.late)
            if fault.dropped:
                return hang_up(request)
            if fault.status >= 500:
                return web.Response(
                    status=fault.status, text="<html>oops</html>", content_type="text/html"
                )
            if fault.retry_after is not None:
                return limited(fault.retry_after)
        answer: Json
        try:
            wait = self.overrun(method, args)
            if wait:
                return limited(wait)
            if fault is not None and fault.error:
                raise Refusal(fault.error)
            self.authorise(method, request, args)
            answer = {"ok": True} | self.answer(method, args)
        except Refusal as refusal:
            answer = {"ok": False, "error": refusal.code, **refusal.more}
        self.moved()
        if fault is not None and fault.lost:
            return hang_up(request)
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

    def fault(self, method: str) -> Fault | None:
        waiting = self.faults.get(method)
        if not waiting:
            return None
        fault = waiting[0]
        fault.times -= 1
        if fault.times <= 0:
            waiting.popleft()
        return fault

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of a method go wrong like this, one after the other."""
        self.faults[method].extend(faults)

    def overrun(self, method: str, args: Mapping[str, Any]) -> float:
        """Seconds to wait when a method is called too often; posts: one a second and channel, bursts of 5."""
        if not self.limits:
            return 0.0
        key, most, window = method, TIERS.get(method, 10**6), 60.0
        if method == "chat.postMessage":
            key, most, window = f"{method} {args.get('channel')}", 5, 5.0
        now, calls = time.monotonic(), self._called[key]
        while calls and calls[0] < now - window:
            calls.popleft()
        if len(calls) >= most:
            return max(1.0, round(calls[0] + window - now))
        calls.append(now)
        return 0.0

    def authorise(self, method: str, request: web.Request, args: Mapping[str, Any]) -> None:
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ") or str(args.get("token", ""))
        if not token:
            raise Refusal("not_authed")
        if method == "apps.connections.open":
            if token not in self.app_tokens:
                known = token in self.bot_tokens
                raise Refusal("not_allowed_token_type" if known else "invalid_auth")
            if "connections:write" not in self.app_scopes:
                raise Refusal("missing_scope", needed="connections:write", provided=self.app_scopes)
            return
        if token not in self.bot_tokens:
            raise Refusal("invalid_auth")
        needed = rules.SCOPES.get(method, "")
        if method.startswith("conversations."):
            needed = rules.HISTORY[str(args.get("channel", "C"))[0]]
        if needed and needed not in self.scopes.split(","):
            raise Refusal("missing_scope", needed=needed, provided=self.scopes)

    def answer(self, method: str, args: Json) -> Json:
        known = {
            "auth.test": self.auth_test,
            "apps.connections.open": self.open_connection,
            "chat.postMessage": self.post_message,
            "chat.update": self.update,
            "chat.delete": self.remove,
            "chat.startStream": self.start_stream,
            "chat.appendStream": self.append_stream,
            "chat.stopStream": self.stop_stream,
            "assistant.threads.setStatus": self.set_status,
            "conversations.replies": self.replies,
            "conversations.history": self.history,
            "files.info": self.file_info,
        }
        if method not in known or method in self.unknown:
            raise Refusal("unknown_method")
        return known[method](args)

    def auth_test(self, args: Json) -> Json:
        return {
            "url": "https://home.slack.com/",
            "team": "Home",
            "team_id": TEAM,
            "user": "threadsight",
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
        }

    def open_connection(self, args: Json) -> Json:
        ticket = secrets.token_hex(8)
        self.tickets.add(ticket)
        return {"url": f"ws://127.0.0.1:{self.port}/link/?ticket={ticket}"}

    def place(self, args: Json, *, writing: bool = False) -> Channel:
        channel = self.channels.get(str(args.get("channel") or args.get("channel_id")))
        if channel is None:
            raise Refusal("channel_not_found")
        if not channel.member:
            raise Refusal("not_in_channel")
        if channel.archived and writing:
            raise Refusal("is_archived")
        return channel

    def mine(self, args: Json) -> tuple[Channel, Json]:
        channel = self.place(args, writing=True)
        message = channel.messages.get(str(args.get("ts")))
        if message is None:
            raise Refusal("message_not_found")
        if message.get("user") != BOT_USER:
            raise Refusal("cant_update_message")
        return channel, message

    def post_message(self, args: Json) -> Json:
        channel = self.place(args, writing=True)
        rules.check_message(args, update=False)
        message: Json = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT_ID,
            "ts": self.now(),
            "text": str(args.get("text") or "")[: rules.TEXT_LIMIT],
            "blocks": args.get("blocks") or [],
        }
        if "http" in rules.shown(message) and args.get("unfurl_links") is not False:
            message["unfurled"] = True
        root = str(args.get("thread_ts") or "")
        if root in channel.messages:
            message["thread_ts"] = str(channel.messages[root].get("thread_ts", root))
        self.keep(channel, message, args)
        return {"channel": args["channel"], "ts": message["ts"], "message": rules.stored(message)}

    def keep(self, channel: Channel, message: Json, args: Json) -> None:
        channel.messages[message["ts"]] = message
        self.sign(str(message.get("thread_ts", "")))
        event = {**rules.stored(message), "channel": args["channel"], "channel_type": channel.kind}
        self.event(event)

    def sign(self, root: str) -> None:
        self.first_signs.setdefault(root, time.monotonic())

    def update(self, args: Json) -> Json:
        _, message = self.mine(args)
        if message.get("streaming"):
            raise Refusal("streaming_state_conflict")
        rules.check_message(args, update=True)
        before = dict(message)
        message |= {"text": args.get("text") or "", "blocks": args.get("blocks") or []}
        message.pop("streamed", None)
        self.tell_changed(message["ts"], before, args["channel"])
        return {"channel": args["channel"], "ts": message["ts"], "text": message["text"]}

    def remove(self, args: Json) -> Json:
        channel, message = self.mine(args)
        del channel.messages[message["ts"]]
        return {"channel": args["channel"], "ts": message["ts"]}

    def start_stream(self, args: Json) -> Json:
        channel = self.place(args, writing=True)
        if channel.kind != "im" and not args.get("recipient_user_id"):
            raise Refusal("missing_recipient_user_id")
        if channel.kind != "im" and not args.get("recipient_team_id"):
            raise Refusal("missing_recipient_team_id")
        root = str(args.get("thread_ts") or "")
        if not root:
            raise Refusal("invalid_arguments")
        if root not in channel.messages:
            raise Refusal("thread_not_found")
        message: Json = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT_ID,
            "ts": self.now(),
            "text": "",
            "thread_ts": root,
            "streamed": self.streamable(args),
            "streaming": time.monotonic(),
        }
        self.keep(channel, message, args)
        return {"channel": args["channel"], "ts": message["ts"]}

    def streamable(self, args: Json) -> str:
        text = str(args.get("markdown_text") or "")
        if len(text) > rules.MARKDOWN_LIMIT:
            raise Refusal("msg_too_long")
        return text

    def streaming(self, args: Json) -> Json:
        _, message = self.mine(args)
        started = message.get("streaming")
        if not started or time.monotonic() - started > STREAM_SECONDS:
            message.pop("streaming", None)
            raise Refusal("message_not_in_streaming_state")
        return message

    def append_stream(self, args: Json) -> Json:
        message = self.streaming(args)
        if not args.get("markdown_text"):
            raise Refusal("no_text")
        message["streamed"] += self.streamable(args)
        return {"channel": args["channel"], "ts": message["ts"]}

    def stop_stream(self, args: Json) -> Json:
        message = self.streaming(args)
        blocks = args.get("blocks") or []
        rules.check_blocks(blocks)
        before = dict(message)
        text = message["streamed"] + self.streamable(args)
        if len(text) + sum(map(len, rules.shown_blocks(blocks))) > rules.MESSAGE_LIMIT:
            raise Refusal("msg_blocks_too_long")
        del message["streaming"]
        message |= {"streamed": text, "blocks": blocks, "text": text[:4000]}
        self.tell_changed(message["ts"], before, args["channel"])
        return {"channel": args["channel"], "ts": message["ts"], "message": rules.stored(message)}

    def die(self, ts: str, channel: str = CHANNEL) -> None:
        """A stream ends as it does after five minutes."""
        self.channels[channel].messages[ts].pop("streaming", None)

    def set_status(self, args: Json) -> Json:
        self.place(args)
        self.statuses.append((args["thread_ts"], args["status"], time.monotonic()))
        self.sign(args["thread_ts"])
        return {}

    def replies(self, args: Json) -> Json:
        channel = self.place(args)
        root = str(args.get("ts"))
        if root not in channel.messages:
            raise Refusal("thread_not_found")
        found = [
            message
            for ts, message in sorted(channel.messages.items())
            if message.get("thread_ts") == root and ts != root and within(ts, args)
        ]
        return page([channel.messages[root], *found], args)

    def history(self, args: Json) -> Json:
        channel = self.place(args)
        newest = sorted(channel.messages.items(), reverse=True)
        tops = [message for ts, message in newest if message.get("thread_ts", ts) == ts]
        return page(tops, args)

    def file_info(self, args: Json) -> Json:
        file = self.files.get(str(args.get("file")))
        if file is None:
            raise Refusal("file_not_found")
        if "refused" in file.info:
            raise Refusal(str(file.info["refused"]))
        return {"file": file.info}

    # Files, response URLs and the world outside.

    async def give(self, request: web.Request) -> web.StreamResponse:
        file = self.files[request.match_info["id"]]
        if file.redirect:
            raise web.HTTPFound(file.redirect)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.bot_tokens or "files:read" not in self.scopes or file.html:
            raise web.HTTPFound("/login")
        if file.refusals > 0:
            file.refusals -= 1
            return web.Response(status=503)
        if file.status != 200:
            return web.Response(status=file.status)
        if not (file.stuck or file.cut):
            return web.Response(body=file.data, content_type="image/png")
        response = web.StreamResponse(headers={"Content-Length": str(len(file.data) + 10)})
        await response.prepare(request)
        await response.write(file.data)
        if file.stuck:
            await asyncio.sleep(60)
        return hang_up(request)

    async def login(self, request: web.Request) -> web.Response:
        return web.Response(text="<!DOCTYPE html><html>Sign in</html>", content_type="text/html")

    async def elsewhere(self, request: web.Request) -> web.Response:
        self.foreign_tokens.append(request.headers.get("Authorization", ""))
        return web.Response(body=b"secret")

    async def respond(self, request: web.Request) -> web.Response:
        answer = await request.json()
        if self.fault("respond") is not None:
            return web.Response(status=400, text="invalid_blocks")
        rules.check_blocks(answer.get("blocks") or [])
        self.ephemeral.append(answer)
        self.moved()
        return web.Response(text="ok")


async def arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    return {**request.query, **await request.post()}


def within(ts: str, args: Json) -> bool:
    oldest, latest = str(args.get("oldest") or "0"), str(args.get("latest") or "9" * 12)
    inclusive = str(args.get("inclusive", "")).lower() in ("1", "true")
    if inclusive and ts in (oldest, latest):
        return True
    return float(oldest) < float(ts) < float(latest)


def page(messages: list[Json], args: Json) -> Json:
    start, size = int(args.get("cursor") or 0), min(int(args.get("limit") or 100), 1000)
    more = start + size < len(messages)
    return {
        "messages": [rules.stored(message) for message in messages[start : start + size]],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + size) if more else ""},
    }


def limited(seconds: float) -> web.Response:
    headers = {"Retry-After": str(round(seconds))}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


def hang_up(request: web.Request) -> web.Response:
    """Breaks the connection instead of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
