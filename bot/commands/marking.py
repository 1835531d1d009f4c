"""`drop 2`, `pin 1 3`, `low all`: what becomes of a thread's pictures from the next question on."""

from collections.abc import Mapping, Sequence

from bot.domain import Card, Claim, Mark
from bot.ports import Store
from bot.words import Spoken

DONE: Mapping[Mark, str] = {
    "dropped": "not sent any more",
    "pinned": "always sent, whatever else has to go",
    "low": "sent at low detail",
    "high": "sent at high detail",
    "": "sent as before",
}
NO_PICTURES = "There is no picture in this thread yet."
NO_SUCH = "This thread has no picture {missing}; its pictures are {numbers}."


async def mark_card(store: Store, claim: Claim, spoken: Spoken) -> Card:
    """Marks pictures of the thread in which this was said, and says which."""
    here = [picture.number for picture in await store.pictures(claim)]
    if not here:
        return Card("", NO_PICTURES)
    found = await store.mark(claim.message.thread, spoken.numbers or here, spoken.mark)
    lines = [marked_line(found, spoken.mark)] if found else []
    if missing := [number for number in spoken.numbers if number not in found]:
        lines.append(NO_SUCH.format(missing=listed(missing), numbers=listed(here)))
    return Card("", " ".join(lines))


def marked_line(numbers: Sequence[int], mark: Mark) -> str:
    """Which pictures are sent how from now on."""
    name = "Picture" if len(numbers) == 1 else "Pictures"
    verb = "is" if len(numbers) == 1 else "are"
    return f"{name} {listed(sorted(numbers))} {verb} {DONE[mark]} from the next question on."


def listed(numbers: Sequence[int]) -> str:
    """`1, 2 and 4`."""
    *most, last = [str(number) for number in numbers]
    return f"{', '.join(most)} and {last}" if most else last
