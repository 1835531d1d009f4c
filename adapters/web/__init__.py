"""The local page: a channel on the own machine, in a browser."""

from adapters.web.adapter import WebAdapter
from adapters.web.nouns import Invitation

__all__ = ["Invitation", "WebAdapter"]
