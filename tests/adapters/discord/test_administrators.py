"""Who manages a server, asked of Discord where no event tells."""

import pytest

from adapters.discord import DiscordAdapter
from tests.servers.discord import DiscordServer, Fault

GUILD = DiscordServer.guild


@pytest.mark.parametrize(
    ("roles", "manages"),
    [(["90"], True), (["91"], True), (["92"], False), ([], False), (["92", "90"], True)],
)
async def test_a_role_that_manages_the_server_makes_an_administrator(
    roles: list[str], manages: bool, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.roles |= {"90": str(1 << 5), "91": str(1 << 3), "92": str(1 << 10)}
    ann = discord.person("ann")["id"]
    discord.members[ann] = roles

    assert await adapter.administers(GUILD, ann) is manages


async def test_the_owner_is_an_administrator_and_a_stranger_is_none(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.members = {discord.owner: [], "502": []}

    assert await adapter.administers(GUILD, discord.owner)
    assert not await adapter.administers(GUILD, "502")
    assert not await adapter.administers(GUILD, "503")


async def test_a_server_where_everybody_may_manage_has_only_administrators(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.roles[GUILD] = str(1 << 5)
    discord.members["502"] = []

    assert await adapter.administers(GUILD, "502")


@pytest.mark.parametrize("workspace", ["@me", "@private", "", "2000"])
async def test_where_there_is_no_server_nobody_is_an_administrator(
    workspace: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    assert not await adapter.administers(workspace, "502")


async def test_a_server_that_says_nothing_sensible_has_no_administrators(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.faults["GET /guilds/{guild}"] = Fault("status", status=200, body={"roles": "x"})
    discord.members["502"] = []

    assert not await adapter.administers(GUILD, "502")
