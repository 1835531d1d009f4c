"""How the log looks: one JSON object a line, or plain lines for a person; facts, never content."""

import logging
import sys

import structlog


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
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(levelname)s")
    ours = logging.getLogger("threadsight")
    ours.setLevel(level)
    ours.propagate = False
    ours.handlers = [Facts()]


class Facts(logging.Handler):
    """Hands on what adapters log, in the form of everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; never a traceback, which could hold texts."""
        structlog.get_logger(record.name).log(record.levelno, record.getMessage())
