"""Replies and cards → Slack's blocks, within Slack's limits."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.slack.api import Json
from adapters.slack.events import ASKED, items, table, text
from adapters.slack.markup import escape, harmless
from adapters.text import split
from bot.domain import Attachment, Button, Card, Reply

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
PRESS = "press:"
TAKE_BACK = "question:take-back"
ASKS = re.compile(r"<@(?P<author>[A-Z0-9]+)(?:\|[^>]*)?> asks:")
GOOD, BAD = "👍", "👎"
QUESTION_LIMIT = 6_000  # of a question that is posted for a person; the model gets all of it
SHOWABLE = ("image/png", "image/jpeg", "image/gif")  # the formats that an image block takes
SHOWN_FILES = 10
ALT_LIMIT = 2_000
REFUSED = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
"""What Slack answers when it is the message that it does not like."""

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


def compose(reply: Reply, question: str, *, plain: bool = False, votes: bool = True) -> list[Part]:
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
        if number == last:
            under += row(reply.buttons, votes=votes and not plain)
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


def partial(body: str, question: str, stop: str = "") -> Part:
    """An answer that is still being written; without a body it is the sign that somebody is at work."""
    under = [context([PLACEHOLDER if not body.strip() else "…"], mark(question, 0))]
    if stop:
        under.append(actions([Button("Stop", stop)]))
    return Part(body, tuple(under), fallback(body or PLACEHOLDER, []))


def stopping(token: str) -> Part:
    """A button that stops what is being written, for where the answer itself cannot carry it."""
    row = actions([Button("Stop", token)])
    return Part("", (context(["The answer is being written."], CARD_MARK), row), "Stop?")


def card(card: Card, drawing: str = "", more: Sequence[Block] = ()) -> Block:
    """The answer to a command, as a message; `drawing` is a file's id, `more` goes among the buttons."""
    blocks: list[Block] = []
    if card.title:
        title = {"type": "plain_text", "text": harmless(card.title)[:150], "emoji": False}
        blocks.append({"type": "header", "text": title, "block_id": CARD_MARK})
    elif not card.private:
        blocks.append({"type": "divider", "block_id": CARD_MARK})
    body = split(harmless(card.text), MARKDOWN_LIMIT)
    if body:
        blocks.append({"type": "markdown", "text": body[0]})
    if drawing and card.drawing:
        blocks.append(image(drawing, card.drawing.alt))
    if card.buttons or more:
        blocks.append(actions(card.buttons, more))
    return {
        "response_type": "ephemeral" if card.private else "in_channel",
        "text": fallback(f"{card.title}\n{card.text}".strip(), []),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def question(author: str, words: str, files: Sequence[Attachment], nonce: str) -> Part:
    """A question that the bot posts for a person; the author's name is the only call in it."""
    said = split(harmless(words), QUESTION_LIMIT) or [""]
    body = said[0] if len(said) == 1 else f"{said[0]} …"
    names = [file.name for file in files if file.name.strip()]
    who: Block = {
        "type": "section",
        "block_id": f"{ASKED}:{nonce}",
        "text": {"type": "mrkdwn", "text": f"<@{author}> asks:", "verbatim": True},
        # Nobody can delete what the bot posted, so whoever asked gets a button for it.
        "accessory": {
            "type": "button",
            "action_id": TAKE_BACK,
            "text": {"type": "plain_text", "text": "Take back", "emoji": False},
        },
    }
    blocks = [who]
    if body.strip():
        blocks.append({"type": "markdown", "text": body})
    shown = [file for file in files if file.media_type in SHOWABLE][:SHOWN_FILES]
    blocks += [image(file.id, file.name) for file in shown]
    if names:
        listed = harmless(", ".join(names))[:SMALL_LIMIT]
        blocks.append(context([listed], f"{ASKED}-files"))
    return Part("", tuple(blocks), fallback(f"asks: {body}", names))


def asker(message: Json) -> str:
    """Whose question a post of ours carries; empty when it is none."""
    for block in items(message.get("blocks")):
        if text(block, "block_id").startswith(f"{ASKED}:"):
            found = ASKS.match(text(table(block.get("text")), "text"))
            return found["author"] if found else ""
    return ""


def without_images(part: Part) -> Part:
    """The same for a Slack that does not show these files."""
    kept = tuple(block for block in part.small if block["type"] != "image")
    return replace(part, small=kept)


def image(file: str, alt: str) -> Block:
    """A file in Slack, shown as a picture."""
    return {"type": "image", "slack_file": {"id": file}, "alt_text": alt[:ALT_LIMIT] or "picture"}


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
        if text(block, "block_id").startswith((CARD_MARK, ASKED)):
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


def row(buttons: Sequence[Button], *, votes: bool) -> list[Block]:
    """The buttons under a reply; the two votes in Slack's own form, where it takes that."""
    good = next((button for button in buttons if button.label == GOOD), None)
    bad = next((button for button in buttons if button.label == BAD), None)
    if not votes or good is None or bad is None:
        return [actions(buttons)] if buttons else []
    others = [button for button in buttons if button not in (good, bad)]
    feedback = {
        "type": "feedback_buttons",
        "action_id": f"{PRESS}vote",
        "positive_button": vote(good, "Good answer"),
        "negative_button": vote(bad, "Bad answer"),
    }
    under: Block = {"type": "context_actions", "elements": [feedback]}
    return [*([actions(others)] if others else []), under]


def vote(button: Button, words: str) -> Block:
    label = {"type": "plain_text", "text": words, "emoji": False}
    return {"text": label, "value": button.token, "accessibility_label": words}


def actions(buttons: Sequence[Button], more: Sequence[Block] = ()) -> Block:
    """A row of buttons; each carries its token and nothing else."""
    elements: list[Block] = []
    for number, button in enumerate(buttons[: 25 - len(more)]):
        label = {"type": "plain_text", "text": button.label[:75], "emoji": False}
        element: Block = {
            "type": "button",
            "action_id": f"{PRESS}{number}",
            "text": label,
            "value": button.token,
        }
        if button.style:
            element["style"] = button.style
        elements.append(element)
    return {"type": "actions", "elements": [*elements, *more]}


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
