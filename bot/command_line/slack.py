"""Slack as the settings want it: Socket Mode or HTTP, one workspace or all that install the app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from pydantic import SecretStr

from bot.errors import SetupError
from bot.ports import Adapter
from bot.settings import Settings
from storage import engines

if TYPE_CHECKING:
    from adapters.slack.installations import Installations

CONNECTIONS = 2  # to the database, for looking up who installed the app
NO_BOT = "SLACK_BOT_TOKEN is not set: docs/slack.md says where to find it."
NO_WAY_IN = (
    "Neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET (HTTP) is set: docs/slack.md says "
    "where to find them."
)
HALF = (
    "{missing} is not set, but {there} is: installing into many workspaces needs both "
    "(docs/slack.md); for one workspace, leave both out."
)


def opens_port(settings: Settings) -> bool:
    """Whether Slack's requests or those who install the app come by HTTP."""
    return settings.slack_app_token is None or distributed(settings)


@asynccontextmanager
async def slack(settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[Adapter]:
    """The adapter; raises SetupError that names what is missing."""
    many = distributed(settings)
    if not many and settings.slack_bot_token is None:
        raise SetupError(NO_BOT)
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        raise SetupError(NO_WAY_IN)
    # Its SDK is slow to load: only whoever serves Slack waits for it.
    from adapters.slack import SlackAdapter

    installations = installed(settings) if many else None
    try:
        yield SlackAdapter(
            bot_token=plain(settings.slack_bot_token),
            app_token=plain(settings.slack_app_token),
            signing_secret=plain(settings.slack_signing_secret),
            port=settings.port,
            installations=installations,
            client_secret=plain(settings.slack_client_secret),
            api_url=settings.slack_api_url,
            session=session,
            max_file_bytes=settings.max_file_bytes,
            download_seconds=settings.download_seconds,
        )
    finally:
        if installations is not None:
            installations.close()


def distributed(settings: Settings) -> bool:
    """Whether workspaces install the app by themselves; raises SetupError where that is half set up."""
    given = {
        "SLACK_CLIENT_ID": settings.slack_client_id,
        "SLACK_CLIENT_SECRET": settings.slack_client_secret,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 1:
        [there] = given.keys() - set(missing)
        raise SetupError(HALF.format(missing=missing[0], there=there))
    return not missing


def installed(settings: Settings) -> "Installations":
    """Who installed the app, in the bot's own database."""
    from adapters.slack.installations import Installations
    from adapters.slack.sealing import seal

    fernet = seal(plain(settings.secret_key))
    url = engines.parse(settings.database_url)
    if url.get_backend_name() == "sqlite":
        engine = engines.sqlite_engine(url, connections=CONNECTIONS, writes=True)
    else:
        engine = engines.postgres_engine(url, binary=False)
    return Installations(engine, settings.slack_client_id or "", fernet)


def plain(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
