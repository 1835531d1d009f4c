"""Slack as the bot sees it: one of the places where people talk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext

import aiohttp
from slack_sdk.oauth.installation_store import Installation

from adapters import health
from adapters.slack.api import Api
from adapters.slack.draft import SlackDraft
from adapters.slack.earlier import earlier
from adapters.slack.errands import Errands
from adapters.slack.events import PLATFORM
from adapters.slack.files import Files
from adapters.slack.homes import Home, Homes, InstalledHomes, OneHome
from adapters.slack.http import Address
from adapters.slack.installations import Installations
from adapters.slack.later import LaterDraft
from adapters.slack.oauth import INSTALL_PATH, OAuth
from adapters.slack.probe import probe_bot, probe_socket
from adapters.slack.reception import Receive, Reception
from adapters.slack.socket import MAX_WAIT_SECONDS, PING_SECONDS, WAIT_SECONDS, Socket
from bot.domain import Attachment, Check, Claim, Message
from bot.errors import PictureUnseen, SetupError, ThreadsightError, TransientError
from bot.ports import Desk, Draft

EVERYWHERE = "0.0.0.0"  # noqa: S104  # A host's router comes from outside.
GRACE_SECONDS = 5.0  # What is under way may take so long to end when the bot is told to stop.
GONE = "the app is not installed in this Slack workspace any more"
INSTALL_AGAIN = f"install it again at {INSTALL_PATH} of the bot's address"
LEFT = f"{GONE.capitalize()}: {INSTALL_AGAIN}."

log = logging.getLogger("threadsight.slack")


class SlackAdapter:
    """One workspace by its bot token, or all that install the app; heard by Socket Mode or by HTTP."""

    name = PLATFORM

    def __init__(
        self,
        *,
        bot_token: str | None,
        app_token: str | None,
        api_url: str,
        session: aiohttp.ClientSession,
        max_file_bytes: int,
        download_seconds: float,
        signing_secret: str | None = None,
        port: int = 3000,
        host: str = EVERYWHERE,
        installations: Installations | None = None,
        client_secret: str | None = None,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.app_token = app_token
        """Socket Mode, also where there is a signing secret."""
        self.api_url = api_url
        self.session = session
        self.max_file_bytes = max_file_bytes
        self.download_seconds = download_seconds
        self.installations = installations
        self.ping_seconds = ping_seconds
        self.api = self.api_by(bot_token or "")
        """The Web API by SLACK_BOT_TOKEN; without one, for what needs no bot."""
        self.own = Home(self.api) if bot_token or installations is None else None
        self.homes: Homes = self.homes_of(installations)
        oauth = None
        if installations is not None:
            oauth = OAuth(self.api, installations, client_secret or "", self.installed)
        self.address: Address | None = None
        if oauth is not None or app_token is None:
            secret = signing_secret if app_token is None else None
            self.address = Address(host=host, port=port, signing_secret=secret, oauth=oauth)

    async def listen(self, desk: Desk) -> None:
        """Hands every message to the desk until cancelled, and acknowledges only what the desk has stored.

        Raises SetupError when a token or a scope will not do; waits when Slack is away.
        """
        errands = Errands()
        receive = Reception(self.homes, desk, errands).receive
        try:
            # The port is open at once: hosts give up on a process that opens none.
            async with self.at_address(receive, desk):
                await self.arrive()
                await self.hear(receive)
        finally:
            await errands.end(GRACE_SECONDS)

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads a file; raises PictureUnseen or TransientError."""
        try:
            home = await self.home_of(message.thread.workspace)
        except SetupError as error:
            raise PictureUnseen(GONE) from error
        return await self.files_by(home.api).fetch(attachment)

    async def earlier(self, message: Message) -> list[Message]:
        """What the thread holds before this message, its root included; raises Unread where that is not all."""
        home = await self.home_of(message.thread.workspace)
        return await earlier(home.api, await home.identity(), message)

    def draft(self, claim: Claim) -> Draft:
        """The reply to the claimed message."""
        workspace = claim.message.thread.workspace
        home = self.homes.known(workspace)
        if home is not None:
            return SlackDraft(home.api, home.identity, claim)

        async def found() -> Draft:
            home = await self.home_of(workspace)
            return SlackDraft(home.api, home.identity, claim)

        return LaterDraft(found)

    async def administers(self, workspace: str, person: str) -> bool:
        """Whether Slack calls this person an administrator or owner of the workspace."""
        try:
            home = await self.home_of(workspace)
        except ThreadsightError as error:
            log.info("the administrators are not known: %s", type(error).__name__)
            return False
        return await home.people.administers(workspace, person)

    async def probe(self) -> list[Check]:
        """What `doctor` says of tokens, scopes, address and installations."""
        checks: list[Check] = []
        if self.own is not None:
            checks += await probe_bot(self.api)
        if self.installations is not None:
            checks.append(await self.probe_installations(self.installations))
        if self.app_token is not None:
            checks.append(await probe_socket(self.api, self.app_token))
        if self.address is not None:
            checks.append(self.probe_address(self.address))
        return checks

    async def probe_installations(self, installations: Installations) -> Check:
        """How many workspaces installed the app."""
        await installations.open()
        count = await installations.count()
        text = f"{count} installed the app; others do at {INSTALL_PATH} of the bot's address"
        return Check("Slack workspaces", ok=True, text=text)

    def probe_address(self, address: Address) -> Check:
        """What has to reach which port."""
        paths = [path for path in address.paths if path != health.PATH]
        text = (
            f"Slack and people reach {', '.join(paths)} by https; the bot listens on {address.port}"
        )
        return Check("Slack HTTP", ok=True, text=text)

    async def home_of(self, workspace: str) -> Home:
        """Where a workspace is; raises SetupError where the app is not installed."""
        home = await self.homes.of(workspace)
        if home is None:
            raise SetupError(LEFT)
        return home

    async def arrive(self) -> None:
        """Learns where the bot is at home, however long Slack or the database is away."""
        if self.installations is not None:
            await patiently(self.installations.open)
        if self.own is not None:
            await patiently(self.own.identity)
        if self.address is not None:
            self.address.ready = True

    async def hear(self, receive: Receive) -> None:
        """Takes in what comes until cancelled."""
        if self.app_token is None:
            await asyncio.Event().wait()
        else:
            await Socket(self.api, receive, self.app_token, self.ping_seconds).run()

    def at_address(self, receive: Receive, desk: Desk) -> AbstractAsyncContextManager[None]:
        """The open port, where anything comes by HTTP."""
        if self.address is None:
            return nullcontext()
        return self.address.open(receive, lambda: desk.last_seen(PLATFORM))

    def installed(self, installation: Installation) -> None:
        """A new token came: nobody goes on with an old one."""
        if isinstance(self.homes, InstalledHomes):
            self.homes.forget_all()

    def homes_of(self, installations: Installations | None) -> Homes:
        if installations is not None:
            return InstalledHomes(installations, self.installed_api, self.own)
        assert self.own is not None
        return OneHome(self.own)

    def api_by(self, token: str) -> Api:
        return Api(token=token, url=self.api_url, session=self.session)

    def installed_api(self, token: str) -> Api:
        return Api(token=token, url=self.api_url, session=self.session, mend=INSTALL_AGAIN)

    def files_by(self, api: Api) -> Files:
        return Files(
            api, max_file_bytes=self.max_file_bytes, download_seconds=self.download_seconds
        )


async def patiently(ask: Callable[[], Awaitable[object]]) -> None:
    """Asks until there is an answer; raises what asking again would not mend."""
    wait = WAIT_SECONDS
    while True:
        try:
            await ask()
            return
        except TransientError as error:
            log.warning("not reachable: %s", error.sentence)
            await asyncio.sleep(max(wait, error.retry_after or 0.0))
            wait = min(wait * 2, MAX_WAIT_SECONDS)
