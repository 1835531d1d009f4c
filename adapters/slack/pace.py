"""How often a method may be called, kept by ourselves so that Slack seldom has to refuse."""

import time
from collections.abc import Callable


class Pace:
    """A bucket of calls that refills steadily; Slack's own limits are per method and workspace.

    `rate` is in calls per second, `burst` in calls.
    """

    def __init__(
        self, rate: float, burst: float = 1.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = burst
        self.clock = clock
        self.left = burst
        self.counted_at = clock()

    def take(self, *, leaving: float = 0.0) -> bool:
        """Takes a call if there is one now, and so many more for others."""
        self.refill()
        if self.left < 1 + leaving:
            return False
        self.left -= 1
        return True

    def book(self) -> float:
        """Takes the next free call and returns the seconds until its time."""
        self.refill()
        self.left -= 1
        return max(0.0, -self.left / self.rate)

    def cancel(self) -> None:
        """Gives a booked call back."""
        self.left += 1

    def idle(self) -> bool:
        """Whether nobody has called for so long that the bucket is full again."""
        self.refill()
        return self.left >= self.burst

    def hold(self, seconds: float) -> None:
        """Nobody calls for so long, since Slack said so."""
        self.refill()
        self.left = min(self.left, 1 - seconds * self.rate)

    def refill(self) -> None:
        now = self.clock()
        self.left = min(self.burst, self.left + (now - self.counted_at) * self.rate)
        self.counted_at = now


class Gates:
    """Methods that Slack asked us to leave alone for a while, whoever wants to call them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.until: dict[str, float] = {}

    def close(self, method: str, seconds: float) -> None:
        """Nobody calls the method for so long."""
        self.until[method] = max(self.until.get(method, 0.0), self.clock() + seconds)

    def left(self, method: str) -> float:
        """Seconds until the method may be called again."""
        return max(0.0, self.until.get(method, 0.0) - self.clock())
