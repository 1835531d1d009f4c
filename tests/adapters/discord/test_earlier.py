"""What a thread held before the bot was called into it."""

from adapters.discord import DiscordAdapter, events
from adapters.discord.places import Place
from bot.domain import Message
from tests.adapters.discord.conftest import FakeDesk, listening
from tests.servers.discord import DM, TEXT, THREAD, DiscordServer

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
PNG = ("a.png", b"\x89PNG...", "image/png")


def handed(discord: DiscordServer, said: dict[str, object], place: Place) -> Message:
    message = events.message(discord.told(said), place, BOT)
    assert message is not None
    return message


async def test_the_root_and_what_follows_come_oldest_first(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    root = await discord.say("the root", [PNG])
    await discord.open_thread(root["id"])
    await discord.say("a word", channel=root["id"], author="bob")
    await discord.say("our own", channel=root["id"], author="threadsight")
    said = await discord.say(f"<@{BOT}> and you?", channel=root["id"])
    await discord.say("later", channel=root["id"])
    question = handed(discord, said, Place(root["id"], GUILD, THREAD, CHANNEL))
    earlier = await adapter.earlier(question)

    assert [each.text for each in earlier] == ["the root", "a word"]
    assert {each.thread for each in earlier} == {question.thread}
    assert {each.kind for each in earlier} == {"context"}
    assert [file.name for file in earlier[0].attachments] == ["a.png"]


async def test_the_pictures_of_the_message_replied_to_belong_to_the_question(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    picture = await discord.say("look", [PNG], author="bob")
    between = await discord.say("what a thing", reply_to=picture["id"])
    said = await discord.say(f"<@{BOT}> what is it?", reply_to=between["id"])
    question = handed(discord, said, Place(CHANNEL, GUILD, TEXT))
    earlier = await adapter.earlier(question)

    assert [each.id for each in earlier] == [picture["id"], between["id"]]
    assert earlier[0].thread == question.thread
    assert await adapter.fetch(earlier[0], earlier[0].attachments[0]) == PNG[1]


async def test_a_plain_question_in_a_channel_has_nothing_before_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    await discord.say("chatter", [PNG])
    said = await discord.say(f"<@{BOT}> what is it?")

    assert await adapter.earlier(handed(discord, said, Place(CHANNEL, GUILD, TEXT))) == []


async def test_a_question_that_was_heard_to_reply_to_none_is_not_read_again(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    async with listening(discord, adapter, desk):
        await discord.say(f"<@{BOT}> what is it?")
        [question] = await desk.until(1)
        discord.requests.clear()

        assert await adapter.earlier(question) == []
        assert discord.requests == []


async def test_a_thread_whose_root_is_deleted_still_has_its_messages(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    root = await discord.say("the root")
    await discord.open_thread(root["id"])
    await discord.say("a word", channel=root["id"])
    await discord.remove(root["id"])
    said = await discord.say(f"<@{BOT}> and you?", channel=root["id"])
    question = handed(discord, said, Place(root["id"], GUILD, THREAD, CHANNEL))

    assert [each.text for each in await adapter.earlier(question)] == ["a word"]


async def test_a_place_that_we_may_not_read_gives_nothing(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("88", DM)
    await discord.say("before", channel="88")
    said = await discord.say("what is it?", channel="88")
    discord.denied.add(("88", "view"))

    assert await adapter.earlier(handed(discord, said, Place("88", "", DM))) == []
