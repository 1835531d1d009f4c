"""Where messages stand: channels and threads as the gateway tells them, and the bot's own roles."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.discord.wire import Json, item, items, number, snowflake

DIRECT = "@me"  # Discord's own word for where direct messages are
THREAD_KINDS = frozenset({10, 11, 12})  # announcement, public and private threads
SILENT_KINDS = frozenset({4, 14, 15, 16})  # categories, directories, forums and media channels
CHANNEL_EVENTS = ("CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE")


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or a thread."""

    id: str
    guild: str
    """Empty for direct messages."""
    kind: int
    """Discord's channel type."""
    parent: str = ""
    """The channel of a thread, the category of a channel."""
    owner: str = ""
    """Who made a thread."""
    newest: int | None = 0
    """The id of the newest message when we heard of the place; None when Discord did not say."""

    @property
    def is_thread(self) -> bool:
        return self.kind in THREAD_KINDS and bool(self.parent)

    @property
    def holds_messages(self) -> bool:
        """Whether people write in it, and not only in its threads or nowhere."""
        return self.kind not in SILENT_KINDS


class Places:
    """What the gateway has told of channels and threads."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._guilds: defaultdict[str, set[str]] = defaultdict(set)
        """The ids of each server's places: a bot in thousands of servers must not look through all for each."""
        self._roles: dict[str, frozenset[str]] = {}

    def learn(self, event: str, data: Json, me: str) -> None:
        """Takes in what an event says of places; other events say nothing."""
        if event == "GUILD_CREATE":
            self._learn_guild(data, me)
        elif event in CHANNEL_EVENTS:
            self.add(data)
        elif event == "THREAD_LIST_SYNC":
            for thread in items(data, "threads"):
                self.add(thread, guild=snowflake(data, "guild_id"))
        elif event in ("CHANNEL_DELETE", "THREAD_DELETE"):
            gone = self._places.pop(snowflake(data, "id"), None)
            if gone is not None:
                self._guilds[gone.guild].discard(gone.id)
        elif event == "GUILD_DELETE" and data.get("unavailable") is not True:
            for name in self._guilds.pop(snowflake(data, "id"), ()):
                self._places.pop(name, None)

    def add(self, channel: Json, *, guild: str = "") -> Place:
        """Remembers a channel or thread as Discord describes it."""
        place = Place(
            id=snowflake(channel, "id"),
            guild=snowflake(channel, "guild_id") or guild,
            kind=number(channel, "type") or 0,
            parent=snowflake(channel, "parent_id"),
            owner=snowflake(channel, "owner_id"),
            newest=int(snowflake(channel, "last_message_id") or 0)
            if "last_message_id" in channel
            else None,
        )
        self._places[place.id] = place
        self._guilds[place.guild].add(place.id)
        return place

    def get(self, channel: str) -> Place | None:
        """The place of this id, if we have heard of it."""
        return self._places.get(channel)

    def of_guild(self, guild: str) -> Iterator[Place]:
        """All known places of a server."""
        return (self._places[name] for name in self._guilds.get(guild, ()))

    def groups(self, place: Place, roles: Iterable[str]) -> tuple[str, ...]:
        """All ids by which somebody with these roles may be allowed or denied in a place, but the place's own."""
        channel = self.get(place.parent) if place.is_thread else place
        category = channel.parent if channel is not None else ""
        above = (place.parent,) if place.is_thread else ()
        return tuple(each for each in (*roles, *above, category) if each)

    def own_roles(self, guild: str) -> frozenset[str]:
        """The roles that Discord made for the bot in a server; people mention them by mistake."""
        return self._roles.get(guild, frozenset())

    def _learn_guild(self, data: Json, me: str) -> None:
        guild = snowflake(data, "id")
        for channel in items(data, "channels") + items(data, "threads"):
            self.add(channel, guild=guild)
        self._roles[guild] = frozenset(
            snowflake(role, "id")
            for role in items(data, "roles")
            if snowflake(item(role, "tags"), "bot_id") == me
        )
