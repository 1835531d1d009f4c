"""Slack as its people feel it: the bot in a process of its own, on a small Slack and a model's server here.

How soon an event is acknowledged, which is after it is stored, while the bot prepares 12 MP photos, by Socket Mode
and over HTTP; how soon a question shows a first sign; how soon the last word becomes a finished reply; and fifty
questions at once. `python -m benchmarks.slack --seconds 6` is a shorter look.
"""

import argparse
import asyncio
import time
from collections import deque
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from tests.adapters.contract import FOOTER, Upload, png
from tests.adapters.slack.stage import HttpStage, SlackStage
from tests.servers.openai import Says
from tests.servers.slack_workspace import Channel

PHOTO = Path(__file__).parent / "fixtures" / "phone_12mp_exif6_gps.jpg"
EVENTS_PER_SECOND = 100
SECONDS = 60.0
SLACK_WAITS_SECONDS = 3.0
PHOTOS_AT_ONCE = 2
CROWDED = "C0CROWD"
QUESTIONS = 10
BURST = 50


def main(seconds: float = SECONDS) -> None:
    """Prints the table; events come for so many seconds in each mode."""
    asyncio.run(measure(seconds))


async def measure(seconds: float) -> None:
    print("\nSlack (bot, Slack and model on this machine)")
    for name, kind in (("Socket Mode", SlackStage), ("HTTP", HttpStage)):
        with TemporaryDirectory() as folder:
            stage = kind(Path(folder), apart=True)
            await stage.begin()
            try:
                print(f"{name}, {EVENTS_PER_SECOND} events a second for {seconds:g} s:")
                times = await acknowledged(stage, seconds)
                report("event → stored and acknowledged", times, 0.200)
                late = sum(time > SLACK_WAITS_SECONDS for time in times)
                print(
                    f"{late} of {len(times):,} took longer than Slack waits ({verdict(not late)})"
                )
                signs, ends = await answered(stage)
                report("question → first sign", signs, 1.0)
                report("last word → finished reply", ends, 0.150)
                await burst(stage)
            finally:
                await stage.close()


def report(name: str, seconds: list[float], limit: float) -> None:
    """One line: median, 99th percentile and the worst, in milliseconds."""
    middle, high = quantiles(seconds, n=100)[49], quantiles(seconds, n=100)[98]
    high = min(high, max(seconds))
    print(
        f"{name:34}{len(seconds):5}×  p50 {middle * 1000:6.1f}  p99 {high * 1000:6.1f}"
        f"  max {max(seconds) * 1000:6.1f} ms   (≤ {limit * 1000:.0f}: {verdict(high <= limit)})"
    )


def verdict(holds: bool) -> str:
    return "ok" if holds else "MISSED"


async def acknowledged(stage: SlackStage, seconds: float) -> list[float]:
    """100 events a second, each stored, while photos are fetched, decoded and answered."""
    stage.server.redeliver_seconds = SLACK_WAITS_SECONDS
    stage.answers("A photo.")
    # Apart from the questions, whose answers are looked for among all posts of their channel.
    stage.server.channels[CROWDED] = Channel()
    photo = stage.server.upload(png(1))
    root = stage.server.post(f"{stage.mention} look", files=[photo.info["id"]], channel=CROWDED)
    await stage.server.until(lambda: FOOTER in "".join(stage.server.thread(root, CROWDED)))
    enough = asyncio.Event()
    decoding = [asyncio.create_task(keep_asking(stage, enough)) for _ in range(PHOTOS_AT_ONCE)]
    begin, sent = time.monotonic(), []
    for number in range(int(EVENTS_PER_SECOND * seconds)):
        await asyncio.sleep(max(0.0, begin + number / EVENTS_PER_SECOND - time.monotonic()))
        ts = stage.server.post(f"<@U0BOB> number {number}", thread=root, channel=CROWDED)
        sent.append((ts, stage.server.deliveries[-1]))
    await stage.server.until(lambda: all(delivery.acked_at for _, delivery in sent), 30)
    enough.set()
    await asyncio.gather(*decoding)
    return [(delivery.acked_at or 0) - delivery.sent_at for _, delivery in sent]


async def keep_asking(stage: SlackStage, enough: asyncio.Event) -> None:
    """One question with a 12 MP photo after the other, in a channel without limits."""
    while not enough.is_set():
        photo = Upload("photo.jpg", PHOTO.read_bytes(), "image/jpeg")
        question = await stage.post(f"{stage.mention} what is this?", [photo])
        await stage.answered(question)


async def answered(stage: SlackStage) -> tuple[list[float], list[float]]:
    """Question by question: the first sign, and the end after the model's last word."""
    pairs = [await one(stage) for _ in range(QUESTIONS)]
    return [sign for sign, _ in pairs], [end for _, end in pairs]


async def one(stage: SlackStage) -> tuple[float, float]:
    last_word = asyncio.Event()
    stage.model.scripts = deque([Says("It is a red square on white.", hold=last_word)])
    posted = time.monotonic()
    question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(2))])
    await stage.until(lambda: "white." in "".join(stage.visible(question)))
    said = time.monotonic()
    last_word.set()
    await stage.server.until(lambda: any(FOOTER in post for post in stage.visible(question)))
    return stage.server.first_signs[question] - posted, time.monotonic() - said


async def burst(stage: SlackStage) -> None:
    """Fifty questions at once in one channel, on a Slack that holds its limits."""
    stage.answers("One of many.")
    stage.model.scripts = deque(Says("One of many.") for _ in range(BURST * 2))
    stage.server.limits = True
    begin = time.monotonic()
    questions = [
        await stage.post(f"{stage.mention} number {number}?", [Upload("a.png", png(3))])
        for number in range(BURST)
    ]
    await stage.until(lambda: all(stage.complete(question) for question in questions), 180)
    seconds = time.monotonic() - begin
    posts = [len(stage.visible(question)) for question in questions]
    print(
        f"{BURST} questions at once in one channel: all answered in {seconds:.0f} s, "
        f"{sum(posts)} posts ({verdict(posts == [1] * BURST)}); Slack takes one a second"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures the bot on a small Slack.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of events in each mode")
    main(parser.parse_args().seconds)
