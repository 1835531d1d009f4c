"""Buckets of calls, with a clock that the test moves."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.pace import Gates, Pace
from tests.clock import Clock


@given(st.lists(st.floats(0, 30), max_size=80))
def test_no_minute_sees_more_calls_than_burst_and_refill(pauses: list[float]) -> None:
    clock = Clock()
    pace = Pace(10 / 60, 10, clock=clock)
    taken = []
    for pause in pauses:
        clock.move(pause)
        while pace.take():
            taken.append(clock.now)

    assert all(sum(begin <= at <= begin + 60 for at in taken) <= 21 for begin in taken)


def test_who_queues_is_given_one_time_after_the_other() -> None:
    pace = Pace(1.0, 3, clock=Clock())

    assert [pace.book() for _ in range(5)] == [0, 0, 0, 1, 2]
    assert not pace.take()


def test_a_booking_that_is_given_back_is_free_again() -> None:
    pace = Pace(1.0, clock=Clock())

    assert pace.book() == 0
    assert pace.book() == 1
    pace.cancel()

    assert pace.book() == 1


def test_nobody_calls_while_slack_says_so() -> None:
    clock = Clock()
    pace = Pace(1.0, 5, clock=clock)

    pace.hold(30)
    assert not pace.take()
    clock.move(29)
    assert not pace.take()
    clock.move(1.1)

    assert pace.take()
    assert not pace.idle()


def test_a_method_is_left_alone_for_as_long_as_slack_ever_said() -> None:
    clock = Clock()
    gates = Gates(clock=clock)

    gates.close("chat.update", 60)
    gates.close("chat.update", 1)

    assert gates.left("chat.update") == 60
    assert gates.left("chat.delete") == 0
    clock.move(61)
    assert gates.left("chat.update") == 0
