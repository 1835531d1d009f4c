"""What can go wrong, as one small tree.

ThreadsightError        carries the sentence that a person reads
├── TransientError      trying again may help
│   ├── RateLimited     … after a while that the other side names
│   ├── Outage          … when the other side is back; never counts as the message's failure
│   └── Stalled         … but the call that stalled may be charged
├── PermanentError      trying again never helps
│   ├── PictureUnseen   one picture fails alone
│   ├── PictureRefused  the model's API refused a picture
│   ├── Unread          part of what a thread held cannot be read; the rest is there
│   ├── BudgetSpent     the money is used up
│   └── SetupError      only the installer can mend it
└── Superseded          the claim is no longer ours: stop, and say nothing
"""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain import Message


class ThreadsightError(Exception):
    """Anything that this bot raises on purpose; its text is the sentence for the person."""

    charged = False
    """Whether the model's provider may bill the call that failed."""

    @property
    def sentence(self) -> str:
        """One sentence: what happened and what to do."""
        return str(self)


class TransientError(ThreadsightError):
    """Trying again may help."""

    counts = True
    """Whether it counts towards the failures after which the bot apologises."""

    def __init__(self, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds to wait at least, where the other side named them."""


class RateLimited(TransientError):
    """The other side asked us to wait."""

    counts = False


class Outage(TransientError):
    """The other side is away or broken for everybody."""

    counts = False


class Stalled(TransientError):
    """The model took the question and then said nothing for too long."""

    charged = True


class Unposted(TransientError):
    """The reply is recorded, but its platform did not take it yet."""

    counts = False


class PermanentError(ThreadsightError):
    """Trying again never helps."""


class PictureUnseen(PermanentError):
    """One picture cannot be shown to the model; the sentence follows `not seen: `."""


class PictureRefused(PermanentError):
    """The model's API refused a picture; `number` says which, where the API said it."""

    def __init__(self, sentence: str, *, number: int | None = None) -> None:
        super().__init__(sentence)
        self.number = number


class Unread(PermanentError):
    """What a thread held before the bot was called can be read in part at most; `found` is that part."""

    def __init__(self, sentence: str, found: Sequence[Message] = ()) -> None:
        super().__init__(sentence)
        self.found = found


class BudgetSpent(PermanentError):
    """A budget has no room for the call."""

    def __init__(self, sentence: str, *, scope: str, period: str, left: Decimal) -> None:
        super().__init__(sentence)
        self.scope = scope
        self.period = period
        self.left = left
        """USD still free in it."""


class SetupError(PermanentError):
    """Something in the set-up is wrong; the sentence names the mend."""


class Superseded(ThreadsightError):
    """Somebody else holds the claim now, or the message changed: whoever reads this stops."""


def first(errors: ExceptionGroup[Exception]) -> Exception:
    """One of several errors that ended the same work."""
    error = errors.exceptions[0]
    return first(error) if isinstance(error, ExceptionGroup) else error
