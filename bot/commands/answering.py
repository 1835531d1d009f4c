"""Answers commands at once: one function each, the same on every platform."""

from bot.commands.estimating import (
    NOTHING_TO_ESTIMATE,
    Sized,
    chosen,
    estimate,
    typed,
)
from bot.commands.telling import estimate_card
from bot.domain import Ask, Card, Command
from bot.pricing import Prices

HELP = """\
**Ask:** post a picture, mention me and ask. I answer in a thread; ask on there without posting the \
picture again. A picture without words gets a description.
**Cost:** each answer ends with its tokens and its price; `/estimate` tells it beforehand.
**Pictures:** PNG, JPEG, WebP and GIF (its first frame), up to 10 in a message. Position, camera \
and other hidden data are removed before the model sees a picture.
**What the model is weak at:** medical images, non-Latin text, tiny or rotated text, exact \
positions and counts, fine line styles (dashed or dotted). It can be wrong: check what matters. \
It cannot make or change pictures, and it cannot be fine-tuned on yours.
"""


class Commands:
    """Answers commands at once, from what is known without asking the model."""

    def __init__(self, ask: Ask, prices: Prices) -> None:
        self.ask = ask
        self.prices = prices

    async def run(self, command: Command) -> Card:
        """The card that answers a command; an unknown one gets the help."""
        if command.name == "estimate":
            return self.estimate(command)
        return Card("Threadsight", HELP)

    def estimate(self, command: Command) -> Card:
        """What a question with these pictures would cost."""
        ask = chosen(self.ask, command.options)
        pictures = [Sized.of(attachment) for attachment in command.attachments]
        question = command.options.get("question", "")
        if not pictures:
            try:
                pictures, ask = typed(command.text, ask)
            except ValueError as error:
                return Card("Estimate", str(error))
        if not pictures:
            return Card("Estimate", NOTHING_TO_ESTIMATE)
        return estimate_card(estimate(pictures, question, ask, self.prices))
