"""Short replies of the bot that are no answers: why it does not answer, or cannot read."""

import hashlib

from adapters.discord import render
from adapters.discord.lately import Lately
from adapters.discord.looks import NO_MENTIONS, SUPPRESS_EMBEDS
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.sight import UNREAD
from adapters.discord.wire import Json, snowflake
from bot.domain import Card

MOST_TOLD = 10_000


class Notices:
    """Tells people things, each once."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._told: Lately[bool] = Lately(MOST_TOLD)

    async def refuse(self, data: Json, card: Card) -> None:
        """Shows a message's author what the desk says of it; others see it, since Discord knows no other way."""
        await self._reply(data, render.card(card)[0])

    async def unread(self, data: Json, author: str) -> None:
        """Tells somebody that what they wrote is withheld from us; once in each place."""
        name = f"{snowflake(data, 'channel_id')}/{author}"
        if name not in self._told:
            await self._reply(data, UNREAD)
            self._told.keep(name, True)

    async def _reply(self, data: Json, content: str) -> None:
        name = snowflake(data, "id")
        payload: dict[str, object] = {
            "content": content,
            "flags": SUPPRESS_EMBEDS,
            "allowed_mentions": NO_MENTIONS,
            # The same notice is posted once, however often we try.
            "nonce": hashlib.sha256(f"notice:{name}".encode()).hexdigest()[:24],
            "enforce_nonce": True,
            "message_reference": {"message_id": name, "fail_if_not_exists": False},
        }
        try:
            await self._rest.call(
                "POST",
                "/channels/{channel_id}/messages",
                json=payload,
                channel_id=snowflake(data, "channel_id"),
            )
        except Refused:
            # Where we may not write, nobody can be told.
            return
