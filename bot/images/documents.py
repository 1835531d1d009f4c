"""Documents → their first pages as pictures: PDF and TIFF."""

from collections.abc import Iterator, Mapping
from io import BytesIO

from PIL import Image as Pillow
from PIL.TiffImagePlugin import TiffImageFile

from bot.errors import PictureUnseen
from bot.images.pixels import full_colour, plain
from bot.images.reading import CUT_OFF, DAMAGED, NO_PAGES, Header, Size, damage_told
from bot.images.resizing import resize
from bot.images.wishes import Wish

MOST_PAGES = 5
POINTS = 72
"""A PDF's own unit, in an inch."""
DOTS = 200
"""Pixels an inch at most: a scanner's usual, at which the smallest print can be read."""
LONGEST_PAGE = 5_500
"""Pixels: posters are drawn no larger; a square one would be more squares than any model takes."""
PAGE_BROKEN = (
    "its page {number} of {total} cannot be read; save it anew, or post its pages as pictures"
)
LOCKED = "it is protected by a password; post it without one, or its pages as pictures"
UNOPENED: Mapping[int | None, str] = {2: NO_PAGES, 4: LOCKED, 5: LOCKED}
"""By FPDF_ERR_FILE, FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY."""

Page = tuple[Pillow.Image, Size]


def pages(data: bytes, header: Header, wish: Wish) -> tuple[list[Page], str]:
    """The first pages with their full sizes, and which ones they are, in plain words."""
    found = pdf(data, wish) if header.format == "PDF" else tiff(data, header, wish)
    total, drawn = next(found), []
    assert isinstance(total, int)
    for number in range(1, min(total, MOST_PAGES) + 1):
        with damage_told(PAGE_BROKEN.format(number=number, total=total) if total > 1 else DAMAGED):
            page = next(found)
            assert not isinstance(page, int)
            drawn.append(page)
    return drawn, told(len(drawn), total)


def told(drawn: int, total: int) -> str:
    """`pages 1–5 of 12`."""
    return f"pages 1–{drawn} of {total}" if drawn > 1 else f"page 1 of {total}"


def total(words: str) -> int:
    """How many pages a document has, by what was told of it."""
    return int(words.rpartition(" ")[2])


def tiff(data: bytes, header: Header, wish: Wish) -> Iterator[int | Page]:
    """How many pages there are, then each; the file's decoder turns them upright."""
    yield len(header.pages)
    for place, size in header.pages[:MOST_PAGES]:
        # Opened anew for each: a page is turned in place, and then no other can be found.
        with TiffImageFile(BytesIO(data)) as file:
            file.seek(place)
            file.load()
            if file.size != size:
                raise PictureUnseen(DAMAGED)
            yield plain(resize(full_colour(file), wish.target(size), sharp=True)), size


def pdf(data: bytes, wish: Wish) -> Iterator[int | Page]:
    """How many pages there are, then each, drawn at just the size that is wished for."""
    import pypdfium2
    from pypdfium2 import raw

    # Of a document without pages PDFium says what was wrong with the one before: let it be that one had no file.
    raw.FPDF_LoadDocument(b"", None)
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise PictureUnseen(unopened(data, error.err_code)) from error
    with document:
        if not len(document):
            raise PictureUnseen(NO_PAGES)
        yield len(document)
        document.init_forms()
        for number in range(min(len(document), MOST_PAGES)):
            page = document[number]
            size = dots(*page.get_size())
            width, height = wish.target(size)
            bitmap = pypdfium2.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR)
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
            place = (bitmap, page, 0, 0, width, height, 0, raw.FPDF_ANNOT)
            raw.FPDF_RenderPageBitmap(*place)
            if document.formenv:
                raw.FPDF_FFLDraw(document.formenv, *place)
            yield bitmap.to_pil().convert("RGB"), size
            page.close()


def unopened(data: bytes, code: int | None) -> str:
    """Why a PDF cannot be opened, by PDFium's number for it, and what to do."""
    if code in UNOPENED:
        return UNOPENED[code]
    return DAMAGED if b"%%EOF" in data[-1024:] else CUT_OFF


def dots(width: float, height: float) -> Size:
    """A page's size in pixels, from its size in points."""
    scale = min(DOTS / POINTS, LONGEST_PAGE / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))
