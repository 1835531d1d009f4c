"""Discord's interactions: commands, buttons and forms, acknowledged within three seconds, answered for fifteen minutes."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

if TYPE_CHECKING:
    from tests.servers.discord import DiscordServer

Json = dict[str, Any]

COMMAND, COMPONENT, SUBMISSION = 2, 3, 5
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, MODAL = 4, 5, 6, 7, 9
NO_PREVIEWS, EPHEMERAL, LOADING = 1 << 2, 1 << 6, 1 << 7
ACKNOWLEDGE_SECONDS = 3.0
TOKEN_SECONDS = 900.0
FOLLOW_UPS = 5  # of an app that is not in the place
FILE_BYTES = 10 << 20
ALL_PERMISSIONS = str((1 << 50) - 1)


class Interactions:
    """What people use, and what the bot answers to it."""

    def __init__(self, world: "DiscordServer") -> None:
        self._world = world
        self.seen: dict[str, Json] = {}
        """Token → what whoever used it sees."""
        self.elsewhere: dict[str, Json] = {}
        """Messages in places that the bot is not in."""
        self.requests: list[str] = []
        """Method and last part of each request by a token."""
        self.age = 0.0
        """Seconds by which all tokens are older than they are."""

    # What people do.

    async def use(
        self,
        data: Json,
        *,
        author: str = "ann",
        kind: int = COMMAND,
        channel: str | None = None,
        present: bool = True,
        permissions: str = "0",
        app_permissions: str = ALL_PERMISSIONS,
        roles: Sequence[str] = (),
        message: Json | None = None,
        **more: Any,
    ) -> Json:
        """Somebody uses something; `present` is False where only their own account has the bot."""
        world = self._world
        channel = channel or (world.channel if present else "9001")
        place = world.channels.get(channel, {"id": channel, "type": 0, "parent_id": None})
        user = world.person(author)
        interaction: Json = {
            "id": world.snowflake(),
            "application_id": world.application,
            "type": kind,
            "version": 1,
            "channel_id": channel,
            "channel": {key: place.get(key) for key in ("id", "type", "parent_id")},
            "locale": "en-US",
            "entitlements": [],
            "data": data,
            "app_permissions": app_permissions,
            "attachment_size_limit": FILE_BYTES,
            **more,
        }
        interaction["token"] = f"token-{interaction['id']}"
        guild = world.guild if present else "9000"
        if place["type"] == 1:
            interaction |= {"user": user, "context": 1}
            interaction["authorizing_integration_owners"] = {"0": "0"}
        else:
            member = {"user": user, "roles": list(roles), "permissions": permissions}
            interaction |= {"guild_id": guild, "member": member, "context": 0}
            owners = {"0": guild} if present else {"1": user["id"]}
            interaction["authorizing_integration_owners"] = owners
        interaction |= more
        if message is not None:
            interaction["message"] = world.told(message)
        seen: Json = {
            "acknowledged": None,
            "contents": [],
            "messages": [],
            "private": None,
            "modal": None,
            "at": time.monotonic(),
            "interaction": interaction,
            "under": message,
            "present": present,
            "original": None,
            "follow_ups": 0,
        }
        self.seen[interaction["token"]] = seen
        await world.gateway.dispatch("INTERACTION_CREATE", interaction)
        return seen

    async def press(self, message: Json, label: str, **more: Any) -> Json:
        """Somebody presses a button under a message."""
        [token] = [
            button["custom_id"]
            for row in message["components"]
            for button in row["components"]
            if button["label"] == label
        ]
        data = {"custom_id": token, "component_type": 2}
        return await self.use(data, kind=COMPONENT, message=message, **more)

    async def submit(
        self, form: Json, question: str, files: Sequence[Json] = (), **more: Any
    ) -> Json:
        """Somebody fills in a form that they were shown, and sends it."""
        parts = []
        for label in form["components"]:
            field = label["component"]
            value = (
                {"value": question}
                if field["type"] == 4
                else {"values": [each["id"] for each in files]}
            )
            answer = {"type": field["type"], "id": 2, "custom_id": field["custom_id"], **value}
            parts.append({"type": 18, "id": 1, "component": answer})
        data: Json = {"custom_id": form["custom_id"], "components": parts}
        if files:
            data["resolved"] = {"attachments": {each["id"]: each for each in files}}
        return await self.use(data, kind=SUBMISSION, **more)

    # What the API does.

    def routes(self) -> list[tuple[str, str, Any]]:
        message = "/webhooks/{application}/{token}/messages/{message}"
        return [
            ("POST", "/interactions/{interaction}/{token}/callback", self._callback),
            ("GET", message, self._read),
            ("PATCH", message, self._edit),
            ("DELETE", message, self._delete),
            ("POST", "/webhooks/{application}/{token}", self._follow_up),
        ]

    async def _callback(self, request: web.Request) -> web.Response:
        seen, payload = self._found(request), await request.json()
        if seen["acknowledged"] is not None:
            raise refusal(400, 40060)
        if time.monotonic() - seen["at"] > ACKNOWLEDGE_SECONDS:
            raise refusal(404, 10062)
        self._checked_callback(seen, payload)
        seen["acknowledged"] = time.monotonic() - seen["at"]
        seen["private"] = bool(payload.get("data", {}).get("flags", 0) & EPHEMERAL)
        if payload["type"] == MODAL:
            seen["modal"] = payload["data"]
        elif payload["type"] == DEFERRED:
            seen["original"] = self._made(seen, {"flags": payload.get("data", {}).get("flags", 0)})
            seen["original"]["flags"] |= LOADING
        elif payload["type"] == DEFERRED_UPDATE:
            seen["original"] = seen["under"]
        self._world.changed.set()
        return web.Response(status=204)

    def _checked_callback(self, seen: Json, payload: Json) -> None:
        kind = seen["interaction"]["type"]
        if payload["type"] not in (DEFERRED, DEFERRED_UPDATE, MODAL):
            raise refusal(400, 50035)
        if payload["type"] == DEFERRED_UPDATE and kind == COMMAND:
            raise refusal(400, 50035)
        if payload["type"] == MODAL:
            if kind == SUBMISSION:
                raise refusal(400, 50035)
            form = payload["data"]
            fields = [label["component"] for label in form["components"]]
            labels = [label["label"] for label in form["components"]]
            fits = 1 <= len(form["custom_id"]) <= 100 and 1 <= len(form["title"]) <= 45
            fits = fits and 1 <= len(fields) <= 5 and all(1 <= len(each) <= 45 for each in labels)
            fits = fits and all(each.get("max_length", 1) <= 4000 for each in fields)
            fits = fits and all(len(each.get("placeholder", "")) <= 100 for each in fields)
            if not fits:
                raise refusal(400, 50035)

    async def _read(self, request: web.Request) -> web.Response:
        return self._answer(self._message(self._found(request, written=True), request))

    async def _edit(self, request: web.Request) -> web.Response:
        seen = self._found(request, written=True)
        message = self._message(seen, request)
        payload, files = await posted(request)
        if payload.get("flags", 0) & ~NO_PREVIEWS:
            # Of a message's flags an edit may change only this one.
            raise refusal(400, 50035)
        self._write(message, payload, files, seen)
        self._tell(seen, message)
        return self._answer(message)

    async def _delete(self, request: web.Request) -> web.Response:
        seen = self._found(request, written=True)
        message = self._message(seen, request)
        seen["messages"] = [each for each in seen["messages"] if each is not message]
        if message is seen["original"]:
            seen["original"] = None
        self._world.messages.get(message["channel_id"], {}).pop(message["id"], None)
        self._tell(seen, None)
        return web.Response(status=204)

    async def _follow_up(self, request: web.Request) -> web.Response:
        seen = self._found(request, written=True)
        payload, files = await posted(request)
        original = seen["original"]
        if original is not None and original["flags"] & LOADING:
            # As documented, though deprecated: it takes the place of the deferred answer.
            self._write(original, payload, files, seen)
            self._tell(seen, original)
            return self._answer(original)
        seen["follow_ups"] += 1
        if not seen["present"] and seen["follow_ups"] > FOLLOW_UPS:
            raise refusal(400, 40094)
        draft: Json = {"content": "", "attachments": [], "components": [], "flags": 0}
        self._checked(draft, payload, files)
        message = self._made(seen, payload)
        self._write(message, payload, files, seen)
        self._tell(seen, message)
        return self._answer(message)

    def _found(self, request: web.Request, *, written: bool = False) -> Json:
        """What a token stands for; `written` where messages are."""
        self.requests.append(f"{request.method} {request.path.rpartition('/')[2]}")
        seen = self.seen.get(request.match_info["token"])
        if seen is None:
            raise refusal(404, 10015 if written else 10062)
        if written and time.monotonic() - seen["at"] + self.age > TOKEN_SECONDS:
            raise refusal(401, 50027)
        if written and (seen["acknowledged"] is None or seen["modal"] is not None):
            raise refusal(404, 10015)
        return seen

    def _message(self, seen: Json, request: web.Request) -> Json:
        name = request.match_info["message"]
        original = seen["original"]
        if original is not None and name in ("@original", original["id"]):
            return dict_of(original)
        for message in seen["messages"]:
            if message["id"] == name:
                return dict_of(message)
        raise refusal(404, 10008)

    def _made(self, seen: Json, payload: Json) -> Json:
        """A new message of the bot, public or not."""
        world, interaction = self._world, seen["interaction"]
        channel = interaction["channel_id"]
        message = world._message(channel, world.users[world.bot], "")
        message["flags"] = payload.get("flags", 0)
        message["type"] = 20
        message["application_id"] = message["webhook_id"] = world.application
        seen["messages"].append(message)
        if not message["flags"] & EPHEMERAL:
            held = world.messages[channel] if seen["present"] else self.elsewhere
            held[message["id"]] = message
        return message

    def _write(
        self, message: Json, payload: Json, files: list[tuple[str, bytes]], seen: Json
    ) -> None:
        self._checked(message, payload, files)
        kept = message["attachments"]
        if "attachments" in payload:
            names = {str(each["id"]) for each in payload["attachments"] if "filename" not in each}
            kept = [each for each in kept if each["id"] in names]
        alts = {
            str(each["id"]): each.get("description")
            for each in payload.get("attachments", ())
            if "filename" in each
        }
        channel = seen["interaction"]["channel_id"]
        new = [
            {
                **self._world._attach(channel, name, data, "application/octet-stream"),
                "description": alts.get(str(index)),
            }
            for index, (name, data) in enumerate(files)
        ]
        message["attachments"] = [*kept, *new]
        message["content"] = (payload.get("content", message["content"]) or "").strip()
        message["components"] = payload.get("components", message["components"])
        message["flags"] = (message["flags"] & ~LOADING) | (payload.get("flags", 0) & NO_PREVIEWS)
        self._world._published(message, payload)

    def _checked(self, message: Json, payload: Json, files: list[tuple[str, bytes]]) -> None:
        world = self._world
        content = payload.get("content", message["content"])
        if content or not (files or message["attachments"]):
            world._check({**payload, "content": content})
        named = [each for each in payload.get("attachments", ()) if "filename" in each]
        if [str(each["id"]) for each in named] != [str(n) for n in range(len(files))]:
            raise refusal(400, 50035)
        check_files(payload, files)

    def _tell(self, seen: Json, message: Json | None) -> None:
        shown = [each for each in seen["messages"] if not each["flags"] & LOADING]
        seen["contents"] = [each["content"] for each in shown]
        self._world.changed.set()

    def _answer(self, message: Json) -> web.Response:
        body = json.dumps(self._world.told(message)).encode()
        return web.Response(body=body, headers={"Content-Type": "application/json"})


async def posted(request: web.Request) -> tuple[Json, list[tuple[str, bytes]]]:
    """A request's payload and its files: JSON, or a form of both."""
    if not request.content_type.startswith("multipart/"):
        return dict_of(await request.json()), []
    payload: Json = {}
    files: dict[int, tuple[str, bytes]] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        if part.name == "payload_json":
            payload = json.loads(await part.text())
        elif part.name and part.name.startswith("files["):
            number = int(part.name.removeprefix("files[").removesuffix("]"))
            files[number] = (part.filename or "", bytes(await part.read()))
    return payload, [files[number] for number in sorted(files)]


def check_files(payload: Json, files: list[tuple[str, bytes]]) -> None:
    """What Discord refuses in files."""
    if len(files) > 10 or any(not name for name, _ in files):
        raise refusal(400, 50035)
    if any(len(data) > FILE_BYTES for _, data in files):
        raise refusal(413, 40005)
    if any(len(each.get("description") or "") > 1024 for each in payload.get("attachments", ())):
        raise refusal(400, 50035)


def dict_of(message: Json) -> Json:
    return message


def refusal(status: int, code: int) -> Exception:
    from tests.servers.discord import Refusal

    return Refusal(status, code)
