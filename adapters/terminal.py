"""The terminal as a place where one person asks: files are its attachments, standard output its thread."""

import asyncio
import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import quote_from_bytes, unquote_to_bytes

from bot.domain import Attachment, Check, Claim, Message, PostId, Reply, ThreadId
from bot.errors import PictureUnseen
from bot.ports import Desk

NAME = "terminal"
WORKSPACE = "local"
PERSON = "you"
ERASE = "To erase it: python -m bot forget --thread {thread}"
ALLOWED = "\n\t\u200c\u200d"  # the last two join letters and emoji; they are not "printable"


class Terminal:
    """Asks one question and prints its answer as it comes."""

    name = NAME

    def __init__(
        self, question: Message, *, max_file_bytes: int, out: TextIO | None = None
    ) -> None:
        self.question = question
        self.max_file_bytes = max_file_bytes
        self.out = out
        """Where the answer is printed as it comes; None prints nothing."""
        self.replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def listen(self, desk: Desk) -> None:
        """Hands in the question and waits for its reply, or for why there is none."""
        refusal = await desk.accept(self.question)
        if refusal is not None:
            await self.heard(Reply(refusal.text, failed=True))
        await self.replied

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads a file of this machine."""
        path = Path(os.fsdecode(unquote_to_bytes(attachment.url)))
        return await asyncio.to_thread(read, path, self.max_file_bytes)

    async def earlier(self, message: Message) -> list[Message]:
        """Nothing: a thread of the terminal holds only what was asked here."""
        return []

    def draft(self, claim: Claim) -> "Page":
        """Printed for this process's own question; an older one of the thread is answered silently."""
        ours = claim.message.id == self.question.id
        return self.page() if ours else Page("", None, None)

    async def heard(self, reply: Reply) -> None:
        """Prints the reply that another process gave to this one's question."""
        if not self.replied.done():
            await self.page().finish(reply)

    def page(self) -> "Page":
        """Where this process's own question is answered."""
        return Page(self.question.thread.root, self.out, self.replied)

    async def administers(self, workspace: str, person: str) -> bool:
        """Always: whoever sits here runs the bot."""
        return True

    async def probe(self) -> list[Check]:
        """Nothing: a terminal needs no set-up."""
        return []


class Page:
    """One answer on the screen; what is printed stays."""

    def __init__(
        self, thread: str, out: TextIO | None, replied: "asyncio.Future[Reply] | None"
    ) -> None:
        self.thread = thread
        self.out = out
        self.replied = replied
        self.shown = ""

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Prints what is new of the answer."""
        if self.out and text:
            self.write(text)
        return ()

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Prints the rest, and under it cost and receipts."""
        if self.out and not reply.failed:
            self.write(reply.text)
            lines = [*reply.footer, *reply.receipts]
            if any(button.style == "danger" for button in reply.buttons):
                # Nothing can be pressed here.
                lines.append(ERASE.format(thread=shlex.quote(self.thread)))
            self.print("\n".join(["", "", *map(safe, lines), ""]))
        if self.replied and not self.replied.done():
            self.replied.set_result(reply)
        return ()

    async def leave(self) -> None:
        """Leaves what is printed."""

    async def withdraw(self) -> None:
        """Leaves what is printed: a terminal takes nothing back."""

    def write(self, text: str) -> None:
        if not text.startswith(self.shown):
            text, self.shown = f"\n{text}", ""
        self.print(safe(text[len(self.shown) :]))
        self.shown = text

    def print(self, text: str) -> None:
        """Prints as long as somebody reads: an answer that is paid for is no failure without readers."""
        try:
            print(text, end="", file=self.out, flush=True)
        except OSError:
            self.out = None


def question(text: str, pictures: Sequence[str], thread: str | None) -> Message:
    """A question of this person; without a thread's name it starts a thread of its own."""
    now = time.time()
    return Message(
        thread=named(thread or f"{time.time_ns()}"),
        id=f"{time.time_ns()}",
        author=PERSON,
        text=text,
        sent_at=now,
        attachments=tuple(attachment(n, Path(p)) for n, p in enumerate(pictures, start=1)),
        addressed=True,
    )


def named(thread: str) -> ThreadId:
    """The thread of this name."""
    return ThreadId(NAME, WORKSPACE, NAME, thread)


def attachment(number: int, path: Path) -> Attachment:
    # Escaped, since a file's name may be bytes that no database takes as text.
    return Attachment(
        id=str(number), name=path.name, url=quote_from_bytes(os.fsencode(path.absolute()))
    )


def read(path: Path, max_bytes: int) -> bytes:
    """A file's bytes; raises PictureUnseen with what is wrong with it."""
    try:
        if not path.exists():
            raise PictureUnseen("there is no such file; check its name")
        if not path.is_file():
            raise PictureUnseen("it is not a file; name the pictures themselves")
        # Room for just so much is had in a quarter of the time that room for the largest takes.
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(min(size, max_bytes) + 1)
    except (OSError, ValueError) as error:
        raise PictureUnseen("the file cannot be read; check its permissions") from error
    if len(data) > max_bytes:
        raise PictureUnseen(
            f"the file is larger than {max_bytes // 1_000_000} MB; make it smaller and ask again"
        )
    return data


def safe(text: str) -> str:
    """Without the control characters that could command a terminal."""
    return "".join(char for char in text if char in ALLOWED or char.isprintable())
