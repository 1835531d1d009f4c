"""What the chat-completions API refuses, as it documents it."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

MAX_PICTURES = 1_500
NEW_MODELS = re.compile(r"(?:^|/)(?:o\d|gpt-(?:[5-9]|\d\d))")
ORIGINAL_MODELS = re.compile(r"(?:^|/)gpt-(?:5\.[4-9]|[6-9])")
KNOWN = {
    "model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options",
    "prompt_cache_key", "temperature", "top_p", "n", "seed", "stop", "user", "reasoning_effort",
}  # fmt: skip
MAGIC = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    path: str
    query: str
    headers: Mapping[str, str]
    raw: bytes
    json: Json

    @property
    def messages(self) -> list[Json]:
        """The conversation."""
        messages: list[Json] = self.json["messages"]
        return messages

    @property
    def parts(self) -> list[Json]:
        """All parts of all messages; plain words as a text part."""
        found: list[Json] = []
        for message in self.messages:
            content = message["content"]
            found += [{"type": "text", "text": content}] if isinstance(content, str) else content
        return found

    @property
    def text(self) -> str:
        """All words in it, one part a line."""
        return "\n".join(part["text"] for part in self.parts if part["type"] == "text")

    @property
    def image_urls(self) -> list[Json]:
        """The `image_url` objects, in order."""
        return [part["image_url"] for part in self.parts if part["type"] == "image_url"]

    @property
    def pictures(self) -> list[bytes]:
        """The bytes of the pictures that came inside it, in order."""
        return [
            base64.b64decode(each["url"].partition(",")[2], validate=True)
            for each in self.image_urls
            if each["url"].startswith("data:")
        ]


@dataclass(frozen=True)
class Fails:
    """An error as the API tells it."""

    status: int = 500
    code: str | None = None
    message: str = "The server had an error while processing your request."
    param: str | None = None
    type: str = "invalid_request_error"
    retry_after: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Instead of the error's JSON, such as a proxy's web page."""


def first_fault(asked: Asked, models: Sequence[str] | None, refuses: set[str]) -> Fails | None:
    """The first thing in a request that the API refuses."""
    body = asked.json
    if asked.headers.get("Content-Length") != str(len(asked.raw)):
        return Fails(411, None, "Content-Length is missing or wrong.")
    for name in body:
        if name not in KNOWN or name in refuses:
            return Fails(400, None, f"Unrecognized request argument supplied: {name}")
    model = body.get("model")
    if not isinstance(model, str) or (models is not None and model not in models):
        text = f"The model `{model}` does not exist or you do not have access to it."
        return Fails(404, "model_not_found", text)
    return field_fault(body, model) or messages_fault(body.get("messages"), model)


def field_fault(body: Json, model: str) -> Fails | None:
    """What is wrong beside the messages."""
    if NEW_MODELS.search(model) and "max_tokens" in body:
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        return Fails(400, "unsupported_parameter", text, "max_tokens")
    if "max_tokens" in body and "max_completion_tokens" in body:
        return Fails(400, "invalid_request", "Set only one of the two limits.", "max_tokens")
    if "stream_options" in body and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return Fails(400, None, text, "stream_options")
    return None


def messages_fault(messages: object, model: str) -> Fails | None:
    """What is wrong in the conversation."""
    if not isinstance(messages, list) or not messages:
        return Fails(400, "empty_array", "Expected an array with minimum length 1.", "messages")
    pictures = 0
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.get("role") not in ("system", "developer", "user", "assistant"):
            return Fails(400, "invalid_value", "Invalid role.", f"{place}.role")
        content = message.get("content")
        if isinstance(content, str):
            continue
        if not isinstance(content, list) or not content:
            return Fails(400, "invalid_type", "Invalid content.", f"{place}.content")
        for number, part in enumerate(content):
            pictures += part.get("type") == "image_url"
            if fault := part_fault(part, message["role"], model, f"{place}.content[{number}]"):
                return fault
    if pictures > MAX_PICTURES:
        return Fails(400, "too_many_images", "Too many images in the request.", "messages")
    return None


def part_fault(part: Json, role: str, model: str, place: str) -> Fails | None:
    """What is wrong with one part of a message."""
    if part.get("type") == "text":
        if isinstance(part.get("text"), str) and part["text"]:
            return None
        return Fails(400, "invalid_type", "Invalid text.", f"{place}.text")
    if part.get("type") != "image_url":
        return Fails(400, "invalid_value", "Invalid type of part.", f"{place}.type")
    if role != "user":
        return Fails(400, "invalid_value", "Only user messages may hold images.", place)
    image = part.get("image_url")
    if not isinstance(image, dict) or not set(image) <= {"url", "detail"}:
        return Fails(400, "invalid_type", "Invalid image_url.", f"{place}.image_url")
    details = {"low", "high", "auto"} | ({"original"} if ORIGINAL_MODELS.search(model) else set())
    if image.get("detail", "auto") not in details:
        return Fails(400, "invalid_value", "Invalid detail.", f"{place}.image_url.detail")
    return url_fault(image.get("url"), f"{place}.image_url.url")


def url_fault(url: object, place: str) -> Fails | None:
    """What is wrong with a picture."""
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return None
    match = isinstance(url, str) and re.match(r"data:(image/[a-z]+);base64,", url)
    if not isinstance(url, str) or not match or match[1] not in MAGIC:
        return Fails(400, "invalid_image_url", "Expected a URL or a data URL.", place)
    try:
        data = base64.b64decode(url[match.end() :], validate=True)
    except binascii.Error:
        return Fails(400, "invalid_base64", "Invalid base64 image_url.", place)
    if not data.startswith(MAGIC[match[1]]):
        text = "You uploaded an unsupported image. Please make sure your image is valid."
        return Fails(400, "invalid_image_format", text, place)
    return None


def no_twins(pairs: list[tuple[str, Any]]) -> Json:
    """An object whose names are unique and whose words are whole."""
    found: Json = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} comes twice")
        if isinstance(value, str):
            value.encode()
        found[name] = value
    return found
