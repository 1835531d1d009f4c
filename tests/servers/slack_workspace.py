"""A workspace of a small Slack: what people do in it, and how the app is told."""

import asyncio
import json
import secrets
import time
from collections import Counter, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.servers import slack_rules as rules
from tests.servers.slack_http import HttpDelivery
from tests.servers.slack_installs import Installs
from tests.servers.slack_rules import Json

LOOK_SECONDS = 0.02  # The bot tells nobody of what it does in its own process.
TEAM, BOT_USER, BOT_ID, CHANNEL, DIRECT = "T0HOME", "U0BOT", "B0BOT", "C0HALL", "D0ANN"
BOT_TOKEN, APP_TOKEN = "xoxb-right", "xapp-right"
SCOPES = (
    "app_mentions:read,channels:history,groups:history,im:history,mpim:history,chat:write,"
    "files:read,files:write,commands"
)


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
    team: str = TEAM


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
    answer: Json | None = None
    """What came with the acknowledgement, such as a form's mistakes."""


class Workspace(HttpDelivery, Installs):
    """One workspace, with one app in it, which hears over Socket Mode or HTTP."""

    def __init__(self) -> None:
        HttpDelivery.__init__(self)
        Installs.__init__(self)
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
        self.terse = False
        """Whether a post is answered with as little as the documentation's example shows."""
        self.cut = 0
        """Of conversations.replies: so many messages a page at most, and one call a minute; 0 for Tier 3."""
        self.agent = False
        """Whether the app is an agent, to which Slack gives a Stop of its own."""
        self.unthreads = False
        """Whether a stream under a message that is gone opens in the channel."""
        self.speed = 1.0
        """How many times as much as documented the limits let through."""
        self.sessions: list[tuple[str, str]] = []
        """Thread and status, as an agent sets it."""
        self.views: list[Json] = []
        """Forms that were opened."""
        self.triggers: dict[str, float] = {}
        """Trigger → when it was given."""
        self.trigger_seconds = 3.0
        self.sends: dict[str, str] = {}
        """Files on their way up: id → name."""
        self.whispers: list[Json] = []
        """What only one person sees, with its place."""
        self.calls: Counter[str] = Counter()
        self.statuses: list[tuple[str, str, float]] = []
        self.ephemeral: list[Json] = []
        self.first_signs: dict[str, float] = {}
        """Thread → when the bot first showed something in it."""
        self.deliveries: list[Delivery] = []
        self.redeliver_seconds = 3.0
        self.sockets: list[web.WebSocketResponse] = []
        self.tickets: set[str] = set()
        self.shut_doors = 0
        """So many sockets are refused, whatever their ticket."""
        self.connected = asyncio.Event()
        self.changed = asyncio.Event()
        self.foreign_tokens: list[str] = []
        """Authorization headers that came to a place outside the API and the files."""
        self._called: dict[str, deque[float]] = defaultdict(deque)
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

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

    def remove_file(self, identity: str) -> None:
        """A person deletes a file; in its messages a stub stays, which is nobody's edit."""
        del self.files[identity]
        stub = {"id": identity, "mode": "tombstone"}
        for name, channel in self.channels.items():
            for ts, message in channel.messages.items():
                if any(file["id"] == identity for file in message.get("files", ())):
                    before = dict(message)
                    kept = [stub if file["id"] == identity else file for file in message["files"]]
                    message["files"] = kept
                    self.tell_changed(ts, before, name)
        self.event({"type": "file_deleted", "file_id": identity, "event_ts": self.now()})

    def stop_by_hand(
        self, ts: str, channel: str = CHANNEL, user: str = "U0ANN", *, told: bool = True
    ) -> None:
        """A person presses Slack's own Stop; of which an app is told that subscribed to it."""
        message = self.channels[channel].messages[ts]
        message.pop("streaming", None)
        message["stopped"] = True
        if not told:
            return
        self.event(
            {
                "type": "agent_session_stopped",
                "channel": channel,
                "thread_ts": message["thread_ts"],
                "streaming_message_ts": [ts],
                "user": user,
                "event_ts": self.now(),
            }
        )

    def command(self, name: str, text: str = "", channel: str = CHANNEL) -> Delivery:
        """A person types a slash command."""
        payload = {
            "command": name,
            "text": text,
            "team_id": TEAM,
            "channel_id": channel,
            "user_id": "U0ANN",
            "trigger_id": self.trigger(),
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
            "trigger_id": self.trigger(),
            "response_url": self.response_url(),
        }
        return self.send("interactive", payload)

    def press(
        self,
        value: str,
        *,
        message: Json | None = None,
        channel: str = CHANNEL,
        user: str = "U0ANN",
        action: str = "press:0",
        private: bool = False,
    ) -> Delivery:
        """A person presses a button, under a message or under what only they see."""
        under = message or {"ts": "1.5"}
        container = {"type": "message", "message_ts": under.get("ts"), "channel_id": channel}
        if under.get("thread_ts"):
            container["thread_ts"] = under["thread_ts"]
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": user},
            "channel": {"id": channel},
            "container": container | {"is_ephemeral": private},
            **({"message": rules.stored(message)} if message else {}),
            "actions": [{"type": "button", "action_id": action, "value": value}],
            "trigger_id": self.trigger(),
            "response_url": self.response_url(),
        }
        return self.send("interactive", payload)

    def submit(self, view: Json, values: dict[str, Json], user: str = "U0ANN") -> Delivery:
        """A person fills in a form, field by field, and sends it."""
        state = {
            block["block_id"]: {block["element"]["action_id"]: values.get(block["block_id"], {})}
            for block in view["blocks"]
            if block["type"] == "input"
        }
        payload = {
            "type": "view_submission",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "view": {**view, "id": "V1", "state": {"values": state}},
        }
        return self.send("interactive", payload)

    def trigger(self) -> str:
        """What opens one form within seconds."""
        trigger = secrets.token_hex(6)
        self.triggers[trigger] = time.monotonic()
        return trigger

    def response_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/respond/{secrets.token_hex(4)}"

    def event(self, event: Json, **more: object) -> Delivery:
        """Tells the app of something, in the envelope of the Events API."""
        place = self.channels.get(str(event.get("channel")))
        team = TEAM if place is None else place.team
        whole = team in self.members
        organisation = {"enterprise_id": self.members.get(team), "is_enterprise_install": whole}
        body = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": "A0APP",
            "event": event,
            "event_id": f"Ev{secrets.token_hex(5)}",
            "event_time": int(time.time()),
            "authorizations": [
                {"team_id": team, "user_id": BOT_USER, "is_bot": True, **organisation}
            ],
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
        """Waits until something holds that a call, an envelope or what the bot makes of them brings about."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
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
        if self.request_url:
            await self.deliver_by_http(delivery)
            return
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
        if self.shut_doors > 0:
            self.shut_doors -= 1
            raise web.HTTPServiceUnavailable
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
                delivery.answer = answer.get("payload")
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
