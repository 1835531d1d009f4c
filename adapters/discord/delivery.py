"""One message, from Discord's telling of it until the desk has it or need not have it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from adapters.discord import events
from adapters.discord.chains import Chains
from adapters.discord.lately import Lately
from adapters.discord.notices import Notices
from adapters.discord.persistence import persist
from adapters.discord.places import Place, Places
from adapters.discord.previews import Previews, previews_of
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.sight import Sight
from adapters.discord.spoilers import Spoilers
from adapters.discord.wire import Json, item, items, number, snowflake
from bot.domain import Card
from bot.ports import Desk

MOST_HANDED = 10_000  # messages that are kept in mind, to know what a late preview belongs to
NOTICE_SECONDS = 60.0
VOICES = frozenset({2, 13})  # voice and stage channels, whose text has no threads


class Delivery:
    """Hands in what may concern the bot, as often as it takes to have it stored."""

    def __init__(
        self,
        desk: Desk,
        rest: Rest,
        places: Places,
        sight: Sight,
        previews: Previews,
        spoilers: Spoilers,
        plain: Lately[bool],
    ) -> None:
        self._spoilers = spoilers
        self._plain = plain
        self._desk = desk
        self._rest = rest
        self._places = places
        self._sight = sight
        self._previews = previews
        self._chains = Chains(rest)
        self._notices = Notices(rest)
        self._handed: Lately[bool] = Lately(MOST_HANDED)

    async def created(self, data: Json) -> None:
        """A message came just now."""
        if events.by_a_person(data):
            await self._deliver(data, fresh=True)

    async def read(self, data: Json) -> None:
        """A message was found that may have been missed; what this process has handed in is not handed in again."""
        known = snowflake(data, "id") in self._handed and not events.is_edit(data)
        if events.by_a_person(data) and not known:
            await self._deliver(data)

    async def updated(self, data: Json) -> None:
        """A message changed: its author edited it, Discord added a preview, or nothing that matters."""
        if self._previews.heard(data) or not events.by_a_person(data):
            return
        if events.is_edit(data) or self._adds_pictures(data):
            await self._deliver(data)

    def _adds_pictures(self, data: Json) -> bool:
        """Whether a message without pictures of its own now shows some; others are not asked about anew for that."""
        known = snowflake(data, "id") in self._handed
        return known and not items(data, "attachments") and any(previews_of(data))

    async def _deliver(self, data: Json, *, fresh: bool = False) -> None:
        card = await persist(partial(self._hand_in, data, fresh=fresh))
        if card is not None:
            await shortly(partial(self._notices.refuse, data, card))

    async def _hand_in(self, data: Json, *, fresh: bool) -> Card | None:
        """Has a message stored; what is `fresh` may still get previews, and its author an answer at once."""
        me = await self._rest.me()
        place = await self._place(data)
        if self._is_withheld(data, place, me):
            if fresh:
                await self._tell_unread(data, place, me)
            return None
        root = await self._chains.root(data, place)
        if not self._concerns_us(data, place, me, root):
            return None
        if not fresh:
            return await self._accept(data, place, me, root)
        async with self._previews.whole(data) as complete:
            return await self._accept(await self._looked_up(complete), place, me, root)

    def _concerns_us(self, data: Json, place: Place, me: str, root: str) -> bool:
        """Whether it speaks to us, stands in a conversation, or changes what did."""
        changes = events.is_edit(data) and (
            snowflake(data, "id") in self._handed or place.kind in VOICES
        )
        late = snowflake(data, "id") in self._handed
        known = place.is_thread or bool(root) or events.has_thread(data) or changes or late
        return known or not place.guild or self._speaks_to_us(data, place, me)

    def _speaks_to_us(self, data: Json, place: Place, me: str) -> bool:
        return events.mentions_me(data, me, self._places.own_roles(place.guild))

    async def _accept(self, data: Json, place: Place, me: str, root: str) -> Card | None:
        message = events.message(data, place, me, self._places.own_roles(place.guild))
        if message is None:
            return None
        if root:
            message = replace(message, thread=replace(message.thread, root=root), kind="question")
        self._spoilers.hear(message)
        if not item(data, "message_reference"):
            self._plain.keep(message.id, True)
        groups = self._places.groups(place, events.roles_of(data))
        card = await self._desk.accept(replace(message, groups=groups))
        self._handed.keep(message.id, True)
        return card

    async def _looked_up(self, data: Json) -> Json:
        """The message with its previews where Discord tells of them only when it is asked."""
        if self._sight.full or not self._previews.awaits(data):
            return data
        try:
            found = await self._rest.get(
                "/channels/{channel_id}/messages/{message_id}",
                channel_id=snowflake(data, "channel_id"),
                message_id=snowflake(data, "id"),
            )
        except Refused:
            return data
        return {**data, "embeds": found.get("embeds")}

    def _is_withheld(self, data: Json, place: Place, me: str) -> bool:
        """Whether Discord does not show us what a message says."""
        if self._sight.full or not place.guild or not events.withheld(data):
            return False
        return events.is_post(data) and not self._speaks_to_us(data, place, me)

    async def _tell_unread(self, data: Json, place: Place, me: str) -> None:
        """Tells an author whom we cannot read, where they go on with a conversation of ours."""
        ours = place.is_thread and (place.owner == me or place.id in self._sight.firsts)
        replies = snowflake(item(events.replied_to(data), "author"), "id") == me
        if ours or replies:
            author = snowflake(item(data, "author"), "id")
            await shortly(partial(self._notices.unread, data, author))

    async def _place(self, data: Json) -> Place:
        """Where a message stands; asks Discord where the gateway did not tell."""
        channel, guild = snowflake(data, "channel_id"), snowflake(data, "guild_id")
        if not guild:
            return Place(channel, "", kind=1)
        if known := self._places.get(channel):
            return known
        try:
            told = await self._rest.get("/channels/{channel_id}", channel_id=channel)
        except Refused:
            # Remembered, so that a place we may not look at is not asked for with every message.
            told = {"id": channel, "type": number(data, "channel_type")}
        return self._places.add(told, guild=guild)


async def shortly(act: Callable[[], Awaitable[None]]) -> None:
    """Does what nobody waits for, but not for ever."""
    try:
        async with asyncio.timeout(NOTICE_SECONDS):
            await persist(act)
    except TimeoutError:
        return
