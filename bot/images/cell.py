"""A process that decodes what may run away: it holds no secret, may not grow, and may be killed at any time.

It reads jobs from its standard input and writes pictures, or a sentence, to its standard output. What it says is
plain JSON and bytes, since a hostile file may be speaking.
"""

import json
import os
import pickle
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from bot.domain import Image
from bot.errors import PictureUnseen
from bot.images import headers
from bot.images.preparing import develop
from bot.images.wishes import Wish

READY = b"ready\n"
HEAD = struct.Struct(">II")
"""Bytes of what comes first, and of what comes after it."""
CPU_SECONDS = 60
"""That one job may take, also when nobody is left to kill the process."""
OPEN_FILES = 64
NICE = 5
"""How far it stands back; a third of the weight of the process that started it."""


def main() -> None:
    """Serves jobs until the other side closes; the first argument is the memory that it may take, in bytes."""
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # A library that prints must not disturb the conversation.
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    step_back()
    confine(int(sys.argv[1]))
    answers.write(READY)
    answers.flush()
    for wish, source, data in received(jobs):
        allow_seconds()
        answers.writelines(answer(data, wish, source))
        answers.flush()


def step_back() -> None:
    """Lets the process that hears people go first: what they post is to be stored at once, also on one core."""
    with suppress(AttributeError, OSError):
        os.nice(NICE)
    # Where Linux shares the cores between sessions first, the nice value counts only within this one.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


def confine(memory: int) -> None:
    """Sets what the system lets this process have; Windows has no such limits."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def allow_seconds() -> None:
    """Lets the job that comes take its time, and no more."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def received(jobs: IO[bytes]) -> Iterator[tuple[Wish, str, bytes]]:
    """The jobs, as long as they come; they come from us, so they may be pickled."""
    while len(head := jobs.read(HEAD.size)) == HEAD.size:
        length, size = HEAD.unpack(head)
        wish, source = pickle.loads(jobs.read(length))  # noqa: S301
        yield wish, source, jobs.read(size)


def answer(data: bytes, wish: Wish, source: str) -> list[bytes]:
    """What goes back for one file."""
    try:
        images = develop(data, headers.read(data), wish, source)
    except PictureUnseen as error:
        return packed({"unseen": error.sentence}, ())
    return packed({"images": [described(image) for image in images]}, images)


def packed(said: dict[str, object], images: tuple[Image, ...]) -> list[bytes]:
    words = json.dumps(said).encode()
    size = sum(len(image.data) for image in images)
    return [HEAD.pack(len(words), size), words, *(image.data for image in images)]


def described(image: Image) -> dict[str, object]:
    """All of a picture but its bytes."""
    return {
        "media_type": image.media_type,
        "size": len(image.data),
        "original_width": image.original_width,
        "original_height": image.original_height,
        "receipt": image.receipt,
    }


if __name__ == "__main__":
    main()
