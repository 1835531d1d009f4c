"""Where a reply stands when its thread cannot be made, is closed, or is gone."""

import aiohttp
import pytest

from adapters.discord import DiscordAdapter, events
from adapters.discord.places import Place
from bot.domain import Message, Reply
from bot.errors import PermanentError
from tests.adapters.discord.conftest import asked, claimed, made
from tests.servers.discord import (
    ANNOUNCEMENT_THREAD,
    ANNOUNCEMENTS,
    TEXT,
    THREAD,
    DiscordServer,
    Fault,
)

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
THREADS = "POST /channels/{channel}/messages/{message}/threads"
ANSWER = Reply("A cat.", footer=("1 in · 1 out",))


async def test_an_announcement_is_answered_in_a_thread_at_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("62", ANNOUNCEMENTS)
    question = await asked(discord, channel="62")
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id)
    assert discord.channels[question.id]["parent_id"] == "62"


async def test_a_thread_at_an_announcement_is_a_thread(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("62", ANNOUNCEMENTS)
    discord.add_channel("63", ANNOUNCEMENT_THREAD, parent_id="62")
    question = await asked(discord, channel="63")
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert (question.thread.channel, question.thread.root) == ("62", "63")
    assert discord.contents("63")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, 160006, "too many active threads"),
        (403, 50013, "may not create threads"),
        (403, 50001, "may not create threads"),
        (400, 50024, ""),
    ],
)
async def test_where_no_thread_can_be_made_the_answer_says_why_it_is_a_reply(
    status: int, code: int, said: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.faults[THREADS] = Fault("status", status=status, body={"code": code, "message": ""})
    question = await asked(discord)
    await adapter.draft(claimed(question)).finish(ANSWER)

    [post] = discord.posts(CHANNEL)
    assert post["message_reference"]["message_id"] == question.id
    assert said in post["content"]


@pytest.mark.parametrize("how", ["locked", "no permission"])
async def test_an_answer_that_its_thread_does_not_take_stands_in_the_channel_and_says_why(
    how: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    root = await discord.say("look")
    thread = await discord.open_thread(root["id"])
    question = await asked(discord, channel=root["id"])
    if how == "locked":
        thread["locked"] = thread["archived"] = True
    else:
        discord.denied.add((root["id"], "send"))
    posts = await adapter.draft(claimed(question)).finish(ANSWER)

    [post] = discord.posts(CHANNEL)
    assert post["message_reference"]["message_id"] == root["id"]
    assert "so I answer here" in post["content"]
    assert posts == (f"{CHANNEL}/{post['id']}",)


async def test_a_thread_that_is_locked_in_mid_answer_loses_nothing(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: discord.contents(question.id) == ["A"])
    discord.channels[question.id] |= {"locked": True, "archived": True}
    await draft.finish(ANSWER)

    [content] = discord.contents(CHANNEL)
    assert content.startswith("A cat.")


async def test_a_forum_post_that_is_locked_has_nowhere_else_to_be_answered(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("70", 15)
    discord.add_channel("71", THREAD, parent_id="70", locked=True)
    question = await asked(discord, channel="71")

    with pytest.raises(PermanentError, match="locked"):
        await adapter.draft(claimed(question)).finish(ANSWER)


async def test_a_channel_that_vanishes_in_mid_answer_is_said_to_be_gone(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: discord.contents(question.id) == ["A"])
    for channel in (CHANNEL, question.id):
        del discord.channels[channel]
        discord.messages.pop(channel)

    with pytest.raises(PermanentError, match="gone"):
        await draft.finish(ANSWER)


async def test_a_bot_that_is_kicked_in_mid_answer_ends_with_a_sentence(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: discord.contents(question.id) == ["A"])
    discord.denied |= {(channel, "view") for channel in (CHANNEL, question.id)}

    with pytest.raises(PermanentError, match="may not see this channel"):
        await draft.finish(ANSWER)


async def test_a_chain_of_replies_in_a_channel_is_answered_in_it(
    discord: DiscordServer, adapter: DiscordAdapter, session: aiohttp.ClientSession
) -> None:
    discord.denied.add((CHANNEL, "threads"))
    first = await asked(discord)
    [name] = await adapter.draft(claimed(first)).finish(ANSWER)
    said = await discord.say("and?", reply_to=name.partition("/")[2])
    told = events.message(discord.told(said), Place(CHANNEL, GUILD, TEXT), BOT)
    assert told is not None
    second = Message(first.thread, said["id"], told.author, told.text, told.sent_at)
    async with made(discord, session) as fresh:
        await fresh.draft(claimed(second)).finish(ANSWER)

    references = [post["message_reference"]["message_id"] for post in discord.posts(CHANNEL)]
    assert references == [first.id, second.id]
