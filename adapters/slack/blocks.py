"""Replies and cards → Slack's blocks, within Slack's limits."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack.api import Json
from adapters.slack.events import items, text
from adapters.slack.markup import escape, harmless
from adapters.text import split
from bot.domain import Button, Card, Reply

MARKDOWN_LIMIT = (
    11_000  # A markdown block takes 12,000, a whole message some 13,200, footer included.
)
SECTION_LIMIT = 2_900  # A section's text takes 3,000.
SMALL_LIMIT = 2_800  # So does an element of a context block.
SMALL_TOTAL = (
    5_000  # of all small print in one message, so that half a message is left for its text
)
SMALL_LINES = 60
FALLBACK_LIMIT = 3_500  # chat.update refuses more than 4,000 as `text`.
PLACEHOLDER = "Looking …"
MARK = re.compile(r"ts-reply:(?P<question>\d+\.\d+):(?P<part>\d+)")
CARD_MARK = "ts-card"

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a reply."""

    body: str
    """Markdown that is shown at full size."""
    small: tuple[Block, ...]
    """What stands under it: footer, receipts, buttons; its first block carries the mark."""
    fallback: str
    """The same for notifications and screen readers, in Slack's own escaping."""
    plain: bool = False
    """True where Slack refuses Markdown: then the body is shown as it was typed."""

    @property
    def blocks(self) -> list[Block]:
        if not self.body.strip():
            return list(self.small)
        if self.plain:
            shown = {"type": "mrkdwn", "text": escape(self.body), "verbatim": True}
            return [{"type": "section", "text": shown}, *self.small]
        return [{"type": "markdown", "text": self.body}, *self.small]


def compose(reply: Reply, question: str, *, plain: bool = False) -> list[Part]:
    """The messages that make up a reply to the question with this timestamp; at least one."""
    groups = grouped([harmless(line) for line in (*reply.footer, *reply.receipts) if line])
    limit = SECTION_LIMIT if plain else MARKDOWN_LIMIT
    # A list of receipts takes its room from the text, since both count towards one message.
    limit -= min(sum(map(len, groups[0])), limit // 2)
    measure = escaped_length if plain else len
    bodies = split(harmless(reply.text), limit, measure=measure) or [""]
    small: list[list[str]] = [[] for _ in bodies[1:]] + groups
    bodies += [""] * len(groups[1:])
    last = len(bodies)
    parts = []
    for number, (body, lines) in enumerate(zip(bodies, small, strict=True), start=1):
        if last > 1:
            lines = [f"{number}/{last}", *lines]
        under = [context(lines, mark(question, number - 1))]
        if number == last and reply.buttons:
            under.append(actions(reply.buttons))
        parts.append(Part(body, tuple(under), fallback(body, lines), plain))
    return parts


def grouped(lines: Sequence[str]) -> list[list[str]]:
    """Small print in as many groups as it takes messages; at least one."""
    groups: list[list[str]] = [[]]
    for line in lines:
        if sum(map(len, groups[-1])) + len(line) > SMALL_TOTAL or len(groups[-1]) >= SMALL_LINES:
            groups.append([])
        groups[-1].append(line[:SMALL_LIMIT])
    return groups


def partial(body: str, question: str) -> Part:
    """An answer that is still being written; without a body it is the sign that somebody is at work."""
    under = context([PLACEHOLDER if not body.strip() else "…"], mark(question, 0))
    return Part(body, (under,), fallback(body or PLACEHOLDER, []))


def card(card: Card) -> Block:
    """The answer to a command, as a message."""
    blocks: list[Block] = []
    if card.title:
        title = {"type": "plain_text", "text": harmless(card.title)[:150], "emoji": False}
        blocks.append({"type": "header", "text": title, "block_id": CARD_MARK})
    elif not card.private:
        blocks.append({"type": "divider", "block_id": CARD_MARK})
    body = split(harmless(card.text), MARKDOWN_LIMIT)
    if body:
        blocks.append({"type": "markdown", "text": body[0]})
    if card.buttons:
        blocks.append(actions(card.buttons))
    return {
        "response_type": "ephemeral" if card.private else "in_channel",
        "replace_original": False,
        "text": fallback(f"{card.title}\n{card.text}".strip(), []),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def mark(question: str, part: int) -> str:
    """The id of the block by which a later process knows whose reply a message is.

    A markdown block keeps no id, and reading metadata needs a scope of its own; other blocks keep theirs.
    """
    return f"ts-reply:{question}:{part}"


def marked(message: Json) -> tuple[str, int] | None:
    """Whose reply a message of ours is, and which part of it; None while it is being streamed."""
    for block in items(message.get("blocks")):
        if found := MARK.fullmatch(text(block, "block_id")):
            return found["question"], int(found["part"])
        if text(block, "block_id") == CARD_MARK:
            return "", 0
    return None


def context(lines: Sequence[str], block_id: str) -> Block:
    """Small print; plain text, in which Slack looks for nothing."""
    if not lines:
        return {"type": "divider", "block_id": block_id}
    elements = [{"type": "plain_text", "text": piece, "emoji": False} for piece in packed(lines)]
    return {"type": "context", "elements": elements, "block_id": block_id}


def packed(lines: Iterable[str]) -> list[str]:
    """Lines put together into as few pieces as may be, none over the limit."""
    pieces: list[str] = []
    for line in lines:
        line = line[:SMALL_LIMIT]
        if pieces and len(pieces[-1]) + 1 + len(line) <= SMALL_LIMIT:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
    return pieces


def actions(buttons: Sequence[Button]) -> Block:
    """A row of buttons; each carries its token and nothing else."""
    elements = []
    for number, button in enumerate(buttons[:25]):
        label = {"type": "plain_text", "text": button.label[:75], "emoji": False}
        element: Block = {
            "type": "button",
            "action_id": f"press:{number}",
            "text": label,
            "value": button.token,
        }
        if button.style:
            element["style"] = button.style
        elements.append(element)
    return {"type": "actions", "elements": elements}


def fallback(body: str, lines: Sequence[str]) -> str:
    """The text that stands for the blocks where those are not shown."""
    under = escape("\n".join(lines))[: FALLBACK_LIMIT // 2]
    room = FALLBACK_LIMIT - len(under)
    above = (
        body
        if escaped_length(body) <= room
        else split(body, room, measure=escaped_length)[0] + " …"
    )
    return "\n".join(part for part in (escape(above), under) if part) or "·"


def escaped_length(body: str) -> int:
    return len(escape(body))
