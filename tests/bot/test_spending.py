"""What was spent: for me, a channel or a workspace, with what is left and how good the estimates were."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot import facts
from bot.commands import total
from bot.commands.spending import Spending
from bot.domain import Answer, Budget, Call, Command, LedgerRow, Reply, ThreadId, Usage
from storage.store import SqlStore, open_store
from tests.clock import Clock
from tests.fakes import posted

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON.timestamp())


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    async with open_store(f"sqlite:///{tmp_path}/bot.db", exclusive=True, clock=clock) as opened:
        yield opened


@pytest.fixture
def spending(store: SqlStore, clock: Clock) -> Spending:
    return Spending(store, lambda: datetime.fromtimestamp(clock(), UTC))


async def test_nothing_asked_is_said(spending: Spending) -> None:
    card = await spending.card(usage(""))

    assert card.text == "Nothing was asked yet."
    assert card.drawing is None


async def test_me_channel_and_workspace_are_told_apart(spending: Spending, store: SqlStore) -> None:
    await spend(store, 1, "0.01")
    await spend(store, 2, "0.02", author="bert")
    await spend(store, 3, "0.04", channel="c2")

    me = await spending.card(usage("me"))
    channel = await spending.card(usage("channel"))
    workspace = await spending.card(usage("workspace today"))

    assert "**Today:** 2 calls · 2,000 in · 200 out · $0.0500" in me.text
    assert "**Today:** 2 calls · 2,000 in · 200 out · $0.0300" in channel.text
    assert "**Today:** 3 calls · 3,000 in · 300 out · $0.0700" in workspace.text
    assert (me.title, channel.title) == ("Usage: you", "Usage: this channel")


async def test_today_ends_and_a_month_begins_at_midnight_of_utc(
    spending: Spending, store: SqlStore, clock: Clock
) -> None:
    clock.now = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    await spend(store, 1, "0.01")
    clock.move(1)
    await spend(store, 2, "0.02")
    clock.move(86_400)
    await spend(store, 3, "0.04")

    card = await spending.card(usage("me"))

    assert "**Today:** 1 call · 1,000 in · 100 out · $0.0400" in card.text
    assert "**This month:** 2 calls · 2,000 in · 200 out · $0.0600" in card.text
    assert card.drawing is not None
    assert "01 Nov $0.0200, 02 Nov $0.0400" in card.drawing.alt


async def test_models_are_listed_the_dearest_first_and_unknown_prices_are_no_dollars(
    spending: Spending, store: SqlStore
) -> None:
    await spend(store, 1, "0.01")
    await spend(store, 2, None, model="llava")
    await spend(store, 3, "0.05", model="gpt-5.4-mini")

    lines = (await spending.card(usage("me"))).text.splitlines()

    assert lines[1:4] == [
        "- gpt-5.4-mini: 1 call · 1,000 in · 100 out · $0.0500",
        "- gpt-4o: 1 call · 1,000 in · 100 out · $0.0100",
        "- llava: 1 call · 1,000 in · 100 out · 1 at an unknown price",
    ]


async def test_how_far_the_estimates_were_off_is_told(spending: Spending, store: SqlStore) -> None:
    await spend(store, 1, "0.01", estimated=900)
    await spend(store, 2, "0.01", estimated=1_060)
    await spend(store, 3, "0.01", author="bert", estimated=5_000)

    card = await spending.card(usage("me"))

    assert "8.0 % off on average, in all 2.0 % too low (of 2 calls)" in card.text


async def test_what_is_left_in_the_budgets_is_told(spending: Spending, store: SqlStore) -> None:
    budget = Budget("person", "anna", "2026-11-22", Decimal(1))
    await spend(store, 1, "0.25", budgets=(budget,))

    card = await spending.card(usage("me"), budgets=(budget,))

    assert "Your daily budget: $0.7500 of $1.0000 left until 2026-11-23 (UTC)" in card.text


async def test_what_is_not_understood_is_named_without_markup(spending: Spending) -> None:
    card = await spending.card(usage("`<!here>` yesterday"))

    assert "I did not understand" in card.text
    assert card.text.count("`") == 4


async def test_a_thread_s_usage_is_asked_in_a_thread(spending: Spending, store: SqlStore) -> None:
    await spend(store, 1, "0.01")

    here = await spending.card(replace(usage("thread"), root="t1"))
    nowhere = await spending.card(usage("thread"))

    assert here.text == "1 call · 1,000 in · 100 out · $0.0100"
    assert "This is no thread" in nowhere.text


async def test_the_export_s_rows_add_up_to_its_total_and_hold_no_formula(
    store: SqlStore,
) -> None:
    for number in range(1, 8):
        await spend(store, number, f"0.00000000{number}", author="=cmd()")

    rows = [row async for row in store.ledger()]
    told = facts.of_usage(await store.usage(), rows)

    assert told["total"]["cost_usd"] == "0.000000028"
    assert sum(Decimal(call["cost_usd"]) for call in told["calls"]) == Decimal("0.000000028")
    assert total(await store.usage()).cost == Decimal("0.000000028")
    assert tuple(told["calls"][0]) == facts.CALL
    assert facts.cells(told["calls"][0])["person"] == "'=cmd()"


def test_a_call_without_usage_leaves_its_cells_empty() -> None:
    row = LedgerRow(
        NOON.timestamp(), "slack", "T1", "C1", "U1", "m", "", "high", None, None, None, "unknown",
        "lost", possibly_charged=True,
    )  # fmt: skip

    cells = facts.cells(facts.of_call(row))

    assert cells["started_at"] == "2026-11-22T12:00:00+00:00"
    assert (cells["input_tokens"], cells["cost_usd"]) == ("", "")
    assert cells["possibly_charged"] == "True"


async def spend(
    store: SqlStore,
    number: int,
    cost: str | None,
    *,
    author: str = "anna",
    channel: str = "c1",
    model: str = "gpt-4o",
    estimated: int | None = None,
    budgets: tuple[Budget, ...] = (),
) -> None:
    """One answered question that cost so much."""
    price = None if cost is None else Decimal(cost)
    place = ThreadId("fake", "w1", channel, f"t{number}")
    message = replace(posted(number, author=author), thread=place)
    await store.accept(message)
    claim = await store.claim(["fake"])
    assert claim is not None
    call = await store.attempt(claim, Call(model, "high", estimated, price, "list", budgets))
    answer = Answer("A cat.", model, Usage(1_000, 100), price)
    await store.record(claim, Reply("A cat."), call=call, answer=answer)
    await store.settle(claim)


def usage(text: str) -> Command:
    return Command("usage", "fake", "w1", "c1", "anna", text=text)
