"""Splitting Markdown: nothing visible is lost, code blocks stay code, characters stay whole."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text import split

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="`"), max_size=600)
CODE = st.text(st.sampled_from("ab \n(){}=#"), max_size=500).map(lambda code: f"```py\n{code}\n```")
MARKDOWN = st.lists(st.one_of(WORDS, CODE), max_size=6).map("\n\n".join)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def visible(text: str) -> str:
    """What a reader sees, but for white space and the lines that open and close code."""
    return re.sub(r"\s", "", re.sub(r"```(py\n)?", "", text))


@given(WORDS, st.integers(100, 300))
def test_no_visible_character_is_lost_or_invented(text: str, limit: int) -> None:
    pieces = split(text, limit)

    assert visible("".join(pieces)) == visible(text)


@given(MARKDOWN, st.integers(100, 300))
def test_every_piece_fits_and_holds_something(text: str, limit: int) -> None:
    pieces = split(text, limit, measure=utf16)

    assert all(0 < utf16(piece) <= limit and piece.strip() for piece in pieces)


@given(MARKDOWN, st.integers(100, 300))
def test_code_stays_code_and_words_stay_words(text: str, limit: int) -> None:
    pieces = split(text, limit)

    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    assert code("".join(f"{piece}\n" for piece in pieces)) == code(text)
    assert visible("\n".join(pieces)) == visible(text)


def code(text: str) -> str:
    blocks = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    return re.sub(r"\s", "", "".join(blocks))


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert split("One.\n\nTwo, with `code`.", 100) == ["One.\n\nTwo, with `code`."]


def test_nothing_gives_no_piece() -> None:
    assert split("", 100) == []
    assert split(" \n\n ", 100) == []


def test_paragraphs_are_preferred_to_lines_and_lines_to_words() -> None:
    paragraph, line = "p " * 35 + "end.", "l " * 20 + "end."

    assert split(f"{paragraph}\n\n{line}\n{line}", 110) == [paragraph, f"{line}\n{line}"]
    assert split(f"{line}\n{line}\n{line}", 100) == [f"{line}\n{line}", line]
    assert split("word " * 30, 100)[0].endswith("word")


def test_an_address_is_not_cut_when_there_is_a_word_end_before_it() -> None:
    address = "https://example.org/" + "x" * 75

    assert split(f"See this: {address} and so on.", 100)[1].startswith(address)


def test_a_block_that_is_too_long_is_closed_and_opened_again_in_its_language() -> None:
    lines = [f"print({number})" for number in range(30)]

    pieces = split("Look:\n```py\n" + "\n".join(lines) + "\n```\nDone.", 120)

    assert all(piece.startswith("```py\nprint(") for piece in pieces[1:-1])
    assert all(piece.endswith(")\n```") for piece in pieces[:-1] if "print" in piece)
    assert [line for piece in pieces for line in piece.split("\n") if "print" in line] == lines


def test_a_block_that_fits_by_itself_is_not_cut() -> None:
    block = "```\n" + "x = 1\n" * 12 + "```"

    assert split("word " * 10 + "\n" + block, 100)[1] == block


def test_indentation_survives_a_cut_in_code() -> None:
    text = "```py\n" + "    indented = True\n" * 20 + "```"

    for piece in split(text, 120):
        assert set(piece.split("\n")[1:-1]) == {"    indented = True"}


def test_a_block_that_is_never_closed_is_closed_at_the_end() -> None:
    assert split("```sh\nls", 100) == ["```sh\nls\n```"]


@pytest.mark.parametrize(
    "character",
    ["👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u0301", "❤️", "1️⃣"],
    ids=["family", "flag", "skin tone", "accent", "selector", "keycap"],
)
@pytest.mark.parametrize("shift", range(4))
def test_a_character_made_of_several_is_never_cut(character: str, shift: int) -> None:
    pieces = split("x" * shift + character * 120, 100, measure=utf16)

    assert len(pieces) > 1
    assert all(not piece.lstrip("x").replace(character, "") for piece in pieces)


def test_a_pile_of_accents_larger_than_a_piece_still_comes_through() -> None:
    text = "a" + "\u0301" * 1000

    assert "".join(split(text, 100)) == text


def test_a_wall_of_backticks_is_no_code() -> None:
    assert "".join(split("`" * 1000, 100)) == "`" * 1000


def test_a_huge_text_is_split_in_no_time() -> None:
    started = time.perf_counter()

    pieces = split("lorem ipsum " * 40_000, 1900, measure=utf16)

    assert len(pieces) > 250
    assert time.perf_counter() - started < 5


def test_a_limit_with_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="100"):
        split("text", 10)
