"""What a thread held before the bot was called into it, as far as Slack lets it be read."""

import logging
from dataclasses import replace

from adapters.slack.api import Api, Refused
from adapters.slack.events import remembered
from adapters.slack.probe import Identity
from adapters.slack.thread import Thread
from bot.domain import Message
from bot.errors import RateLimited, SetupError, Unread

WORTH_SECONDS = 20.0  # A longer wait is not worth what might be read after it.

REFUSED = "Slack does not let me read what this thread held before ({code})."
CUT = (
    "Slack lets me read only the first {count} messages of this thread; the later ones before your "
    "question I have not seen."
)
log = logging.getLogger("threadsight.slack")


async def earlier(api: Api, me: Identity, message: Message) -> list[Message]:
    """What stands before a message, its thread's root included; raises Unread where that is not all."""
    place = message.thread
    if place.root == message.id:
        return []
    try:
        read = await Thread(api, place, message.author).replies(latest=message.id)
    except Refused as error:
        raise Unread(REFUSED.format(code=error.code)) from error
    except SetupError as error:
        raise Unread(error.sentence) from error
    except RateLimited as error:
        if (error.retry_after or 0.0) <= WORTH_SECONDS:
            raise
        raise Unread(REFUSED.format(code="ratelimited")) from error
    known = (
        remembered(item, place.workspace, place.channel, place.root, me) for item in read.messages
    )
    found = [without(item, message) for item in known if item is not None and before(item, message)]
    if not read.complete:
        log.info("a thread is read in part: %s messages", len(read.messages))
        raise Unread(CUT.format(count=len(read.messages)), found)
    return found


def without(item: Message, message: Message) -> Message:
    """An earlier message without the files that are asked about: nobody pays for a picture twice."""
    asked = {file.id for file in message.attachments}
    return replace(item, attachments=tuple(f for f in item.attachments if f.id not in asked))


def before(item: Message, message: Message) -> bool:
    return (item.sent_at, item.id) < (message.sent_at, message.id)
