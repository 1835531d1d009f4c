"""Slack's payloads → nouns; pure. What is broken, a bot's or nobody's business becomes None."""

import re
from dataclasses import dataclass
from typing import Any

from adapters.slack.api import Json
from adapters.slack.markup import calls_group, mentions, readable
from adapters.slack.probe import Identity
from bot.domain import Attachment, Message, Scope, ThreadId

TIMESTAMP = re.compile(r"\d{1,16}\.\d{1,9}")
POSTED = ("", "file_share", "thread_broadcast", "me_message")
"""Subtypes of what people post; all others are Slack's own words, such as somebody joining."""

PLATFORM = "slack"
CHANNEL_GONE = ("channel_deleted", "group_deleted")
"""An archived channel is not among them: it can still be read, and brought back."""
FILE_GONE = ("file_deleted", "file_change")
STOPPED = ("agent_session_stopped", "message_stream_stopped")
"""The second is the first one's earlier name."""
ASKED = "ts-ask"
"""The id of the block by which a post of ours is known as a question of a person."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person pressed Slack's own Stop."""

    channel: str
    root: str
    posts: tuple[str, ...]
    """The streams that Slack ended; none when nothing was streamed yet."""
    person: str


Heard = Message | Scope | Stopped


def heard(body: Json, me: Identity) -> list[Heard]:
    """What an event means to the bot: something said, something deleted or stopped, or nothing."""
    event = table(body.get("event"))
    workspace = workspace_of(body, me)
    kind, channel = text(event, "type"), text(event, "channel")
    if not workspace:
        return []
    if kind in FILE_GONE:
        return file_gone(event, workspace)
    if not channel:
        return []
    if kind in CHANNEL_GONE:
        return [Scope(PLATFORM, workspace, channel)]
    if kind in STOPPED:
        return [stopped(event, channel)]
    if kind == "app_mention":
        return listed(said(event, workspace, channel, me, mentioned=True))
    return happened(event, workspace, channel, me) if kind == "message" else []


def happened(event: Json, workspace: str, channel: str, me: Identity) -> list[Heard]:
    """What became of a message."""
    subtype = text(event, "subtype")
    if subtype == "message_changed":
        return changed(event, workspace, channel, me)
    if subtype == "message_deleted":
        return listed(deleted(event, text(event, "deleted_ts"), workspace, channel, me))
    if subtype not in POSTED:
        return []
    message = said(event, workspace, channel, me, mentioned=is_direct(event))
    return listed(message if message and concerns(message, event) else None)


def changed(event: Json, workspace: str, channel: str, me: Identity) -> list[Heard]:
    """An edit by a person; link previews and the bot's own updates change messages as well."""
    after, before = table(event.get("message")), table(event.get("previous_message"))
    if text(after, "subtype") == "tombstone":
        # A deleted message under which others stand: Slack keeps its place.
        return listed(deleted(event, text(after, "ts"), workspace, channel, me))
    message = said(after, workspace, channel, me, mentioned=is_direct(event))
    if message is None:
        return []
    if not (concerns(message, after) or me.user in mentions(text(before, "text"))):
        return []
    gone = present(before) - present(after)
    scopes = [
        Scope(PLATFORM, workspace, channel, message=message.id, attachment=file)
        for file in sorted(gone)
    ]
    edited = edited_at(after) is not None and edited_at(after) != edited_at(before)
    return [*scopes, *([message] if edited else [])]


def deleted(event: Json, ts: str, workspace: str, channel: str, me: Identity) -> Scope | None:
    """A person's message that is gone, or one that the bot posted for a person."""
    before = table(event.get("previous_message"))
    if timestamp(ts) is None or (before and by_bot(before, me) and not for_person(before)):
        return None
    root = text(before, "thread_ts") or (ts if before else None)
    known = not before or "thread_ts" in before or me.user in mentions(text(before, "text"))
    if not known and not for_person(before) and not is_direct(event):
        return None
    return Scope(PLATFORM, workspace, channel, root=root, message=ts)


def file_gone(event: Json, workspace: str) -> list[Heard]:
    """A file that somebody deleted, wherever it was posted: Slack does not say where."""
    file = table(event.get("file"))
    name = text(event, "file_id") or text(file, "id")
    gone = text(event, "type") == "file_deleted" or text(file, "mode") == "tombstone"
    return [Scope(PLATFORM, workspace, attachment=name)] if name and gone else []


def stopped(event: Json, channel: str) -> Stopped:
    """Which answers a person stopped by Slack's own control."""
    streams = event.get("streaming_message_ts")
    named = streams if isinstance(streams, list) else [streams, event.get("message_ts")]
    posts = tuple(post for post in named if isinstance(post, str))
    return Stopped(channel, text(event, "thread_ts"), posts, text(event, "user"))


def present(message: Json) -> set[str]:
    """The ids of a message's files that are there; a deleted one leaves a stub."""
    return {
        text(file, "id")
        for file in items(message.get("files"))
        if text(file, "id") and text(file, "mode") != "tombstone"
    }


def for_person(message: Json) -> bool:
    """Whether a post of ours carries a person's question."""
    return any(text(block, "block_id").startswith(ASKED) for block in items(message.get("blocks")))


def listed(what: Heard | None) -> list[Heard]:
    return [] if what is None else [what]


def said(
    event: Json,
    workspace: str,
    channel: str,
    me: Identity,
    *,
    mentioned: bool,
) -> Message | None:
    """What a person posted."""
    sent_at = timestamp(text(event, "ts"))
    author = text(event, "user")
    if sent_at is None or not author or by_bot(event, me):
        return None
    words = text(event, "text")
    named = mentions(words)
    return Message(
        thread=ThreadId(PLATFORM, workspace, channel, root_of(event)),
        id=text(event, "ts"),
        author=author,
        text=readable(words, me.user),
        sent_at=sent_at,
        attachments=files(event),
        addressed=mentioned or me.user in named,
        to_others=bool(named - {me.user, author}) or calls_group(words),
        edited_at=edited_at(event),
    )


def remembered(item: Json, workspace: str, channel: str, root: str, me: Identity) -> Message | None:
    """A message of a thread's history, as context; other bots' pictures are worth a look too."""
    sent_at = timestamp(text(item, "ts"))
    author = text(item, "user") or text(item, "bot_id")
    own = author in (me.user, me.bot) or (me.bot and text(item, "bot_id") == me.bot)
    shown = text(item, "subtype") in (*POSTED, "bot_message")
    if sent_at is None or not author or own or not shown:
        return None
    return Message(
        thread=ThreadId(PLATFORM, workspace, channel, root),
        id=text(item, "ts"),
        author=author,
        text=readable(text(item, "text"), me.user),
        sent_at=sent_at,
        attachments=files(item),
        kind="context",
    )


def files(event: Json) -> tuple[Attachment, ...]:
    """The files of a message in their order, then those of a message that it forwards."""
    shared = [
        file
        for part in items(event.get("attachments"))
        if part.get("is_share")
        for file in items(part.get("files"))
    ]
    found = [attachment(file) for file in (*items(event.get("files")), *shared)]
    return tuple({file.id: file for file in found if file is not None}.values())


def attachment(file: Json) -> Attachment | None:
    """Where a file is; one without an address, such as another organisation's, is looked up later."""
    if not text(file, "id"):
        return None
    usable = text(file, "mode") not in ("tombstone", "hidden_by_limit", "file_access", "external")
    address = text(file, "url_private_download") or text(file, "url_private")
    return Attachment(
        id=text(file, "id"),
        name=text(file, "name") or text(file, "title") or text(file, "id"),
        media_type=text(file, "mimetype"),
        size=number(file, "size"),
        url=address if usable and not file.get("is_external") else "",
        width=number(file, "original_w"),
        height=number(file, "original_h"),
    )


def workspace_of(body: Json, me: Identity) -> str:
    """The workspace in which the bot heard it; in a shared channel that is not the author's."""
    for authorization in items(body.get("authorizations")):
        if text(authorization, "team_id"):
            return text(authorization, "team_id")
    return text(body, "team_id") or me.team


def by_bot(event: Json, me: Identity) -> bool:
    """Whether a program posted it."""
    author = text(event, "user")
    return bool(text(event, "bot_id")) or author in (me.user, "USLACKBOT")


def concerns(message: Message, event: Json) -> bool:
    """Whether a message may be the bot's business: it speaks to the bot or stands in a thread."""
    return message.addressed or "thread_ts" in event


def is_direct(event: Json) -> bool:
    """Whether it happened in a conversation of one person with the bot."""
    kind = text(event, "channel_type")
    return kind == "im" or (not kind and text(event, "channel").startswith("D"))


def edited_at(event: Json) -> float | None:
    """When a person last changed the message; a mention that an edit adds tells it as well."""
    return timestamp(text(table(event.get("edited")), "ts"))


def root_of(event: Json) -> str:
    """The timestamp of the message under which a message stands, or would stand if answered."""
    root = text(event, "thread_ts")
    return root if timestamp(root) is not None else text(event, "ts")


def timestamp(value: str) -> float | None:
    """Seconds since 1970; None when it is no timestamp of Slack's."""
    return float(value) if TIMESTAMP.fullmatch(value) else None


def text(fields: Json, name: str) -> str:
    """A text, or nothing where something else stands."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number(fields: Json, name: str) -> int | None:
    """A number that counts something, or None."""
    value = fields.get(name)
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        value = int(value)
    return value if isinstance(value, int) and 0 < value < 2**53 else None


def table(value: Any) -> Json:
    """A table, or an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Json]:
    """The tables of a list, or none where something else stands."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
