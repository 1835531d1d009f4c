"""The signs that somebody is at work: a status, and a Stop wherever no message of ours can carry it."""

import asyncio
import logging

from adapters.slack.api import Api, Refused
from adapters.slack.blocks import stopping
from adapters.slack.thread import Thread
from bot.domain import Claim
from bot.errors import RateLimited, ThreadsightError

STATUS = "is looking …"
SESSIONS, STATUSES = "sessions", "statuses"
UNKNOWN = ("unknown_method", "method_not_supported", "feature_not_enabled", "http_404")
LACKING_SECONDS = 600.0  # before a feature is tried again that Slack said it does not have
STOP_SECONDS = 2.0  # A stream that ends sooner needs no Stop.

log = logging.getLogger("threadsight.slack")


class Signs:
    """What people see of an answer beside its words."""

    def __init__(self, api: Api, thread: Thread, claim: Claim) -> None:
        self.api = api
        self.thread = thread
        self.claim = claim
        self.waiting = False
        """Whether a status stands that no post of ours has ended yet."""
        self.session = False
        """Whether Slack shows its own Stop, as it does for an agent."""
        self.offering: asyncio.Task[None] | None = None
        self.stop_seconds = STOP_SECONDS

    async def show(self) -> None:
        """Says that somebody is at work; silent about whatever goes wrong."""
        if not self.session and not await self.open_session():
            await self.set_status()

    async def open_session(self) -> bool:
        """Asks for Slack's own Stop, which only agents get."""
        if not self.claim.stop or self.api.lacks.left(SESSIONS):
            return False
        try:
            await self.thread.set_session("processing")
            self.session = True
        except RateLimited as error:
            log.debug("no session: %s", type(error).__name__)
        except ThreadsightError:
            self.api.lacks.close(SESSIONS, LACKING_SECONDS)
        return self.session

    async def set_status(self) -> None:
        if self.waiting or self.api.lacks.left(STATUSES):
            return
        try:
            await self.thread.set_status(STATUS)
            self.waiting = True
        except Refused as error:
            if error.code in UNKNOWN:
                self.api.lacks.close(STATUSES, LACKING_SECONDS)
        except ThreadsightError as error:
            log.debug("no status: %s", type(error).__name__)

    def streaming(self) -> None:
        """A stream is open: Slack dropped the status, and a stream carries no button."""
        self.waiting = False
        if self.claim.stop and not self.session and self.offering is None:
            self.offering = asyncio.create_task(self.offer_stop())

    async def offer_stop(self) -> None:
        """Shows a Stop to whoever asked, once the answer takes a while."""
        await asyncio.sleep(self.stop_seconds)
        try:
            await self.thread.whisper(stopping(self.claim.stop))
        except ThreadsightError as error:
            log.debug("no button to stop: %s", type(error).__name__)

    async def rest(self) -> None:
        """Nothing more is shown beside the words."""
        if self.offering is not None:
            self.offering.cancel()
            await asyncio.wait({self.offering})

    async def clear(self) -> None:
        """Takes back what no post has ended."""
        try:
            if self.waiting:
                self.waiting = False
                await self.thread.set_status("")
            if self.session:
                self.session = False
                await self.thread.set_session("active")
        except ThreadsightError as error:
            log.debug("the status stays until Slack drops it: %s", type(error).__name__)
