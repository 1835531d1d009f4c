"""Deleting what the bot posted for somebody, since they take back what they asked."""

import asyncio
import logging
from collections.abc import Iterable

from adapters.discord.draft import HOOKED, delete
from adapters.discord.hooks import Hooks
from adapters.discord.questions import asked_by
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.spot import SILENT
from adapters.discord.wire import Json, item, number, snowflake, string
from bot.domain import Post, PostId
from bot.errors import ThreadsightError, TransientError

TRIES = 20
PAUSE_SECONDS = 5.0
PAGE = 100
MOST_THREADS = 50  # in which questions are looked for

log = logging.getLogger("threadsight.discord")


async def erase(posts: Iterable[Post], person: str, *, rest: Rest, hooks: Hooks) -> None:
    """Deletes answers, and the questions that the bot posted in this person's name beside them."""
    posts = tuple(posts)
    for post in posts:
        await patiently(post.id, rest, hooks)
    for name in await questions(posts, person, rest):
        await patiently(name, rest, hooks)


async def patiently(name: PostId, rest: Rest, hooks: Hooks) -> None:
    """Deletes one post, as often as it takes."""
    for _ in range(TRIES):
        try:
            await delete_one(name, rest, hooks)
            break
        except TransientError as error:
            await asyncio.sleep(error.retry_after or PAUSE_SECONDS)
        except ThreadsightError as error:
            log.warning("post not deleted: %s", type(error).__name__)
            break


async def delete_one(name: PostId, rest: Rest, hooks: Hooks) -> None:
    place, _, message = name.rpartition("/")
    if place != HOOKED:
        await delete(rest, name)
    elif hook := hooks.renewed(message):
        await hooks.delete(hook)


async def questions(posts: Iterable[Post], person: str, rest: Rest) -> list[PostId]:
    """The posts in which the bot asked for this person, in the threads that these posts stand in."""
    places = {(post.id.rpartition("/")[0], post.thread.channel, post.thread.root) for post in posts}
    found: list[PostId] = []
    for spot, channel, root in sorted(places)[:MOST_THREADS]:
        if spot == HOOKED:
            continue
        try:
            me = await rest.me()
            told = [(channel, each) for each in await starter(rest, channel, spot, root)]
            told += [(spot, each) for each in await around(rest, spot, root)]
        except ThreadsightError as error:
            log.warning("questions not looked for: %s", type(error).__name__)
            continue
        found += [
            f"{where}/{snowflake(data, 'id')}" for where, data in told if asks_for(data, person, me)
        ]
    return found


async def starter(rest: Rest, channel: str, spot: str, root: str) -> list[Json]:
    """The message that a thread was made from."""
    if spot != root:
        return []
    path = "/channels/{channel_id}/messages/{message_id}"
    try:
        return [await rest.get(path, channel_id=channel, message_id=root)]
    except Refused:
        return []


async def around(rest: Rest, spot: str, root: str) -> list[Json]:
    """What stands in a thread, or in a channel from a question on."""
    query: dict[str, str | int] = {"limit": PAGE}
    if spot != root and root.isdecimal():
        query["after"] = str(int(root) - 1)
    try:
        return await rest.list("/channels/{channel_id}/messages", query=query, channel_id=spot)
    except Refused:
        return []


def asks_for(data: Json, person: str, me: str) -> bool:
    """Whether a post is a question that the bot posted in this person's name."""
    ours = snowflake(item(data, "author"), "id") == me and (number(data, "flags") or 0) & SILENT
    return bool(ours) and string(data, "content").startswith(asked_by(person))
