"""Questions that people ask by a command, a form or a button: posted for all to see, then handed in like any other."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from adapters.discord.draft import Spawn, delete
from adapters.discord.events import attachment, sent_at, thread_of
from adapters.discord.files import Files
from adapters.discord.hooked import WORKING, apologise_when_late
from adapters.discord.hooks import OPTION, Hooks
from adapters.discord.interactions import PRESSED, Interaction
from adapters.discord.looks import NO_MENTIONS, SUPPRESS_EMBEDS, Looks
from adapters.discord.markup import File, described
from adapters.discord.places import DIRECT, Place
from adapters.discord.questions import WHOLE, file_name, heading, question_post
from adapters.discord.refusals import REPLY_NEEDS_HISTORY, Refused
from adapters.discord.render import legible
from adapters.discord.rest import Rest
from adapters.discord.spot import SILENT
from adapters.discord.wire import Json, items, snowflake, string
from bot.domain import Attachment, Card, Message, Proposal, ThreadId
from bot.errors import ThreadsightError, TransientError
from bot.ports import Desk

UPLOAD_BYTES_TOGETHER = 25 << 20  # of one request
DOWNLOADS_AT_ONCE = 3
MOST_FILES = 10  # that Discord takes with a post; a long question is one of them
ACCEPT_TRIES = 5
ACCEPT_PAUSE_SECONDS = 0.5

NO_QUESTION = "Write a question."
NOT_HERE = "I may not write in this channel by myself, so this is asked and answered here."
ASKED = "Your question: https://discord.com/channels/{guild}/{channel}/{message}"
MESSAGES = "/channels/{channel_id}/messages"

log = logging.getLogger("threadsight.discord")


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a question."""

    posted: bool
    card: Card | None = None
    """What only its author is to read: where it stands, or why it is not asked."""


class Proposals:
    """Asks in people's names."""

    def __init__(
        self, *, rest: Rest, hooks: Hooks, files: Files, spawn: Spawn, answer_seconds: float
    ) -> None:
        self._rest = rest
        self._hooks = hooks
        self._files = files
        self._spawn = spawn
        self._answer_seconds = answer_seconds

    async def ask(
        self,
        interaction: Interaction,
        proposal: Proposal,
        desk: Desk,
        *,
        original: bool,
        new: tuple[Attachment, ...] = (),
    ) -> Asked:
        """Posts a question and hands it in.

        `original` says whether the interaction's own message is still free, and seen by all. `new` are files that
        came with the interaction; they are posted with the question, as are a proposal's that has no source.
        """
        proposal = replace(proposal, attachments=(*proposal.attachments, *new))
        if not legible(proposal.text):
            return Asked(False, Card("", NO_QUESTION))
        if denial := await desk.denial(proposal.place, interaction.person):
            return Asked(False, denial)
        if interaction.may_post and (place := place_for(interaction, proposal)) is not None:
            try:
                return await self._post(interaction, proposal, desk, place, new)
            except Refused as error:
                log.warning("question not posted: code %s", error.code)
                if interaction.kind != PRESSED:
                    # What follows a deferred answer would take its place, and be as private.
                    with suppress(ThreadsightError):
                        await self._hooks.edit(interaction.hook, Looks(NOT_HERE).payload)
        return await self._answer_here(interaction, proposal, desk, new, original=original)

    async def _post(
        self,
        interaction: Interaction,
        proposal: Proposal,
        desk: Desk,
        place: Place,
        new: Sequence[Attachment],
    ) -> Asked:
        """Posts it as the bot, in the channel or thread; it is answered like any other."""
        taken, files = await self._brought(interaction, proposal, loose(proposal, new))
        unshown = len(loose(proposal, new)) - len(taken)
        content, more = question_post(proposal.author, proposal.text, unshown)
        payload: dict[str, object] = {
            **quiet(content),
            "nonce": hashlib.sha256(interaction.id.encode()).hexdigest()[:24],
            "enforce_nonce": True,
        }
        if files or more:
            payload["attachments"] = described((*files, *more))
        if proposal.source and proposal.source != place.id:
            payload["message_reference"] = {
                "message_id": proposal.source,
                "fail_if_not_exists": False,
            }
        made = await self._posted(place, payload, (*files, *more))
        message = self._message(interaction, proposal, made, taken)
        message = replace(message, thread=thread_of(place, message.id))
        undo = partial(delete, self._rest, f"{place.id}/{message.id}")
        if refusal := await self._handed_in(message, desk, undo):
            return Asked(False, refusal)
        guild = place.guild or DIRECT
        return Asked(
            True, Card("", ASKED.format(guild=guild, channel=place.id, message=message.id))
        )

    async def _posted(
        self, place: Place, payload: dict[str, object], files: Sequence[File]
    ) -> Json:
        try:
            return await self._rest.upload(MESSAGES, payload, files, channel_id=place.id)
        except Refused as error:
            if error.code != REPLY_NEEDS_HISTORY or "message_reference" not in payload:
                raise
            del payload["message_reference"]
            return await self._rest.upload(MESSAGES, payload, files, channel_id=place.id)

    async def _answer_here(
        self,
        interaction: Interaction,
        proposal: Proposal,
        desk: Desk,
        new: Sequence[Attachment],
        *,
        original: bool,
    ) -> Asked:
        """Posts it by the interaction, which is then the one way to answer it."""
        taken, files = await self._brought(interaction, proposal, loose(proposal, new))
        head = heading(proposal.author, proposal.text)
        more = question_post(proposal.author, proposal.text)[1]
        attachments = {"attachments": described((*files, *more))}
        hook = interaction.hook
        if original:
            payload = {**Looks(head + WORKING).payload, **attachments}
            made = await self._hooks.edit(hook, payload, (*files, *more))
        else:
            payload = {**quiet(head + WORKING), **attachments}
            made = await self._hooks.follow_up(hook, payload, (*files, *more))
            hook = replace(hook, target=snowflake(made, "id"))
        message = self._message(interaction, proposal, made, taken)
        root = proposal.place.root if proposal.place.channel == interaction.channel else ""
        message = replace(
            message,
            thread=replace(interaction.spot, root=root or message.id),
            options={**message.options, OPTION: hook.written()},
        )
        if refusal := await self._handed_in(message, desk, partial(self._hooks.delete, hook)):
            return Asked(False, refusal)
        # Whoever takes the question back while the interaction lasts takes its post from sight.
        self._hooks.renew(message.id, hook)
        self._spawn(apologise_when_late(message.id, hook, self._hooks, self._answer_seconds))
        return Asked(True)

    def _message(
        self, interaction: Interaction, proposal: Proposal, made: Json, taken: Sequence[Attachment]
    ) -> Message:
        """The question as the bot knows it, with the files as they now stand in a message for all."""
        posted = items(made, "attachments")
        shown = [each for each in posted if string(each, "filename") != WHOLE]
        new = dict(zip((each.id for each in taken), map(attachment, shown), strict=False))
        name = snowflake(made, "id")
        return Message(
            thread=ThreadId("", "", "", ""),
            id=name,
            author=proposal.author,
            text=proposal.text,
            sent_at=sent_at(name),
            attachments=tuple(new.get(each.id, each) for each in proposal.attachments),
            addressed=True,
            groups=interaction.groups,
            options={name: value for name, value in proposal.options.items() if value},
        )

    async def _handed_in(
        self, message: Message, desk: Desk, undo: Callable[[], Awaitable[None]]
    ) -> Card | None:
        """Why it is not answered, if it is not; then nothing of it stays."""
        try:
            refusal = await accepted(message, desk)
        except ThreadsightError as error:
            refusal = Card("", error.sentence)
        if refusal is not None:
            with suppress(ThreadsightError):
                await undo()
        return refusal

    async def _brought(
        self, interaction: Interaction, proposal: Proposal, wanted: Sequence[Attachment]
    ) -> tuple[list[Attachment], list[File]]:
        """The files that came with an interaction, to be posted where all can see them and they stay."""
        room = asyncio.Semaphore(DOWNLOADS_AT_ONCE)
        most = interaction.upload_bytes
        places = MOST_FILES - len(question_post(proposal.author, proposal.text)[1])

        async def fetch(each: Attachment) -> bytes | None:
            if (each.size or 0) > most:
                return None
            async with room:
                try:
                    return await self._files.fetch(borrowed(interaction, each), each)
                except ThreadsightError as error:
                    log.warning("a picture was not brought along: %s", type(error).__name__)
                    return None

        found = await asyncio.gather(*map(fetch, wanted))
        taken: list[Attachment] = []
        files: list[File] = []
        left = UPLOAD_BYTES_TOGETHER
        for each, data in zip(wanted, found, strict=True):
            if data is not None and len(data) <= min(most, left) and len(files) < places:
                left -= len(data)
                taken.append(each)
                files.append(File(file_name(each.name), data))
        return taken, files


def loose(proposal: Proposal, new: Sequence[Attachment]) -> list[Attachment]:
    """The files of a question that stand in no message which stays."""
    return [each for each in proposal.attachments if not proposal.source or each in new]


async def accepted(message: Message, desk: Desk) -> Card | None:
    """Hands a message in, again while the database is away."""
    for _ in range(ACCEPT_TRIES - 1):
        try:
            return await desk.accept(message)
        except TransientError:
            await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
    return await desk.accept(message)


def place_for(interaction: Interaction, proposal: Proposal) -> Place | None:
    """Where the bot posts a question: the place of the interaction, or a thread there; None where only the
    interaction reaches its conversation.
    """
    here, spot = interaction.place, proposal.place
    if not here.guild or spot.root in ("", here.id):
        return here
    return Place(spot.root, here.guild, kind=11, parent=spot.channel) if spot.channel else None


def borrowed(interaction: Interaction, file: Attachment) -> Message:
    """A message for a file that stands in none: where it comes from is asked for no other address of it."""
    return Message(
        thread=interaction.spot,
        id=interaction.id,
        author=interaction.person.id,
        text="",
        sent_at=0.0,
        attachments=(file,),
        options={OPTION: interaction.hook.written()},
    )


def quiet(content: str) -> dict[str, object]:
    """A post that calls nobody and previews nothing."""
    return {"content": content, "allowed_mentions": NO_MENTIONS, "flags": SUPPRESS_EMBEDS | SILENT}
