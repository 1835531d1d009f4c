"""The terminal as a place: one question, and its answer or why there is none."""

import io
from typing import cast

from adapters.terminal import Terminal, question
from bot.domain import Card, Message
from bot.ports import Desk


class Refusing:
    """A desk that takes nothing in."""

    async def accept(self, message: Message) -> Card | None:
        return Card("Not here", "Ask somebody else.")


async def test_who_is_refused_is_told_why_and_waits_for_nothing() -> None:
    out = io.StringIO()
    place = Terminal(question("What is this?", [], None), max_file_bytes=1_000, out=out)

    await place.listen(cast("Desk", Refusing()))

    assert place.replied.result().text == "Ask somebody else."
    assert place.replied.result().failed
