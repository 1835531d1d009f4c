"""One picture of each kind → what is sent to the model: CPU, peak memory, bytes, refusals, and the loop's lag.

The floor of a JPEG is libjpeg-turbo's smallest scaled decode that is large enough, and one encode: nothing turned,
nothing resized. That of a PNG or HEIC is its bare decode. Each way runs in a process of its own.
"""

import asyncio
import base64
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import pillow_heif
from PIL import Image, ImageOps

from benchmarks.legibility import THEMES, screen
from bot import images, tokens
from bot.domain import Detail
from bot.errors import PictureUnseen
from bot.images import Darkroom, encoding, headers
from tests import pictures

PHOTO = Path(__file__).parent / "fixtures" / "phone_12mp_exif6_gps.jpg"
FAMILIES = {"tile": "gpt-4o", "patch": "gpt-5.6-luna"}
RUNS = 7
ROUNDS = 3
"""Processes for each way; the median of their medians counts."""
MOST = {
    ("photo", "tile"): 1.15,
    ("photo", "patch"): 1.15,
    ("progressive", "tile"): 1.1,
    ("progressive", "patch"): 1.1,
    ("4K PNG", "tile"): 1.5,
    ("4K PNG", "patch"): 1.8,
    ("HEIC", "tile"): 1.15,
    ("HEIC", "patch"): 1.15,
}
"""Times the floor."""
MOST_MIB = {("photo", "tile"): 10, ("4K PNG", "tile"): 50, ("4K PNG", "patch"): 50}
REFUSAL_SECONDS, REFUSAL_MIB = 0.005, 2
LAG_P99, LAG_MAX = 0.005, 0.020
LAG_SECONDS = 3.0
SIZES = 100_000


def main() -> None:
    """Prints the tables, or measures one way when it is called by itself."""
    if len(sys.argv) == 5 and sys.argv[1] == "--way":
        print(json.dumps(measured(Path(sys.argv[2]), sys.argv[3], sys.argv[4])))
        return
    with TemporaryDirectory() as folder:
        files = made(Path(folder))
        prepare_all_kinds(files)
        refuse_bombs()
        asyncio.run(measure_lag(files))
    count_tokens()


def made(folder: Path) -> dict[str, Path]:
    """A file of each kind."""
    photo = Image.open(PHOTO)
    screen_4k = screen(THEMES[2], 1)[0].resize((3840, 2160))
    kinds = {
        "photo": PHOTO.read_bytes(),
        "progressive": saved(photo, "JPEG", quality=90, progressive=True),
        "4K PNG": saved(screen_4k, "PNG"),
        "WebP": saved(photo.reduce(2), "WEBP", method=0),
        "GIF": pictures.animation("GIF", 600, 400, 30),
        "AVIF": saved(photo, "AVIF", speed=10),
        "PDF": pictures.pdf("Page", "Page", "Page"),
    }
    heic = BytesIO()
    pillow_heif.from_pillow(photo).save(heic, quality=60, tile_size=512)
    kinds["HEIC"] = heic.getvalue()
    for name, data in kinds.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in kinds}


def prepare_all_kinds(files: dict[str, Path]) -> None:
    """Our way, the plain way, the raw file and the floor, side by side."""
    print("\nOne picture for the model, against the family's floor")
    head = f"{'picture':13}{'family':8}{'way':18}{'CPU ms':>8}{'ratio':>8}{'peak MiB':>10}{'KB':>8}"
    print(head)
    for (picture, family), most in MOST.items():
        found = {way: rounds(files[picture], way, family) for way in WAYS}
        floor = found["floor"]["ms"]
        for way, row in found.items():
            missed = ""
            if way == "ours":
                missed = verdict(row, row["ms"] / floor, most, MOST_MIB.get((picture, family)))
            print(
                f"{picture:13}{family:8}{way:18}{row['ms']:8.1f}{row['ms'] / floor:8.2f}"
                f"{row['mib']:10.1f}{row['bytes'] / 1000:8.0f}{missed}"
            )
            sys.stdout.flush()


def verdict(row: dict[str, float], ratio: float, most: float, most_mib: float | None) -> str:
    """What our way promises, and what of it was not kept in this run."""
    missed = [f"≤ {most}"] if ratio <= most else [f"over {most}"]
    if most_mib is not None:
        missed.append(f"≤ {most_mib} MiB" if row["mib"] <= most_mib else f"over {most_mib} MiB")
    return f"  ({', '.join(missed)})"


def rounds(file: Path, way: str, family: str) -> dict[str, float]:
    """The medians over several processes."""
    found = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.pictures", "--way", str(file), way, family]
        done = subprocess.run(command, check=True, capture_output=True, timeout=300)
        found.append(json.loads(done.stdout))
    return {key: median(row[key] for row in found) for key in found[0]}


def measured(file: Path, way: str, family: str) -> dict[str, float]:
    """One way in this process: peak of its first run, then the CPU of several."""
    data = file.read_bytes()
    run = WAYS[way]
    warm = BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(warm, "JPEG")
    run(warm.getvalue(), FAMILIES[family])
    before = peak()
    size = run(data, FAMILIES[family])
    mib = peak() - before
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        run(data, FAMILIES[family])
        times.append(time.process_time() - started)
    return {"ms": median(times) * 1e3, "mib": mib, "bytes": size}


def peak() -> float:
    """The most memory that this process ever held, in MiB."""
    with suppress(OSError):
        # What a parent held counts in the other figure too.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1024 if sys.platform != "darwin" else used / 1024 / 1024


def ours(data: bytes, model: str) -> int:
    """What the bot does."""
    return len(images.prepare(data, model, "high").data)


def floor(data: bytes, model: str) -> int:
    """The least that any way must do."""
    header = headers.read(data)
    if header.format == "HEIF":
        opened = pillow_heif.open_heif(data)
        return len(opened[0].data)
    with Image.open(BytesIO(data)) as picture:
        if header.format != "JPEG":
            picture.load()
            return 0
        wide, high = sorted(tokens.rule(model).target(*header.upright, "high"), reverse=True)
        scale = max(
            scale
            for scale in (1, 2, 4, 8)
            if scale == 1
            or (header.width / scale >= wide * 0.975 and header.height / scale >= high * 0.975)
        )
        picture.draft("RGB", (header.width // scale, header.height // scale))
        return encoded(picture)


def plainly(data: bytes, model: str) -> int:
    """Pillow as most people write it: decode whole, turn, resize."""
    if headers.read(data).format == "HEIF":
        picture: Image.Image = pillow_heif.open_heif(data)[0].to_pillow()
    else:
        picture = Image.open(BytesIO(data))
    upright = ImageOps.exif_transpose(picture)
    target = tokens.rule(model).target(*upright.size, "high")
    return encoded(upright.resize(target))


def raw(data: bytes, model: str) -> int:
    """What most bots do: the file as it came, in base64."""
    return len(base64.b64encode(data))


def encoded(picture: Image.Image) -> int:
    return len(saved(picture.convert("RGB"), "JPEG", quality=encoding.QUALITY, subsampling="4:2:0"))


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


WAYS: dict[str, Callable[[bytes, str], int]] = {
    "floor": floor,
    "ours": ours,
    "Pillow, plainly": plainly,
    "base64, as it is": raw,
}


def refuse_bombs() -> None:
    """What a header tells, before anything is decoded."""
    print("\nRefused by the header alone")
    for name, data in bombs().items():
        times = []
        for _ in range(9):
            started = time.perf_counter()
            refuse(data)
            times.append(time.perf_counter() - started)
        tracemalloc.start()
        refuse(data)
        mib = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        met = median(times) <= REFUSAL_SECONDS and mib <= REFUSAL_MIB
        told = "" if met else f"  over {REFUSAL_SECONDS * 1e3:.0f} ms or {REFUSAL_MIB} MiB"
        print(f"{name:28}{median(times) * 1e3:8.2f} ms{mib:8.2f} MiB{told}")


def refuse(data: bytes) -> None:
    try:
        images.prepare(data, "gpt-4o", "high")
    except PictureUnseen:
        return
    raise AssertionError("not refused")


def bombs() -> dict[str, bytes]:
    """Files that promise or hold too much."""
    return {
        "PNG of 900 million pixels": pictures.bomb(30_000),
        "PNG of 88 million pixels": pictures.bomb(9_400),
        "GIF of 4 billion pixels": b"GIF89a\xff\xff\xff\xff\0\0\0",
        "WebP of 268 million pixels": b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0",
        "JPEG of 900 million pixels": b"\xff\xd8\xff\xc0\0\x11\x08\x75\x30\x75\x30\3\1\x11\0\2\x11\0"
        b"\3\x11\0\xff\xda\0\x0c\3\1",
        "HEIC of a billion pixels": pictures.heic(128, 64).replace(
            b"\0\0\0\x80\0\0\0\x40", b"\0\0\x80\0\0\0\x80\0"
        ),
        "an SVG of 40 MB": b"<svg>" + b"<g>" * 13_000_000,
        "a video of 40 MB": b"\0\0\0\x18ftypmp42" + bytes(40_000_000),
        "50 MB of nothing": bytes(50_000_000),
        "a file of 60 MB": b"\xff\xd8\xff" + bytes(60_000_000),
    }


async def measure_lag(files: dict[str, Path]) -> None:
    """How late a timer of one millisecond rings while two pictures of a kind prepare, again and again."""
    print("\nThe event loop's lag while two pictures prepare")
    with opened() as room:
        for name, file in files.items():
            lags = await lag(room, file.read_bytes())
            p99, most = quantiles(lags, n=100)[98], max(lags)
            met = "" if p99 <= LAG_P99 and most <= LAG_MAX else "  over 5 ms or 20 ms"
            print(
                f"{name:13}p50 {median(lags) * 1e3:6.2f} ms · p99 {p99 * 1e3:6.2f} ms · "
                f"max {most * 1e3:6.2f} ms{met}"
            )
        lags = await lag(room, None)
        print(f"{'nothing':13}p99 {quantiles(lags, n=100)[98] * 1e3:6.2f} ms (the machine's own)")


@contextmanager
def opened() -> Iterator[Darkroom]:
    room = Darkroom()
    try:
        yield room
    finally:
        room.close()


async def lag(room: Darkroom, data: bytes | None) -> Sequence[float]:
    stop = asyncio.Event()
    rule = tokens.rule("gpt-5.6-luna")

    async def prepare() -> None:
        while data and not stop.is_set():
            await room.prepare(data, rule, "high")

    if data:
        # The processes are there before the clock runs.
        await asyncio.gather(*(room.prepare(data, rule, "high") for _ in range(2)))
    late = []
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(prepare())
        end = time.perf_counter() + LAG_SECONDS
        while time.perf_counter() < end:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - started - 0.001)
        stop.set()
    return late


def count_tokens() -> None:
    """Tokens after preparing against tokens before, for every rule."""
    rng = Random(8)
    sides = [*range(1, 4_101, 37), 512, 513, 768, 769, 2048, 2049, 4_100]
    sizes = [(one, other) for one in sides for other in sides]
    sizes += [(rng.randint(1, 12_000), rng.randint(1, 12_000)) for _ in range(SIZES)]
    print(f"\nTokens after preparing against before, on {len(sizes):,} sizes")
    done: set[str] = set()
    for model in tokens.DOCUMENTED:
        rule = tokens.rule(model)
        details: list[Detail] = ["low", "high", "original"]
        for detail in details:
            if rule.form(detail) in done:
                continue
            done.add(rule.form(detail))
            level = rule.level(detail)
            other = sum(
                level.squares(*size) != level.squares(*level.reduce(*size)) for size in sizes
            )
            print(f"{rule.form(detail):24}{other} differ")


if __name__ == "__main__":
    main()
