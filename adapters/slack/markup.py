"""Slack's markup ↔ plain text: what people wrote becomes readable, what the model wrote becomes harmless."""

import re

TOKEN = re.compile(r"<([^<>]*)>")
MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
GROUP = re.compile(r"<!(?:subteam\^|here|channel|everyone)[^<>]*>")
CALL = re.compile(r"<(?=[@!#])")


def readable(text: str, bot: str) -> str:
    """What a person wrote, without Slack's markup and without the bot's own mention."""
    text = MENTION.sub(lambda match: "" if match[1] == bot else match[0], text)
    return unescape(TOKEN.sub(lambda match: said(match[1]), text)).strip()


def mentions(text: str) -> set[str]:
    """The ids of all people whom a text mentions."""
    return {match[1] for match in MENTION.finditer(text)}


def calls_group(text: str) -> bool:
    """Whether a text speaks to a group or to everybody."""
    return GROUP.search(text) is not None


def said(token: str) -> str:
    """One thing between angle brackets as a person reads it."""
    target, _, label = token.partition("|")
    if target.startswith("@"):
        return f"@{label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    if not label or label == target or target == f"mailto:{label}":
        return target.removeprefix("mailto:")
    return f"{label} ({target})"


def unescape(text: str) -> str:
    """Slack escapes these three characters and no others; the ampersand comes last."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """Text in which Slack finds no markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def harmless(markdown: str) -> str:
    """Markdown that calls nobody: Slack reads mentions even there, so a zero-width space breaks them.

    A text that grows keeps its beginning: what was harmless stays as it was.
    """
    return CALL.sub("<\u200b", markdown)
