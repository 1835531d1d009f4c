"""What this process knows of answers that are being written, and of who asked for them."""

from collections import OrderedDict
from collections.abc import Sequence

from bot.domain import Claim, Person, PostId, ThreadId
from bot.ports import Desk

MOST_THREADS = 10_000  # whose last reply is remembered; others are looked at again
MOST_TEAMS = 10_000  # people whose home is remembered; whoever is forgotten is taken for a local


class Live:
    """Streams by their post, and people's workspaces; all of it may be lost without harm."""

    def __init__(self) -> None:
        self.desk: Desk | None = None
        """Whom a stop is told; None until the bot listens."""
        self.claims: dict[tuple[str, str], Claim] = {}
        """By channel and the question's timestamp."""
        self.posts: dict[tuple[str, PostId], Claim] = {}
        self.teams: OrderedDict[str, str] = OrderedDict()
        self.done: OrderedDict[ThreadId, tuple[Claim, tuple[PostId, ...]]] = OrderedDict()
        """The last reply of each thread that was completed here."""

    def begin(self, claim: Claim) -> None:
        """An answer is being written."""
        self.claims[claim.message.thread.channel, claim.message.id] = claim

    def opened(self, claim: Claim, post: PostId) -> None:
        """A stream carries it."""
        self.posts[claim.message.thread.channel, post] = claim

    def end(self, claim: Claim) -> None:
        """Nobody writes it any more, here."""
        channel = claim.message.thread.channel
        if self.claims.get((channel, claim.message.id)) is claim:
            del self.claims[channel, claim.message.id]
        for key in [key for key, known in self.posts.items() if known is claim]:
            del self.posts[key]

    def finished(self, claim: Claim, posts: Sequence[PostId]) -> None:
        """A reply is complete in these posts."""
        self.done[claim.message.thread] = claim, tuple(posts)
        self.done.move_to_end(claim.message.thread)
        if len(self.done) > MOST_THREADS:
            self.done.popitem(last=False)

    def nothing_unknown(self, claim: Claim) -> bool:
        """Whether nobody can have posted anything for this message that the claim does not know.

        A thread's claims are counted: between its first one and nothing, as between one that was completed here and
        the next, there was nobody.
        """
        if claim.number <= 1:
            return not claim.posts
        before, posts = self.done.get(claim.message.thread, (None, ()))
        if before is None or claim.number != before.number + 1:
            return False
        same = claim.message.id == before.message.id
        return claim.posts == posts if same else not claim.posts

    def meant(self, channel: str, root: str, posts: Sequence[PostId]) -> list[Claim]:
        """The answers that Slack's own Stop means: those of its streams, else those of its thread."""
        if posts:
            return [self.posts[channel, post] for post in posts if (channel, post) in self.posts]
        return [
            claim
            for (place, _), claim in self.claims.items()
            if place == channel and claim.message.thread.root == root
        ]

    async def stop(self, claim: Claim, person: str) -> None:
        """Tells the bot that a person stopped an answer by Slack's own means."""
        if self.desk is not None and claim.stop:
            await self.desk.press(claim.stop, Person(person))

    def met(self, person: str, team: str) -> None:
        """Notes from which workspace a person speaks; in a shared channel it is not always ours."""
        if not person or not team:
            return
        self.teams[person] = team
        self.teams.move_to_end(person)
        if len(self.teams) > MOST_TEAMS:
            self.teams.popitem(last=False)

    def team(self, person: str, otherwise: str) -> str:
        """A person's own workspace."""
        return self.teams.get(person, otherwise)
