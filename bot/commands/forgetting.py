"""`forget` and `new`: what people take back, and where they start afresh."""

from bot.access import Access
from bot.domain import Button, Card, Chance, Claim, Command, Offer, Person, Post, Scope
from bot.ports import Store

TITLE = "Forget"
WORKSPACE, OWN, ALL = "workspace", "own", "all"
"""What is erased: what a person asked anywhere, what they asked in a thread, or the whole thread."""
MEANT = (
    "This erases every question that you asked me in this workspace, with its pictures and my "
    "answers. It cannot be undone. What it cost stays in the ledger, without what it was about."
)
MEANT_HERE = (
    "This erases what you asked in this thread, with its pictures and my answers. It cannot be "
    "undone. What it cost stays in the ledger, without what it was about."
)
DONE = "Erased: {what}, with the pictures and my answers."
NEW = "The next message here starts a new conversation: the model sees nothing of the last one."
NO_NEW = (
    "Every question outside of a thread starts a new conversation: ask me in the channel, not in a "
    "thread."
)


class Forgetting:
    """Erases what people asked, once they have said so twice."""

    def __init__(self, store: Store, access: Access) -> None:
        self.store = store
        self.access = access

    async def ask(self, command: Command) -> Card:
        """The card that asks whether it is meant; the whole workspace, or the thread it stands in."""
        place = command.place
        what = OWN if place.root else WORKSPACE
        token = await self.store.offer_card(place, command.author, "forget", what)
        label = "Erase it" if place.root else "Erase it all"
        words = MEANT_HERE if place.root else MEANT
        return Card(TITLE, words, buttons=(Button(label, token, "danger"),))

    async def ask_in_thread(self, claim: Claim) -> Card:
        """The same under a message; an administrator may erase the whole thread."""
        message = claim.message
        place = message.thread
        wanted = {"Erase what I asked": OWN}
        person = Person(message.author, message.groups)
        if await self.access.administers(place.platform, place.workspace, person):
            wanted["Erase the whole thread"] = ALL
        chances = [Chance("forget", what) for what in wanted.values()]
        tokens = await self.store.offer(claim, chances)
        buttons = (Button(*each, "danger") for each in zip(wanted, tokens, strict=True))
        return Card(TITLE, MEANT_HERE, buttons=tuple(buttons))

    async def erase(self, offer: Offer, person: Person) -> Card | None:
        """Does what a button offers; None to whom it is not for."""
        place = offer.place
        if offer.value == ALL:
            if not person.administrator:
                return None
            scope = Scope(place.platform, place.workspace, place.channel, place.root)
            posts = tuple(Post(place, post) for post in await self.store.retract(scope))
            return Card(TITLE, DONE.format(what="all of this thread"), erased=posts)
        if offer.person != person.id:
            return None
        thread = place if offer.value == OWN else None
        erased = await self.store.forget(place.platform, place.workspace, person.id, thread=thread)
        what = "what you asked in this thread" if thread else "all that you asked in this workspace"
        return Card(TITLE, DONE.format(what=what), erased=erased)

    async def start_afresh(self, command: Command) -> Card:
        """Ends the conversation of a direct message; elsewhere every mention is a new one."""
        if not command.direct or command.root:
            return Card("New conversation", NO_NEW)
        await self.store.end_conversation(command.place)
        return Card("New conversation", NEW)
