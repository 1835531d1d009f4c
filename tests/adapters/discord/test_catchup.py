"""What was said while the bot was away, and what of it survives a bot that dies while it reads."""

import time

import aiohttp

from adapters.discord import DiscordAdapter
from adapters.discord.events import first_id_at
from bot.domain import ThreadId
from tests.adapters.discord.conftest import FakeDesk, listening, made
from tests.servers.discord import DM, TEXT, DiscordServer, Fault

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
MENTION = f"<@{BOT}>"
HISTORY = "GET /channels/{channel}/messages"


async def test_how_far_was_read_is_noted_when_the_bot_stops(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    async with listening(discord, adapter, desk):
        said = await discord.say(f"{MENTION} one")
        await desk.until(1)
        last = await discord.say("chatter")
        await discord.say(f"{MENTION} two")
        await desk.until(2)

    assert said["id"] < last["id"]
    assert int(desk.marks[GUILD, GUILD]) > int(last["id"])


async def test_a_bot_that_dies_while_it_catches_up_has_missed_nothing(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    discord.add_channel("61", TEXT)
    await discord.say(f"{MENTION} older", channel="61")
    await discord.say(f"{MENTION} newer")
    # The second channel is never read: its messages do not come, and then the process is gone.
    late = discord.faults[HISTORY] = Fault("late", times=9, after=1)
    async with made(discord, session) as first, listening(discord, first, desk):
        await desk.until(1)
    late.until.set()
    discord.faults.clear()
    # What was stored is new, and would hide what was not.
    desk.seen = time.time()
    async with made(discord, session) as second, listening(discord, second, desk):
        await desk.until(3)

    assert [message.text for message in desk.messages] == ["newer", "newer", "older"]


async def test_what_a_bot_noted_is_not_read_again(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    discord.shift = -600.0
    await discord.say(f"{MENTION} known")
    discord.shift = 0.0
    desk.marks[GUILD, GUILD] = str(first_id_at(time.time() - 300.0))
    await discord.say(f"{MENTION} missed")
    async with listening(discord, adapter, desk):
        [message] = await desk.until(1)

    assert message.text == "missed"


async def test_a_channel_that_cannot_be_read_just_now_is_read_later(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    await discord.say(f"{MENTION} missed")
    discord.faults[HISTORY] = Fault("status", times=4, status=503)
    async with listening(discord, adapter, desk):
        [message] = await desk.until(1)

    assert message.text == "missed"


async def test_no_more_than_the_newest_hundred_messages_of_a_place_are_read(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    for number in range(130):
        await discord.say(f"{MENTION} {number}")
    async with listening(discord, adapter, desk):
        messages = await desk.until(100)

    assert [message.text for message in messages] == [str(number) for number in range(30, 130)]
    assert discord.requests.count(HISTORY) == 1


async def test_what_was_said_before_the_bot_was_invited_is_not_for_it(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    guild = "2000"
    discord.add_channel("61", TEXT, guild_id=guild)
    desk.seen = time.time() - 7200.0
    discord.shift = -3600.0
    await discord.say(f"{MENTION} before", channel="61")
    discord.shift = 0.0
    async with listening(discord, adapter, desk):
        joined = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 60))
        state = {**discord.guild_state(guild), "joined_at": joined}
        await discord.gateway.dispatch("GUILD_CREATE", state)
        await discord.say(f"{MENTION} after", channel="61")
        [message] = await desk.until(1)

    assert message.text == "after"


async def test_direct_messages_that_came_in_mid_reconnection_are_read_once(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("88", DM)
    await discord.say("first", channel="88")
    await desk.until(1)
    desk.known = [ThreadId("discord", "@me", "88", "1")]
    await discord.gateway.hang_up(4009)
    await discord.say("missed", channel="88")
    messages = await desk.until(2)

    assert [message.text for message in messages] == ["first", "missed"]


async def test_threads_with_answers_of_ours_take_no_channels_turn(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    for number in range(40):
        discord.add_channel(str(2000 + number), TEXT)
        said = await discord.say(f"{MENTION} {number}", channel=str(2000 + number))
        if number % 2:
            await discord.open_thread(said["id"])
            await discord.say("an answer", channel=said["id"], author="threadsight")
    async with listening(discord, adapter, desk):
        messages = await desk.until(40)

    assert {message.text for message in messages} == {str(number) for number in range(40)}
