"""Discord: hands what people post to the desk, fetches their pictures, and shows the replies."""

import asyncio
from collections.abc import Coroutine, Sequence

import aiohttp

from adapters.discord import events, probe
from adapters.discord.administrators import manages
from adapters.discord.commands import Commands
from adapters.discord.draft import DiscordDraft, Pace
from adapters.discord.ear import Ear
from adapters.discord.earlier import earlier
from adapters.discord.files import Files
from adapters.discord.gateway import Gateway
from adapters.discord.hooked import ANSWER_SECONDS, HookedDraft
from adapters.discord.hooks import OPTION, Hook, Hooks
from adapters.discord.lately import Lately
from adapters.discord.limits import Limits
from adapters.discord.places import Places
from adapters.discord.previews import WAIT_SECONDS, Previews
from adapters.discord.proposals import Proposals
from adapters.discord.rest import Rest, waiting_for_the_token
from adapters.discord.sight import Sight
from adapters.discord.spoilers import Spoilers
from bot.domain import Attachment, Check, Claim, Message
from bot.errors import Unread
from bot.ports import Desk, Draft

EDIT_SECONDS = 1.25  # Discord takes five edits in five seconds; one is kept for an answer's last.
PAUSE_SECONDS = 0.3  # before a request is tried again the first time
IDENTIFY_SECONDS = 5.0  # Discord takes one identify in this time.
ACK_SECONDS = 15.0  # for Discord to answer a heartbeat
MOST_PLAIN = 10_000


class DiscordAdapter:
    """One bot on Discord, in all its servers and direct messages."""

    name = events.PLATFORM

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        session: aiohttp.ClientSession,
        max_file_bytes: int,
        download_seconds: float,
        edit_seconds: float = EDIT_SECONDS,
        identify_seconds: float = IDENTIFY_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        ack_seconds: float = ACK_SECONDS,
        preview_seconds: float = WAIT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._sight = Sight()
        self._previews = Previews(preview_seconds)
        self._rest = Rest(
            token=token,
            api_url=api_url.rstrip("/"),
            limits=Limits(),
            pause_seconds=pause_seconds,
        )
        self._gateway = Gateway(
            token=token,
            rest=self._rest,
            sight=self._sight,
            identify_seconds=identify_seconds,
            pause_seconds=pause_seconds,
            ack_seconds=ack_seconds,
        )
        self._places = Places()
        self._pace = Pace(edit_seconds)
        self._hooks = Hooks(api_url=self._rest.api_url, session=session)
        self._files = Files(
            rest=self._rest,
            session=session,
            max_bytes=max_file_bytes,
            seconds=download_seconds,
            pause_seconds=pause_seconds,
        )
        self._spoilers = Spoilers(self._rest)
        self._plain: Lately[bool] = Lately(MOST_PLAIN)
        """Messages that are known to reply to none, so that nobody has to ask Discord."""
        self._tasks: set[asyncio.Task[None]] = set()
        proposals = Proposals(
            rest=self._rest,
            hooks=self._hooks,
            files=self._files,
            spawn=self._spawn,
            answer_seconds=answer_seconds,
        )
        self._commands = Commands(
            rest=self._rest,
            hooks=self._hooks,
            places=self._places,
            proposals=proposals,
            sight=self._sight,
        )

    async def listen(self, desk: Desk) -> None:
        """Hands in every message until cancelled; raises SetupError when Discord will not have this bot."""
        ear = Ear(
            desk,
            self._rest,
            self._places,
            self._commands,
            self._sight,
            self._previews,
            self._spoilers,
            self._plain,
        )
        try:
            await ear.listen(self._gateway)
        finally:
            # Whoever still completes an answer opens it again.
            await self._rest.close()

    async def close(self) -> None:
        """Ends what still shows and closes the connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._rest.close()

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads a file from Discord's own hosts, bounded in bytes and seconds."""
        with waiting_for_the_token():
            return await self._files.fetch(message, attachment)

    async def earlier(self, message: Message) -> list[Message]:
        """What the thread held before this message, what it starts from and what it replies to."""
        found: Sequence[Message] = ()
        try:
            with waiting_for_the_token():
                plain = message.id in self._plain
                return (found := await earlier(self._rest, message, plain=plain))
        except Unread as error:
            found = error.found
            raise
        finally:
            self._spoilers.note(message.thread.root, found)

    def draft(self, claim: Claim) -> Draft:
        """The reply to the claimed message, picking up what is there of it."""
        if hook := Hook.read(claim.message.options.get(OPTION, "")):
            return HookedDraft(
                claim,
                hook,
                hooks=self._hooks,
                pace=self._pace,
                spawn=self._spawn,
                spoilers=self._spoilers,
            )
        return DiscordDraft(
            claim,
            rest=self._rest,
            places=self._places,
            pace=self._pace,
            spawn=self._spawn,
            spoilers=self._spoilers,
            asides=self._sight.asides(claim.message),
        )

    async def administers(self, workspace: str, person: str) -> bool:
        """Whether somebody manages a server, which messages do not tell; False in doubt."""
        return await manages(self._rest, workspace, person)

    async def probe(self) -> list[Check]:
        """What is right and what is missing on Discord's side."""
        try:
            return await probe.probe(self._rest)
        finally:
            await self._rest.close()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
