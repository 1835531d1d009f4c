"""The chat-completions wire format: a request's JSON → what was asked, and answers → JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pybase64

from bot import tokens
from bot.domain import Detail

Finish = Literal["stop", "length"]
Json = Mapping[str, object]

DETAILS: tuple[Detail, ...] = ("low", "high", "auto", "original")
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_PICTURES = 1_500
"""As the API documents."""
DATA_URL = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)
LABEL = re.compile(r"\s*Picture (\d{1,6})\b[^\n]*?(?:, ((?:page|part) \d{1,6}) of \d{1,6}:)?\s*")
NOT_SHOWN = re.compile(r"Picture \d+\b[^\n]* was not shown\b")


class Refused(Exception):
    """A request that the API would refuse; its text is the sentence for the client."""

    def __init__(
        self, sentence: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(sentence)
        self.param = param
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture as it came."""

    number: int
    data: bytes
    detail: Detail
    new: bool
    """Whether it came with the question."""
    param: str
    """Where it stands in the request."""
    part: str = ""
    """`page 2`, where a picture has several."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood."""

    model: str
    question: str
    pictures: tuple[Sent, ...]
    texts: tuple[str, ...]
    """All words, for counting."""
    messages: int
    stream: bool
    usage: bool
    """Whether the stream shall end with the usage."""
    limit: int | None
    """Tokens that the answer may take."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What every part of one answer repeats."""

    id: str
    created: int
    model: str


@dataclass(frozen=True, slots=True)
class Bill:
    """The tokens of one call."""

    input: int
    output: int


def parse(body: bytes) -> Asked:
    """Understands a request's body; raises Refused."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("The body is not JSON.") from error
    request = object_at(found, "the body")
    messages = list_at(request.get("messages"), "messages")
    parts = [part for index, each in enumerate(messages) for part in read_message(each, index)]
    last = max((part.message for part in parts if part.role == "user"), default=-1)
    stream = flag_at(request.get("stream"), "stream")
    return Asked(
        model=model_of(request),
        question=question_of([part for part in parts if part.message == last]),
        pictures=tuple(numbered(parts, last)),
        texts=tuple(part.text for part in parts if part.text),
        messages=len(messages),
        stream=stream,
        usage=wants_usage(request, stream=stream),
        limit=limit_of(request),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message: words, or a picture."""

    message: int
    role: str
    param: str
    text: str = ""
    data: bytes | None = None
    detail: Detail = "auto"


def read_message(message: object, index: int) -> Iterator[Part]:
    param = f"messages[{index}]"
    fields = object_at(message, param)
    role, content = fields.get("role"), fields.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise Refused(f"The role should be one of {', '.join(ROLES)}.", param=f"{param}.role")
    if isinstance(content, str):
        yield Part(index, role, f"{param}.content", content)
    elif content is not None or role == "user":
        for at, part in enumerate(list_at(content, f"{param}.content")):
            yield read_part(part, index, role, f"{param}.content[{at}]")


def read_part(part: object, index: int, role: str, param: str) -> Part:
    fields = object_at(part, param)
    kind = fields.get("type")
    if kind == "text":
        return Part(index, role, param, text_at(fields.get("text"), f"{param}.text"))
    if kind != "image_url":
        raise Refused(
            "A part is of type text or image_url here.", param=f"{param}.type", code="invalid_value"
        )
    if role != "user":
        raise Refused("Pictures stand only in messages of the role user.", param=param)
    picture = object_at(fields.get("image_url"), f"{param}.image_url")
    url = text_at(picture.get("url"), f"{param}.image_url.url")
    detail = detail_at(picture.get("detail"), f"{param}.image_url.detail")
    return Part(index, role, param, data=bytes_of(url, f"{param}.image_url.url"), detail=detail)


def bytes_of(url: str, param: str) -> bytes:
    if url.startswith(("http://", "https://")):
        raise Refused(
            "The offline model has no network and cannot fetch a picture by its address.",
            param=param,
            code="invalid_image_url",
        )
    head = DATA_URL.match(url)
    if head is None:
        raise Refused(
            "A picture is sent as data:image/…;base64,…", param=param, code="invalid_image_url"
        )
    try:
        return pybase64.b64decode(url[head.end() :], validate=True)
    except ValueError as error:
        raise Refused("The base64 is broken.", param=param, code="invalid_base64") from error


def numbered(parts: list[Part], last: int) -> Iterator[Sent]:
    """The pictures under the numbers of the labels before them, else counted on."""
    count, number, label = 0, 0, None
    for part in parts:
        if part.data is None:
            label = LABEL.fullmatch(part.text)
            continue
        count, number = count + 1, int(label[1]) if label else number + 1
        if count > MAX_PICTURES:
            raise Refused(f"More than {MAX_PICTURES} pictures are too many.", param="messages")
        inside = (label[2] or "") if label else ""
        label = None
        yield Sent(number, part.data, part.detail, part.message == last, part.param, inside)


def question_of(parts: list[Part]) -> str:
    """The last words of the last message that are not about a picture's number."""
    for index in reversed(range(len(parts))):
        part = parts[index]
        labels_next = index + 1 < len(parts) and parts[index + 1].data is not None
        is_label = labels_next and LABEL.fullmatch(part.text) is not None
        if part.text.strip() and not is_label and NOT_SHOWN.match(part.text) is None:
            return part.text
    return ""


def model_of(request: Json) -> str:
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(
            "The request names no model.", param="model", code="missing_required_parameter"
        )
    return tokens.readable(model)


def wants_usage(request: Json, *, stream: bool) -> bool:
    options = request.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise Refused("stream_options goes with stream: true only.", param="stream_options")
    fields = object_at(options, "stream_options")
    return flag_at(fields.get("include_usage"), "stream_options.include_usage")


def limit_of(request: Json) -> int | None:
    for param in ("max_completion_tokens", "max_tokens"):
        limit = request.get(param)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise Refused(f"{param} should be a whole number from 1.", param=param)
        return limit
    return None


def object_at(found: object, param: str) -> Json:
    if not isinstance(found, dict):
        raise Refused(f"{param} should be an object.", param=param, code="invalid_type")
    return found


def list_at(found: object, param: str) -> list[object]:
    if not isinstance(found, list) or not found:
        raise Refused(
            f"{param} should be a list that is not empty.", param=param, code="invalid_type"
        )
    return found


def text_at(found: object, param: str) -> str:
    if not isinstance(found, str):
        raise Refused(f"{param} should be a string.", param=param, code="invalid_type")
    return found


def flag_at(found: object, param: str) -> bool:
    if found is not None and not isinstance(found, bool):
        raise Refused(f"{param} should be true or false.", param=param, code="invalid_type")
    return bool(found)


def detail_at(found: object, param: str) -> Detail:
    for detail in DETAILS:
        if found == detail:
            return detail
    if found is None:
        return "auto"
    raise Refused(f"detail is one of {', '.join(DETAILS)}.", param=param, code="invalid_value")


def completion(heading: Heading, text: str, finish: Finish, bill: Bill) -> Json:
    """The whole answer as one object."""
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**head(heading, "chat.completion"), "choices": [choice], "usage": usage(bill)}


def chunk(
    heading: Heading, delta: Json, *, finish: Finish | None = None, usage_follows: bool = False
) -> Json:
    """One step of a streamed answer."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    told = {"usage": None} if usage_follows else {}
    return {**head(heading, "chat.completion.chunk"), "choices": [choice], **told}


def usage_chunk(heading: Heading, bill: Bill) -> Json:
    """The step that ends a stream when the usage was asked for."""
    return {**head(heading, "chat.completion.chunk"), "choices": [], "usage": usage(bill)}


def head(heading: Heading, kind: str) -> Json:
    return {
        "id": heading.id,
        "object": kind,
        "created": heading.created,
        "model": heading.model,
        "service_tier": "default",
        "system_fingerprint": "fp_offline",
    }


def usage(bill: Bill) -> Json:
    return {
        "prompt_tokens": bill.input,
        "completion_tokens": bill.output,
        "total_tokens": bill.input + bill.output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def error_body(
    sentence: str, *, kind: str, param: str | None = None, code: str | None = None
) -> Json:
    """An error in the API's form."""
    return {"error": {"message": sentence, "type": kind, "param": param, "code": code}}


def event(data: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
