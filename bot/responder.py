"""One claimed message → one posted answer."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import stamina
import structlog

from bot import budgets, footer, history, tokens
from bot.domain import (
    Answer,
    Ask,
    Button,
    Call,
    Claim,
    Picture,
    Reply,
    ThreadId,
    Turn,
    Usage,
)
from bot.errors import (
    BudgetSpent,
    Outage,
    PermanentError,
    PictureRefused,
    PictureUnseen,
    SetupError,
    Superseded,
    ThreadsightError,
    TransientError,
    Unposted,
)
from bot.history import Fitted, Room
from bot.looking import Eyes
from bot.ports import Adapter, Draft, Model, Store
from bot.pricing import Prices

T = TypeVar("T")

REFUSALS = 2  # pictures that the API refuses are left out and it is asked again, so often
RECORD_SECONDS = 30.0  # that an answer waits for a database which restarts
LAST_SECONDS = 5.0  # … when somebody ends this work; a host that stops us kills soon

NO_PICTURE = (
    "There is no picture in this thread yet: post one together with your question, and I will "
    "look at it."
)
log = structlog.get_logger("threadsight.responder")

UNFETCHED = "the model's service cannot fetch this address; post the picture itself"
STOPPED = "Stopped."


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every answer of this process."""

    ask: Ask
    max_file_bytes: int
    history_tokens: int
    budget_person_day: Decimal
    budget_workspace_month: Decimal


class Responder:
    """Turns a claim into a reply that people can read."""

    def __init__(
        self,
        store: Store,
        model: Model,
        adapters: Mapping[str, Adapter],
        prices: Prices,
        policy: Policy,
        now: Callable[[], datetime],
    ) -> None:
        self.store = store
        self.model = model
        self.adapters = adapters
        self.prices = prices
        self.policy = policy
        self.now = now
        self.eyes = Eyes(store, adapters, max_file_bytes=policy.max_file_bytes)

    def draft(self, claim: Claim) -> Draft:
        """The reply to this message, as its platform shows it."""
        return self.adapters[claim.message.thread.platform].draft(claim)

    async def respond(self, claim: Claim, draft: Draft, stop: asyncio.Event) -> Reply:
        """Answers the claimed message, or posts the answer that is already recorded for it.

        Once `stop` is set, what the model has said so far is the answer.
        """
        reply = claim.reply or await self.compose(claim, draft, stop)
        await self.post(claim, draft, reply)
        return reply

    async def give_in(self, claim: Claim, draft: Draft, sentence: str) -> Reply:
        """Apologises for a question that ended the process each time, and leaves out what may have.

        Pictures that nobody came to the end of are not looked at again: the thread goes on.
        """
        feared = await self.eyes.turn_away(claim)
        return await self.apologise(claim, draft, sentence, footer.receipts(feared))

    async def apologise(
        self, claim: Claim, draft: Draft, sentence: str, receipts: tuple[str, ...] = ()
    ) -> Reply:
        """Answers with a sentence, so that nobody is left waiting."""
        buttons = await self.buttons(claim)
        reply = Reply(text=sentence, receipts=receipts, failed=True, buttons=buttons)
        await self.store.record(claim, reply)
        await self.post(claim, draft, reply)
        return reply

    async def compose(self, claim: Claim, draft: Draft, stop: asyncio.Event) -> Reply:
        """Looks at the pictures, asks the model, and records what it said."""
        ask = self.resolve(claim)
        await self.show(claim, draft, "")
        await self.catch_up(claim)
        told_of = await self.eyes.look(claim, ask)
        tries = 0
        while True:
            turns = await self.store.history(claim)
            if sentence := unanswerable(turns):
                return await self.say(claim, sentence, footer.receipts(brought(turns)))
            if stop.is_set():
                return await self.say(claim, STOPPED)
            # In a thread: a long one takes a while, and everybody else waits for this loop.
            fitted = await asyncio.to_thread(history.fit, turns, ask, self.room(ask))
            try:
                return await self.ask(claim, draft, fitted, ask, stop, told_of)
            except (PictureRefused, PictureUnseen) as error:
                tries += 1
                if tries > REFUSALS:
                    raise
                if isinstance(error, PictureRefused):
                    faulty = suspects(error, fitted)
                else:
                    faulty = await self.eyes.missing(fitted)
                await self.eyes.leave_out(claim, faulty, error.sentence)
                told_of.update(faulty)

    async def ask(
        self,
        claim: Claim,
        draft: Draft,
        fitted: Fitted,
        ask: Ask,
        stop: asyncio.Event,
        told_of: Collection[int],
    ) -> Reply:
        """Pays for one call; a budget without room for it gives a refusal instead.

        `told_of` are the numbers of earlier pictures that could not be shown, or not so large.
        """
        spent = await self.store.thread_spent(claim.message.thread)
        buttons = await self.buttons(claim)
        call = self.call(claim, fitted, ask)
        try:
            number = await self.store.attempt(claim, call)
        except BudgetSpent as error:
            return await self.say(claim, budgets.refusal(error, call.reserve or Decimal(0)))
        try:
            answer = await self.stream(claim, draft, fitted, ask, stop)
        except ThreadsightError as error:
            # Who hears of a lost claim has heard words before, and those are billed.
            charged = error.charged or isinstance(error, Superseded)
            await self.store.close(claim, number, charged=charged)
            raise
        except (asyncio.CancelledError, Exception):
            # Edited, deleted, shutting down or a fault of ours: the provider bills what it had
            # written, and no reserve may stay behind.
            with suppress(ThreadsightError):
                await asyncio.shield(self.store.close(claim, number, charged=True))
            raise
        pictures = told(fitted.turns, answer.unseen_links, told_of)
        # Who stopped it knows that it is not whole.
        notes = fitted.notes + footer.substitute(ask)
        notes += () if stop.is_set() else footer.ending(answer)
        reply = Reply(
            text=answer.text,
            footer=footer.footer(answer, fitted, spent),
            receipts=footer.receipts(pictures) + notes,
            buttons=buttons,
            answer=answer,
            looked=footer.looked(pictures) + notes,
        )
        await self.record(claim, reply, number, answer)
        await self.eyes.leave_out(claim, answer.unseen_links, UNFETCHED)
        return reply

    async def record(self, claim: Claim, reply: Reply, call: int, answer: Answer) -> None:
        """Stores what is paid for, also while a database restarts or somebody ends this work."""
        storing = asyncio.create_task(self.insist(claim, reply, call, answer))
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait((storing,), timeout=LAST_SECONDS)
            storing.cancel()
            raise

    async def insist(self, claim: Claim, reply: Reply, call: int, answer: Answer) -> None:
        """Stores an answer as soon as the database is there: to ask again would cost twice."""
        async for attempt in stamina.retry_context(
            on=Outage, attempts=None, timeout=RECORD_SECONDS, wait_max=2.0
        ):
            with attempt:
                await self.store.record(claim, reply, call=call, answer=answer)

    async def stream(
        self, claim: Claim, draft: Draft, fitted: Fitted, ask: Ask, stop: asyncio.Event
    ) -> Answer:
        """Shows the words as they come, until the model or the person ends them."""
        text = ""
        async with aclosing(self.model.answer(fitted.turns, ask)) as pieces:
            while (piece := await before(stop, anext(pieces, None))) is not None:
                if isinstance(piece, Answer):
                    return piece
                text += piece
                claim = await self.show(claim, draft, text)
        if stop.is_set():
            return self.cut(text, fitted, ask)
        raise TransientError("The model's answer ended without an end; ask again.")

    def cut(self, text: str, fitted: Fitted, ask: Ask) -> Answer:
        """The answer of a model that was stopped; it bills what it had written, so far as we can tell."""
        usage = Usage(fitted.tokens, tokens.text(text))
        return Answer(
            text=f"{text.rstrip()} …" if text else STOPPED,
            model=ask.model,
            usage=usage,
            cost=self.prices.cost(ask.model, usage),
            finish="cut",
            estimated=True,
            offline=self.prices.free,
            list_cost=self.prices.list_cost(ask.model, usage) if self.prices.free else None,
        )

    async def post(self, claim: Claim, draft: Draft, reply: Reply) -> None:
        """Completes the visible reply; from here on the model is not asked again."""
        try:
            await self.complete(claim, draft, reply)
        except TransientError as error:
            raise Unposted(error.sentence, retry_after=error.retry_after) from error
        except SetupError as error:
            # A token that was taken away is given anew, and then the reply is still there to be posted.
            raise Unposted(error.sentence) from error

    async def complete(self, claim: Claim, draft: Draft, reply: Reply) -> None:
        """Brings the reply to its place and ends the work on the message."""
        try:
            posts = await draft.finish(reply)
        except SetupError:
            raise
        except PermanentError as error:
            # The place is gone or closed to us: there is nobody left to tell.
            log.warning("unheard", message=claim.message.id, reason=type(error).__name__)
        else:
            await self.store.posted(claim, posts)
        await self.store.settle(claim)

    async def say(self, claim: Claim, sentence: str, receipts: Sequence[str] = ()) -> Reply:
        """Records a reply that cost nothing."""
        reply = Reply(text=sentence, receipts=tuple(receipts), failed=True)
        await self.store.record(claim, reply)
        return reply

    async def buttons(self, claim: Claim) -> tuple[Button, ...]:
        """What the person can do about a reply."""
        return (Button("Try again", await self.store.offer(claim, "again")),)

    async def show(self, claim: Claim, draft: Draft, text: str) -> Claim:
        """Shows the answer so far and keeps in mind which posts carry it."""
        posts = await draft.show(text)
        if posts == claim.posts:
            return claim
        try:
            await self.store.posted(claim, posts)
        except Outage:
            # The next words note it; an answer that is paid for does not end because of that.
            return claim
        return replace(claim, posts=posts)

    async def catch_up(self, claim: Claim) -> None:
        """Takes in what the thread held before the bot was called into it."""
        turns = await self.store.history(claim)
        if any(turn.role == "assistant" for turn in turns):
            return
        adapter = self.adapters[claim.message.thread.platform]
        for message in await adapter.earlier(claim.message):
            context = replace(message, thread=claim.message.thread, kind="context", addressed=False)
            await self.store.accept(context)

    def resolve(self, claim: Claim) -> Ask:
        """The settings that hold for this answer."""
        return replace(self.policy.ask, thread_key=key(claim.message.thread))

    def room(self, ask: Ask) -> Room:
        """What the model's window and the installer's setting leave for the input."""
        window = self.prices.context_window(ask.model)
        limit = self.policy.history_tokens
        return Room(limit if window is None else max(1, min(limit, window - ask.limit)))

    def call(self, claim: Claim, fitted: Fitted, ask: Ask) -> Call:
        """The ledger's row for the call that is about to be made."""
        return Call(
            model=ask.model,
            detail=ask.detail,
            input_tokens=fitted.tokens,
            reserve=self.prices.most(ask.model, most_tokens(fitted, ask), ask.limit),
            price_source=self.prices.source(ask.model),
            budgets=budgets.standing(
                claim.message,
                person_day=self.policy.budget_person_day,
                workspace_month=self.policy.budget_workspace_month,
                now=self.now(),
            ),
        )


def most_tokens(fitted: Fitted, ask: Ask) -> int:
    """The most that the input can come to: a linked picture may be of any size."""
    rule = tokens.rule(ask.model)
    details = [
        history.detail_of(picture, ask)
        for turn in fitted.turns
        for picture in turn.pictures
        if picture.visible and picture.image is None
    ]
    unsure = [
        most - history.ASSUMED_PICTURE_TOKENS for each in details if (most := rule.most(each))
    ]
    return fitted.tokens + sum(more for more in unsure if more > 0)


async def before(stop: asyncio.Event, step: Awaitable[T]) -> T | None:
    """What a step gives, or None when it is stopped first."""
    working = asyncio.ensure_future(step)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait((working, stopping))


def unanswerable(turns: Sequence[Turn]) -> str | None:
    """Why the model need not be asked at all, if so."""
    pictures = [picture for turn in turns for picture in turn.pictures]
    if not pictures:
        return NO_PICTURE
    asked = turns[-1].pictures or pictures
    if any(picture.visible for picture in asked):
        return None
    if len(asked) == 1:
        return "I could not see the picture, so I did not ask the model."
    return "I could see none of the pictures, so I did not ask the model."


def brought(turns: Sequence[Turn]) -> list[Picture]:
    """The pictures that came since the last answer."""
    return [picture for turn in turns[history.newest(turns) :] for picture in turn.pictures]


def told(turns: Sequence[Turn], unseen: Sequence[int], also: Collection[int]) -> list[Picture]:
    """What an answer accounts for: the new pictures, and earlier ones of which there is news."""
    news = {picture.number for picture in brought(turns)}
    return [
        replace(picture, receipt=f"not seen: {UNFETCHED}") if picture.number in unseen else picture
        for turn in turns
        for picture in turn.pictures
        if picture.number in news or picture.number in unseen or picture.number in also
    ]


def suspects(error: PictureRefused, fitted: Fitted) -> list[int]:
    """The picture that the API named, else the new ones: the earlier ones it has taken before."""
    if error.number is not None:
        return [error.number]
    news = [picture.number for picture in brought(fitted.turns) if picture.visible]
    return news or [p.number for turn in fitted.turns for p in turn.pictures if p.visible]


def key(thread: ThreadId) -> str:
    """A name for the thread that tells the provider nothing."""
    place = "\0".join((thread.platform, thread.workspace, thread.channel, thread.root))
    return hashlib.sha256(place.encode()).hexdigest()[:32]
