"""The store that a command needs, open as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.ports import Store
from bot.settings import Settings
from storage.store import open_store


@asynccontextmanager
async def opened(settings: Settings, *, exclusive: bool = False) -> AsyncIterator[Store]:
    """The store; `exclusive` for the one process that serves."""
    async with open_store(
        settings.database_url,
        exclusive=exclusive,
        lease_seconds=settings.lease_seconds,
        retention_days=settings.retention_days,
    ) as store:
        yield store
