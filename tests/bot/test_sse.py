"""Bytes → events → words."""

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Usage
from bot.model.sse import MAX_EVENT_BYTES, Events, Unreadable, counted, read

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


def split(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The stream in chunks, cut at these places."""
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(places)]


def received(chunks: Sequence[bytes]) -> list[str]:
    events = Events()
    found = [data for chunk in chunks for data in events.feed(chunk)]
    return found + events.close()


@given(
    st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5),
    LINE_ENDS,
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
)
def test_events_come_out_whole_wherever_the_stream_is_cut(
    events: list[list[str]], end: bytes, cuts: list[int], commented: bool
) -> None:
    stream = b""
    for lines in events:
        stream += (b": comment" + end) * commented
        stream += b"".join(b"data: " + line.encode() + end for line in lines) + end

    assert received(split(stream, cuts)) == ["\n".join(lines) for lines in events]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_break_the_splitter_and_no_cut_changes_what_it_finds(
    stream: bytes, cuts: list[int]
) -> None:
    assert received(split(stream, cuts)) == received([stream])


def feed_all(events: Events, chunk: bytes) -> None:
    """Feeds more than an event may hold."""
    for _ in range(MAX_EVENT_BYTES // len(chunk) + 2):
        events.feed(chunk)


def test_an_event_without_its_empty_line_is_still_read_at_the_end() -> None:
    assert received([b"data: one\n\ndata: two"]) == ["one", "two"]


def test_other_fields_and_a_byte_order_mark_are_not_words() -> None:
    stream = b"\xef\xbb\xbfdata:one\nevent: x\nid: 1\nretry: 5\n\nevent: ping\n\n"

    assert received([stream]) == ["one"]


def test_an_event_without_end_is_refused() -> None:
    events = Events()

    with pytest.raises(Unreadable):
        feed_all(events, b"x" * 65_536)


def test_many_small_lines_of_one_event_are_bounded_too() -> None:
    events = Events()

    with pytest.raises(Unreadable):
        feed_all(events, b"data: x\n" * 7_500)


def test_many_events_are_not() -> None:
    events = Events()
    found = sum(len(events.feed(b"data: x\n\n" * 7_500)) for _ in range(200))

    assert found == 200 * 7_500


def chunk(**delta: object) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"content": "a cat"}, "a cat"),
        ({"content": None}, ""),
        ({"role": "assistant"}, ""),
        ({"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}]}, "a cat"),
        ({"content": None, "refusal": "I will not."}, "I will not."),
        ({"content": "a", "tool_calls": [{"function": {"name": "rm", "arguments": "{}"}}]}, "a"),
        ({"content": {"text": "?"}}, ""),
        ({"content": 7}, ""),
    ],
)
def test_words_are_content_and_refusals_and_nothing_else(
    delta: dict[str, object], words: str
) -> None:
    assert read(chunk(**delta)).words == words


@pytest.mark.parametrize("data", ["", "{", "[]", "null", "7", '"words"', "[" * 100_000])
def test_what_is_no_object_is_unreadable(data: str) -> None:
    with pytest.raises(Unreadable):
        read(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda each: (
            st.lists(each, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "content", "usage", "error", "finish_reason"]),
                each,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_the_reader(value: object) -> None:
    data = json.dumps({"choices": [value], "usage": value})

    assert isinstance(read(data).words, str)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "filtered"),
        ("tool_calls", "stop"),
        ("eos", "stop"),
        ("error", "cut"),
        (None, None),
        ("", None),
        (7, None),
    ],
)
def test_reasons_to_finish_are_told_apart(reason: object, finish: str | None) -> None:
    data = json.dumps({"choices": [{"delta": {}, "finish_reason": reason}]})

    assert read(data).finish == finish


def test_an_error_inside_an_answer_is_heard() -> None:
    assert read('{"error": {"code": 502}}').fault == {"code": 502}
    assert read('{"error": "overloaded"}').fault == "overloaded"
    assert read('{"error": null, "choices": []}').fault is None


def test_usage_with_all_its_parts_is_counted() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }

    assert counted(usage) == Usage(100, 20, cached=60, cache_written=30, reasoning=5)


def test_null_details_and_parts_beyond_the_whole_are_put_right() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": None,
        "completion_tokens_details": {"reasoning_tokens": 500},
    }
    beyond = {**usage, "prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 90}}

    assert counted(usage) == Usage(100, 20, reasoning=20)
    assert counted(beyond) == Usage(100, 20, cached=90, cache_written=10, reasoning=20)


@pytest.mark.parametrize("bad", [None, -1, 1.5, float("nan"), True, "12", 10**12, [], {}])
def test_what_is_no_count_is_no_usage(bad: object) -> None:
    assert counted({"prompt_tokens": bad, "completion_tokens": 1}) is None
    assert counted({"prompt_tokens": 1, "completion_tokens": bad}) is None
    details = {"cached_tokens": bad}
    assert counted(
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": details}
    ) == Usage(5, 1)


@pytest.mark.parametrize(
    "bad", [None, [], "usage", 3, {}, {"prompt_tokens": 0, "completion_tokens": 0}]
)
def test_a_usage_that_says_nothing_is_none(bad: object) -> None:
    assert counted(bad) is None
