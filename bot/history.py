"""Turns → the turns that fit the budget. Pure.

A provider's prompt cache holds as long as a request begins with the same bytes as the one before, so older pictures
are shed in batches: nothing changes while a thread grows up to its room, then enough goes at once that several more
questions fit. Where a question has a limit in dollars, older pictures also go to low detail before the room is full, as
soon as the next few questions save more by it than reading the rest anew costs. What went is not stored. It is derived
by going through the thread's questions again, one by one, each shedding what it shed when it was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot import tokens
from bot.domain import Ask, Detail, Picture, Turn
from bot.pricing import Prices, Rates

MAX_BYTES = (
    35_000_000  # of pictures in one request; OpenAI refuses somewhere above (facts of 2026-11)
)
MAX_PICTURES = 100  # more are slow to send and hard to speak of
KEPT_SHARE = 0.7  # of the room that stays filled after shedding: the rest is for the next questions
TURN_TOKENS = 4  # around each message of a request
LABEL_TOKENS = 12  # the words that name a picture, or a part of one
ASSUMED_PICTURE_TOKENS = 3_000  # room for a picture whose tokens nobody can tell
NEXT_QUESTIONS = 3  # within which a change must have paid for the prompt cache that it loses
BUSY_SHARE = 0.5  # of the room that may fill before anything is lowered for the money alone
CACHED_FROM = 1024  # tokens; a shorter request is never cached (facts of 2026-11)
FULL = "to fit the thread's room"
DEAR = "to keep within what a question may cost"


@dataclass(frozen=True, slots=True)
class Room:
    """What one request may hold."""

    tokens: int
    bytes: int = MAX_BYTES
    pictures: int = MAX_PICTURES
    rates: Rates | None = None
    """What tokens cost, where a question has a limit in dollars."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The conversation as it is sent, and what had to be left out of it."""

    turns: tuple[Turn, ...]
    tokens: int
    """Input, estimated; pictures of unknown cost stand at an assumption."""
    new_picture_tokens: int | None
    """Tokens of pictures since the last answer; None where nobody can tell."""
    earlier_picture_tokens: int | None
    lowered: tuple[int, ...] = ()
    """Numbers of pictures sent at low detail to save room."""
    left_out: tuple[int, ...] = ()
    """Numbers of pictures not sent any more."""
    turns_left_out: int = 0
    reason: str = FULL
    """Why anything was lowered or left out."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person is told of it, a line each."""
        lines = []
        if self.lowered:
            lines.append(
                f"{named(self.lowered)} sent at low detail, {self.reason}; "
                f"`pin {self.lowered[0]}` keeps it whole"
            )
        if self.left_out:
            lines.append(f"{named(self.left_out)} no longer sent, {self.reason}")
        if self.turns_left_out:
            lines.append(f"the thread's first {self.turns_left_out} messages no longer sent")
        return tuple(lines)


def room(
    ask: Ask, prices: Prices, *, most_tokens: int, question_dollars: Decimal | None = None
) -> Room:
    """What the model's window, the thread's tokens and the dollars of one question leave for its input."""
    limits = [most_tokens]
    if (window := prices.context_window(ask.model)) is not None:
        limits.append(window - ask.limit)
    if question_dollars is None:
        return Room(max(1, min(limits)))
    affordable = prices.affordable(ask.model, question_dollars, ask.limit)
    limits += [] if affordable is None else [affordable]
    return Room(max(1, min(limits)), rates=prices.rates(ask.model))


def fit(turns: Sequence[Turn], ask: Ask, room: Room) -> Fitted:
    """Leaves out what does not fit: oldest first, in batches, never the question, never a pinned picture."""
    shed = Shed()
    sizes = [Size.of(turn, ask) for turn in turns]
    for end in questions(turns):
        shed = shed_for(turns[: end + 1], sizes[: end + 1], shed, ask, room)
    return fitted(turns, sizes, shed, ask, room)


def picture_tokens(picture: Picture, detail: Detail, model: str) -> int | None:
    """Tokens of a picture with all its parts, as it is sent; None where nobody can tell."""
    if picture.image is None:
        return None
    rule = tokens.rule(model)
    counts = [rule.count(image.width, image.height, detail) for image in picture.images]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def detail_of(picture: Picture, ask: Ask) -> Detail:
    """The detail that holds for this picture: its mark, else the question's."""
    return picture.mark if picture.mark in ("low", "high") else ask.detail


@dataclass(frozen=True, slots=True)
class Shed:
    """What has gone so far."""

    lowered: frozenset[int] = frozenset()
    out: frozenset[int] = frozenset()
    first: int = 0
    """Index of the first turn that is still sent."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one turn takes, without its pictures, and what each of its pictures takes at either detail."""

    text: int
    full: dict[int, int] = field(default_factory=dict)
    low: dict[int, int] = field(default_factory=dict)
    bytes: dict[int, int] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, turn: Turn, ask: Ask) -> "Size":
        seen = [picture for picture in turn.pictures if picture.visible]
        full = {p.number: room_of(p, detail_of(p, ask), ask.model) for p in seen}
        low = {p.number: min(full[p.number], room_of(p, "low", ask.model)) for p in seen}
        weights = {p.number: sum(image.size for image in p.images) for p in seen}
        parts = {p.number: max(1, len(p.images)) for p in seen}
        labels = sum(parts.get(picture.number, 1) for picture in turn.pictures)
        text = TURN_TOKENS + tokens.text(turn.text) + LABEL_TOKENS * labels
        return cls(text, full, low, weights, parts)


def room_of(picture: Picture, detail: Detail, model: str) -> int:
    counted = picture_tokens(picture, detail, model)
    return ASSUMED_PICTURE_TOKENS if counted is None else counted


def questions(turns: Sequence[Turn]) -> list[int]:
    """Indexes of the turns that were, or are now, the end of a request."""
    last = len(turns) - 1
    return [
        index
        for index, turn in enumerate(turns)
        if turn.role == "user" and (index == last or turns[index + 1].role == "assistant")
    ]


def shed_for(
    turns: Sequence[Turn], sizes: Sequence[Size], shed: Shed, ask: Ask, room: Room
) -> Shed:
    """What has gone once the last of these turns is asked."""
    if fits(now := taken(sizes, shed, ask), room):
        busy = room.rates is not None and now.tokens > room.tokens * BUSY_SHARE
        return lowered_if_it_pays(turns, sizes, shed, ask, room) if busy else shed
    goal = Room(
        tokens=int(room.tokens * KEPT_SHARE),
        bytes=int(room.bytes * KEPT_SHARE),
        pictures=int(room.pictures * KEPT_SHARE),
    )
    older = [
        picture.number
        for turn in turns[:-1]
        for picture in turn.pictures
        if picture.visible and picture.mark != "pinned"
    ]
    if now.tokens > room.tokens:
        for _, number in lowerable(turns, sizes, shed):
            if taken(sizes, shed, ask).tokens <= goal.tokens:
                break
            shed = replace(shed, lowered=shed.lowered | {number})
        if fits(now := taken(sizes, shed, ask), room) and now.tokens <= goal.tokens:
            return shed
    for number in older:
        if fits(taken(sizes, shed, ask), goal):
            return shed
        shed = replace(shed, out=shed.out | {number})
    while shed.first < len(turns) - 1 and taken(sizes, shed, ask).tokens > goal.tokens:
        shed = replace(shed, first=shed.first + 1)
    while 0 < shed.first < len(turns) - 1 and turns[shed.first].role == "assistant":
        shed = replace(shed, first=shed.first + 1)
    return shed


def lowered_if_it_pays(
    turns: Sequence[Turn], sizes: Sequence[Size], shed: Shed, ask: Ask, room: Room
) -> Shed:
    """Lowers the batch of older pictures that saves most within the next questions, if any does.

    A batch reaches from some picture to the newest of the older ones: from the first change on, the provider
    reads everything anew.
    """
    assert room.rates is not None
    candidates = lowerable(turns, sizes, shed)
    cached = taken(sizes, shed, ask).tokens >= CACHED_FROM
    # What stands in the previous request: the last answer and the question after it are new anyway.
    known = (questions(turns)[:-1] or [0])[-1] + 1
    best, batch = Decimal(0), frozenset[int]()
    for start, (index, _) in enumerate(candidates):
        numbers = frozenset(number for _, number in candidates[start:])
        saved = sum(
            size.full[n] - size.low[n] for size in sizes for n in size.full.keys() & numbers
        )
        then = replace(shed, lowered=shed.lowered | numbers)
        anew = sum(size_of(sizes[each], then) for each in range(index, known))
        rest = taken(sizes, then, ask).tokens
        gain = break_even(saved, anew, rest, room.rates, cached=cached)
        if gain > best:
            best, batch = gain, numbers
    return replace(shed, lowered=shed.lowered | batch)


def break_even(saved: int, anew: int, rest: int, rates: Rates, *, cached: bool) -> Decimal:
    """USD that the next questions save by `saved` tokens less each, where `anew` tokens are read anew once."""
    lost = anew * (rates.fresh - rates.cached) if cached and rest >= CACHED_FROM else Decimal(0)
    return NEXT_QUESTIONS * saving(saved, rest, rates, cached=cached) - lost


def saving(saved: int, rest: int, rates: Rates, *, cached: bool) -> Decimal:
    """USD by which `saved` tokens less make each later question cheaper, where `rest` tokens stay."""
    if not cached:
        return saved * rates.input
    if rest < CACHED_FROM:
        # What stays is too short to be cached: from then on all of it costs its full price.
        return saved * rates.cached - rest * (rates.input - rates.cached)
    return saved * rates.cached


def lowerable(turns: Sequence[Turn], sizes: Sequence[Size], shed: Shed) -> list[tuple[int, int]]:
    """Turn and number of the older pictures that low detail makes cheaper, but for those that people hold."""
    return [
        (index, picture.number)
        for index, (turn, size) in enumerate(zip(turns[:-1], sizes, strict=False))
        for picture in turn.pictures
        if kept(picture, shed)
        and picture.mark not in ("pinned", "high")
        and picture.number not in shed.lowered
        and size.low[picture.number] < size.full[picture.number]
    ]


def taken(sizes: Sequence[Size], shed: Shed, ask: Ask) -> Room:
    """What a request takes of its room."""
    total = TURN_TOKENS + tokens.text(ask.instructions)
    weight = count = 0
    for index, size in enumerate(sizes):
        if index >= shed.first or size.full.keys() - shed.out:
            total += size_of(size, shed)
        for number in size.full.keys() - shed.out:
            weight += size.bytes[number]
            count += size.parts[number]
    return Room(total, weight, count)


def size_of(size: Size, shed: Shed) -> int:
    """Tokens of one turn, as it is sent."""
    return size.text + sum(
        size.low[number] if number in shed.lowered else full
        for number, full in size.full.items()
        if number not in shed.out
    )


def fits(taken: Room, room: Room) -> bool:
    return (
        taken.tokens <= room.tokens
        and taken.bytes <= room.bytes
        and taken.pictures <= room.pictures
    )


def fitted(
    turns: Sequence[Turn], sizes: Sequence[Size], shed: Shed, ask: Ask, room: Room
) -> Fitted:
    """The turns with their marks set, without those that went whole."""
    sent = tuple(
        replace(turn, pictures=tuple(marked(picture, shed) for picture in turn.pictures))
        for index, turn in enumerate(turns)
        if index >= shed.first or any(kept(picture, shed) for picture in turn.pictures)
    )
    news = newest(turns)
    return Fitted(
        turns=sent,
        tokens=taken(sizes, shed, ask).tokens,
        new_picture_tokens=spent_on(turns[news:], shed, ask),
        earlier_picture_tokens=spent_on(turns[:news], shed, ask),
        lowered=tuple(sorted(shed.lowered - shed.out)),
        left_out=tuple(sorted(shed.out)),
        turns_left_out=len(turns) - len(sent),
        reason=FULL if room.rates is None else DEAR,
    )


def newest(turns: Sequence[Turn]) -> int:
    """Index of the first turn after the last answer."""
    answered = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    return answered[-1] + 1 if answered else 0


def kept(picture: Picture, shed: Shed) -> bool:
    return picture.visible and picture.number not in shed.out


def marked(picture: Picture, shed: Shed) -> Picture:
    if picture.number in shed.out:
        return replace(picture, mark="dropped")
    return replace(picture, mark="low") if picture.number in shed.lowered else picture


def spent_on(turns: Sequence[Turn], shed: Shed, ask: Ask) -> int | None:
    """Tokens of the pictures in these turns, as they are sent."""
    total = 0
    for turn in turns:
        for picture in turn.pictures:
            # A linked picture's size is nobody's to tell; the others' still is.
            if kept(picture, shed) and picture.image is not None:
                counted = picture_tokens(picture, detail_of(marked(picture, shed), ask), ask.model)
                if counted is None:
                    return None
                total += counted
    return total


def named(numbers: Sequence[int]) -> str:
    words = ", ".join(str(number) for number in numbers)
    return f"picture {words}" if len(numbers) == 1 else f"pictures {words}"
