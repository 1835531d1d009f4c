"""Buttons: what each does, for whom, and until when."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import Action, Offer, Person, Scope
from bot.errors import BudgetSpent, Superseded
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    answer,
    answered,
    asked,
    call,
    claimed,
    edited,
    message,
    offer,
    person_day,
    reply,
)

ANNA = Person("U1")
BEN = Person("U2")
BOSS = Person("U9", administrator=True)
DAY = 86_400.0


async def offered(
    store: SqlStore, action: Action, value: str = "", *, anybody: bool = False, files: int = 0
) -> str:
    """A button under an answered question that cost something."""
    names = tuple(f"F{n}" for n in range(1, files + 1))
    claim = await asked(store, message(files=names))
    await store.pictures(claim)
    number = await store.attempt(claim, call("0.01"))
    token = await offer(store, claim, action, value, anybody=anybody)
    await store.record(claim, reply(), call=number, answer=answer())
    await store.settle(claim)
    return token


async def test_the_same_button_is_one_token_and_others_are_others(store: SqlStore) -> None:
    claim = await asked(store)

    first = await offer(store, claim, "mark", "low 1")

    assert await offer(store, claim, "mark", "low 1") == first
    others = {
        await offer(store, claim, "mark", "low 2"),
        await offer(store, claim, "again"),
        await offer(store, claim, "mark", "low 1", anybody=True),
        claim.stop,
    }
    assert len(others - {first}) == 4


async def test_a_token_says_what_it_stands_for(store: SqlStore) -> None:
    token = await offered(store, "mark", "low 1")

    assert await store.offered(token) == Offer("mark", "low 1", THREAD, "1", "U1")
    assert await store.offered("nonsense") is None


@pytest.mark.parametrize("action", ["again", "closer", "mark", "up", "down"])
async def test_only_the_asker_and_administrators_may_press(store: SqlStore, action: Action) -> None:
    token = await offered(store, action, "low 1" if action == "mark" else "", files=1)

    assert await store.press(token, BEN) == "stranger"
    assert await store.press(token, Person("")) == "stranger"
    assert await store.press(token, BOSS) in ("again", "marked", "counted")


async def test_what_anybody_may_press_everybody_may(store: SqlStore) -> None:
    token = await offered(store, "up", anybody=True)

    assert await store.press(token, BEN) == "counted"


async def test_a_look_closer_asks_anew_at_high_detail(store: SqlStore) -> None:
    token = await offered(store, "closer")

    assert await store.press(token, ANNA) == "again"

    claim = await claimed(store)
    assert (claim.version, claim.message.options) == (2, {"detail": "high"})


@pytest.mark.parametrize("action", ["again", "closer"])
async def test_asking_anew_twice_asks_anew_once(store: SqlStore, action: Action) -> None:
    token = await offered(store, action)

    assert [await store.press(token, ANNA) for _ in range(2)] == ["again", "again"]
    claim = await claimed(store)
    assert await store.press(token, ANNA) == "again"

    assert claim.version == 2
    await store.settle(claim)


async def test_a_look_closer_at_what_is_asked_anew_otherwise_is_too_late(store: SqlStore) -> None:
    claim = await asked(store)
    again, closer = await offer(store, claim, "again"), await offer(store, claim, "closer")
    await store.settle(claim)
    await store.press(again, ANNA)

    assert await store.press(closer, ANNA) == "late"


@pytest.mark.parametrize("action", ["again", "closer"])
async def test_an_answer_that_was_just_posted_is_asked_anew_into_its_posts(
    store: SqlStore, clock: Clock, action: Action
) -> None:
    claim = await asked(store)
    token = await offer(store, claim, action)
    await store.record(claim, reply())

    assert await store.press(token, ANNA) == "again"
    await store.posted(claim, ["P1"])
    with pytest.raises(Superseded):
        await store.settle(claim)
    clock.move(3)
    again = await claimed(store)
    assert (again.version, again.reply, again.posts) == (2, None, ("P1",))


async def test_an_answer_that_waits_to_be_posted_is_not_asked_for_once_more(
    store: SqlStore,
) -> None:
    claim = await asked(store)
    token = await offer(store, claim, "again")
    await store.record(claim, reply())
    await store.postpone(claim, 0.0, failed=False)

    assert await store.press(token, ANNA) == "again"
    assert (await claimed(store)).reply == reply()


async def test_a_look_closer_keeps_the_other_options_and_outlives_a_delivery_again(
    store: SqlStore,
) -> None:
    question = replace(message(), options={"model": "gpt-5.4-mini", "detail": "low"})
    claim = await asked(store, question)
    token = await offer(store, claim, "closer")
    await store.settle(claim)
    await store.press(token, ANNA)

    await store.accept(question)

    again = await claimed(store)
    assert again.message.options == {"model": "gpt-5.4-mini", "detail": "high"}
    assert again.version == 2


async def test_votes_are_counted_once_for_each_person_and_the_last_one_holds(
    store: SqlStore,
) -> None:
    claim = await asked(store)
    up = await offer(store, claim, "up", anybody=True)
    down = await offer(store, claim, "down", anybody=True)
    number = await store.attempt(claim, call("0.01"))
    await store.record(claim, reply(), call=number, answer=answer())
    await store.settle(claim)

    for person in (ANNA, BEN, BOSS, ANNA):
        assert await store.press(up, person) == "counted"
    assert await store.press(down, BEN) == "counted"

    spent = await store.thread_spent(THREAD)
    assert (spent.calls, spent.up, spent.down) == (1, 2, 1)
    (row,) = await store.usage()
    assert row.spent == spent


async def test_a_vote_is_for_the_answer_that_stands_there(store: SqlStore, clock: Clock) -> None:
    up = await offered(store, "up", anybody=True)
    await store.press(up, BEN)
    await store.accept(edited(message(), "Else?", 5.0))
    clock.move(3)
    claim = await claimed(store)
    number = await store.attempt(claim, call("0.01"))
    await store.record(claim, reply(), call=number, answer=answer())
    await store.settle(claim)

    await store.press(up, BEN)

    assert (await store.thread_spent(THREAD)).up == 2


async def test_a_vote_outlives_its_question_in_the_ledger(store: SqlStore) -> None:
    up = await offered(store, "up")
    await store.press(up, ANNA)

    await store.retract(Scope("slack", "T1", "C1", message="1"))

    (row,) = await store.usage()
    assert row.spent.up == 1
    assert await store.press(up, ANNA) == "late"


async def test_nobody_votes_on_what_no_model_said(store: SqlStore) -> None:
    claim = await asked(store)
    up = await offer(store, claim, "up")
    await store.record(claim, reply("Done."))
    await store.settle(claim)

    assert await store.press(up, ANNA) == "late"


async def refused(store: SqlStore) -> str:
    """The button under a question that a budget refused."""
    claim = await asked(store)
    with pytest.raises(BudgetSpent):
        await store.attempt(claim, call("0.01", person_day("0")))
    token = await offer(store, claim, "allow")
    await store.record(claim, replace(reply("No money."), failed=True))
    await store.settle(claim)
    return token


async def test_an_administrator_lets_one_question_past_its_budgets(store: SqlStore) -> None:
    token = await refused(store)

    assert await store.press(token, ANNA) == "stranger"
    assert await store.press(token, BOSS) == "again"

    claim = await claimed(store)
    assert claim.allowed
    await store.attempt(claim, call("0.01", person_day("0")))
    assert await store.left(THREAD, [person_day("0")]) == [Decimal("-0.01")]
    await store.settle(claim)
    other = await asked(store, message("2"))
    assert not other.allowed
    with pytest.raises(BudgetSpent):
        await store.attempt(other, call("0.01", person_day("0")))


async def test_what_was_allowed_holds_for_the_words_that_were_allowed(
    store: SqlStore, clock: Clock
) -> None:
    token = await refused(store)
    await store.press(token, BOSS)
    await store.accept(edited(message(), "Something dearer!", 5.0))
    clock.move(3)

    claim = await claimed(store)

    assert not claim.allowed
    with pytest.raises(BudgetSpent):
        await store.attempt(claim, call("0.01", person_day("0")))


async def test_a_question_that_is_not_as_it_was_refused_is_not_let_past(
    store: SqlStore, clock: Clock
) -> None:
    token = await refused(store)
    await store.accept(edited(message(), "Something dearer!", 5.0))
    assert await store.press(token, BOSS) == "late"
    clock.move(3)
    await store.settle(await claimed(store))

    assert await store.press(token, BOSS) == "late"


async def test_what_is_allowed_stays_so_over_a_failure(store: SqlStore, clock: Clock) -> None:
    await store.press(await refused(store), BOSS)
    await store.postpone(await claimed(store), 1.0, failed=True)
    clock.move(1)

    assert (await claimed(store)).allowed


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        ("low 1 2", ["low", "low", ""]),
        ("dropped 3", ["", "", "dropped"]),
        ("pinned 2 99 99999999999999999999", ["", "pinned", ""]),
        ("high 1 x -1", ["high", "", ""]),
    ],
)
async def test_a_mark_is_set_on_the_numbers_that_it_names(
    store: SqlStore, value: str, marks: list[str]
) -> None:
    token = await offered(store, "mark", value, files=3)

    assert await store.press(token, ANNA) == "marked"

    assert await store.claim(PLATFORMS) is None
    assert await marked(store) == marks


async def test_a_mark_is_taken_back_by_naming_none(store: SqlStore) -> None:
    token = await offered(store, "mark", " 1 2", files=2)
    assert await store.mark(THREAD, [1, 2, 3], "dropped") == [1, 2]

    await store.press(token, ANNA)

    assert await marked(store) == ["", ""]


async def test_a_mark_on_pictures_that_are_gone_is_too_late(store: SqlStore) -> None:
    token = await offered(store, "mark", "low 1", files=1)
    await store.retract(Scope("slack", "T1", attachment="F1"))

    assert await store.press(token, ANNA) == "late"
    assert await store.mark(replace(THREAD, root="none"), [1], "low") == []


async def marked(store: SqlStore) -> list[str]:
    """The marks of the thread's pictures by number."""
    turns = await store.conversation(THREAD)
    return [picture.mark for turn in turns for picture in turn.pictures]


async def test_a_card_is_pressed_within_a_day_by_whom_it_was_shown(
    store: SqlStore, clock: Clock
) -> None:
    nowhere = replace(THREAD, root="")
    token = await store.offer_card(nowhere, "U1", "ask", "a question")

    assert await store.offered(token) == Offer("ask", "a question", nowhere, "", "U1")
    assert await store.press(token, ANNA) == "late"
    clock.move(DAY - 1)
    assert await store.offered(token) is not None
    clock.move(1)
    assert await store.offered(token) is None
    await store.purge()


async def test_a_card_about_a_question_can_do_what_its_reply_can(store: SqlStore) -> None:
    await answered(store, message(files=("F1",)))
    await store.mark(THREAD, [1], "low")
    again = await store.offer_card(THREAD, "U2", "again", message="1")
    drop = await store.offer_card(THREAD, "U2", "mark", "dropped 1")

    assert await store.press(again, ANNA) == "stranger"
    assert await store.press(drop, BEN) == "late"
    assert await store.press(again, BEN) == "again"
    await store.pictures(await claimed(store))
    assert await store.press(drop, BEN) == "marked"


async def test_a_card_goes_with_what_it_is_about(store: SqlStore) -> None:
    await answered(store)
    tokens = [
        await store.offer_card(THREAD, "U1", "forget", message="1"),
        await store.offer_card(THREAD, "U1", "ask"),
        await store.offer_card(replace(THREAD, root=""), "U1", "ask"),
    ]

    await store.retract(Scope("slack", "T1", "C1", message="1"))
    assert [await store.offered(each) is None for each in tokens] == [True, False, False]
    await store.retract(Scope("slack", "T1", "C1", "root"))
    assert [await store.offered(each) is None for each in tokens] == [True, True, False]
    await store.retract(Scope("slack", "T1"))
    assert [await store.offered(each) is None for each in tokens] == [True, True, True]


async def test_a_stop_ends_only_what_is_being_answered(store: SqlStore) -> None:
    claim = await asked(store)

    assert await store.press(claim.stop, BEN) == "stranger"
    assert await store.press(claim.stop, ANNA) == "stopped"
    assert await store.renew([claim]) == {THREAD: "stopped"}
    await store.settle(claim)
    assert await store.press(claim.stop, ANNA) == "late"


async def test_a_button_outlives_as_many_days_as_it_is_offered_again(
    store: SqlStore, clock: Clock
) -> None:
    token = await offer(store, await asked(store), "again")
    clock.move(20 * DAY)
    claim = await claimed(store)
    assert await offer(store, claim, "again") == token
    await store.settle(claim)
    clock.move(20 * DAY)

    assert await store.press(token, ANNA) == "again"


async def test_hostile_tokens_and_values_do_nothing(store: SqlStore) -> None:
    claim = await asked(store)
    token = await offer(store, claim, "mark", "low 1\0\ud800 ２ ² " + "9" * 10_000)
    await store.settle(claim)

    assert await store.press(token, ANNA) == "late"
    for nonsense in ("", "\0", "\ud800", "x" * 100_000, "' OR 1=1 --"):
        assert await store.press(nonsense, BOSS) == "late"
        assert await store.offered(nonsense) is None
