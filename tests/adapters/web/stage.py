"""The whole bot behind the page, with a tab in front of it."""

import asyncio
import re
import socket
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from adapters.web import WebAdapter
from bot import images
from bot.command_line.opening import opened
from bot.engine import assembled
from bot.settings import Settings
from tests.adapters.contract import Upload
from tests.adapters.house import Apart, HouseStage, Within, inherited
from tests.adapters.web.tab import Tab

ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+/")
START_SECONDS = 30.0


class WebStage(HouseStage):
    """A page that one person looks at."""

    platform = "web"
    mention = "@threadsight"
    limit = 4_000
    """The page has none; a long answer all the same."""

    def __init__(self, folder: Path, *, apart: bool) -> None:
        super().__init__(folder, apart=apart)
        self.bot = ApartPage(self) if apart else WithinPage(self)
        self.port = free_port()
        self.keys: dict[str, str] = {}
        self.texts: dict[str, tuple[str, list[str]]] = {}
        self.seen = 0
        """Whole pictures that the tab had when the bot last went: it may be back before anybody waits."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def uploads(self) -> Path:
        """Where the channel keeps its files."""
        return self.folder / "channel" / "files"

    def secrets(self) -> Mapping[str, str]:
        return {}

    async def open(self) -> None:
        self.tab: Tab | None = None

    async def shut(self) -> None:
        if self.tab is not None:
            await self.tab.__aexit__()

    async def listening(self) -> None:
        if self.tab is None:
            self.tab = await Tab(self.url).__aenter__()
            return
        await self.tab.until(lambda: self.look.pictures > self.seen)

    async def stop(self) -> None:
        self.seen = self.look.pictures
        await super().stop()

    async def crash(self) -> None:
        self.seen = self.look.pictures
        await super().crash()

    @property
    def look(self) -> Tab:
        """The open tab."""
        assert self.tab is not None
        return self.tab

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
            file = await self.look.upload(picture.name, picture.data)
            if picture.lost:
                (self.uploads / file["id"]).unlink()
            files.append(file["id"])
        key = uuid.uuid4().hex
        post = await self.look.post(text, files, root=thread, key=key)
        self.keys[post["id"]], self.texts[post["id"]] = key, (text, files)
        return str(post["id"])

    async def deliver_again(self, message: str) -> None:
        text, files = self.texts[message]
        await self.look.post(text, files, key=self.keys[message])

    async def delete(self, message: str) -> None:
        await self.look.delete(message)

    def visible(self, thread: str) -> list[str]:
        return self.look.said(thread)

    def strays(self) -> list[str]:
        posts = self.look.posts
        return [reply["text"] for q, reply in self.look.replies.items() if q not in posts]

    def pings(self) -> list[str]:
        return []


class WithinPage(Within):
    """The bot and its page in the test's own process."""

    stage: WebStage

    async def start(self) -> None:
        stack = self.stack = AsyncExitStack()
        settings = Settings(**self.stage.environment)  # type: ignore[arg-type]
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        adapter = WebAdapter(
            folder=self.stage.folder / "channel",
            port=self.stage.port,
            max_file_bytes=settings.max_file_bytes,
            measure=images.measure,
            started=lambda url, moved: started.set_result(url),
        )
        store = await stack.enter_async_context(opened(settings, exclusive=True))
        built = await stack.enter_async_context(assembled(settings, store, {adapter.name: adapter}))
        self.worker = built.worker()
        self.tasks = [
            asyncio.create_task(adapter.listen(built.desk(self.worker))),
            asyncio.create_task(self.worker.run()),
        ]
        self.stage.port = port_of(await started)


class ApartPage(Apart):
    """The bot and its page as people start them."""

    stage: WebStage

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "web",
            "--no-browser",
            f"--port={self.stage.port}",
            f"--folder={self.stage.folder / 'channel'}",
            cwd=Path(__file__).parents[3],
            env={**inherited(), **self.stage.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while line := await self.process.stdout.readline():
                if found := ADDRESS.search(line):
                    self.stage.port = port_of(found[0].decode())
                    return
        raise AssertionError("the page told no address")


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def free_port() -> int:
    """A port that was free a moment ago; the page takes another one if it no longer is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
