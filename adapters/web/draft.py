"""The one visible reply to a post: it grows in every open tab."""

import asyncio
import logging

from adapters.web.channel import Channel
from adapters.web.nouns import reply_id
from bot.domain import Claim, PostId, Reply
from bot.errors import ThreadsightError

PACE_SECONDS = 0.04  # as often as eyes can follow, and many words a time
log = logging.getLogger("threadsight.web")


class WebDraft:
    """Shows the answer as it grows and completes it; there is one reply to a post, so nothing is posted twice."""

    def __init__(self, channel: Channel, claim: Claim) -> None:
        self.channel = channel
        self.claim = claim
        self.question = claim.message.id
        self.began = False
        self.text = ""
        self.told = 0
        """Characters that the tabs know."""
        self.timer: asyncio.TimerHandle | None = None

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Shows the answer so far."""
        try:
            if not self.began:
                self.began = True
                await self.channel.show(self.claim)
        except ThreadsightError as error:
            log.warning("a reply is not shown as it grows: %s", type(error).__name__)
        if text.startswith(self.text[: self.told]):
            self.text = text
        else:
            self.text, self.told = text, 0
        if text and self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(PACE_SECONDS, self.tell)
        return (reply_id(self.question),)

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply; raises Outage when the channel's folder is away."""
        self.hush()
        await self.channel.complete(self.claim, reply)
        return (reply_id(self.question),)

    async def leave(self) -> None:
        """Stops showing; somebody else completes the reply."""
        self.hush()
        await self.channel.pause(self.question)

    async def withdraw(self) -> None:
        """Takes back what was shown."""
        self.hush()
        try:
            await self.channel.unsay([self.question])
        except ThreadsightError as error:
            log.warning("a reply was not taken back: %s", type(error).__name__)

    def tell(self) -> None:
        """Tells the tabs what they do not know yet."""
        self.timer = None
        self.channel.grow(self.question, self.text, self.told)
        self.told = len(self.text)

    def hush(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
