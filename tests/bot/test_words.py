"""What is a question, what is a command, and what stands beside a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import words
from bot.terms import SETTINGS
from bot.words import MARKS, Spoken

NUMBERS = st.lists(st.integers(1, 9999), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("drop 2", Spoken("mark", mark="dropped", numbers=(2,))),
        (" Pin  1 3 ", Spoken("mark", mark="pinned", numbers=(1, 3))),
        ("low picture 2", Spoken("mark", mark="low", numbers=(2,))),
        ("high 1, 2 and 4", Spoken("mark", mark="high", numbers=(1, 2, 4))),
        ("keep 2", Spoken("mark", mark="", numbers=(2,))),
        ("restore all", Spoken("mark", mark="")),
        ("estimate", Spoken("estimate")),
        ("estimate detail:low", Spoken("estimate", options={"detail": "low"})),
        ("usage", Spoken("usage")),
        ("usage channel month", Spoken("usage", "channel month")),
        ("settings", Spoken("settings")),
        ("settings detail", Spoken("settings", "detail")),
        ("Settings Detail LOW", Spoken("settings", "Detail LOW")),
        (
            "settings thread instructions Be brief.\nBe kind.",
            Spoken("settings", "thread instructions Be brief.\nBe kind."),
        ),
        ("help", Spoken("help")),
        ("Forget", Spoken("forget")),
        ("new", Spoken("new")),
        ("`drop 2`", Spoken("mark", mark="dropped", numbers=(2,))),
        ("Drop 2.", Spoken("mark", mark="dropped", numbers=(2,))),
        ("low #1 and #3", Spoken("mark", mark="low", numbers=(1, 3))),
        ("Help!", Spoken("help")),
        ("`settings detail low`", Spoken("settings", "detail low")),
        (
            "settings thread instructions Name `x`.",
            Spoken("settings", "thread instructions Name `x`."),
        ),
    ],
)
def test_a_command_is_known_by_its_whole_text(text: str, spoken: Spoken) -> None:
    assert words.command(text, SETTINGS) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is this?",
        "drop",
        "drop 2?",
        "drop ##2",
        "> drop 2",
        "“drop 2”",
        "drop 0",
        "drop two",
        "drop and 2",
        "drop ٢",
        "Why did the needle drop 2 points?",
        "low light photo, what can I do",
        "high 2 low",
        "pin it",
        "estimate the height of this tower",
        "estimate?",
        "usage of this tool",
        "usage channel month please",
        "settings of this camera?",
        "settings model of this camera?",
        "settings instructions on page two?",
        "help me read this",
        "help detail:low",
        "forget it",
        "new car or old?",
        "new\n" * 100,
    ],
)
def test_no_question_is_taken_for_a_command(text: str) -> None:
    assert words.command(text, SETTINGS) is None


@given(st.text(max_size=300))
def test_any_text_that_names_no_command_first_is_a_question(text: str) -> None:
    first = (words.plain(words.bare(text)).lower().replace(",", " ").split() or [""])[0]
    named = {*MARKS, *words.ALONE, "usage", "settings"}

    assert first.rstrip(".!") in named or words.command(text, SETTINGS) is None


@given(st.sampled_from(sorted(MARKS)), NUMBERS, st.sampled_from([" ", ", ", " and ", ","]))
def test_every_way_to_list_pictures_marks_them(verb: str, numbers: list[int], between: str) -> None:
    spoken = words.command(f"{verb} {between.join(map(str, numbers))}", SETTINGS)

    assert spoken == Spoken("mark", mark=MARKS[verb], numbers=tuple(numbers))


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("What is it? detail:low", "What is it?", {"detail": "low"}),
        (
            "detail:low model:gpt-5.4-mini What is it?",
            "What is it?",
            {"detail": "low", "model": "gpt-5.4-mini"},
        ),
        ("Detail:high\nWhat is it?\n", "What is it?", {"detail": "high"}),
        ("What is it, detail:high.", "What is it,", {"detail": "high"}),
        ("detail:low", "", {"detail": "low"}),
        ("detail:huge", "", {"detail": "huge"}),
        ("detail:low what? detail:high", "what?", {"detail": "high"}),
        ("What does detail:high mean?", "What does detail:high mean?", {}),
        ("In detail: high or low?", "In detail: high or low?", {}),
        (" as it  was ", " as it  was ", {}),
    ],
)
def test_options_stand_at_either_end_of_a_question(
    text: str, question: str, options: dict[str, str]
) -> None:
    assert words.options(text) == (question, options)


@given(st.text(max_size=200).filter(lambda text: ":" not in text))
def test_a_text_without_options_stays_as_it_is(text: str) -> None:
    assert words.options(text) == (text, {})


@given(st.text(alphabet="ab \n?", max_size=50), st.sampled_from(["low", "high", "nonsense"]))
def test_the_model_never_reads_an_option(question: str, detail: str) -> None:
    for text in (f"detail:{detail} {question}", f"{question} detail:{detail}"):
        assert words.options(text) == (question.strip(), {"detail": detail})


def test_a_text_of_nothing_but_options_is_read_in_no_time() -> None:
    text, options = words.options("detail:low " * 10_000)

    assert options == {"detail": "low"}
    assert text.startswith("detail:low")
