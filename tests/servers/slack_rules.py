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
    "chat.postEphemeral": "chat:write",
    "users.info": "users:read",
    "files.info": "files:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
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
    elif kind == "context_actions":
        votes = block.get("elements") or []
        fits = 1 <= len(votes) <= 5 and all(vote_fits(vote) for vote in votes)
    elif kind == "image":
        sources = [name for name in ("image_url", "slack_file") if block.get(name)]
        fits = len(sources) == 1 and 1 <= len(block.get("alt_text", "")) <= 2000
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


def vote_fits(vote: Json) -> bool:
    buttons = [vote.get("positive_button"), vote.get("negative_button")]
    return vote.get("type") == "feedback_buttons" and all(
        isinstance(button, dict)
        and text_fits(button.get("text"), 75, kinds=("plain_text",))
        and 1 <= len(button.get("value", "")) <= 2000
        for button in buttons
    )


def check_view(view: object) -> None:
    """Raises Refusal for a form that Slack would not open."""
    fits = (
        isinstance(view, dict)
        and view.get("type") == "modal"
        and text_fits(view.get("title"), 24, kinds=("plain_text",))
        and text_fits(view.get("submit"), 24, kinds=("plain_text",))
        and text_fits(view.get("close"), 24, kinds=("plain_text",))
        and len(view.get("private_metadata", "")) <= 3000
        and 1 <= len(view.get("callback_id", "")) <= 255
        and 1 <= len(view.get("blocks") or []) <= 100
        and all(input_fits(block) for block in view["blocks"] if block["type"] == "input")
    )
    if not fits:
        raise Refusal("invalid_arguments")
    check_blocks([block for block in view["blocks"] if block["type"] != "input"])  # type: ignore[index]


def input_fits(block: Json) -> bool:
    element = block.get("element") or {}
    kind = element.get("type")
    if not text_fits(block.get("label"), 2000, kinds=("plain_text",)) or not element["action_id"]:
        return False
    if kind == "file_input":
        return bool(1 <= element.get("max_files", 10) <= 10)
    if kind == "static_select":
        options = element.get("options") or []
        return 1 <= len(options) <= 100 and all(
            text_fits(option.get("text"), 75, kinds=("plain_text",))
            and 1 <= len(option.get("value", "")) <= 150
            for option in options
        )
    return kind == "plain_text_input" and bool(element.get("max_length", 3000) <= 3000)


def images_in(blocks: object) -> list[str]:
    """The ids of the files that blocks show."""
    listed = blocks if isinstance(blocks, list) else []
    return [block["slack_file"]["id"] for block in listed if block.get("slack_file")]


def buttons_in(message: Json) -> dict[str, str]:
    """What can be pressed under a message: label → value."""
    found = {}
    for block in message.get("blocks") or []:
        accessory = [block["accessory"]] if "accessory" in block else []
        for element in [*(block.get("elements") or []), *accessory]:
            if element.get("type") == "button":
                found[element["text"]["text"]] = element.get("value", "")
            elif element.get("type") == "feedback_buttons":
                for name in ("positive_button", "negative_button"):
                    found[element[name]["text"]["text"]] = element[name]["value"]
    return found


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
