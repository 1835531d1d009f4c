"""What a reply looks like in Discord's posts."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import render
from bot.domain import Button, Reply

LINES = st.lists(st.text(max_size=400), max_size=12).map(tuple)


@given(st.text(max_size=5000), LINES, LINES)
def test_every_post_fits_and_shows_something(
    text: str, footer: tuple[str, ...], receipts: tuple[str, ...]
) -> None:
    posts = render.posts(Reply(text, footer=footer, receipts=receipts))

    assert posts
    assert all(0 < render.utf16(post) <= render.LIMIT for post in posts)
    assert all(render.legible(post) for post in posts)


@given(st.text(max_size=300))
def test_a_thread_name_always_fits(text: str) -> None:
    name = render.thread_name(text)

    assert 0 < render.utf16(name) <= 100
    assert render.legible(name)


@given(
    st.text("[]()!<> \nhtps:/x.", max_size=60)
    | st.sampled_from(["[a[b]](https://x", "[a\nb](http://x"])
)
def test_no_link_hides_where_it_leads(text: str) -> None:
    assert "](http" not in render.defused(text)
    assert "](<http" not in render.defused(text)


def test_what_is_no_link_is_left_as_it_is() -> None:
    for text in ("arr[0](1)", "[x] (y)", "see https://example.org/a_(b)", "a list:\n- [ ] open"):
        assert render.defused(text) == text


def test_a_link_shows_its_address() -> None:
    text = "[a [big] bank](https://evil.example) ![\n](https://evil.example/q)"

    shown = "[a [big] bank] (https://evil.example) ![\n] (https://evil.example/q)"
    assert render.defused(text) == shown


def test_small_print_stands_below_the_text_one_line_each() -> None:
    reply = Reply("A cat.", footer=("1 in · 1 out", "thread $0.01"), receipts=("a\nb.png: seen",))

    assert render.posts(reply) == ["A cat.\n-# 1 in · 1 out\n-# thread $0.01\n-# a b.png: seen"]


def test_a_beginning_keeps_its_posts_as_the_answer_grows() -> None:
    text = "One sentence of it. " * 400
    whole = render.chunks(text)
    half = render.chunks(text[: len(text) // 2])

    assert whole[: len(half) - 1] == half[:-1]


def test_buttons_stand_in_rows_of_five() -> None:
    rows = render.components([Button("x" * 100, str(n)) for n in range(30)])

    buttons = [row["components"] for row in rows]
    assert [len(row) for row in buttons if isinstance(row, list)] == [5, 5, 5, 5, 5]
