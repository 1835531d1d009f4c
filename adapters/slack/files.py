"""A file's bytes: with the bot's token, from Slack's own hosts only, bounded in bytes and seconds."""

import asyncio
import logging
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from adapters.slack.api import SCOPE_MEND, Api, Json, Refused, is_loopback, retry_after
from adapters.slack.events import attachment as located
from adapters.slack.events import table, text
from bot.domain import Attachment
from bot.errors import Outage, PictureUnseen, RateLimited, SetupError, TransientError

HOSTS = ("slack.com", "slack-files.com", "slack-edge.com", "slack-gov.com", "slack-files-gov.com")
"""Slack's own domains and what stands under them; nobody else ever gets the token."""

HOPS = 5
TRIES = 3
PAUSE_SECONDS = 0.3
CHUNK_BYTES = 1 << 16
REDIRECTS = (301, 302, 303, 307, 308)
GONE = "the file is no longer in Slack; please post it again"
LOGIN = (
    "Slack sent its sign-in page instead of the file: the Slack app lacks the scope files:read; "
    + SCOPE_MEND
)
log = logging.getLogger("threadsight.slack")


class Files:
    """Reads files that people posted."""

    def __init__(self, api: Api, *, max_file_bytes: int, download_seconds: float) -> None:
        self.api = api
        self.max_file_bytes = max_file_bytes
        self.download_seconds = download_seconds

    async def fetch(self, attachment: Attachment) -> bytes:
        """The bytes of a file; raises PictureUnseen or TransientError."""
        if attachment.size is not None and attachment.size > self.max_file_bytes:
            raise self.too_large()
        try:
            async with asyncio.timeout(self.download_seconds):
                return await self.find(attachment)
        except TimeoutError as error:
            raise PictureUnseen(
                f"Slack did not send it within {self.download_seconds:g} seconds; "
                "please post it again"
            ) from error

    async def find(self, attachment: Attachment) -> bytes:
        """Reads the file where the message said it is, else where Slack says it is now."""
        if attachment.url:
            try:
                return await self.read(attachment.url, attachment)
            except Moved:
                log.info("a file was no longer at its address")
        current = await self.look_up(attachment)
        try:
            return await self.read(current.url, current)
        except Moved as error:
            raise PictureUnseen(GONE) from error

    async def look_up(self, attachment: Attachment) -> Attachment:
        """Asks Slack where a file is that came without an address, or has moved."""
        try:
            answer = await self.api.call(self.api.sure.files_info(file=attachment.id))
        except SetupError as error:
            raise PictureUnseen(lowered(error.sentence)) from error
        except Refused as error:
            raise PictureUnseen(refusal(error.code)) from error
        file = table(answer.get("file"))
        if sentence := unreadable(file):
            raise PictureUnseen(sentence)
        found = located(file)
        if found is None or not found.url:
            raise PictureUnseen(GONE)
        if found.size is not None and found.size > self.max_file_bytes:
            raise self.too_large()
        return found

    async def read(self, url: str, attachment: Attachment) -> bytes:
        """Reads from an address, and again when Slack stumbles."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self.follow(url, attachment)
            except (aiohttp.ClientError, OSError, Outage) as error:
                if attempt == TRIES:
                    raise TransientError("Slack does not give me the file right now.") from error
                await asyncio.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")

    async def follow(self, url: str, attachment: Attachment) -> bytes:
        """Follows redirects by hand, so that each hop is checked before the token goes there."""
        for _ in range(HOPS):
            address = self.trusted(url)
            async with self.api.session.get(
                address,
                headers={"Authorization": f"Bearer {self.api.token}"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                if response.status not in REDIRECTS:
                    check(response)
                    return await self.body(response, attachment)
                url = onwards(address, response)
        raise PictureUnseen("Slack sent me from one address to the next; please post it again")

    async def body(self, response: aiohttp.ClientResponse, attachment: Attachment) -> bytes:
        """Reads what comes, and no more than is allowed, whatever its length claims to be."""
        if (response.content_length or 0) > self.max_file_bytes:
            raise self.too_large()
        data = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            data += chunk
            if len(data) > self.max_file_bytes:
                raise self.too_large()
        if is_page(response.content_type, data) and attachment.media_type != "text/html":
            raise PictureUnseen(LOGIN)
        return bytes(data)

    def trusted(self, url: str) -> URL:
        """The address if it is Slack's own; raises PictureUnseen before anything goes anywhere else."""
        try:
            address = URL(url)
            port = address.port
        except ValueError as error:
            raise PictureUnseen("its address is broken; please post it again") from error
        home = urlsplit(self.api.url)
        at_home = (address.scheme, address.host, port) == (
            home.scheme,
            home.hostname,
            home.port or (443 if home.scheme == "https" else 80),
        )
        safe = address.scheme == "https" or (address.scheme == "http" and is_loopback(address.host))
        if address.user or not safe or not (at_home or of_slack(address)):
            raise PictureUnseen(
                "it is kept outside Slack, where I do not go; please upload the picture itself"
            )
        return address

    def too_large(self) -> PictureUnseen:
        megabytes = self.max_file_bytes / 1_000_000
        return PictureUnseen(f"it is larger than {megabytes:g} MB, the most that I read")


class Moved(Exception):
    """There is no file at this address (any more)."""


def onwards(address: URL, response: aiohttp.ClientResponse) -> str:
    """Where a redirect leads; to Slack's sign-in page it leads whoever may not have the file."""
    try:
        target = address.join(URL(response.headers.get("Location", "")))
    except ValueError as error:
        raise PictureUnseen("its address is broken; please post it again") from error
    if "redir" in target.query:
        raise PictureUnseen(LOGIN)
    return str(target)


def of_slack(address: URL) -> bool:
    """Whether an address is on one of Slack's own hosts."""
    host = address.host or ""
    return any(host == own or host.endswith(f".{own}") for own in HOSTS) and address.port == 443


def check(response: aiohttp.ClientResponse) -> None:
    """Raises what a status other than 200 means."""
    status = response.status
    if status in (404, 410):
        raise Moved
    if status == 429:
        wait = retry_after(response.headers)
        raise RateLimited("Slack asks me to slow down with files.", retry_after=wait)
    if status >= 500:
        raise Outage("Slack does not give me the file right now.")
    if status in (401, 403):
        raise PictureUnseen(
            f"Slack does not let me read it: the app needs files:read; {SCOPE_MEND}"
        )
    if status != 200:
        raise PictureUnseen(f"Slack does not give it to me ({status}); please post it again")


def is_page(content_type: str, data: bytes | bytearray) -> bool:
    """Whether it is a web page, by what it says or by how it begins."""
    begin = bytes(data[:256]).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return content_type == "text/html" or begin.startswith((b"<!doctype html", b"<html"))


def unreadable(file: Json) -> str:
    """Why a file that Slack knows cannot be read; empty when it can."""
    mode = text(file, "mode")
    if mode == "tombstone":
        return GONE
    if mode == "hidden_by_limit":
        return "Slack's free plan hides files this old; please post it again"
    if mode == "external" or file.get("is_external"):
        return "it is kept outside Slack, where I do not go; please upload the picture itself"
    if mode == "file_access" or text(file, "file_access") == "access_denied":
        return refusal("access_denied")
    return ""


def refusal(code: str) -> str:
    """Why Slack does not tell of a file."""
    if code in ("file_not_found", "file_deleted"):
        return GONE
    if code in ("access_denied", "file_access_denied", "not_visible"):
        return "the other organisation does not let me see it; please upload it here yourself"
    return f"Slack does not give it to me ({code}); please post it again"


def lowered(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")
