"""What holds for one answer, decided before the model is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import history, terms, words
from bot.domain import Ask, Call, Claim, Level, Turn
from bot.history import Fitted
from bot.pricing import Prices
from bot.terms import Terms
from bot.weighing import key, most_tokens, readable


@dataclass(frozen=True, slots=True)
class Case:
    """A claimed question with the settings that hold for it."""

    claim: Claim
    terms: Terms
    ask: Ask
    notes: tuple[str, ...] = ()
    """What the person is told of the settings, a line each."""


class Rulebook:
    """Decides by what was set for a place, and by what a question says for itself."""

    def __init__(
        self,
        base: Terms,
        prices: Prices,
        now: Callable[[], datetime],
        *,
        history_tokens: int,
    ) -> None:
        """`base` is what holds where nothing else was set."""
        self.base = base
        self.prices = prices
        self.now = now
        self.history_tokens = history_tokens

    def case(self, claim: Claim, choices: Mapping[Level, Mapping[str, str]]) -> Case:
        """The settings for this answer: what was set for its place, then what the question itself says."""
        message = claim.message
        here = terms.held(self.base, choices)
        _, options = words.options(message.text)
        # What a form or a button chose was chosen last.
        options = {**options, **message.options}
        here, notes = terms.for_this_question(here, options, self.prices.known)
        if here.ready_made and here.ready_made.warning:
            notes += (here.ready_made.warning,)
        return Case(claim, here, replace(here.ask, thread_key=key(message.thread)), notes)

    def fit(self, turns: Sequence[Turn], case: Case) -> Fitted:
        """The conversation as it is sent: without what is not for the model, and what has no room."""
        room = history.room(
            case.ask,
            self.prices,
            most_tokens=self.history_tokens,
            question_dollars=case.terms.question,
        )
        return history.fit([readable(turn) for turn in turns], case.ask, room)

    def call(self, case: Case, fitted: Fitted) -> Call:
        """The ledger's row for the call that is about to be made."""
        ask = case.ask
        return Call(
            model=ask.model,
            detail=ask.detail,
            input_tokens=fitted.tokens,
            reserve=self.prices.most(ask.model, most_tokens(fitted, ask), ask.limit),
            price_source=self.prices.source(ask.model),
            budgets=case.terms.budgets(case.claim.message, self.now()),
        )

    def unheld(self, case: Case, fitted: Fitted) -> tuple[str, ...]:
        """A line where budgets are set that cannot hold, under a thread's first answer."""
        answered = any(turn.role == "assistant" for turn in fitted.turns)
        if answered or not case.terms.capped or self.prices.free:
            return ()
        model = case.ask.model
        return () if self.prices.known(model) else (f"{model}: {terms.UNPRICED}",)
