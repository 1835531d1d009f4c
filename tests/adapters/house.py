"""The whole bot for the contract of all adapters: in the test's own process, or in one that can be killed."""

import asyncio
import os
import signal
import sys
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import aiohttp

from bot.command_line.opening import opened
from bot.command_line.serving import PLATFORMS
from bot.engine import assembled
from bot.settings import Settings
from tests.adapters.contract import Stage
from tests.servers.openai import ModelServer, Says

WORDS_BEFORE_HOLD = 3
STOP_SECONDS = 30.0


class Runner(Protocol):
    """A bot that can be started and ended."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def crash(self) -> None: ...


class Within:
    """The bot in the test's own process."""

    def __init__(self, stage: "HouseStage") -> None:
        self.stage = stage
        self.stack = AsyncExitStack()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        stack = self.stack = AsyncExitStack()
        settings = Settings(**self.stage.environment)  # type: ignore[arg-type]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        platform = PLATFORMS[self.stage.platform](settings, session)
        adapter = await stack.enter_async_context(platform)
        store = await stack.enter_async_context(opened(settings, exclusive=True))
        built = await stack.enter_async_context(assembled(settings, store, {adapter.name: adapter}))
        self.worker = built.worker()
        self.tasks = [
            asyncio.create_task(adapter.listen(built.desk(self.worker))),
            asyncio.create_task(self.worker.run()),
        ]

    async def stop(self) -> None:
        for task in self.tasks[1:]:
            self.worker.stop()
            await task
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        await self.stack.aclose()

    async def crash(self) -> None:
        raise AssertionError("only a bot in a process of its own can be killed: use `machine`")


class Apart:
    """The bot as people start it, in a process of its own."""

    def __init__(self, stage: "HouseStage") -> None:
        self.stage = stage
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            self.stage.platform,
            cwd=Path(__file__).parents[2],
            env={**inherited(), **self.stage.environment},
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def stop(self) -> None:
        await self.end(signal.SIGTERM)

    async def crash(self) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> None:
        """Sends a signal and waits until the process is gone."""
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(STOP_SECONDS):
            await self.process.wait()


class HouseStage(Stage):
    """What is the same on every platform: the bot, its database and the model's server."""

    platform: str

    def __init__(self, folder: Path, *, apart: bool) -> None:
        self.folder = folder
        self.model = ModelServer()
        self.going_on = asyncio.Event()
        self.bot: Runner = Apart(self) if apart else Within(self)

    @property
    def environment(self) -> dict[str, str]:
        """What an installer would set."""
        return {
            "DATABASE_URL": f"sqlite:///{self.folder}/bot.db",
            "OPENAI_BASE_URL": self.model.url,
            "BOT_BUDGET_PERSON_DAY": "1000",
            "BOT_BUDGET_WORKSPACE_MONTH": "1000",
            **self.secrets(),
        }

    @abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """The platform's tokens and address, by their variables."""

    @abstractmethod
    async def listening(self) -> None:
        """Returns once the bot hears the platform."""

    @abstractmethod
    async def open(self) -> None:
        """Starts the platform's server."""

    @abstractmethod
    async def shut(self) -> None:
        """Stops the platform's server."""

    async def begin(self) -> None:
        """Starts all: the servers, then the bot."""
        await self.open()
        await self.model.__aenter__()
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stops all, in whatever state it is."""
        self.release()
        await self.bot.stop()
        await self.model.__aexit__()
        await self.shut()

    async def start(self) -> None:
        await self.bot.start()
        await self.listening()

    async def stop(self) -> None:
        await self.bot.stop()

    async def crash(self) -> None:
        await self.bot.crash()

    def answers(self, *texts: str) -> None:
        # The last one again and again: a question that is asked anew gets the same answer.
        self.model.scripts = deque(Says(text) for text in (*texts, *[texts[-1]] * 20))

    def hold(self) -> None:
        held = [
            replace(script, hold=self.going_on, after=WORDS_BEFORE_HOLD)
            for script in self.model.scripts
            if isinstance(script, Says)
        ]
        self.model.scripts = deque(held)

    def release(self) -> None:
        self.going_on.set()

    def asked(self) -> list[list[bytes]]:
        return [asked.pictures for asked in self.model.asked]


House = TypeVar("House", bound=HouseStage)


@asynccontextmanager
async def begun(stage: House) -> AsyncIterator[House]:
    """A started stage, until the end of the block."""
    await stage.begin()
    try:
        yield stage
    finally:
        await stage.close()


def inherited() -> dict[str, str]:
    """The test's own environment without what would configure a bot."""
    ours = ("BOT_", "SLACK_", "DISCORD_", "OPENAI_", "DATABASE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
