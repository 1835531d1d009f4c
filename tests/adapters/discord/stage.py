"""A small Discord with people, the model's server and the whole bot."""

from collections.abc import Mapping, Sequence

import aiohttp

from adapters.discord import DiscordAdapter
from tests.adapters.contract import Upload
from tests.adapters.house import HouseStage
from tests.servers.discord import THREAD, DiscordServer


class DiscordStage(HouseStage):
    """A small Discord with the bot in it."""

    platform = "discord"
    mention = f"<@{DiscordServer.bot}>"
    limit = 2000

    def secrets(self) -> Mapping[str, str]:
        return {"DISCORD_TOKEN": DiscordServer.token, "DISCORD_API_URL": self.server.url}

    def adapter(self, session: aiohttp.ClientSession) -> DiscordAdapter:
        return DiscordAdapter(
            token=DiscordServer.token,
            api_url=self.server.url,
            session=session,
            max_file_bytes=50_000_000,
            download_seconds=10.0,
        )

    async def open(self) -> None:
        self.server = DiscordServer()
        await self.server.start()

    async def shut(self) -> None:
        await self.server.close()

    async def listening(self) -> None:
        await self.server.gateway.ready.wait()

    async def stop(self) -> None:
        await super().stop()
        self.server.gateway.ready.clear()

    async def crash(self) -> None:
        await super().crash()
        self.server.gateway.ready.clear()

    async def post(
        self,
        text: str,
        pictures: Sequence[Upload] = (),
        *,
        thread: str | None = None,
        author: str = "ann",
    ) -> str:
        if thread and thread not in self.server.channels:
            await self.server.open_thread(thread)
        files = [(picture.name, picture.data, picture.media_type) for picture in pictures]
        said = await self.server.say(text, files, channel=thread, author=author)
        for picture, file in zip(pictures, said["attachments"], strict=True):
            if picture.lost:
                self.server.lost[file["id"]] = "html"
        return str(said["id"])

    async def deliver_again(self, message: str) -> None:
        held = self.server.messages[self.server.where(message)][message]
        await self.server.tell("MESSAGE_CREATE", held)

    async def delete(self, message: str) -> None:
        await self.server.remove(message)

    def visible(self, thread: str) -> list[str]:
        return self.server.contents(thread)

    def strays(self) -> list[str]:
        rooms = [each["id"] for each in self.server.channels.values() if each["type"] != THREAD]
        return [content for room in rooms for content in self.server.contents(room)]

    def pings(self) -> list[str]:
        return self.server.pings
