"""Where pictures are prepared: small harmless ones in threads, what is large or may run away in processes of its own."""

import asyncio
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import IO, TypeVar, TypeVarTuple
from weakref import finalize

from bot.domain import Detail, Image
from bot.errors import PictureUnseen, TransientError
from bot.images import headers
from bot.images.cell import HEAD, READY
from bot.images.preparing import MAX_BYTES, develop, opened, origin
from bot.images.reading import Header
from bot.images.wishes import Options, Wish
from bot.tokens import MOST_PARTS, Rule

T = TypeVar("T")
Given = TypeVarTuple("Given")

THREADS = 2
"""More would take memory and no less time."""
CELLS = 2
SECONDS = 20.0
"""That one file may take in a process: ten times what the largest honest one takes on a slow machine."""
MEMORY = 768 * 1024 * 1024
"""Bytes of address space of a process; a HEIC of 48 million pixels takes 510 of these 768 MB."""
START_SECONDS = 30.0
MOST_JOBS = 200
"""After so many a process is replaced, so that what decoders leak does not add up."""
PIPE_BYTES = 1024 * 1024
"""That a pipe takes at once, where the system lets us choose: a photo goes over in a few steps."""
MOST_ANSWER = 100_000_000
"""Bytes that a process may answer with."""
HARMLESS_PIXELS = 300_000
"""Up to so many, a picture of the old formats takes a thread a few milliseconds."""
HARMLESS_JPEG = 3_000_000
"""JPEG is scaled while it is decoded; beyond, two threads at work would make the event loop late by 20 ms."""
HARMLESS_BYTES = 8_000_000
"""What is larger holds more than so few pixels need, and may be walked over again and again."""

BROKE = "reading it took too much time or memory; post it as a PNG or JPEG"
STOPPING = "The bot stopped while it read the picture."
UNSTARTED = "This machine could not start a process to read pictures in."

START = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from bot.images.cell import main
main()
"""


class Darkroom:
    """Prepares pictures, bounded in time and memory, without ever blocking the event loop."""

    def __init__(
        self,
        options: Options | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        seconds: float = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self.options = options or Options()
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.memory = memory
        self.starting = threading.Lock()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="darkroom")
        self.keepers = ThreadPoolExecutor(CELLS, thread_name_prefix="darkroom-cell")
        self.cells: set[Cell] = set()
        self.idle: list[Cell] = []
        self.close = finalize(self, close, self.cells)
        """Ends all processes; whoever waits for one gets a sentence."""

    def warm(self) -> None:
        """Starts the first process, while something else is waited for: that takes a tenth of a second."""
        if not self.cells:
            self.keepers.submit(lambda: self.put_back(self.free_cell()))

    async def source(self, data: bytes) -> str:
        """The name of this file and of the way it is prepared here."""
        return await self.run(self.threads, origin, data, self.options)

    async def prepare(
        self, data: bytes, rule: Rule, detail: Detail, source: str = ""
    ) -> tuple[Image, ...]:
        """The picture, or its parts; raises PictureUnseen, and TransientError where nothing can be started."""
        wish = Wish(rule, detail, self.options)
        source = source or await self.source(data)
        made = await self.run(self.threads, self.prepare_harmless, data, wish, source)
        if made is None:
            made = await self.run(self.keepers, self.prepare_apart, data, wish, source)
        return made

    async def run(
        self, where: ThreadPoolExecutor, what: Callable[[*Given], T], *given: *Given
    ) -> T:
        """Does something slow in one of these threads."""
        return await asyncio.get_running_loop().run_in_executor(where, what, *given)

    def prepare_harmless(self, data: bytes, wish: Wish, source: str) -> tuple[Image, ...] | None:
        """In this process, or None for what may run away."""
        header = opened(data, self.max_bytes)
        return develop(data, header, wish, source) if harmless(header, len(data)) else None

    def prepare_apart(self, data: bytes, wish: Wish, source: str) -> tuple[Image, ...]:
        """In a process of its own, which is replaced when it dies over the file."""
        cell = self.free_cell()
        try:
            said, blobs = cell.ask(pickle.dumps((wish, source)), data, self.seconds)
            images = checked(said, blobs, wish, source)
        except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
            self.drop(cell)
            if not self.close.alive:
                raise TransientError(STOPPING) from error
            raise PictureUnseen(BROKE) from error
        except PictureUnseen:
            self.put_back(cell)
            raise
        self.put_back(cell)
        return images

    def free_cell(self) -> "Cell":
        # One after the other: who waits for one that is just being started may get it.
        with self.starting:
            return self.idle_cell() or self.new_cell()

    def idle_cell(self) -> "Cell | None":
        with suppress(IndexError):
            while True:
                cell = self.idle.pop()
                if cell.alive:
                    return cell
                self.drop(cell)
        return None

    def new_cell(self) -> "Cell":
        try:
            cell = Cell(self.memory)
        except (OSError, EOFError) as error:
            raise TransientError(UNSTARTED) from error
        self.cells.add(cell)
        return cell

    def put_back(self, cell: "Cell") -> None:
        if cell.jobs < MOST_JOBS and self.close.alive:
            self.idle.append(cell)
        else:
            self.drop(cell)

    def drop(self, cell: "Cell") -> None:
        self.cells.discard(cell)
        cell.end()


class Cell:
    """A process that prepares one picture at a time."""

    def __init__(self, memory: int) -> None:
        """Starts it; raises OSError or EOFError when that fails."""
        # Isolated, with no environment: it must not know a secret that a picture could steal.
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", START, json.dumps(sys.path), str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
            pipesize=PIPE_BYTES,
        )
        self.jobs = 0
        with Deadline(self.process, START_SECONDS):
            try:
                if read(self.out, len(READY)) != READY:
                    raise EOFError
            except (OSError, EOFError):
                self.end()
                raise

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, job: bytes, data: bytes, seconds: float) -> tuple[dict[str, object], bytes]:
        """What it says to a file, and the bytes after it; raises OSError or EOFError when it dies of it."""
        assert self.process.stdin is not None
        self.jobs += 1
        with Deadline(self.process, seconds):
            for piece in (HEAD.pack(len(job), len(data)), job, data):
                self.process.stdin.write(piece)
            self.process.stdin.flush()
            length, size = HEAD.unpack(read(self.out, HEAD.size))
            if length + size > MOST_ANSWER:
                raise ValueError("an answer without end")
            return json.loads(read(self.out, length)), read(self.out, size)

    def end(self) -> None:
        """Kills it and waits for its end."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self.process.wait()


ENVIRONMENT = (
    {"SYSTEMROOT": "C:\\Windows"} if sys.platform == "win32" else {"MALLOC_ARENA_MAX": "1"}
)
"""A second arena for memory would count against the limit without being used."""


class Deadline:
    """Kills a process when time is up, so that whoever reads from it sees its end."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.timer = threading.Timer(seconds, process.kill)
        self.timer.daemon = True

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()


def read(pipe: IO[bytes], size: int) -> bytes:
    """Just so many bytes; raises EOFError when there are no more."""
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data


def harmless(header: Header, size: int) -> bool:
    """Whether decoding a file of so many bytes in this process can neither run away nor hold up anybody."""
    if size > HARMLESS_BYTES:
        return False
    if header.format == "JPEG":
        return header.width * header.height <= HARMLESS_JPEG
    small = header.width * header.height <= HARMLESS_PIXELS
    return small and header.frames == 1 and header.format in ("PNG", "WEBP", "GIF")


def checked(said: Mapping[str, object], blobs: bytes, wish: Wish, source: str) -> tuple[Image, ...]:
    """The pictures that a process answered with, believed as far as they can be checked.

    Raises PictureUnseen with its sentence, and ValueError, KeyError, TypeError or IndexError for nonsense.
    """
    if "unseen" in said:
        raise PictureUnseen(plain(said["unseen"]))
    told, images, at = said["images"], [], 0
    if not isinstance(told, list) or not 0 < len(told) <= MOST_PARTS:
        raise ValueError("no pictures")
    for each in told:
        data = blobs[at : at + whole(each["size"])]
        at += len(data)
        header = sound(data)
        images.append(
            Image(
                digest=sha256(data).hexdigest(),
                form=wish.form,
                media_type=f"image/{header.format.lower()}",
                width=header.width,
                height=header.height,
                data=data,
                original_width=whole(each["original_width"]),
                original_height=whole(each["original_height"]),
                receipt=plain(each["receipt"]),
                source=source,
            )
        )
    return tuple(images)


def sound(data: bytes) -> Header:
    """The header of a picture that we would send; raises ValueError for any other."""
    try:
        header = headers.read(data)
    except PictureUnseen as error:
        raise ValueError("no picture") from error
    if header.format not in ("JPEG", "PNG") or header.turn != 1 or header.frames != 1:
        raise ValueError("not a picture of ours")
    return header


def whole(value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError("not a size")
    return value


def plain(value: object) -> str:
    """Words on one line, not too many."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > 500:
        raise ValueError("not a sentence")
    return value


def close(cells: Iterable[Cell]) -> None:
    for cell in list(cells):
        cell.end()
