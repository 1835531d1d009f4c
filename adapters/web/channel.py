"""The channel: what people and the bot do in it, remembered first and then told to every open tab."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from adapters.web.feed import Feed
from adapters.web.memory import Memory
from adapters.web.nouns import Json, Post, Said, Upload, card, reply_id
from adapters.web.tables import spelled
from bot.domain import Card, Claim, Reply
from bot.errors import PermanentError, ThreadsightError

MAX_TEXT = 100_000  # characters of a post; the bot reads no more
MAX_FILES = 10  # of a post

P = ParamSpec("P")
T = TypeVar("T")

LOST = "The channel's file was deleted, so this is a new and empty channel."
NOTHING = "Write something or attach a picture first."


class Channel:
    """One channel on this machine, shared by all tabs."""

    def __init__(self, memory: Memory, feed: Feed, now: Callable[[], float] = time.time) -> None:
        self.memory = memory
        self.feed = feed
        self.now = now
        self.live: dict[str, Said] = {}
        """Replies that are being written, by their question; only their beginning is on the disk."""
        self.trouble = ""
        """Why the bot does not take in what is posted, if so."""
        self.posted = asyncio.Event()
        """Set when there is something that the bot should hear of."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="channel")

    # People

    async def post(
        self,
        key: str,
        text: str,
        root: str | None,
        files: Sequence[str],
        options: Mapping[str, str] | None = None,
    ) -> Post:
        """Keeps what somebody posts, once for each key; `options` hold for this question alone."""
        text = fitting(text)
        if not text.strip() and not files:
            raise PermanentError(NOTHING)
        if len(files) > MAX_FILES:
            raise PermanentError(f"A message takes up to {MAX_FILES} files; this one has more.")
        post, new = await self.run(
            self.memory.add, key, text, root, tuple(files), self.now(), options
        )
        if new:
            self.feed.publish("post", post.json)
        self.posted.set()
        return post

    async def edit(self, name: str, text: str) -> Post:
        """Replaces a post's words; the newest edit wins, and every tab hears of it."""
        text = fitting(text)
        if not text.strip():
            raise PermanentError("An empty message says nothing: delete it instead.")
        post = await self.run(self.memory.edit, name, text, self.now())
        self.feed.publish("post", post.json)
        self.posted.set()
        return post

    async def delete(self, name: str) -> None:
        """Erases a post, its files and the reply to it."""
        left, gone = await self.run(self.memory.delete, name)
        self.live.pop(name, None)
        self.feed.publish("unsaid", {"id": reply_id(name), "question": name})
        if left is not None:
            self.feed.publish("post", left.json)
        for each in gone:
            self.feed.publish("gone", {"id": each})
        self.posted.set()

    async def keep(self, came: Path, upload: Upload) -> Upload:
        """Takes over a file that was written into the folder."""
        await self.run(self.memory.keep, came, upload, self.now())
        return upload

    # The bot

    async def show(self, claim: Claim) -> None:
        """Begins the reply to a message, or takes it up again."""
        message = claim.message
        known = await self.run(self.memory.said, message.id)
        began_at = known.began_at if known else self.now()
        said = Said(message.id, message.thread.root, began_at, stop=claim.stop)
        if await self.run(self.memory.say, said):
            self.live[message.id] = said
            self.feed.publish("reply", said.json)

    def grow(self, question: str, text: str, told: int) -> None:
        """More words of a reply that is being written; `told` characters of it are known already."""
        said = self.live.get(question)
        if said is None:
            return
        self.live[question] = replace(said, reply=Reply(text))
        self.feed.publish("words", {"question": question, "at": told, "text": text[told:]})

    async def complete(self, claim: Claim, reply: Reply) -> None:
        """Keeps the whole reply; raises Outage when it cannot be kept now."""
        message = claim.message
        known = self.live.get(message.id) or await self.run(self.memory.said, message.id)
        began_at = known.began_at if known else self.now()
        said = Said(message.id, message.thread.root, began_at, "done", reply)
        there = await self.run(self.memory.say, said)
        self.live.pop(message.id, None)
        if there:
            self.feed.publish("reply", said.json)

    async def pause(self, question: str) -> None:
        """Whoever wrote this reply has left; somebody else will complete it."""
        said = self.live.pop(question, None)
        if said is not None:
            waiting = replace(said, state="waiting", reply=Reply(""))
            self.feed.publish("reply", waiting.json)
            with suppress(ThreadsightError):
                await self.run(self.memory.say, waiting)

    async def unsay(self, questions: Sequence[str]) -> None:
        """Takes replies back."""
        for question in questions:
            self.live.pop(question, None)
        await self.run(self.memory.unsay, tuple(questions))
        for question in questions:
            self.feed.publish("unsaid", {"id": reply_id(question), "question": question})

    def tell(self, root: str, answer: Card) -> None:
        """Shows every tab why a message is not answered; nobody keeps it."""
        self.feed.publish("card", {"root": root, **card(answer)})

    def worry(self, sentence: str) -> None:
        """Tells every tab why the bot does not take in what is posted; empty when it does again."""
        if sentence != self.trouble:
            self.trouble = sentence
            self.feed.publish("trouble", {"text": sentence})

    # Reading

    async def picture(self, before: int | None = None) -> Json:
        """The newest threads, or those before a post, as every tab sees them."""
        posts, replies, more = await self.run(self.memory.threads, before)
        said = {each.question: each for each in replies}
        roots = {each.root for each in posts}
        said.update({q: each for q, each in self.live.items() if each.root in roots})
        return {
            "posts": [each.json for each in posts],
            "replies": [each.json for each in said.values()],
            "more": more,
            "trouble": self.trouble,
        }

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does something with the memory in its own thread."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.thread, lambda: work(*args, **kwargs))
        finally:
            if self.memory.lost:
                self.memory.lost = False
                self.live.clear()
                self.feed.publish("reset", {"text": LOST})

    async def close(self) -> None:
        """Lets go of the file; the channel opens again when somebody comes."""
        self.feed.close()
        await self.run(self.memory.close)


def fitting(text: str) -> str:
    """A text that can be kept; raises PermanentError for one that is too long."""
    if len(text) > MAX_TEXT:
        raise PermanentError(
            f"A message holds up to {MAX_TEXT:,} characters; this one has {len(text):,}. "
            "Shorten it, or post it in parts."
        )
    # Halves of characters and zero bytes are nothing that anybody typed.
    return spelled(text).replace("\0", "").replace("\r\n", "\n")
