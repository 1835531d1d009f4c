"""The offline model: a small loopback server that answers about pictures with no network and no key."""

from bot.offline.server import OfflineServer, serve

__all__ = ["OfflineServer", "serve"]
