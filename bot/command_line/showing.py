"""`web` and `demo`: a channel page on this machine, or a conversation in the terminal."""

import argparse
import asyncio
import sys
import webbrowser
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from adapters import terminal
from bot import commands, images
from bot.command_line.asking import answered, sized
from bot.command_line.opening import opened
from bot.command_line.printing import OFFLINE_NOTE, complain
from bot.command_line.serving import attend
from bot.engine import assembled, resolved
from bot.ports import Adapter
from bot.pricing import Prices
from bot.settings import Settings

PICTURES = Path(__file__).parents[2] / "docs" / "demo"
ABOUT = "{model} answers; what it costs stands under each answer."
OFFLINE_ABOUT = (
    "An offline model answers, for free: it reads text, sizes and colours. "
    "Set OPENAI_API_KEY to ask a real one."
)
DEMO = (
    (PICTURES / "menu-monday.jpg", "What does this menu say?"),
    (PICTURES / "menu-tuesday.jpg", "And today: what changed since picture 1?"),
)
RULE = "─" * 72
WELCOME = "Threadsight: two pictures, a question about each, in one thread."
NEXT = """\
The second question sent the first picture again, from the bot's own store: the API remembers
nothing. Now ask about a picture of your own, and go on in the same thread:

  .venv/bin/python -m bot ask --thread mine photo.jpg "What is this?"
  .venv/bin/python -m bot ask --thread mine "And what stands behind it?"
  .venv/bin/python -m bot estimate photo.jpg"""


async def page(parsed: argparse.Namespace, settings: Settings) -> int:
    """Serves the channel page on this machine."""
    return await open_page(parsed, settings, parsed.folder)


async def demo(parsed: argparse.Namespace, settings: Settings) -> int:
    """A page with a conversation about a real picture already there, in a folder of its own."""
    if parsed.terminal:
        return await converse(settings)
    folder: Path = parsed.folder
    database = f"sqlite:///{folder / 'threadsight.db'}"
    settings = settings.model_copy(update={"database_url": database})
    first, second = DEMO
    return await open_page(parsed, settings, folder / "channel", first, second)


async def open_page(
    parsed: argparse.Namespace,
    settings: Settings,
    folder: Path,
    welcome: tuple[Path, str] | None = None,
    invitation: tuple[Path, str] | None = None,
) -> int:
    """Serves a page until told to stop, and says where it is."""
    from adapters.web import Invitation, WebAdapter

    def say(sentence: str) -> None:
        print(sentence, flush=True)

    def started(url: str, moved: bool) -> None:
        if moved:
            say(f"Port {parsed.port} is in use, so another one is taken.")
        say(f"Threadsight is at {url} (Ctrl+C ends it)")
        if not parsed.no_browser:
            # A browser may take its time, and may not be there at all: nobody waits for it.
            Thread(target=open_browser, args=(url,), daemon=True).start()

    adapter = WebAdapter(
        folder=folder,
        port=parsed.port,
        max_file_bytes=settings.max_file_bytes,
        measure=images.measure,
        about=ABOUT.format(model=settings.model) if settings.model_configured else OFFLINE_ABOUT,
        invitation=Invitation(*invitation) if invitation else None,
        started=started,
    )
    adapters: dict[str, Adapter] = {adapter.name: adapter}
    async with (
        opened(settings, exclusive=True) as store,
        assembled(settings, store, adapters) as engine,
    ):
        if welcome:
            picture, question = welcome
            await adapter.welcome(f"@threadsight {question}", [picture])
        warming = asyncio.create_task(engine.warm(say))
        try:
            await attend(engine)
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
    return 0


def open_browser(url: str) -> None:
    """Opens the page where there is a browser with windows; one in this terminal would only be in the way."""
    try:
        browser = webbrowser.get()
        if type(browser) is not webbrowser.GenericBrowser:
            browser.open(url)
    except (webbrowser.Error, OSError):
        return


async def converse(settings: Settings) -> int:
    """A conversation about two real pictures, priced before and after, in a thread of its own."""
    with TemporaryDirectory() as folder:
        settings = settings.model_copy(update={"database_url": f"sqlite:///{folder}/demo.db"})
        print(WELCOME if settings.model_configured else f"{WELCOME}\n{OFFLINE_NOTE}")
        prices, said = Prices.load(settings.prices), 0
        async with opened(settings) as store, assembled(settings, store) as engine:
            for picture, question in DEMO:
                print(f"\n{RULE}\n[{picture.name}] {question}\n")
                told = commands.estimate(
                    [sized(str(picture), settings.max_file_bytes)],
                    question,
                    resolved(settings),
                    prices,
                    thread_tokens=said,
                )
                print(f"{commands.brief(told)}\n")
                asking = terminal.question(question, [str(picture)], "demo")
                reply = await answered(engine, asking, sys.stdout)
                if reply.failed:
                    complain(reply.text, as_json=False)
                    return 1
                if reply.answer:
                    usage, instructions = (
                        reply.answer.usage,
                        told.text_tokens - told.question_tokens,
                    )
                    said = usage.input + usage.output - instructions
    print(f"\n{RULE}\n{NEXT}")
    return 0
