"""How the log looks: one JSON object a line, or plain lines for a person; facts, never content."""

import logging
import sys
import time
from collections.abc import Callable
from math import inf

import structlog

QUIET_SECONDS = 1.0  # between two complaints of one library: asyncio can have thousands a second


def configure(*, quiet: bool) -> None:
    """Sends the log to standard error; `quiet` leaves only what went wrong."""
    level = logging.ERROR if quiet else logging.INFO
    renderer = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries say little, and what they say at lower levels may hold texts and addresses.
    logging.basicConfig(level=logging.ERROR, handlers=[Complaints()])
    ours = logging.getLogger("threadsight")
    ours.setLevel(level)
    ours.propagate = False
    ours.handlers = [Facts()]


class Facts(logging.Handler):
    """Hands on what adapters log, in the form of everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; never a traceback, which could hold texts."""
        structlog.get_logger(record.name).log(record.levelno, record.getMessage())


class Complaints(logging.Handler):
    """Tells that a library complains, and of what kind of error; never its words or a traceback, which could hold texts."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self.told: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """One line, if the last one is long enough ago."""
        now = self.clock()
        if now - self.told.get(record.name, -inf) < QUIET_SECONDS:
            return
        self.told[record.name] = now
        kind = record.exc_info[0] if record.exc_info else None
        what = f" ({kind.__name__})" if kind else ""
        sys.stderr.write(f"{record.name}: {record.levelname}{what}\n")
