"""`ask`, `estimate` and `forget`: one question from the terminal, and its end."""

import argparse
import asyncio
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from adapters import terminal
from bot import commands, facts, images
from bot.command_line.opening import opened
from bot.command_line.printing import OFFLINE_NOTE, complain, printed, unmarked
from bot.commands import Sized
from bot.desk import MAX_TEXT
from bot.domain import Message, Reply
from bot.engine import Engine, assembled, resolved
from bot.errors import PictureUnseen, SetupError, TransientError
from bot.links import links_in
from bot.model import links_allowed
from bot.pricing import Prices
from bot.settings import Settings
from bot.worker import Worker

EMPTY_QUESTION = (
    "The question is empty: write what you want to know, in quotes, after the pictures."
)
ERASED = "Erased, with its pictures and answers; what it cost stays in the ledger."
NO_SUCH_THREAD = "Nothing was asked here in a thread of this name."
END_SECONDS = 10.0  # that work may take to end
LISTEN_SECONDS = 1.0  # between looks whether somebody else has answered
MAX_THREAD_NAME = 200  # characters; a database's index takes no name without end
THREAD_NAME = f"A thread's name has 1 to {MAX_THREAD_NAME} characters; give it another."


async def ask(parsed: argparse.Namespace, settings: Settings) -> int:
    """Asks one question and prints its answer as it is written."""
    pictures, text = asked(parsed.words)
    if parsed.thread is not None and not 0 < len(parsed.thread.strip()) <= MAX_THREAD_NAME:
        raise SetupError(THREAD_NAME)
    settings = overridden(settings, parsed)
    question = terminal.question(text, pictures, parsed.thread)
    async with opened(settings) as store, assembled(settings, store) as engine:
        if engine.offline and not parsed.json:
            print(OFFLINE_NOTE, file=sys.stderr)
        reply = await answered(engine, question, None if parsed.json else sys.stdout)
        if reply.failed:
            complain("\n".join([reply.text, *reply.receipts]), as_json=parsed.json)
            return 1
        if parsed.json:
            printed(facts.of_reply(reply))
        return 0


async def answered(engine: Engine, question: Message, out: TextIO | None) -> Reply:
    """Works on the terminal's thread until its question has a reply."""
    place = terminal.Terminal(question, max_file_bytes=engine.settings.max_file_bytes, out=out)
    engine.adapters[place.name] = place
    worker = engine.worker(slots=1, max_failures=1, outage_seconds=0, thread=question.thread)
    listening = asyncio.create_task(place.listen(engine.desk(worker)))
    work = asyncio.create_task(worker.run())
    others = asyncio.create_task(hear_of_others(engine, place))
    try:
        await asyncio.wait((work, listening, others), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        work.cancel()
        raise
    finally:
        worker.stop()
        listening.cancel()
        others.cancel()
        await ended(worker, (work, listening, others))
    for task in (listening, work, others):
        if not task.cancelled() and (error := task.exception()):
            raise error
    return place.replied.result()


async def ended(worker: Worker, tasks: Collection[asyncio.Task[None]]) -> None:
    """Waits for the end of all; whatever did not hear that it should end is told again."""
    while pending := [task for task in tasks if not task.done()]:
        await asyncio.wait(pending, timeout=END_SECONDS)
        for task in pending:
            task.cancel()
        worker.cancel_jobs()


async def hear_of_others(engine: Engine, place: terminal.Terminal) -> None:
    """Waits for the case that another process, asking in the same thread, answers our question too."""
    while True:
        await asyncio.sleep(LISTEN_SECONDS)
        if reply := await engine.store.reply(place.question):
            await place.heard(reply)
            return


async def estimate(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints what a question would cost; reads only the files."""
    settings = overridden(settings, parsed)
    options = images.Options(settings.animations, settings.split_tall)
    darkroom = images.Darkroom(options, max_bytes=settings.max_file_bytes)
    found = [await parts(path, darkroom) for path in parsed.pictures]
    pictures = [picture for each in found for picture in each]
    if links_allowed(settings.model_url):
        pictures += [Sized.of(link) for link in links_in(parsed.text)]
    prices = Prices.load(settings.prices)
    ask = resolved(settings)
    told = replace(
        commands.estimate(pictures, parsed.text, ask, prices),
        others=commands.compared(pictures, parsed.text, ask, prices),
    )
    if parsed.json:
        printed(facts.of_estimate(told))
    else:
        card = commands.estimate_card(told)
        print(f"{card.title}\n{unmarked(card.text)}")
    return 0 if any(not picture.error for picture in told.pictures) else 1


async def forget(parsed: argparse.Namespace, settings: Settings) -> int:
    """Erases what was asked here, in one thread or in all."""
    thread = None if parsed.thread is None else terminal.named(parsed.thread)
    async with opened(settings) as store:
        if thread and await store.participation(thread, terminal.PERSON) == "stranger":
            raise SetupError(NO_SUCH_THREAD)
        await store.forget(terminal.NAME, terminal.WORKSPACE, terminal.PERSON, thread=thread)
    print(ERASED)
    return 0


async def parts(path: str, darkroom: images.Darkroom) -> list[Sized]:
    """A file's pictures, or why it has none."""
    file = Path(path)
    try:
        data = terminal.read(file, darkroom.max_bytes)
        return await commands.parts_of(file.name, data, darkroom)
    except (PictureUnseen, TransientError) as error:
        return [Sized(file.name, error=error.sentence)]


def sized(path: str, max_bytes: int) -> Sized:
    """A file's picture by its header, or why it has none."""
    file = Path(path)
    try:
        width, height = images.measure(terminal.read(file, max_bytes))
    except PictureUnseen as error:
        return Sized(file.name, error=error.sentence)
    return Sized(file.name, width, height)


def overridden(settings: Settings, parsed: argparse.Namespace) -> Settings:
    """The settings with what the command line says instead."""
    said = {"model": parsed.model, "detail": parsed.detail}
    return settings.model_copy(update={name: value for name, value in said.items() if value})


def asked(words: Sequence[str]) -> tuple[list[str], str]:
    """Pictures and question: the last word is the question, unless it is a file like those before it."""
    *pictures, text = words
    if not text.strip():
        raise SetupError(EMPTY_QUESTION)
    if is_file(text):
        return [*pictures, text], ""
    if len(text) > MAX_TEXT:
        raise SetupError(
            f"The question has {len(text):,} characters, and {MAX_TEXT:,} are read at most; "
            "make it shorter."
        )
    return pictures, text


def is_file(words: str) -> bool:
    """Whether the words name a file; a long question is longer than any name may be."""
    try:
        return Path(words).is_file()
    except OSError:
        return False
