"""One bot to a channel: two would answer in it by halves and tidy away each other's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from adapters.web.memory import AWAY
from bot.errors import SetupError

HELD = "Another bot already serves {folder}: stop that one, or choose another --folder."


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the channel's folder, which the system frees when the process dies; raises SetupError."""
    lock = FileLock(
        folder / "channel.lock",
        timeout=0,
        mode=0o600,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise SetupError(HELD.format(folder=folder)) from error
    except OSError as error:
        raise SetupError(AWAY) from error
    try:
        yield
    finally:
        lock.release()
