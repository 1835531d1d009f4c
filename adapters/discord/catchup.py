"""What was said while the bot was away: channels with news, and the newest messages of each."""

from collections.abc import Iterable

from adapters.discord.places import Place
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, snowflake

MOST_PLACES = (
    50  # channels, and as many threads, that are read after a gap, those with the newest first
)
MOST_TALKS = 10  # direct messages, the latest first, which Discord does not name
PAGE = 100  # messages of each that are read


def with_news(places: Iterable[Place], since: int) -> list[Place]:
    """The places that have or may have messages after this id, the newest first."""
    news = [place for place in places if place.holds_messages and newest(place, since) > since]
    return sorted(news, key=lambda place: newest(place, since), reverse=True)


def newest(place: Place, since: int) -> int:
    """The newest message of a place; where Discord did not say, it may be just new."""
    return since + 1 if place.newest is None else place.newest


async def missed(rest: Rest, place: Place, since: int) -> list[Json]:
    """The newest messages of a place after this id, oldest first."""
    try:
        found = await rest.list(
            "/channels/{channel_id}/messages", query={"limit": PAGE}, channel_id=place.id
        )
    except Refused:
        # A channel that we may not read holds nothing for us.
        return []
    where = {"guild_id": place.guild} if place.guild else {}
    fresh = [{**data, **where} for data in found if int(snowflake(data, "id") or 0) > since]
    return sorted(fresh, key=lambda data: int(snowflake(data, "id")))
