"""What a server sends → words: server-sent events, or one JSON object where it does not stream."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from bot.domain import Finish, Usage

# An event is a few words, a whole answer at once some hundred kilobytes; more is no answer.
MAX_EVENT_BYTES = 8 * 1024 * 1024
# More than any model reads or writes in one call: what claims more is not a count.
MAX_TOKENS = 100_000_000

MAX_NAME_CHARS = 200  # longer than any model's name

DONE = "[DONE]"
FINISHES: Mapping[str, Finish] = {
    "length": "length",
    "content_filter": "filtered",
    "error": "cut",
}


class Unreadable(ValueError):
    """What came is not what a chat-completions server sends."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one event says; each field is empty where it says nothing of that kind."""

    words: str = ""
    thought: bool = False
    """Whether the model was heard to think, without words."""
    model: str = ""
    """Who answers, as the server says; not longer than any model's name."""
    finish: Finish | None = None
    usage: Usage | None = None
    last: bool = False
    """Whether it is the event that tells the usage and nothing else, which the API sends last."""
    fault: Mapping[str, object] | str | None = None
    """The `error` that the server put into its answer."""


class Events:
    """Cuts a stream of bytes into the data of its events, wherever the chunks are cut."""

    def __init__(self) -> None:
        self.partial = bytearray()
        """The last line, which is not whole yet."""
        self.data: list[bytes] = []
        """The data lines of the event that is not whole yet."""
        self.held = 0
        self.skip_newline = False

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that this chunk completes."""
        chunk = self.one_line_end(chunk)
        if b"\n" not in chunk:
            self.hold(len(chunk))
            self.partial += chunk
            return []
        first, *lines, last = chunk.split(b"\n")
        whole = [bytes(self.partial) + first, *lines]
        self.partial = bytearray(last)
        self.hold(len(chunk))
        return [event for line in whole if (event := self.line(line)) is not None]

    def close(self) -> list[str]:
        """The data of an event that the end of the stream left without its empty line."""
        events = [self.line(bytes(self.partial)), self.line(b"")]
        self.partial.clear()
        return [event for event in events if event is not None]

    def one_line_end(self, chunk: bytes) -> bytes:
        """The chunk with LF for CRLF and CR, also where a CRLF was cut in two."""
        if self.skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self.skip_newline = False
        if b"\r" in chunk:
            self.skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def hold(self, size: int) -> None:
        """Counts bytes of the event that is not whole yet."""
        self.held += size
        if self.held > MAX_EVENT_BYTES:
            raise Unreadable("an event without end")

    def line(self, line: bytes) -> str | None:
        """The event's data, if this line ends one."""
        if not line:
            data, self.data = self.data, []
            self.held = len(self.partial)
            return b"\n".join(data).decode("utf-8", "replace") if data else None
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if name == b"data":
            self.data.append(value.removeprefix(b" "))
        return None


def read(data: str) -> Heard:
    """One event's JSON, or the whole answer of a server that does not stream; raises Unreadable."""
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(chunk, dict):
        raise Unreadable("not a JSON object")
    fault = chunk.get("error")
    if fault:
        return Heard(fault=fault if isinstance(fault, dict | str) else str(type(fault)))
    choice, usage = first_choice(chunk.get("choices")), counted(chunk.get("usage"))
    said = choice.get("delta") or choice.get("message")
    delta = said if isinstance(said, dict) else {}
    finish, model = choice.get("finish_reason"), chunk.get("model")
    return Heard(
        model=model[:MAX_NAME_CHARS] if isinstance(model, str) else "",
        words=written(delta.get("content")) + written(delta.get("refusal")),
        thought=bool(delta.get("reasoning_content") or delta.get("reasoning")),
        finish=FINISHES.get(finish, "stop") if isinstance(finish, str) and finish else None,
        usage=usage,
        last=usage is not None and chunk.get("choices") == [],
    )


def first_choice(choices: object) -> Mapping[str, object]:
    """The first choice, or nothing; more than one was never asked for."""
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, dict) and choice.get("index", 0) in (0, None):
                return choice
    return {}


def written(content: object) -> str:
    """The words of a content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            written(part.get("text")) if isinstance(part, dict) else written(part)
            for part in content
            if not isinstance(part, list)
        )
    return ""


def counted(usage: object) -> Usage | None:
    """The API's own count of tokens; None where it is missing or cannot be one."""
    if not isinstance(usage, dict):
        return None
    read_in, written_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not is_count(read_in) or not is_count(written_out) or read_in == 0:
        return None
    cached = detail(usage, "prompt_tokens_details", "cached_tokens", read_in)
    return Usage(
        input=read_in,
        output=written_out,
        cached=cached,
        cache_written=detail(
            usage, "prompt_tokens_details", "cache_write_tokens", read_in - cached
        ),
        reasoning=detail(usage, "completion_tokens_details", "reasoning_tokens", written_out),
    )


def detail(usage: Mapping[str, object], group: str, name: str, most: int) -> int:
    """A part of a count, never more than the whole; 0 where the server does not tell."""
    details = usage.get(group)
    count = details.get(name) if isinstance(details, dict) else None
    return min(count, most) if is_count(count) else 0


def is_count(value: object) -> TypeGuard[int]:
    """Whether it is a number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS
