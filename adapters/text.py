"""Markdown → pieces that fit a platform's limit, cut where a reader would cut."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LEAST_LIMIT = 100  # Room for a fence's opening and closing line, and something between them.

# An opening run of backticks, the language, and the end of its line; then the code; then a closing
# run that is at least as long. Longer runs than eight are decoration, not code.
OPENING = re.compile(r"(?<!`)(`{3,8})(?!`)([\w+#.-]{0,20}[ \t]*\n)?")


def split(markdown: str, limit: int, *, measure: Callable[[str], int] = len) -> list[str]:
    """Splits a text into pieces of at most `limit`, which together lose no visible character.

    Cuts at paragraphs, else lines, else words, else between characters as people see them; a code block that
    is cut is closed and opened again in its language. `measure` counts at least one for each code point.
    """
    if limit < LEAST_LIMIT:
        raise ValueError(f"a limit of at least {LEAST_LIMIT}")
    return list(_Cutter(markdown, limit, measure).pieces())


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text: prose as it stands, or a code block."""

    text: str
    """With the fences of a code block; all stretches together are the text."""
    code: str | None = None
    """What stands between the fences; None for prose."""
    language: str = ""
    closed: bool = True
    """False for a code block that the text ends in."""


def stretches(markdown: str) -> Iterator[Stretch]:
    """The prose and the code blocks of a text, in order."""
    position = 0
    for fence in _fences(markdown):
        if fence.start > position:
            yield Stretch(markdown[position : fence.start])
        yield Stretch(
            markdown[fence.start : fence.after],
            code=markdown[fence.body : fence.end],
            language=fence.opening.strip("`\n"),
            closed=fence.after <= len(markdown),
        )
        position = fence.after
    if position < len(markdown):
        yield Stretch(markdown[position:])


@dataclass(frozen=True, slots=True)
class _Fence:
    """A code block: `text[start:body]` opens it, `text[body:end]` is code, `text[end:after]` closes it."""

    start: int
    body: int
    end: int
    after: int
    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class _Cutter:
    text: str
    limit: int
    measure: Callable[[str], int]

    def pieces(self) -> Iterator[str]:
        fences = list(_fences(self.text))
        position = 0
        while position < len(self.text):
            # A block behind us matters no more; the first of the others is the one that we may be in.
            while fences and fences[0].after <= position:
                del fences[0]
            cut, after = self._cut(position, fences)
            piece = self._piece(position, cut, fences)
            if piece.strip():
                yield piece
            position = after

    def _cut(self, position: int, fences: list[_Fence]) -> tuple[int, int]:
        """Where the piece that starts at `position` ends, and where the next one starts."""
        end = len(self.text)
        if not self._fits(position, end, fences):
            end = self._choose(position, self._reach(position, fences), fences)
        fence = _around(fences, end)
        if fence is None:
            return end, _skip(self.text, end)
        if not self.text[end : fence.end].strip("\n"):
            return end, fence.after
        return end, end + (self.text[end] == "\n")

    def _fits(self, position: int, end: int, fences: list[_Fence]) -> bool:
        # The length is looked at first, so that a long text is not measured whole for each of its pieces.
        return (
            end - position <= self.limit
            and self.measure(self._piece(position, end, fences)) <= self.limit
        )

    def _reach(self, position: int, fences: list[_Fence]) -> int:
        """The furthest end that fits with a closing line, whether that will be needed or not."""
        low, high = position + 1, min(position + self.limit, len(self.text))
        while low < high:
            middle = (low + high + 1) // 2
            if self.measure(self._longest(position, middle, fences)) <= self.limit:
                low = middle
            else:
                high = middle - 1
        return low

    def _choose(self, position: int, reach: int, fences: list[_Fence]) -> int:
        """The best place to cut between `position` and `reach`."""
        # A block that opens here keeps at least some of its code, so nothing is cut before that.
        start = next((fence.body for fence in fences if fence.start == position), position)
        cut = (
            self._before_code(position, reach, fences)
            or self._at_white(start, reach)
            or _between_characters(self.text, start, reach)
        )
        for fence in fences:
            if fence.start < cut <= fence.body:
                return fence.start
            if fence.end < cut < fence.after:
                return fence.end
        return cut

    def _before_code(self, position: int, reach: int, fences: list[_Fence]) -> int:
        """The start of a code block that starts late, or that fits whole in the next piece; else 0."""
        middle = position + (reach - position) // 2
        for fence in fences:
            if position < fence.start < reach < fence.after and (
                fence.start > middle or self._fits(fence.start, fence.after, fences)
            ):
                return fence.start
        return 0

    def _at_white(self, position: int, reach: int) -> int:
        """The last paragraph, line or word end: in the second half if there is one; 0 if none at all."""
        middle = position + (reach - position) // 2
        for low, separators in ((middle, ("\n\n", "\n", " ")), (position + 1, ("\n", " "))):
            for separator in separators:
                # The separator itself need not fit, since it is dropped.
                found = self.text.rfind(separator, low, reach + len(separator))
                if found > position and self.text[position:found].strip():
                    return found
        return 0

    def _piece(self, position: int, end: int, fences: list[_Fence]) -> str:
        body = self.text[position:end]
        inside = _around(fences, position)
        closes = _around(fences, end)
        if closes is None:
            body = body.rstrip()
        elif not body.endswith("\n") and body:
            body += "\n"
        if inside is None:
            body = body.lstrip("\n")
        return (inside.opening if inside else "") + body + (closes.closing if closes else "")

    def _longest(self, position: int, end: int, fences: list[_Fence]) -> str:
        inside = _around(fences, position)
        touched = next((fence for fence in fences if fence.start < end), None)
        closing = "\n" + touched.closing if touched else ""
        return (inside.opening if inside else "") + self.text[position:end] + closing


def _fences(text: str) -> Iterator[_Fence]:
    """The code blocks of a text; one that is never closed reaches to its end."""
    position = 0
    while opened := OPENING.search(text, position):
        run = opened[1]
        closed = re.compile("(?<!`)" + run + "`*").search(text, opened.end())
        end, after = closed.span() if closed else (len(text), len(text) + 1)
        opening = run + (opened[2] or "\n").rstrip() + "\n"
        yield _Fence(opened.start(), opened.end(), end, after, opening, run)
        position = after


def _around(fences: list[_Fence], place: int) -> _Fence | None:
    """The code block that a place is in, its very end included."""
    return next((fence for fence in fences if fence.body <= place <= fence.end), None)


def _skip(text: str, place: int) -> int:
    """Where the next piece starts after a cut here: past the space or the line ends that parted them."""
    if place < len(text) and text[place] == " ":
        place += 1
    while place < len(text) and text[place] == "\n":
        place += 1
    return place


def _between_characters(text: str, position: int, reach: int) -> int:
    """The last end between two characters as people see them, or `reach` where one fills the piece."""
    for cut in range(reach, position, -1):
        if cut == len(text) or not _joined(text, cut):
            return cut
    return reach


def _joined(text: str, place: int) -> bool:
    """Whether what stands before and after a place is one character to a reader."""
    before, after = text[place - 1], text[place]
    if after == "\u200d" or before == "\u200d" or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    return _flag(before) and _flag(after) and _letters_before(text, place) % 2 == 1


def _flag(character: str) -> bool:
    """Whether it is one of the letters that make a flag in pairs."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _letters_before(text: str, place: int) -> int:
    count = 0
    while count < place and _flag(text[place - 1 - count]):
        count += 1
    return count
