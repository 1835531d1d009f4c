"""Why a message is not answered, told to its author alone."""

import asyncio
import logging

from adapters.slack import blocks
from adapters.slack.api import Api, Refused
from bot.domain import Card, Message
from bot.errors import RateLimited

TRIES = 3
REMEMBERED = 1000  # messages

log = logging.getLogger("threadsight.slack")


class Refusals:
    """Tells each message's author once, however often Slack delivers the message."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.told: dict[tuple[str, str, float | None], None] = {}

    async def tell(self, message: Message, card: Card) -> None:
        """Shows a card that nobody else sees, in the message's thread where there is one."""
        key = message.thread.channel, message.id, message.edited_at
        if key in self.told:
            return
        if len(self.told) >= REMEMBERED:
            self.told.clear()
        self.told[key] = None
        for attempt in range(1, TRIES + 1):
            try:
                await self.post(message, card)
                return
            except RateLimited as error:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(error.retry_after or 1.0)

    async def post(self, message: Message, card: Card) -> None:
        shown = blocks.card(card)
        root = message.thread.root
        try:
            await self.api.call(
                self.api.careful.chat_postEphemeral(
                    channel=message.thread.channel,
                    user=message.author,
                    # Where no thread stands yet, Slack shows nobody what is posted into it.
                    thread_ts=None if root == message.id else root,
                    text=shown["text"],
                    blocks=shown["blocks"],
                )
            )
        except Refused as error:
            log.info("a refusal could not be told: %s", error.code)
