"""What goes wrong between any two steps costs nobody an answer, money or the rest of the thread."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from bot.domain import (
    Answer,
    Attachment,
    Claim,
    ImageKey,
    Loss,
    Message,
    PostId,
    Reply,
    Scope,
    ThreadId,
)
from bot.errors import (
    Outage,
    PictureUnseen,
    Superseded,
    ThreadsightError,
    TransientError,
    Unread,
)
from bot.worker import OUTAGE_SECONDS, Worker
from storage.store import SqlStore
from tests.bot.test_worker import Bench
from tests.clock import Clock
from tests.fakes import THREAD, file

AWAY = Outage("The database does not answer.")


class Unsteady(SqlStore):
    """A real store that fails when it is told to, and lets others wait for its beats."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store._database, lease_seconds=30, retention_days=30)
        self.failing: dict[str, list[ThreadsightError]] = {}
        """By method, what its next calls raise."""
        self.damaged: set[ImageKey] = set()
        self.noted = 0
        """Times that posts were noted."""
        self.beaten = asyncio.Event()
        self.waited = asyncio.Event()

    def fail(self, method: str, *errors: ThreadsightError) -> None:
        self.failing[method] = list(errors)

    def meet(self, method: str) -> None:
        if errors := self.failing.get(method):
            raise errors.pop(0)

    async def offer(self, claim, chances):  # type: ignore[no-untyped-def]
        self.meet("offer")
        return await super().offer(claim, chances)

    async def claim(self, platforms, *, thread=None):  # type: ignore[no-untyped-def]
        self.meet("claim")
        return await super().claim(platforms, thread=thread)

    async def renew(self, claims: Sequence[Claim]) -> dict[ThreadId, Loss]:
        losses = dict(await super().renew(claims))
        self.beaten.set()
        return losses

    async def posted(self, claim: Claim, posts: Sequence[PostId]) -> None:
        self.meet("posted")
        self.noted += 1
        await super().posted(claim, posts)

    async def record(
        self, claim: Claim, reply: Reply, *, call: int | None = None, answer: Answer | None = None
    ) -> None:
        self.meet("record")
        await super().record(claim, reply, call=call, answer=answer)

    async def load(self, key: ImageKey) -> bytes:
        if key in self.damaged:
            raise PictureUnseen("its stored copy is damaged; post it again")
        return await super().load(key)

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


async def test_an_answer_is_not_lost_while_the_database_restarts(
    bench: Bench, unsteady: Unsteady
) -> None:
    bench.model.enqueue("A cat.")
    unsteady.fail("offer", AWAY)
    unsteady.fail("record", AWAY, AWAY)
    await bench.post(1, "What?", bench.photo())

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert [button.label for button in reply.buttons] == ["Try again", "👍", "👎"]
    assert len(bench.model.asked) == 1
    assert (await bench.store.thread_spent(THREAD)).possibly_charged == 0


async def test_words_go_on_while_nobody_can_note_where_they_stand(
    bench: Bench, unsteady: Unsteady
) -> None:
    bench.model.enqueue("A big cat.")
    await bench.post(1, "What?", bench.photo())
    unsteady.fail("posted", AWAY)

    reply = await bench.reply(1)

    assert reply.text == "A big cat."
    assert len(bench.model.asked) == 1


async def test_where_an_answer_stands_is_noted_as_it_begins_and_as_it_ends(
    bench: Bench, unsteady: Unsteady
) -> None:
    bench.model.enqueue("A big cat sleeps.")
    await bench.post(1, "What?", bench.photo())

    await bench.reply(1)

    assert unsteady.noted == 2


async def test_a_claim_lost_amid_the_words_leaves_the_call_possibly_charged(
    bench: Bench, unsteady: Unsteady
) -> None:
    bench.model.enqueue("A big cat.")
    await bench.post(1, "What?", bench.photo())
    draft = bench.place.under("m001")
    draft.posts = [(), ("a",)]
    unsteady.fail("posted", Superseded("Somebody else answers."))

    async with asyncio.timeout(5), bench.working():
        await draft.left.wait()

    assert (await bench.store.thread_spent(THREAD)).possibly_charged == 1


async def test_a_posted_answer_is_never_replaced_by_an_apology(
    bench: Bench, unsteady: Unsteady, clock: Clock
) -> None:
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo())
    clock.move(OUTAGE_SECONDS + 1)  # as after a night without the bot
    unsteady.fail("settle", AWAY)
    await bench.postponed(1)
    clock.move(60 * 60)

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert len(bench.model.asked) == 1


async def test_a_reply_that_breaks_its_place_does_not_stop_the_others(bench: Bench) -> None:
    bench.place.refuse = [ValueError("a fault of ours")] * 9
    bench.model.enqueue("A cat.")
    bench.model.enqueue("A dog.")
    await bench.post(1, "What?", bench.photo())
    for _ in range(3):
        await bench.postponed(1)
        bench.clock.move(120)
    bench.place.refuse = []
    await bench.post(2, "And?", bench.photo("b.jpg"))

    assert (await bench.reply(2)).text == "A dog."


async def test_a_picture_that_kills_the_process_does_not_brick_its_thread(
    bench: Bench, clock: Clock
) -> None:
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo("poison.jpg"))
    for _ in range(3):
        assert await bench.store.claim(["fake"])  # … and the process dies
        clock.move(31)
    sorry = await bench.reply(1)
    await bench.post(2, "And this?", bench.photo("good.jpg"))

    reply = await bench.reply(2)

    assert sorry.receipts[0].startswith("picture 1 (poison.jpg): not seen: ")
    assert (reply.text, bench.place.fetched) == ("A cat.", ["good.jpg"])


async def test_a_file_that_breaks_its_reader_fails_alone(bench: Bench, clock: Clock) -> None:
    bench.model.enqueue("A cat.")
    bench.place.files["odd.jpg"] = ValueError("a fault of ours")
    await bench.post(1, "What?", Attachment("odd.jpg", "odd.jpg"), bench.photo())
    await bench.postponed(1)
    clock.move(60)

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert reply.receipts[0].startswith("picture 1 (odd.jpg): not seen: ")


async def test_a_stored_picture_that_is_damaged_is_left_out_and_that_is_said(
    bench: Bench, unsteady: Unsteady
) -> None:
    bench.model.enqueue("Two cats.")
    photos = bench.photo("a.jpg"), bench.photo("b.jpg", 320, 200)
    await bench.post(1, "What?", *photos)
    await bench.reply(1)
    bench.model.fail(PictureUnseen("its stored copy is damaged; post it again"))
    bench.model.enqueue("A cat.")
    first = bench.model.asked[0][0][-1].pictures[0].image
    assert first is not None
    unsteady.damaged.add(first.key)
    await bench.post(2, "And?")

    reply = await bench.reply(2)

    assert reply.text == "A cat."
    assert bench.model.pictures_sent() == [2]
    assert reply.receipts == (
        "picture 1 (a.jpg): not seen: its stored copy is damaged; post it again",
    )


async def test_a_thread_that_can_be_read_in_part_is_answered_and_the_rest_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(message: Message) -> list[Message]:
        context = replace(message, id="m000", text="Look.", kind="context", sent_at=0.5)
        raise Unread("I could read only the beginning.", [context])

    monkeypatch.setattr(bench.place, "earlier", cut)
    bench.model.enqueue("Two cats.")
    await bench.post(1, "What?", bench.photo())

    reply = await bench.reply(1)

    assert reply.text == "Two cats."
    assert reply.receipts[-1] == "I could read only the beginning."
    assert [turn.message for turn in bench.model.asked[0][0]] == ["m000", "m001"]


async def test_a_questions_own_pictures_are_fetched_once_while_the_rest_of_the_thread_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(message: Message) -> list[Message]:
        async with asyncio.timeout(5):
            await bench.place.fetching.wait()
        return [replace(message, id="m000", text="Look.", sent_at=0.5, attachments=())]

    monkeypatch.setattr(bench.place, "earlier", slowly)
    bench.model.enqueue("Two cats.")
    await bench.post(1, "What?", bench.photo())

    reply = await bench.reply(1)

    assert reply.text == "Two cats."
    assert len(bench.place.fetched) == 1


async def test_a_thread_that_cannot_be_read_now_holds_no_picture(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(message: Message) -> list[Message]:
        async with asyncio.timeout(5):
            await bench.place.fetching.wait()
        raise TransientError("The platform is away.")

    monkeypatch.setattr(bench.place, "earlier", away)
    await bench.post(1, "What?", bench.photo())
    claim = await bench.store.claim(["fake"])
    assert claim

    with pytest.raises(TransientError):
        await bench.worker.responder.respond(claim, bench.place.draft(claim), asyncio.Event())

    originals = bench.worker.responder.eyes.originals
    assert originals.desk.held == 0
    assert asyncio.all_tasks() <= {asyncio.current_task(), *originals.preparing.values()}


async def test_an_earlier_address_that_can_no_longer_be_fetched_is_told(bench: Bench) -> None:
    bench.model.enqueue("Two cats.")
    address = Attachment("link", "c.png", url="https://example.org/c.png", linked=True)
    await bench.post(1, "What?", bench.photo(), address)
    await bench.reply(1)
    bench.model.enqueue("A cat.", unseen_links=(2,))
    await bench.post(2, "And?")

    reply = await bench.reply(2)

    assert reply.receipts[0].startswith("picture 2 (c.png): not seen: ")


async def test_a_draft_whose_question_is_gone_is_taken_back_whoever_hears_of_it_first(
    bench: Bench,
) -> None:
    bench.model.enqueue("A big cat.")
    await bench.post(1, "What?", bench.photo())
    draft = bench.place.under("m001")
    draft.posts = [(), ("a",)]
    draft.meanwhile = partial(bench.desk.retract, Scope("fake", "w1", "c1", message="m001"))

    async with asyncio.timeout(5), bench.working():
        await draft.withdrawn.wait()

    assert not draft.left.is_set()


async def test_who_waits_for_one_thread_is_told_of_an_outage_as_it_is(
    bench: Bench, unsteady: Unsteady
) -> None:
    unsteady.fail("claim", AWAY)
    worker = Worker(unsteady, bench.worker.responder, ["fake"], thread=THREAD)

    with pytest.raises(Outage):
        await worker.run()


async def test_a_fault_amid_an_answer_leaves_no_money_reserved(bench: Bench) -> None:
    await bench.post(1, "What?", bench.photo())
    for _ in range(2):
        await bench.postponed(1)  # the fake model has nothing to say and breaks
        bench.clock.move(120)

    await bench.reply(1)

    assert (await bench.store.thread_spent(THREAD)).possibly_charged == 3


async def test_a_file_whose_host_is_always_broken_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    broken = file(bench.place, "broken.jpg", Outage("The file cannot be had right now."))
    await bench.post(1, "What?", broken, bench.photo())
    await bench.postponed(1)
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert reply.receipts == (
        "picture 1 (broken.jpg): not seen: The file cannot be had right now.",
    )
