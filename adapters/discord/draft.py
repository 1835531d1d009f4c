"""The one visible reply to a message: typing at first, then growing posts, then the whole of it."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from adapters.discord import render
from adapters.discord.looks import Looks, dressed
from adapters.discord.markup import File, described
from adapters.discord.places import Places
from adapters.discord.refusals import (
    ARCHIVED,
    EDITS_SPENT,
    NOT_OUR_MESSAGE,
    REPLY_NEEDS_HISTORY,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    Refused,
)
from adapters.discord.rest import AWAY, Lost, Rest, waiting_for_the_token
from adapters.discord.spoilers import Spoilers
from adapters.discord.spot import Spot, beside, find_spot, own_posts
from adapters.discord.wire import Json, mapping, snowflake, string
from bot.domain import Button, Claim, PostId, Reply
from bot.errors import Outage, ThreadsightError, TransientError

TYPING_SECONDS = 8.0  # Discord shows typing for ten.
MOST_TYPING_SECONDS = 900.0  # as long as an answer may take
AGAIN_SECONDS = 5.0  # after a failure, before the next look at what there is to show
HURRY_SECONDS = 2.0  # for a request under way when the answer is complete

STOP = "Stop"
HOOKED = "@interaction"
"""Stands in the name of a post that only an interaction reaches, where others have their channel."""

CHANNEL = "/channels/{channel_id}"
MESSAGES = "/channels/{channel_id}/messages"
MESSAGE = "/channels/{channel_id}/messages/{message_id}"
TYPING = "/channels/{channel_id}/typing"

Spawn = Callable[[Coroutine[object, object, None]], asyncio.Task[None]]


class Pace:
    """Spaces the edits in each channel, so that the last one of an answer never has to wait."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free: dict[str, float] = {}

    def wait(self, channel: str) -> float:
        """Seconds until it is our turn to write to a channel, behind whoever waits already."""
        now = asyncio.get_running_loop().time()
        self._free = {name: at for name, at in self._free.items() if at > now}
        at = self._free.get(channel, now)
        self._free[channel] = at + self._seconds
        return at - now


@dataclass(slots=True)
class Post:
    """A post of ours, and what it shows as far as we know."""

    id: str
    channel: str
    looks: Looks | None = None

    @property
    def name(self) -> PostId:
        return f"{self.channel}/{self.id}"


class DiscordDraft:
    """Shows an answer as it grows; whoever finishes it finds the posts that are there already."""

    def __init__(
        self,
        claim: Claim,
        *,
        rest: Rest,
        places: Places,
        pace: Pace,
        spawn: Spawn,
        spoilers: Spoilers,
        asides: tuple[str, ...] = (),
    ) -> None:
        self._spoilers = spoilers
        self._asides = asides
        """What people of this place are to know, under the answer."""
        self._claim = claim
        self._rest = rest
        self._places = places
        self._pace = pace
        self._spawn = spawn
        self._spot: Spot | None = None
        self._posts = [named(post) for post in claim.posts]
        self._stop = (Button(STOP, claim.stop),) if claim.stop else ()
        self._generation = 0
        self._text = ""
        self._shown = ""
        self._news = asyncio.Event()
        self._typing = False
        self._editing = False
        self._stream: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Leaves the text for the stream to show, and returns at once."""
        self._text = text
        self._news.set()
        if not self._over.is_set() and (self._stream is None or self._stream.done()):
            self._stream = self._spawn(self._keep_showing())
        return self._names()

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply; raises TransientError or PermanentError where Discord does not take it."""
        late = await self._hush()
        with waiting_for_the_token():
            spot = await self._open()
            try:
                await self._say(reply, spot, late)
            except Refused as error:
                other = beside(self._claim.message, spot, error)
                if other is None:
                    raise
                await self._say_elsewhere(reply, other, error)
        return self._names()

    async def leave(self) -> None:
        """Stops showing; what is there stays for whoever completes it."""
        if late := await self._hush():
            await cancelled(late)

    async def withdraw(self) -> None:
        """Deletes what was shown, and what may have been on its way."""
        await self.leave()
        with suppress(ThreadsightError):
            if self._spot is not None:
                await self._look(self._spot)
            await self._delete(0)

    async def _say(self, reply: Reply, spot: Spot, late: asyncio.Task[None] | None) -> None:
        """Brings the whole reply to a spot, with what is to be said of the place itself."""
        asides = tuple(each for each in (*self._asides, spot.note) if each)
        reply = replace(reply, receipts=reply.receipts + asides)
        if await self._spoilers.cover(self._claim.message):
            await self._complete(dressed(render.posts(reply, veil=True), reply.buttons), late)
            return
        contents, files = render.posts_with_files(reply)
        try:
            await self._complete(dressed(contents, reply.buttons, files), late)
        except Refused:
            if not files:
                raise
            # Where no files may be posted, all of it stands in the text.
            await self._complete(dressed(render.posts(reply), reply.buttons), None)

    async def _say_elsewhere(self, reply: Reply, spot: Spot, refusal: Refused) -> None:
        """Brings the reply to the channel above a thread that was closed to us meanwhile."""
        self._spot, self._posts = spot, []
        self._generation += 1
        try:
            await self._say(reply, spot, None)
        except Refused as error:
            raise refusal from error

    async def _complete(self, contents: list[Looks], late: asyncio.Task[None] | None) -> None:
        spot = await self._open()
        try:
            await self._write(spot, contents)
        except Refused as error:
            if error.code not in (UNKNOWN_MESSAGE, NOT_OUR_MESSAGE, EDITS_SPENT):
                raise
            # Somebody deleted a post of ours, or it is too old: what is left goes too, and all is posted anew.
            await self._delete(0)
            self._generation += 1
            await self._write(spot, contents)
        await self._delete(len(contents))
        if late is not None:
            await asyncio.wait([late])
            for post in self._posts:
                post.looks = None
            await self._write(spot, contents)

    async def _hush(self) -> asyncio.Task[None] | None:
        """Ends the showing; returns it if an edit of it is still on its way and may arrive after others."""
        self._over.set()
        self._news.set()
        if self._stream is None:
            return None
        # That we write need not be shown any more.
        await asyncio.wait([self._stream], timeout=0 if self._typing else HURRY_SECONDS)
        if self._editing and not self._stream.done():
            return self._stream
        await cancelled(self._stream)
        return None

    async def _keep_showing(self) -> None:
        """Shows what is new as often as the pace allows; ends when all is shown, or nothing may be."""
        loop = asyncio.get_running_loop()
        until = loop.time() + MOST_TYPING_SECONDS
        while not self._over.is_set() and loop.time() < until:
            self._news.clear()
            try:
                await self._show_now()
            except TransientError:
                await self._rest_for(AGAIN_SECONDS)
            except ThreadsightError:
                # `finish` meets the same refusal, and tells.
                return
            if not self._text:
                await self._rest_for(TYPING_SECONDS)
            elif self._text == self._shown:
                return

    async def _show_now(self) -> None:
        spot = await self._open()
        if not self._text:
            await self._type(spot)
            return
        if await self._over_within(self._pace.wait(spot.channel)):
            return
        text = self._text
        contents = [each for each in render.chunks(text) if render.legible(each)]
        if await self._spoilers.cover(self._claim.message):
            contents = [render.veiled(each) for each in contents]
        await self._write(spot, dressed(contents, self._stop), showing=True)
        self._shown = text

    async def _type(self, spot: Spot) -> None:
        """Shows that we write; words may come meanwhile, so nothing waits long for it."""
        self._typing = True
        try:
            async with asyncio.timeout(HURRY_SECONDS):
                await self._rest.call("POST", TYPING, channel_id=spot.channel)
        except TimeoutError as error:
            raise Outage(AWAY) from error
        finally:
            self._typing = False

    async def _over_within(self, seconds: float) -> bool:
        """Waits for our turn, but not when the answer is complete meanwhile: its last post waits for nobody."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def _rest_for(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _open(self) -> Spot:
        """Where the reply stands; looks there for posts of ours that nobody remembers."""
        if self._spot is None:
            spot = await find_spot(self._claim, rest=self._rest, places=self._places)
            if not spot.fresh:
                await self._look(spot)
            self._spot = spot
        return self._spot

    async def _look(self, spot: Spot) -> None:
        posts = {post.id: post for post in self._posts}
        for found in await own_posts(self._rest, self._claim.message, spot):
            posts.setdefault(found, Post(found, spot.channel))
        self._posts = sorted(posts.values(), key=lambda post: int(post.id))

    async def _write(self, spot: Spot, contents: list[Looks], *, showing: bool = False) -> None:
        for index, looks in enumerate(contents):
            if showing and self._over.is_set():
                return
            if index == len(self._posts):
                self._posts.append(await self._create(spot, index, looks))
            if self._posts[index].looks != looks:
                self._editing = showing
                await self._edit(self._posts[index], looks)
                self._editing = False

    async def _create(self, spot: Spot, index: int, looks: Looks) -> Post:
        payload: dict[str, object] = {
            **looks.payload,
            "nonce": self._nonce(index),
            "enforce_nonce": True,
        }
        if looks.files:
            payload["attachments"] = described(looks.files)
        if spot.replies and (index == 0 or spot.every):
            payload["message_reference"] = {
                "message_id": spot.refers or self._claim.message.id,
                "fail_if_not_exists": False,
            }
        lost = partial(self._lost, spot)
        try:
            made = await self._post(spot, payload, looks.files, lost)
        except Refused as error:
            if error.code != REPLY_NEEDS_HISTORY:
                raise
            del payload["message_reference"]
            made = await self._post(spot, payload, looks.files, lost)
        # Of an earlier try whose answer was lost, Discord gives back the post as that try made it.
        new = string(made, "content").strip() == looks.content.strip()
        return Post(snowflake(made, "id"), spot.channel, looks if new else None)

    async def _post(self, spot: Spot, payload: Json, files: tuple[File, ...], lost: Lost) -> Json:
        return mapping(
            await self._rest.call(
                "POST",
                MESSAGES,
                json=payload,
                query=None,
                lost=lost,
                files=files,
                channel_id=spot.channel,
            )
        )

    async def _lost(self, spot: Spot) -> Json:
        """A post that we do not know of: made by a try whose answer never came, whether or not the nonce is minded."""
        known = {post.id for post in self._posts}
        found = await own_posts(self._rest, self._claim.message, spot)
        return next(({"id": post} for post in found if post not in known), {})

    async def _edit(self, post: Post, looks: Looks) -> None:
        payload = dict(looks.payload)
        if looks.files or post.looks is None or post.looks.files:
            # What an edit does not name of a post's files goes; what it does not speak of stays.
            payload["attachments"] = described(looks.files)
        # Unknown until it is done, and after it if another came in between.
        post.looks = None
        at = {"channel_id": post.channel, "message_id": post.id}
        try:
            await self._patch(MESSAGE, payload, looks.files, **at)
        except Refused as error:
            if error.code != ARCHIVED:
                raise
            await self._patch(CHANNEL, {"archived": False}, channel_id=post.channel)
            await self._patch(MESSAGE, payload, looks.files, **at)
        post.looks = looks

    async def _patch(
        self, path: str, payload: Json, files: tuple[File, ...] = (), **ids: str
    ) -> None:
        await self._rest.call(
            "PATCH", path, json=payload, query=None, lost=None, files=files, **ids
        )

    async def _delete(self, start: int) -> None:
        """Deletes our posts from this one on, last first."""
        while len(self._posts) > start:
            await delete(self._rest, self._posts[-1].name)
            self._posts.pop()

    def _nonce(self, index: int) -> str:
        """A name for each post: Discord makes no second one of the same name within some minutes."""
        name = f"{self._claim.message.id}:{self._claim.version}:{self._generation}:{index}"
        return hashlib.sha256(name.encode()).hexdigest()[:24]

    def _names(self) -> tuple[PostId, ...]:
        return tuple(post.name for post in self._posts)


def named(name: PostId) -> Post:
    channel, _, message = name.partition("/")
    return Post(message, channel)


async def cancelled(task: asyncio.Task[None]) -> None:
    """Ends a task, and waits until it has."""
    task.cancel()
    await asyncio.wait([task])


async def delete(rest: Rest, name: PostId) -> None:
    """Deletes a post of ours; one that is gone already is gone."""
    if name.startswith(HOOKED):
        # Only the interaction that it belongs to reaches it.
        return
    post = named(name)
    try:
        await rest.call("DELETE", MESSAGE, channel_id=post.channel, message_id=post.id)
    except Refused as error:
        if error.code not in (UNKNOWN_MESSAGE, UNKNOWN_CHANNEL):
            raise
