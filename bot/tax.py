"""What a thread's earlier pictures cost with every question, and the buttons that act on it. Pure."""

from collections.abc import Iterable, Sequence
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

    None while the earlier pictures are at most half of what the answer cost.
    """
    rates = prices.rates(ask.model)
    if rates is None or not answer.cost or weight(fitted, answer, rates) <= HALF * answer.cost:
        return ()
    rate = rates.cached if answer.usage.cached else rates.input
    earlier = [picture for picture in before(fitted) if picture.mark != "pinned"]
    return (*lowering(earlier, ask, rate), *dropping(earlier, ask, rate))


def closer(fitted: Fitted, ask: Ask, answer: Answer, prices: Prices) -> str | None:
    """`Look closer (+$0.0040)`: what the same question costs at high detail; None where that is no more.

    Without a price where that is unknown.
    """
    shown = [picture for turn in fitted.turns for picture in turn.pictures if picture.visible]
    more = sum(gained(picture, ask) for picture in shown)
    if more <= 0:
        return None
    # Asked again, the whole question is paid again.
    usage = Usage(answer.usage.input + more, answer.usage.output)
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


def lowering(earlier: Sequence[Picture], ask: Ask, rate: Decimal) -> Iterable[tuple[str, str]]:
    """The button that sends all of them at low detail, where that is cheaper."""
    cheaper = [(p, saved) for p in earlier if (saved := lowered(p, ask)) > 0]
    if cheaper:
        saving = rate * sum(saved for _, saved in cheaper)
        numbers = " ".join(str(picture.number) for picture, _ in cheaper)
        yield f"Older pictures → low (−{small(saving)} per question)", f"low {numbers}"


def dropping(earlier: Sequence[Picture], ask: Ask, rate: Decimal) -> Iterable[tuple[str, str]]:
    """The button that leaves out the dearest of them."""
    counted = [
        (count, picture)
        for picture in earlier
        if (count := history.picture_tokens(picture, history.detail_of(picture, ask), ask.model))
    ]
    if counted:
        count, picture = max(counted, key=lambda each: (each[0], -each[1].number))
        label = f"Drop picture {picture.number} (−{small(rate * count)} per question)"
        yield label, f"dropped {picture.number}"


def lowered(picture: Picture, ask: Ask) -> int:
    """Tokens that low detail saves, as the picture is sent now."""
    now = history.picture_tokens(picture, history.detail_of(picture, ask), ask.model)
    low = history.picture_tokens(picture, "low", ask.model)
    return 0 if now is None or low is None else now - low


def gained(picture: Picture, ask: Ask) -> int:
    """Tokens that the picture takes more at high detail; 0 where a mark holds it lower."""
    if picture.mark == "low" or picture.width is None or picture.height is None:
        return 0
    now = history.picture_tokens(picture, history.detail_of(picture, ask), ask.model)
    high = tokens.rule(ask.model).count(picture.width, picture.height, "high")
    # A document's size is its first page's; the others are taken to be like it.
    return 0 if now is None or high is None else max(0, high * len(picture.images) - now)
