"""Who may ask the bot, who may set things, and whom to ask otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from bot.domain import Card, Command, Message, Person, ThreadId

ASKING_SECONDS = 5.0  # that a platform may take to say who administers it

REFUSED = "You may not use me here: ask {whom}."
Asks = Callable[[str, str, str], Awaitable[bool]]
"""Platform, workspace and person → whether the platform calls them an administrator."""


@dataclass(frozen=True, slots=True)
class Lists:
    """The installer's lists: by platform, the ids that are allowed and denied; and the administrators."""

    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    denied: Mapping[str, frozenset[str]] = field(default_factory=dict)
    administrators: tuple[str, ...] = ()
    """Ids of people, of any platform or as `platform:id`."""

    def admit(self, platform: str, ids: Collection[str]) -> bool:
        """Whether somebody with these ids may ask: none is denied, and one is allowed where any are."""
        allowed = self.allowed.get(platform)
        return not self.deny(platform, ids) and (not allowed or not allowed.isdisjoint(ids))

    def deny(self, platform: str, ids: Collection[str]) -> bool:
        """Whether one of these ids is shut out."""
        return not self.denied.get(platform, frozenset()).isdisjoint(ids)

    def name(self, platform: str, person: str) -> bool:
        """Whether the installer names this person an administrator."""
        return person in self.administrators_on(platform)

    def whom(self, platform: str) -> str:
        """Whom to ask, in words that call nobody."""
        named = self.administrators_on(platform)
        return f"an administrator ({', '.join(named)})" if named else "an administrator"

    def administrators_on(self, platform: str) -> tuple[str, ...]:
        """Ids of the administrators on this platform, as far as the list tells which it means."""
        parts = (each.rpartition(":") for each in self.administrators)
        return tuple(person for of, _, person in parts if of in ("", platform))


class Access:
    """Decides by the installer's lists, and asks the platform where they do not tell."""

    def __init__(self, lists: Lists, asks: Asks) -> None:
        self.lists = lists
        self.asks = asks

    def admits(self, asking: Message | Command) -> bool:
        """Whether this may be asked by this person in this place."""
        if isinstance(asking, Message):
            return self.lets_ask(asking.thread, Person(asking.author, asking.groups))
        here = (asking.workspace, asking.channel, asking.root or "", asking.author)
        return self.lists.admit(asking.platform, {*here, *asking.groups})

    def lets_ask(self, place: ThreadId, person: Person) -> bool:
        """Whether this person may ask in this place."""
        here = (place.workspace, place.channel, place.root, person.id)
        return self.lists.admit(place.platform, {*here, *person.groups})

    def shuts_out(self, place: ThreadId, person: Person) -> bool:
        """Whether this person may not even press a button there.

        Only what is denied counts: what stands there was asked where asking is allowed.
        """
        here = (place.workspace, place.channel, place.root, person.id)
        return self.lists.deny(place.platform, {*here, *person.groups})

    def refusal(self, platform: str) -> Card:
        """Why somebody is not answered, and whom to ask."""
        return Card("Not allowed", REFUSED.format(whom=self.whom(platform)))

    def whom(self, platform: str) -> str:
        """Whom to ask, in words that call nobody."""
        return self.lists.whom(platform)

    async def administers(self, platform: str, workspace: str, person: Person) -> bool:
        """Whether this person is an administrator; in doubt not."""
        if person.administrator or self.lists.name(platform, person.id):
            return True
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                return await self.asks(platform, workspace, person.id)
        except TimeoutError:
            return False

    async def known(self, place: ThreadId, person: Person) -> Person:
        """The person, and whether they are an administrator there."""
        administrator = await self.administers(place.platform, place.workspace, person)
        return replace(person, administrator=administrator)


async def nobody(platform: str, workspace: str, person: str) -> bool:
    """Where no platform can be asked, only the installer's list tells who is an administrator."""
    return False


def everybody() -> Access:
    """No lists: all may ask, and nobody is an administrator."""
    return Access(Lists(), nobody)
