"""Where no thread can be made: the chain of replies is the thread."""

import pytest

from adapters.discord import DiscordAdapter
from bot.domain import Message, Reply, ThreadId
from tests.adapters.discord.conftest import FakeDesk, claimed
from tests.servers.discord import STAGE, VOICE, DiscordServer

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
MENTION = f"<@{BOT}>"
VOICE_CHANNEL = "60"
ANSWER = Reply("A cat.", footer=("1 in · 1 out",))


@pytest.fixture(params=[VOICE, STAGE])
def voice(discord: DiscordServer, request: pytest.FixtureRequest) -> str:
    discord.add_channel(VOICE_CHANNEL, request.param)
    return VOICE_CHANNEL


async def answered(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk, text: str, **more: object
) -> tuple[Message, str]:
    """A question in the voice channel and the id of the post that answers it."""
    count = len(desk.messages)
    await discord.say(text, channel=VOICE_CHANNEL, **more)  # type: ignore[arg-type]
    message = (await desk.until(count + 1))[-1]
    [post] = await adapter.draft(claimed(message)).finish(ANSWER)
    return message, post.partition("/")[2]


async def test_a_reply_to_an_answer_goes_on_with_its_conversation(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk, voice: str
) -> None:
    first, answer = await answered(discord, bot, desk, f"{MENTION} what is this?")
    second, answer = await answered(discord, bot, desk, "and that?", reply_to=answer)
    third, _ = await answered(discord, bot, desk, "and then?", reply_to=answer)

    assert first.thread == ThreadId("discord", GUILD, voice, first.id)
    assert second.thread == third.thread == first.thread
    assert (second.addressed, second.kind) == (False, "question")
    replies = [post["message_reference"]["message_id"] for post in discord.posts(voice)]
    assert replies == [first.id, second.id, third.id]


async def test_the_chain_is_followed_by_a_bot_that_remembers_nothing(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk, voice: str
) -> None:
    chain = [await discord.say(f"{MENTION} one", channel=voice)]
    for _ in range(3):
        answer = await discord.say(
            "Hm.", channel=voice, author="threadsight", reply_to=chain[-1]["id"]
        )
        chain.append(await discord.say("and?", channel=voice, reply_to=answer["id"]))
    messages = await desk.until(4)

    assert {message.thread.root for message in messages} == {chain[0]["id"]}


async def test_a_chain_whose_beginning_was_deleted_begins_where_it_is_still_there(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk, voice: str
) -> None:
    answer = await discord.say("Hm.", channel=voice, author="threadsight", reply_to="12345")
    await discord.say(f"{MENTION} and?", channel=voice, reply_to=answer["id"])
    [message] = await desk.until(1)

    assert message.thread.root == "12345"


async def test_a_reply_to_somebody_else_begins_a_conversation_of_its_own(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk, voice: str
) -> None:
    picture = await discord.say("look", channel=voice, author="bob")
    await discord.say(f"{MENTION} what is it?", channel=voice, reply_to=picture["id"])
    [message] = await desk.until(1)

    assert message.thread.root == message.id


async def test_an_edit_of_a_question_without_a_thread_is_heard_also_when_it_names_nobody(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk, voice: str
) -> None:
    said = await discord.say(f"{MENTION} wat?", channel=voice)
    await desk.until(1)
    await discord.change(said, "what?")
    message = (await desk.until(2))[-1]

    assert (message.id, message.text) == (said["id"], "what?")
    assert message.edited_at is not None
