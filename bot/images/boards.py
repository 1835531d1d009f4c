"""An animation → a storyboard: some of its frames in one picture, in time order and numbered."""

from collections.abc import Sequence
from io import BytesIO
from math import ceil, sqrt

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from bot.images.decoding import FRAMES_OF_PNG, OPENERS, PIXELS_OF_PNG, as_told, png_parts
from bot.images.pixels import full_colour, plain, turned, upright
from bot.images.reading import Header
from bot.images.resizing import resize
from bot.images.wishes import Wish
from bot.tokens import Size

MOST_FRAMES = 9
MOST_PIXELS = 400_000_000
"""Pixels that are decoded on the way to the last frame: each frame builds on the one before."""
GAP = 2
"""Pixels of white between two frames."""
SMALLEST_BADGE = 9
"""Pixels of a number's height; frames too small for it go without."""


def storyboard(data: bytes, header: Header, wish: Wish) -> tuple[Pillow.Image, Size, str]:
    """The board, its full size, and what is on it in plain words."""
    if header.format == "PNG":
        data = png_parts(data, PIXELS_OF_PNG + FRAMES_OF_PNG)
    movie = OPENERS[header.format](BytesIO(data))
    as_told(movie, header)
    total = int(getattr(movie, "n_frames", 1))
    reachable = max(1, min(total, MOST_PIXELS // (header.width * header.height)))
    chosen = spread(reachable, MOST_FRAMES)
    columns = ceil(sqrt(len(chosen)))
    rows = ceil(len(chosen) / columns)
    size = header.upright[0] * columns, header.upright[1] * rows
    board = Pillow.new("RGB", wish.target(size), "white")
    for place, frame in enumerate(chosen):
        movie.seek(frame)
        box = cell(board.size, columns, rows, place)
        put(board, upright(shown(movie, inside(box), header.turn), header.turn), box, place + 1)
    return board, size, told(len(chosen), total, reachable)


def shown(movie: Pillow.Image, size: Size, turn: int) -> Pillow.Image:
    """The frame at hand, made small."""
    # A copy: the movie goes on from its own pixels.
    return plain(resize(full_colour(movie.copy()), turned(size, turn), sharp=True))


def put(board: Pillow.Image, frame: Pillow.Image, box: Sequence[int], number: int) -> None:
    """Lays a frame on the board, its number in its corner."""
    board.paste(frame, (box[0], box[1]))
    height = max(SMALLEST_BADGE, min(frame.size) // 10)
    if min(frame.size) < 3 * height:
        return
    pen, font = ImageDraw.Draw(board), ImageFont.load_default(height)
    pen.rectangle(
        (box[0], box[1], box[0] + height * 5 // 4, box[1] + height * 5 // 4), fill="black"
    )
    middle = box[0] + height * 5 // 8, box[1] + height * 5 // 8
    pen.text(middle, str(number), fill="white", font=font, anchor="mm")


def cell(board: Size, columns: int, rows: int, place: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a frame's place on the board."""
    column, row = place % columns, place // columns
    left, right = (board[0] * at // columns for at in (column, column + 1))
    top, bottom = (board[1] * at // rows for at in (row, row + 1))
    # No gap where there is no room for one, and none at the edges.
    if column + 1 < columns and right - left > 8 * GAP:
        right -= GAP
    if row + 1 < rows and bottom - top > 8 * GAP:
        bottom -= GAP
    return left, top, max(left + 1, right), max(top + 1, bottom)


def inside(box: Sequence[int]) -> Size:
    return box[2] - box[0], box[3] - box[1]


def spread(total: int, most: int) -> list[int]:
    """So many numbers below `total`, evenly spread, the first and the last among them."""
    count = min(total, most)
    return [round(place * (total - 1) / max(1, count - 1)) for place in range(count)]


def told(chosen: int, total: int, reachable: int) -> str:
    if chosen == total:
        return f"storyboard: all {total} frames, in time order"
    of = f"{total} frames" if reachable == total else f"the first {reachable} of {total} frames"
    return f"storyboard: {chosen} of {of}, in time order"
