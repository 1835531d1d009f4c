"""What every part's tests may use: a real store on a new file, and the clock that it reads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from storage.store import SqlStore, open_store
from tests.clock import Clock

# A busy machine is no fault of the rule that is tested.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")


@pytest.fixture
def clock() -> Clock:
    """The time, which stands still until a test moves it."""
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    """An empty store on SQLite."""
    async with open_store(f"sqlite:///{tmp_path}/store.db", clock=clock) as opened:
        yield opened
