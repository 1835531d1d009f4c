"""The port that hosts expect of a `web` process, where no platform opens one."""

import socket
from collections.abc import Iterator

import aiohttp
import pytest

from bot.command_line.health import healthy_on
from bot.command_line.serving import port_for_health
from bot.errors import Outage
from bot.settings import Settings

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
HTTP = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "secret"}
MANY = {**SOCKET, "SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "secret"}
DISCORD = {"DISCORD_TOKEN": "token"}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def free(taken: int) -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("environment", "platforms", "expected"),
    [
        (SOCKET, ["slack"], True),
        (DISCORD, ["discord"], True),
        (SOCKET | DISCORD, ["slack", "discord"], True),
        (HTTP | DISCORD, ["discord"], True),
        (HTTP, ["slack"], False),
        (HTTP | DISCORD, ["slack", "discord"], False),
        (MANY, ["slack"], False),
    ],
)
def test_a_port_that_was_set_is_opened_where_no_platform_opens_it(
    environment: dict[str, str],
    platforms: list[str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PORT", raising=False)
    unset = Settings.read()
    monkeypatch.setenv("PORT", "5000")
    given = Settings.read()

    assert port_for_health(given, platforms) == (5000 if expected else None)
    assert port_for_health(unset, platforms) is None


async def test_a_host_hears_whether_all_is_well_and_nothing_else(free: int) -> None:
    async with healthy_on(free, answers):
        well, other = await get(free, "/healthz"), await get(free, "/slack/events")
    async with healthy_on(free, away):
        unwell = await get(free, "/healthz")

    assert (well, other, unwell) == (200, 404, 503)


async def test_a_port_that_is_taken_keeps_nobody_from_serving(taken: int) -> None:
    async with healthy_on(taken, answers):
        pass


async def test_without_a_port_nobody_listens(free: int) -> None:
    async with healthy_on(None, answers):
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(free, "/healthz")


async def get(port: int, path: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as response,
    ):
        return response.status


async def answers() -> None:
    """A database that does."""


async def away() -> None:
    """A database that does not."""
    raise Outage("The database does not answer.")
