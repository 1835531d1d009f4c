"""One 12 MP phone photo → what is sent to the model: CPU, peak memory, bytes, and the loop's lag.

The floor of a family is libjpeg-turbo's smallest scaled decode that is large enough for it, and one
encode: nothing turned, nothing resized. Each way runs in a process of its own.
"""

import asyncio
import base64
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median, quantiles

from PIL import Image, ImageOps

from bot import images, tokens
from bot.images import encoding, headers

PHOTO = Path(__file__).parent / "fixtures" / "phone_12mp_exif6_gps.jpg"
FAMILIES = {"tile": "gpt-4o", "patch": "gpt-5.6-luna"}
RUNS = 9
ROUNDS = 3
"""Processes for each way; the median of their medians counts."""
LIMIT = 1.3
LIMIT_MIB = 10
LIMIT_LAG = 0.010


def main() -> None:
    """Prints the tables, or measures one way when it is called by itself."""
    if len(sys.argv) == 4 and sys.argv[1] == "--way":
        print(json.dumps(measured(sys.argv[2], sys.argv[3])))
        return
    print("\nOne 12 MP photo (4032×3024, 2.7 MB) for the model, against the family's floor")
    print(f"{'family':8}{'way':16}{'CPU ms':>8}{'ratio':>8}{'peak MiB':>10}{'KB':>8}")
    for family in FAMILIES:
        found = {way: rounds(way, family) for way in WAYS}
        floor = found["floor"]["ms"]
        for way, row in found.items():
            print(
                f"{family:8}{way:16}{row['ms']:8.1f}{row['ms'] / floor:8.2f}"
                f"{row['mib']:10.1f}{row['bytes'] / 1000:8.0f}{verdict(family, way, row, floor)}"
            )
    lags = asyncio.run(lag(PHOTO.read_bytes()))
    p99 = quantiles(lags, n=100)[98]
    met = "" if p99 <= LIMIT_LAG else "  over 10 ms"
    print("\nThe event loop's lag while two threads prepare that photo")
    print(
        f"p50 {median(lags) * 1e3:.2f} ms · p99 {p99 * 1e3:.2f} ms · max {max(lags) * 1e3:.2f} ms{met}"
    )


def verdict(family: str, way: str, row: dict[str, float], floor: float) -> str:
    """What our way promises and did not keep in this run."""
    if way != "ours":
        return ""
    missed = []
    if row["ms"] / floor > LIMIT:
        missed.append(f"over {LIMIT}")
    if family == "tile" and row["mib"] > LIMIT_MIB:
        missed.append(f"over {LIMIT_MIB} MiB")
    return "  " + ", ".join(missed) if missed else ""


def rounds(way: str, family: str) -> dict[str, float]:
    """The medians over several processes."""
    found = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.pictures", "--way", way, family]
        done = subprocess.run(command, check=True, capture_output=True, timeout=120)
        found.append(json.loads(done.stdout))
    return {key: median(row[key] for row in found) for key in found[0]}


def measured(way: str, family: str) -> dict[str, float]:
    """One way in this process: peak of its first run, then the CPU of several."""
    data = PHOTO.read_bytes()
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
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1024 if sys.platform != "darwin" else used / 1024 / 1024


def ours(data: bytes, model: str) -> int:
    """What the bot does."""
    return len(images.prepare(data, model, "high").data)


def floor(data: bytes, model: str) -> int:
    """The smallest scaled decode that is large enough, and encode."""
    header = headers.read(data)
    wide, high = sorted(tokens.rule(model).target(*header.upright, "high"), reverse=True)
    with Image.open(BytesIO(data)) as picture:
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
    with Image.open(BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture)
    target = tokens.rule(model).target(*upright.size, "high")
    return encoded(upright.resize(target))


def raw(data: bytes, model: str) -> int:
    """What most bots do: the file as it came, in base64."""
    return len(base64.b64encode(data))


def encoded(picture: Image.Image) -> int:
    file = BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=encoding.QUALITY, subsampling="4:2:0")
    return len(file.getvalue())


WAYS: dict[str, Callable[[bytes, str], int]] = {
    "floor": floor,
    "ours": ours,
    "Pillow, plainly": plainly,
    "base64, as it is": raw,
}


async def lag(data: bytes, seconds: float = 3.0) -> Sequence[float]:
    """How late a timer of one millisecond rings while two pictures prepare, again and again."""
    stop = asyncio.Event()

    async def prepare() -> None:
        while not stop.is_set():
            await asyncio.to_thread(images.prepare, data, "gpt-5.6-luna", "high")

    late = []
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(prepare())
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - started - 0.001)
        stop.set()
    return late


if __name__ == "__main__":
    main()
