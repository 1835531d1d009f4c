"""What becomes of one message: withheld, refused, linked to pictures, changed, or strange."""

import asyncio

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from bot.domain import Card, Reply, Scope
from bot.errors import Unread
from tests.adapters.discord.conftest import FakeDesk, claimed, listening, made
from tests.servers.discord import DiscordServer, Fault

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
MENTION = f"<@{BOT}>"
PNG = ("a.png", b"\x89PNG...", "image/png")
CREATE = "POST /channels/{channel}/messages"
PROXY = "https://images-ext-1.discordapp.net/external/abc/https/x.example/cat.png"
PREVIEW = {
    "type": "image",
    "url": "https://x.example/cat.png",
    "thumbnail": {
        "url": "https://x.example/cat.png",
        "proxy_url": PROXY,
        "width": 640,
        "height": 480,
        "content_type": "image/png",
    },
}


# Without the message-content intent.


async def test_a_follow_up_that_discord_withholds_is_told_about_once(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    async with listening(discord, adapter, desk):
        said = await discord.say(f"{MENTION} what is this?", [PNG])
        [question] = await desk.until(1)
        await adapter.draft(claimed(question)).finish(Reply("A cat."))
        await discord.say("and this?", channel=said["id"])
        await discord.until(lambda: len(discord.contents(said["id"])) == 2)
        await discord.say("hello?", channel=said["id"])
        await discord.say(f"{MENTION} now?", channel=said["id"])
        messages = await desk.until(2)

    first, notice = discord.contents(said["id"])
    assert (
        first == "A cat.\n-# I can read only messages that mention me: mention me in each question."
    )
    assert "Mention me in it" in notice
    assert [message.text for message in messages] == ["what is this?", "now?"]
    assert discord.pings == []


async def test_only_the_first_answer_of_a_thread_says_what_needs_a_mention(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    async with listening(discord, adapter, desk):
        said = await discord.say(f"{MENTION} one?")
        [first] = await desk.until(1)
        await adapter.draft(claimed(first)).finish(Reply("One."))
        await discord.say(f"{MENTION} two?", channel=said["id"])
        second = (await desk.until(2))[1]
        await adapter.draft(claimed(second)).finish(Reply("Two."))

    one, two = discord.contents(said["id"])
    assert "mention me" in one
    assert two == "Two."


async def test_a_reply_to_the_bot_that_discord_withholds_is_told_about_and_chatter_is_not(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    async with listening(discord, adapter, desk):
        ours = await discord.say("Hello.", author="threadsight")
        await discord.say("just chatting", author="bob")
        await discord.say("and this?", reply_to=ours["id"])
        await discord.until(lambda: len(discord.contents(CHANNEL)) == 2)
        await discord.say(f"{MENTION} end")
        await desk.until(1)

    assert len(discord.contents(CHANNEL)) == 2


async def test_in_direct_messages_nothing_needs_a_mention(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    discord.add_channel("88", 1)
    async with listening(discord, adapter, desk):
        await discord.say("what is this?", [PNG], channel="88")
        [question] = await desk.until(1)
        await adapter.draft(claimed(question)).finish(Reply("A cat."))

    assert discord.contents("88") == ["A cat."]


async def test_earlier_messages_that_discord_withholds_are_counted(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    root = await discord.say("look", [PNG])
    await discord.open_thread(root["id"])
    await discord.say("at this", channel=root["id"])
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} what is it?", channel=root["id"])
        [question] = await desk.until(1)
        with pytest.raises(Unread, match="2 earlier messages") as raised:
            await adapter.earlier(question)

    assert raised.value.found == []


async def test_the_help_says_what_needs_a_mention(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    desk.card = Card("Help", "Post a picture.")
    help_command = {"name": "vision", "type": 1, "options": [{"name": "help", "type": 1}]}
    async with listening(discord, adapter, desk):
        seen = await discord.answer_to(help_command)

    assert "mention me in each question" in seen["contents"][0]


# What the desk says of a message.


async def test_a_refusal_is_a_short_reply_that_calls_nobody(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.refusal = Card("", "You may not use me here.")
    discord.faults[CREATE] = Fault("lost")
    said = await discord.say(f"{MENTION} what is this?")
    await discord.until(lambda: bool(discord.contents(CHANNEL)))
    await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert post["content"] == "You may not use me here."
    assert post["message_reference"]["message_id"] == said["id"]
    assert discord.pings == []


# Pictures that a message links to.


async def test_a_linked_picture_comes_through_discords_own_proxy(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} https://x.example/cat.png", embeds=[PREVIEW])
    [message] = await desk.until(1)

    [file] = message.attachments
    assert (file.name, file.url, file.linked) == ("cat.png", PROXY, False)
    assert (file.width, file.height) == (640, 480)


async def test_a_preview_that_comes_a_moment_later_is_waited_for(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} https://x.example/cat.png")
    said["embeds"] = [PREVIEW]
    await discord.tell("MESSAGE_UPDATE", said)
    [message] = await desk.until(1)

    assert [file.url for file in message.attachments] == [PROXY]


async def test_a_preview_that_comes_too_late_is_added(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with (
        made(discord, session, preview_seconds=0.01) as adapter,
        listening(discord, adapter, desk),
    ):
        said = await discord.say(f"{MENTION} https://x.example/cat.png")
        await desk.until(1)
        said["embeds"] = [PREVIEW]
        await discord.tell("MESSAGE_UPDATE", said)
        first, second = await desk.until(2)

    assert first.attachments == ()
    assert [file.url for file in second.attachments] == [PROXY]
    assert (second.id, second.edited_at) == (first.id, None)


async def test_what_follows_a_message_that_is_held_back_for_its_preview_comes_after_it(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with (
        made(discord, session, preview_seconds=0.3) as adapter,
        listening(discord, adapter, desk),
    ):
        await discord.say(f"{MENTION} https://x.example/cat.png")
        await discord.say(f"{MENTION} and this?")
        messages = await desk.until(2)

    assert [message.text for message in messages] == ["https://x.example/cat.png", "and this?"]


async def test_without_the_intent_a_preview_is_looked_up(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    async with (
        made(discord, session, preview_seconds=0.05) as adapter,
        listening(discord, adapter, desk),
    ):
        said = await discord.say(f"{MENTION} https://x.example/cat.png")
        said["embeds"] = [PREVIEW]
        [message] = await desk.until(1)

    assert [file.url for file in message.attachments] == [PROXY]


async def test_an_edit_that_discord_withholds_empties_nothing(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = discord.content_flag = False
    async with listening(discord, adapter, desk):
        said = await discord.say(f"{MENTION} what is this?", [PNG])
        await desk.until(1)
        await discord.change(said, "what is this?")
        await discord.say(f"{MENTION} end")
        messages = await desk.until(2)

    assert [message.text for message in messages] == ["what is this?", "end"]


async def test_a_late_preview_beside_a_picture_asks_nothing_anew(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with (
        made(discord, session, preview_seconds=0.01) as adapter,
        listening(discord, adapter, desk),
    ):
        said = await discord.say(f"{MENTION} https://x.example/cat.png", [PNG])
        await desk.until(1)
        said["embeds"] = [PREVIEW]
        await discord.tell("MESSAGE_UPDATE", said)
        await discord.say(f"{MENTION} end")
        messages = await desk.until(2)

    assert messages[1].text == "end"


@pytest.mark.parametrize("text", ["<https://x.example/cat.png>", "no link", "http:// ,"])
async def test_nothing_is_waited_for_where_discord_will_add_nothing(
    text: str, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} {text}")
    async with asyncio.timeout(1.0):
        await desk.until(1)


async def test_previews_of_a_forwarded_message_are_seen(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("88", 1)
    original = await discord.say("see https://x.example/cat.png", embeds=[PREVIEW])
    await discord.say(
        "", channel="88", snapshots=[original], message_reference={"type": 1, "channel_id": "5"}
    )
    [message] = await desk.until(1)

    assert [file.url for file in message.attachments] == [PROXY]


# Changes and deletions.


async def test_a_preview_and_a_pin_are_no_edits(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} what is this?", [PNG])
    await desk.until(1)
    said["pinned"] = True
    await discord.tell("MESSAGE_UPDATE", said)
    await discord.say(f"{MENTION} end")
    messages = await desk.until(2)

    assert messages[1].text == "end"


async def test_an_update_without_an_author_is_no_edit(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} what is this?")
    await desk.until(1)
    bare = {"id": said["id"], "channel_id": CHANNEL, "guild_id": GUILD, "embeds": [PREVIEW]}
    await discord.gateway.dispatch("MESSAGE_UPDATE", bare)
    await discord.say(f"{MENTION} end")
    messages = await desk.until(2)

    assert messages[1].text == "end"


async def test_a_file_that_is_taken_out_of_a_message_is_no_longer_part_of_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} these?", [PNG, ("b.png", b"...", "image/png")])
    await desk.until(1)
    said["attachments"] = said["attachments"][:1]
    await discord.change(said, said["content"])
    second = (await desk.until(2))[1]

    assert [file.name for file in second.attachments] == ["a.png"]
    assert second.edited_at is not None


async def test_a_mention_that_is_added_by_an_edit_is_a_question(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say("what is this?", [PNG])
    await discord.change(said, f"{MENTION} what is this?")
    [message] = await desk.until(1)

    assert (message.addressed, message.text) == (True, "what is this?")


async def test_many_deletions_at_once_take_their_answers_along(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = [await discord.say(f"{MENTION} {n}?") for n in range(3)]
    answers = [await discord.say(f"{n}.", author="threadsight") for n in range(3)]
    for question, answer in zip(said, answers, strict=True):
        desk.answers[question["id"]] = (f"{CHANNEL}/{answer['id']}",)
    gone = {"ids": [each["id"] for each in said], "channel_id": CHANNEL, "guild_id": GUILD}
    await discord.gateway.dispatch("MESSAGE_DELETE_BULK", gone)
    await desk.until_retracted(3)
    await discord.until(lambda: not discord.contents(CHANNEL))

    assert {scope.message for scope in desk.scopes} >= {each["id"] for each in said}


async def test_a_deleted_channel_is_handed_in_whole(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.dispatch("CHANNEL_DELETE", discord.channels[CHANNEL])
    [scope] = await desk.until_retracted(1)

    assert scope == Scope("discord", GUILD, CHANNEL)


# What is strange.


@pytest.mark.parametrize(
    "text",
    [
        "\u200b\u200e",
        "\u202eesrever\u202c",
        "👩‍👩‍👧‍👦" * 500,
        "z\u0335" * 900,
        "",
        "\u0000",
        "<@>" * 600,
    ],
)
async def test_whatever_people_write_is_handed_in_and_named(
    text: str, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} {text}")
    [message] = await desk.until(1)
    await bot.draft(claimed(message)).finish(Reply("Hm."))

    assert discord.contents(message.id) == ["Hm."]
    assert discord.channels[message.id]["name"].strip()
