"""What holds for an answer, what stands under it, and what its buttons do."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import Button, Card, Person, Reply, Usage
from bot.presets import PRESETS
from storage.store import SqlStore
from tests.bot.test_worker import Bench
from tests.clock import Clock
from tests.fakes import THREAD


@pytest.fixture
def bench(store: SqlStore, clock: Clock) -> Bench:
    return Bench(store, clock)


async def answered(bench: Bench, text: str = "What is this?") -> Reply:
    """A question about a photo, and its answer."""
    bench.model.enqueue("A cat.")
    await bench.post(1, text, bench.photo("photo.jpg", 2000, 1500))
    return await bench.reply(1)


def button(reply: Reply, label: str) -> Button:
    """The button whose label begins like this."""
    (found,) = [each for each in reply.buttons if each.label.startswith(label)]
    return found


async def test_options_hold_for_one_question_and_are_not_told_to_the_model(bench: Bench) -> None:
    await answered(bench, "What is this? detail:low model:gpt-4o-mini")
    bench.model.enqueue()
    await bench.post(2, "And now?")
    await bench.reply(2)

    (_, first), (turns, second) = bench.model.asked

    assert (first.detail, first.model) == ("low", "gpt-4o-mini")
    assert (second.detail, second.model) == ("high", "gpt-4o")
    assert turns[0].text == "What is this?"


async def test_an_option_that_does_not_do_is_named_under_the_answer(bench: Bench) -> None:
    reply = await answered(bench, "detail:huge What is this?")

    assert "detail:huge was not taken: it should be low, high, auto or original" in reply.receipts
    assert bench.model.asked[0][1].detail == "high"


async def test_what_a_form_chose_goes_before_words(bench: Bench) -> None:
    bench.model.enqueue()
    message = bench.message(1, "What? detail:low", bench.photo())
    await bench.desk.accept(replace(message, options={"detail": "auto"}))
    await bench.reply(1)

    assert bench.model.asked[0][1].detail == "auto"


async def test_a_model_that_no_budget_holds_cannot_be_named_in_a_question(bench: Bench) -> None:
    reply = await answered(bench, "What? model:somebody-s-model")

    assert bench.model.asked[0][1].model == "gpt-4o"
    assert any("its price is unknown" in line for line in reply.receipts)


async def test_a_model_of_unknown_price_is_said_once_where_budgets_are_set(bench: Bench) -> None:
    await bench.store.choose(THREAD, "channel", "model", "somebody-s-model")
    first = await answered(bench)
    bench.model.enqueue()
    await bench.post(2, "And now?")
    second = await bench.reply(2)

    line = "somebody-s-model: its price is unknown, so no budget could hold it"
    assert line in first.receipts
    assert line not in second.receipts


async def test_a_preset_s_instructions_detail_and_warning_come_with_each_answer(
    bench: Bench,
) -> None:
    await bench.store.choose(THREAD, "channel", "preset", "medical")
    first = await answered(bench)
    bench.model.enqueue()
    await bench.post(2, "And now?")
    second = await bench.reply(2)

    medical = PRESETS["medical"]
    _, ask = bench.model.asked[0]
    assert ask.instructions == f"Be brief.\n\n{medical.prompt}"
    assert medical.warning in first.receipts
    assert medical.warning in second.receipts


async def test_a_good_answer_offers_another_try_and_a_vote(bench: Bench) -> None:
    reply = await answered(bench)

    assert [each.label for each in reply.buttons] == ["Try again", "👍", "👎"]


async def test_where_only_an_interaction_answers_a_form_asks_on(bench: Bench) -> None:
    bench.model.enqueue()
    message = bench.message(1, "What?", bench.photo())
    await bench.desk.accept(replace(message, options={"interaction": "1/token/2"}))
    reply = await bench.reply(1)

    proposal = await bench.desk.press(button(reply, "Ask more").token, Person("ben"))

    assert not isinstance(proposal, Card)
    assert proposal is not None
    assert (proposal.place, proposal.author, proposal.text) == (THREAD, "ben", "")


async def test_anybody_votes_once_and_may_change_their_mind(bench: Bench) -> None:
    reply = await answered(bench)
    up, down = button(reply, "👍").token, button(reply, "👎").token

    for token, person in ((up, "anna"), (up, "ben"), (down, "ben"), (down, "ben")):
        card = await bench.desk.press(token, Person(person))
        assert isinstance(card, Card)
        assert card.title == "Thank you"

    (row,) = await bench.store.usage()
    assert (row.spent.up, row.spent.down) == (1, 1)


async def test_a_closer_look_asks_the_same_at_high_detail(bench: Bench) -> None:
    first = await answered(bench, "What is this? detail:low")
    closer = button(first, "Look closer")
    bench.model.enqueue("A grey cat.")
    bench.place.under("m001").replied.clear()

    assert await bench.desk.press(closer.token, Person("anna")) is None
    second = await bench.reply(1)

    assert closer.label.startswith("Look closer (+$0.00")
    assert second.text == "A grey cat."
    assert [ask.detail for _, ask in bench.model.asked] == ["low", "high"]
    assert not any(each.label.startswith("Look closer") for each in second.buttons)


async def test_only_the_asker_or_an_administrator_asks_anew(bench: Bench) -> None:
    reply = await answered(bench)
    again = button(reply, "Try again").token

    stranger = await bench.desk.press(again, Person("ben"))
    bench.place.administrators.add("chief")
    chief = await bench.desk.press(again, Person("chief"))

    assert isinstance(stranger, Card)
    assert stranger.title == "Not yours"
    assert chief is None


async def test_earlier_pictures_that_cost_most_can_be_lowered_by_button(bench: Bench) -> None:
    await answered(bench)
    bench.model.enqueue(usage=Usage(900, 5), cost=Decimal("0.0023"))
    await bench.post(2, "And now?")
    dear = await bench.reply(2)
    low = button(dear, "Older pictures → low (−$")

    card = await bench.desk.press(low.token, Person("anna"))
    bench.model.enqueue()
    await bench.post(3, "And now?")
    cheap = await bench.reply(3)

    assert isinstance(card, Card)
    assert card.title == "Done"
    assert bench.model.asked[-1][0][0].pictures[0].mark == "low"
    assert button(dear, "Drop picture 1").label.endswith("per question)")
    assert not any(each.label.startswith("Older pictures") for each in cheap.buttons)


async def test_a_refused_question_is_let_pass_once_by_an_administrator(
    store: SqlStore, clock: Clock
) -> None:
    bench = Bench(store, clock, budget=Decimal("0.0001"))
    bench.place.administrators.add("chief")
    photo = bench.photo()
    await bench.post(1, "What?", photo)
    refusal = await bench.reply(1)
    bench.place.under("m001").replied.clear()
    bench.model.enqueue("A cat.")
    allow = button(refusal, "Allow this once")

    asker = await bench.desk.press(allow.token, Person("anna"))
    assert await bench.desk.press(allow.token, Person("chief")) is None
    answer = await bench.reply(1)
    await bench.post(2, "And now?")
    next_refusal = await bench.reply(2)

    assert isinstance(asker, Card)
    assert asker.text.startswith("Only an administrator can allow a question past its budget")
    assert (answer.text, answer.failed) == ("A cat.", False)
    assert next_refusal.failed


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("budget_person_day", "Your"),
        ("budget_person_month", "Your"),
        ("budget_channel_day", "This channel's"),
        ("budget_channel_month", "This channel's"),
        ("budget_workspace_day", "The workspace's"),
        ("budget_workspace_month", "The workspace's"),
    ],
)
async def test_each_of_six_budgets_can_stand_in_the_way(
    bench: Bench, name: str, whose: str
) -> None:
    await bench.store.choose(THREAD, "workspace", name, "0.00001")

    reply = await answered(bench)

    assert reply.failed
    assert reply.text.startswith(f"{whose} budget")
    assert bench.model.asked == []


async def test_one_question_has_a_limit_of_its_own(bench: Bench) -> None:
    await bench.store.choose(THREAD, "channel", "question", "0.0001")

    reply = await answered(bench)

    assert reply.text.startswith("This question may cost up to $")
    assert bench.model.asked == []
    bench.place.administrators.add("chief")
    bench.place.under("m001").replied.clear()
    assert await bench.desk.press(button(reply, "Allow").token, Person("chief")) is None
    assert (await bench.reply(1)).text == "A cat."


async def test_a_refusal_names_the_administrators(store: SqlStore, clock: Clock) -> None:
    bench = Bench(store, clock, budget=Decimal("0.0001"))
    bench.lists = replace(bench.lists, administrators=("U1",))
    bench.restart()
    await bench.post(1, "What?", bench.photo())

    assert "ask an administrator (U1)" in (await bench.reply(1)).text
