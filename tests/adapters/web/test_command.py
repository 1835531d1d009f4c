"""`web` and `demo` as people start them."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.adapters.house import inherited
from tests.adapters.web.stage import ADDRESS, free_port
from tests.adapters.web.tab import Tab
from tests.servers.openai import ModelServer

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 5.0


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


class Started:
    """A command that is running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.url = ""

    async def address(self) -> None:
        """Waits until it has told where the page is."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append(line.decode())
            if found := ADDRESS.search(line):
                self.url = found[0].decode()
                return
        raise AssertionError("".join(self.lines))

    async def end(self, number: signal.Signals) -> int:
        """Sends a signal; returns the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def running(
    command: str, folder: Path, model: ModelServer, port: int
) -> AsyncIterator[Started]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        command,
        "--no-browser",
        f"--port={port}",
        cwd=folder,
        env={**inherited(), "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": model.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        started = Started(process)
        async with asyncio.timeout(30):
            await started.address()
        yield started
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_demo_begins_with_a_conversation_and_keeps_it(
    tmp_path: Path, model: ModelServer
) -> None:
    model.enqueue("A menu.")
    port = free_port()

    async with running("demo", tmp_path, model, port) as demo, Tab(demo.url) as tab:
        await tab.until(lambda: [r for r in tab.replies.values() if r["state"] == "done"])
        [post] = tab.posts.values()
        [reply] = tab.replies.values()
        assert post["files"][0]["name"] == "menu-monday.jpg"
        assert reply["text"] == "A menu."
        assert tab.introduction["invitation"]["name"] == "menu-tuesday.jpg"
        assert await demo.end(signal.SIGTERM) == 0

    async with running("demo", tmp_path, model, port) as demo, Tab(demo.url) as tab:
        assert next(iter(tab.replies.values()))["text"] == "A menu."
        assert list(tab.posts) == [post["id"]]
        assert await demo.end(signal.SIGINT) == 0
    assert len(model.asked) == 1
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"demo"}


async def test_a_port_in_use_is_said_and_the_next_one_taken(
    tmp_path: Path, model: ModelServer
) -> None:
    async with running("web", tmp_path, model, model.port) as web, Tab(web.url) as tab:
        assert "is in use" in "".join(web.lines)
        assert not tab.posts
        assert await web.end(signal.SIGTERM) == 0
