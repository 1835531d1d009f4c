"""What commands print: facts, and what went wrong."""

import json
import re
import sys

OFFLINE_NOTE = "No OPENAI_API_KEY or OPENAI_BASE_URL is set: the offline model answers, for free."


def printed(value: object) -> None:
    """Prints facts; in escapes where the output's encoding does not hold every character."""
    whole = sys.stdout is not None and sys.stdout.encoding.lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not whole, indent=2))


def unmarked(text: str) -> str:
    """A card's words without the marks that a terminal does not show."""
    return re.sub(r"[*`]", "", text)


def complain(sentence: str, *, as_json: bool) -> None:
    """Says what went wrong, where a person and where a program looks for it."""
    if as_json:
        printed({"error": sentence})
    print(sentence, file=sys.stderr)
