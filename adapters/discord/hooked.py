"""A reply where only an interaction reaches: under its question, in the same post, for fifteen minutes."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace

from adapters.discord import render
from adapters.discord.draft import HOOKED, HURRY_SECONDS, STOP, Pace, Spawn, cancelled
from adapters.discord.events import SPOILER, sent_at
from adapters.discord.hooks import ORIGINAL, Hook, Hooks, Lost
from adapters.discord.looks import Looks
from adapters.discord.markup import File, described
from adapters.discord.questions import heading
from adapters.discord.refusals import UNKNOWN_MESSAGE, Refused
from adapters.discord.spoilers import Spoilers
from adapters.discord.wire import items, snowflake, string
from bot.domain import Button, Claim, PostId, Reply
from bot.errors import PermanentError, ThreadsightError, TransientError

MOST_FOLLOW_UPS = 4  # Discord takes five of an interaction; the question may be one of them.
ANSWER_SECONDS = 14.5 * 60  # Discord takes nothing more after fifteen minutes.
AGAIN_SECONDS = 5.0
VEILED = render.LIMIT - 20  # characters of a spoiler, whose bars may not be cut off

WORKING = "\n-# Looking…"
WRITING = "\n-# Writing…"
LATE = (
    "\n-# The answer was not ready within the fifteen minutes that Discord gives me here. "
    "Please ask again."
)
GONE = "Discord took no more of this answer: fifteen minutes had passed. Please ask again."
TAKEN_AWAY = "The message that I was to answer in is gone."

log = logging.getLogger("threadsight.discord")


class HookedDraft:
    """Shows an answer as it grows, and completes it: one post, and others only for what does not fit."""

    def __init__(
        self,
        claim: Claim,
        hook: Hook,
        *,
        hooks: Hooks,
        pace: Pace,
        spawn: Spawn,
        spoilers: Spoilers,
    ) -> None:
        self._spoilers = spoilers
        self._claim = claim
        self._hook = hook
        self._hooks = hooks
        self._pace = pace
        self._spawn = spawn
        self._heading = heading(claim.message.author, claim.message.text)
        self._more = [name.rpartition("/")[2] for name in claim.posts[1:]]
        self._text = ""
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._editing = False
        self._stream: asyncio.Task[None] | None = None

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Leaves the text for the stream to show, and returns at once."""
        self._text = text
        self._news.set()
        if not self._over.is_set() and self._stream is None:
            self._stream = self._spawn(self._keep_showing())
        return self._names()

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply; raises PermanentError when the fifteen minutes are over."""
        late = await self._hush()
        try:
            await self._say(reply)
            if late:
                # An edit that was on its way may have come after ours.
                await self._complete(reply)
        except Refused as error:
            raise PermanentError(TAKEN_AWAY if error.code == UNKNOWN_MESSAGE else GONE) from error
        return self._names()

    async def leave(self) -> None:
        """Stops showing; what is there stays for whoever completes it."""
        await self._hush()

    async def withdraw(self) -> None:
        """Takes back the question's post and all that followed it."""
        await self._hush()
        for name in (*self._more, self._current.target):
            with suppress(ThreadsightError):
                await self._hooks.delete(replace(self._current, target=name))

    @property
    def _current(self) -> Hook:
        return self._hooks.newest(self._claim.message.id, self._hook)

    async def _say(self, reply: Reply) -> None:
        """Completes the reply in its posts, or in the last of them where a button there alone still reaches one."""
        try:
            await self._complete(reply)
        except Refused:
            pressed = self._hooks.renewed(self._more[-1]) if self._more else None
            if pressed is None or pressed.target != ORIGINAL:
                raise
            self._hooks.renew(self._claim.message.id, pressed)
            self._more = []
            await self._complete(reply)

    async def _complete(self, reply: Reply) -> None:
        # What may have been posted by a try that nobody remembers is not posted again: a file holds it all.
        sure = self._claim.reply is None or bool(self._more)
        if not (sure and await self._in_posts(reply)):
            await self._in_one(reply)

    async def _in_posts(self, reply: Reply) -> bool:
        """Writes the answer as posts; False where it takes too many, or one may have been posted unseen."""
        text = f"{self._heading}\n\n{reply.text}" if reply.text.strip() else self._heading
        whole = replace(reply, text=text)
        contents, files = render.posts_with_files(whole)
        if await self._spoilers.cover(self._claim.message):
            # A file would show what is hidden.
            contents, files = self._veiled(render.posts(whole, veil=True)), ()
        if len(contents) > 1 + MOST_FOLLOW_UPS:
            return False
        for index, content in enumerate(contents):
            last = index == len(contents) - 1
            looks = Looks(content, reply.buttons if last else ())
            try:
                await self._write(index, looks, files if last else ())
            except Lost:
                return False
        await self._delete(len(contents) - 1)
        return True

    async def _in_one(self, reply: Reply) -> None:
        content, files = render.briefly(reply, self._heading)
        if await self._spoilers.cover(self._claim.message):
            content, _ = render.briefly(replace(reply, text=""), self._heading)
            files = tuple(replace(file, name=SPOILER + file.name) for file in files)
        await self._write(0, Looks(content, reply.buttons), files)
        await self._delete(0)

    def _veiled(self, contents: list[str]) -> list[str]:
        """The posts of an answer that is a spoiler; its question is none."""
        first = contents[0].removeprefix(f"||{self._heading}").lstrip()
        if first == contents[0] or first.startswith("||"):
            return contents
        return [f"{self._heading}\n||{first}", *contents[1:]]

    async def _write(self, index: int, looks: Looks, files: tuple[File, ...]) -> None:
        """Writes one post of the answer: the question's own, one that followed it, or a new one."""
        hook = self._current
        if index > len(self._more):
            payload = {**looks.payload, "attachments": described(files)}
            made = await self._hooks.follow_up(hook, payload, files, once=True)
            name = snowflake(made, "id")
            self._hooks.renew(name, replace(hook, target=name))
            self._more.append(name)
            return
        if index:
            hook = replace(hook, target=self._more[index - 1])
        kept = await self._kept(hook, files) if files else []
        attachments = {"attachments": [*kept, *described(files)]} if files else {}
        await self._hooks.edit(hook, {**looks.payload, **attachments}, files)

    async def _kept(self, hook: Hook, files: tuple[File, ...]) -> list[dict[str, object]]:
        """The question's own files, which an edit that brings others has to name."""
        names = {file.name for file in files}
        held = items(await self._hooks.read(hook), "attachments")
        return [
            {"id": snowflake(each, "id")} for each in held if string(each, "filename") not in names
        ]

    async def _delete(self, start: int) -> None:
        """Deletes the posts that followed, from this one on."""
        while len(self._more) > start:
            with suppress(Refused):
                await self._hooks.delete(replace(self._current, target=self._more[-1]))
            self._more.pop()

    async def _keep_showing(self) -> None:
        while not self._over.is_set():
            self._news.clear()
            try:
                await self._show_now()
            except TransientError:
                await self._waited(AGAIN_SECONDS)
            except ThreadsightError:
                # `finish` meets the same refusal, and tells.
                return
            await self._news.wait()

    async def _show_now(self) -> None:
        if await self._waited(self._pace.wait(self._claim.message.id)):
            return
        text = f"{self._heading}\n\n{self._text}"
        content = render.chunks(text)[0]
        if self._text and await self._spoilers.cover(self._claim.message):
            [content] = self._veiled([render.veiled(render.cut(content, VEILED))])
        sign = WRITING if self._text else WORKING
        stop = (Button(STOP, self._claim.stop),) if self._claim.stop else ()
        self._editing = True
        payload = Looks(render.cut(content, render.LIMIT - len(sign)) + sign, stop).payload
        await self._hooks.edit(self._current, payload)
        self._editing = False

    async def _waited(self, seconds: float) -> bool:
        """Whether the answer was complete before so much time had passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def _hush(self) -> bool:
        """Ends the showing; whether an edit of it may still arrive."""
        self._over.set()
        self._news.set()
        if self._stream is None:
            return False
        await asyncio.wait([self._stream], timeout=HURRY_SECONDS)
        late = self._editing and not self._stream.done()
        await cancelled(self._stream)
        return late

    def _names(self) -> tuple[PostId, ...]:
        return tuple(f"{HOOKED}/{name}" for name in (self._claim.message.id, *self._more))


async def apologise_when_late(message: str, hook: Hook, hooks: Hooks, seconds: float) -> None:
    """Tells who asked that the answer is not ready, while Discord still takes that."""
    await asyncio.sleep(max(0.0, sent_at(message) + seconds - time.time()))
    if hooks.newest(message, hook) != hook:
        # Somebody pressed a button under it: it can be written for longer than that.
        return
    try:
        content = string(await hooks.read(hook), "content")
        for sign in (WORKING, WRITING):
            if content.endswith(sign.strip()):
                text = render.cut(
                    content.removesuffix(sign.strip()).rstrip(), render.LIMIT - len(LATE)
                )
                await hooks.edit(hook, Looks(text + LATE).payload)
    except ThreadsightError as error:
        log.warning("late answer not told: %s", type(error).__name__)
