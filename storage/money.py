"""Budgets and the ledger: a call is a row before it is made, and its cost is booked once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import Boolean, Row, bindparam, func, or_, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from bot.domain import (
    Answer,
    Budget,
    Call,
    Claim,
    LedgerRow,
    Spent,
    ThreadId,
    Usage,
    UsageRow,
)
from bot.errors import BudgetSpent, Superseded
from storage.database import Transaction, insert
from storage.rows import LARGEST, LOCKED, THREAD_KEY, in_thread, or_all
from storage.tables import budgets, calls, reservations, votes

NANO = Decimal(1_000_000_000)
# Three of these still fit a BIGINT when they are added up; it is two billion dollars.
MOST_NANOS = 2**61
BUDGET_PARTS = ("platform", "workspace", "scope", "subject", "period")
# Everybody locks the budgets of a workspace in this order.
IN_ORDER = (budgets.c.scope, budgets.c.subject, budgets.c.period)
SPENT = (
    "The budget of this {scope} for {period} has no room: ${left} are left, and this question may "
    "cost ${most}."
)
# Built once, since every question needs them.
OPEN = insert(calls).returning(calls.c.key)
TAKEN = select(budgets.c.settled + budgets.c.reserved).where(
    *(budgets.c[name] == bindparam(name) for name in BUDGET_PARTS)
)
NEW = insert(budgets)
RAISE = NEW.on_conflict_do_update(
    index_elements=BUDGET_PARTS,
    set_={"cap": NEW.excluded.cap, "reserved": budgets.c.reserved + NEW.excluded.reserved},
    where=or_(
        bindparam("past", type_=Boolean()),
        budgets.c.settled + budgets.c.reserved + NEW.excluded.reserved <= NEW.excluded.cap,
    ),
).returning(budgets.c.key)
RESERVE = insert(reservations)
CALL = (
    select(calls)
    .where(
        calls.c.key == bindparam("call_key"),
        calls.c.platform == bindparam("in_platform"),
        calls.c.workspace == bindparam("in_workspace"),
        # A workspace that left took the names with it.
        or_all(calls.c.channel, "in_channel"),
        calls.c.claim == bindparam("number"),
    )
    .with_for_update()
)
CHANGE_CALL = update(calls).where(calls.c.key == bindparam("call_key"))
HELD_IN = select(reservations.c.budget).where(reservations.c.call == bindparam("of_call"))
LOCK_BUDGETS = (
    select(budgets.c.key)
    .where(budgets.c.key.in_(HELD_IN))
    .order_by(*IN_ORDER)
    .with_for_update(key_share=True)
)
BOOK = (
    update(budgets)
    .where(budgets.c.key.in_(HELD_IN))
    .values(
        reserved=budgets.c.reserved - bindparam("released"),
        settled=budgets.c.settled + bindparam("more"),
    )
)
UNKNOWN_CALL = "This call is not one of this claim's."


def attempt(transaction: Transaction, claim: Claim, message: Row[Any], call: Call) -> int:
    """Writes the open call and raises `reserved` in all its budgets, or in none."""
    now = transaction.now()
    reserve = nanos(call.reserve, ROUND_CEILING)
    row = {
        "thread": message.thread,
        "message": message.key,
        "platform": message.platform,
        "workspace": message.workspace,
        "channel": message.channel,
        "person": message.author,
        "claim": claim.number,
        "day": utc_day(now),
        "started_at": now,
        "model": call.model,
        "detail": call.detail,
        "estimated_input": count(call.input_tokens),
        "reserve": reserve,
        "price_source": call.price_source,
        "possibly_charged": False,
    }
    number = transaction.run(OPEN, row).scalar_one()
    unique = {(each.scope, each.subject, each.period): each for each in call.budgets}
    if reserve and unique:
        held = [hold(transaction, message, each, reserve) for _, each in sorted(unique.items())]
        transaction.run(RESERVE, [{"call": number, "budget": budget} for budget in held])
    return int(number)


def is_allowed(message: Row[Any]) -> bool:
    """Whether an administrator let this version past its budgets."""
    return bool(message.allowed == message.version)


def left(transaction: Transaction, place: ThreadId, wanted: Sequence[Budget]) -> list[Decimal]:
    """What each budget has still free under its cap of now, in the order in which they are asked for."""
    return [free(transaction, place, each) for each in wanted]


def free(transaction: Transaction, place: ThreadId | Row[Any], budget: Budget) -> Decimal:
    """What one budget has still free; it may be less than nothing."""
    row = transaction.first(TAKEN, names_of(place, budget))
    spent = 0 if row is None else int(row[0])
    return dollars((nanos(budget.cap, ROUND_HALF_EVEN) or 0) - spent)


def names_of(place: ThreadId | Row[Any], budget: Budget) -> dict[str, str]:
    """What names the row of a budget."""
    return {
        "platform": place.platform,
        "workspace": place.workspace,
        "scope": budget.scope,
        "subject": budget.subject,
        "period": budget.period,
    }


def hold(transaction: Transaction, message: Row[Any], budget: Budget, reserve: int) -> int:
    """Reserves in one budget, with the cap that holds now, or past it where that is allowed.

    Raises BudgetSpent: the transaction that it breaks takes back what was reserved elsewhere.
    """
    cap = nanos(budget.cap, ROUND_HALF_EVEN) or 0
    past = is_allowed(message)
    if past or reserve <= cap:
        row = {"cap": cap, "settled": 0, "reserved": reserve, "past": past}
        raised = {**names_of(message, budget), **row}
        held: int | None = transaction.run(RAISE, raised).scalar()
        if held is not None:
            return held
    left = max(Decimal(0), free(transaction, message, budget))
    raise BudgetSpent(
        SPENT.format(
            scope=budget.scope, period=budget.period, left=plain(left), most=plain(dollars(reserve))
        ),
        scope=budget.scope,
        period=budget.period,
        left=left,
    )


def close(transaction: Transaction, claim: Claim, number: int, *, charged: bool) -> None:
    """Ends a call without usage, once; raises Superseded when it is not this claim's.

    It may come after somebody else gave up on the call: whoever made it knows better.
    """
    call = call_of(transaction, claim, number)
    if charged:
        if call.outcome is None:
            give_up(transaction, call, transaction.now())
    elif call.outcome in (None, "lost"):
        book(transaction, call, cost=0)
        finish(transaction, call, outcome="failed", possibly_charged=False, cost=0)


def charge(transaction: Transaction, claim: Claim, number: int, answer: Answer) -> None:
    """Ends a call with its usage and cost, once, also where it was given up as lost."""
    call = call_of(transaction, claim, number)
    if call.outcome not in (None, "lost"):
        return
    cost = nanos(answer.cost, ROUND_HALF_EVEN)
    if cost is None and answer.estimated:
        # Its usage never came and nobody can count it: it stands at the most that it can have cost.
        cost = call.reserve
    book(transaction, call, cost=cost or 0)
    finish(
        transaction,
        call,
        outcome="answered",
        possibly_charged=answer.estimated,
        answered_by=answer.answered_by or answer.model,
        finish=answer.finish,
        input=count(answer.usage.input),
        cached=count(answer.usage.cached),
        cache_written=count(answer.usage.cache_written),
        output=count(answer.usage.output),
        reasoning=count(answer.usage.reasoning),
        cost=cost,
        list_cost=nanos(answer.list_cost, ROUND_HALF_EVEN),
    )


def give_up_on_open_calls(transaction: Transaction, which: ColumnElement[bool], now: float) -> None:
    """Settles the calls that claims left open, each at its reserve."""
    left_open = select(calls).where(which, calls.c.outcome.is_(None)).order_by(calls.c.key)
    for call in transaction.all(left_open):
        give_up(transaction, call, now)


def thread_spent(transaction: Transaction, thread: ThreadId) -> Spent:
    """What the calls of a thread have cost."""
    row = transaction.first(OF_THREAD, in_thread(thread))
    assert row is not None
    return to_spent(row)


def usage(
    transaction: Transaction, since: float | None, places: Mapping[str, str | None]
) -> list[UsageRow]:
    """Sums by day, place and model, newest first, of the calls that fit."""
    names = (calls.c.day, calls.c.platform, calls.c.workspace, calls.c.model)
    wanted = [calls.c[name] == value for name, value in places.items() if value is not None]
    if since is not None:
        wanted.append(calls.c.started_at >= since)
    statement = select(*names, *SUMS).where(COUNTED, *wanted).group_by(*names)
    rows = transaction.all(statement.order_by(names[0].desc(), *names[1:]))
    return [
        UsageRow(each.day, each.platform, each.workspace, each.model, to_spent(each))
        for each in rows
    ]


def page(
    transaction: Transaction, since: float | None, after: tuple[float, int] | None, size: int
) -> tuple[list[LedgerRow], tuple[float, int] | None]:
    """The ledger's next rows, and where the page after them goes on."""
    order = (calls.c.started_at, calls.c.key)
    statement = select(calls).order_by(*order).limit(size)
    if since is not None:
        statement = statement.where(calls.c.started_at >= since)
    if after is not None:
        statement = statement.where(tuple_(*order) > tuple_(*after))
    rows = transaction.all(statement)
    more = (rows[-1].started_at, rows[-1].key) if len(rows) == size else None
    return [to_ledger_row(each) for each in rows], more


def call_of(transaction: Transaction, claim: Claim, number: int) -> Row[Any]:
    """The row of a call that this claim made; also when its message was erased since."""
    here = in_thread(claim.message.thread)
    transaction.lock_rows(LOCKED, here)
    row = transaction.first(CALL, {**here, "call_key": number, "number": claim.number})
    if row is None:
        raise Superseded(UNKNOWN_CALL)
    return row


def give_up(transaction: Transaction, call: Row[Any], now: float) -> None:
    """Books the most that the call can have cost: nobody knows whether it was charged."""
    book(transaction, call, cost=call.reserve or 0)
    finish(transaction, call, now=now, outcome="lost", possibly_charged=True, cost=call.reserve)


def book(transaction: Transaction, call: Row[Any], *, cost: int) -> None:
    """Moves the call in its budgets from what it stands at to what it cost."""
    reserve = call.reserve or 0
    released, settled = (reserve, cost) if call.outcome is None else (0, cost - reserve)
    transaction.lock_rows(LOCK_BUDGETS, {"of_call": call.key})
    transaction.run(BOOK, {"of_call": call.key, "released": released, "more": settled})


def finish(
    transaction: Transaction, call: Row[Any], *, now: float | None = None, **columns: object
) -> None:
    """Writes how a call ended."""
    ended_at = transaction.now() if now is None else now
    transaction.run(CHANGE_CALL, {"call_key": call.key, "ended_at": ended_at, **columns})


def nanos(amount: Decimal | None, rounding: str) -> int | None:
    """Whole nano-dollars; None where the price is unknown."""
    if amount is None or not amount.is_finite():
        return None
    whole = int((amount * NANO).to_integral_value(rounding))
    return max(0, min(whole, MOST_NANOS))


def dollars(whole: int) -> Decimal:
    """USD."""
    return Decimal(whole) / NANO


def plain(amount: Decimal) -> str:
    """Dollars as people write them, without an exponent."""
    text = f"{amount:.9f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest:0<2}"


def count(tokens: int | None) -> int | None:
    """Tokens as the database holds them, whatever the API said."""
    return None if tokens is None else max(0, min(tokens, LARGEST))


def utc_day(moment: float) -> str:
    """The day in UTC, as `2026-11-22`."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def total(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum that is 0 over nothing."""
    return func.coalesce(func.sum(column), 0)


def voted(*, good: bool) -> ColumnElement[int]:
    """How many people think so of a call's answer."""
    of_call = (votes.c.call == calls.c.key, votes.c.good.is_(good))
    return select(func.count()).select_from(votes).where(*of_call).scalar_subquery()


# A call that failed and was not charged is none that anybody pays for.
COUNTED = calls.c.outcome.in_(("answered", "lost"))
SUMS = (
    func.count().label("calls"),
    total(calls.c.input).label("input_tokens"),
    total(calls.c.output).label("output_tokens"),
    total(calls.c.cost).label("cost"),
    func.count().filter(calls.c.cost.is_(None)).label("unpriced"),
    func.count().filter(calls.c.possibly_charged).label("possibly_charged"),
    total(voted(good=True)).label("up"),
    total(voted(good=False)).label("down"),
)
OF_THREAD = select(*SUMS).where(calls.c.thread == THREAD_KEY, COUNTED)


def to_spent(row: Row[Any]) -> Spent:
    """A row of `SUMS`; PostgreSQL adds up to a Decimal."""
    return Spent(
        calls=row.calls,
        input_tokens=int(row.input_tokens),
        output_tokens=int(row.output_tokens),
        cost=dollars(int(row.cost)),
        unpriced=row.unpriced,
        possibly_charged=row.possibly_charged,
        up=int(row.up),
        down=int(row.down),
    )


def to_ledger_row(row: Row[Any]) -> LedgerRow:
    """A row of `calls`."""
    return LedgerRow(
        started_at=row.started_at,
        platform=row.platform,
        workspace=row.workspace,
        channel=row.channel,
        person=row.person,
        model=row.model,
        answered_by=row.answered_by or "",
        detail=row.detail,
        estimated_input=row.estimated_input,
        usage=to_usage(row),
        cost=None if row.cost is None else dollars(row.cost),
        price_source=row.price_source,
        outcome=row.outcome or "",
        possibly_charged=row.possibly_charged,
    )


def to_usage(row: Row[Any]) -> Usage | None:
    """What the API counted, where it told."""
    if row.input is None:
        return None
    return Usage(
        input=row.input,
        output=row.output,
        cached=row.cached,
        cache_written=row.cache_written,
        reasoning=row.reasoning,
    )
