"""A small Slack with people, the model's server and the whole bot."""

import asyncio
import base64
import socket
from collections.abc import Mapping, Sequence

import aiohttp

from adapters.slack.blocks import MARKDOWN_LIMIT
from tests.adapters.contract import Upload
from tests.adapters.house import HouseStage
from tests.servers import slack_rules as rules
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, BOT_USER, CHANNEL, TEAM, SlackServer
from tests.servers.slack_http import SIGNING_SECRET
from tests.servers.slack_installs import CLIENT_ID, CLIENT_SECRET


class SlackStage(HouseStage):
    """A small Slack with the bot in it."""

    platform = "slack"
    mention = f"<@{BOT_USER}>"
    limit = MARKDOWN_LIMIT

    def secrets(self) -> Mapping[str, str]:
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": self.server.url,
        }

    async def open(self) -> None:
        self.server = await SlackServer().start()
        self.server.redeliver_seconds = 0.5

    async def shut(self) -> None:
        await self.server.stop()

    async def listening(self) -> None:
        await self.server.until(lambda: self.server.sockets, 30)

    async def post(
        self,
        text: str,
        pictures: Sequence[Upload] = (),
        *,
        thread: str | None = None,
        author: str = "ann",
    ) -> str:
        files = []
        for picture in pictures:
            file = self.server.upload(picture.data, picture.name, picture.media_type)
            file.html = picture.lost
            files.append(file.info["id"])
        return self.server.post(text, files=files, user=f"U0{author.upper()}", thread=thread)

    async def deliver_again(self, message: str) -> None:
        self.server.tell(message)

    async def delete(self, message: str) -> None:
        self.server.delete(message)

    def visible(self, thread: str) -> list[str]:
        return self.server.thread(thread)

    def strays(self) -> list[str]:
        return [rules.shown(each) for each in self.server.own() if "thread_ts" not in each]

    def pings(self) -> list[str]:
        messages = self.server.channels[CHANNEL].messages.values()
        own = [message for message in messages if message.get("user") == BOT_USER]
        return [call for message in own for call in rules.called(message)]


class HttpStage(SlackStage):
    """The same, delivered over HTTP to a port of the bot's."""

    def secrets(self) -> Mapping[str, str]:
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": self.server.url,
            "PORT": str(self.bot_port),
        }

    async def open(self) -> None:
        await super().open()
        self.bot_port = free_port()
        self.server.request_url = f"http://127.0.0.1:{self.bot_port}/slack/events"
        self.server.retry_seconds = (0.5, 0.5, 0.5)

    async def listening(self) -> None:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            # Nobody outside of the bot is told when it is ready: it has to be asked.
            while not await self.healthy(session):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def healthy(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{self.bot_port}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


class InstalledStage(HttpStage):
    """The same, installed by an administrator of the workspace instead of by a token in the environment."""

    def secrets(self) -> Mapping[str, str]:
        return {
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "BOT_SECRET_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": self.server.url,
            "PORT": str(self.bot_port),
        }

    async def listening(self) -> None:
        await super().listening()
        base = f"http://127.0.0.1:{self.bot_port}/slack"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
            begun = await browser.get(f"{base}/install")
            cookie = begun.headers["Set-Cookie"].split(";")[0]
            code = self.server.consent(TEAM, token="xoxb-installed")
            query = {"code": code, "state": cookie.partition("=")[2]}
            headers = {"Cookie": cookie}
            back = await browser.get(f"{base}/oauth_redirect", params=query, headers=headers)
            assert back.status == 200


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
