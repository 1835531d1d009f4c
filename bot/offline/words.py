"""What was seen → an answer in Markdown that claims nothing that was not seen."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from bot.offline import colours
from bot.offline.pixels import GRID, Look

MOST_DESCRIBED = 4
MOST_LINES = 40
FEW_LINES = 5
"""Shown where the question is about something else than text."""
MOST_LINE_CHARACTERS = 200
MOST_CHANGES = 12
MOST_PAIRED = 60
"""Lines of each picture that are searched for small changes, which takes the square of them."""
SAME_LINE = 0.6
CHANGE = 0.03
"""Share of the area; a colour that grew or shrank by less is not worth a word."""

TOPICS = {
    "text": r"text|words?|say|says|read|written|write|transcri\w*|line|title|name|menu|label|sign",
    "colours": r"colou?r\w*|hue|tint|palette|bright\w*|dark|light|red|green|blue|yellow|black|white",
    "size": r"size|large|big|small|wide|width|high|height|tall|pixels?|dimensions?|resolution|"
    r"portrait|landscape|orientation|format",
}
DIFFERENCE = re.compile(
    r"\b(differ\w*|chang\w*|compar\w*|same|similar\w*|versus|vs|new in)\b", re.I
)
NAMED = re.compile(
    r"(?:\b(?:pictures?|images?|photos?|pics?|screenshots?)\s*#?|#)"
    r"(\d{1,4}(?:\s*(?:,|and|&|to|with|vs\.?|or)\s*(?:picture\s*)?#?\d{1,4})*)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W_]{3,}")
SMALL_WORDS = frozenset(
    WORD.findall(
        "the and for are was what does this that with how much many you can from which have has not "
        "its who where when why there their they them then than picture pictures image images photo "
        "photos please tell say says show shows about cost costs"
    )
)

CREDO = "I am the offline model: I read text, sizes and colours, and I do not understand questions."


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture that was looked at."""

    number: int
    new: bool
    """Whether it came with the question."""
    look: Look
    part: str = ""
    """`page 2`, where a picture has several."""

    @property
    def name(self) -> str:
        """`2, page 3`."""
        return f"{self.number}, {self.part}" if self.part else str(self.number)


Read = Callable[[int], Awaitable[tuple[str, ...]]]
"""The lines of the picture at this index."""


async def answer(question: str, pictures: Sequence[Seen], read: Read) -> AsyncIterator[str]:
    """The answer, paragraph by paragraph; a picture is read when its paragraph is due."""
    topics, compares = topics_of(question), DIFFERENCE.search(question) is not None
    if not topics and not compares:
        yield f"_{CREDO}_"
    chosen, missing = choose(question, pictures)
    for number in missing:
        yield f"I was not sent a picture {number}."
    pairs = pairs_of(chosen, pictures, compares=compares)
    if compares:
        async for paragraph in differences(pairs, pictures, read):
            yield paragraph
    if topics or not compares or not pairs:
        async for paragraph in descriptions(chosen, pictures, question, topics, read):
            yield paragraph
    if not compares:
        async for paragraph in differences(pairs, pictures, read):
            yield paragraph
    yield closing(pictures, credo=bool(topics or compares))


def topics_of(question: str) -> list[str]:
    """What the words of the question touch, in their order."""
    found = {
        topic: match.start()
        for topic, words in TOPICS.items()
        if (match := re.search(rf"\b(?:{words})\b", question, re.IGNORECASE))
    }
    return sorted(found, key=lambda topic: found[topic])


def choose(question: str, pictures: Sequence[Seen]) -> tuple[list[int], list[int]]:
    """Indices of the pictures to speak of, and numbers that were named and never came."""
    named = [
        int(number) for match in NAMED.finditer(question) for number in re.findall(r"\d+", match[1])
    ]
    wanted, there = list(dict.fromkeys(named)), {picture.number for picture in pictures}
    chosen = [
        index
        for number in wanted
        for index, picture in enumerate(pictures)
        if picture.number == number
    ]
    missing = [number for number in wanted if number not in there]
    new = [index for index, picture in enumerate(pictures) if picture.new]
    return chosen or new or list(range(len(pictures)))[-1:], missing


def pairs_of(
    chosen: Sequence[int], pictures: Sequence[Seen], *, compares: bool
) -> list[tuple[int, int]]:
    """Indices of the pictures to compare: those spoken of, or the one with the newest or the one before."""
    if len(chosen) > 1:
        # Pages of one document are no pair: nobody compares those.
        return [
            (one, other)
            for one, other in pairwise(chosen[:MOST_DESCRIBED])
            if pictures[one].number != pictures[other].number
        ]
    if not chosen:
        return []
    one, newest = chosen[0], len(pictures) - 1
    if compares and one != newest:
        return [(one, newest)]
    if one > 0 and (compares or pictures[one].new):
        return [(one - 1, one)]
    return []


async def descriptions(
    chosen: Sequence[int],
    pictures: Sequence[Seen],
    question: str,
    topics: Sequence[str],
    read: Read,
) -> AsyncIterator[str]:
    order = [*topics, *(topic for topic in ("text", "colours", "size") if topic not in topics)]
    for index in chosen[:MOST_DESCRIBED]:
        picture, lines = pictures[index], await read(index)
        if len(pictures) > 1:
            yield f"**Picture {picture.name}**"
        if shared := lines_sharing_words(question, lines):
            yield f"Lines that share words with your question: {quoted(shared)}"
        parts = {
            "text": text_of(lines, MOST_LINES if "text" in topics or not topics else FEW_LINES),
            "colours": colours_of(picture.look),
            "size": size_of(picture.look),
        }
        for topic in order:
            yield parts[topic]
    for index in chosen[MOST_DESCRIBED:]:
        picture = pictures[index]
        yield f"**Picture {picture.name}** (not read: ask about it by its number)"
        yield f"{size_of(picture.look)}\n{colours_of(picture.look)}"


async def differences(
    pairs: Iterable[tuple[int, int]], pictures: Sequence[Seen], read: Read
) -> AsyncIterator[str]:
    for one, other in pairs:
        before, after = pictures[one], pictures[other]
        title = f"**From picture {before.number} to picture {after.number}**"
        lines, later = await read(one), await read(other)
        points = [
            *await asyncio.to_thread(text_changes, lines, later, before.number, after.number),
            colour_changes(before.look, after.look),
            size_changes(before.look, after.look),
            likeness(before.look, after.look),
        ]
        yield "\n".join([title, *(f"- {point}" for point in points)])


def text_of(lines: Sequence[str], most: int = MOST_LINES) -> str:
    """The lines as they stand, where nothing in them can be taken for Markdown."""
    if not lines:
        return "**Text:** none that I can read."
    shown = [plain(line) for line in lines[:most]]
    block = "\n".join(["**Text:**", "```", *shown, "```"])
    left_out = len(lines) - len(shown)
    return f"{block}\n… and {count(left_out, 'more line')}." if left_out else block


def colours_of(look: Look) -> str:
    """Its colours by name, and how light it is."""
    named = ", ".join(f"{name} {share:.0%}" for name, share in look.colours[:5])
    return f"**Colours:** {named or 'too many to name'}; {lightness(look.light)} as a whole."


def size_of(look: Look) -> str:
    """Its size in the form that was sent, and how it stands."""
    return f"**Size:** {look.width} × {look.height} pixels, {orientation(look)}."


def orientation(look: Look) -> str:
    if look.width == look.height:
        return "square"
    return "landscape" if look.width > look.height else "portrait"


def lightness(light: float) -> str:
    bounds = ((0.25, "very dark"), (0.45, "dark"), (0.65, "of medium brightness"), (0.85, "bright"))
    return next((words for bound, words in bounds if light < bound), "very bright")


def lines_sharing_words(question: str, lines: Sequence[str]) -> list[str]:
    """Found by letters alone; it is a search, not an understanding."""
    asked = words_of(question)
    return [line for line in lines if asked & words_of(line)][:MOST_CHANGES]


def words_of(text: str) -> set[str]:
    return {word for word in WORD.findall(text.casefold()[:10_000]) if word not in SMALL_WORDS}


def text_changes(before: Sequence[str], after: Sequence[str], first: int, second: int) -> list[str]:
    """Lines that changed, went and came."""
    if not before and not after:
        return ["Text: none that I can read in either."]
    both = set(before) & set(after)
    gone = [line for line in before if line not in both]
    come = [line for line in after if line not in both]
    if not gone and not come:
        return [f"Text: the same {count(len(after), 'line')}."]
    changed = matched(gone[:MOST_PAIRED], come[:MOST_PAIRED])
    paired = {line for pair in changed for line in pair}
    gone = [line for line in gone if line not in paired]
    come = [line for line in come if line not in paired]
    points = [f"Changed: `{plain(old)}` → `{plain(new)}`" for old, new in changed[:MOST_CHANGES]]
    if gone:
        points.append(f"Only in picture {first}: {quoted(gone)}")
    if come:
        points.append(f"Only in picture {second}: {quoted(come)}")
    return [*points, f"The same in both: {count(len(both), 'line')}"]


def matched(gone: Sequence[str], come: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of lines that are one line with a small change, each line in one pair at most."""
    likely = sorted(
        ((ratio(old, new), old, new) for old in gone for new in come), key=lambda each: -each[0]
    )
    pairs: dict[str, str] = {}
    for alike, old, new in likely:
        if alike >= SAME_LINE and old not in pairs and new not in pairs.values():
            pairs[old] = new
    return sorted(pairs.items(), key=lambda pair: gone.index(pair[0]))


def ratio(one: str, other: str) -> float:
    match = SequenceMatcher(None, one[:MOST_LINE_CHARACTERS], other[:MOST_LINE_CHARACTERS])
    quick = match.quick_ratio()
    return match.ratio() if quick >= SAME_LINE else quick


def colour_changes(before: Look, after: Look) -> str:
    old, new = dict(before.colours), dict(after.colours)
    names = dict.fromkeys([*old, *new])
    steps = {name: new.get(name, 0.0) - old.get(name, 0.0) for name in names}
    told = [
        f"{'more' if step > 0 else 'less'} {name} ({old.get(name, 0):.0%} → {new.get(name, 0):.0%})"
        for name, step in sorted(steps.items(), key=lambda each: -abs(each[1]))
        if abs(step) >= CHANGE
    ]
    return f"Colours: {', '.join(told[:4]) or 'the same'}"


def size_changes(before: Look, after: Look) -> str:
    old, new = (f"{look.width} × {look.height}" for look in (before, after))
    return f"Size: the same, {new} pixels" if old == new else f"Size: {old} → {new} pixels"


def likeness(before: Look, after: Look) -> str:
    """How much the pixels differ on a coarse grid, and where if it is in one place."""
    steps = [colours.distance(*each) for each in zip(before.cells, after.cells, strict=True)]
    whole = sum(steps) / len(steps)
    if max(steps) < 0.005:
        return "Pixels: no difference that can be seen"
    alike = next(
        (words for bound, words in ((0.03, "nearly the same"), (0.1, "alike")) if whole < bound),
        "very different",
    )
    where = f"; they differ most {place_of(steps)}" if alike != "very different" else ""
    return f"Pixels: {alike}{where}"


def place_of(steps: Sequence[float]) -> str:
    """Where the differences have their centre of gravity, in words."""
    whole = sum(steps)
    down = sum(step * (at // GRID + 0.5) for at, step in enumerate(steps)) / whole / GRID
    across = sum(step * (at % GRID + 0.5) for at, step in enumerate(steps)) / whole / GRID
    row = "top" if down < 0.4 else "bottom" if down > 0.6 else ""
    column = "left" if across < 0.4 else "right" if across > 0.6 else ""
    corner = " ".join(filter(None, (row, column)))
    return f"at the {corner}" if corner else "around the middle"


def closing(pictures: Sequence[Seen], *, credo: bool) -> str:
    """Which pictures came, so that anyone sees that a follow-up sends the earlier ones again."""
    earlier = dict.fromkeys(str(picture.number) for picture in pictures if not picture.new)
    new = dict.fromkeys(str(picture.number) for picture in pictures if picture.new)
    if not pictures:
        sent = "I was sent no picture."
    else:
        groups = [
            *([f"earlier: {', '.join(earlier)}"] if earlier else []),
            *([f"new: {', '.join(new)}"] if new else []),
        ]
        sent = f"I was sent {count(len({*earlier, *new}), 'picture')} ({'; '.join(groups)})."
    return f"_{CREDO} {sent}_" if credo else f"_{sent}_"


def quoted(lines: Sequence[str]) -> str:
    shown = ", ".join(f"`{plain(line)}`" for line in lines[:MOST_CHANGES])
    left_out = len(lines) - MOST_CHANGES
    return f"{shown} and {left_out} more" if left_out > 0 else shown


def plain(line: str) -> str:
    """A stranger's line, short and with nothing that could end a code block."""
    words = "".join(c if c.isprintable() else " " for c in line).replace("`", "'")
    if len(words) <= MOST_LINE_CHARACTERS:
        return words
    return f"{words[: MOST_LINE_CHARACTERS - 1]}…"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
