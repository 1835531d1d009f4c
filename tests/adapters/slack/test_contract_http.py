"""The contract of all adapters, on a Slack that delivers over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.contract import Contract, Upload, png
from tests.adapters.slack.stage import HttpStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[HttpStage]:
    stage = HttpStage(tmp_path, apart=False)
    await stage.begin()
    yield stage
    await stage.close()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[HttpStage]:
    stage = HttpStage(tmp_path, apart=True)
    await stage.begin()
    yield stage
    await stage.close()


class TestSlackOverHttp(Contract):
    """What every adapter must do, and what only this way in can show."""

    async def test_what_comes_while_the_bot_is_down_is_answered_once_it_is_up(
        self, machine: HttpStage
    ) -> None:
        machine.answers("Here I am.")
        machine.server.retry_seconds = (0.1, 1.5, 5.0)

        await machine.stop()
        question = await machine.post(f"{machine.mention} there?", [Upload("a.png", png(1))])
        await machine.until(lambda: bool(machine.server.failures))
        await machine.start()
        posts = await machine.answered(question)

        assert len(posts) == 1
        assert machine.server.failures[0] == "connection_failed"
