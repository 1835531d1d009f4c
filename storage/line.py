"""SQLite's one writer: all work that waits for it shares a transaction, whose commit costs more than the work."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Given = TypeVar("Given")

MOST_TOGETHER = 64
"""Pieces of work in one transaction: nobody waits long for those who came along."""


@dataclass(slots=True, eq=False)
class Piece(Generic[Given]):
    """Work in the line, and its result."""

    work: Callable[[Given], Any]
    lasting: bool
    result: Future[Any] = field(default_factory=Future)


class Spoiled(Exception):
    """A piece of work failed among others, which are innocent."""


class Line(Generic[Given]):
    """Does what waits in order, in one thread; a piece of work fails alone, a transaction for all in it."""

    def __init__(self, transact: Callable[[Callable[[Given], list[Any]], bool], list[Any]]) -> None:
        self.transact = transact
        """Does all of a transaction's work, wholly or not at all, and lasting where any of it is."""
        self.thread = ThreadPoolExecutor(1, "database-write")
        self.waiting: deque[Piece[Given]] = deque()

    def join(self, work: Callable[[Given], T], lasting: bool) -> Future[T]:
        """Puts work into the line; who cancels its result in time takes it out again."""
        piece = Piece(work, lasting)
        self.waiting.append(piece)
        self.thread.submit(self.serve)
        return piece.result

    def close(self) -> None:
        """Waits for all that is in the line."""
        self.thread.shutdown(wait=True)

    def serve(self) -> None:
        """Does all that waits now; whoever joined in the meantime has asked for another round."""
        pieces = self.taken()
        try:
            self.do(pieces)
        except Spoiled:
            for piece in pieces:
                self.do([piece])

    def taken(self) -> list[Piece[Given]]:
        ready: list[Piece[Given]] = []
        while self.waiting and len(ready) < MOST_TOGETHER:
            piece = self.waiting.popleft()
            if piece.result.set_running_or_notify_cancel():
                ready.append(piece)
        return ready

    def do(self, pieces: Sequence[Piece[Given]]) -> None:
        """Raises Spoiled when one of several fails: then nothing was done of any."""
        if not pieces:
            return
        try:
            lasting = any(piece.lasting for piece in pieces)
            results = self.transact(lambda given: all_of(pieces, given), lasting)
        except Spoiled:
            raise
        except BaseException as error:
            for piece in pieces:
                piece.result.set_exception(error)
        else:
            for piece, result in zip(pieces, results, strict=True):
                piece.result.set_result(result)


def all_of(pieces: Sequence[Piece[Given]], given: Given) -> list[Any]:
    """The results of all, in order."""
    if len(pieces) == 1:
        return [pieces[0].work(given)]
    try:
        return [piece.work(given) for piece in pieces]
    except Exception as error:
        raise Spoiled from error
