"""Where a reply stands: in the question's thread, in one made from it, or else right behind it."""

from dataclasses import dataclass

from adapters.discord import render
from adapters.discord.events import is_post
from adapters.discord.places import DIRECT, Places
from adapters.discord.refusals import THREAD_EXISTS, UNKNOWN_MESSAGE, Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, item, number, snowflake
from bot.domain import Claim, Message

PAGE = 100  # messages; the most that Discord gives at once
SILENT = 1 << 12
"""Marks a question that the bot posted for somebody, and spares people a notification: the answer has its own."""
ARCHIVE_MINUTES = 1440  # A thread without news for a day is put away; a post brings it back.


@dataclass(frozen=True, slots=True)
class Spot:
    """A channel, and how the reply hangs together in it."""

    channel: str
    replies: bool
    """Whether the first post is a reply to the question."""
    every: bool = False
    """Whether the other posts are too, since other answers may come in between."""
    fresh: bool = False
    """Whether nothing of ours can be there yet."""


async def find_spot(claim: Claim, *, rest: Rest, places: Places) -> Spot:
    """Where this question is answered; makes the thread where there is none yet."""
    message, thread = claim.message, claim.message.thread
    starts = message.id == thread.root
    if claim.posts:
        channel = claim.posts[0].partition("/")[0]
        # A thread that starts at the question does not hold it, so nothing there can reply to it.
        return Spot(channel, replies=channel != message.id, every=starts and channel != thread.root)
    if thread.workspace == DIRECT:
        return Spot(thread.channel, replies=True)
    if not starts:
        return Spot(thread.root, replies=True)
    place = places.get(thread.root)
    if place is not None and place.is_thread:
        # The first post of a forum's thread has the thread's id and stands in it.
        return Spot(thread.root, replies=False)
    return await made(message, rest)


async def made(message: Message, rest: Rest) -> Spot:
    """The thread at a question: made now, there already, or not possible."""
    payload = {
        "name": render.thread_name(message.text),
        "auto_archive_duration": ARCHIVE_MINUTES,
    }
    try:
        await rest.call(
            "POST",
            "/channels/{channel_id}/messages/{message_id}/threads",
            json=payload,
            channel_id=message.thread.channel,
            message_id=message.id,
        )
    except Refused as error:
        if error.code == THREAD_EXISTS or await is_thread(message.id, rest):
            return Spot(message.id, replies=False)
        if error.code == UNKNOWN_MESSAGE:
            raise
        return Spot(message.thread.channel, replies=True, every=True)
    return Spot(message.id, replies=False, fresh=True)


async def is_thread(channel: str, rest: Rest) -> bool:
    """Whether there is a thread of this id that we can see."""
    try:
        return bool(await rest.get("/channels/{channel_id}", channel_id=channel))
    except Refused:
        return False


async def own_posts(rest: Rest, message: Message, spot: Spot) -> list[str]:
    """The ids of the bot's posts that belong to this question, first to last.

    A post that replies to a question belongs to it, and one that replies to none to the question before.
    """
    try:
        found = await rest.list(
            "/channels/{channel_id}/messages",
            query={"after": message.id, "limit": PAGE},
            channel_id=spot.channel,
        )
    except Refused:
        # Without Read Message History the nonce alone keeps a post from being repeated.
        return []
    me = await rest.me()
    ours: list[str] = []
    question = "" if spot.replies else message.id
    for data in sorted(found, key=lambda data: int(snowflake(data, "id") or 0)):
        if snowflake(item(data, "author"), "id") != me or not is_post(data):
            continue
        if (number(data, "flags") or 0) & SILENT:
            # A question that the bot posted for somebody: what follows answers that one.
            question = snowflake(data, "id")
            continue
        question = answered_by(data) or question
        if question == message.id:
            ours.append(snowflake(data, "id"))
    return ours


def answered_by(data: Json) -> str:
    return snowflake(item(data, "message_reference"), "message_id")
