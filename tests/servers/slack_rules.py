"""What Slack refuses, by its documentation; and how it shows what it takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

MARKDOWN_LIMIT = 12_000
MESSAGE_LIMIT = 13_200
TEXT_LIMIT = 40_000
UPDATE_LIMIT = 4_000
CALLS = re.compile(r"<(?:@[A-Z0-9]+|![a-z]+(?:\^[A-Z0-9]+)?)(?:\|[^>]*)?>")

SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write",
    "chat.stopStream": "chat:write",
    "assistant.threads.setStatus": "chat:write",
    "files.info": "files:read",
}
HISTORY = {"C": "channels:history", "G": "groups:history", "D": "im:history"}


class Refusal(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


def check_message(args: Mapping[str, Any], *, update: bool) -> None:
    """Raises Refusal for a message that Slack would not take."""
    text, blocks = args.get("text") or "", args.get("blocks") or []
    markdown = args.get("markdown_text")
    if markdown is not None and (text or blocks):
        raise Refusal("markdown_text_conflict")
    if not text and not blocks and not markdown:
        raise Refusal("no_text")
    if len(markdown or "") > MARKDOWN_LIMIT or (update and len(text) > UPDATE_LIMIT):
        raise Refusal("msg_too_long")
    check_blocks(blocks)


def check_blocks(blocks: object) -> None:
    """Raises Refusal for blocks that Slack would not take."""
    if not isinstance(blocks, list) or len(blocks) > 50:
        raise Refusal("invalid_blocks")
    seen: set[str] = set()
    for block in blocks:
        check_block(block)
        name = block.get("block_id", "")
        if len(name) > 255 or (name and name in seen):
            raise Refusal("invalid_blocks")
        seen.add(name)
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_LIMIT or sum(map(len, shown_blocks(blocks))) > MESSAGE_LIMIT:
        raise Refusal("msg_blocks_too_long")


def check_block(block: Json) -> None:
    kind = block.get("type")
    if kind == "markdown":
        fits = isinstance(block.get("text"), str) and bool(block["text"])
    elif kind == "section":
        fits = text_fits(block.get("text"), 3000)
    elif kind == "header":
        fits = text_fits(block.get("text"), 150, kinds=("plain_text",))
    elif kind == "context":
        elements = block.get("elements") or []
        fits = 1 <= len(elements) <= 10 and all(text_fits(part, 3000) for part in elements)
    elif kind == "actions":
        buttons = block.get("elements") or []
        fits = 1 <= len(buttons) <= 25 and all(button_fits(button) for button in buttons)
    else:
        fits = kind == "divider"
    if not fits:
        raise Refusal("invalid_blocks", response_metadata={"messages": [f"[ERROR] {kind}"]})


def text_fits(
    text: object, limit: int, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> bool:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return False
    return 1 <= len(text.get("text", "")) <= limit


def button_fits(button: Json) -> bool:
    return (
        button.get("type") == "button"
        and text_fits(button.get("text"), 75, kinds=("plain_text",))
        and len(button.get("value", "")) <= 2000
        and button.get("style", "primary") in ("primary", "danger")
    )


def shown(message: Json) -> str:
    """What a person reads: the blocks, or the text where there are none."""
    streamed = [message["streamed"]] if message.get("streamed") else []
    pieces = [*streamed, *shown_blocks(message.get("blocks") or [])]
    if not pieces:
        pieces = [unescape(message.get("text") or "")]
    return "\n".join(pieces).replace("\u200b", "")


def shown_blocks(blocks: list[Json]) -> list[str]:
    return [text for block in blocks for text in shown_texts(block)]


def shown_texts(block: Json) -> Iterator[str]:
    if block["type"] == "markdown":
        yield block["text"]
    for part in [block.get("text"), *(block.get("elements") or [])]:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            mrkdwn = part.get("type") == "mrkdwn"
            yield unescape(part["text"]) if mrkdwn else part["text"]


def called(message: Json) -> list[str]:
    """Whom a message calls: mentions work in mrkdwn and in Markdown, not in plain text."""
    blocks = message.get("blocks") or []
    parts = [
        part for block in blocks for part in [block.get("text"), *(block.get("elements") or [])]
    ]
    texts = [message.get("streamed") or "", message.get("text") or ""]
    texts += [block["text"] for block in blocks if block["type"] == "markdown"]
    texts += [
        part["text"] for part in parts if isinstance(part, dict) and part.get("type") == "mrkdwn"
    ]
    return [call for text in texts for call in CALLS.findall(text)]


def stored(message: Json) -> Json:
    """A message as the API gives it back: Markdown has become rich text and its block lost its id."""
    blocks = [
        {"type": "rich_text", "block_id": f"r{number}", "elements": []}
        if block["type"] == "markdown"
        else {"block_id": f"b{number}", **block}
        for number, block in enumerate(message.get("blocks") or [])
    ]
    hidden = ("streamed", "streaming", "blocks")
    return {key: value for key, value in message.items() if key not in hidden} | {"blocks": blocks}


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
