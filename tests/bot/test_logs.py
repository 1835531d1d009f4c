"""What the log holds of what libraries complain of."""

import logging
from collections.abc import Iterator

import pytest

from bot.logs import Complaints
from tests.clock import Clock


@pytest.fixture
def library(clock: Clock) -> Iterator[logging.Logger]:
    """A library's log."""
    logger = logging.getLogger("library")
    logger.propagate = False
    complaints = Complaints(clock=clock)
    logger.addHandler(complaints)
    yield logger
    logger.removeHandler(complaints)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_complaint_says_who_and_what_kind_and_never_the_words(
    library: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        raise OSError("the canary")
    except OSError:
        library.exception("about %s", "the canary")

    assert capsys.readouterr().err == "library: ERROR (OSError)\n"


def test_thousands_of_complaints_become_one_a_second(
    library: logging.Logger, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(1000):
        library.error("again")
    clock.now += 1
    library.error("again")

    assert capsys.readouterr().err == "library: ERROR\n" * 2
