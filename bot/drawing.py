"""An estimate as a picture: what the model sees, and the squares that are paid for. Synchronous.

Everything stands on a card of its own colour, so that it reads the same in light and dark themes.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from bot import tokens
from bot.domain import Detail, Drawing, Estimate, PictureEstimate
from bot.pricing import small

WIDTH = 1040  # pixels of a drawing; thrice what a phone's chat is wide, with letters to match
MARGIN = 44
GAP = 56  # between the two panels
CAPTION_WIDTH = 440
MOST_HEIGHT = 620  # of a panel's picture
LARGEST_SCALE = 5.0  # a picture of one pixel stands in a patch of so many times its size
FINEST_CELL = 5.0  # pixels; of finer squares only every other one, or fourth, … is drawn
WASTEFUL = 1.08  # times the picture's own area
WIDE = 2.2  # from this aspect on the panels stand one under the other

GROUND = (251, 249, 245)
EDGE = (214, 208, 198)
INK = (32, 31, 29)
SOFT = (98, 93, 85)
ACCENT = (15, 107, 98)
LINES = (15, 107, 98, 150)
LIGHT = (255, 255, 255, 130)
EMPTY = (233, 228, 219)
PLACEHOLDER = ((160, 203, 196), (233, 208, 163))

Colour = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One detail of one picture, as the model gets it."""

    level: Detail
    chosen: bool
    width: int
    """Pixels that the model sees."""
    height: int
    square: int
    """Pixels of a tile's or patch's side; 0 where the price does not depend on them."""
    tokens: int | None
    cost: Decimal | None
    parts: int = 1
    """Of how many such parts this is the first."""

    @property
    def extent(self) -> tuple[int, int]:
        """What is paid for: whole squares, also where the picture ends within one."""
        if not self.square:
            return self.width, self.height
        columns, rows = self.cells
        return columns * self.square, rows * self.square

    @property
    def cells(self) -> tuple[int, int]:
        """Columns and rows."""
        return -(-self.width // self.square), -(-self.height // self.square)

    @property
    def counted(self) -> str:
        """Tokens and price, in words."""
        if self.tokens is None:
            return "refused by the model"
        words = f"{self.tokens:,} tokens"
        return words if self.cost is None else f"{words} · {small(self.cost)}"

    @property
    def squares(self) -> str:
        """The squares in words."""
        if not self.square:
            return "one price, whatever the size"
        columns, rows = self.cells
        count = columns * rows
        one, many = ("tile", "tiles") if self.square == tokens.TILE else ("patch", "patches")
        if self.tokens is None:
            return f"{count:,} {many}, at most {tokens.MOST_PATCHES:,}"
        if self.parts > 1:
            return f"{self.parts} such parts of {columns} x {rows} {many}"
        if count == 1:
            return f"1 {one} of {self.square} px"
        return f"{columns} x {rows} = {count:,} {many} of {self.square} px"


def estimate(
    told: Estimate, picture: PictureEstimate, data: bytes | None, part: bytes | None = None
) -> Drawing | None:
    """The picture as the model sees it at two details; None where there is nothing to draw.

    `data` is the picture in a form that we prepared ourselves; without it a placeholder stands there. `part` is the
    first part of one that is cut.
    """
    panels = panels_of(told, picture)
    if not panels or picture.width is None or picture.height is None:
        return None
    whole = opened(data, picture.width, picture.height)
    first = opened(part, panels[-1].width, panels[-1].height)
    sources = [first if panel.parts > 1 else whole for panel in panels]
    title = plain(picture.name) or "a picture"
    heading = f"{title}, {picture.width:,} x {picture.height:,} pixels"
    below = f"what {plain(told.model)} sees, and what is paid for"
    if any(wasteful(panel) for panel in panels):
        below += "; grey is paid for and empty"
    canvas = laid_out(heading, below, panels, sources)
    return Drawing("estimate.png", encoded(canvas), alt(title, picture, told, panels))


def wasteful(panel: Panel) -> bool:
    """Whether much of what is paid for holds nothing."""
    return panel.extent[0] * panel.extent[1] > WASTEFUL * panel.width * panel.height


def panels_of(told: Estimate, picture: PictureEstimate) -> list[Panel]:
    """Low beside the chosen detail; beside low, high."""
    if picture.error or told.certainty == "unknown" or not picture.seen:
        return []
    rule = tokens.rule(told.model)
    other: Detail = "high" if told.detail == "low" else told.detail
    panels = []
    for level in ("low", other):
        if level not in picture.seen:
            continue
        width, height = picture.seen[level]
        square = 0 if level in rule.flat else rule.level(level).square
        panels.append(
            Panel(
                level=level,
                chosen=level == told.detail,
                width=width,
                height=height,
                square=square,
                tokens=picture.tokens.get(level),
                cost=picture.costs.get(level),
                parts=picture.parts.get(level, 1),
            )
        )
    return panels


def alt(title: str, picture: PictureEstimate, told: Estimate, panels: Sequence[Panel]) -> str:
    """The drawing in words."""
    parts = [
        f"at detail {panel.level} it is seen at {panel.width}×{panel.height}: "
        f"{panel.squares.replace(' x ', '×')}, {panel.counted}"
        for panel in panels
    ]
    size = f"{picture.width}×{picture.height}"
    return f"{title}, {size} pixels, as {told.model} sees it: {'; '.join(parts)}."


def laid_out(
    heading: str, below: str, panels: Sequence[Panel], sources: Sequence[Image.Image]
) -> Image.Image:
    """Heading, panels and their captions on one card."""
    stacked = len(panels) > 1 and min(aspect(panel) for panel in panels) > WIDE
    scale = scale_of(panels, stacked=stacked)
    sizes = [tuple(max(1, round(side * scale)) for side in panel.extent) for panel in panels]
    caption = 172
    top = MARGIN + 112
    if stacked:
        height = top + sum(size[1] for size in sizes) + len(panels) * (caption + 28) + MARGIN - 40
    else:
        height = top + max(size[1] for size in sizes) + caption + MARGIN
    canvas = Image.new("RGB", (WIDTH, height), GROUND)
    draw = ImageDraw.Draw(canvas, "RGBA")
    draw.text((MARGIN, MARGIN - 6), fitted(heading, 38), INK, font(38), stroke_width=0.7)
    draw.text((MARGIN, MARGIN + 46), fitted(below, 27), SOFT, font(27))
    x, y = MARGIN, top
    columns = column_widths(sizes)
    for index, (panel, (_, tall)) in enumerate(zip(panels, sizes, strict=True)):
        at = (x, y if stacked else top + max(size[1] for size in sizes) - tall)
        painted(canvas, draw, panel, sources[index], at, scale)
        captioned(draw, panel, (x, at[1] + tall + 16))
        if stacked:
            y += tall + caption + 28
        else:
            x += columns[index] + GAP
    return framed(canvas)


def scale_of(panels: Sequence[Panel], *, stacked: bool) -> float:
    """Pixels of the drawing for one pixel of the model's; the same for both, so that they compare."""
    room = WIDTH - 2 * MARGIN
    widths = [panel.extent[0] for panel in panels]
    tallest = max(panel.extent[1] for panel in panels)
    across = max(widths) / room if stacked else sum(widths) / (room - GAP * (len(panels) - 1))
    scale = min(1 / across, MOST_HEIGHT / tallest, LARGEST_SCALE)
    while not stacked and len(panels) > 1:
        sizes = [(round(each * scale), 0) for each in widths]
        if sum(column_widths(sizes)) + GAP <= room:
            break
        scale *= 0.97
    return scale


def column_widths(sizes: Sequence[tuple[int, ...]]) -> list[int]:
    """Captions need their room also under a narrow picture."""
    return [max(size[0], CAPTION_WIDTH) for size in sizes]


def painted(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    source: Image.Image,
    at: tuple[int, int],
    scale: float,
) -> None:
    """The picture at the size that the model sees, its squares over it, and what they hold beside it."""
    x, y = at
    width, height = (max(1, round(side * scale)) for side in (panel.width, panel.height))
    across, down = (max(1, round(side * scale)) for side in panel.extent)
    draw.rectangle((x, y, x + across - 1, y + down - 1), EMPTY)
    # First down to what the model gets, then up or down to what fits here: no more is shown than it sees.
    seen = source.resize(shrunk((panel.width, panel.height), source.size), Image.Resampling.LANCZOS)
    canvas.paste(seen.resize((width, height), Image.Resampling.LANCZOS), at)
    if panel.square:
        grid(draw, panel, at, scale)
    colour = ACCENT if panel.chosen else SOFT
    draw.rectangle(
        (x - 2, y - 2, x + across + 1, y + down + 1), None, colour, 3 if panel.chosen else 2
    )


def shrunk(seen: tuple[int, int], own: tuple[int, int]) -> tuple[int, int]:
    """The size that the model sees, or the source's own where that is smaller."""
    return max(1, min(seen[0], own[0])), max(1, min(seen[1], own[1]))


def grid(draw: ImageDraw.ImageDraw, panel: Panel, at: tuple[int, int], scale: float) -> None:
    """The squares; of very fine ones only every other, or every fourth, …"""
    step = 1
    while panel.square * scale * step < FINEST_CELL:
        step *= 2
    line = LINES if panel.square * scale * step > 12 else (*LINES[:3], 90)
    thick = 3 if panel.square == tokens.TILE else 1
    if thick > 1:
        # Light beside dark, so that a tile's edge shows on every picture.
        grid_lines(draw, panel, at, scale, step, LIGHT, thick + 2)
    grid_lines(draw, panel, at, scale, step, line, thick)


def grid_lines(
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    at: tuple[int, int],
    scale: float,
    step: int,
    line: Colour,
    thick: int,
) -> None:
    """Every so many squares a line, down and across."""
    x, y = at
    columns, rows = panel.cells
    across, down = (side * scale for side in panel.extent)
    for column in range(step, columns, step):
        left = x + column * panel.square * scale
        draw.line((left, y, left, y + down), line, thick)
    for row in range(step, rows, step):
        upper = y + row * panel.square * scale
        draw.line((x, upper, x + across, upper), line, thick)


def captioned(draw: ImageDraw.ImageDraw, panel: Panel, at: tuple[int, int]) -> None:
    """Name, price and squares of one panel."""
    x, y = at
    name = font(36)
    draw.text((x, y), panel.level, INK, name, stroke_width=0.8)
    after = x + draw.textlength(panel.level, name) + 16
    if panel.chosen:
        words = "chosen"
        length = draw.textlength(words, font(25))
        draw.rounded_rectangle((after, y + 4, after + length + 26, y + 40), 18, ACCENT)
        draw.text((after + 13, y + 8), words, GROUND, font(25))
    draw.text((x, y + 50), panel.counted, INK, font(32))
    draw.text((x, y + 95), f"{panel.width:,} x {panel.height:,} px", SOFT, font(26))
    draw.text((x, y + 128), panel.squares, SOFT, font(26))


def opened(data: bytes | None, width: int, height: int) -> Image.Image:
    """The picture's pixels, or a neutral placeholder of the same shape."""
    if data is not None:
        with Image.open(BytesIO(data)) as picture:
            return picture.convert("RGB")
    scale = min(1.0, 512 / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    ramp = Image.linear_gradient("L").rotate(90).resize(size)
    top, bottom = (Image.new("RGB", size, colour) for colour in PLACEHOLDER)
    return Image.composite(top, bottom, ramp)


def framed(canvas: Image.Image) -> Image.Image:
    """The card with round corners and an edge."""
    scale, radius = 2, 28
    mask = Image.new("L", (canvas.width * scale, canvas.height * scale), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, mask.width - 1, mask.height - 1), radius * scale, 255
    )
    ImageDraw.Draw(canvas).rounded_rectangle(
        (0, 0, canvas.width - 1, canvas.height - 1), radius, None, EDGE, 2
    )
    canvas.putalpha(mask.resize(canvas.size, Image.Resampling.LANCZOS))
    return canvas


def encoded(canvas: Image.Image) -> bytes:
    """PNG."""
    out = BytesIO()
    canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


def aspect(panel: Panel) -> float:
    return panel.extent[0] / panel.extent[1]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, which needs no files."""
    return ImageFont.load_default(size)


def fitted(words: str, size: int, room: int = WIDTH - 2 * MARGIN) -> str:
    """The words, cut in their middle to what a line holds."""
    face = font(size)
    if face.getlength(words) <= room:
        return words
    while len(words) > 12 and face.getlength(f"{words}…") > room:
        half = len(words) // 2
        words = words[: half - 1] + words[half + 1 :]
    half = len(words) // 2
    return f"{words[:half]}…{words[half:]}"


def plain(words: str) -> str:
    """The words in the letters that the font has: marks go, other scripts become `_`."""
    letters = unicodedata.normalize("NFKD", words)
    kept = [each for each in letters if not unicodedata.combining(each)]
    return "".join(each if " " <= each <= "~" else "_" for each in kept)
