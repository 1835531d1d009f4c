"""The local page: a channel on the own machine, in a browser."""

from adapters.web.adapter import WebAdapter

__all__ = ["WebAdapter"]
