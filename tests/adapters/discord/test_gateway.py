"""The connection: several shards, what breaks and comes back, and what Discord refuses for good."""

import asyncio
import logging
import time

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from bot.errors import SetupError
from tests.adapters.discord.conftest import FakeDesk, listening, made
from tests.servers.discord import DM, TEXT, DiscordServer, Fault

MENTION = f"<@{DiscordServer.bot}>"
ELSEWHERE = str(1 << 22)
"""A server that the second of two shards hears."""


async def test_each_of_several_shards_hears_its_servers_and_direct_messages_come_once(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.shards, discord.guilds = 2, [discord.guild, ELSEWHERE]
    discord.add_channel("61", TEXT, guild_id=ELSEWHERE)
    discord.add_channel("88", DM)
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} here")
        await discord.say(f"{MENTION} there", channel="61")
        await discord.say("directly", channel="88")
        messages = await desk.until(3)

    told = {(message.thread.workspace, message.text) for message in messages}
    assert told == {(discord.guild, "here"), (ELSEWHERE, "there"), ("@me", "directly")}
    assert discord.gateway.shards_seen == [[0, 2], [1, 2]]
    assert discord.registered == 1


async def test_shards_that_are_told_to_reconnect_together_all_resume(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.shards, discord.guilds = 2, [discord.guild, ELSEWHERE]
    discord.add_channel("61", TEXT, guild_id=ELSEWHERE)
    async with listening(discord, adapter, desk):
        await discord.gateway.order(7)
        await discord.say(f"{MENTION} here")
        await discord.say(f"{MENTION} there", channel="61")
        await desk.until(2)

    assert (discord.gateway.identified, discord.gateway.resumed) == (2, 2)


async def test_a_connection_on_which_nothing_is_answered_is_cut_and_resumed(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    discord.gateway.interval_ms = 50
    async with (
        made(discord, session, ack_seconds=0.2) as adapter,
        listening(discord, adapter, desk),
    ):
        discord.gateway.silent = True
        await discord.say(f"{MENTION} did you hear?")
        await discord.until(lambda: discord.gateway.dials == 2)
        discord.gateway.silent = False
        [message] = await desk.until(1)

    assert message.text == "did you hear?"
    assert (discord.gateway.identified, discord.gateway.resumed) == (1, 1)


async def test_a_gateway_that_cannot_be_dialled_at_first_is_dialled_again(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuses_dials = 2
    started = time.monotonic()
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} at last")
        await desk.until(1)

    assert discord.gateway.identified == 1
    assert time.monotonic() - started < 4


async def test_a_session_outlives_a_gateway_that_cannot_be_dialled_for_a_moment(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuses_dials = 2
    await discord.gateway.drop()
    await discord.say(f"{MENTION} did you hear?")
    await desk.until(1)

    assert (discord.gateway.identified, discord.gateway.resumed) == (1, 1)


async def test_a_day_without_identifies_left_is_waited_out_and_said(
    discord: DiscordServer,
    adapter: DiscordAdapter,
    desk: FakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    discord.remaining, discord.reset_after = 0, 700
    started = time.monotonic()
    async with listening(discord, adapter, desk):
        waited = time.monotonic() - started

    assert waited > 0.7
    assert discord.gateway.identified == 1
    assert "grants no new connection" in caplog.text


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4004, "DISCORD_TOKEN"),
        (4012, "update Threadsight"),
        (4013, "update Threadsight"),
    ],
)
async def test_what_discord_refuses_for_good_is_said_in_plain_words(
    code: int, sentence: str, discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuse_with = code

    async with asyncio.timeout(10):
        with pytest.raises(SetupError, match=sentence):
            await adapter.listen(desk)
    assert discord.gateway.identified == 1


@pytest.mark.parametrize("code", [4010, 4011])
async def test_another_number_of_shards_is_asked_for_once_more(
    code: int, discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuse_with = code
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} at last")
        await desk.until(1)

    assert discord.requests.count("GET /gateway/bot") == 2


@pytest.mark.parametrize("code", [4010, 4011])
async def test_a_number_of_shards_that_is_refused_twice_is_said(
    code: int, discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuse_with, discord.gateway.refuses_again = code, True

    async with asyncio.timeout(10):
        with pytest.raises(SetupError, match="shard"):
            await adapter.listen(desk)
    assert discord.gateway.identified == 2


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009, 1001, 1011])
async def test_every_other_end_of_a_connection_is_followed_by_another(
    code: int, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.close_sockets(code)
    await discord.say(f"{MENTION} still there?")
    [message] = await desk.until(1)

    assert message.text == "still there?"


@pytest.mark.parametrize("flag", [True, False])
async def test_without_the_intent_it_says_the_mend_and_goes_on(
    flag: bool,
    discord: DiscordServer,
    adapter: DiscordAdapter,
    desk: FakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    discord.content_intent, discord.content_flag = False, flag
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} what is this?")
        [message] = await desk.until(1)

    assert message.text == "what is this?"
    assert "switch on Message Content Intent" in caplog.text
    # Flags that tell the truth cost no connection.
    assert discord.gateway.identified == 1 + flag


async def test_flags_that_cannot_be_read_keep_nobody_from_connecting(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.content_intent = False
    discord.faults["GET /applications/@me"] = Fault("status", times=99, status=503)
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} what is this?")
        await desk.until(1)

    assert discord.gateway.identified == 2
