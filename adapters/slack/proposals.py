"""Questions that are asked by a button or a form: posted for all to see, then accepted like any other."""

import asyncio
import logging
import secrets

from adapters.slack.api import Api, Refused, Unsure
from adapters.slack.blocks import REFUSED, Part, question, without_images
from adapters.slack.events import ASKED, PLATFORM, items, text
from adapters.slack.thread import Thread, erase
from bot.domain import Card, Message, PostId, Proposal, ThreadId
from bot.errors import ThreadsightError, TransientError
from bot.ports import Desk

ACCEPT_TRIES = 3
ACCEPT_PAUSE_SECONDS = 0.5
RECENT = 20  # posts among which one is looked for whose answer was lost
log = logging.getLogger("threadsight.slack")


class Proposals:
    """Posts questions in people's names."""

    def __init__(self, api: Api, desk: Desk) -> None:
        self.api = api
        self.desk = desk

    async def ask(self, proposal: Proposal, groups: tuple[str, ...] = ()) -> Card | None:
        """Posts the question and hands it in; a card says why it is not answered, and then it is gone."""
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
        """Posts once, with its pictures if Slack shows them."""
        try:
            return await thread.post(part)
        except Refused as error:
            if error.code not in REFUSED:
                raise
            return await thread.post(without_images(part))
        except Unsure:
            found = await self.found(thread, nonce)
            if not found:
                raise
            return found

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
        for attempt in range(1, ACCEPT_TRIES):
            try:
                return await self.desk.accept(message)
            except TransientError as error:
                log.info("a question is not stored yet: %s", type(error).__name__)
                await asyncio.sleep(ACCEPT_PAUSE_SECONDS * attempt)
            except ThreadsightError as error:
                return Card("", error.sentence)
        try:
            return await self.desk.accept(message)
        except ThreadsightError as error:
            return Card("", error.sentence)


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
