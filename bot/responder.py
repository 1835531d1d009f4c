"""One claimed message → one posted answer."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

import stamina
import structlog

from bot import budgets, footer, tokens
from bot.access import Access
from bot.commands import Commands
from bot.domain import (
    Answer,
    Ask,
    Button,
    Claim,
    Message,
    Reply,
    Spent,
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
    Unread,
)
from bot.history import Fitted
from bot.looking import Eyes
from bot.offering import Offers
from bot.ports import Adapter, Draft, Model, Store
from bot.pricing import Prices
from bot.rulebook import Case, Rulebook
from bot.weighing import (
    UNFETCHED,
    brought,
    suspects,
    told,
    unanswerable,
)

T = TypeVar("T")

REFUSALS = 2  # pictures that the API refuses are left out and it is asked again, so often
RECORD_SECONDS = 30.0  # that an answer waits for a database which restarts
LAST_SECONDS = 5.0  # … when somebody ends this work; a host that stops us kills soon
HEAR_SECONDS = 2.0  # that a step may take to end before it is told again

log = structlog.get_logger("threadsight.responder")

STOPPED = "Stopped."


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a question before the model is asked."""

    case: Case
    unread: tuple[str, ...]
    """What of the thread could not be read, a line each."""
    spent: Spent
    """What the thread had cost before."""
    told_of: set[int]
    """Numbers of earlier pictures that could not be shown, or not so large."""


class Responder:
    """Turns a claim into a reply that people can read."""

    def __init__(
        self,
        store: Store,
        model: Model,
        adapters: Mapping[str, Adapter],
        prices: Prices,
        rules: Rulebook,
        eyes: Eyes,
        commands: Commands,
        access: Access,
    ) -> None:
        self.store = store
        self.model = model
        self.adapters = adapters
        self.prices = prices
        self.rules = rules
        self.eyes = eyes
        self.commands = commands
        self.access = access
        self.offers = Offers(store, prices, cuts=eyes.cuts)

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
        buttons = await self.offers.after_failure(claim)
        reply = await self.say(claim, sentence, receipts, buttons)
        await self.post(claim, draft, reply)
        return reply

    async def compose(self, claim: Claim, draft: Draft, stop: asyncio.Event) -> Reply:
        """Looks at the pictures, asks the model, and records what it said."""
        if claim.message.kind == "command":
            return await self.obey(claim)
        # Side by side: a platform takes as long for a post as we for a picture. Neither ends the other,
        # since nobody would know of a post that was broken off.
        shown, seen = await asyncio.gather(
            self.show(claim, draft, ""), self.look(claim), return_exceptions=True
        )
        if isinstance(shown, BaseException):
            raise shown
        if isinstance(seen, BaseException):
            raise seen
        claim = shown
        seen = replace(seen, case=replace(seen.case, claim=claim))
        tries = 0
        while True:
            turns = await self.store.history(claim)
            if sentence := unanswerable(turns):
                receipts = footer.receipts(brought(turns)) + seen.unread
                return await self.say(claim, sentence, receipts)
            if stop.is_set():
                return await self.say(
                    claim, STOPPED, buttons=await self.offers.after_failure(claim)
                )
            # In a thread: a long one takes a while, and everybody else waits for this loop.
            fitted = await asyncio.to_thread(self.rules.fit, turns, seen.case)
            try:
                return await self.ask(seen, fitted, draft, stop)
            except (PictureRefused, PictureUnseen) as error:
                tries += 1
                if tries > REFUSALS:
                    raise
                if isinstance(error, PictureRefused):
                    faulty = suspects(error, fitted)
                else:
                    faulty = await self.eyes.missing(fitted)
                await self.eyes.leave_out(claim, faulty, error.sentence)
                seen.told_of.update(faulty)

    async def look(self, claim: Claim) -> Looked:
        """Sees to the thread's pictures, and reads the rest meanwhile."""
        async with self.eyes.begun(claim) as begun:
            standing = await self.store.standing(claim)
            case = self.rules.case(claim, standing.choices)
            begun.go_on(case.ask)
            unread = () if standing.answered else await self.catch_up(claim)
            told_of = await self.eyes.look(claim, case.ask, begun)
        case = replace(case, notes=case.notes + unread)
        return Looked(case, unread, standing.spent, told_of)

    async def obey(self, claim: Claim) -> Reply:
        """Does what a message says that is a command; it costs nothing and no model hears of it."""
        unread: tuple[str, ...] = ()
        if self.commands.concerns_pictures(claim.message):
            standing = await self.store.standing(claim)
            unread = () if standing.answered else await self.catch_up(claim)
        card = await self.commands.in_thread(claim)
        text = "\n\n".join(part for part in (card.title and f"**{card.title}**", card.text) if part)
        reply = Reply(text=text, receipts=unread, buttons=card.buttons)
        await self.store.record(claim, reply)
        return reply

    async def ask(self, seen: Looked, fitted: Fitted, draft: Draft, stop: asyncio.Event) -> Reply:
        """Pays for one call; a budget without room for it gives a refusal instead."""
        case = seen.case
        claim, ask = case.claim, case.ask
        call = self.rules.call(case, fitted)
        most = None if claim.allowed else case.terms.question
        if sentence := budgets.too_dear(call.reserve, most):
            return await self.refuse(claim, sentence)
        try:
            number = await self.store.attempt(claim, call)
        except BudgetSpent as error:
            whom = self.access.whom(claim.message.thread.platform)
            sentence = budgets.refusal(error, call.reserve or Decimal(0), whom=whom)
            return await self.refuse(claim, sentence)
        try:
            answer = await self.stream(case, fitted, draft, stop)
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
        pictures = told(fitted.turns, answer.unseen_links, seen.told_of)
        # Who stopped it knows that it is not whole.
        ending = () if stop.is_set() else footer.ending(answer)
        notes = (
            fitted.notes
            + footer.substitute(ask)
            + case.notes
            + self.rules.unheld(case, fitted)
            + ending
        )
        reply = Reply(
            text=answer.text,
            footer=footer.footer(answer, fitted, seen.spent),
            receipts=footer.receipts(pictures) + notes,
            answer=answer,
            looked=footer.looked(pictures) + notes,
        )
        reply = await self.record(case, fitted, reply, number, answer)
        await self.eyes.leave_out(claim, answer.unseen_links, UNFETCHED)
        return reply

    async def record(
        self, case: Case, fitted: Fitted, reply: Reply, call: int, answer: Answer
    ) -> Reply:
        """Stores what is paid for, also while a database restarts or somebody ends this work."""
        storing = asyncio.create_task(self.insist(case, fitted, reply, call, answer))
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait((storing,), timeout=LAST_SECONDS)
            storing.cancel()
            raise

    async def insist(
        self, case: Case, fitted: Fitted, reply: Reply, call: int, answer: Answer
    ) -> Reply:
        """Stores an answer as soon as the database is there: to ask again would cost twice."""
        async for attempt in stamina.retry_context(
            on=Outage, attempts=None, timeout=RECORD_SECONDS, wait_max=2.0
        ):
            with attempt:
                # Who lost the claim still books what it cost.
                with suppress(Superseded):
                    buttons = await self.offers.under_answer(case.claim, fitted, case.ask, answer)
                    reply = replace(reply, buttons=buttons)
                await self.store.record(case.claim, reply, call=call, answer=answer)
        return reply

    async def stream(self, case: Case, fitted: Fitted, draft: Draft, stop: asyncio.Event) -> Answer:
        """Shows the words as they come, until the model or the person ends them."""
        claim, text = case.claim, ""
        async with aclosing(self.model.answer(fitted.turns, case.ask)) as pieces:
            while (piece := await before(stop, anext(pieces, None))) is not None:
                if isinstance(piece, Answer):
                    return piece
                text += piece
                claim = await self.show(claim, draft, text)
        if stop.is_set():
            return self.cut(text, fitted, case.ask)
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

    async def refuse(self, claim: Claim, sentence: str) -> Reply:
        """Says which limit stands in the way, and lets an administrator move it once."""
        return await self.say(claim, sentence, buttons=await self.offers.after_refusal(claim))

    async def say(
        self,
        claim: Claim,
        sentence: str,
        receipts: Sequence[str] = (),
        buttons: tuple[Button, ...] = (),
    ) -> Reply:
        """Records a reply that cost nothing."""
        reply = Reply(text=sentence, receipts=tuple(receipts), failed=True, buttons=buttons)
        await self.store.record(claim, reply)
        return reply

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

    async def catch_up(self, claim: Claim) -> tuple[str, ...]:
        """Takes in what the thread held before the bot was called into it; says what could not be read."""
        adapter = self.adapters[claim.message.thread.platform]
        unread: tuple[str, ...] = ()
        try:
            found: Sequence[Message] = await adapter.earlier(claim.message)
        except Unread as error:
            found, unread = error.found, (error.sentence,)
        for message in found:
            context = replace(message, thread=claim.message.thread, kind="context", addressed=False)
            await self.store.accept(context)
        return unread


async def before(stop: asyncio.Event, step: Awaitable[T]) -> T | None:
    """What a step gives, or None when it is stopped first."""
    working = asyncio.ensure_future(step)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        # A library may miss a cancellation that comes at the wrong moment, so it is said until it is heard.
        while pending := [task for task in (working, stopping) if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=HEAR_SECONDS)
