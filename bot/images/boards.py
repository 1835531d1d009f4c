"""An animation → a storyboard: some of its frames in one picture, in time order and numbered."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, sqrt

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFile, ImageFont

from bot.images.colours import in_its_colours
from bot.images.decoding import FRAMES_OF_PNG, OPENERS, PIXELS_OF_PNG, as_told, png_parts
from bot.images.pixels import full_colour, plain, turned, upright
from bot.images.reading import DAMAGED, Header, damage_told
from bot.images.resizing import resize
from bot.images.wishes import Wish
from bot.tokens import Size

MOST_FRAMES = 9
MOST_PIXELS = 400_000_000
"""Pixels that are decoded on the way to the last frame: each frame builds on the one before."""
LONGEST_BOARD = 5_500
"""Pixels of a side: more would be more squares than any model takes."""
GAP = 2
"""Pixels of white between two frames."""
SMALLEST_BADGE = 9
"""Pixels of a number's height; frames too small for it go without."""
LATER = (
    "it is an animation that cannot be read beyond frame {read} of {total}; "
    "save it anew, or post one frame of it as a picture"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which frames of an animation are shown, and where."""

    frames: tuple[int, ...]
    columns: int
    rows: int
    size: Size
    """Of the whole board, its frames unshrunk as far as a model could take them."""
    told: str
    """What is on it, in plain words."""


def layout(header: Header) -> Layout:
    """The board of an animation, from its header alone."""
    total = header.frames
    reachable = max(1, min(total, MOST_PIXELS // (header.width * header.height)))
    frames = tuple(spread(reachable, MOST_FRAMES))
    columns = ceil(sqrt(len(frames)))
    rows = ceil(len(frames) / columns)
    size = header.upright[0] * columns, header.upright[1] * rows
    return Layout(frames, columns, rows, bounded(size), told(len(frames), total, reachable))


def bounded(size: Size) -> Size:
    longest = max(*size, LONGEST_BOARD)
    return max(1, size[0] * LONGEST_BOARD // longest), max(1, size[1] * LONGEST_BOARD // longest)


def storyboard(data: bytes, header: Header, wish: Wish) -> Pillow.Image:
    """The board, at the size that is wished for."""
    if header.format == "PNG":
        data = png_parts(data, PIXELS_OF_PNG + FRAMES_OF_PNG)
    movie = as_told(OPENERS[header.format](BytesIO(data)), header)
    # What an animation shows where it cannot move is none of its frames.
    before = int(getattr(movie, "default_image", False))
    plan, read = layout(header), 0
    board = Pillow.new("RGB", wish.target(plan.size), "white")
    for place, frame in enumerate(plan.frames):
        box = cell(board.size, plan.columns, plan.rows, place)
        with damage_told(LATER.format(read=read, total=header.frames) if read else DAMAGED):
            picture = shown(movie, before + frame, inside(box), header)
        put(board, picture, box, place + 1)
        read = frame + 1
    return board


def shown(movie: ImageFile.ImageFile, frame: int, size: Size, header: Header) -> Pillow.Image:
    """One frame as people see it, made small."""
    movie.seek(frame)
    # A copy: the movie goes on from its own pixels.
    still = full_colour(in_its_colours(movie.copy(), header))
    return upright(plain(resize(still, turned(size, header.turn), sharp=True)), header.turn)


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
    if chosen == reachable:
        return f"storyboard: the first {chosen} of {total} frames, in time order"
    of = f"{total} frames" if reachable == total else f"the first {reachable} of {total} frames"
    return f"storyboard: {chosen} of {of}, in time order"
