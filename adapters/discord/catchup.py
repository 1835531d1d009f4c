"""What was said while the bot was away: channels with news are read, and what is found is handed in like new."""

from collections.abc import AsyncIterator, Iterable

from adapters.discord.places import Place
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, snowflake

MOST_PLACES = (
    50  # channels and threads that are read after a gap, those with the newest messages first
)
MOST_TALKS = 10  # direct messages, the latest first, which Discord does not name
PAGE = 100
MOST_PAGES = 3


def with_news(places: Iterable[Place], since: int, most: int) -> list[Place]:
    """The places that have or may have messages after this id, the newest first, and at most so many."""
    news = [place for place in places if place.holds_messages and newest(place, since) > since]
    return sorted(news, key=lambda place: newest(place, since), reverse=True)[:most]


def newest(place: Place, since: int) -> int:
    """The newest message of a place; where Discord did not say, it may be just new."""
    return since + 1 if place.newest is None else place.newest


async def missed(rest: Rest, places: Iterable[Place], since: int) -> AsyncIterator[Json]:
    """The messages after this id, place by place, each place's oldest first."""
    for place in places:
        try:
            found = await newer(rest, place.id, since)
        except Refused:
            # A channel that we may not read holds nothing for us.
            continue
        for data in found:
            yield {**data, "guild_id": place.guild}


async def newer(rest: Rest, channel: str, since: int) -> list[Json]:
    """The newest messages of a channel after this id, oldest first."""
    found: list[Json] = []
    query: dict[str, str | int] = {"limit": PAGE}
    for _ in range(MOST_PAGES):
        page = await rest.list("/channels/{channel_id}/messages", query=query, channel_id=channel)
        fresh = [data for data in page if int(snowflake(data, "id") or 0) > since]
        found += fresh
        if len(fresh) < PAGE:
            break
        query["before"] = min(int(snowflake(data, "id")) for data in fresh)
    return sorted(found, key=lambda data: int(snowflake(data, "id")))
