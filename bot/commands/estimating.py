"""What a question would cost, before it is asked. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot import footer, history, tokens
from bot.domain import Alternative, Ask, Attachment, Detail, Estimate, PictureEstimate, Usage
from bot.history import Fitted
from bot.pricing import Prices

DETAILS: tuple[Detail, ...] = ("low", "high", "auto", "original")
SIZE = re.compile(r"^(\d{1,9})\s*[x×*]\s*(\d{1,9})$", re.I)
SPACED = re.compile(r"(\d)\s+[x×*]\s+(\d)", re.I)
COUNT = re.compile(r"^[x×](\d{1,3})$", re.I)
MAX_ESTIMATED = 100  # pictures in one estimate
MAX_SIDE = 65_535  # pixels; no picture format that is read has longer sides
MAX_COMPARED = 3
# What people choose between, the cheapest family first; those of the installer's price file go before.
COMPARED = ("gpt-5.6-luna", "gpt-5.4-mini", "gpt-5.6-terra", "gpt-5.6-sol")

UNSIZED = "size unknown"
HOW_TO_SIZE = (
    "I did not understand `{word}`: write a size, how many and a detail, "
    "such as `1920x1080 x3 high`."
)
NO_SUCH_SIZE = "`{word}` is no picture's size: each side has 1 to 65,535 pixels."
NOTHING_TO_ESTIMATE = (
    "I found no picture here: post one, or write its size, such as `1920x1080 x3 high`."
)


@dataclass(frozen=True, slots=True)
class Sized:
    """A picture to be estimated: its size as people see it, or why it has none."""

    name: str
    width: int | None = None
    height: int | None = None
    error: str = ""
    cut: bool = False
    """Whether it is cut into parts where it is very long."""

    @classmethod
    def of(
        cls, attachment: Attachment, *, max_bytes: int | None = None, cut: bool = False
    ) -> "Sized":
        """By the size that its platform tells."""
        if max_bytes is not None and (attachment.size or 0) > max_bytes:
            megabytes = (attachment.size or 0) / 1e6
            return cls(
                attachment.name,
                error=f"the file has {megabytes:,.0f} MB, and {max_bytes / 1e6:.0f} MB are read at "
                "most; post it smaller",
            )
        width, height = attachment.width or 0, attachment.height or 0
        if attachment.linked or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            return cls(attachment.name, error=UNSIZED)
        return cls(attachment.name, width, height, cut=cut)


def estimate(
    pictures: Sequence[Sized],
    question: str,
    ask: Ask,
    prices: Prices,
    *,
    thread_tokens: int = 0,
    thread: Fitted | None = None,
) -> Estimate:
    """What a question would cost before it is asked; `thread_tokens` is what its thread adds."""
    rule = tokens.rule(ask.model)
    rates = prices.rates(ask.model)
    looked = tuple(look(picture, rule, rates.input if rates else None) for picture in pictures)
    question_tokens = tokens.text(question)
    detail = ask.detail if ask.detail in rule.levels else "high"
    text_tokens = (
        question_tokens
        + tokens.text(ask.instructions)
        + 2 * history.TURN_TOKENS
        + history.LABEL_TOKENS * sum(picture.parts.get(detail, 1) for picture in looked)
    )
    seen = [picture.tokens.get(detail) for picture in looked if not picture.error]
    counted = [count for count in seen if count is not None]
    known = rule.certainty != "unknown"
    total = sum(counted) + text_tokens + thread_tokens if known else None
    follow_up = None if total is None else total + ask.limit // 2 + question_tokens
    return Estimate(
        model=ask.model,
        detail=detail,
        certainty=rule.certainty,
        pictures=looked,
        text_tokens=text_tokens,
        question_tokens=question_tokens,
        input_tokens=total,
        limit=ask.limit,
        input_cost=input_cost(total, ask, prices),
        most=None if total is None else prices.most(ask.model, total, ask.limit),
        follow_up_tokens=follow_up,
        follow_up_cost=input_cost(follow_up, ask, prices),
        price_source=prices.source(ask.model),
        thread_tokens=thread_tokens,
        thread_pictures=numbers_of(thread),
    )


def compared(
    pictures: Sequence[Sized],
    question: str,
    ask: Ask,
    prices: Prices,
    *,
    thread_tokens: int = 0,
) -> tuple[Alternative, ...]:
    """The same question to other models that take the pictures, and whose picture rule and price are known.

    The thread's tokens are taken to be as many there.
    """
    others: list[Alternative] = []
    for model in dict.fromkeys((*prices.own, *COMPARED)):
        if tokens.plain(model) == tokens.plain(ask.model) or len(others) == MAX_COMPARED:
            continue
        told = estimate(
            pictures, question, replace(ask, model=model), prices, thread_tokens=thread_tokens
        )
        if told.certainty == "unknown" or told.input_cost is None or told.most is None:
            continue
        if any(picture.refused(told.detail) for picture in told.pictures):
            continue
        others.append(Alternative(model, told.detail, told.certainty, told.input_cost, told.most))
    return tuple(others)


def input_cost(count: int | None, ask: Ask, prices: Prices) -> Decimal | None:
    """USD for so many tokens of input, none of them cached."""
    return None if count is None else prices.cost(ask.model, Usage(input=count, output=0))


def look(picture: Sized, rule: tokens.Rule, price: Decimal | None) -> PictureEstimate:
    """One picture at each detail that the model knows; `price` is USD a token."""
    if picture.error or picture.width is None or picture.height is None:
        return PictureEstimate(picture.name, error=picture.error or UNSIZED)
    size = picture.width, picture.height
    parts = {level: rule.parts(*size, level) if picture.cut else (size,) for level in rule.levels}
    counts: dict[str, int | None] = {
        level: counted(rule, sizes, level) for level, sizes in parts.items()
    }
    return PictureEstimate(
        picture.name,
        *size,
        seen={level: rule.seen(*sizes[0], level) for level, sizes in parts.items()},
        tokens=counts,
        costs={
            level: price * count
            for level, count in counts.items()
            if price is not None and count is not None
        },
        parts={level: len(sizes) for level, sizes in parts.items() if len(sizes) > 1},
    )


def counted(rule: tokens.Rule, sizes: Sequence[tokens.Size], detail: Detail) -> int | None:
    """The tokens of equal parts; None where one would be refused."""
    each = rule.count(*sizes[0], detail)
    return None if each is None else len(sizes) * each


def chosen(ask: Ask, options: Mapping[str, str]) -> Ask:
    """The settings with what a command's options say instead."""
    detail = options.get("detail", ask.detail)
    return replace(
        ask,
        model=options.get("model") or ask.model,
        detail=detail if detail in DETAILS else ask.detail,
    )


def typed(text: str, ask: Ask) -> tuple[list[Sized], Ask]:
    """Pictures by their typed sizes: `1920x1080 x3 high`; raises ValueError with what to write."""
    pictures: list[Sized] = []
    for word in SPACED.sub(r"\1x\2", text).split():
        if size := SIZE.match(word):
            width, height = int(size[1]), int(size[2])
            if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
                raise ValueError(NO_SUCH_SIZE.format(word=footer.plain_name(word)))
            pictures.append(Sized("", width, height))
        elif (count := COUNT.match(word)) and pictures:
            times = max(1, min(int(count[1]), MAX_ESTIMATED))
            pictures += [pictures[-1]] * (times - 1)
        elif word.lower() in DETAILS:
            ask = chosen(ask, {"detail": word.lower()})
        else:
            raise ValueError(HOW_TO_SIZE.format(word=footer.plain_name(word)))
    return pictures[:MAX_ESTIMATED], ask


def numbers_of(thread: Fitted | None) -> tuple[int, ...]:
    """The pictures that a thread sends again."""
    if thread is None:
        return ()
    shown = (picture for turn in thread.turns for picture in turn.pictures)
    return tuple(picture.number for picture in shown if picture.visible)
