"""Installation: a workspace's administrator says yes on Slack's page and comes back with a code for a token."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation

from adapters.slack.api import Api
from adapters.slack.installations import Installations
from adapters.slack.probe import OPTIONAL_SCOPES, SCOPES
from adapters.slack.sealing import SealedStates
from bot.errors import PermanentError, ThreadsightError

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
EXCHANGE_SECONDS = 20.0
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # The address holds the code.
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FAILED = "The installation did not work: {why} Please start again at {path}."
NO_BOT = "Slack gave no bot token."
AWAY = "Slack does not answer right now."

Handle = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]

log = logging.getLogger("threadsight.slack")


class OAuth:
    """The two pages of an installation."""

    install_path = INSTALL_PATH
    redirect_path = REDIRECT_PATH

    def __init__(
        self,
        api: Api,
        installations: Installations,
        client_secret: str,
        installed: Callable[[Installation], None],
    ) -> None:
        settings = AsyncOAuthSettings(
            client_id=installations.client_id,
            client_secret=client_secret,
            scopes=(*SCOPES, *OPTIONAL_SCOPES),
            user_scopes=(),
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            authorization_url=authorization_url(api.url),
            installation_store=installations,
            state_store=SealedStates(installations.fernet, api.logger),
            logger=api.logger,
        )
        # Slack then takes the first address of the app's page; the SDK would ask the environment.
        settings.redirect_uri = None
        self.flow = Flow(api, settings, installed)

    async def install(self, request: web.Request) -> web.Response:
        """The page with the button that leads to Slack."""
        return await self.page(self.flow.handle_installation, request)

    async def redirect(self, request: web.Request) -> web.Response:
        """Where Slack sends the administrator back to."""
        return await self.page(self.flow.handle_callback, request)

    async def page(self, handle: Handle, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                answered = await handle(
                    AsyncBoltRequest(
                        body="",
                        query=request.query_string,
                        headers=dict(request.headers),
                    )
                )
            response = await to_aiohttp_response(answered)
        except Exception as error:
            log.warning("an installation failed: %s", type(error).__name__)
            why = error.sentence if isinstance(error, ThreadsightError) else AWAY
            text = FAILED.format(why=why, path=INSTALL_PATH)
            response = web.Response(status=503, text=text)
        response.headers.update(HEADERS)
        return response


class Flow(AsyncOAuthFlow):
    """The SDK's, which takes no installation without a bot, and tells of those that it keeps."""

    def __init__(
        self, api: Api, settings: AsyncOAuthSettings, installed: Callable[[Installation], None]
    ) -> None:
        # A code works once: a call that may have been done is not repeated.
        super().__init__(client=api.careful, logger=api.logger, settings=settings)
        self.installed = installed

    async def store_installation(
        self, request: AsyncBoltRequest, installation: Installation
    ) -> None:
        """Keeps an installation; raises PermanentError where it is none."""
        place = installation.team_id or installation.enterprise_id
        if not (place and installation.bot_token and installation.bot_user_id):
            raise PermanentError(NO_BOT)
        await super().store_installation(request, installation)
        self.installed(installation)
        log.info("the app was installed in %s", place)


def authorization_url(api_url: str) -> str:
    """Slack's page for installing, beside its API: GovSlack has its own."""
    return f"{api_url.rstrip('/').removesuffix('/api')}/oauth/v2/authorize"
