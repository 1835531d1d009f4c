"""The contract of all adapters, on Discord."""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from tests.adapters.contract import Contract, Stage, Upload, png
from tests.adapters.house import HouseStage
from tests.servers.discord import THREAD, DiscordServer
from tests.servers.openai import Says


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


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    stage = DiscordStage(tmp_path, apart=False)
    await stage.begin()
    yield stage
    await stage.close()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    stage = DiscordStage(tmp_path, apart=True)
    await stage.begin()
    yield stage
    await stage.close()


class TestDiscord(Contract):
    """What every adapter must do."""

    async def test_code_that_is_split_is_code_in_every_post(self, stage: Stage) -> None:
        """Code too long for a post comes as a file, whole."""
        assert isinstance(stage, DiscordStage)
        lines = [f"print({n})" for n in range(stage.limit // 8)]
        stage.answers("```python\n" + "\n".join(lines) + "\n```")

        question = await stage.post(f"{stage.mention} write it", [Upload("a.png", png(1))])
        await stage.answered(question)

        [post] = stage.server.posts(question)
        [file] = post["attachments"]
        data, _ = stage.server.files[file["id"]]
        assert file["filename"].endswith(".py")
        assert data.decode().split() == lines

    async def test_what_was_asked_while_the_bot_was_away_is_answered_when_it_is_back(
        self, machine: DiscordStage
    ) -> None:
        machine.answers("Here.")
        picture = Upload("a.png", png(1))

        first = await machine.post(f"{machine.mention} one", [picture])
        await machine.answered(first)
        await machine.stop()
        missed = await machine.post(f"{machine.mention} two", [picture], author="bob")
        follow_up = await machine.post("and now?", thread=first)
        await machine.start()
        await machine.answered(missed)
        await machine.answered(first, 2)

        assert follow_up
        assert len(machine.asked()) == 3

    async def test_fifty_questions_at_once_in_a_channel_are_all_answered_once(
        self, stage: DiscordStage
    ) -> None:
        stage.model.scripts = deque(Says("Here.") for _ in range(60))
        asked = [
            await stage.post(f"{stage.mention} {n}?", [Upload("a.png", png(n % 4))])
            for n in range(50)
        ]
        for question in asked:
            await stage.answered(question)

        assert all(len(stage.visible(question)) == 1 for question in asked)
        assert len(stage.asked()) == 50
        assert not stage.strays()

    async def test_no_word_picture_or_token_reaches_a_log(
        self, stage: DiscordStage, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        stage.answers("canary-answer")

        upload = Upload("canary-file.png", png(1))
        question = await stage.post(f"{stage.mention} canary-question", [upload])
        await stage.answered(question)

        assert "canary" not in caplog.text
        assert DiscordServer.token not in caplog.text
