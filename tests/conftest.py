"""What every part's tests may use: a real store on a new file, and the clock that it reads."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from storage.store import SqlStore, migrate, open_store
from tests.clock import Clock

# A busy machine is no fault of the rule that is tested.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

MEMORY = Path("/dev/shm")
ROOM = 1_000_000_000
"""Bytes that must be free there; a container may have less than one test needs."""

# These take longest and wait much: they begin first, so that no process is left alone with one at the end.
LONG = (
    "test_browser.py",
    "test_command_line.py",
    "test_billing.py",
    "test_budgets.py",
    "test_offline.py",
    "test_faults.py",
    "test_contract.py",
    "test_contract_http.py",
    "test_worker.py",
    "test_draft.py",
    "test_whole.py",
    "test_house.py",
)


def pytest_configure() -> None:
    """Lets the tests write into memory where there is room: how long a disk takes is nothing that they show."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the long files to the front."""
    items.sort(key=lambda item: LONG.index(name) if (name := item.path.name) in LONG else len(LONG))


@pytest.fixture
def clock() -> Clock:
    """The time, which stands still until a test moves it."""
    return Clock()


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with empty tables, to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("pattern") / "store.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def store(tmp_path: Path, pattern: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    """An empty store on SQLite."""
    shutil.copy(pattern, tmp_path / "store.db")
    async with open_store(f"sqlite:///{tmp_path}/store.db", clock=clock) as opened:
        yield opened
