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

# These take longest and wait much: they begin first, so that no process is left alone with one at the end.
LONG = (
    "test_billing.py",
    "test_command_line.py",
    "test_browser.py",
    "test_faults.py",
    "test_house.py",
    "test_contract.py",
    "test_whole.py",
    "test_offline.py",
    "test_budgets.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the long files to the front."""
    items.sort(key=lambda item: LONG.index(name) if (name := item.path.name) in LONG else len(LONG))


@pytest.fixture
def clock() -> Clock:
    """The time, which stands still until a test moves it."""
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    """An empty store on SQLite."""
    async with open_store(f"sqlite:///{tmp_path}/store.db", clock=clock) as opened:
        yield opened
