"""How far each server was read: never past what is not stored."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.marks import Marks


def test_a_mark_waits_for_the_oldest_message_that_is_on_its_way() -> None:
    marks = Marks()
    for message in (5, 6, 7):
        marks.heard("s", message)
        marks.begin("s", message)
    marks.end("s", 6)

    assert marks.of("s") == 4
    marks.end("s", 5)
    assert marks.of("s") == 6
    marks.end("s", 7)
    assert marks.of("s") == 7


def test_a_mark_stays_where_it_is_until_everybody_has_read_what_was_missed() -> None:
    marks = Marks()
    marks.heard("s", 5)
    marks.freeze("s")
    marks.heard("s", 9)
    marks.freeze("s")
    marks.thaw("s")

    assert marks.of("s") == 5
    assert marks.news() == {}
    marks.thaw("s")
    assert marks.news() == {"s": 9}


def test_a_server_of_which_nothing_is_known_has_no_mark_until_it_is_told() -> None:
    marks = Marks()
    marks.freeze("s")
    marks.heard("s", 9)

    assert marks.of("s") is None
    marks.set("s", 4)
    assert marks.of("s") == 4


def test_a_mark_is_news_once() -> None:
    marks = Marks()
    marks.heard("s", 5)
    [(server, mark)] = marks.news().items()
    marks.noted(server, mark)

    assert marks.news() == {}
    marks.heard("s", 6)
    assert marks.news() == {"s": 6}


def test_no_server_waits_for_ever_to_be_noted() -> None:
    marks = Marks()
    for server in ("a", "b"):
        marks.heard(server, 5)
    marks.noted("a", 5)
    marks.heard("a", 6)

    assert list(marks.news()) == ["b", "a"]


@given(st.lists(st.integers(1, 50), min_size=1, unique=True), st.data())
def test_no_mark_passes_a_message_that_is_not_stored(ids: list[int], data: st.DataObject) -> None:
    marks = Marks()
    for message in ids:
        marks.heard("s", message)
        marks.begin("s", message)
    stored = data.draw(st.sets(st.sampled_from(ids)))
    for message in stored:
        marks.end("s", message)
    mark = marks.of("s")

    assert mark is not None
    assert all(message > mark for message in set(ids) - stored)
