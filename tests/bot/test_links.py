"""Addresses of pictures in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.links import MAX_LINKS, links_in


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://x.org/a.png.", ["https://x.org/a.png"]),
        ("(http://y.com/b/c.JPG?x=1&y=2), and", ["http://y.com/b/c.JPG?x=1&y=2"]),
        ("[a](https://q.com/w.webp)", ["https://q.com/w.webp"]),
        ("https://en.org/File_(a).png", ["https://en.org/File_(a).png"]),
        ("https://h.com/p.jpeg#part", ["https://h.com/p.jpeg"]),
        ("https://h.com/a.gif https://h.com/a.gif", ["https://h.com/a.gif"]),
        ("https://z.org/a.png.html", []),
        ("https://h.com/a?f=b.png", []),
        ("https://name:secret@h.com/a.png", []),
        ("https://[::1/x.png", []),
        ("ftp://h.com/a.png file:///etc/a.png", []),
        ("a.png", []),
    ],
)
def test_only_addresses_whose_path_ends_like_a_picture_are_taken(
    text: str, addresses: list[str]
) -> None:
    assert [link.url for link in links_in(text)] == addresses


def test_a_link_is_named_by_its_file_and_marked_as_never_to_be_fetched() -> None:
    (link,) = links_in("https://x.org/some/cat.png?size=large")

    assert (link.name, link.linked) == ("cat.png", True)


def test_a_text_full_of_links_yields_no_more_than_a_message_holds_pictures() -> None:
    text = " ".join(f"https://x.org/{number}.png" for number in range(100))

    assert len(links_in(text)) == MAX_LINKS


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for link in links_in(f"https://{text}.png {text} http://{text}"):
        assert link.url.startswith(("http://", "https://"))
