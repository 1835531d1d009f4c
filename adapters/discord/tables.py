"""Markdown's tables, which Discord does not draw → aligned columns, or a list of the rows. Pure."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDE = 64  # columns of a fixed-width line that a window beside a list of channels still shows whole
DELIMITER = re.compile(r"^\s{0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
PIPE = re.compile(r"(?<!\\)\|")
EMPHASIS = re.compile(r"(\*\*|__|~~|`|\|\|)(?=\S)(.+?)(?<=\S)\1")
LINK = re.compile(r"!?\[([^\[\]]*)\]\(\s*<?([^\s()<>]+)>?[^()]*\)")
BREAK = re.compile(r"<br\s*/?>", re.I)


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table as plain text; every row has as many as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    """The columns that are aligned to the right, such as numbers."""

    def shown(self) -> str:
        """Aligned columns where they fit, else each row as a list of its cells."""
        return self.aligned() if self.width <= WIDE else self.listed()

    @property
    def width(self) -> int:
        """Columns of a fixed-width line that the aligned table takes."""
        return sum(self.widths) + 2 * (len(self.head) - 1)

    @property
    def widths(self) -> list[int]:
        return [max(map(columns, column)) for column in zip(self.head, *self.rows, strict=True)]

    def aligned(self) -> str:
        """A code block, since only there all characters are equally wide."""
        lines = [self.line(self.head), "  ".join("─" * width for width in self.widths)]
        lines += [self.line(row) for row in self.rows]
        return "```\n" + "\n".join(lines) + "\n```"

    def line(self, cells: Sequence[str]) -> str:
        padded = (
            pad(fenceless(cell), width, right=right)
            for cell, width, right in zip(cells, self.widths, self.right, strict=True)
        )
        return "  ".join(padded).rstrip()

    def listed(self) -> str:
        """Each row under its first cell, for tables too wide for a line."""
        return "\n".join(line for row in self.rows for line in self.entry(row)) or " · ".join(
            self.head
        )

    def entry(self, row: Sequence[str]) -> Iterator[str]:
        first, *cells = row
        yield f"**{first}**" if first else f"**{self.head[0] or '–'}**"
        for name, cell in zip(self.head[1:], cells, strict=True):
            if cell:
                yield f"- {name}: {cell}" if name else f"- {cell}"

    def spreadsheet(self) -> str:
        """CSV that spreadsheets take for text alone: no cell is read as a formula."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        for row in (self.head, *self.rows):
            writer.writerow(["'" + cell if formula(cell) else cell for cell in row])
        return written.getvalue()


def tables(prose: str) -> Iterator[str | Table]:
    """A text that holds no code blocks, as the lines between its tables and the tables."""
    lines = prose.split("\n")
    position = between = 0
    while position < len(lines):
        table, after = table_at(lines, position)
        if table is None:
            position += 1
            continue
        if between < position:
            yield "\n".join(lines[between:position])
        yield table
        position = between = after
    if between < len(lines):
        yield "\n".join(lines[between:])


def table_at(lines: Sequence[str], start: int) -> tuple[Table | None, int]:
    """The table whose head stands in this line, and the line behind it."""
    if start + 1 >= len(lines) or not begins(lines[start], lines[start + 1]):
        return None, start
    head = cells(lines[start])
    end = start + 2
    while end < len(lines) and PIPE.search(lines[end]) and lines[end].strip():
        end += 1
    rows = tuple(fitted(cells(line), len(head)) for line in lines[start + 2 : end])
    marks = cells(lines[start + 1])
    right = tuple(mark.endswith(":") and not mark.startswith(":") for mark in marks)
    return Table(head, rows, right), end


def begins(head: str, delimiter: str) -> bool:
    """Whether these two lines are a table's first."""
    return (
        PIPE.search(head) is not None
        and PIPE.search(delimiter) is not None
        and DELIMITER.match(delimiter) is not None
        and len(cells(head)) == len(cells(delimiter))
    )


def cells(line: str) -> tuple[str, ...]:
    """The cells of a row, without the marks that only Markdown reads."""
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return tuple(plain(cell) for cell in PIPE.split(inner))


def plain(cell: str) -> str:
    """A cell's words, which in a code block nobody formats."""
    text = BREAK.sub(" ", cell).replace("\\|", "|")
    text = LINK.sub(r"\1 (\2)", text)
    for _ in range(2):
        text = EMPHASIS.sub(r"\2", text)
    return " ".join(text.split())


def fitted(row: tuple[str, ...], count: int) -> tuple[str, ...]:
    """A row with as many cells as the head: what is missing is empty, what is too much joins the last."""
    if len(row) > count:
        return (*row[: count - 1], " | ".join(row[count - 1 :]))
    return row + ("",) * (count - len(row))


def pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if right else cell + space


def columns(text: str) -> int:
    """Columns of a fixed-width line that a text takes."""
    return sum(
        0
        if unicodedata.combining(each) or unicodedata.category(each) == "Cf"
        # Two for the wide characters of East Asia, and for most emoji.
        else 2
        if unicodedata.east_asian_width(each) in "WF"
        else 1
        for each in text
    )


def fenceless(cell: str) -> str:
    """A cell that cannot end the code block it stands in; as wide as before."""
    return cell.replace("`", "'")


def formula(cell: str) -> bool:
    """Whether a spreadsheet would compute it; a plain number is none."""
    return cell[:1] in ("=", "+", "-", "@", "\t") and not re.fullmatch(r"[+-]?[\d.,\s]+%?", cell)
