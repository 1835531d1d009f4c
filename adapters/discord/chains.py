"""Where no thread can be made, a chain of replies is one: which question it began with."""

from adapters.discord.events import replied_to
from adapters.discord.lately import Lately
from adapters.discord.places import Place
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.spot import asked_for_somebody
from adapters.discord.wire import Json, item, snowflake

MOST_LINKS = 50  # so far back a chain is followed
MOST_KNOWN = 10_000


class Chains:
    """Follows replies to the bot's answers back to the first question."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._roots: Lately[str] = Lately(MOST_KNOWN)
        """By question, the first one of its chain."""

    async def root(self, data: Json, place: Place) -> str:
        """The id of the question that began the chain which a message goes on; empty if it goes on none."""
        if place.is_thread or not place.guild:
            return ""
        question = await self._answered(replied_to(data))
        root = await self._first(place.id, question) if question else ""
        if root:
            self._roots.keep(snowflake(data, "id"), root)
        return root

    async def _first(self, channel: str, question: str) -> str:
        for _ in range(MOST_LINKS):
            if known := self._roots.get(question):
                return known
            try:
                data = await self._rest.get(
                    "/channels/{channel_id}/messages/{message_id}",
                    channel_id=channel,
                    message_id=question,
                )
            except Refused:
                break
            before = await self._answered(replied_to(data))
            if not before:
                break
            question = before
        return question

    async def _answered(self, post: Json) -> str:
        """The question that a post of the bot answers, or is."""
        if snowflake(item(post, "author"), "id") != await self._rest.me():
            return ""
        if asked_for_somebody(post):
            return snowflake(post, "id")
        return snowflake(item(post, "message_reference"), "message_id")
