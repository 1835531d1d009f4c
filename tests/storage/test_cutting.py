"""Channels without threads are cut into conversations."""

import asyncio
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import Message, Scope, ThreadId
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import THREAD, asked, edited, message

HOUR = 3600.0
CHANNEL = ThreadId("discord", "", "D1", "")
FRESH = count(1)


def said(name: str, hours: float, text: str = "What is this?") -> Message:
    """A message in a channel without threads."""
    return message(name, text, thread=CHANNEL, sent_at=hours * HOUR)


async def roots(store: SqlStore) -> dict[str, str]:
    """The conversation of each message that waits."""
    found = {}
    while claim := await store.claim(["discord"]):
        found[claim.message.id] = claim.message.thread.root
        await store.settle(claim)
    return found


async def test_what_is_said_within_six_hours_is_one_conversation(store: SqlStore) -> None:
    for each in (said("a", 0), said("b", 5.9), said("c", 11.8), said("d", 17.8), said("e", 18)):
        assert await store.accept(each)

    assert await roots(store) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


async def test_the_claim_names_the_real_thread(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 1))
    first = await store.claim(["discord"])
    assert first is not None

    assert first.message.thread == replace(CHANNEL, root="a")
    assert await store.renew([first]) == {}
    await store.settle(first)
    second = await store.claim(["discord"], thread=first.message.thread)
    assert second is not None
    assert [turn.message for turn in await store.history(second)] == ["a", "b"]


async def test_how_long_is_idle_may_be_said(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 1), idle=HOUR / 2)

    assert await roots(store) == {"a": "a", "b": "b"}


async def test_an_end_starts_a_new_conversation(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.end_conversation(CHANNEL)
    await store.accept(said("b", 0.1))
    await store.accept(said("c", 0.2))

    assert await roots(store) == {"a": "a", "b": "b", "c": "b"}


async def test_an_end_that_is_heard_twice_ends_nothing_that_came_after(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.end_conversation(CHANNEL, at=0.5 * HOUR)
    await store.accept(said("b", 1))
    await store.end_conversation(CHANNEL, at=0.5 * HOUR)
    await store.accept(said("c", 2))

    assert await roots(store) == {"a": "a", "b": "b", "c": "b"}


async def test_an_end_that_is_heard_late_holds_from_then_on(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 1))
    await store.end_conversation(CHANNEL, at=0.5 * HOUR)
    await store.accept(said("c", 2))
    await store.accept(said("d", 3))

    assert await roots(store) == {"a": "a", "b": "a", "c": "c", "d": "c"}


async def test_ending_nothing_is_no_fault(store: SqlStore) -> None:
    await store.end_conversation(CHANNEL)
    await store.accept(message("1"))
    await store.end_conversation(replace(THREAD, root=""))

    assert (await asked(store, message("2"))).message.thread == THREAD


async def test_edits_and_deliveries_again_find_their_conversation(
    store: SqlStore, clock: Clock
) -> None:
    first = said("a", 0)
    await store.accept(first)
    await store.end_conversation(CHANNEL)
    await store.accept(said("b", 0.1))

    assert await store.accept(first)
    assert await store.accept(edited(first, "And now?", 9 * HOUR))

    clock.move(3)
    assert await roots(store) == {"a": "a", "b": "b"}


async def test_late_messages_join_the_conversation_of_their_time(store: SqlStore) -> None:
    for each in (said("a", 0), said("c", 20)):
        await store.accept(each)
    await store.accept(said("e", 40))

    for late in (said("b", 1), said("bc", 18), said("d", 21), said("x", 10)):
        await store.accept(late)

    found = await roots(store)
    assert {name: found[name] for name in ("b", "bc", "d", "x")} == {
        "b": "a",
        "bc": "c",
        "d": "c",
        "x": "x",
    }


async def test_what_comes_late_over_an_end_stays_on_its_side(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("c", 1))
    await store.end_conversation(CHANNEL)
    await store.accept(said("e", 2))

    await store.accept(said("b", 0.5))
    await store.accept(said("d", 1.5))

    found = await roots(store)
    assert (found["b"], found["d"]) == ("a", "e")


async def test_ten_first_messages_at_once_are_one_conversation(store: SqlStore) -> None:
    await asyncio.gather(*(store.accept(said(str(n), n / 10)) for n in range(10)))

    assert len(set((await roots(store)).values())) == 1


async def test_channels_and_people_never_share_a_conversation(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(replace(said("b", 0), thread=replace(CHANNEL, channel="D2")))
    await store.accept(replace(said("c", 0), thread=replace(CHANNEL, workspace="G")))

    assert await roots(store) == {"a": "a", "b": "b", "c": "c"}


async def test_threads_of_a_channel_are_no_conversations(store: SqlStore) -> None:
    await store.accept(message("1"))
    nowhere = replace(THREAD, root="")

    assert await store.conversation(nowhere) == []
    assert await store.participation(nowhere, "U1") == "stranger"
    assert (await store.choices(nowhere))["thread"] == {}


@pytest.mark.parametrize("root", [None, ""])
async def test_a_message_is_erased_without_its_root(store: SqlStore, root: str | None) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 1))

    await store.retract(Scope("discord", "", "D1", root, "a"))

    assert not await store.accept(said("a", 0))
    assert await roots(store) == {"b": "a"}


@pytest.mark.parametrize("root", [None, ""])
async def test_a_channel_is_erased_with_all_its_conversations(
    store: SqlStore, root: str | None
) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 20))

    await store.retract(Scope("discord", "", "D1", root))

    assert await roots(store) == {}
    assert not await store.accept(said("a", 0))


async def test_a_conversation_that_was_erased_stays_so(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.retract(Scope("discord", "", "D1", "a"))

    assert not await store.accept(said("a", 0))
    assert await store.accept(said("b", 1))


async def test_what_holds_for_a_conversation_is_asked_without_its_root(
    store: SqlStore, clock: Clock
) -> None:
    await store.accept(message("1", thread=CHANNEL, sent_at=clock.now))
    await store.choose(CHANNEL, "thread", "detail", "low")

    assert len(await store.conversation(CHANNEL)) == 1
    assert (await store.choices(CHANNEL))["thread"] == {"detail": "low"}
    assert (await store.choices(replace(CHANNEL, root="1")))["thread"] == {"detail": "low"}
    assert await store.participation(CHANNEL, "U1") == "asker"

    clock.move(7 * HOUR)
    assert await store.conversation(CHANNEL) == []
    assert (await store.choices(CHANNEL))["thread"] == {}


async def test_a_conversation_is_forgotten_without_its_root(store: SqlStore) -> None:
    await store.accept(said("a", 0))
    await store.accept(said("b", 20))

    await store.forget("discord", "", "U1", thread=CHANNEL)

    assert await roots(store) == {"a": "a"}


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=8, unique=True).flatmap(
        lambda hours: st.tuples(st.just(sorted(hours)), st.permutations(sorted(hours)))
    )
)
async def test_whatever_comes_late_no_conversation_bridges_idle_hours(
    store: SqlStore, hours: tuple[list[int], list[int]]
) -> None:
    in_order, as_they_came = hours
    fresh = replace(CHANNEL, channel=f"fresh-{next(FRESH)}")

    for each in as_they_came:
        await store.accept(replace(said(str(each), each), thread=fresh))

    found = await roots(store)
    for one, next_one in pairwise(in_order):
        if next_one - one >= 6:
            assert found[str(one)] != found[str(next_one)]
