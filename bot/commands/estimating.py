"""What a question would cost, before it is asked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot import footer, history, tokens
from bot.domain import Ask, Attachment, Card, Detail, Estimate, PictureEstimate, Usage
from bot.pricing import Prices, dollars

DETAILS: tuple[Detail, ...] = ("low", "high", "auto", "original")
SIZE = re.compile(r"^(\d{1,6})\s*[x×*]\s*(\d{1,6})$", re.I)
COUNT = re.compile(r"^[x×](\d{1,3})$", re.I)
MAX_ESTIMATED = 100  # pictures in one estimate

HOW_TO_SIZE = (
    "I did not understand `{word}`: write a size, how many and a detail, "
    "such as `1920x1080 x3 high`."
)
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

    @classmethod
    def of(cls, attachment: Attachment) -> "Sized":
        """By the size that its platform tells."""
        if attachment.linked or not (attachment.width and attachment.height):
            return cls(attachment.name, error="size unknown")
        return cls(attachment.name, attachment.width, attachment.height)


def estimate(
    pictures: Sequence[Sized], question: str, ask: Ask, prices: Prices, *, thread_tokens: int = 0
) -> Estimate:
    """What a question would cost before it is asked; `thread_tokens` is what its thread adds."""
    rule = tokens.rule(ask.model)
    looked = tuple(look(picture, rule) for picture in pictures)
    question_tokens = tokens.text(question)
    text_tokens = (
        question_tokens
        + tokens.text(ask.instructions)
        + 2 * history.TURN_TOKENS
        + history.LABEL_TOKENS * len(looked)
    )
    detail = ask.detail if ask.detail in rule.levels else "high"
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
    )


def input_cost(count: int | None, ask: Ask, prices: Prices) -> Decimal | None:
    """USD for so many tokens of input, none of them cached."""
    return None if count is None else prices.cost(ask.model, Usage(input=count, output=0))


def look(picture: Sized, rule: tokens.Rule) -> PictureEstimate:
    """One picture at each detail that the model knows."""
    if picture.error or picture.width is None or picture.height is None:
        return PictureEstimate(picture.name, error=picture.error or "size unknown")
    width, height = picture.width, picture.height
    return PictureEstimate(
        picture.name,
        width,
        height,
        seen={level: rule.seen(width, height, level) for level in rule.levels},
        tokens={level: rule.count(width, height, level) for level in rule.levels},
    )


def estimate_card(estimate: Estimate) -> Card:
    """An estimate as people read it."""
    lines = [
        f"{number}. {picture_line(picture, estimate)}"
        for number, picture in enumerate(estimate.pictures, start=1)
    ]
    lines += ["", *sum_lines(estimate)]
    if any(picture.error for picture in estimate.pictures):
        lines.append("Pictures without a figure above are not in the sum.")
    if estimate.certainty == "assumed":
        lines.append(f"The picture rule of {estimate.model} is not published; this one is assumed.")
    return Card(f"Estimate for {estimate.model}, detail {estimate.detail}", "\n".join(lines))


def brief(estimate: Estimate) -> str:
    """An estimate in one line."""
    if estimate.input_tokens is None:
        return f"Before asking: the picture rule of {estimate.model} is unknown."
    words = f"Before asking: about {estimate.input_tokens:,} tokens in"
    if estimate.input_cost is None or estimate.most is None:
        return f"{words}; the price of {estimate.model} is unknown."
    return (
        f"{words}, {dollars(estimate.input_cost)} on {estimate.model}; "
        f"at most {dollars(estimate.most)} with the answer."
    )


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
    for word in text.split():
        if size := SIZE.match(word):
            width, height = int(size[1]), int(size[2])
            if not (width and height):
                raise ValueError(HOW_TO_SIZE.format(word=footer.plain_name(word)))
            pictures.append(Sized("", width, height))
        elif (count := COUNT.match(word)) and pictures:
            times = max(1, min(int(count[1]), MAX_ESTIMATED))
            pictures += [pictures[-1]] * (times - 1)
        elif word.lower() in DETAILS:
            ask = chosen(ask, {"detail": word.lower()})
        else:
            raise ValueError(HOW_TO_SIZE.format(word=footer.plain_name(word)))
    return pictures[:MAX_ESTIMATED], ask


def picture_line(picture: PictureEstimate, estimate: Estimate) -> str:
    name = footer.plain_name(picture.name)
    if picture.error:
        return f"{name}: {picture.error}"
    size = f"{name} {picture.width}×{picture.height}".strip()
    if estimate.certainty == "unknown":
        return f"{size}: tokens unknown"
    levels = [
        f"{level} {'refused' if count is None else f'{count:,}'} ({seen_words(picture, level)})"
        for level, count in picture.tokens.items()
    ]
    return f"{size}: {' · '.join(levels)}"


def seen_words(picture: PictureEstimate, level: str) -> str:
    width, height = picture.seen[level]
    return f"{width}×{height}"


def sum_lines(estimate: Estimate) -> list[str]:
    """What it comes to, in tokens and in dollars."""
    instructions = estimate.text_tokens - estimate.question_tokens
    text = f"Text: about {instructions:,} tokens of instructions"
    if estimate.question_tokens:
        text += f" and {estimate.question_tokens:,} of the question"
    text += "."
    if estimate.input_tokens is None:
        return [text, f"The picture rule of {estimate.model} is unknown, so there is no sum."]
    lines = [text, f"Question: about {estimate.input_tokens:,} tokens in"]
    if estimate.input_cost is None or estimate.most is None:
        lines[-1] += f"; the price of {estimate.model} is unknown."
        return lines
    lines[-1] += (
        f", {dollars(estimate.input_cost)}; with an answer of at most {estimate.limit:,} tokens, "
        f"at most {dollars(estimate.most)}."
    )
    if estimate.follow_up_tokens is not None and estimate.follow_up_cost is not None:
        lines.append(
            f"Next follow-up: about {estimate.follow_up_tokens:,} tokens in, "
            f"{dollars(estimate.follow_up_cost)} (less when the provider has them cached)."
        )
    return [*lines, f"Price: {estimate.price_source}."]
