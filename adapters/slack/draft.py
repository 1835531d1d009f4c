"""The one visible reply to a message: a stream where Slack has one, else a message that is updated."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from adapters.slack.api import HASTY_SECONDS, UPDATES_KEPT, Api, Json, Refused, Unsure
from adapters.slack.blocks import MARKDOWN_LIMIT, REFUSED, Part, compose, marked, partial
from adapters.slack.events import text
from adapters.slack.found import merged, parts_of
from adapters.slack.markup import harmless
from adapters.slack.probe import Identity
from adapters.slack.signs import LACKING_SECONDS, UNKNOWN, Signs
from adapters.slack.thread import PAGING, Thread, Vanished, erase
from adapters.text import split
from bot.domain import Claim, PostId, Reply
from bot.errors import RateLimited, SetupError, ThreadsightError

SIGN_SECONDS = 0.8  # How long `show` waits for the first sign to stand, so that its post is known.
APPEND_SECONDS = 0.7  # between two pieces of one stream
UPDATE_SECONDS = 1.5  # between two updates of one message
RETRY_SECONDS = 0.1  # between two looks whether we may call again
OUTAGE_SECONDS = 2.0  # before Slack is bothered again that did not answer
STREAMS, VOTES = "streams", "votes"
ENDED = ("message_not_in_streaming_state", "stopped_by_user")
RUNNING = "streaming_state_conflict"
UNCHANGEABLE = ("message_not_found", "cant_update_message", "edit_window_closed")

log = logging.getLogger("threadsight.slack")


class SlackDraft:
    """Shows the answer as it grows, and completes it once, in the same posts however often it is tried."""

    def __init__(
        self,
        api: Api,
        identity: Callable[[], Awaitable[Identity]],
        claim: Claim,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api = api
        self.identity = identity
        self.clock = clock
        self.claim = claim
        self.question = claim.message.id
        self.channel = claim.message.thread.channel
        self.thread = Thread(api, claim.message.thread, claim.message.author)
        self.signs = Signs(api, self.thread, claim)
        self.posts: list[PostId] = list(claim.posts)
        self.looked = api.live.nothing_unknown(claim)
        """Whether all posts of this reply are known."""
        self.doubted = False
        """Whether Slack may have made, or still make, a post that nobody told us of."""
        self.messages: set[PostId] = set(claim.posts if self.looked else ())
        """Posts that are no streams for sure."""
        self.stream: PostId | None = None
        """A stream that this draft opened and believes to be open."""
        self.streamed = ""
        self.wanted = ""
        self.shown: str | None = None
        self.paused_until = 0.0
        self.closing = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Shows the answer so far; paced, and silent about whatever goes wrong."""
        self.wanted = harmless(text)
        if self.task is None or self.task.done():
            self.closing.clear()
            self.api.live.begin(self.claim)
            self.task = asyncio.create_task(self.keep_up())
            if self.shown is None:
                await asyncio.wait({self.task}, timeout=SIGN_SECONDS)
        return tuple(self.posts)

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply and returns all its posts, first to last."""
        await self.leave()
        try:
            await self.look()
            await self.write_best(reply)
            await self.sweep()
        except Vanished:
            # What was shown until now stands under nothing.
            await erase(self.api, self.channel, self.posts)
            raise
        self.api.live.finished(self.claim, self.posts)
        return tuple(self.posts)

    async def write_best(self, reply: Reply) -> None:
        """Writes the reply in the best form that Slack takes."""
        for plain, votes in ((False, True), (False, False), (True, False)):
            if votes and self.api.lacks.left(VOTES):
                continue
            try:
                await self.write(compose(reply, self.question, plain=plain, votes=votes))
            except Refused as error:
                # Nothing is simpler than plain text.
                if plain or error.code not in REFUSED:
                    raise
                continue
            if not (plain or votes):
                self.api.lacks.close(VOTES, LACKING_SECONDS)
            break

    async def leave(self) -> None:
        """Ends the showing once the call under way is done, which is bounded by itself."""
        self.closing.set()
        self.api.live.end(self.claim)
        if self.task is not None:
            await asyncio.wait({self.task})
        await self.signs.rest()

    async def withdraw(self) -> None:
        """Takes back what was shown."""
        await self.leave()
        try:
            await self.look()
        except ThreadsightError as error:
            log.info("no look before taking back: %s", type(error).__name__)
        try:
            if self.stream is not None:
                await self.thread.stop(self.stream)
        except ThreadsightError as error:
            log.info("a stream was not ended before it goes: %s", type(error).__name__)
        try:
            await erase(self.api, self.channel, self.posts)
            self.posts.clear()
        except ThreadsightError as error:
            log.warning("a reply was not taken back: %s", type(error).__name__)
        await self.signs.clear()

    # Showing: one task, which ends as soon as it has caught up.

    async def keep_up(self) -> None:
        try:
            while self.shown != self.wanted and not self.closing.is_set():
                pause = self.paused_until - self.clock()
                if pause > 0:
                    await self.rest(pause)
                elif not await self.step():
                    self.pause(RETRY_SECONDS)
        except ThreadsightError as error:
            log.info("an answer is not shown as it grows: %s", type(error).__name__)
            self.shown = self.wanted

    async def step(self) -> bool:
        """Shows what is wanted now; False when Slack's limits make it wait."""
        wanted = self.wanted
        try:
            done = await (self.open(wanted) if self.shown is None else self.push(wanted))
        except RateLimited as error:
            self.pause(error.retry_after or 1.0)
            return False
        except Unsure:
            # Whatever became of it: from now on the whole message is replaced, which mends it.
            self.stream, self.looked = None, bool(self.posts)
            self.pause(OUTAGE_SECONDS)
            return False
        if done:
            self.shown = wanted
        return done

    def pause(self, seconds: float) -> None:
        """Shows nothing more for so long."""
        self.paused_until = max(self.paused_until, self.clock() + seconds)

    async def rest(self, seconds: float) -> None:
        """Waits, or until the reply is to be finished."""
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            pass

    async def open(self, wanted: str) -> bool:
        """Gives the first sign: a status, then a stream, else a message that says so."""
        await self.signs.show()
        await self.look()
        if self.posts:
            return not wanted or await self.push(wanted)
        if await self.open_stream(wanted):
            return True
        if self.api.posts(self.channel).take():
            await self.add(self.partly(wanted), hasty=True)
        return True

    async def open_stream(self, wanted: str) -> bool:
        """Opens a stream if Slack gives us one."""
        if self.api.lacks.left(STREAMS) or not self.api.starts.take():
            return False
        body = first(wanted)
        try:
            self.stream = await self.thread.start(body)
        except Unsure:
            self.doubted = True
            raise
        except RateLimited as error:
            self.api.starts.hold(error.retry_after or 1.0)
            return False
        except SetupError:
            return False
        except Refused as error:
            if error.code in UNKNOWN:
                self.api.lacks.close(STREAMS, LACKING_SECONDS)
            return False
        self.streamed = body
        self.posts.append(self.stream)
        self.api.live.opened(self.claim, self.stream)
        self.signs.streaming()
        return True

    def partly(self, body: str) -> Part:
        """The answer so far as a message, with the button that stops it."""
        return partial(body, self.question, self.claim.stop)

    async def push(self, wanted: str) -> bool:
        """Brings what people see up to what is wanted."""
        body = first(wanted)
        if self.stream is not None:
            return await self.append(self.stream, body)
        if self.posts:
            return await self.update(self.posts[0], body)
        await self.look()
        if self.posts or not self.api.posts(self.channel).take():
            return False
        self.pause(UPDATE_SECONDS)
        await self.add(self.partly(body), hasty=True)
        return True

    async def update(self, post: PostId, body: str) -> bool:
        """Replaces what a message shows so far."""
        if not self.api.updates.take(leaving=UPDATES_KEPT):
            return False
        self.pause(UPDATE_SECONDS)
        try:
            await self.end_stream(post)
            await self.thread.update(post, self.partly(body), hasty=True)
        except RateLimited as error:
            self.api.updates.hold(error.retry_after or 1.0)
            return False
        return True

    async def append(self, stream: PostId, body: str) -> bool:
        """Streams the words that are new; a text that changed its beginning waits for the end."""
        more = body[len(self.streamed) :]
        if not more or not body.startswith(self.streamed):
            return True
        if not self.api.appends.take():
            return False
        self.pause(APPEND_SECONDS)
        try:
            await self.thread.append(stream, more)
        except RateLimited as error:
            self.api.appends.hold(error.retry_after or 1.0)
            return False
        except Refused as error:
            # Slack ends a stream after five minutes, and when the person stops it.
            log.info("a stream ended early: %s", error.code)
            self.ended(error)
            if error.code == "stopped_by_user":
                await self.api.live.stop(self.claim, self.claim.message.author)
            return False
        self.streamed = body
        return True

    # Finishing.

    async def write(self, parts: list[Part]) -> None:
        """Puts each part into its post, makes those that are missing, removes those that are too many."""
        for number, part in enumerate(parts):
            if number < len(self.posts):
                await self.rewrite(number, part)
            else:
                await self.add(part)
        await self.remove(len(parts))
        await self.signs.clear()

    async def rewrite(self, number: int, part: Part) -> None:
        post = self.posts[number]
        if post == self.stream and await self.complete(post, part):
            return
        if number == 0:
            await self.end_stream(post)
        try:
            await self.replace(post, part)
        except Refused as error:
            if error.code not in UNCHANGEABLE:
                raise
            await self.thread.delete(post)
            self.posts[number] = await self.thread.post(part)
        self.messages.add(self.posts[number])

    async def replace(self, post: PostId, part: Part) -> None:
        """Updates a post, also one that turns out to be a stream that still runs."""
        try:
            await self.thread.update(post, part)
        except Refused as error:
            if error.code != RUNNING:
                raise
            await self.thread.stop(post)
            await self.thread.update(post, part)

    async def end_stream(self, post: PostId) -> None:
        """Closes what may be a stream, of ours or of a process that died: one that runs takes no update."""
        if post in self.messages or self.api.lacks.left(STREAMS):
            return
        try:
            await self.thread.stop(post)
            self.messages.add(post)
        except RateLimited as error:
            # Whether it runs at all is known from what an update says.
            log.info("a stream is not ended yet: %s", type(error).__name__)

    def ended(self, error: Refused, post: PostId | None = None) -> None:
        """Notes that a stream takes nothing more; where Slack says that it is none, it is not closed again."""
        post, self.stream = post or self.stream, None
        if post is not None and error.code in ENDED:
            self.messages.add(post)

    async def complete(self, post: PostId, part: Part) -> bool:
        """Streams the rest and closes; False when only an update can still make it this part."""
        self.stream = None
        if part.plain or not part.body.startswith(self.streamed):
            return False
        try:
            rest = part.body[len(self.streamed) :]
            await self.thread.complete(post, rest, part, session=self.signs.session)
            self.signs.session = False
        except (Refused, Unsure) as error:
            log.info("a stream is completed by an update: %s", type(error).__name__)
            if isinstance(error, Refused):
                self.ended(error, post)
            return False
        return True

    async def add(self, part: Part, *, hasty: bool = False) -> None:
        """Posts one more part; looks for it when Slack's answer is lost."""
        known = len(self.posts)
        posting = asyncio.create_task(self.thread.post(part, hasty=hasty))
        try:
            self.posts.append(await asyncio.shield(posting))
            self.messages.add(self.posts[-1])
        except asyncio.CancelledError:
            # The question may be gone: what is posted all the same must be known, to be taken back.
            await asyncio.wait({posting}, timeout=HASTY_SECONDS)
            self.looked = posting.cancel() is False and posting.exception() is None
            if self.looked:
                self.posts.append(posting.result())
            raise
        except Unsure:
            self.looked, self.doubted = False, True
            if hasty:
                raise
            await self.look()
            if len(self.posts) <= known:
                raise
        self.signs.waiting = False

    async def remove(self, first: int) -> None:
        """Deletes the posts from this one on."""
        while len(self.posts) > first:
            await self.thread.delete(self.posts[-1])
            self.posts.pop()

    async def sweep(self) -> None:
        """Takes back what Slack made late, after the reply had found another post."""
        if not self.doubted:
            return
        try:
            for message in await self.parts():
                if (post := text(message, "ts")) not in self.posts:
                    await self.thread.stop(post)
                    await self.thread.delete(post)
        except ThreadsightError as error:
            log.info("what came late is not taken back: %s", type(error).__name__)

    # Looking for what was posted before, or without our hearing of it.

    async def look(self) -> None:
        """Finds the posts of this reply that nobody told us of; raises when Slack cannot say now."""
        if self.looked:
            return
        found: list[Json] = []
        try:
            found = await self.parts()
        except RateLimited:
            # An app that may read once a minute cannot look before each of its answers.
            if not self.api.lacks.left(PAGING):
                raise
        except Refused as error:
            if error.code == "thread_not_found":
                raise Vanished from error
            log.info("the thread cannot be read: %s", error.code)
        self.messages |= {text(message, "ts") for message in found if marked(message)}
        self.posts = merged(self.posts, found)
        self.looked = True

    async def parts(self) -> list[Json]:
        """The posts of this reply, as Slack has them now."""
        me = await self.identity()
        after = (await self.thread.replies(oldest=self.question)).messages
        return parts_of(after, self.question, me)


def first(wanted: str) -> str:
    """As much of a growing text as one message shows."""
    return wanted if len(wanted) <= MARKDOWN_LIMIT else split(wanted, MARKDOWN_LIMIT)[0]
