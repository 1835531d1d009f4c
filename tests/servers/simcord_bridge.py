"""simcord's Discord over real sockets: a simulation by others, so that our own small one is not alone to judge.

simcord drives bots that are discord.py's clients, inside their process. Our adapter speaks to Discord itself, so
its requests come in here by HTTP and simcord's events go out by a gateway.
"""

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from simcord.backend import Backend
from simcord.backend.errors import BackendError
from simcord.backend.serializers import guild_create_payload
from simcord.http import router
from simcord.interactions import base_payload

from tests.servers.discord_gateway import GatewayServer
from tests.servers.discord_interactions import dict_of, posted

Json = dict[str, Any]
CDN = "https://cdn.simcord.invalid"
POSTS = frozenset({0, 19, 20, 23})
MAY_READ = 1 << 19  # the application flag of the message-content intent
# Both tell of the application itself; simcord knows the one that discord.py's own login reads.
ALIASES = {"applications/@me": "oauth2/applications/@me"}


@dataclass
class Upload:
    """A file as discord.py's are, which simcord reads."""

    filename: str
    fp: io.BytesIO
    description: str | None = None


class Simcord:
    """One simulated server with a channel and a member, and the bot's way to it."""

    token = "bot-token"
    content_intent = True
    shards = 1

    def __init__(self) -> None:
        self.backend = Backend()
        self.guild_id = self.backend.create_guild("a server").id
        self.channel_id = self.backend.create_channel(self.guild_id, "general").id
        self.member_id = self.backend.make_user("ann").id
        self.backend.add_member(self.guild_id, self.member_id)
        self.gateway = GatewayServer(self)  # type: ignore[arg-type]
        self.changed = asyncio.Event()
        self.missing: list[str] = []
        """What simcord does not simulate."""
        self._told: list[tuple[str, Json]] = []
        self.backend.subscribers.append(self._tell)
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/gateway", self.gateway.connect)
        app.router.add_get("/api/v10/gateway/bot", self._gateway_bot)
        app.router.add_get("/cdn/{path:.*}", self._file)
        app.router.add_route("*", "/api/v10/{path:.*}", self._dispatch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self.gateway.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    # What people do.

    async def say(self, content: str, *files: tuple[str, bytes], channel: int | None = None) -> str:
        """The member posts; returns the post's id."""
        place = channel or self.channel_id
        held = self.backend.store_attachments(place, files)
        message = self.backend.create_message(place, self.member_id, content, attachments=held)
        await self._flush()
        return str(message.id)

    async def use(self, data: Json, *, kind: int = 2, message: Json | None = None) -> Any:
        """The member uses a command, a button or a form; returns simcord's record of it."""
        record, payload = base_payload(
            self.backend,
            type=kind,
            channel_id=self.channel_id,
            guild_id=self.guild_id,
            user_id=self.member_id,
            data=data,
        )
        if message is not None:
            payload["message"] = message
        self.backend.emit("INTERACTION_CREATE", payload)
        await self._flush()
        return record

    # What people see.

    def contents(self, channel: str | int) -> list[str]:
        """The bot's posts in a channel, oldest first, as everybody there sees them."""
        held = self.backend.messages.get(int(channel), {}).values()
        mine = [each for each in held if each.author_id == self.backend.bot_user.id]
        # What Discord itself notes, such as that a thread was made, is no post.
        return [each.content for each in mine if each.type in POSTS and not each.is_ephemeral]

    def registered(self) -> list[str]:
        """The names of the commands that the bot has."""
        return [name for name, _ in self.backend.commands.get(None, {})]

    # What the gateway asks of a world.

    @property
    def bot(self) -> str:
        return str(self.backend.bot_user.id)

    @property
    def application(self) -> str:
        return str(self.backend.application_id)

    @property
    def guild(self) -> str:
        return str(self.guild_id)

    @property
    def guilds(self) -> list[str]:
        return [self.guild]

    @property
    def users(self) -> Json:
        return {self.bot: {"id": self.bot, "username": "TestBot", "bot": True}}

    def veiled(self, data: Json) -> Json:
        return data

    def guild_state(self, guild: str) -> Json:
        state = guild_create_payload(self.backend, self.backend.guilds[int(guild)])
        return dict_of(self._moved(dict(state)))

    # What the API does.

    async def _gateway_bot(self, request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 990, "reset_after": 1000, "max_concurrency": 1}
        told = {"url": self.gateway.url, "shards": 1, "session_start_limit": limit}
        return web.json_response(told)

    async def _dispatch(self, request: web.Request) -> web.Response:
        payload: Json | None = None
        files: list[Upload] = []
        if request.can_read_body:
            payload, held = await posted(request)
            files = [Upload(name, io.BytesIO(data)) for name, data in held]
        try:
            answer = router.dispatch(
                self.backend,
                request.method,
                "/" + ALIASES.get(request.match_info["path"], request.match_info["path"]),
                json=payload,
                params=dict(request.query),
                files=files,
            )
        except (router.RouteNotImplemented, router.UnsupportedField) as error:
            self.missing.append(str(error))
            return web.json_response({"message": "not simulated", "code": 0}, status=404)
        except BackendError as error:
            return web.json_response(error.to_json(), status=error.status)
        finally:
            await self._flush()
        if request.path.endswith("applications/@me"):
            answer = {**answer, "flags": MAY_READ}
        if answer is None or answer == "":
            return web.Response(status=204)
        return web.json_response(self._moved(answer))

    async def _file(self, request: web.Request) -> web.Response:
        data = self.backend.cdn.get(f"{CDN}/{request.match_info['path']}")
        return web.Response(status=404) if data is None else web.Response(body=data)

    def _tell(self, event: str, payload: Mapping[str, Any]) -> None:
        self._told.append((event, self._moved(dict(payload))))

    async def _flush(self) -> None:
        while self._told:
            await self.gateway.dispatch(*self._told.pop(0))

    def _moved(self, value: Any) -> Any:
        """The same, with files served from here."""
        told = json.dumps(value).replace(CDN, f"http://127.0.0.1:{self.port}/cdn")
        return dict_of(json.loads(told))
