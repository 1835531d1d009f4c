"""Commands that are written in a thread: answered in its order, for nothing, and never told to the model."""

from dataclasses import replace

import pytest

from bot.domain import Card, Person, Reply, Scope
from bot.errors import Outage, PermanentError
from storage.store import SqlStore
from tests.bot.test_worker import Bench
from tests.clock import Clock
from tests.fakes import THREAD


@pytest.fixture
def bench(store: SqlStore, clock: Clock) -> Bench:
    return Bench(store, clock)


async def answered(bench: Bench, number: int, text: str = "What is this?") -> Reply:
    """A question with a picture of its own, and its answer."""
    bench.model.enqueue(f"Answer {number}.")
    await bench.post(number, text, bench.photo(f"photo-{number}.jpg"))
    return await bench.reply(number)


async def told(bench: Bench, number: int, text: str) -> Reply:
    """The answer to a command."""
    asked = len(bench.model.asked)
    await bench.post(number, text)
    reply = await bench.reply(number)
    assert len(bench.model.asked) == asked
    return reply


async def test_a_dropped_picture_is_not_sent_any_more(bench: Bench) -> None:
    await answered(bench, 1)
    await answered(bench, 2)

    reply = await told(bench, 3, "drop 1")
    bench.model.enqueue()
    await bench.post(4, "And now?")
    await bench.reply(4)

    assert reply.text == "Picture 1 is not sent any more from the next question on."
    assert (reply.footer, reply.failed) == ((), False)
    assert bench.model.pictures_sent() == [2]


async def test_a_thread_goes_on_without_the_pictures_that_were_dropped(bench: Bench) -> None:
    await answered(bench, 1)
    await told(bench, 2, "drop 1")
    bench.model.enqueue("It was a cat.")
    await bench.post(3, "What was it?")

    reply = await bench.reply(3)

    assert (reply.text, reply.failed) == ("It was a cat.", False)
    assert bench.model.pictures_sent() == []


async def test_where_all_pictures_were_dropped_before_any_answer_the_mend_is_named(
    bench: Bench,
) -> None:
    bench.model.fail(PermanentError("The key is wrong."))
    await bench.post(1, "What is this?", bench.photo())
    await bench.reply(1)
    await told(bench, 2, "drop 1")
    await bench.post(3, "What is it?")

    reply = await bench.reply(3)

    assert reply.failed
    assert "write `keep 1` to me" in reply.text


async def test_no_command_and_nothing_said_to_it_is_told_to_the_model(bench: Bench) -> None:
    await answered(bench, 1)
    await told(bench, 2, "pin 1")
    await told(bench, 3, "help")
    bench.model.enqueue()
    await bench.post(4, "And now?")
    await bench.reply(4)

    turns, _ = bench.model.asked[-1]

    assert [turn.text for turn in turns] == ["What is this?", "Answer 1.", "And now?"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("low 1", "Picture 1 is sent at low detail from the next question on."),
        ("high all", "Pictures 1 and 2 are sent at high detail from the next question on."),
        ("keep 1 2", "Pictures 1 and 2 are sent as before from the next question on."),
        ("pin 7", "This thread has no picture 7; its pictures are 1 and 2."),
        (
            "drop 2 and 9",
            "Picture 2 is not sent any more from the next question on. "
            "This thread has no picture 9; its pictures are 1 and 2.",
        ),
    ],
)
async def test_a_mark_says_what_it_does(bench: Bench, text: str, words: str) -> None:
    await answered(bench, 1)
    await answered(bench, 2)

    assert (await told(bench, 3, text)).text == words


async def test_where_no_picture_is_there_is_nothing_to_mark(bench: Bench) -> None:
    assert (await told(bench, 1, "drop 1")).text == "There is no picture in this thread yet."


async def test_commands_and_questions_are_answered_in_their_order(bench: Bench) -> None:
    bench.model.enqueue("A cat.")
    bench.model.enqueue("None.")
    await bench.post(1, "What is this?", bench.photo())
    await bench.post(3, "And now?")
    await bench.post(2, "drop 1")

    await bench.reply(3)

    assert bench.place.under("m002").reply is not None
    assert [bench.model.pictures_sent(call) for call in (0, 1)] == [[1], []]


async def test_an_estimate_in_a_thread_tells_what_the_thread_adds(bench: Bench) -> None:
    await answered(bench, 1)

    reply = await told(bench, 2, "estimate detail:low")

    assert reply.text.startswith("**Estimate for gpt-4o, detail low**")
    assert "this thread with picture 1" in reply.text


async def test_an_estimate_in_a_thread_that_was_there_before_the_bot_counts_its_pictures(
    bench: Bench,
) -> None:
    before_the_bot(bench)

    reply = await told(bench, 2, "estimate")

    assert "`old.jpg` 640×480" in reply.text
    assert "(pictures 425 · this thread" in reply.text


async def test_a_picture_is_marked_before_anybody_has_looked_at_it(bench: Bench) -> None:
    before_the_bot(bench)

    reply = await told(bench, 2, "drop 1")
    bench.model.enqueue()
    await bench.post(3, "What is this?", bench.photo("new.jpg"))
    await bench.reply(3)

    assert reply.text == "Picture 1 is not sent any more from the next question on."
    assert bench.model.pictures_sent() == [2]


async def test_what_a_thread_held_is_read_for_no_command_that_is_not_about_it(
    bench: Bench,
) -> None:
    before_the_bot(bench)

    await told(bench, 2, "help")

    assert await bench.store.conversation(THREAD) == []


async def test_nothing_is_drawn_for_an_estimate_in_a_thread(bench: Bench) -> None:
    photo = replace(bench.photo(), width=640, height=480)
    await bench.post(1, "estimate", photo)

    assert "640×480" in (await bench.reply(1)).text
    assert bench.place.fetched == []


def before_the_bot(bench: Bench) -> None:
    """Somebody posted a picture in the thread before the bot was called into it."""
    photo = replace(bench.photo("old.jpg"), width=640, height=480)
    bench.place.before = [replace(bench.message(1, "Look", photo), author="ben", addressed=False)]


async def test_usage_in_a_thread_is_the_thread_s(bench: Bench) -> None:
    await answered(bench, 1)

    reply = await told(bench, 2, "usage")

    assert reply.text == "**Usage: this thread**\n\n1 call · 1,203 in · 42 out · $0.0034"


async def test_a_setting_of_a_thread_holds_for_its_next_question(bench: Bench) -> None:
    await answered(bench, 1)
    await told(bench, 2, "settings detail low")
    bench.model.enqueue()
    await bench.post(3, "And now?")
    await bench.reply(3)

    assert [ask.detail for _, ask in bench.model.asked] == ["high", "low"]


async def test_a_picture_beside_a_command_makes_it_a_question(bench: Bench) -> None:
    bench.model.enqueue("A list.")
    await bench.post(1, "help", bench.photo())

    assert (await bench.reply(1)).text == "A list."


async def test_a_command_that_becomes_a_question_by_an_edit_is_answered_as_one(
    bench: Bench,
) -> None:
    await answered(bench, 1)
    await told(bench, 2, "help")
    bench.place.under("m002").replied.clear()
    bench.model.enqueue("It sleeps.")
    message = bench.place.under("m002").claim
    assert message is not None
    edited = replace(
        message.message, text="What does it do?", kind="question", edited_at=bench.clock()
    )
    await bench.desk.accept(edited)
    bench.clock.move(5)

    assert (await bench.reply(2)).text == "It sleeps."


async def test_a_command_waits_for_a_database_that_is_away(bench: Bench) -> None:
    await answered(bench, 1)
    mark = bench.store.mark
    tries = 0

    async def away(*marked: object) -> object:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Outage("The database is away.")
        return await mark(*marked)  # type: ignore[arg-type]

    bench.store.mark = away  # type: ignore[method-assign, assignment]
    await bench.post(2, "drop 1")
    await bench.postponed(2)
    bench.clock.move(60)

    assert (await bench.reply(2)).text.startswith("Picture 1 is not sent")


async def test_forget_in_a_thread_asks_first_and_then_erases_what_its_author_asked(
    bench: Bench,
) -> None:
    await answered(bench, 1)
    reply = await told(bench, 2, "forget")
    (button,) = reply.buttons

    stranger = await bench.desk.press(button.token, Person("ben"))
    done = await bench.desk.press(button.token, Person("anna"))

    assert button.style == "danger"
    assert isinstance(stranger, Card)
    assert stranger.title == "Not yours"
    assert isinstance(done, Card)
    assert {post.id for post in done.erased} == {"post-m001", "post-m002"}
    assert await bench.store.conversation(THREAD) == []


async def test_an_administrator_may_erase_a_whole_thread(bench: Bench) -> None:
    bench.place.administrators.add("anna")
    await answered(bench, 1)
    bench.model.enqueue()
    ben = replace(bench.message(2, "And this?", bench.photo("ben.jpg")), author="ben")
    await bench.desk.accept(ben)
    await bench.reply(2)
    reply = await told(bench, 3, "forget")
    own, whole = reply.buttons
    bench.place.administrators.clear()

    refused = await bench.desk.press(whole.token, Person("anna"))
    bench.place.administrators.add("chief")
    done = await bench.desk.press(whole.token, Person("chief"))

    assert own.label == "Erase what I asked"
    assert isinstance(refused, Card)
    assert refused.title == "Not yours"
    assert isinstance(done, Card)
    assert {post.id for post in done.erased} == {"post-m001", "post-m002", "post-m003"}


async def test_new_in_a_thread_says_how_to_start_afresh(bench: Bench) -> None:
    assert "Every question outside of a thread" in (await told(bench, 1, "new")).text


async def test_a_command_that_is_deleted_while_it_waits_is_not_done(bench: Bench) -> None:
    await answered(bench, 1)
    await bench.post(2, "drop 1")
    await bench.desk.retract(Scope("fake", "w1", "c1", message="m002"))
    bench.model.enqueue()
    await bench.post(3, "And now?")

    await bench.reply(3)

    assert bench.model.pictures_sent() == [1]
    assert bench.place.under("m002").reply is None


async def test_a_command_costs_nothing(bench: Bench) -> None:
    await told(bench, 1, "settings")

    assert await bench.store.usage() == []
    assert (await bench.store.thread_spent(THREAD)).calls == 0
