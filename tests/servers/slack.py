"""A small Slack on this machine: its Web API, Socket Mode and files, over real sockets, faults included."""

import asyncio
from typing import Self

from aiohttp import web

from tests.servers import slack_rules as rules
from tests.servers.slack_api import WebApi, hang_up
from tests.servers.slack_workspace import (
    APP_TOKEN,
    BOT_ID,
    BOT_TOKEN,
    BOT_USER,
    CHANNEL,
    DIRECT,
    TEAM,
    Fault,
    File,
)

__all__ = [
    "APP_TOKEN",
    "BOT_ID",
    "BOT_TOKEN",
    "BOT_USER",
    "CHANNEL",
    "DIRECT",
    "TEAM",
    "Fault",
    "File",
    "SlackServer",
]


class SlackServer(WebApi):
    """The whole of it, at an address."""

    signs_in = "/login"
    """Where whoever may not have a file is sent."""
    _runner: web.AppRunner | None = None

    async def start(self) -> Self:
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/api/{method}", self.api)
        app.router.add_get("/link/", self.link)
        app.router.add_get("/files-pri/{id}/{name}", self.give)
        app.router.add_get("/login", self.login)
        app.router.add_post("/respond/{id}", self.respond)
        app.router.add_post("/upload/{id}", self.take)
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
        await self.hang_up_all()
        if self._runner is not None:
            await self._runner.cleanup()
            await asyncio.sleep(0)  # Connections are closed in the loop's next turn.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    async def give(self, request: web.Request) -> web.StreamResponse:
        file = self.files[request.match_info["id"]]
        if file.redirect:
            raise web.HTTPFound(file.redirect)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.bot_tokens or "files:read" not in self.scopes or file.html:
            raise web.HTTPFound(self.signs_in)
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

    async def take(self, request: web.Request) -> web.Response:
        """The bytes of a file on its way up."""
        identity = request.match_info["id"]
        if self.fault("upload") is not None or identity not in self.sends:
            return web.Response(status=500)
        name, data = self.sends[identity], await request.read()
        self.files[identity] = File({"id": identity, "name": name, "size": len(data)}, data)
        return web.Response(text="OK")

    async def respond(self, request: web.Request) -> web.Response:
        answer = await request.json()
        if fault := self.fault("respond"):
            return web.Response(status=fault.status if fault.status != 200 else 400, text="no")
        rules.check_blocks(answer.get("blocks") or [])
        if any(name not in self.files for name in rules.images_in(answer.get("blocks"))):
            return web.Response(status=400, text="invalid_blocks")
        self.ephemeral.append(answer)
        self.moved()
        return web.Response(text="ok")
