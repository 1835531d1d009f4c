"""What a thread held before the bot was called: its messages, the one it starts from, those replied to."""

from adapters.discord.events import context, replied_to
from adapters.discord.files import homes
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import Json, item, items, snowflake
from bot.domain import Message

PAGE = 100  # messages; the most that Discord gives at once
REPLIES = 10  # so far a chain of replies is followed


async def earlier(rest: Rest, message: Message) -> list[Message]:
    """The messages before this one, oldest first, as far as Discord tells."""
    if not homes(message):
        return []
    found: dict[str, Json] = {}
    for data in [
        *await before(rest, message),
        *await starter(rest, message),
        *await replies(rest, message),
    ]:
        found.setdefault(snowflake(data, "id"), data)
    me = await rest.me()
    told = [context(without(message, data), message.thread, me) for data in found.values()]
    known = [each for each in told if each is not None and each.id != message.id]
    return sorted(known, key=lambda each: (each.sent_at, each.id))


def without(message: Message, data: Json) -> Json:
    """A post without the files that the question itself brings: one about a message brings that message's."""
    brought = {each.id for each in message.attachments}
    left = [each for each in items(data, "attachments") if snowflake(each, "id") not in brought]
    return {**data, "attachments": left}


async def before(rest: Rest, message: Message) -> list[Json]:
    """The newest messages of the thread before this one; a thread that starts here has none."""
    if message.id == message.thread.root:
        return []
    try:
        return await rest.list(
            "/channels/{channel_id}/messages",
            query={"before": message.id, "limit": PAGE},
            channel_id=message.thread.root,
        )
    except Refused:
        return []


async def starter(rest: Rest, message: Message) -> list[Json]:
    """The message that the thread was made from; it stands in the channel, not in the thread."""
    thread = message.thread
    if thread.root in (message.id, thread.channel):
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
