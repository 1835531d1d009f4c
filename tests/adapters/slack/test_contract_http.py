"""The contract of all adapters, on a Slack that delivers over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.contract import Contract, Upload, png
from tests.adapters.house import begun
from tests.adapters.slack.stage import HttpStage, InstalledStage
from tests.servers.slack import TEAM


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[HttpStage]:
    async with begun(HttpStage(tmp_path, apart=False)) as stage:
        yield stage


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[HttpStage]:
    async with begun(HttpStage(tmp_path, apart=True)) as stage:
        yield stage


class TestSlackOverHttp(Contract):
    """What every adapter must do, and what only this way in can show."""

    async def test_what_comes_while_the_bot_is_down_is_answered_once_it_is_up(
        self, machine: HttpStage
    ) -> None:
        machine.answers("Here I am.")
        machine.server.retrying.clear()

        await machine.stop()
        question = await machine.post(f"{machine.mention} there?", [Upload("a.png", png(1))])
        await machine.until(lambda: bool(machine.server.failures))
        await machine.start()
        machine.server.retrying.set()
        posts = await machine.answered(question)

        assert len(posts) == 1
        assert machine.server.failures[0] == "connection_failed"


async def test_a_workspace_that_installs_is_answered_and_one_that_leaves_is_erased(
    tmp_path: Path,
) -> None:
    async with begun(InstalledStage(tmp_path, apart=False)) as stage:
        stage.answers("A canary bird.")
        question = await stage.post(f"{stage.mention} what is it?", [Upload("a.png", png(1))])
        posts = await stage.answered(question)

        stage.server.event({"type": "app_uninstalled"}, team_id=TEAM)
        await stage.until(lambda: all(each.acked_at for each in stage.server.deliveries))

    kept = everything(tmp_path)
    assert posts[0].startswith("A canary bird.")
    assert b"canary bird" not in kept
    assert b"xoxb-" not in kept


def everything(folder: Path) -> bytes:
    """All bytes that are left on the disk."""
    return b"".join(path.read_bytes() for path in folder.iterdir())
