"""The buttons under replies."""

from bot import tax
from bot.domain import Answer, Ask, Button, Claim
from bot.history import Fitted
from bot.ports import Store
from bot.pricing import Prices

BY_INTERACTION = "interaction"
"""An option that an adapter gives a question which nothing but an interaction can answer."""


class Offers:
    """Writes down what a person can do about a reply, each a token."""

    def __init__(self, store: Store, prices: Prices) -> None:
        self.store = store
        self.prices = prices

    async def under_answers(self, claim: Claim) -> tuple[Button, ...]:
        """What every answer offers, whatever it says: another one, and a vote that anybody has."""
        buttons = (
            *await self.after_failure(claim),
            Button("👍", await self.store.offer(claim, "up", anybody=True)),
            Button("👎", await self.store.offer(claim, "down", anybody=True)),
        )
        if BY_INTERACTION not in claim.message.options:
            return buttons
        more = await self.store.offer(claim, "more", anybody=True)
        return (Button("Ask more", more, "primary"), *buttons)

    async def for_this(
        self, claim: Claim, fitted: Fitted, ask: Ask, answer: Answer
    ) -> tuple[Button, ...]:
        """A closer look where it was a cheap one, and what makes the thread's next questions cheaper."""
        buttons = []
        if answer.said and (label := tax.closer(fitted, ask, answer, self.prices)):
            buttons.append(Button(label, await self.store.offer(claim, "closer")))
        for label, marks in tax.buttons(fitted, ask, answer, self.prices):
            buttons.append(Button(label, await self.store.offer(claim, "mark", marks)))
        return tuple(buttons)

    async def after_failure(self, claim: Claim) -> tuple[Button, ...]:
        """Another try."""
        return (Button("Try again", await self.store.offer(claim, "again")),)

    async def after_refusal(self, claim: Claim) -> tuple[Button, ...]:
        """Another try, as on the next day; and an administrator may let this one question pass."""
        allow = Button("Allow this once", await self.store.offer(claim, "allow"))
        return (*await self.after_failure(claim), allow)
