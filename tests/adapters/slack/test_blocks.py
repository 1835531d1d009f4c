"""Replies and cards within Slack's limits, whatever they hold."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.slack.blocks import (
    MARKDOWN_LIMIT,
    asker,
    card,
    compose,
    grouped,
    marked,
    partial,
    question,
)
from adapters.slack.modals import Spot, asking, estimating
from bot.domain import Attachment, Button, Card, Reply
from tests.servers import slack_rules as rules

QUESTION = "1515449522.000016"
words = st.text(alphabet="ab <@!#&>\n`\U0001f600", max_size=60)
texts = st.builds(lambda piece, times: piece * times, words, st.integers(1, 700))
lines = st.lists(
    st.builds(lambda piece, times: piece * times, words, st.integers(1, 60)), max_size=9
)


def message(part: object) -> rules.Json:
    """A part as it goes to Slack."""
    return {"text": part.fallback, "blocks": part.blocks}  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(texts, lines, lines, st.booleans())
@example("word " * 9000, ["<@" * 1500], ["x" * 150] * 60, False)
@example("&" * 9000, [], ["<!" * 2000] * 9, True)
@example("", [], [], False)
def test_every_message_of_a_reply_is_one_that_slack_takes(
    text: str, footer: list[str], receipts: list[str], plain: bool
) -> None:
    reply = Reply(text, tuple(footer), tuple(receipts), buttons=(Button("Again" * 20, "t"),))

    parts = compose(reply, QUESTION, plain=plain)

    for number, part in enumerate(parts):
        rules.check_message(message(part), update=True)
        assert rules.called(message(part)) == []
        assert marked(rules.stored(message(part))) == (QUESTION, number)
    said = "".join(part.body for part in parts).replace("\u200b", "")
    assert [c for c in said if c not in " \n`"] == [c for c in text if c not in " \n`"]


@settings(max_examples=30, deadline=None)
@given(texts, texts)
def test_every_card_is_one_that_slack_takes(title: str, text: str) -> None:
    shown = card(Card(title, text))

    rules.check_message(shown, update=True)
    assert rules.called(shown) == []


def test_a_growing_answer_is_marked_as_the_first_part() -> None:
    for body in ("", "A red", "x" * MARKDOWN_LIMIT):
        part = partial(body, QUESTION)

        rules.check_message(message(part), update=True)
        assert marked(rules.stored(message(part))) == (QUESTION, 0)


def test_small_print_loses_no_line() -> None:
    many = [f"line {number}" for number in range(500)]

    assert [line for group in grouped(many) for line in group] == many


@settings(max_examples=40, deadline=None)
@given(texts, st.lists(texts, max_size=30))
def test_every_question_in_a_person_s_name_is_one_that_slack_takes(
    text: str, names: list[str]
) -> None:
    files = [Attachment(f"F{n}", name, "image/png") for n, name in enumerate(names)]

    shown = message(question("U0ANN", text, files, "n0nce"))

    rules.check_message(shown, update=True)
    assert set(rules.called(shown)) <= {"<@U0ANN>"}
    assert asker(rules.stored(shown)) == "U0ANN"


@settings(max_examples=30, deadline=None)
@given(texts, texts, st.integers(0, 40), st.integers(0, 40))
def test_every_form_is_one_that_slack_opens(url: str, root: str, files: int, length: int) -> None:
    spot = Spot("C0HALL", "U0ANN", root[:30], url[:500])
    attached = [Attachment("F" * length, "a.png")] * files

    for view in (estimating(spot), asking(spot, "1.5", attached, "t" * 30)):
        rules.check_view(view)
        assert len(view["private_metadata"]) <= 3000
