"""How far each server was read: everything up to its mark is stored, or was not for us. Pure."""

from collections import Counter, defaultdict


class Marks:
    """Ids of messages by server; a mark never passes a message that is not stored yet."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._pending: defaultdict[str, Counter[int]] = defaultdict(Counter)
        """Messages that are on their way to the store."""
        self._frozen: dict[str, int | None] = {}
        """Where the mark of a server stays while what was missed there is read."""
        self._readers: Counter[str] = Counter()
        self._noted: dict[str, int] = {}

    def of(self, server: str) -> int | None:
        """The id up to which all is done; None while nothing is known."""
        if server in self._frozen:
            return self._frozen[server]
        pending = self._pending.get(server)
        return min(pending) - 1 if pending else self._newest.get(server)

    def heard(self, server: str, message: int) -> None:
        """Discord told of a message."""
        self._newest[server] = max(self._newest.get(server, 0), message)

    def begin(self, server: str, message: int) -> None:
        """A message is on its way to the store."""
        self._pending[server][message] += 1

    def end(self, server: str, message: int) -> None:
        """It is stored, or not for us."""
        pending = self._pending[server]
        pending[message] -= 1
        if pending[message] <= 0:
            del pending[message]

    def freeze(self, server: str) -> None:
        """Keeps the mark where it is: something may have been missed."""
        self._frozen.setdefault(server, self.of(server))
        self._readers[server] += 1

    def set(self, server: str, message: int) -> None:
        """Learns from where on a server is to be read."""
        if self._frozen.get(server) is None:
            self._frozen[server] = message
        self.heard(server, message)

    def thaw(self, server: str) -> None:
        """What was missed is read."""
        self._readers[server] -= 1
        if self._readers[server] <= 0:
            del self._readers[server]
            self._frozen.pop(server, None)

    def news(self) -> dict[str, int]:
        """The marks that have moved since they were noted, those that wait the longest first."""
        found = {server: self.of(server) for server in self._newest if server not in self._frozen}
        return {
            server: mark
            for server, mark in found.items()
            if mark is not None and mark > self._noted.get(server, 0)
        }

    def noted(self, server: str, message: int) -> None:
        """The mark is stored."""
        self._noted[server] = message
        # Behind all others that wait.
        self._newest[server] = self._newest.pop(server)
