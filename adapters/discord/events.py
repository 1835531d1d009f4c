"""Discord's payloads → the nouns. Pure."""

import re
from datetime import datetime

from adapters.discord.places import DIRECT, Place
from adapters.discord.previews import previews_of
from adapters.discord.wire import Json, item, items, number, snowflake, string, strings
from bot.domain import Attachment, Message, Scope, ThreadId

PLATFORM = "discord"
EPOCH_MILLISECONDS = 1_420_070_400_000  # Discord counts from the first second of 2015
POSTS = frozenset({0, 19})  # message types that a person writes: a message and a reply
FORWARD = 1  # type of a message_reference
HAS_THREAD = 1 << 5
IS_SPOILER = 1 << 3  # an attachment's flag
SPOILER = "SPOILER_"
"""Begins the name of a file that people see only when they choose to."""
MENTION = re.compile(r"<@!?(\d+)>")
EMOJI = re.compile(r"<a?(:\w+:)\d+>")

CONTENTS = ("attachments", "embeds", "message_snapshots", "sticker_items", "components", "poll")


def message(
    data: Json, place: Place, me: str, roles: frozenset[str] = frozenset()
) -> Message | None:
    """A person's post as the bot knows it; None for anything else. `roles` are the bot's own in the server."""
    if not by_a_person(data) or not is_post(data):
        return None
    addressed = not place.guild or mentions_me(data, me, roles)
    return Message(
        thread=thread_of(place, snowflake(data, "id")),
        id=snowflake(data, "id"),
        author=snowflake(item(data, "author"), "id"),
        text=text_of(data, me, roles),
        sent_at=sent_at(snowflake(data, "id")),
        attachments=attachments_of(data),
        # What stands in a channel and does not speak to the bot can only be what a thread starts from.
        kind="question" if addressed or place.is_thread else "context",
        addressed=addressed,
        to_others=not addressed and mentions_others(data, me),
        edited_at=moment(string(data, "edited_timestamp")),
    )


def roles_of(data: Json) -> list[str]:
    """The roles of whoever wrote a message or used a command in a server."""
    return [role for role in strings(item(data, "member"), "roles") if role.isdecimal()]


def context(data: Json, thread: ThreadId, me: str) -> Message | None:
    """A post that stood in a thread before the bot was called into it, whoever wrote it but the bot itself."""
    author = snowflake(item(data, "author"), "id")
    if not is_post(data) or author in ("", me):
        return None
    return Message(
        thread=thread,
        id=snowflake(data, "id"),
        author=author,
        text=text_of(data, me, frozenset()),
        sent_at=sent_at(snowflake(data, "id")),
        attachments=attachments_of(data),
        kind="context",
        edited_at=moment(string(data, "edited_timestamp")),
    )


def deletions(event: str, data: Json, place: Place | None) -> list[Scope]:
    """What an event says was deleted."""
    guild = snowflake(data, "guild_id") or DIRECT
    if event == "MESSAGE_DELETE":
        return [of_message(guild, place, snowflake(data, "id"))]
    if event == "MESSAGE_DELETE_BULK":
        return [of_message(guild, place, each) for each in strings(data, "ids")]
    if event == "THREAD_DELETE":
        channel, root = snowflake(data, "parent_id"), snowflake(data, "id")
        return [Scope(PLATFORM, guild, channel, root)] if channel and root else []
    if event == "CHANNEL_DELETE":
        return [Scope(PLATFORM, guild, snowflake(data, "id"))]
    if event == "GUILD_DELETE" and data.get("unavailable") is not True:
        # The bot was removed from the server; an outage says `unavailable`.
        return [Scope(PLATFORM, snowflake(data, "id"))]
    return []


def of_message(guild: str, place: Place | None, deleted: str) -> Scope:
    """One message; a place that is unknown leaves its id, which Discord gives only once."""
    if place is None:
        return Scope(PLATFORM, guild, message=deleted)
    thread = thread_of(place, deleted)
    return Scope(PLATFORM, thread.workspace, thread.channel, thread.root, deleted)


def thread_of(place: Place, message_id: str) -> ThreadId:
    """A thread's id is that of the message it starts from, so a question's thread is known before it exists."""
    if not place.guild:
        # Without threads: the store knows which conversation goes on.
        return ThreadId(PLATFORM, DIRECT, place.id, "")
    if place.is_thread:
        return ThreadId(PLATFORM, place.guild, place.parent, place.id)
    return ThreadId(PLATFORM, place.guild, place.id, message_id)


def is_post(data: Json) -> bool:
    """Whether somebody wrote it, rather than Discord noting that something happened."""
    return bool(snowflake(data, "id")) and (number(data, "type") or 0) in POSTS


def by_a_person(data: Json) -> bool:
    """Whether a person wrote it: no bot, no webhook, not Discord itself."""
    author = item(data, "author")
    machine = author.get("bot") or author.get("system") or data.get("webhook_id")
    return bool(snowflake(author, "id")) and not machine


def is_edit(data: Json) -> bool:
    """Whether its author changed it; a preview that was added or a thread that was made is no edit."""
    return bool(string(data, "edited_timestamp"))


def has_thread(data: Json) -> bool:
    """Whether a thread was made from it."""
    return bool((number(data, "flags") or 0) & HAS_THREAD or item(data, "thread"))


def mentions_me(data: Json, me: str, roles: frozenset[str]) -> bool:
    """By name, by a reply that pings, or by the bot's own role, which people take for its name."""
    if me in MENTION.findall(string(data, "content")):
        return True
    if any(snowflake(user, "id") == me for user in items(data, "mentions")):
        return True
    return not roles.isdisjoint(strings(data, "mention_roles"))


def mentions_others(data: Json, me: str) -> bool:
    others = {snowflake(user, "id") for user in items(data, "mentions")} - {me, ""}
    return bool(others or strings(data, "mention_roles"))


def text_of(data: Json, me: str, roles: frozenset[str]) -> str:
    """What it says as people read it."""
    parts = [readable(data, me, roles)]
    parts += [quoted(readable(each, me, roles)) for each in snapshots(data)]
    return "\n".join(part for part in parts if part)


def withheld(data: Json) -> bool:
    """Whether it is empty as no post can be: Discord blanks posts without the message-content intent."""
    return not string(data, "content") and not any(data.get(name) for name in CONTENTS)


def readable(data: Json, me: str, roles: frozenset[str]) -> str:
    """The content with names for numbers, and without the bot's own."""
    names = {snowflake(user, "id"): name_of(user) for user in items(data, "mentions")}

    def named(match: re.Match[str]) -> str:
        if match[1] == me:
            return ""
        return f"@{names[match[1]]}" if match[1] in names else match[0]

    text = MENTION.sub(named, string(data, "content"))
    for role in roles:
        text = text.replace(f"<@&{role}>", "")
    return EMOJI.sub(r"\1", text).strip()


def name_of(user: Json) -> str:
    nick = string(item(user, "member"), "nick")
    return nick or string(user, "global_name") or string(user, "username") or "someone"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def snapshots(data: Json) -> list[Json]:
    """What a forward carries; its own content and attachments are empty."""
    return [item(each, "message") for each in items(data, "message_snapshots")]


def attachments_of(data: Json) -> tuple[Attachment, ...]:
    """The files of a post and of one that it forwards, and the pictures that it links to; each once."""
    posts = [data, *snapshots(data)]
    files = [attachment(each) for post in posts for each in items(post, "attachments")]
    linked = [each for post in posts for each in previews_of(post)]
    return tuple({file.id: file for file in [*files, *linked] if file.id}.values())


def attachment(data: Json) -> Attachment:
    """Where a file is, and what Discord says of it."""
    name = string(data, "filename") or "file"
    veiled = (number(data, "flags") or 0) & IS_SPOILER and not name.startswith(SPOILER)
    return Attachment(
        id=snowflake(data, "id"),
        name=f"{SPOILER}{name}" if veiled else name,
        media_type=string(data, "content_type"),
        size=number(data, "size"),
        url=string(data, "url"),
        width=number(data, "width"),
        height=number(data, "height"),
    )


def replied_to(data: Json) -> Json:
    """The post that this one answers, when Discord sends it along."""
    if number(item(data, "message_reference"), "type") == FORWARD:
        return {}
    return item(data, "referenced_message")


def sent_at(message_id: str) -> float:
    """Seconds since 1970; an id tells when it was given, to the millisecond."""
    return ((int(message_id) >> 22) + EPOCH_MILLISECONDS) / 1000


def first_id_at(seconds: float) -> int:
    """The smallest id that Discord can have given at a moment in seconds since 1970."""
    return max(0, int(seconds * 1000) - EPOCH_MILLISECONDS) << 22


def moment(timestamp: str) -> float | None:
    """Seconds since 1970."""
    try:
        return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    except (ValueError, OverflowError):
        return None
