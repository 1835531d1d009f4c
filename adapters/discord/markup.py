"""Markdown as models write it → the part of it that Discord shows, and files for what is long. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.discord.tables import Table, tables
from adapters.text import Stretch, stretches

LONG = (
    1500  # characters of a table or a code block beyond which a file reads better than pieces of it
)
MOST_FILES = 9  # Discord takes ten with a post
RULE = "─" * 20

HEADING = re.compile(r"^ {0,3}(#{4,6})\s+(.*?)\s*#*$")
UNDERLINE = re.compile(r"^ {0,3}={3,}\s*$")
HORIZONTAL = re.compile(r"^ {0,3}([-*_])(?:\s*\1){2,}\s*$")
TASK = re.compile(r"^(\s*(?:[-*+]|\d+[.)])\s+)\[([ xX])\]\s+")
FOOTNOTE = re.compile(r"^\[\^([^\]\s]{1,40})\]:\s*")
REFERENCE = re.compile(r"\[\^([^\]\s]{1,40})\]")
IMAGE = re.compile(r"!\[([^\[\]]*)\]\(\s*<?([^\s()<>]+)>?[^()]*\)")
BREAK = re.compile(r"<br\s*/?>", re.I)
INLINE_CODE = re.compile(r"(?<!`)(`{1,8})(?!`).+?(?<!`)\1(?!`)")
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

ENDINGS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "bash": "sh",
    "shell": "sh",
    "rust": "rs",
    "markdown": "md",
    "latex": "tex",
    "c++": "cpp",
    "csharp": "cs",
    "c#": "cs",
    "kotlin": "kt",
    "ruby": "rb",
    "yaml": "yml",
}
ENDING = re.compile(
    r"py|[jt]sx?|c|h|go|java|json|xml|html|css|sql|csv|toml|ini|r|php|lua|swift|scala|svg|diff|vue"
)


@dataclass(frozen=True, slots=True)
class File:
    """Something that is sent beside a post's content."""

    name: str
    data: bytes
    alt: str = ""
    """A picture in words, for those who cannot see it."""


def shown(text: str) -> str:
    """A text with what Discord lacks said in what it has."""
    return "".join(
        stretch.text if stretch.code is not None else prose(stretch.text)
        for stretch in stretches(text)
    )


def with_files(text: str) -> tuple[str, tuple[File, ...]]:
    """The same, with long code and large tables as files that the text names."""
    files: list[File] = []
    parts = [part for stretch in stretches(text) for part in taken_out(stretch, files)]
    return "".join(parts), tuple(files)


def taken_out(stretch: Stretch, files: list[File]) -> Iterator[str]:
    """A stretch of the text, without what it adds to the files."""
    if stretch.code is not None:
        if stretch.closed and len(stretch.code) > LONG and len(files) < MOST_FILES:
            name = f"code-{len(files) + 1}.{ending(stretch.language)}"
            files.append(File(name, stretch.code.strip("\n").encode(errors="replace") + b"\n"))
            lines = stretch.code.strip("\n").count("\n") + 1
            yield f"\n*{lines:,} lines of code, in the file* `{name}`\n"
        else:
            yield stretch.text
        return
    parts: list[str] = []
    for part in tables(stretch.text):
        if isinstance(part, str):
            parts.append(lines_shown(part))
        elif len(part.shown()) > LONG and len(files) < MOST_FILES:
            name = f"table-{len(files) + 1}.csv"
            # The mark at its beginning tells spreadsheets that it is UTF-8.
            files.append(File(name, part.spreadsheet().encode("utf-8-sig", errors="replace")))
            parts.append(f"*A table of {len(part.rows):,} rows, in the file* `{name}`")
        else:
            parts.append(part.shown())
    yield "\n".join(parts)


def prose(text: str) -> str:
    """Text that holds no code block."""
    return "\n".join(
        part.shown() if isinstance(part, Table) else lines_shown(part) for part in tables(text)
    )


def lines_shown(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        if UNDERLINE.match(line) and lines and lines[-1].strip():
            lines[-1] = f"**{lines[-1].strip()}**"
        else:
            lines.append(line_shown(line))
    return "\n".join(lines)


def line_shown(line: str) -> str:
    if HORIZONTAL.match(line):
        return RULE
    if heading := HEADING.match(line):
        title = heading[2].replace("**", "").strip()
        return f"**{inline(title)}**" if title else ""
    if note := FOOTNOTE.match(line):
        return f"{raised(note[1])} {inline(line[note.end() :])}"
    if task := TASK.match(line):
        box = "☐" if task[2] == " " else "☑"
        return f"{task[1]}{box} {inline(line[task.end() :])}"
    return inline(line)


def inline(text: str) -> str:
    """A line's own text; what stands between backticks is code and stays."""
    parts: list[str] = []
    position = 0
    for code in INLINE_CODE.finditer(text):
        parts += [inline_prose(text[position : code.start()]), code[0]]
        position = code.end()
    return "".join([*parts, inline_prose(text[position:])])


def inline_prose(text: str) -> str:
    text = IMAGE.sub(lambda found: f"[picture: {found[1].strip() or 'untitled'}] {found[2]}", text)
    text = REFERENCE.sub(lambda found: raised(found[1]), text)
    return BREAK.sub("\n", text)


def raised(name: str) -> str:
    """A footnote's sign: small figures, or its name in brackets."""
    plain = name.isascii() and name.isdigit()
    return name.translate(RAISED) if plain else f"({name})"


def ending(language: str) -> str:
    """The ending of a file's name for code in this language."""
    name = language.strip().lower()
    name = ENDINGS.get(name, name)
    known = name in ENDINGS.values() or ENDING.fullmatch(name)
    return name if known else "txt"


def described(files: Sequence[File]) -> list[Mapping[str, object]]:
    """What a payload says of the files that are sent with it."""
    return [
        {
            "id": str(each),
            "filename": file.name,
            **({"description": file.alt[:1024]} if file.alt else {}),
        }
        for each, file in enumerate(files)
    ]
