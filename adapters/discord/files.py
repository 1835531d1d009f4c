"""Files of messages: from Discord's own hosts only, with no token, bounded in bytes and seconds."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs

import aiohttp
import yarl

from adapters.discord.events import attachments_of, replied_to
from adapters.discord.hooks import OPTION
from adapters.discord.places import DIRECT
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest, named_wait
from bot.domain import Attachment, Message
from bot.errors import PictureUnseen, RateLimited, TransientError

HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
LINKED = re.compile(
    r"images-ext-\d+\.discordapp\.net"
)  # Discord's proxy for pictures of other sites
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LINK_SECONDS = 10.0  # that a link just read is good for the message's other files
TRIES = 3
HOPS = 3
CHUNK_BYTES = 64 * 1024
EXPIRED = (403, 404)
SPARE_SECONDS = 10  # A link that runs out while we read it is as good as expired.

DELETED = "its message was deleted"
REMOVED = "it was removed from its message"
GONE = "Discord no longer has it; post it again"
A_PAGE = "Discord sent a web page instead of the file; post it again"
ELSEWHERE = "its address is not one of Discord's own"
CUT = "Discord sent only a part of it; post it again"


class Files:
    """Reads the files that people post."""

    def __init__(
        self,
        *,
        rest: Rest,
        session: aiohttp.ClientSession,
        max_bytes: int,
        seconds: float,
        pause_seconds: float,
    ) -> None:
        self._rest = rest
        self._session = session
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._readings: dict[str, asyncio.Task[Mapping[str, str]]] = {}
        """By message, its files' links while they are read, and a moment longer."""
        self._api = yarl.URL(rest.api_url)

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """The bytes of a file; a link that ran out is renewed by reading its message again."""
        if (attachment.size or 0) > self._max_bytes:
            raise PictureUnseen(self._too_large())
        try:
            async with asyncio.timeout(self._seconds):
                return await self._fetch(message, attachment)
        except TimeoutError as error:
            raise TransientError("Discord sent a picture too slowly.") from error

    async def _fetch(self, message: Message, attachment: Attachment) -> bytes:
        url = attachment.url
        if not url or expires(url) < time.time() + SPARE_SECONDS:
            url = await self._fresh(message, attachment)
            return await self._read(url)
        try:
            return await self._read(url)
        except _Expired:
            return await self._read(await self._fresh(message, attachment))

    async def _fresh(self, message: Message, attachment: Attachment) -> str:
        """A link that works now."""
        link = (await self._links(message)).get(attachment.id)
        if link is None:
            raise PictureUnseen(REMOVED)
        return link

    async def _links(self, message: Message) -> Mapping[str, str]:
        """The links of a message's files by their ids; the message is read once for all that ask together."""
        name = f"{message.thread.channel}/{message.thread.root}/{message.id}"
        reading = self._readings.get(name)
        if reading is None:
            reading = self._readings[name] = asyncio.create_task(self._read_links(message))
            reading.add_done_callback(partial(self._keep_shortly, name))
        # Whoever gives up does not do so for the others.
        return await asyncio.shield(reading)

    def _keep_shortly(self, name: str, reading: asyncio.Task[Mapping[str, str]]) -> None:
        if reading.cancelled() or reading.exception() is not None:
            del self._readings[name]
            return
        loop = asyncio.get_running_loop()
        loop.call_later(LINK_SECONDS, self._readings.pop, name, None)

    async def _read_links(self, message: Message) -> Mapping[str, str]:
        why = DELETED if homes(message) else GONE
        for channel in homes(message):
            try:
                data = await self._rest.get(
                    "/channels/{channel_id}/messages/{message_id}",
                    channel_id=channel,
                    message_id=message.id,
                )
            except Refused as error:
                why = why if error.status == 404 else error.sentence
                continue
            # A question that the bot posted for somebody may be about the message that it replies to.
            found = (*attachments_of(replied_to(data)), *attachments_of(data))
            return {file.id: file.url for file in found}
        raise PictureUnseen(why)

    async def _read(self, url: str) -> bytes:
        for tries in range(1, TRIES + 1):
            try:
                return await self._read_once(parsed(url))
            except _Cut as error:
                if tries == TRIES:
                    raise PictureUnseen(CUT) from error
            except TransientError as error:
                if tries == TRIES or (error.retry_after or 0) > self._seconds:
                    raise
                await asyncio.sleep(error.retry_after or 0)
            except (aiohttp.ClientError, OSError) as error:
                if tries == TRIES:
                    raise TransientError(
                        "Discord's pictures cannot be reached just now."
                    ) from error
            await asyncio.sleep(self._pause_seconds * tries)
        raise AssertionError("the last try returns or raises")

    async def _read_once(self, url: yarl.URL) -> bytes:
        for _ in range(HOPS):
            if not self._ours(url):
                raise PictureUnseen(ELSEWHERE)
            # The link is signed; the token has no business there. A redirect is looked at first.
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    return await self._body(response)
                url = url.join(parsed(response.headers.get("Location", "")))
        raise PictureUnseen(ELSEWHERE)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        status = response.status
        if status in EXPIRED:
            raise _Expired(GONE)
        if status == 429:
            wait = named_wait(response.headers)
            raise RateLimited("Discord asks me to slow down.", retry_after=wait)
        if status >= 500:
            raise TransientError("Discord's pictures cannot be had just now.")
        if status != 200:
            raise PictureUnseen(f"Discord did not give it (status {status}); post it again")
        if response.content_type == "text/html":
            raise PictureUnseen(A_PAGE)
        return await self._bounded(response)

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, given up as soon as it is larger than allowed, whatever was announced."""
        if (response.content_length or 0) > self._max_bytes:
            raise PictureUnseen(self._too_large())
        body = bytearray()
        try:
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > self._max_bytes:
                    raise PictureUnseen(self._too_large())
        except aiohttp.ClientPayloadError as error:
            raise _Cut from error
        return bytes(body)

    def _ours(self, url: yarl.URL) -> bool:
        """Whether Discord itself serves this address: compared as a host, never as a part of a text."""
        if url.user is not None or url.password is not None or not url.host:
            return False
        host, proxy = url.host.lower(), self._api.host
        if url.scheme == "https" and (host in HOSTS or LINKED.fullmatch(host)):
            return True
        # A proxy of the API may serve the files too, on another port; without TLS only if it has none.
        same = host == proxy or (host in LOOPBACK and proxy in LOOPBACK)
        return same and url.scheme in ("https", self._api.scheme)

    def _too_large(self) -> str:
        return f"it is larger than the {self._max_bytes // 1_000_000:,} MB that I read; post a smaller one"


class _Expired(PictureUnseen):
    """The link ran out, or the file is gone."""


class _Cut(Exception):
    """The body ended before its announced end."""


def parsed(url: str) -> yarl.URL:
    """The address, its signature untouched."""
    try:
        return yarl.URL(url, encoded=True)
    except ValueError as error:
        raise PictureUnseen(ELSEWHERE) from error


def expires(url: str) -> float:
    """When a signed link runs out, in seconds since 1970; never, if it does not say."""
    try:
        [text] = parse_qs(parsed(url).raw_query_string)["ex"]
        return int(text, 16)
    except (KeyError, ValueError):
        return float("inf")


def homes(message: Message) -> Sequence[str]:
    """The channels where a message of a thread can stand: the thread itself, or the channel it starts in."""
    thread = message.thread
    if not message.id or OPTION in message.options:
        # It came with a command, or only an interaction reaches this place.
        return ()
    if thread.workspace == DIRECT:
        return (thread.channel,)
    if message.id == thread.root:
        return (thread.channel, thread.root)
    return (thread.root, thread.channel)
