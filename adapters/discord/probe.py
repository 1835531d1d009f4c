"""The doctor's look at Discord: the token, the intent, the servers, and the link that invites the bot."""

import discord

from adapters.discord.rest import Rest
from adapters.discord.sight import CONTENT_FLAGS, NO_INTENT
from adapters.discord.wire import Json, item, number, snowflake, string
from bot.domain import Check
from bot.errors import ThreadsightError

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    read_message_history=True,
    attach_files=True,
)


async def probe(rest: Rest) -> list[Check]:
    """One line for each thing that must be right; a token that is refused leaves nothing else to look at."""
    try:
        me = await rest.get("/users/@me")
        application = await rest.get("/applications/@me")
        gateway = await rest.get("/gateway/bot")
        guilds = await rest.list("/users/@me/guilds", query={"limit": 200})
    except ThreadsightError as error:
        return [Check("discord token", False, error.sentence)]
    return [
        Check("discord token", True, f"signed in as {string(me, 'username')}"),
        intent_check(application),
        gateway_check(gateway),
        guilds_check(len(guilds), application),
    ]


def intent_check(application: Json) -> Check:
    """Whether the bot may read messages that do not mention it."""
    if (number(application, "flags") or 0) & CONTENT_FLAGS:
        return Check("discord intent", True, "Message Content Intent is on")
    return Check("discord intent", False, NO_INTENT)


def gateway_check(gateway: Json) -> Check:
    """Whether Discord lets the bot connect as often as it may have to."""
    limit = item(gateway, "session_start_limit")
    left, total = number(limit, "remaining"), number(limit, "total")
    if left is None:
        return Check("discord gateway", True, "reachable")
    return Check("discord gateway", left > 0, f"{left:,} of {total or 0:,} connections left today")


def guilds_check(count: int, application: Json) -> Check:
    """Whether the bot is anywhere, and the link that invites it."""
    link = invitation(snowflake(application, "id"))
    if count == 0:
        return Check("discord servers", False, f"in no server yet: open {link} to invite the bot")
    return Check("discord servers", True, f"in {count:,}; to invite it to another: {link}")


def invitation(application: str) -> str:
    """The address where somebody who manages a server adds the bot to it."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application}"
        f"&permissions={PERMISSIONS.value}&scope=bot+applications.commands"
    )
