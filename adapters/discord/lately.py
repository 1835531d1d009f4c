"""What was seen lately: as much as fits, and no more."""

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class Lately(Generic[V]):
    """Values by name; the one that was not asked for the longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, V] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def get(self, name: str) -> V | None:
        if name in self._held:
            self._held.move_to_end(name)
        return self._held.get(name)

    def keep(self, name: str, value: V) -> None:
        self._held[name] = value
        self._held.move_to_end(name)
        while len(self._held) > self._most:
            self._held.popitem(last=False)
