"""What happens in the channel, told to every open tab."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.web.nouns import Json

# A tab that is so far behind starts again from the whole picture.
MAX_WAITING = 500

Listener = asyncio.Queue[str | None]


class Feed:
    """Tells what happens, in order; whoever was away asks for the whole picture first."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def publish(self, name: str, fact: Json) -> None:
        """Tells every tab; a tab that does not listen any more never holds up the others."""
        line = event(name, fact)
        for listener in list(self.listeners):
            if listener.full():
                self.end(listener)
            else:
                listener.put_nowait(line)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[Listener]:
        """What happens from now on; None is the end."""
        listener: Listener = asyncio.Queue(MAX_WAITING)
        self.listeners.add(listener)
        try:
            yield listener
        finally:
            self.listeners.discard(listener)

    def close(self) -> None:
        """Ends all listening; tabs come back when there is somebody to listen to."""
        for listener in list(self.listeners):
            self.end(listener)

    def end(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(None)


def event(name: str, fact: Json) -> str:
    """One server-sent event; JSON never holds a bare line break."""
    return f"event: {name}\ndata: {json.dumps(fact, ensure_ascii=False)}\n\n"
