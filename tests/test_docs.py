"""What the documents say of variables, commands, settings and each other is so."""

import re
import shlex
from decimal import Decimal
from pathlib import Path

import annotated_types
import pytest

from bot.__main__ import parser
from bot.presets import PRESETS
from bot.settings import Settings, variable
from bot.terms import SETTINGS

ROOT = Path(__file__).parent.parent
CONFIGURATION = ROOT / "docs" / "configuration.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
FIELDS = {variable(field): field for field in Settings.model_fields.values()}
IN_WORDS = {"OPENAI_BASE_URL": "OpenAI's", "BOT_INSTRUCTIONS": "built in"}
"""Defaults that are no value to be typed."""


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each table's rows, by what their first one names."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        for name in re.findall(r"`(\w+)`", cells[0]) if line.startswith("|") else ():
            assert name not in found, f"{name} is told twice"
            found[name] = cells
    return found


TOLD = rows(TEXTS["docs/configuration.md"].partition("## Settings in the chat")[0])


def written(default: object) -> str:
    """A default as one would type it."""
    if default is None or default == ():
        return ""
    plain = default if isinstance(default, (str, int, Decimal)) else f"{default:g}"
    return str(plain).lower() if isinstance(default, bool) else str(plain)


def test_every_variable_is_told_and_none_that_is_not() -> None:
    assert sorted(TOLD) == sorted(FIELDS)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_variable_is_told_with_its_default_and_its_bounds(name: str) -> None:
    field, (_, default, takes, _) = FIELDS[name], TOLD[name]
    dollars = "none" if "dollars" in takes else ""
    bounds = [
        getattr(each, kind)
        for each in field.metadata
        for kind in ("ge", "gt", "le")
        if isinstance(each, (annotated_types.Ge, annotated_types.Gt, annotated_types.Le))
        and hasattr(each, kind)
    ]

    assert default.strip("`") == IN_WORDS.get(name, written(field.default) or dollars)
    if "`" not in takes and "token" not in takes:
        assert re.findall(r"[\d,]+\d|\d", takes) == [f"{bound:,.0f}" for bound in bounds]


def test_the_face_tells_of_no_variable_what_the_whole_list_does_not() -> None:
    short = rows(TEXTS["README.md"].partition("## From the command line")[0])

    assert set(short) <= set(TOLD)
    assert all(
        cells[1].strip("`") == TOLD[name][1].strip("`") for name, cells in short.items() if cells[1]
    )


def test_every_setting_of_the_chat_and_every_preset_is_told() -> None:
    text = TEXTS["docs/configuration.md"].partition("## Settings in the chat")[2]

    told = {name for name in SETTINGS if f"`{name}`" in text}

    assert told == set(SETTINGS)
    assert all(f"`{name}`" in text for name in PRESETS)


@pytest.mark.parametrize("document", TEXTS)
def test_every_command_of_a_document_can_be_given(document: str) -> None:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", TEXTS[document], re.MULTILINE | re.DOTALL)

    for words in re.findall(r"python -m bot\b(.*)", "\n".join(blocks)):
        parser().parse_args(shlex.split(words, comments=True))


@pytest.mark.parametrize("document", TEXTS)
def test_every_command_that_a_document_names_is_there(
    document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in re.findall(r"python -m bot (\w+)", TEXTS[document]):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([name, "--help"])
        assert ended.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("document", TEXTS)
def test_every_link_between_documents_leads_somewhere(document: str) -> None:
    here = ROOT / document
    targets = re.findall(r'(?:\]\(|src="|srcset=")([^)"\s]+)', TEXTS[document])

    for target in targets:
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        file = (here.parent / path).resolve() if path else here
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """What a document's headings are called in an address."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
