"""What an adapter hands in: accept, retract, run, press."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from bot import proposals, terms, words
from bot.access import Access
from bot.commands import Commands
from bot.domain import (
    Card,
    Command,
    Message,
    Offer,
    Person,
    PostId,
    Pressed,
    Proposal,
    Scope,
    ThreadId,
)
from bot.links import links_in
from bot.ports import Store
from bot.terms import SETTINGS, FollowUps, Terms

MAX_TEXT = 100_000  # characters of a message that are kept; more than any platform lets people post
# Older ones come late, as after a break: nobody waits for a word about them any more.
FRESH_SECONDS = 600.0
# A platform tells of one post several times, and people press twice.
ONCE_SECONDS = 30.0
MAX_REMEMBERED = 1_000

LATE = Card("Too late", "This button does nothing any more.")
STRANGER = Card("Not yours", "Only the person who asked can do this.")
ADMINISTRATORS = "Only an administrator can allow a question past its budget: ask {whom}."
COUNTED = Card("Thank you", "Your vote is counted; `/vision usage` shows them.")
MARKED = Card("Done", "It holds from the next question in this thread on.")
TWICE = Card("Already asked", "If the question does not appear, press again in half a minute.")
PRESSED: Mapping[Pressed, Card] = {
    "late": LATE,
    "stranger": STRANGER,
    "counted": COUNTED,
    "marked": MARKED,
}
NEW = "The next message here starts a new conversation: the model sees nothing of this one."


class Desk:
    """Takes in what people post and answers their commands."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        wake: Callable[[], None],
        *,
        base: Terms,
        access: Access,
        links: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.commands = commands
        self.wake = wake
        self.base = base
        """What holds where nothing else was set."""
        self.access = access
        self.links = links
        """Whether pictures' addresses in a text are sent on, as OpenAI's own endpoint fetches them."""
        self.now = now
        self.refused = Lately(FRESH_SECONDS)
        self.proposed = Lately(ONCE_SECONDS)

    async def accept(self, message: Message) -> Card | None:
        """Returns once the message is safely stored, merged with what was known of it, or not ours."""
        # Who merely talks where everybody is answered did not ask to be told that they are not.
        waits = message.addressed
        if not message.addressed:
            # What was posted before anybody asked is no follow-up, however late it comes or changes.
            participation = await self.store.participation(
                message.thread, message.author, before=message.sent_at
            )
            if participation == "stranger":
                return None
            addressed = await self.follows_up(message, participation)
            message = replace(message, addressed=addressed)
            waits = addressed and participation == "asker"
        if not self.access.admits(message):
            return self.refuse(message) if waits else None
        message = self.understood(message)
        if message.kind == "command" and ends_conversation(message):
            await self.store.end_conversation(message.thread, at=message.sent_at)
            return Card("New conversation", NEW)
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
        if not self.access.admits(command):
            return self.access.refusal(command.platform)
        return await self.commands.run(command)

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        """Why this person may not ask in this place; None when they may."""
        if self.access.lets_ask(place, person):
            return None
        return self.access.refusal(place.platform)

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        """Does what the button's token stands for; a card says what was done, or why nothing was."""
        offer = await self.store.offered(button)
        if offer is None:
            return LATE
        place = offer.place
        if self.access.shuts_out(place, person):
            return self.access.refusal(place.platform)
        if offer.action in ("ask", "more"):
            return self.propose(button, offer, person)
        if offer.action in ("allow", "forget") or offer.person not in ("", person.id):
            person = await self.access.known(place, person)
        if offer.action == "forget":
            return await self.commands.forget(offer, person) or STRANGER
        pressed = await self.store.press(button, person)
        if pressed in ("again", "allowed"):
            self.wake()
        if pressed == "stranger" and offer.action == "allow":
            text = ADMINISTRATORS.format(whom=self.access.whom(place.platform))
            return Card("For administrators", text)
        return PRESSED.get(pressed)

    def refuse(self, message: Message) -> Card | None:
        """Says once why a message is not answered."""
        place = message.thread
        now = self.now()
        if now - message.sent_at > FRESH_SECONDS:
            return None
        if not self.refused.first("\0".join((*place_parts(place), message.id)), now):
            return None
        return self.access.refusal(place.platform)

    def propose(self, button: str, offer: Offer, person: Person) -> Card | Proposal:
        """The question of a card, for the one who asked for it, and only once in a while."""
        if offer.person not in ("", person.id):
            return STRANGER
        proposal = proposals.unpacked(offer, person.id)
        # Without words the adapter asks for them first, and presses again.
        if proposal.text and not self.proposed.first(button, self.now()):
            return TWICE
        return proposal

    def understood(self, message: Message) -> Message:
        """The message as it is stored: bounded, with the pictures that it links to, or a command."""
        message = replace(message, text=message.text[:MAX_TEXT])
        if message.addressed and message.kind == "question":
            spoken = words.command(message.text, SETTINGS)
            # A picture beside it is to be asked about, unless it is to be estimated.
            if spoken and (not message.attachments or spoken.name == "estimate"):
                return replace(message, kind="command")
        if not self.links:
            return message
        return replace(message, attachments=message.attachments + links_in(message.text))

    async def follows_up(self, message: Message, participation: str) -> bool:
        """Whether a message without a mention speaks to the bot all the same."""
        if message.to_others or message.kind != "question":
            return False
        if participation not in ("asker", "guest"):
            return False
        allowed: FollowUps = terms.held(
            self.base, await self.store.choices(message.thread)
        ).follow_ups
        return allowed == "everyone" or (allowed == "askers" and participation == "asker")


class Lately:
    """What happened a moment ago, so that it happens once; bounded, and gone with the process."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.known: dict[str, float] = {}

    def first(self, name: str, now: float) -> bool:
        """Whether this did not happen within the last seconds; from now on it did."""
        if now - self.known.get(name, float("-inf")) < self.seconds:
            return False
        self.known.pop(name, None)
        self.known[name] = now
        while len(self.known) > MAX_REMEMBERED:
            del self.known[next(iter(self.known))]
        return True


def ends_conversation(message: Message) -> bool:
    """Whether it is `new` where no threads are: there is nothing to be stored of it."""
    spoken = words.command(message.text, SETTINGS)
    return not message.thread.root and spoken is not None and spoken.name == "new"


def place_parts(place: ThreadId) -> tuple[str, ...]:
    return place.platform, place.workspace, place.channel
