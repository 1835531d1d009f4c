"""Screenshots, prepared for the model and read again: what is lost against the exact resize, and what it costs.

Drawn screens, of which every letter is known, go through the bot's own preparing and through other ways, and a
text reader reads each. The exact resize, kept without loss, is what no way can beat.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from bot import images, tokens
from bot.errors import SetupError
from bot.offline.reader import RapidReader, require

FAMILIES = {"tile": "gpt-4o", "patch": "gpt-5.6-luna"}
ROWS = 24
"""Lines of a screen; more would only take longer."""
LIMIT = 0.005
"""Characters that may be lost."""
WORDS = [
    "invoice",
    "total",
    "amount",
    "due",
    "balance",
    "transfer",
    "account",
    "number",
    "reference",
    "customer",
    "delivery",
    "address",
    "quantity",
    "price",
    "discount",
    "subtotal",
    "shipping",
    "express",
    "warehouse",
    "pending",
    "approved",
    "rejected",
    "review",
    "deploy",
    "pipeline",
    "failed",
    "retry",
    "warning",
    "deprecated",
    "function",
    "argument",
    "expected",
    "received",
    "undefined",
]


@dataclass(frozen=True, slots=True)
class Theme:
    """How a screen looks."""

    name: str
    size: tuple[int, int]
    ground: str
    inks: tuple[str, ...]
    letters: int
    """Pixels."""


THEMES = (
    Theme("phone, light", (1170, 2532), "#ffffff", ("#111111", "#3a3a3c", "#8e8e93"), 30),
    Theme("phone, dark", (1170, 2532), "#000000", ("#ffffff", "#d1d1d6", "#0a84ff"), 26),
    Theme("desktop, colours", (1920, 1080), "#f6f8fa", ("#24292f", "#cf222e", "#0550ae"), 16),
    Theme("editor, dark", (1920, 1080), "#1e1e1e", ("#d4d4d4", "#ce9178", "#569cd6"), 15),
)


def main() -> None:
    """Prints a row for each family and way."""
    try:
        require()
    except SetupError:
        print("\nLegibility is not measured: it needs pip install -r requirements-demo.txt")
        return
    reader = RapidReader()
    screens = [screen(theme, seed) for seed, theme in enumerate(THEMES)]
    print("\nScreenshots read again: letters lost against the exact resize, and bytes")
    print(f"{'family':8}{'way':28}{'letters read':>14}{'lost':>8}{'KB':>8}")
    for family, model in FAMILIES.items():
        best = 0
        for way, prepare in WAYS.items():
            read = size = 0
            for picture, truth in screens:
                data = prepare(picture, model)
                found = " ".join(reader.lines(Image.open(BytesIO(data)).convert("RGB")))
                read += matched(truth, found)
                size += len(data)
            best = best or read
            lost = 1 - read / best
            missed = f"  over {LIMIT:.1%}" if way == "ours" and lost > LIMIT else ""
            print(f"{family:8}{way:28}{read:14,}{lost:8.2%}{size / 1000:8.0f}{missed}")
            sys.stdout.flush()


def screen(theme: Theme, seed: int) -> tuple[Image.Image, str]:
    """A screen full of words and numbers, and what is written on it."""
    picture = Image.new("RGB", theme.size, theme.ground)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(theme.letters)
    written, at = [], 7 * seed
    step = theme.size[1] // ROWS
    for row, top in enumerate(range(step, theme.size[1] - step, step)):
        line = ""
        while pen.textlength(line, font) < theme.size[0] * 0.78:
            at += 1
            line += (
                f"{WORDS[at * 5 % len(WORDS)]} "
                if at % 4
                else f"{at * 7919 % 9973}.{at % 90 + 10} "
            )
        pen.text((theme.letters, top), line, fill=theme.inks[row % len(theme.inks)], font=font)
        written.append(line.strip())
    # A photograph on the screen, as most screens have one.
    icon = Image.effect_mandelbrot((theme.letters * 3,) * 2, (-2.2, -1.2, 0.8, 1.2), 60)
    picture.paste(icon.convert("RGB"), (theme.size[0] - theme.letters * 4, theme.letters))
    return picture, " ".join(written)


def matched(truth: str, found: str) -> int:
    """Letters of the truth that were read, in their order; white space is nobody's."""
    one, other = "".join(truth.split()), "".join(found.split())
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def ours(picture: Image.Image, model: str) -> bytes:
    return images.prepare(as_png(picture), model, "high").data


def exact(picture: Image.Image, model: str) -> bytes:
    return as_png(resized(picture, model))


def jpeg(quality: int, subsampling: str) -> Callable[[Image.Image, str], bytes]:
    """The exact resize, as such a JPEG."""

    def encode(picture: Image.Image, model: str) -> bytes:
        return saved(resized(picture, model), "JPEG", quality=quality, subsampling=subsampling)

    return encode


def resized(picture: Image.Image, model: str) -> Image.Image:
    target = tokens.rule(model).target(*picture.size, "high")
    return picture.resize(target, Image.Resampling.LANCZOS)


def as_png(picture: Image.Image) -> bytes:
    return saved(picture, "PNG")


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


Way = Callable[[Image.Image, str], bytes]
WAYS: dict[str, Way] = {
    "exact resize, PNG": exact,
    "ours": ours,
    "JPEG 90, colours whole": jpeg(90, "4:4:4"),
    "JPEG 85, colours halved": jpeg(85, "4:2:0"),
    "JPEG 75, colours halved": jpeg(75, "4:2:0"),
}


if __name__ == "__main__":
    main()
