"""The desk and the commands as the engine builds them, on a real store."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from bot.access import Access, Lists
from bot.commands import Commands, Estimator
from bot.desk import Desk
from bot.domain import Attachment, Command
from bot.ports import Adapter
from bot.pricing import Prices
from bot.terms import Terms
from storage.store import SqlStore
from tests.clock import Clock
from tests.fakes import FakeAdapter

PRICES = Prices.load(None)
BASE = Terms(
    "gpt-4o",
    limit=100,
    instructions="Be brief.",
    budget_person_day=Decimal(1),
    budget_workspace_month=Decimal(20),
)


def access_to(adapters: Mapping[str, Adapter], lists: Lists | None = None) -> Access:
    """The lists, and whoever the fake platform calls an administrator."""

    async def administers(platform: str, workspace: str, person: str) -> bool:
        return await adapters[platform].administers(workspace, person)

    return Access(lists or Lists(), administers)


def commands_on(
    store: SqlStore,
    *,
    base: Terms = BASE,
    adapters: Mapping[str, Adapter] | None = None,
    lists: Lists | None = None,
    prices: Prices = PRICES,
    now: Clock | None = None,
) -> Commands:
    """The commands of a bot on this store."""
    adapters = adapters or {"fake": FakeAdapter()}
    estimator = Estimator(
        store, adapters, prices, max_file_bytes=50_000_000, history_tokens=100_000
    )
    clock = now or Clock()
    return Commands(
        store,
        base,
        prices,
        access_to(adapters, lists),
        estimator,
        lambda: datetime.fromtimestamp(clock(), UTC),
    )


def desk_on(
    store: SqlStore,
    *,
    wake: Callable[[], None] = lambda: None,
    base: Terms = BASE,
    adapters: Mapping[str, Adapter] | None = None,
    lists: Lists | None = None,
    links: bool = False,
    now: Clock | None = None,
) -> Desk:
    """A desk on this store."""
    adapters = adapters or {"fake": FakeAdapter()}
    return Desk(
        store,
        commands_on(store, base=base, adapters=adapters, lists=lists, now=now),
        wake,
        base=base,
        access=access_to(adapters, lists),
        links=links,
        now=now or Clock(),
    )


def command(
    name: str,
    *,
    text: str = "",
    author: str = "anna",
    root: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    direct: bool = False,
    administrator: bool = False,
) -> Command:
    """A slash command in the fakes' channel."""
    return Command(
        name,
        "fake",
        "w1",
        "c1",
        author,
        root=root,
        text=text,
        attachments=attachments,
        direct=direct,
        administrator=administrator,
    )
