"""The doors: what the bot asks of a platform, a model and a store, and what an adapter may ask of the bot."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from bot.domain import (
    Action,
    Answer,
    Ask,
    Attachment,
    Budget,
    Call,
    Card,
    Chance,
    Check,
    Claim,
    Command,
    Image,
    ImageKey,
    LedgerRow,
    Level,
    Loss,
    Mark,
    Message,
    Offer,
    Person,
    Picture,
    Post,
    PostId,
    Pressed,
    Proposal,
    Reply,
    Scope,
    Spent,
    Standing,
    ThreadId,
    Turn,
    UsageRow,
)


class Draft(Protocol):
    """The one visible reply to a message, whoever posts it and however often."""

    async def show(self, text: str) -> tuple[PostId, ...]:
        """Shows the answer so far, all of it; an empty text is the sign that somebody is at work.

        Paced by the adapter: it may skip, it never waits for a rate limit, it never raises.
        """

    async def finish(self, reply: Reply) -> tuple[PostId, ...]:
        """Completes the reply and returns all its posts; looks before it posts again."""

    async def leave(self) -> None:
        """Stops showing and leaves what is there: somebody else completes the reply; never raises."""

    async def withdraw(self) -> None:
        """Takes back what was shown, since the question is gone; never raises."""


class Adapter(Protocol):
    """A place where people talk: Slack, Discord, the local page, the terminal."""

    name: str

    async def listen(self, desk: "Desk") -> None:
        """Hands every message to the desk until cancelled, and acknowledges only what the desk has stored."""

    async def fetch(self, message: Message, attachment: Attachment) -> bytes:
        """Reads a file with the platform's credentials, from its hosts only, bounded in bytes and seconds.

        Raises PictureUnseen when it cannot be had and TransientError when it may be had later.
        """

    async def earlier(self, message: Message) -> list[Message]:
        """What the thread already holds before this message, oldest first, as far as the platform tells.

        Raises Unread, with what was found all the same, where the platform does not let all of it be read.
        """

    def draft(self, claim: Claim) -> Draft:
        """The reply to the claimed message, picking up the posts that the claim knows."""

    async def probe(self) -> Sequence[Check]:
        """What is right and what is missing on the platform's side, for `doctor`."""

    async def administers(self, workspace: str, person: str) -> bool:
        """Whether the platform calls this person an administrator, where only asking tells; False in doubt."""


class Desk(Protocol):
    """What an adapter may ask of the bot."""

    async def accept(self, message: Message) -> Card | None:
        """Returns once the message is safely stored, merged with what was known of it, or not ours.

        A card is for its author alone, as far as the platform can: why the message is not answered.
        """

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        """Erases what people deleted and returns the posts that answered it, for the adapter to delete."""

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        """By channel, the id of the last message that was read there, as noted; for catching up."""

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        """Notes that everything in a channel up to this message was handed in."""

    async def last_seen(self, platform: str) -> float | None:
        """When the newest message stored from this platform was sent, in seconds since 1970."""

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        """The workspace's threads in which something happened last, the newest first, at most 50."""

    async def run(self, command: Command) -> Card:
        """Answers a command at once; never calls the model, never queues."""

    async def denial(self, place: ThreadId, person: Person) -> Card | None:
        """Why this person may not ask in this place, told before a question is posted for them; None when they may."""

    async def press(self, button: str, person: Person) -> Card | Proposal | None:
        """Does what the button's token stands for.

        A card is for whoever pressed; a proposal is posted by the adapter and then accepted.
        """


class Model(Protocol):
    """Something that answers questions about pictures, for money."""

    def answer(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[str | Answer, None]:
        """Yields words as they come, and last the whole Answer with the API's own usage."""


class Store(Protocol):
    """The memory. Each method is one transaction; it takes and returns nouns.

    A write under a claim raises Superseded when the claim is no longer ours. Any method raises Outage when the
    database is away, locked or full.
    """

    async def accept(
        self, message: Message, *, quiet: float = 3.0, idle: float = 6 * 3600.0
    ) -> bool:
        """Stores a message or merges it with the one that is there; True when there is work to do now or soon.

        Addressed if either was; the newest edit wins; a deletion always wins, even one that came first. An edit of
        the thread's last question makes it work again, due after `quiet` seconds. An empty root stands for a
        channel without threads: the message joins the channel's last conversation, or starts one under its own id
        when nothing was said there for `idle` seconds, or the last one was ended.
        """

    async def end_conversation(self, channel: ThreadId, *, at: float | None = None) -> None:
        """Ends the last conversation of a channel without threads: its next message starts a new one.

        With a moment, the conversation of that time: so the same wish, heard twice, ends nothing that came after it.
        """

    async def participation(
        self, thread: ThreadId, author: str, *, before: float | None = None
    ) -> str:
        """`asker` when this person has asked in the thread, `guest` when only others have, else `stranger`.

        With a moment, only what was asked before it counts; `early` when that was nothing yet.
        """

    async def last_seen(self, platform: str) -> float | None:
        """When the newest message stored from this platform was sent, in seconds since 1970."""

    async def recent(self, platform: str, workspace: str) -> list[ThreadId]:
        """The workspace's threads in which something happened last, the newest first, at most 50."""

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        """Erases messages, answers, pictures and marks; leaves tombstones; returns the posts of erased answers."""

    async def claim(
        self, platforms: Collection[str], *, thread: ThreadId | None = None
    ) -> Claim | None:
        """Claims the longest-due thread and returns its oldest unanswered message; None when nothing is due."""

    async def renew(self, claims: Sequence[Claim]) -> Mapping[ThreadId, Loss]:
        """Prolongs the leases and returns those of the claims that no longer hold, and why."""

    async def standing(self, claim: Claim) -> Standing:
        """What holds for the claimed message, what its thread has cost, and whether it was answered in before."""

    async def pictures(self, claim: Claim) -> list[Picture]:
        """The thread's pictures up to the claimed message in the order of their numbers, numbering new ones."""

    async def keep(
        self, claim: Claim, number: int, image: Image, more: Sequence[Image] = ()
    ) -> None:
        """Stores the prepared form of a picture, all its parts in order, and its receipt; it is what is shown now.

        Forms kept before stay beside it.
        """

    async def recall(self, claim: Claim, number: int, form: str, *, source: str = "") -> bool:
        """Shows a picture from now on in a form that is kept already; False when there is none.

        Either one of the picture's own forms, or, with `source`, one that was made of the same file in the same
        workspace. All its parts come, and the receipt and the size that it was kept with.
        """

    async def knows(self, place: ThreadId, source: str, form: str) -> bool:
        """Whether a form made of this file is kept somewhere in this workspace: what `recall` would find."""

    async def note(self, claim: Claim, number: int, receipt: str) -> None:
        """Notes a receipt without a picture: `not seen: …`, or `linked` for one that is sent on by its address."""

    async def load(self, key: ImageKey) -> bytes:
        """The bytes of a stored form, checked against their digest; raises PictureUnseen when they are gone."""

    async def history(self, claim: Claim) -> list[Turn]:
        """The conversation up to and with the claimed message, oldest first, pictures without their bytes."""

    async def reply(self, message: Message) -> Reply | None:
        """What was said to a message that is settled, whoever said it; None while it is not."""

    async def attempt(self, claim: Claim, call: Call) -> int:
        """Notes a call before it is made and reserves its maximum in every budget; returns the call's number.

        Raises BudgetSpent when a budget has no room; then nothing is reserved. A claim that was `allowed` is held
        by no budget, and counts in all of them.
        """

    async def left(self, place: ThreadId, budgets: Sequence[Budget]) -> list[Decimal]:
        """USD still free in each of these budgets; less than nothing where one was passed."""

    async def close(self, claim: Claim, call: int, *, charged: bool) -> None:
        """Ends a call that gave no answer: its reserve is released, or kept as possibly charged."""

    async def record(
        self, claim: Claim, reply: Reply, *, call: int | None = None, answer: Answer | None = None
    ) -> None:
        """Stores the reply before it is posted; with an answer, closes its call with usage and cost."""

    async def posted(self, claim: Claim, posts: Sequence[PostId]) -> None:
        """Notes which posts carry the reply."""

    async def offer(self, claim: Claim, chances: Sequence[Chance]) -> list[str]:
        """A token for each button under the claimed message's reply; the same one for the same action and value."""

    async def offer_card(
        self, place: ThreadId, person: str, action: Action, value: str = "", *, message: str = ""
    ) -> str:
        """A token for a button under a card that only this person may press; it lives for a day."""

    async def offered(self, token: str) -> Offer | None:
        """What a token stands for; None when it stands for nothing any more."""

    async def press(self, token: str, person: Person) -> Pressed:
        """Does what a token under a reply stands for: stop, again, closer, mark, up, down or allow.

        `again` also for closer, which sets the message's option `detail` to `high`, and for allow; `late` when it
        stands for nothing any more, `stranger` when it is somebody else's. A person's second vote on an answer
        replaces the first. `mark` makes nothing work: it holds from the next question on.
        """

    async def mark(self, thread: ThreadId, numbers: Collection[int], mark: Mark) -> list[int]:
        """Sets a mark on pictures of a thread; returns the numbers that it has."""

    async def conversation(self, thread: ThreadId) -> list[Turn]:
        """All that a thread holds, oldest first, without claiming it; for estimates and settings."""

    async def choices(self, place: ThreadId) -> Mapping[Level, Mapping[str, str]]:
        """What was set for this thread, its channel and its workspace, by name."""

    async def choose(self, place: ThreadId, level: Level, name: str, value: str | None) -> None:
        """Sets something at a level of this place; None takes it back."""

    async def forget(
        self, platform: str, workspace: str, person: str, *, thread: ThreadId | None = None
    ) -> tuple[Post, ...]:
        """Erases what a person said in a workspace, or in one thread, with answers and pictures.

        Leaves tombstones; returns the posts of erased answers.
        """

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        """By channel, the id of the last message that was read there, as noted."""

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        """Notes how far a channel was read."""

    async def settle(self, claim: Claim) -> None:
        """The message is answered; the thread moves on to its next one."""

    async def hand_back(self, claim: Claim) -> None:
        """Gives the claim back, due at once, as if it had never been tried."""

    async def postpone(self, claim: Claim, delay: float, *, failed: bool) -> None:
        """Gives the claim back, due in `delay` seconds; `failed` says whether it counts as a failure."""

    async def thread_spent(self, thread: ThreadId) -> Spent:
        """What the thread has cost so far."""

    async def usage(
        self,
        *,
        since: float | None = None,
        platform: str | None = None,
        workspace: str | None = None,
        channel: str | None = None,
        person: str | None = None,
    ) -> list[UsageRow]:
        """The ledger's sums by day, place and model, newest first."""

    def ledger(self, *, since: float | None = None) -> AsyncIterator[LedgerRow]:
        """The ledger's rows, oldest first, read in pages."""

    async def purge(self) -> int:
        """Erases threads past their retention date; returns how many."""
