"""Budgets under load: never passed, in one process or in many, and exact to the nano-dollar."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import Budget, Call, Person, Scope
from bot.errors import BudgetSpent
from storage.store import SqlStore, open_store
from tests.clock import Clock
from tests.storage.nouns import (
    THREAD,
    answer,
    asked,
    call,
    claimed,
    message,
    offer,
    person_day,
    reply,
    workspace_month,
)
from tests.storage.test_processes import process
from tests.storage.test_together import books

CHANNEL_DAY = Budget("channel", "C1", "2027-01-15", Decimal("0.30"))
BUDGETS = (person_day("0.20"), CHANNEL_DAY, workspace_month("0.40"))

# Asks as much as there is money for, in its own threads; its calls end in every way there is.
SPEND = """
import asyncio, random, sys
from dataclasses import replace
from decimal import Decimal
from bot.errors import BudgetSpent
from storage.store import open_store
from tests.storage.nouns import *
from tests.storage.test_budgets import BUDGETS

async def main(url, name):
    chance = random.Random(name)
    async with open_store(url) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(spend(store, f"{name}-{n}", chance) for n in range(4)))

async def spend(store, root, chance):
    thread = replace(THREAD, root=root)
    await store.accept(message(root, thread=thread, author=chance.choice(["U1", "U2"]), sent_at=1.0))
    claim = await store.claim(PLATFORMS, thread=thread)
    person = person_day("0.20", claim.message.author)
    refusals = 0
    for _ in range(40):
        if refusals == 3:
            break
        most = Decimal(chance.randrange(1, 20_000_000)) / 10**9
        try:
            number = await store.attempt(claim, call(str(most), person, *BUDGETS[1:]))
        except BudgetSpent:
            refusals += 1
            continue
        cost = (most * Decimal(chance.random())).quantize(Decimal("1E-9"))
        match chance.randrange(5):
            case 0:
                await store.close(claim, number, charged=False)
            case 1:
                await store.close(claim, number, charged=True)
            case 2 if chance.random() < 0.2:
                print("open", flush=True)
            case _:
                await store.record(claim, reply(), call=number, answer=answer(str(cost)))

asyncio.run(main(sys.argv[1], {name!r}))
"""


async def budgets_of(store: SqlStore) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    """What each budget may, has settled, and has reserved, by its subject."""
    rows = await store._database.read(
        lambda tx: tx.connection.exec_driver_sql(
            "SELECT scope, subject, cap, settled, reserved FROM budgets"
        ).all()
    )
    return {
        f"{scope} {subject}".strip(): (
            Decimal(cap) / 10**9,
            Decimal(settled) / 10**9,
            Decimal(reserved) / 10**9,
        )
        for scope, subject, cap, settled, reserved in rows
    }


async def overruns(store: SqlStore) -> list[str]:
    """The budgets that were passed."""
    known = await budgets_of(store)
    return [name for name, (cap, settled, held) in known.items() if settled + held > cap]


@pytest.mark.parametrize("killed", [False, True], ids=["to the end", "killed"])
async def test_processes_never_pass_a_budget_together(url: str, killed: bool) -> None:
    async with open_store(url) as store:
        with ExitStack() as stack:
            spenders = [
                stack.enter_context(process(SPEND.replace("{name!r}", repr(name)), url))
                for name in ("one", "two", "three")
            ]
            for each in spenders:
                go(each)
            async for passed in watched(store, spenders, killed):
                assert passed == []

        known = await budgets_of(store)
        sums = await store._database.read(books)
        costs = [row.cost or Decimal(0) async for row in store.ledger()]
    spent = {name.split()[0]: Decimal(0) for name in known}
    for name, (_, settled, _) in known.items():
        spent[name.split()[0]] += settled
    assert set(spent.values()) == {sum(costs, Decimal(0))}
    assert (sums["reserved"], sums["settled"]) == (sums["open"], sums["closed"])


def go(spender: subprocess.Popen[str]) -> None:
    assert spender.stdin is not None
    spender.stdin.write("go\n")
    spender.stdin.flush()


async def watched(
    store: SqlStore, spenders: list[subprocess.Popen[str]], killed: bool
) -> AsyncIterator[list[str]]:
    """Which budgets are passed, time after time, until everybody is done or dead."""
    while any(each.poll() is None for each in spenders):
        yield await overruns(store)
        if killed and len([row async for row in store.ledger()]) > 10:
            for each in spenders:
                os.kill(each.pid, signal.SIGKILL)
                each.wait(10)
    yield await overruns(store)


async def test_two_hundred_questions_at_once_and_money_for_ten(store: SqlStore) -> None:
    budgets = (person_day("0.1"), workspace_month("20"))
    claims = [
        await asked(store, message(str(n), thread=replace(THREAD, root=str(n)))) for n in range(200)
    ]

    outcomes = await asyncio.gather(
        *(store.attempt(each, call("0.01", *budgets)) for each in claims), return_exceptions=True
    )

    refusals = [each for each in outcomes if isinstance(each, BudgetSpent)]
    assert len(refusals) == 190
    assert {each.left for each in refusals} == {Decimal(0)}
    assert await store.left(THREAD, budgets) == [Decimal(0), Decimal("19.9")]


async def test_budgets_met_in_any_order_never_block_each_other(store: SqlStore) -> None:
    claims = [
        await asked(store, message(str(n), thread=replace(THREAD, root=str(n)))) for n in range(20)
    ]

    async def spend(n: int) -> None:
        budgets = BUDGETS if n % 2 else BUDGETS[::-1]
        number = await store.attempt(claims[n], call("0.001", *budgets))
        await store.record(claims[n], reply(), call=number, answer=answer("0.0005"))

    await asyncio.gather(*map(spend, range(20)))

    assert await store.left(THREAD, BUDGETS) == [
        Decimal("0.19"),
        Decimal("0.29"),
        Decimal("0.39"),
    ]


async def test_a_budget_of_the_next_day_is_a_new_one(store: SqlStore) -> None:
    today = person_day("0.01")
    tomorrow = replace(today, period="2027-01-16")
    claim = await asked(store)
    await store.attempt(claim, call("0.01", today))

    with pytest.raises(BudgetSpent):
        await store.attempt(claim, call("0.01", today))
    await store.attempt(claim, call("0.01", tomorrow))

    assert await store.left(THREAD, [today, tomorrow]) == [Decimal(0), Decimal(0)]


async def test_a_call_over_midnight_settles_where_it_was_reserved(
    store: SqlStore, clock: Clock
) -> None:
    today = person_day("1")
    claim = await asked(store)
    number = await store.attempt(claim, call("0.5", today))
    clock.move(20)
    await store.record(claim, reply(), call=number, answer=answer("0.1"))

    tomorrow = replace(today, period="2027-01-16")
    assert await store.left(THREAD, [today, tomorrow]) == [Decimal("0.9"), Decimal(1)]


@pytest.mark.parametrize(
    ("cap", "reserve", "fits"),
    [
        ("0", "0.000000001", False),
        ("0", "0", True),
        ("1000000000000", "2000000000", True),
        ("0.000000001", "0.0000000001", True),
        ("0.0000000001", "0.0000000001", False),
        ("-5", "0.01", False),
    ],
)
async def test_caps_of_nothing_and_of_everything(
    store: SqlStore, cap: str, reserve: str, fits: bool
) -> None:
    claim = await asked(store)
    wanted: Call = call(reserve, person_day(cap))

    if fits:
        assert await store.attempt(claim, wanted)
    else:
        with pytest.raises(BudgetSpent):
            await store.attempt(claim, wanted)


async def test_an_allowed_question_counts_for_those_that_follow(store: SqlStore) -> None:
    claim = await asked(store)
    with pytest.raises(BudgetSpent):
        await store.attempt(claim, call("0.5", person_day("0.2")))
    token = await offer(store, claim, "allow")
    await store.settle(claim)
    await store.press(token, Person("U9", administrator=True))
    again = await claimed(store)
    number = await store.attempt(again, call("0.5", person_day("0.2")))
    await store.record(again, reply(), call=number, answer=answer("0.3"))

    assert await store.left(THREAD, [person_day("0.2")]) == [Decimal("-0.1")]
    other = await asked(store, message("2", thread=replace(THREAD, root="b")))
    with pytest.raises(BudgetSpent) as refused:
        await store.attempt(other, call("0.001", person_day("0.2")))
    assert refused.value.left == 0


async def test_a_workspace_that_leaves_and_one_that_spends_do_not_meet(store: SqlStore) -> None:
    claims = [
        await asked(store, message(str(n), thread=replace(THREAD, root=str(n)))) for n in range(10)
    ]

    outcomes = await asyncio.gather(
        *(store.attempt(each, call("0.01", *BUDGETS)) for each in claims),
        store.retract(Scope("slack", "T1")),
        return_exceptions=True,
    )

    assert outcomes[-1] == ()
    assert await budgets_of(store) == {}
