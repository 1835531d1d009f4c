"""Where a reply stands: in the question's thread, in one made from it, or else right behind it."""

from dataclasses import dataclass

from adapters.discord import render
from adapters.discord.events import is_post
from adapters.discord.places import DIRECT, Places
from adapters.discord.refusals import (
    LOCKED,
    MISSING_ACCESS,
    MISSING_PERMISSION,
    THREAD_EXISTS,
    TOO_MANY_THREADS,
    UNKNOWN_MESSAGE,
    Refused,
)
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, item, number, snowflake
from bot.domain import Claim, Message

PAGE = 100  # messages; the most that Discord gives at once
SILENT = 1 << 12
"""Marks a question that the bot posted for somebody, and spares people a notification: the answer has its own."""
ARCHIVE_MINUTES = 1440  # A thread without news for a day is put away; a post brings it back.


NO_THREADS = frozenset({2, 13})  # voice and stage channels
NOT_STARTED = {
    MISSING_PERMISSION: "I may not create threads here, so I answer in the channel.",
    MISSING_ACCESS: "I may not create threads here, so I answer in the channel.",
    TOO_MANY_THREADS: "This server has too many active threads, so I answer in the channel.",
}
"""By Discord's code, why there is no thread where there could be one."""
NOT_OPEN = {
    LOCKED: "The thread is locked, so I answer here.",
    MISSING_PERMISSION: (
        "I may not write in the thread, so I answer here: give me Send Messages in Threads."
    ),
    MISSING_ACCESS: "I may not see the thread, so I answer here.",
}


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
    refers: str = ""
    """The post that is replied to where it is not the question."""
    note: str = ""
    """Why it is here, for people who expect it elsewhere."""


async def find_spot(claim: Claim, *, rest: Rest, places: Places) -> Spot:
    """Where this question is answered; makes the thread where there is none yet."""
    message, thread = claim.message, claim.message.thread
    if claim.posts:
        channel = claim.posts[0].partition("/")[0]
        beside_it = channel == thread.channel and thread.workspace != DIRECT
        # A thread that starts at the question does not hold it, so nothing there can reply to it.
        return Spot(channel, replies=channel != message.id, every=beside_it)
    if thread.workspace == DIRECT:
        return Spot(thread.channel, replies=True)
    channel_place, place = places.get(thread.channel), places.get(thread.root)
    in_thread = place is not None and place.is_thread
    if message.id == thread.root and in_thread:
        # The first post of a forum's thread has the thread's id and stands in it.
        return Spot(thread.root, replies=False)
    if not in_thread and channel_place is not None and channel_place.kind in NO_THREADS:
        return Spot(thread.channel, replies=True, every=True)
    if message.id == thread.root:
        return await made(message, rest)
    if in_thread or await may_be_thread(thread.root, rest):
        return Spot(thread.root, replies=True)
    # A chain of replies in the channel.
    return Spot(thread.channel, replies=True, every=True)


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
        note = NOT_STARTED.get(error.code, "")
        return Spot(message.thread.channel, replies=True, every=True, note=note)
    return Spot(message.id, replies=False, fresh=True)


def beside(message: Message, spot: Spot, error: Refused) -> Spot | None:
    """The channel above a thread that is closed to us; None where there is none or it would not help."""
    thread = message.thread
    if error.code not in NOT_OPEN or spot.channel == thread.channel or thread.workspace == DIRECT:
        return None
    note = NOT_OPEN[error.code]
    return Spot(thread.channel, replies=True, every=True, refers=thread.root, note=note)


async def is_thread(channel: str, rest: Rest) -> bool:
    """Whether there is a thread of this id that we can see."""
    try:
        return bool(await rest.get("/channels/{channel_id}", channel_id=channel))
    except Refused:
        return False


async def may_be_thread(channel: str, rest: Rest) -> bool:
    """Whether there is a thread of this id, also one that we cannot see."""
    try:
        return bool(await rest.get("/channels/{channel_id}", channel_id=channel))
    except Refused as error:
        return error.status != 404


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
        if asked_for_somebody(data):
            # What follows answers that one.
            question = snowflake(data, "id")
            continue
        question = answered_by(data) or question
        if question == (spot.refers or message.id):
            ours.append(snowflake(data, "id"))
    return ours


def asked_for_somebody(data: Json) -> bool:
    """Whether a post of the bot is a question that it posted for somebody."""
    return bool((number(data, "flags") or 0) & SILENT)


def answered_by(data: Json) -> str:
    return snowflake(item(data, "message_reference"), "message_id")
