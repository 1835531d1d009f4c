"""A thread as the bot writes in it: each method is one call to Slack, told in our words."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.slack.api import CALL_SECONDS, HASTY_SECONDS, SLOWLY, Api, Json, Refused
from adapters.slack.blocks import Part
from adapters.slack.events import items, table, text
from adapters.slack.pace import Pace
from adapters.slack.probe import Identity
from bot.domain import PostId, ThreadId
from bot.errors import PermanentError, RateLimited, ThreadsightError, TransientError

STATUS_SECONDS = 0.5  # A status that is not there by then is no sign any more.
MAKING_SECONDS = 10.0  # A post that Slack makes after we gave up waiting stands there unknown.
QUEUE_SECONDS = 20.0  # A longer queue is the worker's to plan.
PAGES, PAGE_ITEMS = 10, 200
# Apps that are distributed outside Slack's marketplace get no more at once, and that once a minute
# (docs.slack.dev/apis/web-api/rate-limits).
CUT_ITEMS = 15
CUT_SECONDS = 3600.0  # for which it is taken that nothing has changed about that
PAGING = "paging"
"""What such apps lack."""
ERASE_TRIES = 10  # in some four minutes: what is not taken back now stays for ever
ERASE_PAUSE_SECONDS = 1.0  # then twice as long, each time
ERASE_WAIT_SECONDS = 60.0  # the longest, whatever Slack asks for

log = logging.getLogger("threadsight.slack")


class Vanished(PermanentError):
    """The message under which a thread stood is gone."""

    def __init__(self) -> None:
        super().__init__("The message that I was to answer is gone.")


@dataclass(frozen=True, slots=True)
class Read:
    """Messages of a thread, and whether those are all that were asked for."""

    messages: tuple[Json, ...]
    complete: bool = True


class Thread:
    """The thread of a message; what may be lost is called hastily, what must not be carefully."""

    def __init__(self, api: Api, place: ThreadId, asker: str) -> None:
        self.api = api
        self.channel = place.channel
        self.root = place.root
        """Empty for the channel itself."""
        self.workspace = place.workspace
        self.asker = asker

    async def set_status(self, status: str) -> None:
        """The line under the thread; Slack drops it at the next post or after two minutes."""
        await self.api.call(
            self.api.hasty.assistant_threads_setStatus(
                channel_id=self.channel, thread_ts=self.root, status=status
            ),
            seconds=STATUS_SECONDS,
        )

    async def set_session(self, status: str) -> None:
        """What an agent does in the thread; while it is `processing`, Slack shows its own Stop."""
        await self.api.call(
            self.api.hasty.agents_sessions_setStatus(
                channel_id=self.channel, thread_ts=self.root, status=status
            ),
            seconds=STATUS_SECONDS,
        )

    async def whisper(self, part: Part) -> None:
        """Shows something to nobody but whoever asked."""
        await self.api.call(
            self.api.hasty.chat_postEphemeral(
                channel=self.channel,
                user=self.asker,
                thread_ts=self.root,
                text=part.fallback,
                blocks=part.blocks,
            ),
            seconds=HASTY_SECONDS,
        )

    async def start(self, markdown: str) -> PostId:
        """Opens a stream; outside of direct messages Slack wants to know for whom."""
        started = await self.api.call(
            self.api.hasty.chat_startStream(
                channel=self.channel,
                thread_ts=self.root,
                markdown_text=markdown or None,
                recipient_team_id=self.api.live.team(self.asker, self.workspace),
                recipient_user_id=self.asker,
            ),
            seconds=MAKING_SECONDS,
        )
        return str(started["ts"])

    async def append(self, stream: PostId, markdown: str) -> None:
        """Adds words to a stream."""
        await self.api.call(
            self.api.hasty.chat_appendStream(
                channel=self.channel, ts=stream, markdown_text=markdown
            ),
            seconds=HASTY_SECONDS,
        )

    async def complete(
        self, stream: PostId, markdown: str, part: Part, *, session: bool = False
    ) -> None:
        """Adds the last words and the small print to a stream, and closes it."""
        answer = await self.api.call(
            self.api.careful.chat_stopStream(
                channel=self.channel,
                ts=stream,
                markdown_text=markdown or None,
                blocks=list(part.small),
                session_status="active" if session else None,
            )
        )
        await self.check(stream, answer)

    async def stop(self, post: PostId) -> None:
        """Closes a stream if the post is one."""
        try:
            await self.api.call(self.api.sure.chat_stopStream(channel=self.channel, ts=post))
        except Refused as error:
            log.debug("no stream to end: %s", error.code)

    async def update(self, post: PostId, part: Part, *, hasty: bool = False) -> None:
        """Replaces what a post shows."""
        if not hasty:
            await wait_turn(self.api.updates)
        client = self.api.hasty if hasty else self.api.sure
        await self.api.call(
            client.chat_update(
                channel=self.channel, ts=post, text=part.fallback, blocks=part.blocks
            ),
            seconds=HASTY_SECONDS if hasty else CALL_SECONDS,
        )

    async def post(self, part: Part, *, hasty: bool = False) -> PostId:
        """Posts into the thread, and only there."""
        if not hasty:
            await wait_turn(self.api.posts(self.channel))
        client = self.api.hasty if hasty else self.api.careful
        try:
            answer = await self.api.call(
                client.chat_postMessage(
                    channel=self.channel,
                    thread_ts=self.root or None,
                    text=part.fallback,
                    blocks=part.blocks,
                    unfurl_links=False,
                    unfurl_media=False,
                ),
                seconds=MAKING_SECONDS if hasty else CALL_SECONDS,
            )
        except RateLimited as error:
            self.api.posts(self.channel).hold(error.retry_after or 1.0)
            raise
        post = str(answer["ts"])
        await self.check(post, answer)
        return post

    async def check(self, post: PostId, answer: Json) -> None:
        """Takes back a post that Slack put into the channel, since its thread is gone."""
        message = table(answer.get("message"))
        stray = bool(message) and not text(message, "thread_ts")
        if self.root and stray and await self.vanished():
            await erase(self.api, self.channel, [post])
            raise Vanished

    async def vanished(self) -> bool:
        """Whether Slack says for sure that the message is gone under which the thread stood."""
        try:
            await self.api.call(
                self.api.sure.conversations_replies(channel=self.channel, ts=self.root, limit=1)
            )
        except Refused as error:
            return error.code == "thread_not_found"
        except ThreadsightError as error:
            log.debug("the thread cannot be looked at: %s", type(error).__name__)
        return False

    async def delete(self, post: PostId) -> None:
        """Deletes a post of the bot; one that is gone already is no error."""
        await self.api.delete(self.channel, post)

    async def replies(self, *, oldest: str | None = None, latest: str | None = None) -> Read:
        """The thread's messages between two timestamps, its root included, oldest first.

        Raises RateLimited when not even the first page comes.
        """
        found: list[Json] = []
        cursor: str | None = None
        for number in range(PAGES):
            try:
                page = await self.page(oldest, latest, cursor)
            except RateLimited:
                if number == 0:
                    raise
                return Read(tuple(found), complete=False)
            found += items(page.get("messages"))
            cursor = text(table(page.get("response_metadata")), "next_cursor")
            if not cursor:
                return Read(tuple(found))
            if len(items(page.get("messages"))) <= CUT_ITEMS:
                self.api.lacks.close(PAGING, CUT_SECONDS)
        return Read(tuple(found), complete=False)

    async def page(self, oldest: str | None, latest: str | None, cursor: str | None) -> Json:
        return await self.api.call(
            self.api.sure.conversations_replies(
                channel=self.channel,
                ts=self.root,
                oldest=oldest,
                latest=latest,
                limit=PAGE_ITEMS,
                cursor=cursor,
            )
        )


async def wait_turn(pace: Pace) -> None:
    """Waits for the next free call; raises RateLimited where that is too far off."""
    seconds = pace.book()
    if seconds > QUEUE_SECONDS:
        pace.cancel()
        raise RateLimited(SLOWLY, retry_after=seconds)
    if seconds:
        await asyncio.sleep(seconds)


async def erase(api: Api, channel: str, posts: Sequence[PostId]) -> None:
    """Deletes posts of the bot, however long Slack makes it wait; what is gone already is no error."""
    for post in posts:
        for attempt in range(1, ERASE_TRIES + 1):
            try:
                await api.delete(channel, post)
                break
            except TransientError as error:
                log.info("a post is not deleted yet: %s", type(error).__name__)
                if attempt < ERASE_TRIES:
                    wait = error.retry_after or ERASE_PAUSE_SECONDS * 2.0 ** (attempt - 1)
                    await asyncio.sleep(min(wait, ERASE_WAIT_SECONDS))


def is_own(message: Json, me: Identity) -> bool:
    """Whether the bot posted it."""
    return text(message, "user") == me.user or (bool(me.bot) and text(message, "bot_id") == me.bot)
