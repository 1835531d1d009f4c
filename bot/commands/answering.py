"""Answers commands at once: one function each, the same on every platform."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

from bot import terms, words
from bot.access import Access
from bot.commands.choosing import Choosing
from bot.commands.estimator import Estimator
from bot.commands.forgetting import Forgetting
from bot.commands.helping import help_card
from bot.commands.marking import mark_card
from bot.commands.spending import Spending
from bot.domain import Card, Claim, Command, Message, Offer, Person
from bot.ports import Store
from bot.pricing import Prices
from bot.terms import SETTINGS, Terms

VISION = "vision"


class Commands:
    """Answers commands at once, from what is known without asking the model."""

    def __init__(
        self,
        store: Store,
        base: Terms,
        prices: Prices,
        access: Access,
        estimator: Estimator,
        now: Callable[[], datetime],
    ) -> None:
        """`base` is what holds where nothing else was set."""
        self.store = store
        self.base = base
        self.estimator = estimator
        self.spending = Spending(store, now)
        self.now = now
        self.forgetting = Forgetting(store, access)
        self.choosing = Choosing(store, base, access, prices.known)
        self.cards: Mapping[str, Callable[[Command], Awaitable[Card]]] = {
            "estimate": self.estimate,
            "usage": self.usage,
            "settings": self.choosing.card,
            "forget": self.forgetting.ask,
            "new": self.forgetting.start_afresh,
        }

    async def run(self, command: Command) -> Card:
        """The card that answers a command; an unknown one gets the help."""
        if command.name == VISION:
            name, _, text = command.text.strip().partition(" ")
            command = replace(command, name=name.lower(), text=text.strip())
        card = self.cards.get(command.name)
        return await card(command) if card else help_card()

    def concerns_pictures(self, message: Message) -> bool:
        """Whether a command is about the pictures of its thread, which has to be read for it."""
        spoken = words.command(message.text, SETTINGS)
        return spoken is not None and spoken.name in ("mark", "estimate")

    async def in_thread(self, claim: Claim) -> Card:
        """The card that answers a message which is a command, for everybody in its thread."""
        message = claim.message
        place = message.thread
        spoken = words.command(message.text, SETTINGS)
        if spoken is None:
            return help_card()
        if spoken.name == "mark":
            return await mark_card(self.store, claim, spoken)
        if spoken.name == "forget":
            return await self.forgetting.ask_in_thread(claim)
        command = Command(
            name=spoken.name,
            platform=place.platform,
            workspace=place.workspace,
            channel=place.channel,
            root=place.root,
            author=message.author,
            # What a person spent elsewhere is for them alone, unless they say so.
            text=spoken.text or ("thread" if spoken.name == "usage" else ""),
            attachments=message.attachments,
            options={**message.options, **spoken.options},
            message=message.id,
            drawn=False,
        )
        return await self.run(command)

    async def forget(self, offer: Offer, person: Person) -> Card | None:
        """Erases what a button offers to erase; None to whom it is not for."""
        return await self.forgetting.erase(offer, person)

    async def estimate(self, command: Command) -> Card:
        """What a question would cost, by what holds in its place."""
        text, beside = words.options(command.text)
        question, within = words.options(command.options.get("question", ""))
        options = {**beside, **within, **command.options}
        here, notes = terms.for_this_question(await self.terms(command), options, any_model)
        plain = replace(command, text=text, options={"question": question})
        card = await self.estimator.card(plain, here.ask, question_dollars=here.question)
        return replace(card, text="\n".join([card.text, *notes])) if notes else card

    async def usage(self, command: Command) -> Card:
        """What was spent, and what is left in the budgets that hold in its place."""
        here = await self.terms(command)
        now = self.now()
        asking = Message(command.place, "", command.author, "", now.timestamp())
        return await self.spending.card(command, budgets=here.budgets(asking, now))

    async def terms(self, command: Command) -> Terms:
        """What holds where a command was given."""
        return terms.held(self.base, await self.store.choices(command.place))


def any_model(_model: str) -> bool:
    """An estimate costs nothing, whatever is known of a model's price."""
    return True
