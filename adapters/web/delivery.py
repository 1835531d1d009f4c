"""Hands to the desk what the channel holds, until the desk has stored it."""

import asyncio
import logging
from contextlib import suppress

from adapters.web.channel import Channel
from adapters.web.nouns import CHANNEL, PLATFORM, WORKSPACE, Post, question_of
from bot.domain import Scope
from bot.errors import Outage, ThreadsightError
from bot.ports import Desk

FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 15.0
STORING_SECONDS = 30.0  # longer than a busy database takes

BROKEN = "The bot cannot take this in just now; it will be tried again."
log = logging.getLogger("threadsight.web")


class Delivery:
    """The channel's post: what was said is handed in at least once, also after a crash."""

    def __init__(self, channel: Channel, desk: Desk) -> None:
        self.channel = channel
        self.desk = desk

    async def run(self) -> None:
        """Hands in until cancelled; what was not taken is tried again with growing patience."""
        wait = FIRST_WAIT_SECONDS
        while True:
            self.channel.posted.clear()
            trouble = await self.deliver()
            self.channel.worry(trouble)
            if not trouble:
                wait = FIRST_WAIT_SECONDS
                await self.channel.posted.wait()
                continue
            # Whatever is posted meanwhile is tried at once, and the rest with it.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.channel.posted.wait()
            wait = min(wait * 2, MAX_WAIT_SECONDS)

    async def deliver(self) -> str:
        """Hands in all that the desk has not stored; returns why not all of it, if so."""
        memory = self.channel.memory
        try:
            for number, root, gone in await self.channel.run(memory.retractions):
                await self.retract(number, root, gone)
            while posts := await self.channel.run(memory.unheard):
                troubles = [await self.attempt(post) for post in posts]
                if trouble := next(filter(None, troubles), ""):
                    return trouble
        except Exception as error:
            return told(error)
        return ""

    async def attempt(self, post: Post) -> str:
        """Hands in one post; returns why it was not taken. One that is never taken holds up nobody else's."""
        try:
            await self.hand_in(post)
        except Outage:
            raise
        except Exception as error:
            return told(error)
        return ""

    async def hand_in(self, post: Post) -> None:
        async with asyncio.timeout(STORING_SECONDS):
            refusal = await self.desk.accept(post.message)
        await self.channel.run(self.channel.memory.hear, post.id, post.revision)
        if refusal is not None:
            self.channel.tell(post.root, refusal)

    async def retract(self, number: int, root: str, gone: str) -> None:
        scope = Scope(PLATFORM, WORKSPACE, CHANNEL, root, gone)
        async with asyncio.timeout(STORING_SECONDS):
            replies = await self.desk.retract(scope)
        await self.channel.unsay([question_of(each) for each in replies])
        await self.channel.run(self.channel.memory.retracted, number)


def told(error: Exception) -> str:
    """What people are told of a failure; a fault of ours loses nothing, and only the log can say where it is."""
    log.warning("not taken in yet: %s", type(error).__name__)
    return error.sentence if isinstance(error, ThreadsightError) else BROKEN
