"""What was spent, as a picture: a column a day, in the colours of the models. Synchronous."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from PIL import Image, ImageDraw

from bot.domain import Drawing, UsageRow
from bot.drawing import EDGE, GROUND, INK, MARGIN, SOFT, WIDTH, encoded, fitted, font, framed, plain
from bot.pricing import small

HEIGHT = 400  # of the columns
MOST_DAYS = 31
WIDEST = 110  # pixels of a column
SHOWN_MODELS = 4  # the rest share a colour
COLOURS = ((15, 107, 98), (214, 140, 43), (88, 101, 190), (186, 73, 92), (140, 134, 124))
OTHERS = "other models"
BASE = 46  # pixels under the columns, for their days
SCALE_WIDTH = 170  # … beside them, for the amounts


@dataclass(frozen=True, slots=True)
class Column:
    """One day's sums by model."""

    day: date
    parts: Mapping[str, Decimal]

    @property
    def total(self) -> Decimal:
        """All models together."""
        return sum(self.parts.values(), Decimal(0))


def usage(title: str, rows: Sequence[UsageRow], since: date, until: date) -> Drawing | None:
    """Dollars by day and model, from one day to another; tokens where no price is known."""
    priced = any(row.spent.cost for row in rows)
    columns, models = by_day(rows, since, until, priced=priced)
    if not any(column.total for column in columns):
        return None
    unit = "dollars" if priced else "tokens"
    heading = f"{plain(title)}: {unit} a day"
    below = f"{since:%d %b} to {until:%d %b %Y}, in all {amount(whole(columns), priced=priced)}"
    canvas = laid_out(heading, below, columns, models, priced=priced)
    return Drawing("usage.png", encoded(canvas), alt(heading, columns, models, priced=priced))


def by_day(
    rows: Sequence[UsageRow], since: date, until: date, *, priced: bool
) -> tuple[list[Column], list[str]]:
    """A column for every day, also for those without a question; and the models, the dearest first."""
    days = [since + timedelta(n) for n in range(min((until - since).days + 1, MOST_DAYS))]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row.model] += value(row, priced=priced)
    ranked = sorted(sums, key=lambda model: (-sums[model], model))
    shown = ranked[:SHOWN_MODELS] if len(ranked) > SHOWN_MODELS + 1 else ranked
    parts: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        model = row.model if row.model in shown else OTHERS
        parts[row.day][model] += value(row, priced=priced)
    columns = [Column(day, dict(parts[day.isoformat()])) for day in days]
    return columns, [*shown, OTHERS] if len(shown) < len(ranked) else shown


def value(row: UsageRow, *, priced: bool) -> Decimal:
    """What a row adds to its column."""
    tokens = row.spent.input_tokens + row.spent.output_tokens
    return row.spent.cost if priced else Decimal(tokens)


def laid_out(
    heading: str, below: str, columns: Sequence[Column], models: Sequence[str], *, priced: bool
) -> Image.Image:
    """Heading, columns and legend on one card."""
    top = MARGIN + 124
    legend = top + HEIGHT + BASE + 34
    canvas = Image.new("RGB", (WIDTH, legend + 50 * len(models) + MARGIN - 12), GROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN - 6), fitted(heading, 38), INK, font(38), stroke_width=0.7)
    draw.text((MARGIN, MARGIN + 48), fitted(below, 30), SOFT, font(30))
    highest = nice(max(column.total for column in columns))
    scaled(draw, top, highest, priced=priced)
    for index, column in enumerate(columns):
        stacked(draw, top, index, len(columns), column, models, highest)
    sums = {m: sum((c.parts.get(m, Decimal(0)) for c in columns), Decimal(0)) for m in models}
    for index, model in enumerate(models):
        y = legend + 50 * index
        draw.rounded_rectangle((MARGIN, y + 4, MARGIN + 30, y + 34), 6, COLOURS[index])
        words = f"{plain(model)}  {amount(sums[model], priced=priced)}"
        draw.text((MARGIN + 48, y), fitted(words, 32, WIDTH - 2 * MARGIN - 48), INK, font(32))
    return framed(canvas)


def scaled(draw: ImageDraw.ImageDraw, top: int, highest: Decimal, *, priced: bool) -> None:
    """Three lines with their amounts: nothing, half and the highest."""
    for part in (0, 1, 2):
        y = top + HEIGHT - HEIGHT * part // 2
        draw.line((MARGIN + SCALE_WIDTH, y, WIDTH - MARGIN, y), EDGE, 2)
        words = short(highest * part / 2, priced=priced) if part else "0"
        length = draw.textlength(words, font(28))
        draw.text((MARGIN + SCALE_WIDTH - 16 - length, y - 18), words, SOFT, font(28))


def stacked(
    draw: ImageDraw.ImageDraw,
    top: int,
    index: int,
    count: int,
    column: Column,
    models: Sequence[str],
    highest: Decimal,
) -> None:
    """One day's column, and under it the day, where there is room."""
    step = (WIDTH - 2 * MARGIN - SCALE_WIDTH) / count
    left = MARGIN + SCALE_WIDTH + index * step
    gap = max(2.0, step * 0.16, (step - WIDEST) / 2)
    bottom = float(top + HEIGHT)
    for place, model in enumerate(models):
        height = float(column.parts.get(model, Decimal(0)) / highest) * HEIGHT
        if height > 0:
            # What is more than nothing is seen, however little.
            upper = bottom - max(height, 2.0)
            draw.rectangle((left + gap, upper, left + step - gap, bottom), COLOURS[place])
            bottom = upper
    every = -(-count // 8)
    if index % every == 0:
        words = str(column.day.day)
        length = draw.textlength(words, font(28))
        draw.text((left + (step - length) / 2, top + HEIGHT + 10), words, SOFT, font(28))


def nice(most: Decimal) -> Decimal:
    """The next round number: 1, 2 or 5 with zeros."""
    power = Decimal(1).scaleb(most.adjusted())
    return next(power * each for each in (1, 2, 5, 10) if power * each >= most)


def whole(columns: Sequence[Column]) -> Decimal:
    """All days together."""
    return sum((column.total for column in columns), Decimal(0))


def amount(number: Decimal, *, priced: bool) -> str:
    """Dollars or tokens, short enough for a chart."""
    if priced:
        return f"${number:,.2f}" if number >= 1 else small(number)
    return f"{int(number):,}"


def short(number: Decimal, *, priced: bool) -> str:
    """A round amount without the zeros at its end, but for those of cents."""
    words = amount(number, priced=priced)
    if not priced:
        return words
    dollars, _, rest = words.partition(".")
    return f"{dollars}.{rest.rstrip('0'):0<2}"


def alt(heading: str, columns: Sequence[Column], models: Sequence[str], *, priced: bool) -> str:
    """The chart in words."""
    days = [
        f"{column.day:%d %b} {amount(column.total, priced=priced)}"
        for column in columns
        if column.total
    ]
    return f"{heading}. {', '.join(days)}. Models: {', '.join(models)}."
