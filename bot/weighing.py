"""What is asked, and what its answer has to account for. Pure."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from bot import history, tokens, words
from bot.domain import Ask, Picture, ThreadId, Turn
from bot.errors import PictureRefused
from bot.history import Fitted

NO_PICTURE = (
    "There is no picture in this thread yet: post one together with your question, and I will "
    "look at it."
)
DROPPED = (
    "Every picture that this is about was left out by hand: write `keep {number}` to me to bring one "
    "back, or post another."
)
UNFETCHED = "the model's service cannot fetch this address; post the picture itself"


def readable(turn: Turn) -> Turn:
    """What somebody said without the options beside it, unless they are all that was said."""
    if turn.role == "assistant":
        return turn
    plain = words.plain(turn.text)
    return replace(turn, text=plain) if plain or turn.pictures else turn


def unanswerable(turns: Sequence[Turn]) -> str | None:
    """Why the model need not be asked at all, if so."""
    pictures = [picture for turn in turns for picture in turn.pictures]
    if not pictures:
        return NO_PICTURE
    asked = turns[-1].pictures or pictures
    if any(picture.visible for picture in asked):
        return None
    if all(picture.mark == "dropped" for picture in asked):
        # Whoever left them out may go on about what was said.
        answered = any(turn.role == "assistant" for turn in turns)
        return None if answered else DROPPED.format(number=asked[0].number)
    if len(asked) == 1:
        return "I could not see the picture, so I did not ask the model."
    return "I could see none of the pictures, so I did not ask the model."


def brought(turns: Sequence[Turn]) -> list[Picture]:
    """The pictures that came since the last answer."""
    return [picture for turn in turns[history.newest(turns) :] for picture in turn.pictures]


def told(turns: Sequence[Turn], unseen: Sequence[int], also: Collection[int]) -> list[Picture]:
    """What an answer accounts for: the new pictures, and earlier ones of which there is news."""
    news = {picture.number for picture in brought(turns)}
    return [
        replace(picture, receipt=f"not seen: {UNFETCHED}") if picture.number in unseen else picture
        for turn in turns
        for picture in turn.pictures
        if picture.number in news or picture.number in unseen or picture.number in also
    ]


def suspects(error: PictureRefused, fitted: Fitted) -> list[int]:
    """The picture that the API named, else the new ones: the earlier ones it has taken before."""
    if error.number is not None:
        return [error.number]
    news = [picture.number for picture in brought(fitted.turns) if picture.visible]
    return news or [p.number for turn in fitted.turns for p in turn.pictures if p.visible]


def key(thread: ThreadId) -> str:
    """A name for the thread that tells the provider nothing."""
    place = "\0".join((thread.platform, thread.workspace, thread.channel, thread.root))
    return hashlib.sha256(place.encode()).hexdigest()[:32]


def most_tokens(fitted: Fitted, ask: Ask) -> int:
    """The most that the input can come to: a linked picture may be of any size."""
    rule = tokens.rule(ask.model)
    details = [
        history.detail_of(picture, ask)
        for turn in fitted.turns
        for picture in turn.pictures
        if picture.visible and picture.image is None
    ]
    unsure = [
        most - history.ASSUMED_PICTURE_TOKENS for each in details if (most := rule.most(each))
    ]
    return fitted.tokens + sum(more for more in unsure if more > 0)
