"""A picture → the lines of text in it, by rapidocr, whose weights are in its wheel."""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from bot.errors import SetupError

if TYPE_CHECKING:
    from rapidocr import RapidOCR

NEEDED = ("rapidocr", "onnxruntime", "cv2", "numpy")
MEND = (
    "No model is set up: set OPENAI_API_KEY or OPENAI_BASE_URL; the offline model would need "
    "pip install -r requirements-demo.txt."
)

SURE = 0.8
"""Below this score rapidocr mostly sees letters in leaves and bricks."""
LEAST_CHARACTERS = 2
SLIMMEST = 2
"""A side more times shorter than the other is padded: rapidocr enlarges the shorter side to 736 pixels
whatever the longer becomes, which takes twenty seconds for a line, or reduces it to nothing."""


class Reader(Protocol):
    """Something that reads; both methods are slow and run in a thread."""

    def load(self) -> None:
        """Makes ready; raises SetupError when a part is missing."""

    def lines(self, image: Image.Image) -> tuple[str, ...]:
        """The text of an RGB picture, top to bottom."""


def require(find: Callable[[str], object | None] = find_spec) -> None:
    """Raises SetupError that names the mend when a package is missing; imports none of them."""
    missing = [name for name in NEEDED if find(name) is None]
    if missing:
        raise SetupError(f"{MEND} (Missing: {', '.join(missing)}.)")


class RapidReader:
    """Reads with rapidocr, loaded when first needed; for one thread at a time."""

    def __init__(self) -> None:
        self._engine: RapidOCR | None = None

    def load(self) -> None:
        """Loads the weights, once; raises SetupError."""
        if self._engine is not None:
            return
        try:
            engine = build()
        except (ImportError, OSError) as error:
            raise SetupError(MEND) from error
        # The weights themselves are only read for the first picture.
        read(engine, Image.new("RGB", (64, 64), "white"))
        self._engine = engine

    def lines(self, image: Image.Image) -> tuple[str, ...]:
        """The text of a picture, top to bottom, left to right."""
        self.load()
        assert self._engine is not None
        return tuple(join_rows(read(self._engine, padded(image))))


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stand together, and where."""

    text: str
    left: float
    middle: float
    height: float


def build() -> "RapidOCR":
    """The engine on its own weights; silent, and with every path given so that nothing is fetched."""
    import onnxruntime  # type: ignore[import-untyped]
    import rapidocr

    onnxruntime.set_default_logger_severity(4)
    logging.getLogger("RapidOCR").disabled = True
    models = Path(rapidocr.__file__).parent / "models"
    detector, recogniser = one(models, "*_det_*.onnx"), one(models, "*_rec_*.onnx")
    # One core stays free for the event loop that streams.
    threads = max(1, (os.cpu_count() or 2) - 1)
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Det.model_path": detector,
            "Rec.model_path": recogniser,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        }
    )


def one(folder: Path, pattern: str) -> str:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no {pattern} in rapidocr's wheel")
    return str(found[0])


def read(engine: "RapidOCR", image: Image.Image) -> list[Piece]:
    import numpy
    from rapidocr.utils.output import RapidOCROutput

    blue_green_red = numpy.ascontiguousarray(numpy.asarray(image)[:, :, ::-1])
    # Its errors share no base but Exception, two of them the same name, and OpenCV's and ONNX's come
    # through it: whatever it is, there is nothing that it can read in this picture.
    try:
        found = engine(blue_green_red)
    except Exception:
        return []
    if not isinstance(found, RapidOCROutput) or found.boxes is None:
        return []
    pieces = []
    for text, score, box in zip(found.txts or (), found.scores or (), found.boxes, strict=True):
        if score >= SURE and len(text.strip()) >= LEAST_CHARACTERS:
            left, top = float(box[0][0]), min(float(corner[1]) for corner in box)
            bottom = max(float(corner[1]) for corner in box)
            pieces.append(Piece(text.strip(), left, (top + bottom) / 2, bottom - top))
    return pieces


def join_rows(pieces: Iterable[Piece]) -> list[str]:
    """Lines from top to bottom; a number joins the words before it, as prices do on a menu."""
    lines: list[str] = []
    for row in rows(pieces):
        ended = len(lines)
        for piece in sorted(row, key=lambda each: each.left):
            if len(lines) > ended and not any(map(str.isalpha, piece.text)):
                lines[-1] += f" {piece.text}"
            else:
                lines.append(piece.text)
    return lines


def rows(pieces: Iterable[Piece]) -> list[list[Piece]]:
    found: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: each.middle):
        if found and piece.middle - found[-1][0].middle < found[-1][0].height / 2:
            found[-1].append(piece)
        else:
            found.append([piece])
    return found


def padded(image: Image.Image) -> Image.Image:
    least = max(image.size) // SLIMMEST
    if min(image.size) >= least:
        return image
    canvas = Image.new("RGB", (max(image.width, least), max(image.height, least)), "white")
    canvas.paste(image)
    return canvas
