"""Files as they come in from the page: bounded while they are read, known by their bytes."""

import asyncio
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from aiohttp import StreamReader

from adapters.web.channel import Channel
from adapters.web.memory import AWAY, NO_UPLOAD, Gone
from adapters.web.nouns import Upload
from bot.errors import Outage, PermanentError, PictureUnseen

MAX_NAME = 200  # characters
IDLE_SECONDS = 30.0  # without a byte, after which whoever sends is gone
AT_ONCE = 4

SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.S), "image/webp"),
)

EMPTY = "“{name}” is empty: 0 bytes came. Choose it again."
CUT = "“{name}” did not come whole; attach it again."

Measure = Callable[[bytes], tuple[int, int]]


class TooLarge(PermanentError):
    """A file that the channel does not take."""


class Uploads:
    """Takes in files for posts that are still being written."""

    def __init__(self, channel: Channel, *, max_file_bytes: int, measure: Measure) -> None:
        self.channel = channel
        self.max_file_bytes = max_file_bytes
        self.measure = measure
        self.places = asyncio.Semaphore(AT_ONCE)

    async def receive(self, name: str, content: StreamReader, length: int | None) -> Upload:
        """Keeps a file; raises PermanentError with what is wrong with it."""
        name = plain(name)
        if length is not None and length > self.max_file_bytes:
            raise self.too_large(name)
        part = await self.channel.run(self.part)
        try:
            async with self.places:
                size = await self.copy(name, content, part)
            if size == 0:
                raise PermanentError(EMPTY.format(name=name))
            if length is not None and size != length:
                raise PermanentError(CUT.format(name=name))
            upload = await self.channel.run(self.examine, part, name)
            return await self.channel.keep(part, upload)
        finally:
            await asyncio.shield(asyncio.to_thread(removed, part))

    async def take(self, file: Path) -> Upload:
        """Keeps a file of this machine."""
        part = await self.channel.run(self.part)
        await asyncio.to_thread(lambda: part.write_bytes(file.read_bytes()))
        return await self.channel.keep(
            part, await self.channel.run(self.examine, part, plain(file.name))
        )

    async def again(self, name: str) -> Upload:
        """One more of a file that is here already: a post takes its files along when it goes."""
        known = await self.channel.run(self.channel.memory.upload, name)
        if known is None:
            raise Gone(NO_UPLOAD)
        part = await self.channel.run(self.part)
        try:
            path = self.channel.memory.path_of(known.id)
            await asyncio.to_thread(copied, path, part)
            return await self.channel.keep(part, replace(known, id=secrets.token_hex(8)))
        finally:
            await asyncio.shield(asyncio.to_thread(removed, part))

    async def copy(self, name: str, content: StreamReader, part: Path) -> int:
        """Writes what comes to the disk, never more than is allowed."""
        size = 0
        try:
            with part.open("wb") as file:
                while True:
                    async with asyncio.timeout(IDLE_SECONDS):
                        chunk = await content.readany()
                    if not chunk:
                        return size
                    size += len(chunk)
                    if size > self.max_file_bytes:
                        raise self.too_large(name)
                    await asyncio.to_thread(file.write, chunk)
        except TimeoutError as error:
            raise PermanentError(CUT.format(name=name)) from error
        except OSError as error:
            raise Outage(AWAY) from error

    def part(self) -> Path:
        """A place for a file that is still coming."""
        with self.channel.memory.errors_told():
            self.channel.memory.opened()
        return self.channel.memory.path_of(f"{secrets.token_hex(8)}.part")

    def examine(self, part: Path, name: str) -> Upload:
        """What the bytes say of themselves."""
        try:
            data = part.read_bytes()
        except OSError as error:
            raise Outage(AWAY) from error
        width, height = None, None
        # The channel keeps it all the same; the bot will say what is wrong with it.
        with suppress(PictureUnseen):
            width, height = self.measure(data)
        return Upload(secrets.token_hex(8), name, sniffed(data), len(data), width, height)

    def too_large(self, name: str) -> TooLarge:
        limit = self.max_file_bytes // 1_000_000
        return TooLarge(f"“{name}” is larger than {limit} MB; make it smaller and attach it again.")


def removed(part: Path) -> None:
    """Leaves nothing of a file that did not come whole; what cannot be removed now goes at the next start."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def copied(path: Path, part: Path) -> None:
    """Copies a file; raises Gone when it is not there any more."""
    try:
        shutil.copyfile(path, part)
    except FileNotFoundError as error:
        raise Gone(NO_UPLOAD) from error
    except OSError as error:
        raise Outage(AWAY) from error


def sniffed(data: bytes) -> str:
    """The media type of a picture that browsers show, by its first bytes; empty for anything else."""
    return next((kind for signature, kind in SIGNATURES if signature.match(data)), "")


def plain(name: str) -> str:
    """A file's name without folders and control characters; it is only ever shown as text."""
    shown = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return re.split(r"[\\/]", shown)[-1].strip()[:MAX_NAME] or "file"
