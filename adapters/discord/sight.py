"""What Discord lets the bot read: everything, or without the message-content intent what speaks to it."""

from dataclasses import dataclass, field

from adapters.discord.lately import Lately
from adapters.discord.places import DIRECT
from adapters.discord.wire import Json, number
from bot.domain import Message

CONTENT_FLAGS = 1 << 18 | 1 << 19  # the intent as an approved app has it, and as a small one does
MOST_THREADS = 10_000

NO_INTENT = (
    "Discord shows this bot only what mentions it or comes as a direct message. To let it read "
    "follow-ups too, open your application in the developer portal, Bot, Privileged Gateway "
    "Intents, switch on Message Content Intent, and restart the bot."
)
NEEDS_MENTION = "I can read only messages that mention me: mention me in each question."
UNREAD = (
    "I cannot read this message: Discord shows me only messages that mention me. Mention me in it, "
    "and I will answer."
)


@dataclass(slots=True)
class Sight:
    """Whether the bot reads messages that do not mention it."""

    full: bool = True
    refused: bool = False
    """Discord ended a connection because of the intent, whatever the application's flags say."""
    firsts: Lately[str] = field(default_factory=lambda: Lately(MOST_THREADS))
    """By thread, the question under whose answer it was told."""

    def asides(self, message: Message) -> tuple[str, ...]:
        """What people are to know of it, once in each thread: under its first answer."""
        if self.full or message.thread.workspace == DIRECT:
            return ()
        first = self.firsts.get(message.thread.root) or message.id
        self.firsts.keep(message.thread.root, first)
        return (NEEDS_MENTION,) if message.id == first else ()

    def look_at(self, application: Json) -> None:
        """Learns from the application's flags whether the intent may be asked for; no flags tell nothing."""
        flags = number(application, "flags")
        self.full = not self.refused and (flags is None or bool(flags & CONTENT_FLAGS))

    def refuse(self) -> None:
        """Goes on without the intent."""
        self.full, self.refused = False, True
