"""What the doctor says of Discord."""

import re

import aiohttp

from adapters.discord import DiscordAdapter
from adapters.discord.probe import invitation
from tests.adapters.discord.conftest import made
from tests.servers.discord import DiscordServer, Fault


async def test_all_that_is_right_is_said_by_name(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    checks = await adapter.probe()

    assert all(check.ok for check in checks)
    assert {check.name for check in checks} == {
        "discord token",
        "discord intent",
        "discord gateway",
        "discord servers",
    }
    assert f"client_id={discord.application}" in checks[-1].text


async def test_a_missing_intent_is_named_with_its_mend(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.content_flag = False
    [check] = [check for check in await adapter.probe() if not check.ok]

    assert "switch on Message Content Intent" in check.text


async def test_a_wrong_token_is_named_with_its_mend(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, token="wrong") as adapter:
        [check] = await adapter.probe()

    assert not check.ok
    assert "DISCORD_TOKEN" in check.text


async def test_a_bot_in_no_server_is_given_the_link_that_invites_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.faults["GET /users/@me/guilds"] = Fault("status", status=200)
    [check] = [check for check in await adapter.probe() if not check.ok]

    assert "https://discord.com/oauth2/authorize?" in check.text


async def test_the_link_asks_for_what_the_bot_uses_and_no_more() -> None:
    granted = int(re.findall(r"permissions=(\d+)", invitation("1"))[0])

    # View Channel, Send Messages, Attach Files, Read Message History, Create Public Threads,
    # Send Messages in Threads: docs/discord.md names them.
    assert granted == sum(1 << bit for bit in (10, 11, 15, 16, 35, 38))


async def test_a_discord_that_is_away_is_a_line_of_the_report(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    await discord.close()
    [check] = await adapter.probe()

    assert not check.ok
