"""One message, one answer, whatever happens on the way; with the real store and real pictures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.access import Lists
from bot.desk import Desk
from bot.domain import Attachment, Card, Message, Person, Reply, Scope, ThreadId, Usage
from bot.errors import (
    Outage,
    PermanentError,
    PictureRefused,
    PictureUnseen,
    RateLimited,
    SetupError,
    Stalled,
    TransientError,
)
from bot.images import Darkroom
from bot.looking import Eyes
from bot.ports import Adapter
from bot.responder import Responder
from bot.rulebook import Rulebook
from bot.worker import OUTAGE_SECONDS, Worker
from storage.store import SqlStore
from tests import pictures
from tests.bot.building import BASE, PRICES, access_to, commands_on
from tests.clock import Clock
from tests.fakes import THREAD, FakeAdapter, FakeModel, file, posted


class Bench:
    """A bot in one process: real store, desk, responder and worker; a fake place and a fake model."""

    def __init__(self, store: SqlStore, clock: Clock, *, budget: Decimal = Decimal(1)) -> None:
        self.store = store
        self.clock = clock
        self.model = FakeModel()
        self.place = FakeAdapter()
        self.terms = replace(BASE, budget_person_day=budget)
        self.lists = Lists()
        self.restart()

    def restart(self) -> None:
        """A process that begins."""
        places: dict[str, Adapter] = {"fake": self.place}
        access = access_to(places, self.lists)
        commands = commands_on(
            self.store, base=self.terms, adapters=places, lists=self.lists, now=self.clock
        )
        rules = Rulebook(
            self.terms,
            PRICES,
            lambda: datetime.fromtimestamp(self.clock(), UTC),
            history_tokens=100_000,
        )
        responder = Responder(
            self.store,
            self.model,
            places,
            PRICES,
            rules,
            Eyes(self.store, places, Darkroom(max_bytes=50_000_000)),
            commands,
            access,
        )
        self.worker = Worker(self.store, responder, ["fake"], now=self.clock)
        self.desk = Desk(
            self.store,
            commands,
            self.worker.wake,
            base=self.terms,
            access=access,
            now=self.clock,
        )

    async def post(
        self,
        number: int,
        text: str = "What is this?",
        *files: Attachment,
        thread: ThreadId = THREAD,
        addressed: bool = True,
    ) -> None:
        message = self.message(number, text, *files, thread=thread)
        await self.desk.accept(replace(message, addressed=addressed))

    def message(
        self, number: int, text: str, *files: Attachment, thread: ThreadId = THREAD
    ) -> Message:
        """A message of now, to the bot."""
        sent_at = self.clock() + number / 1000
        return posted(number, text, *files, thread=thread, sent_at=sent_at)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker at work; it ends as at a deploy."""
        work = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            self.worker.stop()
            await work

    async def reply(self, number: int) -> Reply:
        """The reply that people see under a message, once it is there."""
        draft = self.place.under(f"m{number:03}")
        async with asyncio.timeout(10), self.working():
            await draft.replied.wait()
        self.restart()
        assert draft.reply is not None
        return draft.reply

    async def postponed(self, number: int) -> None:
        """Works until the message is given back for later."""
        draft = self.place.under(f"m{number:03}")
        draft.left.clear()
        async with asyncio.timeout(10), self.working():
            await draft.left.wait()
        self.restart()

    def photo(self, name: str = "photo.jpg", width: int = 640, height: int = 480) -> Attachment:
        return file(self.place, name, pictures.photo(width, height))


@pytest.fixture
def bench(store: SqlStore, clock: Clock) -> Bench:
    return Bench(store, clock)


async def test_a_picture_and_a_question_are_answered_with_their_cost(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    await bench.post(1, "What is this?", bench.photo())

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert reply.footer == ("1,203 in · 42 out · $0.0034", "≈425 new pictures · thread $0.0034")
    assert bench.model.pictures_sent() == [1]


async def test_pictures_are_fetched_while_the_platform_is_slow_to_post(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.place.under("m001").opening = bench.place.fetching.wait
    await bench.post(1, "What is this?", bench.photo())

    reply = await bench.reply(1)

    assert reply.text == "A cat."


async def test_a_post_under_way_is_not_broken_off_by_a_file_that_cannot_be_had(
    bench: Bench,
) -> None:
    made = asyncio.Event()

    async def opening() -> None:
        await bench.place.fetching.wait()
        await bench.store.conversation(THREAD)
        made.set()

    bench.place.under("m001").opening = opening
    slow = file(bench.place, "slow.jpg", TransientError("The file cannot be fetched just now."))
    await bench.post(1, "What is this?", slow)

    await bench.postponed(1)

    assert made.is_set()


async def test_the_answer_is_shown_as_it_grows(bench: Bench) -> None:
    bench.model.enqueue("A big cat.")
    await bench.post(1, "What is this?", bench.photo())

    await bench.reply(1)

    assert bench.place.under("m001").shown == ["", "A ", "A big ", "A big cat. "]


async def test_a_follow_up_sends_the_earlier_picture_again_without_fetching_it(
    bench: Bench,
) -> None:
    bench.model.enqueue("A cat.")
    bench.model.enqueue("It sleeps.")
    await bench.post(1, "What is this?", bench.photo())
    await bench.reply(1)
    await bench.post(2, "What does it do?")

    reply = await bench.reply(2)

    turns, _ = bench.model.asked[1]
    assert [turn.text for turn in turns] == ["What is this?", "A cat.", "What does it do?"]
    assert bench.model.pictures_sent() == [1]
    assert bench.place.fetched == ["photo.jpg"]
    assert reply.footer[1] == "≈425 earlier pictures · thread $0.0068"


async def test_questions_of_a_thread_are_answered_in_their_order(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.model.enqueue(f"Answer {number}.")
    photo = bench.photo()
    await bench.post(3, "Third?")
    await bench.post(1, "First?", photo)
    await bench.post(2, "Second?")

    await bench.reply(3)

    assert [turns[-1].text for turns, _ in bench.model.asked] == ["First?", "Second?", "Third?"]


async def test_a_changed_picture_gets_a_receipt(bench: Bench) -> None:
    bench.model.enqueue()
    await bench.post(1, "What?", bench.photo("big.jpg", 2048, 1536))

    reply = await bench.reply(1)

    assert reply.receipts == ("picture 1 (big.jpg): resized 2048×1536 → 1024×768",)


async def test_one_bad_picture_fails_alone(bench: Bench) -> None:
    bench.model.enqueue()
    bad = file(bench.place, "page.png", b"<!DOCTYPE html><html>Sign in</html>")
    await bench.post(1, "What?", bad, bench.photo())

    reply = await bench.reply(1)

    assert bench.model.pictures_sent() == [2]
    assert reply.receipts[0].startswith("picture 1 (page.png): not seen: ")


async def test_when_no_picture_of_a_question_was_seen_the_model_is_not_asked(bench: Bench) -> None:
    gone = file(bench.place, "gone.png", PictureUnseen("the file was deleted; post it again"))
    await bench.post(1, "What is this?", gone)

    reply = await bench.reply(1)

    assert reply.failed
    assert reply.receipts == (
        "picture 1 (gone.png): not seen: the file was deleted; post it again",
    )
    assert bench.model.asked == []


async def test_a_question_where_no_picture_ever_was_costs_nothing(bench: Bench) -> None:
    await bench.post(1, "Hello?")

    reply = await bench.reply(1)

    assert "no picture" in reply.text
    assert bench.model.asked == []


async def test_the_thread_goes_on_after_a_question_that_failed(bench: Bench) -> None:
    await bench.post(1, "Hello?")
    await bench.reply(1)
    bench.model.enqueue("A cat.")
    await bench.post(2, "And now?", bench.photo())

    assert (await bench.reply(2)).text == "A cat."


async def test_pictures_posted_before_the_bot_came_are_seen(bench: Bench) -> None:
    bench.model.enqueue()
    early = posted(1, "Look at this", bench.photo(), sent_at=bench.clock(), author="ben")
    bench.place.before = [early]
    await bench.post(2, "What is it?")

    await bench.reply(2)

    turns, _ = bench.model.asked[0]
    assert [(turn.author, turn.text) for turn in turns] == [
        ("ben", "Look at this"),
        ("anna", "What is it?"),
    ]
    assert bench.model.pictures_sent() == [1]
    assert not bench.place.under("m001").shown


async def test_a_file_that_cannot_be_fetched_now_is_tried_again_later(bench: Bench) -> None:
    bench.model.enqueue()
    slow = file(bench.place, "slow.jpg", TransientError("The file cannot be fetched just now."))
    await bench.post(1, "What?", slow)
    await bench.postponed(1)
    file(bench.place, "slow.jpg", pictures.photo())
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert not reply.failed
    assert bench.model.pictures_sent() == [1]


async def test_a_file_that_never_comes_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.model.enqueue()
    never = file(bench.place, "never.jpg", TransientError("The file cannot be fetched just now."))
    await bench.post(1, "What?", never, bench.photo())
    await bench.postponed(1)
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert bench.model.pictures_sent() == [2]
    assert "picture 1 (never.jpg): not seen: The file cannot be fetched just now." in reply.receipts


async def test_a_picture_that_the_model_s_service_refuses_is_left_out_from_then_on(
    bench: Bench,
) -> None:
    bench.model.fail(PictureRefused("the model's service refused it", number=2))
    bench.model.enqueue("A cat.")
    bench.model.enqueue("Still a cat.")
    await bench.post(1, "What?", bench.photo("a.jpg"), bench.photo("b.jpg", 320, 200))

    reply = await bench.reply(1)
    await bench.post(2, "Sure?")
    await bench.reply(2)

    assert [bench.model.pictures_sent(call) for call in range(3)] == [[1, 2], [1], [1]]
    assert reply.receipts == ("picture 2 (b.jpg): not seen: the model's service refused it",)


async def test_when_nobody_says_which_picture_is_refused_the_new_ones_go(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo("a.jpg"))
    await bench.reply(1)
    bench.model.fail(PictureRefused("the model's service refused it"))
    await bench.post(2, "And this?", bench.photo("b.jpg", 320, 200))

    reply = await bench.reply(2)

    assert reply.failed
    assert reply.receipts == ("picture 2 (b.jpg): not seen: the model's service refused it",)
    assert bench.model.pictures_sent() == [1, 2]


async def test_a_failed_post_is_retried_without_asking_the_model_again(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.place.refuse = [RateLimited("Slow down.", retry_after=5)]
    await bench.post(1, "What?", bench.photo())
    await bench.postponed(1)
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert reply.footer[0] == "1,203 in · 42 out · $0.0034"
    assert len(bench.model.asked) == 1


async def test_a_reply_outlives_a_token_that_is_taken_away(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.place.refuse = [SetupError("The bot token was revoked.")]
    await bench.post(1, "What?", bench.photo())
    await bench.postponed(1)
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert reply.text == "A cat."
    assert len(bench.model.asked) == 1


async def test_a_reply_that_its_place_refuses_for_good_lets_the_thread_go_on(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.model.enqueue("It sleeps.")
    bench.place.refuse = [PermanentError("The channel is archived.")]
    await bench.post(1, "What?", bench.photo())
    await bench.post(2, "And?")

    reply = await bench.reply(2)

    assert reply.text == "It sleeps."
    assert bench.place.under("m001").reply is None


async def test_a_stalled_model_is_asked_again_and_the_first_call_is_possibly_charged(
    bench: Bench,
) -> None:
    bench.model.fail(Stalled("The model said nothing for 60 s."))
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo())
    await bench.postponed(1)
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert reply.footer[1].endswith("possibly charged")
    assert (await bench.store.thread_spent(THREAD)).possibly_charged == 1


async def test_after_three_failures_the_bot_apologises_and_goes_on(bench: Bench) -> None:
    for _ in range(3):
        bench.model.fail(Stalled("The model said nothing for 60 s."))
    bench.model.enqueue("Yes.")
    await bench.post(1, "What?", bench.photo())
    for _ in range(2):
        await bench.postponed(1)
        bench.clock.move(120)

    reply = await bench.reply(1)

    assert reply.failed
    assert reply.text == "The model said nothing for 60 s."
    await bench.post(2, "Are you there?")
    assert (await bench.reply(2)).text == "Yes."


async def test_an_outage_never_counts_as_the_question_s_failure(bench: Bench) -> None:
    for _ in range(5):
        bench.model.fail(Outage("The model's server is away."))
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo())
    for _ in range(5):
        await bench.postponed(1)
        bench.clock.move(90)

    assert (await bench.reply(1)).text == "A cat."


async def test_after_an_hour_of_outage_the_person_is_told(bench: Bench) -> None:
    bench.model.fail(Outage("The model's server is away."))
    bench.model.fail(Outage("The model's server is away."))
    await bench.post(1, "What?", bench.photo())
    await bench.postponed(1)
    bench.clock.move(OUTAGE_SECONDS + 1)

    reply = await bench.reply(1)

    assert (reply.failed, reply.text) == (True, "The model's server is away.")


async def test_patience_starts_when_a_question_is_taken_in_not_when_it_was_sent(
    bench: Bench,
) -> None:
    bench.model.fail(RateLimited("Slow down.", retry_after=1))
    bench.model.enqueue("A cat.")
    sent_at = bench.clock() - 2 * OUTAGE_SECONDS
    await bench.desk.accept(posted(1, "What?", bench.photo(), sent_at=sent_at))
    await bench.postponed(1)
    bench.clock.move(60)

    assert (await bench.reply(1)).text == "A cat."


async def test_a_question_stopped_while_it_waits_is_not_asked(bench: Bench) -> None:
    bench.model.fail(Outage("The model's server is away."))
    await bench.post(1, "What?", bench.photo())
    await bench.postponed(1)
    claim = bench.place.under("m001").claim
    assert claim is not None
    await bench.desk.press(claim.stop, Person("anna"))
    bench.clock.move(60)

    reply = await bench.reply(1)

    assert (reply.failed, reply.text) == (True, "Stopped.")
    assert [button.label for button in reply.buttons] == ["Try again"]
    assert len(bench.model.asked) == 1


async def test_a_permanent_error_is_answered_with_its_own_sentence(bench: Bench) -> None:
    bench.model.fail(PermanentError("The key is wrong: ask whoever installed me."))
    await bench.post(1, "What?", bench.photo())

    reply = await bench.reply(1)

    assert (reply.failed, reply.text) == (True, "The key is wrong: ask whoever installed me.")


async def test_a_fault_of_our_own_is_answered_with_a_sentence_too(bench: Bench) -> None:
    await bench.post(1, "What?", bench.photo())
    for _ in range(2):
        await bench.postponed(1)  # the fake model has nothing to say and breaks
        bench.clock.move(120)

    reply = await bench.reply(1)

    assert reply.failed
    assert "broke" in reply.text
    assert "IndexError" not in reply.text


async def test_a_question_that_kills_the_process_each_time_is_given_up(
    bench: Bench, clock: Clock
) -> None:
    await bench.post(1, "What?", bench.photo())
    for _ in range(3):
        assert await bench.store.claim(["fake"])  # … and the process dies
        clock.move(31)

    reply = await bench.reply(1)

    assert reply.failed
    assert bench.model.asked == []


async def test_a_linked_picture_of_any_size_fits_what_is_reserved(
    store: SqlStore, clock: Clock
) -> None:
    bench = Bench(store, clock, budget=Decimal("0.007"))
    bench.terms = replace(bench.terms, model="gpt-4o-mini")
    bench.restart()
    bench.desk.links = True
    await bench.post(1, "What is https://x.org/cat.png?")

    reply = await bench.reply(1)

    assert reply.failed
    assert "may cost up to $0.0073" in reply.text


async def test_a_spent_budget_refuses_before_the_model_is_asked(
    store: SqlStore, clock: Clock
) -> None:
    poor = Bench(store, clock, budget=Decimal("0.0001"))
    await poor.post(1, "What?", poor.photo())

    reply = await poor.reply(1)

    assert reply.failed
    assert reply.text.startswith("Your budget for today has $0.0001 left")
    assert poor.model.asked == []


async def test_what_an_answer_cost_is_taken_from_the_budget_and_the_rest_is_free_again(
    store: SqlStore, clock: Clock
) -> None:
    bench = Bench(store, clock, budget=Decimal("0.005"))
    bench.model.enqueue(cost=Decimal("0.0034"))
    bench.model.enqueue(cost=Decimal("0.0034"))
    await bench.post(1, "What?", bench.photo())
    await bench.reply(1)
    await bench.post(2, "And?")

    reply = await bench.reply(2)

    assert reply.failed
    assert "has $0.0016 left" in reply.text


async def test_a_question_deleted_while_it_is_answered_takes_its_draft_with_it(
    bench: Bench,
) -> None:
    hang = bench.model.hang()
    await bench.post(1, "What?", bench.photo())

    async with asyncio.timeout(10), bench.working():
        await hang.reached.wait()
        await bench.desk.retract(Scope("fake", "w1", "c1", message="m001"))
        await bench.place.under("m001").withdrawn.wait()

    assert bench.place.under("m001").reply is None
    assert (await bench.store.thread_spent(THREAD)).possibly_charged == 1


async def test_a_question_edited_while_it_is_answered_is_answered_anew(bench: Bench) -> None:
    hang = bench.model.hang()
    bench.model.enqueue("A dog.")
    photo = bench.photo()
    await bench.post(1, "What cat?", photo)
    async with asyncio.timeout(10), bench.working():
        await hang.reached.wait()
        edited = posted(1, "What dog?", photo, sent_at=bench.clock() + 0.001)
        await bench.desk.accept(replace(edited, edited_at=bench.clock() + 1))
        await bench.place.under("m001").left.wait()
    bench.restart()
    bench.clock.move(5)

    reply = await bench.reply(1)

    assert reply.text == "A dog."
    assert bench.model.asked[-1][0][-1].text == "What dog?"


async def test_a_stopped_answer_keeps_its_words_and_is_marked_as_a_guess(bench: Bench) -> None:
    hang = bench.model.hang()
    await bench.post(1, "What?", bench.photo())
    draft = bench.place.under("m001")

    async with asyncio.timeout(10), bench.working():
        await hang.reached.wait()
        assert draft.claim is not None
        assert await bench.desk.press(draft.claim.stop, Person("ben")) is not None
        assert await bench.desk.press(draft.claim.stop, Person("anna")) is None
        await draft.replied.wait()

    assert draft.reply is not None
    assert draft.reply.text == "I am …"
    assert draft.reply.footer[0].startswith("about ")
    assert draft.reply.footer[1].endswith("possibly charged")
    late = await bench.desk.press(draft.claim.stop, Person("anna"))
    assert isinstance(late, Card)
    assert late.title == "Too late"


async def test_try_again_answers_anew_into_the_same_reply(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.model.enqueue("A dog.")
    await bench.post(1, "What?", bench.photo())
    first = await bench.reply(1)
    draft = bench.place.under("m001")
    draft.replied.clear()

    assert await bench.desk.press(first.buttons[0].token, Person("anna")) is None
    second = await bench.reply(1)

    assert (first.text, second.text) == ("A cat.", "A dog.")
    assert draft.finishes == 2
    assert draft.claim is not None
    assert draft.claim.posts == ("post-m001",)
    assert second.footer[1].endswith("thread $0.0068")


async def test_an_apology_can_be_tried_again(bench: Bench) -> None:
    bench.model.fail(PermanentError("The key is wrong."))
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo())
    sorry = await bench.reply(1)
    bench.place.under("m001").replied.clear()

    await bench.desk.press(sorry.buttons[0].token, Person("anna"))

    assert (await bench.reply(1)).text == "A cat."


async def test_stopping_hands_the_question_back_untried(bench: Bench) -> None:
    hang = bench.model.hang()
    await bench.post(1, "What?", bench.photo())
    work = asyncio.create_task(bench.worker.run())
    async with asyncio.timeout(10):
        await hang.reached.wait()
        work.cancel()
        await asyncio.wait([work])

    claim = await bench.store.claim(["fake"])

    assert claim is not None
    assert (claim.message.id, claim.failures) == ("m001", 0)


async def test_another_thread_is_answered_while_one_hangs(bench: Bench) -> None:
    hang = bench.model.hang()
    bench.model.enqueue("A cat.")
    await bench.post(1, "What?", bench.photo("a.jpg"))
    async with asyncio.timeout(10), bench.working():
        await hang.reached.wait()
        await bench.post(2, "What?", bench.photo("b.jpg"), thread=replace(THREAD, root="t2"))
        await bench.place.under("m002").replied.wait()
        await bench.desk.retract(Scope("fake", "w1", "c1", message="m001"))
        await bench.place.under("m001").withdrawn.wait()


async def test_a_larger_detail_later_fetches_the_original_again(bench: Bench) -> None:
    bench.model.enqueue("A blur.")
    bench.model.enqueue("A cat.")
    photo = bench.photo("big.jpg", 2000, 1500)
    bench.terms = replace(bench.terms, detail="low")
    bench.restart()
    await bench.post(1, "What?", photo)
    await bench.reply(1)
    bench.terms = replace(bench.terms, detail="high")
    bench.restart()
    await bench.post(2, "Look closer?")

    await bench.reply(2)

    widths = [turns[0].pictures[0].image.width for turns, _ in bench.model.asked]  # type: ignore[union-attr]
    assert widths[0] <= 512
    assert widths[1] >= 1000
    assert bench.place.fetched == ["big.jpg", "big.jpg"]


async def test_where_the_original_is_gone_the_smaller_form_serves_and_that_is_said(
    bench: Bench,
) -> None:
    bench.model.enqueue("A blur.")
    bench.model.enqueue("Still a blur.")
    bench.model.enqueue("Still.")
    photo = bench.photo("big.jpg", 2000, 1500)
    bench.terms = replace(bench.terms, detail="low")
    bench.restart()
    await bench.post(1, "What?", photo)
    await bench.reply(1)
    file(bench.place, "big.jpg", PictureUnseen("the file was deleted"))
    bench.terms = replace(bench.terms, detail="high")
    bench.restart()
    await bench.post(2, "Look closer?")

    closer = await bench.reply(2)
    await bench.post(3, "Closer?")
    closest = await bench.reply(3)

    assert "the original is gone" in closer.receipts[0]
    assert closest.receipts == ()
    assert bench.model.pictures_sent() == [1]
    assert bench.place.fetched == ["big.jpg", "big.jpg"]


async def test_usage_of_every_answer_stands_in_the_ledger(bench: Bench) -> None:
    bench.model.enqueue(usage=Usage(1000, 10), cost=Decimal("0.5"))
    bench.model.enqueue(usage=Usage(2000, 20), cost=None)
    await bench.post(1, "What?", bench.photo())
    await bench.reply(1)
    await bench.post(2, "And?")
    await bench.reply(2)

    (row,) = await bench.store.usage()

    assert (row.spent.calls, row.spent.input_tokens, row.spent.output_tokens) == (2, 3000, 30)
    assert (row.spent.cost, row.spent.unpriced) == (Decimal("0.5"), 1)
