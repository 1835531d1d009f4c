"""The command line in processes that begin at once: forked from one that has loaded everything already.

To load the bot takes a second of a core, and a hundred tests start it. What is forked has its own environment,
folder, streams, signals and end; only that it was loaded before is not as in `python -m bot`.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn, Self

from bot import __main__ as command
from bot import tokens

ROOT = Path(__file__).parent.parent


class Nursery:
    """Starts the command line as often as it is asked to: `with Nursery() as nursery`."""

    def __enter__(self) -> Self:
        self.door, theirs = socket.socketpair()
        with theirs:
            self.mother = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"]},
                pass_fds=[theirs.fileno()],
            )
        return self

    def __exit__(self, *error: object) -> None:
        self.door.close()
        self.mother.wait()

    async def start(
        self, *arguments: str, cwd: Path, env: Mapping[str, str], stdout: int | None = None
    ) -> "Born":
        """A process with these arguments, which writes to this file, or to us."""
        out, their_out = os.pipe() if stdout is None else (None, os.dup(stdout))
        err, their_err = os.pipe()
        news, their_news = os.pipe()
        theirs = [their_out, their_err, their_news]
        # In a file, since a question may be longer than what a socket takes at once.
        with TemporaryFile() as wish:
            wish.write(json.dumps([arguments, str(cwd), dict(env)]).encode())
            wish.flush()
            socket.send_fds(self.door, [b"!"], [wish.fileno(), *theirs])
        for descriptor in theirs:
            os.close(descriptor)
        born = Born(
            None if out is None else await reader(out), await reader(err), await reader(news)
        )
        born.pid = int(await born.news.readline())
        return born


class Born:
    """A process, to be used as one of asyncio's own."""

    def __init__(
        self,
        out: asyncio.StreamReader | None,
        err: asyncio.StreamReader,
        news: asyncio.StreamReader,
    ) -> None:
        self.out = out
        self.err = err
        self.news = news
        self.pid = 0
        self.returncode: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def communicate(self) -> tuple[bytes, bytes]:
        """What it writes until its end."""
        out = b"" if self.out is None else await self.out.read()
        err = await self.err.read()
        self.returncode = int(await self.news.read())
        return out, err


async def reader(descriptor: int) -> asyncio.StreamReader:
    """Reads the end of a pipe."""
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", 0)
    )
    return stream


def mother(door: socket.socket) -> int:
    """Forks for as long as somebody may ask for it; in a child it returns the child's exit code."""
    tokens.text("")
    gc.freeze()
    # Of a keeper's end nobody has to be told.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, descriptors, *_ = socket.recv_fds(door, 1, 4)
        if not asked:
            return 0
        if os.fork() == 0:
            door.close()
            return child(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def child(wish: int, out: int, err: int, news: int) -> int:
    """Runs the command in a process of its own, beside one that waits for its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        keep(pid, news)
    # A process that a shell had started in the background would not hear of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(wish, "rb") as file:
        file.seek(0)
        arguments, folder, environ = json.load(file)
    for ours, theirs in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(theirs, ours)
        os.close(theirs)
    os.close(news)
    # The old ones know what their files were like.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    if environ.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    return command.main(arguments)


def keep(pid: int, news: int) -> NoReturn:
    """Tells the process's number, and once it has ended, how."""
    os.closerange(3, news)
    os.write(news, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(news, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    sys.exit(mother(socket.socket(fileno=int(sys.argv[1]))))
