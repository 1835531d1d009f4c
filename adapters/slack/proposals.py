"""Questions that are asked by a button or a form: posted for all to see, then accepted like any other."""

import asyncio
import logging
import secrets

from adapters.slack.api import Api, Refused, Unsure
from adapters.slack.blocks import REFUSED, Part, question, without_images
from adapters.slack.events import ASKED, PLATFORM, items, text
from adapters.slack.thread import Thread, erase
from bot.domain import Card, Message, Person, PostId, Proposal, ThreadId
from bot.errors import RateLimited, TransientError
from bot.ports import Desk

TRIES = 3
PAUSE_SECONDS = 0.5
WAIT_SECONDS = 20.0  # A longer wait that Slack asks for is not worth it: who asked is told instead.
RECENT = 20  # posts among which one is looked for whose answer was lost
log = logging.getLogger("threadsight.slack")


class Proposals:
    """Posts questions in people's names."""

    def __init__(self, api: Api, desk: Desk) -> None:
        self.api = api
        self.desk = desk

    async def ask(self, proposal: Proposal, groups: tuple[str, ...] = ()) -> Card | None:
        """Posts the question and hands it in; a card says why it is not answered, and then it is gone.

        Who may not ask learns it before anything is posted. Raises what keeps it from being posted or stored.
        """
        person = Person(proposal.author, groups)
        if refusal := await self.desk.denial(proposal.place, person):
            return refusal
        thread = Thread(self.api, proposal.place, proposal.author)
        nonce = secrets.token_urlsafe(6)
        part = question(proposal.author, proposal.text, proposal.attachments, nonce)
        post = await self.posted(thread, part, nonce)
        try:
            refusal = await self.handed_in(as_message(proposal, post, groups))
        except BaseException:
            await asyncio.shield(erase(self.api, thread.channel, [post]))
            raise
        if refusal is not None:
            await erase(self.api, thread.channel, [post])
        return refusal

    async def posted(self, thread: Thread, part: Part, nonce: str) -> PostId:
        """Posts once, however often Slack stumbles: nobody keeps the words that were typed into a form."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self.post(thread, part)
            except RateLimited as error:
                wait = error.retry_after or PAUSE_SECONDS * attempt
                if attempt == TRIES or wait > WAIT_SECONDS:
                    raise
            except Unsure:
                if found := await self.found(thread, nonce):
                    return found
                wait = PAUSE_SECONDS * attempt
                if attempt == TRIES:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last try returns or raises")

    async def post(self, thread: Thread, part: Part) -> PostId:
        """Posts with the pictures, if Slack shows them."""
        try:
            return await thread.post(part)
        except Refused as error:
            if error.code not in REFUSED:
                raise
            return await thread.post(without_images(part))

    async def found(self, thread: Thread, nonce: str) -> PostId:
        """The post that was made although nobody told us."""
        if thread.root:
            recent = list((await thread.replies()).messages)
        else:
            page = await self.api.call(
                self.api.sure.conversations_history(channel=thread.channel, limit=RECENT)
            )
            recent = items(page.get("messages"))
        for message in recent:
            if any(
                text(block, "block_id") == f"{ASKED}:{nonce}"
                for block in items(message.get("blocks"))
            ):
                return text(message, "ts")
        return ""

    async def handed_in(self, message: Message) -> Card | None:
        """Accepts, and again when the database is away for a moment."""
        for attempt in range(1, TRIES):
            try:
                return await self.desk.accept(message)
            except TransientError as error:
                log.info("a question is not stored yet: %s", type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS * attempt)
        return await self.desk.accept(message)


def as_message(proposal: Proposal, post: PostId, groups: tuple[str, ...]) -> Message:
    """The question as if the person had posted it."""
    place = proposal.place
    return Message(
        thread=ThreadId(PLATFORM, place.workspace, place.channel, place.root or post),
        id=post,
        author=proposal.author,
        text=proposal.text,
        sent_at=float(post),
        attachments=proposal.attachments,
        addressed=True,
        groups=groups,
        options=proposal.options,
    )
