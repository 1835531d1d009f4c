"""An estimate in words. Pure."""

from decimal import Decimal

from bot import footer
from bot.domain import Card, Estimate, PictureEstimate
from bot.history import named
from bot.pricing import dollars, small

MAX_WHOLE = 3  # pictures told with all their details; of more only the chosen one
MAX_LISTED = 20


def estimate_card(estimate: Estimate) -> Card:
    """An estimate as people read it."""
    lines = [*picture_lines(estimate), "", *sum_lines(estimate)]
    if any(p.error or refused(p, estimate) for p in estimate.pictures):
        lines.append("Pictures without a figure above are not in the sum.")
    if estimate.certainty == "assumed":
        lines.append(f"The picture rule of {estimate.model} is not published; this one is assumed.")
    text = "\n".join(lines).strip()
    return Card(f"Estimate for {estimate.model}, detail {estimate.detail}", text)


def refused(picture: PictureEstimate, estimate: Estimate) -> bool:
    """Whether the model would not take a picture; of an unknown one nobody can tell."""
    return estimate.certainty != "unknown" and picture.refused(estimate.detail)


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


def picture_lines(estimate: Estimate) -> list[str]:
    """A paragraph for each of a few pictures, a line for each of many."""
    whole = len(estimate.pictures) <= MAX_WHOLE
    lines = []
    for number, picture in enumerate(estimate.pictures[:MAX_LISTED], start=1):
        lead = f"{number}. " if len(estimate.pictures) > 1 else ""
        lines.append(f"{lead}{picture_line(picture, estimate, brief=not whole)}")
        if whole and not picture.error and estimate.certainty != "unknown":
            lines += [f"- {each}" for each in level_lines(picture, estimate)]
    if (rest := len(estimate.pictures) - MAX_LISTED) > 0:
        lines.append(f"… and {rest} more.")
    return lines


def picture_line(picture: PictureEstimate, estimate: Estimate, *, brief: bool) -> str:
    # As code: a name's underscores are no markup.
    name = f"`{plain}`" if (plain := footer.plain_name(picture.name)) else ""
    if picture.error:
        return f"{name}: {picture.error}" if name else picture.error
    size = f"{name} {picture.width}×{picture.height}".strip()
    if estimate.certainty == "unknown":
        return f"{size}: tokens unknown"
    if not brief:
        return size
    return f"{size}: {level_words(picture, estimate.detail)}"


def level_lines(picture: PictureEstimate, estimate: Estimate) -> list[str]:
    """What each detail costs; those that come to the same share a line."""
    alike: dict[object, list[str]] = {}
    for level in picture.tokens:
        key = (picture.seen[level], picture.tokens[level])
        alike.setdefault(key, []).append(level)
    lines = []
    for levels in alike.values():
        words = level_words(picture, levels[0])
        names = " and ".join(filter(None, (", ".join(levels[:-1]), levels[-1])))
        names = f"**{names}**" if estimate.detail in levels else names
        lines.append(f"{names}: {words}")
    return lines


def level_words(picture: PictureEstimate, level: str) -> str:
    """`2,977 tokens · $0.0012 · seen at 1984×1488`."""
    count = picture.tokens.get(level)
    if count is None:
        return "refused by the model"
    width, height = picture.seen[level]
    words = [f"{count:,} tokens"]
    if level in picture.costs:
        words.append(small(picture.costs[level]))
    seen = f"seen at {width}×{height}"
    cut = picture.parts.get(level)
    words.append(f"in {cut} parts, each {seen}" if cut else seen)
    return " · ".join(words)


def sum_lines(estimate: Estimate) -> list[str]:
    """What it comes to, in tokens and in dollars."""
    if estimate.input_tokens is None:
        return [f"The picture rule of {estimate.model} is unknown, so there is no sum."]
    lines = [f"**Question:** about {estimate.input_tokens:,} tokens in ({parts(estimate)})"]
    if estimate.input_cost is None or estimate.most is None:
        lines.append(f"The price of {estimate.model} is unknown.")
        return lines
    lines.append(
        f"**Cost:** about {dollars(estimate.input_cost)} before the answer, "
        f"at most {dollars(estimate.most)} with an answer of {estimate.limit:,} tokens"
    )
    if estimate.follow_up_tokens is not None and estimate.follow_up_cost is not None:
        lines.append(
            f"**Next follow-up:** about {estimate.follow_up_tokens:,} tokens in, "
            f"{dollars(estimate.follow_up_cost)} (less when the provider has them cached)"
        )
    if estimate.others:
        lines.append(f"**Elsewhere:** {elsewhere(estimate, estimate.most)}")
    return [*lines, f"Price: {estimate.price_source}."]


def parts(estimate: Estimate) -> str:
    """What the input is made of."""
    assert estimate.input_tokens is not None
    pictures = estimate.input_tokens - estimate.text_tokens - estimate.thread_tokens
    words = [f"pictures {pictures:,}"] if estimate.pictures else []
    if estimate.thread_tokens:
        held = f" with {named(estimate.thread_pictures)}" if estimate.thread_pictures else ""
        words.append(f"this thread{held} {estimate.thread_tokens:,}")
    words.append(f"instructions {estimate.text_tokens - estimate.question_tokens:,}")
    if estimate.question_tokens:
        words.append(f"question {estimate.question_tokens:,}")
    return " · ".join(words)


def elsewhere(estimate: Estimate, most: Decimal) -> str:
    """The same question to other models; the cheapest of all is marked."""
    least = min(most, *(other.most for other in estimate.others))
    words = []
    for other in estimate.others:
        told = f"{other.model} {dollars(other.input_cost)} to {dollars(other.most)}"
        told += " (its picture rule is assumed)" if other.certainty == "assumed" else ""
        words.append(f"**{told}, the cheapest**" if other.most == least else told)
    if most == least:
        words.append(f"{estimate.model} is the cheapest of these")
    return " · ".join(words)
