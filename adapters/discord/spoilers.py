"""Pictures that people see only when they choose to: what is said of them is a spoiler too."""

from collections.abc import Iterable

from adapters.discord.earlier import earlier
from adapters.discord.events import SPOILER
from adapters.discord.lately import Lately
from adapters.discord.rest import Rest
from bot.domain import Message
from bot.errors import ThreadsightError, Unread

MOST_THREADS = 10_000


class Spoilers:
    """Knows which threads hold such pictures."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._threads: Lately[bool] = Lately(MOST_THREADS)

    def hear(self, message: Message) -> None:
        """Takes in a new message; one without such pictures tells nothing of those before it."""
        if veiled(message):
            self.note(message.thread.root, [message])

    def note(self, root: str, messages: Iterable[Message]) -> None:
        """Takes in what a thread holds."""
        if root:
            known = bool(self._threads.get(root))
            self._threads.keep(root, known or any(map(veiled, messages)))

    async def cover(self, message: Message) -> bool:
        """Whether the answer to a message may speak of such a picture."""
        root = message.thread.root
        self.hear(message)
        if veiled(message):
            return True
        if root not in self._threads and message.id != root:
            # Another process, or this one before it was restarted, has seen what came before.
            self.note(root, await self._before(message))
        return bool(self._threads.get(root))

    async def _before(self, message: Message) -> Iterable[Message]:
        try:
            return await earlier(self._rest, message)
        except Unread as error:
            return error.found
        except ThreadsightError:
            return ()


def veiled(message: Message) -> bool:
    """Whether one of a message's own pictures is a spoiler."""
    return any(file.name.startswith(SPOILER) for file in message.attachments)
