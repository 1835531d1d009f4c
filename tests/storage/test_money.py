"""No call without room in every budget, and each call booked once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import Call, Claim, LedgerRow, Message, Scope, Spent, Usage, UsageRow
from bot.errors import BudgetSpent, Superseded
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import (
    THREAD,
    answer,
    asked,
    call,
    claimed,
    edited,
    message,
    person_day,
    reply,
    workspace_month,
)

FRESH = count(1)


async def standing(store: SqlStore) -> dict[str, tuple[Decimal, Decimal]]:
    """What each budget has settled and reserved, by scope and subject."""
    rows = await store._database.read(
        lambda tx: list(
            tx.connection.exec_driver_sql("SELECT scope, subject, settled, reserved FROM budgets")
        )
    )
    return {
        f"{scope} {subject}".strip(): (Decimal(settled) / 10**9, Decimal(reserved) / 10**9)
        for scope, subject, settled, reserved in rows
    }


async def test_a_call_reserves_its_most_and_settles_its_cost(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day(), workspace_month()))
    assert await standing(store) == {
        "person U1": (Decimal(0), Decimal("0.01")),
        "workspace": (Decimal(0), Decimal("0.01")),
    }

    await store.record(claim, reply(), call=number, answer=answer("0.004"))

    assert await standing(store) == {
        "person U1": (Decimal("0.004"), Decimal(0)),
        "workspace": (Decimal("0.004"), Decimal(0)),
    }
    assert await store.thread_spent(THREAD) == Spent(1, 700, 50, Decimal("0.004"))


async def test_a_spent_budget_refuses_and_nothing_is_reserved_anywhere(store: SqlStore) -> None:
    claim = await asked(store)
    first = await store.attempt(claim, call("0.7", person_day("1"), workspace_month()))
    await store.record(claim, reply(), call=first, answer=answer("0.6"))

    with pytest.raises(BudgetSpent) as refused:
        await store.attempt(claim, call("0.41", workspace_month(), person_day("1")))

    error = refused.value
    assert (error.scope, error.period, error.left) == ("person", "2027-01-15", Decimal("0.4"))
    assert "$0.40" in error.sentence
    assert (await standing(store))["workspace"] == (Decimal("0.6"), Decimal(0))
    assert (await store.thread_spent(THREAD)).calls == 1


async def test_the_last_cent_may_be_spent_and_a_new_cap_holds_at_once(store: SqlStore) -> None:
    claim = await asked(store)
    await store.attempt(claim, call("1", person_day("1")))
    with pytest.raises(BudgetSpent):
        await store.attempt(claim, call("0.000000001", person_day("1")))

    await store.attempt(claim, call("0.000000001", person_day("1.000000001")))
    with pytest.raises(BudgetSpent) as refused:
        await store.attempt(claim, call("0.1", person_day("0.5")))
    assert refused.value.left == 0


@pytest.mark.parametrize("reserve", [None, "0"])
async def test_a_call_that_is_free_or_has_no_price_touches_no_budget(
    store: SqlStore, reserve: str | None
) -> None:
    claim = await asked(store)

    await store.attempt(claim, call(reserve, person_day("0")))

    assert await standing(store) == {}


async def test_an_answer_without_a_price_counts_tokens_and_no_dollars(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    await store.record(claim, reply(), call=number, answer=answer(None))

    spent = await store.thread_spent(THREAD)

    assert (spent.cost, spent.unpriced, spent.input_tokens) == (Decimal(0), 1, 700)
    assert await standing(store) == {"person U1": (Decimal(0), Decimal(0))}


async def test_a_call_that_failed_costs_nothing(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))

    await store.close(claim, number, charged=False)

    assert await standing(store) == {"person U1": (Decimal(0), Decimal(0))}
    assert await store.thread_spent(THREAD) == Spent(0, 0, 0, Decimal(0))


async def test_a_call_without_usage_costs_its_most_until_usage_is_known(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    await store.close(claim, number, charged=True)
    assert await store.thread_spent(THREAD) == Spent(1, 0, 0, Decimal("0.01"), possibly_charged=1)

    await store.record(claim, reply(), call=number, answer=answer("0.004"))

    assert await store.thread_spent(THREAD) == Spent(1, 700, 50, Decimal("0.004"))
    assert await standing(store) == {"person U1": (Decimal("0.004"), Decimal(0))}


async def test_a_call_is_booked_once(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    for _ in range(3):
        await store.record(claim, reply(), call=number, answer=answer("0.004"))
        await store.close(claim, number, charged=True)
        await store.close(claim, number, charged=False)

    assert await standing(store) == {"person U1": (Decimal("0.004"), Decimal(0))}


async def test_an_estimated_answer_is_possibly_charged_at_its_cost(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01"))
    await store.record(claim, reply(), call=number, answer=answer("0.003", estimated=True))

    spent = await store.thread_spent(THREAD)

    assert (spent.cost, spent.possibly_charged) == (Decimal("0.003"), 1)


async def test_an_answer_that_nobody_can_count_is_possibly_charged_at_its_most(
    store: SqlStore,
) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    uncounted = replace(answer("0.004"), cost=None, estimated=True)

    await store.record(claim, reply(), call=number, answer=uncounted)

    assert await standing(store) == {"person U1": (Decimal("0.01"), Decimal(0))}
    spent = await store.thread_spent(THREAD)
    assert (spent.cost, spent.possibly_charged) == (Decimal("0.01"), 1)


async def test_a_call_left_open_by_a_death_is_possibly_charged_at_the_next_claim(
    store: SqlStore, clock: Clock
) -> None:
    await store.attempt(await asked(store), call("0.01", person_day()))
    clock.move(30)

    await claimed(store)

    assert await standing(store) == {"person U1": (Decimal("0.01"), Decimal(0))}
    assert (await store.thread_spent(THREAD)).possibly_charged == 1


async def test_the_cost_of_an_answer_that_comes_too_late_is_booked_all_the_same(
    store: SqlStore,
) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    await store.accept(edited(claim.message, "else", 5.0))

    with pytest.raises(Superseded):
        await store.record(claim, reply(), call=number, answer=answer("0.004"))

    assert await standing(store) == {"person U1": (Decimal("0.004"), Decimal(0))}


async def test_erasing_a_message_keeps_its_money_and_forgets_the_rest(store: SqlStore) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    await store.retract(Scope("slack", "T1", "C1", message="1"))
    assert await standing(store) == {"person U1": (Decimal("0.01"), Decimal(0))}

    with pytest.raises(Superseded):
        await store.record(claim, reply("secret"), call=number, answer=answer("0.004"))

    assert await standing(store) == {"person U1": (Decimal("0.004"), Decimal(0))}
    (row,) = await store.usage()
    assert row.spent.cost == Decimal("0.004")


async def test_nobody_closes_the_calls_of_others(store: SqlStore, clock: Clock) -> None:
    number = await store.attempt(await asked(store), call("0.01"))
    other = await asked(store, message("2", thread=replace(THREAD, workspace="T2")))

    for wrong in (other, replace(other, number=7)):
        with pytest.raises(Superseded):
            await store.close(wrong, number, charged=False)


async def test_whoever_made_a_call_knows_better_than_who_gave_it_up(
    store: SqlStore, clock: Clock
) -> None:
    paused = await asked(store)
    number = await store.attempt(paused, call("0.01", person_day()))
    clock.move(30)
    await claimed(store)

    await store.close(paused, number, charged=False)

    assert await standing(store) == {"person U1": (Decimal(0), Decimal(0))}


async def test_usage_is_told_by_day_place_and_model_newest_first(
    store: SqlStore, clock: Clock
) -> None:
    clock.now = 1_800_057_599.0  # 2027-01-15, one second before midnight in UTC
    await bill(store, "1", "0.1")
    started = clock.now
    clock.move(1)
    await bill(store, "2", "0.02")
    await bill(store, "3", "0.003")

    rows = await store.usage()
    assert [(row.day, row.spent.calls, row.spent.cost) for row in rows] == [
        ("2027-01-16", 2, Decimal("0.023")),
        ("2027-01-15", 1, Decimal("0.1")),
    ]
    assert {(row.platform, row.workspace, row.model) for row in rows} == {
        ("slack", "T1", "gpt-5.6-luna")
    }
    assert len(await store.usage(since=started + 1)) == 1


async def test_usage_is_told_for_a_place_and_a_person(store: SqlStore) -> None:
    other = replace(THREAD, channel="C2", root="b")
    await bill(store, "1", "0.1")
    await bill(store, "2", "0.02", replace(message("2"), author="U2"))
    await bill(store, "3", "0.003", message("3", thread=other))
    await bill(store, "4", "0.0004", message("4", thread=replace(THREAD, workspace="T2")))

    assert cost(await store.usage()) == Decimal("0.1234")
    assert cost(await store.usage(workspace="T1")) == Decimal("0.123")
    assert cost(await store.usage(workspace="T1", channel="C1")) == Decimal("0.12")
    assert cost(await store.usage(workspace="T1", person="U1")) == Decimal("0.103")
    assert await store.usage(platform="discord") == []
    assert await store.usage(person="' OR 1=1 --\0") == []


def cost(rows: Sequence[UsageRow]) -> Decimal:
    """The sum of the rows."""
    return sum((row.spent.cost for row in rows), Decimal(0))


async def test_the_ledger_tells_every_call_the_oldest_first(store: SqlStore, clock: Clock) -> None:
    started = clock.now
    await bill(store, "1", "0.004")
    claim = await asked(store, message("2"))
    failed = await store.attempt(claim, call("0.01"))
    await store.close(claim, failed, charged=False)
    clock.move(1)
    unpriced = await store.attempt(claim, call(None))
    await store.record(claim, reply(), call=unpriced, answer=answer(None))
    await store.close(claim, await store.attempt(claim, call("0.01")), charged=True)
    await store.attempt(claim, call("0.02"))

    rows = [row async for row in store.ledger()]

    first = rows[0]
    assert first == LedgerRow(
        started_at=started,
        platform="slack",
        workspace="T1",
        channel="C1",
        person="U1",
        model="gpt-5.6-luna",
        answered_by="gpt-5.6-luna-2026",
        detail="high",
        estimated_input=800,
        usage=Usage(700, 50, 100, 0, 10),
        cost=Decimal("0.004"),
        price_source="list",
        outcome="answered",
        possibly_charged=False,
    )
    assert [(row.outcome, row.cost, row.possibly_charged) for row in rows] == [
        ("answered", Decimal("0.004"), False),
        ("failed", Decimal(0), False),
        ("answered", None, False),
        ("lost", Decimal("0.01"), True),
        ("", None, False),
    ]
    assert [row.usage is None for row in rows] == [False, True, False, True, True]
    assert len([row async for row in store.ledger(since=started + 1)]) == 3


async def test_the_ledger_is_whole_over_many_pages_of_one_moment(store: SqlStore) -> None:
    costs = [Decimal(n) / 1000 for n in range(1, 10)]
    for n, cost in enumerate(costs):
        await bill(store, str(n), str(cost))

    for size in (1, 3, 4, 9, 1000):
        assert [row.cost async for row in store.ledger(page_rows=size)] == costs
    (row,) = await store.usage()
    assert row.spent.cost == sum(costs)


async def test_what_is_left_is_told_in_the_order_in_which_it_was_asked(store: SqlStore) -> None:
    claim = await asked(store)
    budgets = [person_day("1"), workspace_month("20"), person_day("1", "U2")]
    assert await store.left(THREAD, budgets) == [Decimal(1), Decimal(20), Decimal(1)]

    await store.attempt(claim, call("0.3", *budgets[:2]))
    number = await store.attempt(claim, call("0.2", budgets[0]))
    await store.record(claim, reply(), call=number, answer=answer("0.1"))

    assert await store.left(THREAD, budgets) == [Decimal("0.6"), Decimal("19.7"), Decimal(1)]
    assert await store.left(THREAD, [person_day("0.1"), person_day("0")]) == [
        Decimal("-0.3"),
        Decimal("-0.4"),
    ]
    elsewhere = replace(THREAD, workspace="T2")
    assert await store.left(elsewhere, [person_day("1")]) == [Decimal(1)]
    assert await store.left(THREAD, []) == []


async def bill(store: SqlStore, name: str, cost: str, question: Message | None = None) -> None:
    """One answered question."""
    claim = await asked(store, question or message(name))
    number = await store.attempt(claim, call(cost))
    await store.record(claim, reply(), call=number, answer=answer(cost))
    await store.settle(claim)


async def test_absurd_amounts_are_held(store: SqlStore) -> None:
    claim = await asked(store)
    huge = person_day("1000000000000")
    number = await store.attempt(claim, call("99999999999", huge))
    absurd = replace(answer("1E+30"), usage=Usage(10**40, -5))

    await store.record(claim, reply(), call=number, answer=absurd)

    spent = await store.thread_spent(THREAD)
    assert spent.output_tokens == 0
    assert spent.cost > 0


async def test_ten_attempts_at_once_never_pass_the_cap(store: SqlStore) -> None:
    claims = [await asked(store, in_thread(n)) for n in range(10)]
    budgets = (person_day("0.05"), workspace_month())

    outcomes = await asyncio.gather(
        *(
            store.attempt(each, call("0.01", *budgets[:: (-1) ** n]))
            for n, each in enumerate(claims)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(each, int) for each in outcomes) == 5
    assert sum(isinstance(each, BudgetSpent) for each in outcomes) == 5
    assert await standing(store) == {
        "person U1": (Decimal(0), Decimal("0.05")),
        "workspace": (Decimal(0), Decimal("0.05")),
    }


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(
            st.decimals(min_value="0", max_value="0.3", places=9),
            st.sampled_from(["answered", "failed", "charged", "left"]),
            st.decimals(min_value="0", max_value="1", places=3),
        ),
        max_size=6,
    )
)
async def test_whatever_happens_a_budget_holds_what_its_calls_cost(
    store: SqlStore, steps: Sequence[tuple[Decimal, str, Decimal]]
) -> None:
    person = f"P{next(FRESH)}"
    budget = person_day("0.5", person)
    settled, reserved = Decimal(0), Decimal(0)
    claim = await asked(store, in_thread(next(FRESH)))

    for most, outcome, share in steps:
        left = budget.cap - settled - reserved
        number = await attempt(store, claim, call(str(most), budget))
        if isinstance(number, Decimal):
            assert number == left < most
            continue
        assert most <= left
        cost = (most * share).quantize(Decimal("1E-9"))
        await end(store, claim, number, outcome, cost)
        settled += {"answered": cost, "failed": Decimal(0), "charged": most}.get(
            outcome, Decimal(0)
        )
        reserved += most if outcome == "left" else 0

    held = (await standing(store)).get(f"person {person}", (Decimal(0), Decimal(0)))
    assert held == (settled, reserved)


async def attempt(store: SqlStore, claim: Claim, wanted: Call) -> int | Decimal:
    """The number of the call, or what is left in the budget that refused it."""
    try:
        return await store.attempt(claim, wanted)
    except BudgetSpent as error:
        return error.left


async def end(store: SqlStore, claim: Claim, number: int, outcome: str, cost: Decimal) -> None:
    """Ends a call in one of the ways in which calls end."""
    if outcome == "answered":
        await store.record(claim, reply(), call=number, answer=answer(str(cost)))
    elif outcome != "left":
        await store.close(claim, number, charged=outcome == "charged")


def in_thread(n: int) -> Message:
    """A question in a thread of its own."""
    return message(f"q{n}", thread=replace(THREAD, root=f"q{n}"), sent_at=1.0)
