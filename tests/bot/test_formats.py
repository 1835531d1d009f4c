"""What phones, cameras, scanners and old programs make, beside PNG, JPEG, WebP and GIF."""

import struct
import time
from dataclasses import replace

import pytest
from PIL import Image

from bot import images
from bot.domain import Image as Prepared
from bot.errors import PictureUnseen, SetupError
from bot.images import containers, headers, pixels
from bot.images.preparing import origin
from tests import pictures

SCENE = pictures.scene(300, 200)


def prepared(data: bytes, model: str = "gpt-4o") -> Prepared:
    [image] = images.prepare_all(data, model, "high")
    return image


def shown(data: bytes) -> Image.Image:
    return pictures.opened(prepared(data).data)


@pytest.mark.parametrize(
    ("data", "most"),
    [
        (pictures.heic(300, 200), 16),
        (pictures.saved(SCENE, "AVIF", quality=90), 16),
        (pictures.saved(SCENE, "BMP"), 5),
        (pictures.tiff(SCENE), 5),
        (pictures.tiff(SCENE, compression="tiff_lzw"), 5),
        (pictures.tiff(SCENE, compression="jpeg"), 16),
        (pictures.tiff(SCENE.convert("CMYK")), 5),
        (pictures.saved(SCENE, "TIFF", big_tiff=True), 5),
    ],
    ids=["heic", "avif", "bmp", "tiff", "lzw", "jpeg-in-tiff", "cmyk-tiff", "bigtiff"],
)
def test_a_picture_of_any_format_is_seen_as_it_is(data: bytes, most: float) -> None:
    image = prepared(data)

    assert (image.width, image.height) == (300, 200) == images.measure(data)
    assert image.receipt == "seen"
    assert image.media_type in ("image/jpeg", "image/png")
    assert pictures.difference(SCENE, pictures.opened(image.data)) < most


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "LAB"])
def test_a_tiff_of_every_mode_becomes_plain_grey(mode: str) -> None:
    grey = 255 if mode == "1" else 128
    picture = Image.new("L", (40, 30), grey)
    if mode == "I;16":
        picture = Image.new("I;16", (40, 30), grey * 257)
    elif mode == "LAB":
        picture = Image.new("LAB", (40, 30), (137, 128, 128))
    else:
        picture = picture.convert(mode)

    pixel = shown(pictures.tiff(picture)).getpixel((20, 15))

    assert isinstance(pixel, tuple)
    assert all(abs(each - grey) <= 2 for each in pixel)


def test_measured_light_is_stretched_from_its_darkest_to_its_brightest_spot() -> None:
    picture = Image.frombytes("F", (4, 1), struct.pack("<4f", -3.5, 0.0, 1.5, 6.5))

    seen = shown(pictures.saved(picture, "TIFF"))

    assert [seen.getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 89, 128, 255)]


def test_the_twelve_bits_of_a_microscope_are_not_black() -> None:
    picture = Image.frombytes("I;16", (3, 1), struct.pack("<3H", 0, 2048, 4095))

    seen = shown(pictures.saved(picture, "TIFF"))

    assert [seen.getpixel((x, 0)) for x in range(3)] == [(v, v, v) for v in (0, 128, 255)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_light_that_is_no_number_is_plain_black(value: float) -> None:
    picture = Image.frombytes("F", (2, 1), struct.pack("<2f", 0.0, value))

    assert shown(pictures.saved(picture, "TIFF")).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_turn_ends_upright(turn: int, kind: str) -> None:
    back = {6: 8, 8: 6}.get(turn, turn)
    stored = pixels.upright(SCENE, back)
    exif = pictures.exif(turn=turn)
    if kind == "HEIF":
        # Its writer turns by the container's own means.
        data = pictures.heic(picture=stored, quality=90, exif=exif)
    else:
        data = pictures.saved(stored, kind, exif=exif)

    image = prepared(data)

    assert images.measure(data) == (image.width, image.height) == (300, 200)
    assert pictures.difference(SCENE, pictures.opened(image.data)) < 20


def test_a_wide_heic_is_shown_in_the_colours_that_it_means() -> None:
    picture = Image.new("RGB", (64, 64), (200, 100, 50))
    picture.info["icc_profile"] = pictures.wide_gamut_profile()

    pixel = shown(pictures.heic(picture=picture, quality=95)).getpixel((32, 32))

    assert pictures.close(pixel, (216, 93, 24), 4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_wide_picture_keeps_its_colours_when_it_is_shrunk(kind: str) -> None:
    picture = Image.new("RGB", (3000, 2200), (200, 100, 50))
    data = pictures.saved(picture, kind, icc_profile=pictures.wide_gamut_profile())

    assert pictures.close(shown(data).getpixel((300, 300)), (216, 93, 24), 4)


def test_inks_are_read_as_they_are_stored_whether_adobe_inverted_them_or_not() -> None:
    inks = Image.new("RGB", (64, 64), "orange").convert("CMYK")
    adobe = pictures.saved(inks, "JPEG", quality=95)
    mark = adobe.index(b"\xff\xee")
    length = 2 + int.from_bytes(adobe[mark + 2 : mark + 4], "big")
    # Without Adobe's mark, inks are what they say; Pillow writes them inverted, so these are the negative.
    plain = adobe[:mark] + adobe[mark + length :]

    assert pictures.close(shown(adobe).getpixel((32, 32)), (255, 165, 0), 4)
    assert headers.read(plain).positive_inks
    assert not headers.read(adobe).positive_inks
    assert pictures.close(shown(plain).getpixel((32, 32)), (0, 0, 0), 4)


def test_the_largest_picture_of_an_icon_is_seen() -> None:
    data = pictures.saved(SCENE.resize((256, 256)), "ICO", sizes=[(16, 16), (256, 256), (48, 48)])

    assert images.measure(data) == (256, 256) == shown(data).size


@pytest.mark.parametrize("depth", [24, 32])
def test_an_icon_that_is_no_png_inside_is_seen(depth: int) -> None:
    picture = Image.new("RGBA", (32, 32), "red")
    data = pictures.saved(picture, "ICO", sizes=[(32, 32)], bitmap_format="bmp")

    assert shown(data).getpixel((16, 16)) == (255, 0, 0)


def test_a_png_bomb_in_an_icon_is_refused() -> None:
    bomb = pictures.bomb(30_000)
    data = b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(bomb), 22) + bomb

    with pytest.raises(PictureUnseen, match="post it smaller"):
        prepared(data)


def test_a_photo_with_passengers_is_seen_by_its_first_picture() -> None:
    data = pictures.photo(300, 200)
    gain_map = pictures.photo(150, 100)
    burst = pictures.saved(SCENE, "MPO", save_all=True, append_images=[SCENE.rotate(180)])

    assert (
        prepared(data + gain_map + b"MotionPhoto_Data" + bytes(5000)).digest
        == prepared(data).digest
    )
    assert pictures.difference(SCENE, shown(burst)) < 20


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(300, 200), (3000, 2000)])
def test_a_photo_that_lacks_only_its_end_mark_is_seen(
    size: tuple[int, int], *, progressive: bool
) -> None:
    data = pictures.photo(*size, progressive=progressive)
    assert data.endswith(b"\xff\xd9")

    assert prepared(data[:-2]) == replaced_source(prepared(data), data[:-2])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_that_lacks_a_few_pixels_more_is_cut_off(*, progressive: bool) -> None:
    data = pictures.photo(300, 200, progressive=progressive)

    for missing in (40, 200):
        with pytest.raises(PictureUnseen, match="cut off"):
            prepared(data[:-missing])


@pytest.mark.parametrize(
    "data",
    [pictures.heic(300, 200), pictures.saved(SCENE, "AVIF"), pictures.tiff(SCENE)],
    ids=["heic", "avif", "tiff"],
)
def test_a_cut_file_is_never_half_seen(data: bytes) -> None:
    for share in (0.02, 0.3, 0.9):
        with pytest.raises(PictureUnseen, match="post it again"):
            prepared(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 60_000, -60_000) + bytes(40), "a BMP picture"),
        (
            pictures.tiff(Image.new("1", (8, 8))).replace(
                struct.pack("<HHII", 0x100, 4, 1, 8), struct.pack("<HHII", 0x100, 4, 1, 200_000_000)
            ),
            "a TIFF picture",
        ),
        (
            pictures.heic(128, 64).replace(
                struct.pack(">II", 128, 64), struct.pack(">II", 32_768, 32_768)
            ),
            "a HEIC photo",
        ),
        (
            pictures.saved(SCENE, "AVIF").replace(
                struct.pack(">II", 300, 200), struct.pack(">II", 20_000, 20_000)
            ),
            "an AVIF picture",
        ),
    ],
    ids=["bmp", "tiff", "heic", "avif"],
)
def test_a_bomb_is_refused_by_its_header(data: bytes, name: str) -> None:
    with pytest.raises(PictureUnseen, match=f"and {name} may have 50 million; post it smaller"):
        images.measure(data)


def test_a_tiff_whose_directories_go_round_ends() -> None:
    data = bytearray(pictures.tiff(Image.new("1", (8, 8))))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)

    assert headers.read(bytes(data)).pages == ((0, (8, 8)),)


def test_small_copies_in_a_tiff_are_no_pages() -> None:
    data = pictures.tiff(SCENE, SCENE.resize((30, 20)))
    marked = data.replace(struct.pack("<HHII", 0xFE, 4, 1, 0), struct.pack("<HHII", 0xFE, 4, 1, 1))

    assert headers.read(data).pages == ((0, (300, 200)), (1, (30, 20)))
    assert marked == data or len(headers.read(marked).pages) == 1


def test_a_video_in_the_same_container_is_no_heic() -> None:
    with pytest.raises(PictureUnseen, match="a video"):
        images.measure(b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(100))


def test_a_heic_decoder_with_holes_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import pillow_heif

    monkeypatch.setattr(pillow_heif, "libheif_version", lambda: "1.21.9")

    with pytest.raises(PictureUnseen, match="administrator"):
        prepared(pictures.heic())


def test_old_decoders_are_not_run_with() -> None:
    images.require_safe_decoders()
    with pytest.raises(SetupError, match=r'pip install "pillow-heif>=1\.8\.1"'):
        images.require_safe_decoders(pillow_heif="1.7.0")


def test_a_heic_of_boxes_without_end_is_given_up() -> None:
    data = pictures.heic()
    meta = data.index(b"meta") - 4
    crumbs = struct.pack(">I4s", 8, b"free") * 200_000
    whole = struct.pack(">I4sI", 12 + len(crumbs), b"meta", 0) + crumbs

    with pytest.raises(PictureUnseen):
        images.measure(data[:meta] + whole + data[meta:])


def test_a_heic_is_read_at_once_however_long_its_lists_are() -> None:
    lists = struct.pack(">II", 0, 19_000) + (b"\0\1\xff" + b"\1" * 255) * 19_000
    size = boxed(b"ipco", boxed(b"ispe", struct.pack(">III", 0, 300, 200)))
    stock = boxed(b"iprp", size + boxed(b"ipma", lists) * 2)
    meta = boxed(b"meta", bytes(4) + boxed(b"pitm", b"\0\0\0\0\0\1") + stock)

    started = time.thread_time()

    assert images.measure(boxed(b"ftyp", b"heic\0\0\0\0") + meta) == (300, 200)
    assert time.thread_time() - started < 0.5


def test_a_tiff_is_read_at_once_however_many_entries_its_pages_share() -> None:
    pages, entries = 1_000, 4_096
    # Each entry ends in the number of entries of a page that begins with the last of its bytes.
    entry = struct.pack("<HHIHH", 0x100, 3, 1, 100, entries)
    data = bytearray(b"II*\0\x08\0\0\0" + struct.pack("<H", entries))
    data += (entry + entry.replace(b"\0\1", b"\1\1", 1)) * ((pages + entries) // 2 + 1)
    for page in range(pages):
        struct.pack_into("<I", data, 10 + 12 * (page + entries), 8 + 12 * (page + 1))

    started = time.thread_time()

    assert len(headers.read(bytes(data)).pages) == pages
    assert time.thread_time() - started < 1


def boxed(kind: bytes, body: bytes) -> bytes:
    """A part of a HEIC."""
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize(
    "data",
    [
        pictures.saved(SCENE, "BMP").replace(struct.pack("<i", 300), struct.pack("<i", -300), 1),
        b"\0\0\1\0\1\0"
        + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 5_000, 22)
        + pictures.photo()[:5_000],
    ],
    ids=["bmp", "icon"],
)
def test_what_makes_no_sense_is_damage_and_not_too_large(data: bytes) -> None:
    with pytest.raises(PictureUnseen, match="damaged"):
        images.measure(data)


def test_boxes_that_are_smaller_than_their_heads_are_damage() -> None:
    data = pictures.heic()
    at = data.index(b"meta") - 4

    with pytest.raises(PictureUnseen, match="damaged"):
        images.measure(data[:at] + struct.pack(">I", 3) + data[at + 4 :])


def replaced_source(image: Prepared, data: bytes) -> Prepared:
    return replace(image, source=origin(data, images.Options()))


def test_the_largest_of_equal_icons_has_the_most_colours() -> None:
    small, fine = pictures.png(16, 16, "red"), pictures.png(16, 16, "blue")
    entries = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 8, len(small), 38) + struct.pack(
        "<BBBBHHII", 16, 16, 0, 0, 1, 32, len(fine), 38 + len(small)
    )

    assert containers.largest(b"\0\0\1\0\2\0" + entries + small + fine) == fine
