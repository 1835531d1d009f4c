"""What the environment makes of Slack: one workspace or many, by socket or by HTTP; and on the real databases."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

from adapters.slack import SlackAdapter
from adapters.slack.installations import Installations
from bot.command_line.serving import configured
from bot.command_line.slack import installed, slack
from bot.errors import Outage, SetupError
from bot.settings import Settings
from storage.store import migrate
from tests.storage.conftest import Server, postgres

__all__ = ["postgres"]

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
HTTP = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "PORT": "8080"}
CLIENT = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c"}
KEY = {"BOT_SECRET_KEY": Fernet.generate_key().decode()}
MANY = CLIENT | KEY | {"SLACK_SIGNING_SECRET": "s"}


@pytest.mark.parametrize(
    ("environment", "paths", "homes"),
    [
        (SOCKET, None, "OneHome"),
        (HTTP, ("/healthz", "/slack/events"), "OneHome"),
        # Socket Mode wins.
        (SOCKET | HTTP, None, "OneHome"),
        (
            MANY,
            ("/healthz", "/slack/events", "/slack/install", "/slack/oauth_redirect"),
            "InstalledHomes",
        ),
        (
            MANY | {"SLACK_APP_TOKEN": "xapp-1"},
            ("/healthz", "/slack/install", "/slack/oauth_redirect"),
            "InstalledHomes",
        ),
    ],
    ids=["socket", "http", "both", "many", "many by socket"],
)
async def test_the_way_in_follows_from_what_is_set(
    environment: dict[str, str], paths: tuple[str, ...] | None, homes: str, tmp_path: Path
) -> None:
    settings = of(environment, tmp_path)

    async with aiohttp.ClientSession() as session, slack(settings, session) as adapter:
        assert isinstance(adapter, SlackAdapter)
        assert (adapter.address and adapter.address.paths) == paths
        assert type(adapter.homes).__name__ == homes
        assert adapter.address is None or adapter.address.port == settings.port
    assert configured(settings) == ["slack"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "Neither SLACK_APP_TOKEN .* nor SLACK_SIGNING_SECRET"),
        (CLIENT | KEY, "Neither SLACK_APP_TOKEN .* nor SLACK_SIGNING_SECRET"),
        (HTTP | {"SLACK_CLIENT_ID": "1.2"}, "SLACK_CLIENT_SECRET is not set, but SLACK_CLIENT_ID"),
        (SOCKET | {"SLACK_CLIENT_SECRET": "c"}, "SLACK_CLIENT_ID is not set, but SLACK_CLIENT_S"),
        (HTTP | CLIENT, r"BOT_SECRET_KEY is not set.*Fernet\.generate_key"),
        (MANY | {"BOT_SECRET_KEY": "short"}, r"BOT_SECRET_KEY holds .*Fernet\.generate_key"),
    ],
)
async def test_what_is_missing_is_named_with_the_mend(
    environment: dict[str, str], says: str, tmp_path: Path
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SetupError, match=says):
            async with slack(of(environment, tmp_path), session):
                pass


@pytest.fixture(params=["sqlite", "postgres"])
def installations(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installations]:
    """Installations in the bot's own database, on each of the two."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/bot.db"
        migrate(url)
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.create()
    made = installed(of(MANY | {"DATABASE_URL": url}, tmp_path))
    yield made
    made.close()


async def test_both_databases_keep_find_and_forget_installations(
    installations: Installations,
) -> None:
    await installations.open()
    await installations.open()
    await installations.async_save(installation("xoxb-old", team="T1"))
    await installations.async_save(installation("xoxe.xoxb-" + "n" * 400, team="T1"))
    await installations.async_save(installation("xoxb-whole", organisation="E1"))

    found = await installations.find("T1")
    through = await installations.find("T2", "E1")
    later = await installations.find("T2")
    members = await installations.workspaces("E1")
    count = await installations.count()
    await installations.remove_organisation("E1")

    assert found is not None
    assert found.bot_token == "xoxe.xoxb-" + "n" * 400
    assert through is not None
    assert later is not None
    assert through.bot_token == later.bot_token == "xoxb-whole"
    assert (members, count) == (["T2"], 2)
    assert await installations.find("T2") is None
    assert await installations.find("T1") is not None
    await installations.remove("T1")
    assert await installations.count() == 0


async def test_a_database_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none"}
    made = installed(of(MANY | nowhere, tmp_path))

    with pytest.raises(Outage):
        await made.open()

    made.close()


def of(environment: dict[str, str], folder: Path) -> Settings:
    given = {"DATABASE_URL": f"sqlite:///{folder}/bot.db", **environment}
    return Settings(**given)  # type: ignore[arg-type]


def installation(token: str, *, team: str = "", organisation: str = "") -> Installation:
    return Installation(
        app_id="A1",
        team_id=team or None,
        enterprise_id=organisation or None,
        bot_token=token,
        bot_id="B1",
        bot_user_id="U1",
        user_id="U2",
        is_enterprise_install=not team,
    )
