"""Pictures for tests, made on the spot: what phones, screens, scanners and strangers post."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageStat

FIXTURES = Path(__file__).parent / "fixtures"


def fixture(name: str) -> bytes:
    """The bytes of a file in tests/fixtures."""
    return (FIXTURES / name).read_bytes()


def photo(
    width: int = 640, height: int = 480, *, exif: bytes = b"", quality: int = 90, **options: object
) -> bytes:
    """A JPEG with gradients and detail; `exif` as `exif()` makes it."""
    if exif:
        options["exif"] = exif
    return saved(scene(width, height), "JPEG", quality=quality, **options)


def png(
    width: int = 64, height: int = 48, colour: str = "red", *, mode: str = "RGB", **options: object
) -> bytes:
    """A PNG of one colour."""
    return saved(Image.new("RGBA", (width, height), colour).convert(mode), "PNG", **options)


def webp(width: int = 64, height: int = 48, **options: object) -> bytes:
    """A WebP with detail."""
    return saved(scene(width, height), "WEBP", **options)


def gif(width: int = 64, height: int = 48, *, frames: int = 1) -> bytes:
    """A GIF whose frames all differ; more than one make it move."""
    return animation("GIF", width, height, frames)


def animation(kind: str, width: int, height: int, frames: int) -> bytes:
    """A GIF, WEBP or PNG of so many frames; the first one is red."""
    colours = ["red", *(f"hsl({60 + 17 * n % 280}, 90%, 50%)" for n in range(1, frames))]
    drawn = [Image.new("RGB", (width, height), colour) for colour in colours[:frames]]
    if frames == 1:
        return saved(drawn[0], kind)
    return saved(drawn[0], kind, save_all=True, append_images=drawn[1:], duration=50)


def heic(width: int = 64, height: int = 48, **options: object) -> bytes:
    """A HEIC with detail, as phones make them."""
    import pillow_heif

    file = BytesIO()
    picture = options.pop("picture", None) or scene(width, height)
    assert isinstance(picture, Image.Image)
    pillow_heif.from_pillow(picture).save(file, **{"quality": 80, **options})
    return file.getvalue()


def tiff(*pages: Image.Image, **options: object) -> bytes:
    """A TIFF of these pages."""
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options)


def pdf(*pages: str, width: int = 420, height: int = 595, trailer: str = "") -> bytes:
    """A PDF with these words on its pages, in letters of 40 points; sizes in points."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
    ]
    for at, words in enumerate(pages):
        drawn = f"BT /F1 40 Tf 30 {height // 2} Td ({words}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {5 + 2 * at} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    body, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = (
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(body)}\n"
    )
    return f"{body}{head}{tail}%%EOF\n".encode("latin-1")


LOCKED = (
    f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'11' * 32}> /U <{'22' * 32}> /P -4 >> "
    f"/ID [<{'33' * 16}> <{'33' * 16}>]"
)
"""For a PDF's trailer: it wants a password that nobody has."""


def screenshot(width: int = 600, height: int = 400, *, words: str = "Total 42.50 EUR") -> bytes:
    """A PNG of dark words on white, as screens show them."""
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    for line in range(20, height - 20, 40):
        pen.text((20, line), words, fill="black", font_size=24)
    return saved(picture, "PNG")


def exif(*, turn: int = 1, **words: str) -> bytes:
    """EXIF with an orientation, a GPS position and a camera's name that nobody should ever see."""
    made = Image.Exif()
    made[0x0112] = turn
    made[0x010F] = words.get("camera", "SecretCam 9000")
    made.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 11.0)})
    return made.tobytes()


def bomb(side: int) -> bytes:
    """A PNG whose header promises side × side pixels, and which has hardly any."""
    return png_of(
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 64)),
        (b"IEND", b""),
    )


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of exactly these chunks, with right checksums."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in chunks)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def scene(width: int, height: int) -> Image.Image:
    """Something to look at: smooth ground, hard edges, fine grain; the same every time."""
    across = Image.linear_gradient("L").resize((width, height))
    down = Image.radial_gradient("L").resize((width, height))
    grain = Image.effect_mandelbrot((width, height), (-2.2, -1.2, 0.8, 1.2), 60)
    picture = Image.merge("RGB", (across, down, grain))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((width // 8, height // 8, width // 4, height // 3), fill="navy")
    pen.ellipse((width // 2, height // 2, width * 3 // 4, height * 3 // 4), fill="orange")
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean distance of two pictures of one size, in steps of a channel's 256."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one, other)).rms)


def close(pixel: object, colour: tuple[int, int, int], most: int = 3) -> bool:
    """Whether a pixel has a colour, as far as lossy formats tell."""
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= most for one, other in zip(pixel, colour, strict=True))


def opened(data: bytes) -> Image.Image:
    """A file as a decoded picture, to look at what came out."""
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def wide_gamut_profile() -> bytes:
    """An ICC profile with the colours of Display P3 and a gamma of 2.2."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv\0\0\0\0" + struct.pack(">IH", 1, 563))
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    head = b"\0" * 8 + b"\x02\x10\0\0mntrRGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 28
    head += struct.pack(">3i", *(round(part * 65536) for part in (0.9642, 1.0, 0.8249)))
    profile = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def xyz(*parts: float) -> bytes:
    """A colour, or a white point, as ICC profiles write it."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(part * 65536) for part in parts))
