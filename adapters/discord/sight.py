"""What Discord lets the bot read: everything, or without the message-content intent what speaks to it."""

from dataclasses import dataclass

from adapters.discord.wire import Json, number

CONTENT_FLAGS = 1 << 18 | 1 << 19  # the intent as an approved app has it, and as a small one does

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

    def look_at(self, application: Json) -> None:
        """Learns from the application's flags whether the intent may be asked for; no flags tell nothing."""
        flags = number(application, "flags")
        self.full = not self.refused and (flags is None or bool(flags & CONTENT_FLAGS))

    def refuse(self) -> None:
        """Goes on without the intent."""
        self.full, self.refused = False, True
