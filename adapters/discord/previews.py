"""Pictures that a message links to, as Discord shows them: from its own proxy, and often a moment later."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

from adapters.discord.wire import Json, item, items, number, snowflake, string
from bot.domain import Attachment

SUPPRESS_EMBEDS = 1 << 2
LINK = re.compile(r"(?<!<)https?://[^\s<>]+", re.IGNORECASE)
MOST = 10  # as many as files; Discord shows five
LONGEST_ID = 500  # characters
WAIT_SECONDS = 1.5  # Discord has usually looked at a link by then


@dataclass(slots=True)
class Waiting:
    """A message that is held back for what Discord may add to it."""

    id: int
    channel: str
    added: asyncio.Future[Json]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it was handed in."""


class Previews:
    """Waits for what Discord adds to a message after it told of it."""

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        self._seconds = seconds
        self._waiting: dict[str, Waiting] = {}

    def awaits(self, data: Json) -> bool:
        """Whether pictures may still be added to a message: it has a link that nothing is shown of."""
        return bool(
            LINK.search(string(data, "content"))
            and not items(data, "embeds")
            and not (number(data, "flags") or 0) & SUPPRESS_EMBEDS
        )

    @asynccontextmanager
    async def whole(self, data: Json) -> AsyncIterator[Json]:
        """Gives the message with what Discord adds to it within a moment; those after it in its channel wait too."""
        name = snowflake(data, "id")
        if not self.awaits(data) or name in self._waiting:
            await self._for_those_before(data)
            yield data
            return
        added = asyncio.get_running_loop().create_future()
        waiting = Waiting(int(name), snowflake(data, "channel_id"), added)
        self._waiting[name] = waiting
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    data = {**data, "embeds": (await added).get("embeds")}
            await self._for_those_before(data)
            yield data
        finally:
            del self._waiting[name]
            waiting.over.set()

    def heard(self, data: Json) -> bool:
        """Takes in a change of a message; whether somebody waited for it."""
        waiting = self._waiting.get(snowflake(data, "id"))
        if waiting is None or waiting.added.done() or not items(data, "embeds"):
            return False
        waiting.added.set_result(data)
        return True

    async def _for_those_before(self, data: Json) -> None:
        """A conversation goes on in its order."""
        number, channel = int(snowflake(data, "id")), snowflake(data, "channel_id")
        for each in list(self._waiting.values()):
            if each.channel == channel and each.id < number:
                await each.over.wait()


def previews_of(data: Json) -> Iterator[Attachment]:
    """The pictures that Discord shows of a message's links, by the addresses of its own proxy."""
    for embed in items(data, "embeds")[:MOST]:
        for name in ("image", "thumbnail"):
            picture = item(embed, name)
            if proxy := string(picture, "proxy_url"):
                link = string(embed, "url") or string(picture, "url")
                yield Attachment(
                    # The same name as the link itself has, so that it counts as one picture.
                    id=identity(link or proxy),
                    name=file_name(link or proxy),
                    media_type=string(picture, "content_type"),
                    url=proxy,
                    width=number(picture, "width"),
                    height=number(picture, "height"),
                )
                break


def identity(link: str) -> str:
    """A name for a linked picture that stays when its address at the proxy changes."""
    link = link.split("#", 1)[0]
    return f"link:{link if len(link) <= LONGEST_ID else sha256(link.encode()).hexdigest()}"


def file_name(link: str) -> str:
    return link.split("#", 1)[0].split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1][:100] or "link"
