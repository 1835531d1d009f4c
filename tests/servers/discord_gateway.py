"""Discord's gateway: zlib-stream, identify, heartbeats, sessions that can be resumed, and ways to end."""

import asyncio
import json
import secrets
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from tests.servers.discord import DiscordServer

Json = dict[str, Any]
DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
MESSAGE_CONTENT = 1 << 15
NEEDED = 1 << 0 | 1 << 9 | 1 << 12


@dataclass
class Socket:
    """One connection, with its own stream of compressed bytes."""

    ws: web.WebSocketResponse
    compress: bool
    packer: Any = field(default_factory=zlib.compressobj)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, payload: Json) -> None:
        data = json.dumps(payload).encode()
        if not self.compress:
            await self.ws.send_str(data.decode())
            return
        async with self.sending:
            packed = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
            # A large payload may come in several frames; its end is known by the flush.
            middle = len(packed) // 2 if len(packed) > 512 else 0
            for part in (packed[:middle], packed[middle:]):
                if part:
                    await self.ws.send_bytes(part)


@dataclass
class Session:
    """What a client can come back to."""

    id: str
    shard: int = 0
    reads: bool = True
    """Whether it has the message-content intent."""
    sent: list[Json] = field(default_factory=list)
    socket: Socket | None = None


class GatewayServer:
    """The gateway of one small Discord."""

    def __init__(self, world: "DiscordServer") -> None:
        self._world = world
        self.sessions: dict[str, Session] = {}
        self.identified = 0
        self.resumed = 0
        self.beats = 0
        self.interval_ms = 41_250
        self.refuse_with: int | None = None
        """A close code for whoever identifies next."""
        self.invalid = 0
        """So many next identifies are answered with an invalid session."""
        self.closes_resumes = 0
        """So many next connections are closed as soon as they resume."""
        self.silent = False
        """Whether connections are half open: what comes is heard, and nothing is said."""
        self.refuses_dials = 0
        """So many next connections are not taken at all."""
        self.refuses_again = False
        """Whether `refuse_with` holds for everyone who identifies from now on."""
        self.dials = 0
        self.shards_seen: list[list[int]] = []
        self.ready = asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._world.port}/gateway"

    async def dispatch(self, event: str, data: Json | None) -> None:
        """Tells every session, now or when it is resumed."""
        for session in list(self.sessions.values()):
            if session.shard == self.shard_of(event, data or {}):
                await self._tell(
                    session, event, data if data is None else self._seen(session, data)
                )

    def shard_of(self, event: str, data: Json) -> int:
        """Which shard hears of it; of direct messages the first."""
        guild = str(data.get("id") if event.startswith("GUILD_") else data.get("guild_id"))
        number = int(guild) if guild.isdecimal() else 0
        return (number >> 22) % self._world.shards

    def _seen(self, session: Session, data: Json) -> Json:
        return data if session.reads else self._world.veiled(data)

    async def babble(self) -> None:
        """Says what is no JSON to every client."""
        self.ready.clear()
        for socket in self._sockets():
            await socket.ws.send_str("{")

    async def repeat(self) -> None:
        """Tells of the last event once more, under a new number."""
        for session in list(self.sessions.values()):
            last = session.sent[-1]
            await self.dispatch(last["t"], last["d"])

    async def drop(self) -> None:
        """The connections break without a word."""
        self.ready.clear()
        for socket in self._sockets():
            if socket.ws._req and socket.ws._req.transport:
                socket.ws._req.transport.abort()

    async def order(self, op: int, data: object = None) -> None:
        """Asks every client to reconnect (op 7), or ends its session (op 9)."""
        self.ready.clear()
        for session in list(self.sessions.values()):
            if session.socket:
                await session.socket.send({"op": op, "d": data})
            if op == INVALID and data is not True:
                del self.sessions[session.id]

    async def hang_up(self, code: int) -> None:
        """Closes every connection with a code, and forgets the sessions."""
        self.ready.clear()
        sockets = self._sockets()
        self.sessions.clear()
        for socket in sockets:
            await socket.ws.close(code=code)

    async def close_sockets(self, code: int) -> None:
        """Closes every connection with a code; the sessions stay."""
        for socket in self._sockets():
            await socket.ws.close(code=code)

    async def close(self) -> None:
        sockets = self._sockets()
        self.sessions.clear()
        for socket in sockets:
            with suppress(Exception):
                await asyncio.wait_for(socket.ws.close(), 0.2)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        self.dials += 1
        self._world.changed.set()
        if self.refuses_dials:
            self.refuses_dials -= 1
            raise web.HTTPServiceUnavailable
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(ws, request.query.get("compress") == "zlib-stream")
        if request.query.get("v") != "10" or request.query.get("encoding") != "json":
            await ws.close(code=4012)
            return ws
        await socket.send({"op": HELLO, "d": {"heartbeat_interval": self.interval_ms}})
        session: Session | None = None
        async for payload in heard(ws):
            op, data = payload["op"], payload.get("d")
            if op == HEARTBEAT:
                self.beats += 1
                if not self.silent:
                    await socket.send({"op": ACK})
            elif op == IDENTIFY:
                session = await self._identify(socket, data or {})
            elif op == RESUME:
                session = await self._resume(socket, data or {})
            elif session is None:
                await ws.close(code=4003)
        if session and session.socket is socket:
            session.socket = None
        return ws

    async def _identify(self, socket: Socket, data: Json) -> Session | None:
        self.identified += 1
        if code := self._refusal(data):
            await socket.ws.close(code=code)
            return None
        if self.invalid:
            self.invalid -= 1
            await socket.send({"op": INVALID, "d": False})
            return None
        shard, shards = data.get("shard", [0, 1])
        self.shards_seen.append([shard, shards])
        reads = bool(data.get("intents", 0) & MESSAGE_CONTENT)
        session = Session(secrets.token_hex(8), shard, reads, socket=socket)
        self.sessions[session.id] = session
        guilds = [each for each in self._world.guilds if (int(each) >> 22) % shards == shard]
        ready = {
            "v": 10,
            "user": self._world.users[self._world.bot],
            "guilds": [{"id": each, "unavailable": True} for each in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": data.get("shard", [0, 1]),
            "application": {"id": self._world.application, "flags": 0},
        }
        await self._tell(session, "READY", ready)
        for each in guilds:
            await self._tell(session, "GUILD_CREATE", self._world.guild_state(each))
        if len(self.sessions) >= self._world.shards:
            self.ready.set()
        return session

    async def _resume(self, socket: Socket, data: Json) -> Session | None:
        session = self.sessions.get(data.get("session_id", ""))
        if session is None or data.get("token") != self._world.token:
            await socket.send({"op": INVALID, "d": False})
            return None
        self.resumed += 1
        if self.closes_resumes:
            self.closes_resumes -= 1
            await socket.ws.close(code=4000)
            return None
        session.socket = socket
        for payload in session.sent[data["seq"] :]:
            await socket.send(payload)
        await self._tell(session, "RESUMED", {})
        self.ready.set()
        return session

    def _refusal(self, data: Json) -> int | None:
        if self.refuse_with:
            code = self.refuse_with
            self.refuse_with = code if self.refuses_again else None
            return code
        if data.get("token") != self._world.token:
            return 4004
        intents = data.get("intents", 0)
        if intents & MESSAGE_CONTENT and not self._world.content_intent:
            return 4014
        return None if intents & NEEDED == NEEDED else 4013

    async def _tell(self, session: Session, event: str, data: Json | None) -> None:
        payload = {"op": DISPATCH, "t": event, "s": len(session.sent) + 1, "d": data}
        session.sent.append(payload)
        await self._send(session, payload)

    async def _send(self, session: Session, payload: Json) -> None:
        if session.socket and not session.socket.ws.closed and not self.silent:
            # A connection that broke meanwhile gets it when it is resumed.
            with suppress(ConnectionError):
                await session.socket.send(payload)

    def _sockets(self) -> list[Socket]:
        return [session.socket for session in self.sessions.values() if session.socket]


async def heard(ws: web.WebSocketResponse) -> AsyncIterator[Json]:
    """What a client says, until it stops."""
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            return
        try:
            payload = json.loads(message.data)
        except ValueError:
            await ws.close(code=4002)
            return
        yield payload
