"""The Web API of a small Slack: does what is documented, and refuses what is refused."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.servers import slack_rules as rules
from tests.servers.slack_rules import Json, Refusal
from tests.servers.slack_workspace import (
    BOT_ID,
    BOT_USER,
    CHANNEL,
    TEAM,
    Channel,
    Fault,
    Workspace,
)

STREAM_SECONDS = 300.0
TIERS = {  # calls a minute and workspace
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.appendStream": 100,
    "chat.update": 50,
    "conversations.replies": 50,
    "conversations.history": 50,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "files.info": 100,
    "views.open": 100,
}


class WebApi(Workspace):
    """The methods that a bot calls."""

    async def api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await arguments(request)
        self.calls[method] += 1
        self.moved()
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
            if method == "oauth.v2.access":
                answer = {"ok": True} | self.exchange(request, args)
            else:
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
        if not self.limits and not (self.cut and method == "conversations.replies"):
            return 0.0
        key, most, window = method, TIERS.get(method, 10**6), 60.0
        if method == "chat.postMessage":
            key, most, window = f"{method} {args.get('channel')}", 5, 5.0
        if method == "conversations.replies" and self.cut:
            most = 1
        window /= self.speed
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
        place = self.channels.get(str(args.get("channel") or args.get("channel_id")))
        if place is not None and not self.works_in(token, place.team):
            raise Refusal("channel_not_found")
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
            "chat.postEphemeral": self.whisper,
            "views.open": self.open_view,
            "files.getUploadURLExternal": self.begin_upload,
            "files.completeUploadExternal": self.complete_upload,
            "agents.sessions.setStatus": self.set_session,
            "users.info": self.user_info,
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
        self.check(args, update=False)
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
        told = rules.stored(message)
        if self.terse:
            told = {name: told[name] for name in ("type", "ts", "bot_id", "text")}
        return {"channel": args["channel"], "ts": message["ts"], "message": told}

    def check(self, args: Json, *, update: bool) -> None:
        rules.check_message(args, update=update)
        if any(name not in self.files for name in rules.images_in(args.get("blocks"))):
            raise Refusal("invalid_blocks")

    def whisper(self, args: Json) -> Json:
        self.place(args, writing=True)
        if not args.get("user"):
            raise Refusal("user_not_in_channel")
        self.check(args, update=False)
        self.whispers.append(args)
        self.ephemeral.append(args)
        return {"message_ts": self.now()}

    def open_view(self, args: Json) -> Json:
        given = self.triggers.pop(str(args.get("trigger_id")), None)
        if given is None:
            raise Refusal("exchanged_trigger_id")
        if time.monotonic() - given > self.trigger_seconds:
            raise Refusal("expired_trigger_id")
        rules.check_view(args.get("view"))
        self.views.append(args["view"])
        return {"view": {**args["view"], "id": f"V{len(self.views)}"}}

    def begin_upload(self, args: Json) -> Json:
        if int(args.get("length") or 0) < 1 or not args.get("filename"):
            raise Refusal("invalid_arguments")
        identity = f"FUP{len(self.sends):06d}"
        self.sends[identity] = str(args["filename"])
        url = f"http://127.0.0.1:{self.port}/upload/{identity}"
        return {"file_id": identity, "upload_url": url}

    def complete_upload(self, args: Json) -> Json:
        given = args.get("files")
        listed = json.loads(given) if isinstance(given, str) else given or []
        for file in listed:
            if file["id"] not in self.files:
                raise Refusal("file_not_found")
        return {"files": [{"id": file["id"]} for file in listed]}

    def set_session(self, args: Json) -> Json:
        self.place(args, writing=True)
        if not self.agent:
            raise Refusal("not_agent_app")
        if args.get("status") not in ("processing", "active", "suspended", "closed"):
            raise Refusal("invalid_arguments")
        self.sessions.append((str(args.get("thread_ts")), str(args["status"])))
        return {}

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
        self.check(args, update=True)
        before = dict(message)
        message |= {"text": args.get("text") or "", "blocks": args.get("blocks") or []}
        message.pop("streamed", None)
        message.pop("stopped", None)
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
        if root not in channel.messages and not self.unthreads:
            raise Refusal("thread_not_found")
        message: Json = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT_ID,
            "ts": self.now(),
            "text": "",
            "for": (args.get("recipient_team_id"), args.get("recipient_user_id")),
            **({"thread_ts": root} if root in channel.messages else {}),
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
        if message.get("stopped"):
            raise Refusal("stopped_by_user")
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
        if args.get("session_status") and not self.agent:
            raise Refusal("not_agent_app")
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
        return page([channel.messages[root], *found], args, self.cut or 1000)

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


def page(messages: list[Json], args: Json, most: int = 1000) -> Json:
    start, size = int(args.get("cursor") or 0), min(int(args.get("limit") or 100), most)
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
