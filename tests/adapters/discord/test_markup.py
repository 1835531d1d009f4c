"""Markdown that Discord lacks, made legible: tables, footnotes, deep headings, and files for what is long."""

import csv
import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import markup, render
from adapters.discord.tables import WIDE, columns
from bot.domain import Reply

TABLE = """Here it is:

| Name | Count | Note |
|:-----|------:|------|
| Äpfel 🍎 | 12 | **red** and `x\\|y` |
| 漢字 | 3 |
| a | b | c | d |

After it."""
WORDS = st.text("abc |-:#*`\n[]^!()<>1\\", max_size=200)


def code_of(text: str) -> str:
    found = re.search(r"```\n(.*?)\n```", text, re.S)
    assert found
    return found[1]


def test_a_table_is_aligned_in_a_code_block_numbers_to_the_right() -> None:
    lines = code_of(markup.shown(TABLE)).splitlines()

    assert lines == [
        "Name      Count  Note",
        "────────  ─────  ───────────",
        "Äpfel 🍎     12  red and x|y",
        "漢字          3",
        "a             b  c | d",
    ]


def test_the_text_around_a_table_stays() -> None:
    shown = markup.shown(TABLE)

    assert shown.startswith("Here it is:\n\n```\n")
    assert shown.endswith("\n```\n\nAfter it.")


def test_a_table_too_wide_for_a_line_becomes_a_list_of_its_rows() -> None:
    wide = "word " * 20
    shown = markup.shown(f"| What | Why |\n|---|---|\n| sun | {wide}|\n| rain | |")

    assert shown == f"**sun**\n- Why: {wide.strip()}\n**rain**"


def test_nothing_in_a_table_ends_its_code_block() -> None:
    shown = markup.shown("| a |\n|---|\n| `` |\n| x` `` |")

    assert code_of(shown).splitlines()[2:] == ["''", "x' ''"]


@pytest.mark.parametrize(
    "text",
    [
        "a | b\nc | d",
        "| a | b |\n| c | d |",
        "| a | b |\n|---|",
        "```\n| a |\n|---|\n#### no\n[^1]\n```",
        "`[^1]` and `- [ ]` and `![a](https://x.y)`",
        "$$\\frac{1}{2}$$ and \\(x^2\\) and $a|b$",
        "### A heading\n- a list\n  - in a list\n> quoted",
    ],
)
def test_what_discord_shows_already_or_is_no_table_is_left_alone(text: str) -> None:
    assert markup.shown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("#### Deep", "**Deep**"),
        ("###### **Bold** ##", "**Bold**"),
        ("Title\n=====", "**Title**"),
        ("a\n\n---\n\nb", f"a\n\n{markup.RULE}\n\nb"),
        ("* * *", markup.RULE),
        ("- [ ] open\n- [x] done\n1. [X] too", "- ☐ open\n- ☑ done\n1. ☑ too"),
        ("seen[^1] and[^note]", "seen¹ and(note)"),
        ("[^12]: why", "¹² why"),
        ("![a cat](https://x.y/z.png 'title')", "[picture: a cat] https://x.y/z.png"),
        ("one<br/>two", "one\ntwo"),
    ],
)
def test_markdown_that_discord_lacks_is_said_in_what_it_has(text: str, shown: str) -> None:
    assert markup.shown(text) == shown


@given(WORDS)
def test_no_word_is_lost(text: str) -> None:
    kept = [each for each in markup.shown(text) if each in "abc"]

    # A line break in HTML is the one thing that is replaced; it needs an r, which no text here has.
    assert kept == [each for each in text if each in "abc"]


@given(WORDS)
def test_code_blocks_are_never_opened_or_left_open(text: str) -> None:
    fences = text.count("```")

    if not fences:
        assert markup.shown(text).count("```") % 2 == 0


@given(st.lists(st.lists(st.text("ab漢🍎é ", max_size=12), min_size=2, max_size=3), max_size=5))
def test_all_lines_of_an_aligned_table_fit_its_width(rows: list[list[str]]) -> None:
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    shown = markup.shown(f"| head | two |\n|---|---|\n{lines}")

    assert all(columns(line) <= WIDE for line in code_of(shown).splitlines())


def test_long_code_comes_as_a_file_that_the_text_names() -> None:
    code = "print(1)\n" * 300
    text, [file] = markup.with_files(f"Look:\n```python\n{code}```\nDone.")

    assert text == "Look:\n\n*300 lines of code, in the file* `code-1.py`\n\nDone."
    assert file.name == "code-1.py"
    assert file.data.decode() == code


def test_short_code_and_small_tables_stay_in_the_text() -> None:
    text = "```py\nprint(1)\n```\n\n" + TABLE

    assert markup.with_files(text) == (markup.shown(text), ())


def test_a_large_table_comes_as_a_spreadsheet_without_formulas() -> None:
    rows = "".join(f"| =SUM(A{n}) | {n} | -{n} |\n" for n in range(200))
    text, [file] = markup.with_files("| a | b | c |\n|---|---|---|\n" + rows.strip())

    assert text == "*A table of 200 rows, in the file* `table-1.csv`"
    held = list(csv.reader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert held[0] == ["a", "b", "c"]
    assert held[8] == ["'=SUM(A7)", "7", "-7"]


def test_code_whose_block_never_ends_stays_in_the_text() -> None:
    text = "```\n" + "x\n" * 2000

    assert markup.with_files(text) == (text, ())


def test_the_language_of_code_never_makes_a_strange_file_name() -> None:
    for language, ending in [("python", "py"), ("c++", "cpp"), ("exe", "txt"), ("../x", "txt")]:
        assert markup.ending(language) == ending


@given(st.text(max_size=6000), st.text(max_size=300))
def test_a_brief_answer_is_one_post_and_the_whole_of_it_a_file(text: str, head: str) -> None:
    reply = Reply(text, footer=("1 in · 2 out",), receipts=("x" * 400,) * 9)
    content, [file] = render.briefly(reply, head)

    assert 0 < render.utf16(content) <= 2000
    assert "-# 1 in · 2 out" in content
    assert file.data.decode() == text.encode(errors="replace").decode()


@given(st.text(max_size=300), st.integers(20, 100))
def test_what_is_cut_fits(text: str, most: int) -> None:
    assert render.utf16(render.cut(text, most)) <= most


def test_hostile_markdown_is_read_in_time() -> None:
    hostile = [
        "|" * 20_000,
        "`" * 20_000,
        "[^" * 10_000,
        "**" * 10_000,
        "| a |\n|---|\n" + "|" * 9000,
    ]
    hostile += ["![" * 10_000, "- [ " * 5_000, "``" + "` `" * 5_000, "<br" * 8_000, "#### " * 5_000]
    started = time.monotonic()
    for text in hostile:
        render.posts_with_files(Reply(text))

    assert time.monotonic() - started < 2
