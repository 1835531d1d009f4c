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
from adapters.discord.wire import Json, item, number, snowflake
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
    ) -> None:
        self._spoilers = spoilers
        self._desk = desk
        self._rest = rest
        self._places = places
        self._sight = sight
        self._previews = previews
        self._chains = Chains(rest)
        self._notices = Notices(rest)
        self._handed: Lately[bool] = Lately(MOST_HANDED)

    async def created(self, data: Json) -> None:
        """A message came, now or while nobody listened."""
        if events.by_a_person(data):
            await self._deliver(data)

    async def read(self, data: Json) -> None:
        """A message was found that may have been missed; what this process has handed in is not handed in again."""
        if snowflake(data, "id") not in self._handed or events.is_edit(data):
            await self.created(data)

    async def updated(self, data: Json) -> None:
        """A message changed: its author edited it, Discord added a preview, or nothing that matters."""
        if self._previews.heard(data) or not events.by_a_person(data):
            return
        late = snowflake(data, "id") in self._handed and any(previews_of(data))
        if late or events.is_edit(data):
            await self._deliver(data)

    async def _deliver(self, data: Json) -> None:
        card = await persist(partial(self._hand_in, data))
        if card is not None:
            await shortly(partial(self._notices.refuse, data, card))

    async def _hand_in(self, data: Json) -> Card | None:
        me = await self._rest.me()
        place = await self._place(data)
        if await self._withheld(data, place, me):
            return None
        roles = self._places.own_roles(place.guild)
        root = await self._chains.root(data, place)
        known = snowflake(data, "id") in self._handed or place.kind in VOICES
        known = known and events.is_edit(data)
        message = events.message(data, place, me, roles)
        if message is None:
            return None
        if not (message.addressed or place.is_thread or root or known or events.has_thread(data)):
            return None
        message = events.message(await self._previews.whole(data), place, me, roles) or message
        if root:
            message = replace(message, thread=replace(message.thread, root=root), kind="question")
        self._spoilers.hear(message)
        groups = self._places.groups(place, events.roles_of(data))
        card = await self._desk.accept(replace(message, groups=groups))
        self._handed.keep(message.id, True)
        return card

    async def _withheld(self, data: Json, place: Place, me: str) -> bool:
        """Whether Discord does not show us what a message says; tells its author where they spoke to us."""
        if self._sight.full or not place.guild or not events.withheld(data) or events.is_edit(data):
            return False
        roles = self._places.own_roles(place.guild)
        if events.mentions_me(data, me, roles) or not events.is_post(data):
            return False
        ours = place.is_thread and place.owner == me
        replies = snowflake(item(events.replied_to(data), "author"), "id") == me
        if ours or replies:
            author = snowflake(item(data, "author"), "id")
            await shortly(partial(self._notices.unread, data, author))
        return True

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
