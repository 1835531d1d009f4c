"""What goes wrong between any two steps costs nobody an answer, money or the rest of the thread."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.domain import Answer, Claim, Loss, PostId, Reply, Scope, ThreadId
from bot.errors import Outage, ThreadsightError
from storage.store import SqlStore
from tests.bot.test_worker import Bench
from tests.clock import Clock
from tests.fakes import THREAD

AWAY = Outage("The database does not answer.")


class Unsteady(SqlStore):
    """A real store that fails when it is told to, and lets others wait for its beats."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store._database, lease_seconds=30, retention_days=30)
        self.failing: dict[str, list[ThreadsightError]] = {}
        """By method, what its next calls raise."""
        self.beaten = asyncio.Event()
        self.waited = asyncio.Event()

    def fail(self, method: str, *errors: ThreadsightError) -> None:
        self.failing[method] = list(errors)

    def meet(self, method: str) -> None:
        if errors := self.failing.get(method):
            raise errors.pop(0)

    async def claim(self, platforms, *, thread=None):  # type: ignore[no-untyped-def]
        self.meet("claim")
        return await super().claim(platforms, thread=thread)

    async def renew(self, claims: Sequence[Claim]) -> dict[ThreadId, Loss]:
        losses = dict(await super().renew(claims))
        self.beaten.set()
        return losses

    async def posted(self, claim: Claim, posts: Sequence[PostId]) -> None:
        self.meet("posted")
        await super().posted(claim, posts)

    async def record(
        self, claim: Claim, reply: Reply, *, call: int | None = None, answer: Answer | None = None
    ) -> None:
        self.meet("record")
        await super().record(claim, reply, call=call, answer=answer)

    async def settle(self, claim: Claim) -> None:
        self.meet("settle")
        await super().settle(claim)


@pytest.fixture
def unsteady(store: SqlStore) -> Unsteady:
    return Unsteady(store)


@pytest.fixture
def bench(unsteady: Unsteady, clock: Clock) -> Bench:
    return Bench(unsteady, clock)


async def test_a_thread_that_is_claimed_again_ends_its_old_work_and_keeps_its_new_claim(
    bench: Bench,
) -> None:
    first, second = bench.model.hang(), bench.model.hang()
    await bench.post(1, "What?", bench.photo())
    draft = bench.place.under("m001")

    async with asyncio.timeout(5), bench.working():
        await first.reached.wait()
        bench.clock.move(31)  # as after a pause of the whole process
        bench.worker.wake()
        await second.reached.wait()
        await draft.left.wait()

        assert bench.worker.jobs[THREAD].claim.number == 2
        await bench.desk.retract(Scope("fake", "w1", "c1", message="m001"))
        await draft.withdrawn.wait()


async def test_what_is_left_to_do_after_a_question_was_deleted_is_not_cut_short(
    bench: Bench, unsteady: Unsteady
) -> None:
    hang = bench.model.hang()
    await bench.post(1, "What?", bench.photo())
    draft = bench.place.under("m001")
    draft.slow = asyncio.Event()

    async with asyncio.timeout(8), bench.working():
        await hang.reached.wait()
        await bench.desk.retract(Scope("fake", "w1", "c1", message="m001"))
        for _ in range(2):
            unsteady.beaten.clear()
            await unsteady.beaten.wait()

        assert THREAD in bench.worker.jobs
        draft.slow.set()
        await draft.withdrawn.wait()
