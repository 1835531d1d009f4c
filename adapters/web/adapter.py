"""The local page as the bot sees it: one of the places where people talk."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from adapters.web.alone import alone
from adapters.web.channel import Channel
from adapters.web.delivery import Delivery
from adapters.web.draft import WebDraft
from adapters.web.feed import Feed
from adapters.web.guard import Guard
from adapters.web.memory import Memory
from adapters.web.nouns import PLATFORM, Invitation
from adapters.web.server import Server
from adapters.web.uploads import Measure, Uploads
from bot.domain import Attachment, Check, Claim, Message
from bot.errors import PictureUnseen, SetupError, ThreadsightError
from bot.ports import Desk

PORTS = 20  # tried, from the first one on
CLOSING_SECONDS = 2.0  # for requests under way when we stop
FOLDER_BYTES = 5_000_000_000  # of uploads

NO_PORT = "The ports {first} to {last} are all in use; choose another with --port."
NO_FILE = "the file is gone from the channel; post it again"
WELCOMED = "welcomed"


class WebAdapter:
    """A channel on this machine, for whoever sits at it."""

    name = PLATFORM

    def __init__(
        self,
        *,
        folder: Path,
        port: int,
        max_file_bytes: int,
        measure: Measure,
        host: str = "127.0.0.1",
        about: str = "",
        invitation: Invitation | None = None,
        started: Callable[[str, bool], None] = lambda url, moved: None,
        folder_bytes: int = FOLDER_BYTES,
    ) -> None:
        """`measure` gives a picture's width and height, or raises PictureUnseen; `about` says who answers.

        `started` hears the page's address, and whether it is another one than asked for.
        """
        self.host = host
        self.port = port
        self.max_file_bytes = max_file_bytes
        self.about = about
        self.invitation = invitation
        self.started = started
        self.channel = Channel(Memory(folder, max_bytes=folder_bytes), Feed())
        self.uploads = Uploads(self.channel, max_file_bytes=max_file_bytes, measure=measure)

    async def listen(self, desk: Desk) -> None:
        """Serves the page and hands in what is posted, until cancelled.

        Raises SetupError without a port, or when another bot serves this folder, and Outage when the
        folder cannot be read at the beginning.
        """
        with alone(self.channel.memory.folder):
            try:
                await self.channel.run(self.channel.memory.threads)
                await self.serve(desk)
            finally:
                await self.channel.close()

    async def serve(self, desk: Desk) -> None:
        listening, port = bound(self.host, self.port)
        server = Server(
            self.channel, self.uploads, desk, about=self.about, invitation=self.invitation
        )
        runner = web.AppRunner(
            server.app(Guard(port)),
            access_log=None,
            shutdown_timeout=CLOSING_SECONDS,
        )
        try:
            await runner.setup()
            await web.SockSite(runner, listening).start()
            self.started(f"http://{self.host}:{port}/", self.port not in (0, port))
            await Delivery(self.channel, desk).run()
        finally:
            self.channel.feed.close()
            await runner.cleanup()
            listening.close()

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads an upload; raises PictureUnseen when it is gone."""
        memory = self.channel.memory
        upload = await self.channel.run(memory.upload, attachment.id)
        if upload is None:
            raise PictureUnseen(NO_FILE)
        return await asyncio.to_thread(read, memory.path_of(upload.id), self.max_file_bytes)

    async def earlier(self, message: Message) -> list[Message]:
        """What the thread holds before this message."""
        posts = await self.channel.run(self.channel.memory.thread, message.thread.root)
        before = [each.message for each in posts if not each.deleted]
        return [each for each in before if (each.sent_at, each.id) < (message.sent_at, message.id)]

    def draft(self, claim: Claim) -> WebDraft:
        """The reply to the claimed message."""
        return WebDraft(self.channel, claim)

    async def administers(self, workspace: str, person: str) -> bool:
        """Always: whoever opens the page runs the bot."""
        return True

    async def probe(self) -> list[Check]:
        """Whether the channel's folder can be written."""
        try:
            await self.channel.run(self.channel.memory.threads)
        except ThreadsightError as error:
            return [Check("page", False, error.sentence)]
        return [Check("page", True, f"its folder {self.channel.memory.folder} can be written")]

    async def welcome(self, text: str, pictures: Sequence[Path]) -> None:
        """Posts something to begin with, the first time that this channel is opened."""
        if await self.channel.run(self.channel.memory.note, WELCOMED, "yes"):
            files = [(await self.uploads.take(picture)).id for picture in pictures]
            await self.channel.post(WELCOMED, text, None, files)


def bound(host: str, first: int) -> tuple[socket.socket, int]:
    """A socket on the first free port from this one on; 0 takes any."""
    for port in range(first, first + PORTS) if first else (0,):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(128)
        except OSError as error:
            listening.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise SetupError(f"{host}:{port} cannot be listened on; check --port.") from error
        except OverflowError as error:
            listening.close()
            raise SetupError(f"There is no port {port}; choose one below 65536.") from error
        else:
            return listening, listening.getsockname()[1]
    raise SetupError(NO_PORT.format(first=first, last=first + PORTS - 1))


def read(path: Path, max_bytes: int) -> bytes:
    """A file's bytes, bounded."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(min(size, max_bytes) + 1)
    except OSError as error:
        raise PictureUnseen(NO_FILE) from error
    if len(data) > max_bytes:
        raise PictureUnseen(f"the file is larger than {max_bytes // 1_000_000} MB")
    return data
