"""The addresses that come with an interaction: answered there even where the bot itself may not write.

They need no token but the interaction's own, which works for fifteen minutes and is a secret as long as that.
discord.py has no part in it: an acknowledgement may not wait for a rate limit of anything else.
"""

import asyncio
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import yarl

from adapters.discord.limits import BUSY
from adapters.discord.markup import File
from adapters.discord.refusals import ALREADY_ACKNOWLEDGED, UNKNOWN_WEBHOOK, Refused
from adapters.discord.rest import AWAY, named_wait
from adapters.discord.wire import Json, mapping, number
from bot.errors import Outage, RateLimited, TransientError

ORIGINAL = "@original"
OPTION = "interaction"
"""Under this name a question's options keep the hook that answers it."""

ACKNOWLEDGE_SECONDS = 2.5  # Discord gives up after three.
REQUEST_SECONDS = 30.0
PATIENCE_SECONDS = 60.0  # for one message, all tries together
AGAIN_SECONDS = 0.25  # after a request that failed the first time
REMEMBERED = 1000  # messages whose newer hook is kept in mind
UNHEARD = "Discord waits for the interaction's acknowledgement."
WRITTEN = re.compile(r"(\d{1,20})/([^/\s]{1,500})/(@original|\d{1,20})")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where one message of an interaction is written."""

    application: str
    token: str = field(repr=False)
    target: str = ORIGINAL
    """The message: the interaction's own, or the id of one that followed it."""

    def written(self) -> str:
        """As one text, for the options of a question."""
        return f"{self.application}/{self.token}/{self.target}"

    @classmethod
    def read(cls, text: str) -> "Hook | None":
        """Back from that text."""
        found = WRITTEN.fullmatch(text)
        return cls(*found.groups()) if found else None


class Lost(TransientError):
    """The answer to a request never came: it may have been done all the same."""


class Hooks:
    """Requests to those addresses."""

    def __init__(self, *, api_url: str, session: aiohttp.ClientSession) -> None:
        self._api_url = api_url
        self._session = session
        self._newer: dict[str, Hook] = {}

    def renew(self, message: str, hook: Hook) -> Hook | None:
        """Keeps in mind that a message can be written by this hook, as when a button under it was pressed.

        Returns the one that was known before.
        """
        before = self._newer.pop(message, None)
        self._newer[message] = hook
        while len(self._newer) > REMEMBERED:
            del self._newer[next(iter(self._newer))]
        return before

    def restore(self, message: str, hook: Hook | None) -> None:
        """Goes back to the hook that was known before."""
        self._newer.pop(message, None)
        if hook is not None:
            self.renew(message, hook)

    def newest(self, message: str, known: Hook) -> Hook:
        """The hook that still writes a message the longest."""
        return self._newer.get(message, known)

    def renewed(self, message: str) -> Hook | None:
        """The hook of a message, where we remember one."""
        return self._newer.get(message)

    async def acknowledge(self, interaction: str, hook: Hook, payload: Json) -> bool:
        """Tells Discord how the answer will come; whether it still waited for one."""
        url = self._address(f"/interactions/{interaction}/{quote(hook.token, safe='')}/callback")
        again = False
        async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
            while True:
                try:
                    await self._once("POST", url, payload, ())
                    return True
                except TransientError:
                    # It may have been done all the same, and only the answer was lost.
                    again = True
                except Refused as error:
                    return again and error.code == ALREADY_ACKNOWLEDGED
                await asyncio.sleep(AGAIN_SECONDS)

    async def edit(self, hook: Hook, payload: Json, files: Sequence[File] = ()) -> Json:
        """Writes the hook's message anew; what was posted with it before is gone unless the payload keeps it."""
        return await self._surely("PATCH", self._message(hook), payload, files)

    async def read(self, hook: Hook) -> Json:
        """The hook's message as it stands."""
        return await self._surely("GET", self._message(hook), {}, ())

    async def delete(self, hook: Hook) -> None:
        """Takes the hook's message back."""
        await self._surely("DELETE", self._message(hook), {}, ())

    async def follow_up(
        self, hook: Hook, payload: Json, files: Sequence[File] = (), *, once: bool = False
    ) -> Json:
        """Posts another message; `once` raises Lost rather than risk that it stands there twice."""
        return await self._surely("POST", self._base(hook), payload, files, once=once)

    def _base(self, hook: Hook) -> yarl.URL:
        return self._address(f"/webhooks/{hook.application}/{quote(hook.token, safe='')}")

    def _message(self, hook: Hook) -> yarl.URL:
        return yarl.URL(f"{self._base(hook)}/messages/{hook.target}", encoded=True)

    def _address(self, path: str) -> yarl.URL:
        return yarl.URL(self._api_url + path, encoded=True)

    async def _surely(
        self,
        method: str,
        url: yarl.URL,
        payload: Json,
        files: Sequence[File],
        *,
        once: bool = False,
    ) -> Json:
        """One request, tried again while that may help."""
        pause = AGAIN_SECONDS
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    try:
                        return await self._once(method, url, payload, files)
                    except Lost:
                        if once:
                            raise
                        await asyncio.sleep(pause)
                    except TransientError as error:
                        await asyncio.sleep(max(pause, error.retry_after or 0))
                    pause = min(pause * 2, 8.0)
        except TimeoutError as error:
            raise Outage(AWAY) from error

    async def _once(self, method: str, url: yarl.URL, payload: Json, files: Sequence[File]) -> Json:
        try:
            async with (
                asyncio.timeout(REQUEST_SECONDS),
                self._session.request(
                    method, url, **body(payload, files), allow_redirects=False
                ) as response,
            ):
                return await told(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Outage(AWAY) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Lost(AWAY) from error


def body(payload: Json, files: Sequence[File]) -> dict[str, Any]:
    """A request's body: JSON, or JSON and files."""
    if not files:
        return {"json": payload} if payload else {}
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps(payload), content_type="application/json")
    for each, file in enumerate(files):
        form.add_field(
            f"files[{each}]",
            io.BytesIO(file.data),
            filename=file.name,
            content_type="application/octet-stream",
        )
    return {"data": form}


async def told(response: aiohttp.ClientResponse) -> Json:
    """What Discord answers; raises what it refuses."""
    try:
        said = mapping(await response.json(content_type=None)) if response.status != 204 else {}
    except ValueError:
        said = {}
    if response.status < 300:
        return said
    if response.status == 429:
        raise RateLimited(BUSY, retry_after=named_wait(response.headers))
    if response.status >= 500:
        raise Lost(AWAY)
    code = number(said, "code") or 0
    if code == UNKNOWN_WEBHOOK:
        raise TransientError(UNHEARD)
    raise Refused(code, response.status)
