"""The buttons under replies."""

from bot import tax
from bot.domain import Answer, Ask, Button, Chance, Claim
from bot.history import Fitted
from bot.ports import Store
from bot.pricing import Prices

BY_INTERACTION = "interaction"
"""An option that an adapter gives a question which nothing but an interaction can answer."""

MORE = {"Ask more": Chance("more", anybody=True)}
AGAIN = {"Try again": Chance("again")}
VOTES = {"👍": Chance("up", anybody=True), "👎": Chance("down", anybody=True)}
ALLOW = {"Allow this once": Chance("allow")}


class Offers:
    """Writes down what a person can do about a reply, each a token."""

    def __init__(self, store: Store, prices: Prices, *, cuts: bool) -> None:
        """`cuts` says whether very long pictures are cut into parts."""
        self.store = store
        self.prices = prices
        self.cuts = cuts

    async def under_answer(
        self, claim: Claim, fitted: Fitted, ask: Ask, answer: Answer
    ) -> tuple[Button, ...]:
        """Another answer, and a vote that anybody has.

        A closer look where it was a cheap one, and what makes the thread's next questions cheaper.
        """
        wanted = MORE if BY_INTERACTION in claim.message.options else {}
        wanted = {**wanted, **AGAIN, **VOTES}
        label = tax.closer(fitted, ask, answer, self.prices, cut=self.cuts)
        if answer.said and label:
            wanted[label] = Chance("closer")
        for label, marks in tax.buttons(fitted, ask, answer, self.prices):
            wanted[label] = Chance("mark", marks)
        return await self.written(claim, wanted)

    async def after_failure(self, claim: Claim) -> tuple[Button, ...]:
        """Another try."""
        return await self.written(claim, AGAIN)

    async def after_refusal(self, claim: Claim) -> tuple[Button, ...]:
        """Another try, as on the next day; and an administrator may let this one question pass."""
        return await self.written(claim, {**AGAIN, **ALLOW})

    async def written(self, claim: Claim, wanted: dict[str, Chance]) -> tuple[Button, ...]:
        """The buttons with these labels; one write, however many they are."""
        tokens = await self.store.offer(claim, list(wanted.values()))
        return tuple(
            Button(label, token, "primary" if chance.action == "more" else "")
            for (label, chance), token in zip(wanted.items(), tokens, strict=True)
        )
