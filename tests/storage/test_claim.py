"""Who may answer which message, and until when."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.domain import Claim, Loss, Scope, ThreadId
from bot.errors import Superseded
from storage.store import SqlStore, open_store
from tests.clock import Clock
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    asked,
    call,
    claimed,
    edited,
    image,
    message,
    reply,
)


def thread(root: str) -> ThreadId:
    """Another thread of the channel."""
    return replace(THREAD, root=root)


async def test_messages_are_answered_in_the_order_in_which_they_were_sent(store: SqlStore) -> None:
    for name in ("3", "1", "2"):
        await store.accept(message(name))
    await store.accept(message("02", sent_at=2.0))

    order = []
    while claim := await store.claim(PLATFORMS):
        order.append(claim.message.id)
        await store.settle(claim)

    assert order == ["1", "02", "2", "3"]


async def test_the_longest_due_thread_comes_first(store: SqlStore, clock: Clock) -> None:
    await store.accept(message("1", thread=thread("late")))
    clock.move(-10)
    await store.accept(message("2", thread=thread("early")))
    clock.move(10)

    assert (await claimed(store)).message.thread.root == "early"


async def test_only_our_platforms_and_only_the_thread_that_is_asked_for(store: SqlStore) -> None:
    await store.accept(message("1", thread=thread("a")))
    await store.accept(message("2", thread=thread("b")))

    assert await store.claim(["discord"]) is None
    assert await store.claim([]) is None
    claim = await store.claim(PLATFORMS, thread=thread("b"))
    assert claim is not None
    assert claim.message.id == "2"
    assert await store.claim(PLATFORMS, thread=thread("b")) is None


async def test_a_claim_runs_out_and_grows_its_number(store: SqlStore, clock: Clock) -> None:
    first = await asked(store)
    assert first.until == clock.now + 30

    clock.move(29)
    assert await store.claim(PLATFORMS) is None
    clock.move(1)
    second = await claimed(store)

    assert (first.number, second.number) == (1, 2)
    assert (first.failures, second.failures) == (0, 1)


async def test_renewing_prolongs_all_that_still_hold(store: SqlStore, clock: Clock) -> None:
    for root in ("a", "b"):
        await store.accept(message(root, thread=thread(root), sent_at=1.0))
    claims = [await claimed(store), await claimed(store)]

    clock.move(20)
    assert await store.renew(claims) == {}
    clock.move(20)

    assert await store.claim(PLATFORMS) is None
    assert await store.renew([]) == {}


async def test_renewing_tells_what_was_lost_and_why(store: SqlStore, clock: Clock) -> None:
    claims = {}
    for name in ("kept", "taken", "edited", "deleted"):
        await store.accept(message(name, thread=thread(name), sent_at=1.0))
        claim = await claimed(store)
        claims[claim.message.id] = claim
    await store.accept(edited(claims["edited"].message, "else", 5.0))
    await store.retract(Scope("slack", "T1", "C1", message="deleted"))
    await store.hand_back(claims["taken"])
    await claimed(store)

    losses = await store.renew(list(claims.values()))

    expected: dict[str, Loss] = {"taken": "taken", "edited": "edited", "deleted": "deleted"}
    assert losses == {thread(name): loss for name, loss in expected.items()}


async def test_handing_back_leaves_no_trace(store: SqlStore) -> None:
    claim = await asked(store)
    await store.hand_back(claim)

    again = await claimed(store)

    assert again.failures == 0


@pytest.mark.parametrize(("failed", "failures"), [(True, 1), (False, 0)])
async def test_postponing_waits_and_counts_only_failures(
    store: SqlStore, clock: Clock, failed: bool, failures: int
) -> None:
    await store.postpone(await asked(store), 60.0, failed=failed)
    await store.accept(message("2"))

    clock.move(59)
    assert await store.claim(PLATFORMS) is None
    clock.move(1)
    again = await claimed(store)

    assert (again.message.id, again.failures) == ("1", failures)


async def test_a_recorded_reply_is_posted_and_not_asked_for_again(
    store: SqlStore, clock: Clock
) -> None:
    claim = await asked(store)
    await store.record(claim, reply("said"))
    await store.posted(claim, ["p1", "p2"])
    clock.move(30)

    again = await claimed(store)

    assert again.reply == reply("said")
    assert again.posts == ("p1", "p2")


async def test_a_claim_tells_which_files_nobody_has_looked_at(store: SqlStore) -> None:
    claim = await asked(store, message(files=("F1", "F2", "F3")))
    assert claim.unseen == claim.message.attachments

    pictures = await store.pictures(claim)
    await store.keep(claim, 1, image())
    await store.note(claim, 3, "not seen: gone")
    await store.hand_back(claim)
    again = await claimed(store)

    assert [each.id for each in again.unseen] == ["F2"]
    pending = [each.attachment for each in await store.pictures(again) if each.pending]
    assert pending == [pictures[1].attachment] == list(again.unseen)


@pytest.mark.parametrize("jump", [-3600.0, -86_400.0, 3600.0])
async def test_a_clock_that_jumps_leaves_nobody_waiting(
    store: SqlStore, clock: Clock, jump: float
) -> None:
    await store.accept(message("1", thread=thread("waiting")))
    clock.move(-1)
    held = await asked(store, message("2", thread=thread("held")))

    clock.move(jump)

    again = {(await claimed(store)).message.id, (await claimed(store)).message.id}
    assert again == {"1", "2"}
    assert await store.renew([held]) == {thread("held"): "taken"}


async def test_nobody_is_made_to_wait_for_hours(store: SqlStore, clock: Clock) -> None:
    await store.postpone(await asked(store), 1e9, failed=False)

    clock.move(3000)
    assert await store.claim(PLATFORMS) is not None


WRITES: list[Callable[[SqlStore, Claim], Awaitable[object]]] = [
    lambda store, claim: store.pictures(claim),
    lambda store, claim: store.keep(claim, 1, image()),
    lambda store, claim: store.note(claim, 1, "not seen: gone"),
    lambda store, claim: store.attempt(claim, call()),
    lambda store, claim: store.close(claim, 1, charged=True),
    lambda store, claim: store.record(claim, reply()),
    lambda store, claim: store.settle(claim),
    lambda store, claim: store.hand_back(claim),
    lambda store, claim: store.postpone(claim, 1.0, failed=True),
]


@pytest.mark.parametrize("lost", ["taken", "edited", "deleted", "settled"])
async def test_no_write_under_a_lost_claim_arrives(
    store: SqlStore, clock: Clock, lost: str
) -> None:
    claim = await asked(store, message(files=("F1",)))
    if lost == "taken":
        clock.move(30)
        await claimed(store)
    elif lost == "edited":
        await store.accept(edited(claim.message, "else", 5.0))
    elif lost == "deleted":
        await store.retract(Scope("slack", "T1", "C1", "root"))
    else:
        await store.settle(claim)

    for write in WRITES:
        with pytest.raises(Superseded):
            await write(store, claim)
    if lost != "edited":
        with pytest.raises(Superseded):
            await store.posted(claim, ["p1"])


async def test_context_never_blocks(store: SqlStore) -> None:
    await store.accept(message("1", addressed=False))
    await store.accept(message("2"))

    assert (await claimed(store)).message.id == "2"


async def test_a_cancelled_claim_is_given_back(url: str) -> None:
    async with open_store(url) as store:
        await store.accept(message())

        taking = asyncio.create_task(store.claim(PLATFORMS))
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

        assert (await claimed(store)).failures == 0


async def test_cancelled_writes_are_whole_or_not_there(store: SqlStore) -> None:
    writes = [asyncio.create_task(store.accept(message(str(n)))) for n in range(1, 21)]
    await asyncio.sleep(0)
    for each in writes[::2]:
        each.cancel()
    await asyncio.gather(*writes, return_exceptions=True)

    names: set[str] = set()
    async with asyncio.timeout(10):
        # Those that were cancelled may still be at it, and a thread that somebody writes in waits.
        while not names >= {str(n) for n in range(2, 21, 2)}:
            if claim := await store.claim(PLATFORMS):
                names.add(claim.message.id)
                await store.settle(claim)


async def test_many_claimers_answer_each_message_once_and_in_order(url: str) -> None:
    answered: list[tuple[str, str]] = []

    async def work() -> None:
        async with open_store(url) as store:
            while claim := await store.claim(PLATFORMS):
                answered.append((claim.message.thread.root, claim.message.id))
                await store.settle(claim)

    async with open_store(url) as store:
        for root in "abcde":
            for n in range(1, 5):
                await store.accept(message(f"{root}{n}", thread=thread(root), sent_at=float(n)))
        # A thread that another claimer is just taking is passed over, so look until all is done.
        while len(answered) < 20:
            await asyncio.gather(*(work() for _ in range(4)))

    assert Counter(answered).most_common(1)[0][1] == 1
    for root in "abcde":
        assert [name for at, name in answered if at == root] == [f"{root}{n}" for n in range(1, 5)]
