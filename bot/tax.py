"""What a thread's earlier pictures cost with every question, and the buttons that act on it. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from bot import history, tokens
from bot.domain import Answer, Ask, Picture, Usage
from bot.history import Fitted
from bot.pricing import Prices, Rates, small

HALF = Decimal("0.5")


def buttons(
    fitted: Fitted, ask: Ask, answer: Answer, prices: Prices
) -> tuple[tuple[str, str], ...]:
    """Labels and marks (`low 1 2`, `dropped 3`) that make the next questions cheaper.

    None while the earlier pictures are at most half of what the answer cost, and none that would not pay within a
    few questions for the prompt cache that it loses.
    """
    rates = prices.rates(ask.model)
    if rates is None or not answer.cost or weight(fitted, answer, rates) <= HALF * answer.cost:
        return ()
    cached = answer.usage.cached > 0
    offered: dict[str, tuple[str, str]] = {}
    for change in changes(fitted, ask):
        rest = max(0, answer.usage.input - change.saved)
        if history.break_even(change.saved, change.anew, rest, rates, cached=cached) > 0:
            each = history.saving(change.saved, rest, rates, cached=cached)
            words = f"{change.label} (−{small(each)} per question)"
            offered.setdefault(change.action, (words, change.mark))
    return tuple(offered.values())


def closer(
    fitted: Fitted, ask: Ask, answer: Answer, prices: Prices, *, cut: bool = False
) -> str | None:
    """`Look closer (+$0.0040)`: what the same question costs at high detail; None where that is no more.

    Without a price where that is unknown. `cut` says whether very long pictures are cut into parts.
    """
    shown = [picture for turn in fitted.turns for picture in turn.pictures if picture.visible]
    more = sum(gained(picture, ask, cut=cut) for picture in shown)
    if more <= 0:
        return None
    # Asked again, the whole question is paid again; what is long enough to be cached is written to the cache.
    total = answer.usage.input + more
    written = total if total >= history.CACHED_FROM else 0
    usage = Usage(total, answer.usage.output, cache_written=written)
    cost = prices.cost(ask.model, usage)
    return "Look closer" if not cost else f"Look closer (+{small(cost)})"


def weight(fitted: Fitted, answer: Answer, rates: Rates) -> Decimal:
    """USD of this answer that went to earlier pictures; they stand first, so they are what was cached."""
    earlier = fitted.earlier_picture_tokens or 0
    cached = min(earlier, answer.usage.cached)
    return rates.cached * cached + rates.input * (earlier - cached)


def before(fitted: Fitted) -> list[Picture]:
    """The pictures that are sent again with every question."""
    news = history.newest(fitted.turns)
    return [p for turn in fitted.turns[:news] for p in turn.pictures if p.visible]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that can be done about earlier pictures."""

    action: str
    """Of several with the same one, the first that pays is offered."""
    label: str
    mark: str
    saved: int
    """Tokens of every later question."""
    anew: int
    """Tokens that the provider reads anew once, since they stand behind what changes."""


def changes(fitted: Fitted, ask: Ask) -> list[Change]:
    """All of them at low detail, or one of them left out, the dearest first."""
    earlier = [picture for picture in before(fitted) if picture.mark != "pinned"]
    found = []
    if cheaper := [picture for picture in earlier if lowered(picture, ask) > 0]:
        numbers = [picture.number for picture in cheaper]
        saved = sum(lowered(picture, ask) for picture in cheaper)
        mark = f"low {' '.join(map(str, numbers))}"
        anew = behind(fitted, numbers[0], ask) - saved
        found.append(Change("low", "Older pictures → low", mark, saved, anew))
    counted = [(sent(picture, ask), picture.number) for picture in earlier]
    for count, number in sorted(counted, key=lambda each: (-each[0], each[1])):
        anew = behind(fitted, number, ask) - count
        found.append(Change("drop", f"Drop picture {number}", f"dropped {number}", count, anew))
    return found


def behind(fitted: Fitted, number: int, ask: Ask) -> int:
    """Tokens from this picture on."""
    turns = fitted.turns
    first = next(
        i for i, turn in enumerate(turns) if any(p.number == number for p in turn.pictures)
    )
    pictures = sum(sent(p, ask) for turn in turns[first:] for p in turn.pictures if p.visible)
    return pictures + sum(tokens.text(turn.text) for turn in turns[first:])


def sent(picture: Picture, ask: Ask) -> int:
    """Tokens of a picture as it is sent now; 0 where nobody can tell."""
    detail = history.detail_of(picture, ask)
    return history.picture_tokens(picture, detail, ask.model) or 0


def lowered(picture: Picture, ask: Ask) -> int:
    """Tokens that low detail saves, as the picture is sent now."""
    low = history.picture_tokens(picture, "low", ask.model)
    return 0 if low is None else sent(picture, ask) - low


def gained(picture: Picture, ask: Ask, *, cut: bool) -> int:
    """Tokens that the picture takes more at high detail; 0 where a mark holds it lower."""
    if picture.mark == "low" or picture.width is None or picture.height is None:
        return 0
    now = history.picture_tokens(picture, history.detail_of(picture, ask), ask.model)
    rule, size = tokens.rule(ask.model), (picture.width, picture.height)
    parts = rule.parts(*size, "high") if cut else (size,)
    high = rule.count(*parts[0], "high")
    # A document's size is its first page's; the others are taken to be like it.
    count = max(len(parts), len(picture.images))
    return 0 if now is None or high is None else max(0, high * count - now)
