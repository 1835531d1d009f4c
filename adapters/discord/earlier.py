"""What a thread held before the bot was called: its messages, the one it starts from, those replied to."""

from adapters.discord.events import context, is_post, replied_to, withheld
from adapters.discord.files import homes
from adapters.discord.places import DIRECT
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, item, items, snowflake
from bot.domain import Message
from bot.errors import Unread

PAGE = 100  # messages; the most that Discord gives at once
REPLIES = 10  # so far a chain of replies is followed

HIDDEN_ONE = "one earlier message is not shown to me by Discord: it does not mention me"
HIDDEN = "{count} earlier messages are not shown to me by Discord: they do not mention me"


async def earlier(rest: Rest, message: Message, *, plain: bool = False) -> list[Message]:
    """The messages before this one, oldest first; raises Unread with what Discord shows where that is not all.

    One that is known to be `plain` replies to none.
    """
    if not homes(message):
        return []
    found: dict[str, Json] = {}
    for data in [
        *await before(rest, message),
        *await starter(rest, message),
        *([] if plain else await replies(rest, message)),
    ]:
        found.setdefault(snowflake(data, "id"), data)
    me = await rest.me()
    shown = [data for data in found.values() if not hidden(data, me)]
    told = [context(without(message, data), message.thread, me) for data in shown]
    known = [each for each in told if each is not None and each.id != message.id]
    known.sort(key=lambda each: (each.sent_at, each.id))
    if count := len(found) - len(shown):
        raise Unread(HIDDEN_ONE if count == 1 else HIDDEN.format(count=count), known)
    return known


def hidden(data: Json, me: str) -> bool:
    """Whether Discord keeps from us what somebody wrote."""
    return is_post(data) and withheld(data) and snowflake(item(data, "author"), "id") != me


def without(message: Message, data: Json) -> Json:
    """A post without the files that the question itself brings: one about a message brings that message's."""
    brought = {each.id for each in message.attachments}
    left = [each for each in items(data, "attachments") if snowflake(each, "id") not in brought]
    return {**data, "attachments": left}


async def before(rest: Rest, message: Message) -> list[Json]:
    """The newest messages of the thread before this one; a thread that starts here has none."""
    thread = message.thread
    if message.id == thread.root:
        return []
    direct = thread.workspace == DIRECT
    try:
        found = await rest.list(
            "/channels/{channel_id}/messages",
            query={"before": message.id, "limit": PAGE},
            channel_id=thread.channel if direct else thread.root,
        )
    except Refused:
        return []
    if not direct:
        return found
    # A channel without threads holds one conversation after the other.
    start = int(thread.root) if thread.root.isdecimal() else 0
    return [data for data in found if int(snowflake(data, "id") or 0) >= start]


async def starter(rest: Rest, message: Message) -> list[Json]:
    """The message that the thread was made from; it stands in the channel, not in the thread."""
    thread = message.thread
    if thread.root == message.id or thread.workspace == DIRECT:
        return []
    try:
        return [await one(rest, thread.channel, thread.root)]
    except Refused:
        # Deleted, or a thread that was made from none.
        return []


async def replies(rest: Rest, message: Message) -> list[Json]:
    """The message that this one replies to, the one that that one replies to, and so on."""
    chain: list[Json] = []
    channel, current = homes(message)[0], message.id
    for _ in range(REPLIES):
        try:
            data = await one(rest, channel, current)
        except Refused:
            break
        if current != message.id:
            chain.append(data)
        answered = replied_to(data)
        current = snowflake(answered, "id") or snowflake(
            item(data, "message_reference"), "message_id"
        )
        if not answered or not current:
            break
    return chain


async def one(rest: Rest, channel: str, message: str) -> Json:
    return await rest.get(
        "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message
    )
