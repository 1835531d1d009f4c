"""The house as a test: which room may know which."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each room of ours may import of ours. The command line builds the house: it may import everything.
ALLOWED: dict[str, set[str]] = {
    "bot.domain": set(),
    "bot.errors": {"bot.domain"},
    "bot.ports": {"bot.domain"},
    "bot.settings": {"bot.domain", "bot.errors", "bot.budgets"},
    "bot.logs": set(),
    "bot.tokens": {"bot.domain"},
    "bot.links": {"bot.domain"},
    "bot.pricing": {"bot.domain", "bot.errors"},
    "bot.rules": {"bot.domain", "bot.errors", "bot.pricing", "bot.tokens"},
    "bot.budgets": {"bot.domain", "bot.errors", "bot.pricing"},
    "bot.access": {"bot.domain"},
    "bot.proposals": {"bot.domain"},
    "bot.words": {"bot.domain"},
    "bot.presets": {"bot.domain"},
    "bot.terms": {"bot.domain", "bot.budgets", "bot.presets"},
    "bot.history": {"bot.domain", "bot.tokens", "bot.pricing"},
    "bot.tax": {"bot.domain", "bot.history", "bot.pricing", "bot.tokens"},
    "bot.footer": {"bot.domain", "bot.history", "bot.pricing", "bot.tokens"},
    "bot.images": {"bot.domain", "bot.errors", "bot.tokens", "bot.images"},
    "bot.model": {"bot.domain", "bot.errors", "bot.tokens", "bot.pricing", "bot.model"},
    "bot.offline": {"bot.domain", "bot.errors", "bot.tokens", "bot.offline"},
    "bot.drawing": {"bot.domain", "bot.pricing", "bot.tokens"},
    "bot.charting": {"bot.domain", "bot.drawing", "bot.pricing"},
    "bot.commands": {
        "bot.domain",
        "bot.errors",
        "bot.ports",
        "bot.tokens",
        "bot.pricing",
        "bot.history",
        "bot.footer",
        "bot.drawing",
        "bot.charting",
        "bot.budgets",
        "bot.images",
        "bot.proposals",
        "bot.presets",
        "bot.access",
        "bot.terms",
        "bot.words",
    },
    "bot.desk": {
        "bot.domain",
        "bot.ports",
        "bot.access",
        "bot.commands",
        "bot.links",
        "bot.proposals",
        "bot.terms",
        "bot.words",
    },
    "bot.offering": {"bot.domain", "bot.ports", "bot.history", "bot.pricing", "bot.tax"},
    "bot.rulebook": {
        "bot.domain",
        "bot.history",
        "bot.pricing",
        "bot.terms",
        "bot.weighing",
        "bot.words",
    },
    "bot.weighing": {"bot.domain", "bot.errors", "bot.history", "bot.tokens", "bot.words"},
    "bot.facts": {"bot.domain", "bot.commands"},
    "bot.doctor": {"bot.domain", "bot.errors", "bot.settings", "bot.tokens", "bot.pricing"},
    "bot.originals": {"bot.domain", "bot.errors", "bot.ports", "bot.images", "bot.tokens"},
    "bot.looking": {
        "bot.domain",
        "bot.errors",
        "bot.ports",
        "bot.history",
        "bot.images",
        "bot.originals",
        "bot.tokens",
    },
    "bot.responder": {
        "bot.domain",
        "bot.errors",
        "bot.ports",
        "bot.access",
        "bot.budgets",
        "bot.commands",
        "bot.footer",
        "bot.history",
        "bot.looking",
        "bot.offering",
        "bot.pricing",
        "bot.rulebook",
        "bot.tokens",
        "bot.weighing",
    },
    "bot.engine": {"bot"},
    "bot.command_line": {"bot", "adapters", "storage"},
    "bot.worker": {"bot.domain", "bot.errors", "bot.ports", "bot.responder"},
    "adapters.text": set(),
    "adapters.health": {"bot.errors"},
    "adapters.terminal": {"bot.domain", "bot.errors", "bot.ports"},
    "adapters.slack": {
        "bot.domain",
        "bot.errors",
        "bot.ports",
        "adapters.text",
        "adapters.health",
        "adapters.slack",
    },
    "adapters.discord": {
        "bot.domain",
        "bot.errors",
        "bot.ports",
        "adapters.text",
        "adapters.discord",
    },
    "adapters.web": {"bot.domain", "bot.errors", "bot.ports", "adapters.web"},
    "storage": {"bot.domain", "bot.errors", "storage"},
}

# Which rooms may use what is not ours and not the standard library's.
ELSEWHERE: dict[str, set[str]] = {
    "PIL": {"bot.images", "bot.drawing", "bot.charting", "bot.offline", "bot.doctor"},
    "pillow_heif": {"bot.images"},
    "pypdfium2": {"bot.images"},
    # slack_sdk's installation store is built on it.
    "sqlalchemy": {"storage", "adapters.slack.installations", "adapters.slack.sealing"},
    "cryptography": {"adapters.slack"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "filelock": {"storage", "adapters.web"},
    "slack_bolt": {"adapters.slack"},
    "slack_sdk": {"adapters.slack"},
    "discord": {"adapters.discord"},
    "toktok": {"bot.tokens"},
    "genai_prices": {"bot.pricing"},
    "pydantic": {"bot.settings", "bot.engine", "bot.command_line"},
    "pydantic_settings": {"bot.settings"},
    "rapidocr": {"bot.offline"},
    "cv2": {"bot.offline"},
    "numpy": {"bot.offline"},
}


def rooms() -> list[Path]:
    return [
        path for folder in ("bot", "adapters", "storage") for path in (ROOT / folder).rglob("*.py")
    ]


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_room_imports_only_what_it_may_know(path: Path) -> None:
    name = module(path)
    if name == "bot.__main__" or (path.name == "__init__.py" and len(path.read_text()) < 200):
        return
    room = home(name)
    allowed = ALLOWED[room] | {room}

    ours = {
        found for found in imports(path) if found.split(".")[0] in ("bot", "adapters", "storage")
    }

    assert {found for found in ours if not any(within(found, each) for each in allowed)} == set()


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_library_stays_in_its_room(path: Path) -> None:
    name = module(path)

    for found in imports(path):
        owners = ELSEWHERE.get(found.split(".")[0])
        assert owners is None or any(within(name, owner) for owner in owners), found


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        module(path)
        for path in rooms()
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "getenv"))
    ]

    assert readers == ["bot.settings"]


def home(name: str) -> str:
    """The room that a module belongs to: the longest one that holds it."""
    return max((room for room in ALLOWED if within(name, room)), key=len)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: name what is imported whole"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inner = [name for name in names if is_module(name)]
            yield from inner or [node.module or ""]


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()
