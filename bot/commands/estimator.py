"""Answers `estimate`: what a question would cost here and now, with a drawing and a button that asks it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal

from bot import drawing, footer, history, proposals, tokens
from bot.commands.estimating import (
    NOTHING_TO_ESTIMATE,
    Sized,
    chosen,
    compared,
    estimate,
    typed,
)
from bot.commands.sizing import Files
from bot.commands.telling import estimate_card
from bot.domain import (
    Ask,
    Attachment,
    Button,
    Card,
    Command,
    Detail,
    Drawing,
    Estimate,
    Message,
    Picture,
    Proposal,
    Turn,
)
from bot.errors import ThreadsightError
from bot.history import Fitted
from bot.images import Darkroom
from bot.ports import Adapter, Store
from bot.pricing import Prices, small

LOOKING_SECONDS = 6.0  # people wait for a card
MODEL = re.compile(r"[\w.:/@+-]{1,200}", re.ASCII)
NO_MODEL = "This is no model's name: it has letters, digits and `.:/@+-`, such as `gpt-5.4-mini`."
DRAWN_AT_ONCE = 2
READ_AT_ONCE = 4  # estimates; each holds no more than about one file of the largest
Found = tuple[Sized, Message | None, Attachment | None]
"""A picture to be estimated; where it is in a file, that and the message which brought it."""


class Estimator:
    """Tells what a question would cost; never asks the model."""

    def __init__(
        self,
        store: Store,
        adapters: Mapping[str, Adapter],
        prices: Prices,
        *,
        max_file_bytes: int,
        history_tokens: int,
        darkroom: Darkroom | None = None,
    ) -> None:
        """`prices` are what a provider takes, also where the offline model answers."""
        self.store = store
        self.adapters = adapters
        self.prices = prices
        self.max_file_bytes = max_file_bytes
        self.history_tokens = history_tokens
        self.darkroom = darkroom or Darkroom(max_bytes=max_file_bytes)
        self.pencils = asyncio.Semaphore(DRAWN_AT_ONCE)
        self.readers = asyncio.Semaphore(READ_AT_ONCE)

    async def card(
        self, command: Command, ask: Ask, *, question_dollars: Decimal | None = None
    ) -> Card:
        """The card for a command, with the settings that hold in its place."""
        ask = chosen(ask, command.options)
        if not MODEL.fullmatch(ask.model):
            return Card("Estimate", NO_MODEL)
        async with AsyncExitStack() as held:
            files = Files(self.adapters, self.darkroom, self.max_file_bytes, self.readers, held)
            return await self.estimated(command, ask, files, question_dollars)

    async def estimated(
        self, command: Command, ask: Ask, files: Files, question_dollars: Decimal | None
    ) -> Card:
        """The card, with what is read of the files."""
        question = command.options.get("question", "")
        found = await self.pictures(posted(command), command.attachments, files)
        if not found:
            try:
                sizes, ask = typed(command.text, ask)
            except ValueError as error:
                return Card("Estimate", str(error))
            cut = self.darkroom.options.split_tall
            found = [(replace(size, cut=cut), None, None) for size in sizes]
        turns = await self.said(command)
        for picture in waiting(turns):
            found += await self.pictures(picture.message, [picture.attachment], files)
        thread = await self.thread(command, turns, question, ask, question_dollars)
        if not found and thread is None:
            return Card("Estimate", NOTHING_TO_ESTIMATE)
        pictures = [picture for picture, *_ in found]
        added = adds(thread, question, ask)
        told = estimate(pictures, question, ask, self.prices, thread_tokens=added, thread=thread)
        others = compared(pictures, question, ask, self.prices, thread_tokens=added)
        told = replace(told, others=others)
        return replace(
            estimate_card(told),
            buttons=await self.buttons(command, question, told),
            drawing=await self.drawn(told, found, files, thread) if command.drawn else None,
        )

    async def pictures(
        self, message: Message, attachments: Sequence[Attachment], files: Files
    ) -> list[Found]:
        """The pictures in a message's files."""
        return [
            (picture, message, attachment)
            for attachment in attachments
            for picture in await files.look(message, attachment)
        ]

    async def said(self, command: Command) -> list[Turn]:
        """What the thread holds; a picture that the command points at is counted once, as its own."""
        if not command.root:
            return []
        mine = {attachment.id for attachment in command.attachments}
        return [
            replace(turn, pictures=tuple(p for p in turn.pictures if p.attachment.id not in mine))
            for turn in await self.store.conversation(command.place)
            if turn.message != command.message or turn.role == "assistant"
        ]

    async def thread(
        self,
        command: Command,
        turns: Sequence[Turn],
        question: str,
        ask: Ask,
        question_dollars: Decimal | None,
    ) -> Fitted | None:
        """What the thread sends again with its next question; None where nothing was said yet."""
        if not turns:
            return None
        room = history.room(
            ask, self.prices, most_tokens=self.history_tokens, question_dollars=question_dollars
        )
        whole = [*map(looked_at, turns), Turn("user", question, command.author)]
        return await asyncio.to_thread(history.fit, whole, ask, room)

    async def buttons(self, command: Command, question: str, told: Estimate) -> tuple[Button, ...]:
        """What asks the question as it was estimated, and at low detail where that is cheaper."""
        able = any(not picture.error for picture in told.pictures) and command.attachments
        if not able and not (told.thread_pictures and question):
            return ()
        buttons = [await self.asking(command, question, told, told.detail, "Ask now")]
        if told.detail != "low" and (saved := saved_at_low(told)) and able:
            label = f"Ask at low detail (−{small(saved)})"
            buttons.append(await self.asking(command, question, told, "low", label))
        return (replace(buttons[0], style="primary"), *buttons[1:])

    async def asking(
        self, command: Command, question: str, told: Estimate, detail: Detail, label: str
    ) -> Button:
        """A button that posts the question for whoever asked for the estimate."""
        proposal = Proposal(
            place=command.place,
            author=command.author,
            text=question,
            attachments=command.attachments,
            options={"model": told.model, "detail": detail},
            source=command.message,
        )
        token = await self.store.offer_card(
            proposal.place,
            command.author,
            "ask",
            proposals.packed(proposal),
            message=command.message,
        )
        return Button(label, token)

    async def drawn(
        self, told: Estimate, found: Sequence[Found], files: Files, thread: Fitted | None
    ) -> Drawing | None:
        """What the model sees of the first picture, or of the thread's last one where none is new.

        A card without it says the same in words.
        """
        first = next((index for index, p in enumerate(told.pictures) if not p.error), None)
        try:
            async with asyncio.timeout(LOOKING_SECONDS), self.pencils:
                if first is None:
                    return None if told.pictures else await self.drawn_again(told, thread)
                picture, (_, message, attachment) = told.pictures[first], found[first]
                data = part = None
                if message and attachment:
                    data, part = await files.shown(message, attachment, cut=bool(picture.parts))
                return await asyncio.to_thread(drawing.estimate, told, picture, data, part)
        except (ThreadsightError, TimeoutError):
            return None

    async def drawn_again(self, told: Estimate, thread: Fitted | None) -> Drawing | None:
        """The last picture that the thread sends again, from the form that is kept of it."""
        turns = thread.turns if thread else ()
        held = [p for turn in turns for p in turn.pictures if p.visible and len(p.images) == 1]
        if not held:
            return None
        last = held[-1]
        [image] = last.images
        sized = Sized(footer.label(last), last.width, last.height)
        [picture] = estimate([sized], "", Ask(told.model, told.detail), self.prices).pictures
        # A mark, or a thread without room, may hold it at another detail than the question's.
        told = replace(told, detail=last.mark if last.mark in ("low", "high") else told.detail)
        data = await self.store.load(image.key)
        return await asyncio.to_thread(drawing.estimate, told, picture, data)


def posted(command: Command) -> Message:
    """The message whose files a command is about."""
    return Message(
        thread=command.place,
        id=command.message,
        author=command.author,
        text="",
        sent_at=0.0,
        attachments=command.attachments,
    )


def waiting(turns: Sequence[Turn]) -> list[Picture]:
    """The thread's pictures that nobody has looked at yet: new to the next question."""
    pictures = (picture for turn in turns for picture in turn.pictures)
    return [each for each in pictures if each.pending and each.mark != "dropped"]


def looked_at(turn: Turn) -> Turn:
    """The turn with the pictures that are sent again."""
    return replace(turn, pictures=tuple(p for p in turn.pictures if not p.pending))


def adds(thread: Fitted | None, question: str, ask: Ask) -> int:
    """The tokens that a thread adds to a question, which is counted apart from it."""
    if thread is None:
        return 0
    own = tokens.text(question) + tokens.text(ask.instructions) + 2 * history.TURN_TOKENS
    return max(0, thread.tokens - own)


def saved_at_low(told: Estimate) -> Decimal:
    """USD that the estimate's pictures cost less at low detail; 0 where nobody can tell."""
    return sum(
        (
            max(Decimal(0), picture.costs[told.detail] - picture.costs["low"])
            for picture in told.pictures
            if told.detail in picture.costs and "low" in picture.costs
        ),
        Decimal(0),
    )
