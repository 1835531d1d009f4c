"""The command line: what can be said to it, and how it ends."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from bot import commands, images, logs, rules, tokens
from bot.command_line.asking import ask, estimate, forget
from bot.command_line.examining import examine, migrate_now, usage
from bot.command_line.printing import complain
from bot.command_line.serving import serve
from bot.command_line.showing import demo, page
from bot.errors import ThreadsightError
from bot.settings import Settings

WEB = Path("data") / "web"
DEMO_FOLDER = Path("data") / "demo"
MOST_DAYS = 36_500
PORT = 8765  # the page's, unless it is in use
# A thread may hold up the event loop so long, as one that reads a hostile file's header; Python's own is 5 ms.
SWITCH_SECONDS = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed with a sentence, 2 wrong usage."""
    print_whatever_comes()
    parsed = parser().parse_args(arguments)
    logs.configure(quiet=parsed.quiet)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        images.require_safe_decoders()
        settings = Settings.read()
        tokens.learn(rules.read(settings.prices))
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
        epilog="With no command it serves every platform whose secrets are set. Settings come from "
        "the environment or a file .env (docs/configuration.md); `doctor` says what is missing.",
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

    sub = add("forget", forget, "Erase what was asked here with `ask`; what it cost stays.")
    sub.add_argument("--thread", metavar="NAME", help="in this conversation only")

    sub = add("usage", usage, "Show the ledger: calls, tokens and dollars, by day and model.")
    sub.add_argument("--days", type=days, metavar="N", help="of the last N days only")
    export = sub.add_mutually_exclusive_group()
    export.add_argument("--csv", action="store_true", help="export every call as a table")
    export.add_argument("--json", action="store_true", help="the sums and every call as JSON")
    sub = add("doctor", examine, "Say what is configured, what is missing, and the mend.")
    add_json(sub)
    for name in ("slack", "discord"):
        sub = add(name, serve, f"Serve {name.title()} until stopped.", quiet=False)
        sub.set_defaults(platforms=(name,))
    add("migrate", migrate_now, "Bring the database to this version's tables, as every start does.")
    add_page(add("web", page, "Serve a channel page, for this machine alone, until stopped."), WEB)
    sub = add("demo", demo, "Try it: a channel page on this machine, with no account and no key.")
    sub.add_argument("--terminal", action="store_true", help="a conversation here, with no page")
    add_page(sub, DEMO_FOLDER)
    return root


def days(words: str) -> int:
    """How many days; raises what argparse tells in words."""
    if not words.isdecimal() or not 1 <= int(words) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"'{words}' is no number of days from 1 to {MOST_DAYS:,}")
    return int(words)


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


if __name__ == "__main__":
    sys.exit(main())
