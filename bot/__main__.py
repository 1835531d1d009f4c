"""The composition root and the command line: builds everything, passes it on, closes it."""

import argparse
import asyncio
import json
import os
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, TextIO

import aiohttp
from pydantic import SecretStr

from adapters import terminal
from bot import commands, doctor, facts, images, logs
from bot.commands import Sized
from bot.desk import MAX_TEXT
from bot.domain import Check, Message, Reply
from bot.engine import Engine, assembled, resolved, secret
from bot.errors import PictureUnseen, SetupError, ThreadsightError
from bot.links import links_in
from bot.model import Endpoint, links_allowed, probe
from bot.ports import Adapter, Store
from bot.pricing import Prices
from bot.settings import Settings
from storage.store import migrate, open_store

OFFLINE_NOTE = "No OPENAI_API_KEY or OPENAI_BASE_URL is set: the offline model answers, for free."
PICTURES = Path(__file__).parent.parent / "docs" / "demo"
WEB = Path("data") / "web"
DEMO_FOLDER = Path("data") / "demo"
PORT = 8765  # the page's, unless it is in use
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
NO_PLATFORM = (
    "No platform is set up: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (docs/slack.md) or DISCORD_TOKEN "
    "(docs/discord.md); `python -m bot demo` needs neither."
)
EMPTY_QUESTION = (
    "The question is empty: write what you want to know, in quotes, after the pictures."
)
MAX_THREAD_NAME = 200  # characters; a database's index takes no name without end
THREAD_NAME = f"A thread's name has 1 to {MAX_THREAD_NAME} characters; give it another."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed with a sentence, 2 wrong usage."""
    print_whatever_comes()
    parsed = parser().parse_args(arguments)
    logs.configure(quiet=parsed.quiet)
    try:
        images.require_safe_pillow()
        settings = Settings.read()
        code: int = asyncio.run(parsed.run(parsed, settings))
        print(end="", flush=True)
        return code
    except ThreadsightError as error:
        complain(error.sentence, as_json=getattr(parsed, "json", False))
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return unwritten(error)


def print_whatever_comes() -> None:
    """Lets a terminal or file of another encoding show `?` for what it does not know."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def unwritten(error: OSError) -> int:
    """Ends a command whose output nobody takes, or whose disk is full."""
    # What is left in the buffer would be tried again at the exit, and complained of.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        complain(f"Reading or writing failed: {error.strerror}.", as_json=False)
    return 1


def parser() -> argparse.ArgumentParser:
    """The command line and its help."""
    root = argparse.ArgumentParser(
        prog="python -m bot",
        description="Threadsight answers questions about pictures and says what each answer costs.",
        epilog="With no command it serves every platform whose secrets are set. "
        "Settings come from the environment; `doctor` says what is missing.",
    )
    root.set_defaults(run=serve, quiet=False, platforms=())
    subparsers = root.add_subparsers(metavar="COMMAND")

    def add(name: str, run: Any, text: str, *, quiet: bool = True) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run, quiet=quiet)
        return sub

    sub = add("ask", ask, "Ask a question about pictures; the answer ends with what it cost.")
    sub.usage = (
        "python -m bot ask [--thread NAME] [--model M] [--detail D] [--json] [PICTURE …] QUESTION"
    )
    sub.add_argument("--thread", metavar="NAME", help="go on with this conversation, or start it")
    add_choices(sub)
    sub.add_argument(
        "words", nargs="+", metavar="PICTURE … QUESTION", help="files, then words in quotes"
    )

    sub = add("estimate", estimate, "Tell what a question would cost; needs no network and no key.")
    add_choices(sub)
    sub.add_argument("--text", default="", metavar="T", help="the question, to count its tokens")
    sub.add_argument("pictures", nargs="+", metavar="PICTURE")

    sub = add("usage", usage, "Show the ledger: calls, tokens and dollars, by day and model.")
    add_json(sub)
    sub = add("doctor", examine, "Say what is configured, what is missing, and the mend.")
    add_json(sub)
    for name in ("slack", "discord"):
        sub = add(name, serve, f"Serve {name.title()} until stopped.", quiet=False)
        sub.set_defaults(platforms=(name,))
    add("migrate", migrate_now, "Bring the database to this version's tables.")
    add_page(add("web", page, "Serve a channel page on this machine until stopped."), WEB)
    sub = add("demo", demo, "Try it: a channel page on this machine, with no account and no key.")
    sub.add_argument("--terminal", action="store_true", help="a conversation here, with no page")
    add_page(sub, DEMO_FOLDER)
    return root


def add_choices(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--model", metavar="M", help="instead of BOT_MODEL")
    sub.add_argument("--detail", choices=commands.DETAILS, help="instead of BOT_DETAIL")
    add_json(sub)


def add_page(sub: argparse.ArgumentParser, folder: Path) -> None:
    sub.add_argument("--port", type=int, default=PORT, help=f"the first one to try ({PORT})")
    sub.add_argument("--no-browser", action="store_true", help="only print the page's address")
    sub.add_argument(
        "--folder", type=Path, default=folder, help=f"where messages and pictures lie ({folder})"
    )


def add_json(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="print facts as JSON")


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
    try:
        await asyncio.wait((work, listening), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        work.cancel()
        raise
    finally:
        worker.stop()
        listening.cancel()
        await asyncio.gather(work, listening, return_exceptions=True)
    for task in (listening, work):
        if not task.cancelled() and (error := task.exception()):
            raise error
    return place.replied.result()


async def estimate(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints what a question would cost; reads only the files."""
    settings = overridden(settings, parsed)
    pictures = [sized(path, settings.max_file_bytes) for path in parsed.pictures]
    if links_allowed(settings.model_url):
        pictures += [Sized.of(link) for link in links_in(parsed.text)]
    prices = Prices.load(settings.prices)
    told = commands.estimate(pictures, parsed.text, resolved(settings), prices)
    if parsed.json:
        printed(facts.of_estimate(told))
    else:
        card = commands.estimate_card(told)
        print(f"{card.title}\n{card.text}")
    return 0 if any(not picture.error for picture in told.pictures) else 1


def sized(path: str, max_bytes: int) -> Sized:
    """A file's picture by its header, or why it has none."""
    file = Path(path)
    try:
        width, height = images.measure(terminal.read(file, max_bytes))
    except PictureUnseen as error:
        return Sized(file.name, error=error.sentence)
    return Sized(file.name, width, height)


async def usage(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints the ledger's sums."""
    async with opened(settings) as store:
        rows = await store.usage()
    if parsed.json:
        printed(facts.of_usage(rows))
    else:
        print(commands.usage_card(rows).text)
    return 0


async def examine(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints the doctor's report."""
    prices = Prices.load(settings.prices)

    async def database() -> str:
        async with opened(settings) as store:
            rows = await store.usage()
        kind = settings.database_url.split(":", 1)[0]
        return f"{kind}, migrated, {commands.total(rows).calls:,} calls in the ledger"

    async def model() -> Sequence[Check]:
        async with aiohttp.ClientSession() as session:
            endpoint = Endpoint.of(settings.model_url, secret(settings.openai_api_key))
            return await probe(session, endpoint, settings.model)

    async def platform(name: str) -> Sequence[Check]:
        async with (
            aiohttp.ClientSession() as session,
            PLATFORMS[name](settings, session) as adapter,
        ):
            return await adapter.probe()

    checks = await doctor.examine(
        settings, prices, database=database, model=model, platform=platform
    )
    if parsed.json:
        printed([{"name": each.name, "ok": each.ok, "text": each.text} for each in checks])
    else:
        for each in checks:
            print(f"{'ok  ' if each.ok else 'MEND'}  {each.name}: {each.text}")
    return 0 if all(each.ok for each in checks) else 1


async def migrate_now(parsed: argparse.Namespace, settings: Settings) -> int:
    """Brings the database up to date and says so."""
    await asyncio.to_thread(migrate, settings.database_url)
    print("The database has this version's tables.")
    return 0


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


async def serve(parsed: argparse.Namespace, settings: Settings) -> int:
    """Serves platforms until told to stop; answers under way are finished first."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        adapters = {
            name: await stack.enter_async_context(PLATFORMS[name](settings, session))
            for name in parsed.platforms or configured(settings)
        }
        store = await stack.enter_async_context(opened(settings, exclusive=True))
        engine = await stack.enter_async_context(assembled(settings, store, adapters))
        await attend(engine)
    return 0


def configured(settings: Settings) -> list[str]:
    """The platforms whose secrets are set; raises SetupError when there is none."""
    names = []
    if settings.slack_bot_token or settings.slack_app_token:
        names.append("slack")
    if settings.discord_token:
        names.append("discord")
    if not names:
        raise SetupError(NO_PLATFORM)
    return names


@asynccontextmanager
async def slack(settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[Adapter]:
    """Slack by Socket Mode."""
    from adapters.slack import SlackAdapter

    yield SlackAdapter(
        bot_token=needed(settings.slack_bot_token, "SLACK_BOT_TOKEN", "slack"),
        app_token=needed(settings.slack_app_token, "SLACK_APP_TOKEN", "slack"),
        api_url=settings.slack_api_url,
        session=session,
        max_file_bytes=settings.max_file_bytes,
        download_seconds=settings.download_seconds,
    )


@asynccontextmanager
async def discord(settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[Adapter]:
    """Discord by its gateway."""
    from adapters.discord import DiscordAdapter

    adapter = DiscordAdapter(
        token=needed(settings.discord_token, "DISCORD_TOKEN", "discord"),
        api_url=settings.discord_api_url,
        session=session,
        max_file_bytes=settings.max_file_bytes,
        download_seconds=settings.download_seconds,
    )
    try:
        yield adapter
    finally:
        await adapter.close()


# Their SDKs are slow to load, so each is loaded by whoever serves it.
PLATFORMS = {"slack": slack, "discord": discord}


def needed(value: SecretStr | None, name: str, platform: str) -> str:
    """A secret without which a platform cannot be served."""
    if value is None:
        raise SetupError(f"{name} is not set: docs/{platform}.md says where to find it.")
    return value.get_secret_value()


async def attend(engine: Engine) -> None:
    """Listens and works until a signal comes or a platform turns us away."""
    worker = engine.worker()
    desk = engine.desk(worker)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    listeners = [asyncio.create_task(adapter.listen(desk)) for adapter in engine.adapters.values()]
    work = asyncio.create_task(worker.run())
    stop = asyncio.create_task(told.wait())
    await asyncio.wait((stop, work, *listeners), return_when=asyncio.FIRST_COMPLETED)
    # The adapters go last: answers under way are still posted through them.
    worker.stop()
    await asyncio.gather(work, return_exceptions=True)
    for task in (stop, *listeners):
        task.cancel()
    ended = await asyncio.gather(work, *listeners, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


@asynccontextmanager
async def opened(settings: Settings, *, exclusive: bool = False) -> AsyncIterator[Store]:
    """The store; `exclusive` for the one process that serves."""
    async with open_store(
        settings.database_url,
        exclusive=exclusive,
        lease_seconds=settings.lease_seconds,
        retention_days=settings.retention_days,
    ) as store:
        yield store


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


def printed(value: object) -> None:
    """Prints facts; in escapes where the output's encoding does not hold every character."""
    whole = sys.stdout is not None and sys.stdout.encoding.lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not whole, indent=2))


def complain(sentence: str, *, as_json: bool) -> None:
    """Says what went wrong, where a person and where a program looks for it."""
    if as_json:
        printed({"error": sentence})
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
