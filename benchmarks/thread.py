"""Ten questions about five photos in one thread, priced on three models: our ways, and what others send.

Nothing is asked: the requests are made up as each way makes them, counted by the models' own rules, and priced from
the list. The provider's prompt cache is taken to hold for all ways alike: the longest part, from the beginning, that
is the same as in the request before, from 1,024 tokens on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot import history, tax, tokens
from bot.domain import (
    Answer,
    Ask,
    Attachment,
    Detail,
    ImageKey,
    Message,
    Picture,
    StoredImage,
    ThreadId,
    Turn,
    Usage,
)
from bot.history import Fitted, Room
from bot.pricing import Prices, dollars

MODELS = ("gpt-4o", "gpt-5.4-mini", "gpt-5.6-terra")
QUESTIONS = 10
PHOTOS = {0: 1, 1: 2, 3: 3, 5: 4, 7: 5}
"""In which question each photo comes."""
SIZE = (4032, 3024)
ANSWER_TOKENS = 150
THREAD = ThreadId("bench", "w", "c", "t")
ANSWER = "The receipt shows four items and their sum, and a note by hand. " * 10
QUESTION = "What does this one say, and what changed since the picture before it?"
TIGHT = Decimal("0.6")
"""Of what the dearest question costs unlimited: the limit for each question in the second row."""

Request = list[tuple[str, int]]
"""What stands in it, in order, each piece with its tokens."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a thread came to."""

    cost: Decimal
    tokens: int
    dearest: Decimal
    kept: int
    """Photos that the last question still sent as they were in the first."""


def main() -> None:
    """Prints a table for each model."""
    prices = Prices.load(None)
    print(f"\nA thread of {QUESTIONS} questions with {len(PHOTOS)} photos of 12 MP, list prices")
    print(f"{'model':15}{'way':62}{'sum':>10}{'ratio':>8}{'tokens in':>11}{'at full':>9}")
    for model in MODELS:
        ask = Ask(model, "high", 1_000, "Answer from what the pictures show.")
        ours = run(whole, ask, prices)
        limit = (TIGHT * prices_at_limit(ours, ask, prices)).quantize(Decimal("0.0001"))
        ways: dict[str, Bill] = {
            "ours, as installed: every photo at high, cache kept": ours,
            f"ours, with at most {dollars(limit)} a question": run(
                limited(ask, prices, limit), ask, prices
            ),
            "ours, `Older pictures → low` pressed when first offered": pressed(ask, prices),
            "all at high, but the beginning changes: nothing is cached": run(
                whole, ask, prices, cached=False
            ),
            "llmcord: originals at `auto`, its window of 25 messages": run(
                others, replace(ask, detail="auto"), prices
            ),
            "llmcord with {time} in its system prompt: nothing is cached": run(
                others, replace(ask, detail="auto"), prices, cached=False
            ),
        }
        for name, bill in ways.items():
            print(
                f"{model:15}{name:62}{dollars(bill.cost):>10}{bill.cost / ours.cost:8.2f}"
                f"{bill.tokens:11,}{bill.kept:>5} of {len(PHOTOS)}"
            )


def prices_at_limit(bill: Bill, ask: Ask, prices: Prices) -> Decimal:
    """What a question's limit is held against: the dearest, as if nothing were cached."""
    turns = talk(QUESTIONS)
    most = prices.most(ask.model, whole(turns, ask).tokens, ask.limit)
    assert most is not None
    return most


def run(
    way: Callable[[Sequence[Turn], Ask], Fitted],
    ask: Ask,
    prices: Prices,
    *,
    cached: bool = True,
) -> Bill:
    """The whole thread, question by question."""
    usages, before, kept = [], Request(), 0
    for asked in range(1, QUESTIONS + 1):
        fitted = way(talk(asked), ask)
        request = pieces(fitted, ask)
        usages.append(used(request, before if cached else []))
        before, kept = request, untouched(fitted)
    return billed(usages, ask, prices, kept)


def pressed(ask: Ask, prices: Prices) -> Bill:
    """Our way, by somebody who presses the first button that saves on older pictures."""
    usages: list[Usage] = []
    before, kept, low = Request(), 0, frozenset[int]()
    for asked in range(1, QUESTIONS + 1):
        fitted = whole(lowered(talk(asked), low), ask)
        request = pieces(fitted, ask)
        usages.append(used(request, before))
        before, kept = request, untouched(fitted)
        cost = prices.cost(ask.model, usages[-1])
        answer = Answer("", ask.model, usages[-1], cost)
        for _, value in tax.buttons(fitted, ask, answer, prices):
            if value.startswith("low"):
                low |= {int(number) for number in value.split()[1:]}
    return billed(usages, ask, prices, kept)


def billed(usages: Sequence[Usage], ask: Ask, prices: Prices, kept: int) -> Bill:
    """The sum of all calls."""
    costs = [cost for usage in usages if (cost := prices.cost(ask.model, usage)) is not None]
    assert len(costs) == QUESTIONS
    return Bill(sum(costs, Decimal(0)), sum(u.input for u in usages), max(costs), kept)


def whole(turns: Sequence[Turn], ask: Ask) -> Fitted:
    """Everything, every time, in its place."""
    return history.fit(turns, ask, Room(tokens=1_000_000))


def limited(ask: Ask, prices: Prices, dollars: Decimal) -> Callable[[Sequence[Turn], Ask], Fitted]:
    """Our way where a question may cost so much."""
    room = history.room(ask, prices, most_tokens=100_000, question_dollars=dollars)
    return lambda turns, ask: history.fit(turns, ask, room)


def others(turns: Sequence[Turn], ask: Ask) -> Fitted:
    """The newest messages with all their pictures, as they were posted, whatever they cost."""
    return whole(turns[-25:], ask)


def pieces(fitted: Fitted, ask: Ask) -> Request:
    """A request in the order in which the provider reads it."""
    request = [("instructions", tokens.text(ask.instructions))]
    for turn in fitted.turns:
        for picture in turn.pictures:
            if picture.visible:
                detail = history.detail_of(picture, ask)
                count = counted(picture, detail, ask)
                request.append((f"picture {picture.number} {detail}", count))
        request.append((f"{turn.role} {turn.message}", tokens.text(turn.text)))
    return request


def counted(picture: Picture, detail: Detail, ask: Ask) -> int:
    """By the size of the original, which is what others send; ours is shrunk to what costs the same."""
    count = tokens.rule(ask.model).count(*SIZE, detail)
    assert count is not None
    return count


def used(request: Request, before: Request) -> Usage:
    """What the provider would bill: what it has read before at the price of its cache."""
    total = sum(count for _, count in request)
    same = 0
    for piece, earlier in zip(request, before, strict=False):
        if piece != earlier:
            break
        same += piece[1]
    same = same if same >= history.CACHED_FROM else 0
    return Usage(total, ANSWER_TOKENS, cached=same, cache_written=total - same)


def untouched(fitted: Fitted) -> int:
    """Photos that are sent as people posted them."""
    shown = (picture for turn in fitted.turns for picture in turn.pictures)
    return sum(picture.visible and picture.mark != "low" for picture in shown)


def lowered(turns: Sequence[Turn], low: frozenset[int]) -> list[Turn]:
    """The thread with marks on these pictures."""
    return [
        replace(
            turn,
            pictures=tuple(
                replace(picture, mark="low") if picture.number in low else picture
                for picture in turn.pictures
            ),
        )
        for turn in turns
    ]


def talk(asked: int) -> list[Turn]:
    """The thread up to this question."""
    turns: list[Turn] = []
    for index in range(asked):
        if index:
            turns.append(Turn("assistant", ANSWER, message=f"m{index - 1}"))
        pictures = (photo(PHOTOS[index]),) if index in PHOTOS else ()
        turns.append(Turn("user", QUESTION, "anna", f"m{index}", pictures))
    return turns


def photo(number: int) -> Picture:
    """A photo of twelve megapixels, as the store has it."""
    message = Message(THREAD, f"m{number}", "anna", QUESTION, float(number))
    key = ImageKey("bench", "w", f"{number:064}", "original")
    stored = StoredImage(key, "image/jpeg", *SIZE, 400_000)
    attachment = Attachment(f"a{number}", "photo.jpg")
    return Picture(number, message, attachment, stored, *SIZE, receipt="seen")


if __name__ == "__main__":
    main()
