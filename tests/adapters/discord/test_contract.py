"""The contract of all adapters, on Discord."""

from collections import deque

import pytest

from tests.adapters.contract import Contract, Stage, Upload, png
from tests.adapters.discord.stage import DiscordStage
from tests.servers.discord import DiscordServer
from tests.servers.openai import Says


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
