"""What an adapter hands in: accept, retract, run, press."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from bot.commands import Commands
from bot.domain import Card, Command, Message, Person, PostId, Proposal, Scope, ThreadId
from bot.links import links_in
from bot.ports import Store

FollowUps = Literal["askers", "everyone", "mentions"]

MAX_TEXT = 100_000  # characters of a message that are kept; more than any platform lets people post
UNPRESSED = {
    "late": Card("Too late", "This button does nothing any more."),
    "stranger": Card("Not yours", "Only the person who asked can do this."),
}


class Desk:
    """Takes in what people post and answers their commands."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        wake: Callable[[], None],
        *,
        follow_ups: FollowUps = "askers",
        links: bool = False,
    ) -> None:
        self.store = store
        self.commands = commands
        self.wake = wake
        self.follow_ups = follow_ups
        self.links = links
        """Whether pictures' addresses in a text are sent on, as OpenAI's own endpoint fetches them."""

    async def accept(self, message: Message) -> Card | None:
        """Returns once the message is safely stored, merged with what was known of it, or not ours."""
        if not message.addressed:
            # What was posted before anybody asked is no follow-up, however late it comes or changes.
            participation = await self.store.participation(
                message.thread, message.author, before=message.sent_at
            )
            if participation == "stranger":
                return None
            message = replace(message, addressed=self.follows_up(message, participation))
        message = replace(message, text=message.text[:MAX_TEXT])
        if self.links:
            linked = links_in(message.text)
            message = replace(message, attachments=message.attachments + linked)
        if await self.store.accept(message):
            self.wake()
        return None

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        """Erases what people deleted and returns the posts that answered it."""
        return await self.store.retract(scope)

    async def last_seen(self, platform: str) -> float | None:
        """When the newest message stored from this platform was sent, in seconds since 1970."""
        return await self.store.last_seen(platform)

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        """The workspace's threads in which something happened last, the newest first, at most 50."""
        return await self.store.recent(platform, workspace)

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        """By channel, the id of the last message that was read there, as noted; for catching up."""
        return await self.store.read_up_to(platform, workspace)

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        """Notes that everything in a channel up to this message was handed in."""
        await self.store.note_read(platform, workspace, channel, message)

    async def run(self, command: Command) -> Card:
        """Answers a command at once."""
        return await self.commands.run(command)

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        """Does what the button's token stands for; a card says why nothing happened."""
        pressed = await self.store.press(button, person)
        if pressed == "again":
            self.wake()
        return UNPRESSED.get(pressed)

    def follows_up(self, message: Message, participation: str) -> bool:
        """Whether a message without a mention speaks to the bot all the same."""
        if message.to_others or message.kind != "question" or self.follow_ups == "mentions":
            return False
        if self.follow_ups == "everyone":
            return participation in ("asker", "guest")
        return participation == "asker"
