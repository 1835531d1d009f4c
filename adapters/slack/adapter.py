"""Slack as the bot sees it: one of the places where people talk."""

import asyncio
import logging

import aiohttp

from adapters.slack.api import Api, Refused
from adapters.slack.draft import SlackDraft
from adapters.slack.errands import Errands
from adapters.slack.events import PLATFORM, remembered
from adapters.slack.files import Files
from adapters.slack.homes import Home, OneHome
from adapters.slack.probe import Identity, probe
from adapters.slack.reception import Reception
from adapters.slack.socket import MAX_WAIT_SECONDS, PING_SECONDS, WAIT_SECONDS, Socket
from adapters.slack.thread import Thread
from bot.domain import Attachment, Check, Claim, Message
from bot.errors import SetupError, TransientError
from bot.ports import Desk

GRACE_SECONDS = 5.0  # What is under way may take so long to end when the bot is told to stop.

log = logging.getLogger("threadsight.slack")


class SlackAdapter:
    """One workspace, by a bot token and an app-level token."""

    name = PLATFORM

    def __init__(
        self,
        *,
        bot_token: str,
        app_token: str,
        api_url: str,
        session: aiohttp.ClientSession,
        max_file_bytes: int,
        download_seconds: float,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.app_token = app_token
        self.ping_seconds = ping_seconds
        self.api = Api(token=bot_token, url=api_url, session=session)
        self.files = Files(
            self.api, max_file_bytes=max_file_bytes, download_seconds=download_seconds
        )
        self.home = Home(self.api)

    async def listen(self, desk: Desk) -> None:
        """Hands every message to the desk until cancelled, and acknowledges only what the desk has stored.

        Raises SetupError when a token or a scope will not do; waits when Slack is away.
        """
        await self.patiently()
        errands = Errands()
        receive = Reception(OneHome(self.home), desk, errands).receive
        try:
            await Socket(self.api, receive, self.app_token, self.ping_seconds).run()
        finally:
            await errands.end(GRACE_SECONDS)

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads a file; raises PictureUnseen or TransientError."""
        return await self.files.fetch(attachment)

    async def earlier(self, message: Message) -> list[Message]:
        """What the thread holds before this message, its root included; nothing where Slack refuses."""
        thread = message.thread
        if thread.root == message.id:
            return []
        me = await self.home.identity()
        try:
            found = await Thread(self.api, thread, message.author).replies(latest=message.id)
        except (Refused, SetupError) as error:
            log.info("the thread cannot be read: %s", type(error).__name__)
            return []
        known = (
            remembered(item, thread.workspace, thread.channel, thread.root, me) for item in found
        )
        return [item for item in known if item is not None and before(item, message)]

    def draft(self, claim: Claim) -> SlackDraft:
        """The reply to the claimed message."""
        return SlackDraft(self.api, self.home.identity, claim)

    async def administers(self, workspace: str, person: str) -> bool:
        """Whether Slack calls this person an administrator or owner of the workspace."""
        return await self.home.people.administers(workspace, person)

    async def probe(self) -> list[Check]:
        """What `doctor` says of the tokens and the scopes."""
        return await probe(self.api, self.app_token)

    async def patiently(self) -> Identity:
        """Who the bot is, however long Slack is away."""
        wait = WAIT_SECONDS
        while True:
            try:
                return await self.home.identity()
            except TransientError as error:
                log.warning("not reachable: %s", error.sentence)
                await asyncio.sleep(max(wait, error.retry_after or 0.0))
                wait = min(wait * 2, MAX_WAIT_SECONDS)


def before(item: Message, message: Message) -> bool:
    return (item.sent_at, item.id) < (message.sent_at, message.id)
