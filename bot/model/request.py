"""Turns → one chat-completions request: words as bytes, pictures by name until they are sent."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, get_args

import pybase64

from bot import tokens
from bot.domain import Ask, Detail, ImageKey, Picture, StoredImage, Turn
from bot.errors import PermanentError

LimitField = Literal["max_tokens", "max_completion_tokens"]
Piece = bytes | StoredImage
Load = Callable[[ImageKey], Awaitable[bytes | memoryview]]
"""Finds the bytes of a stored picture."""

# Divisible by three, so that no slice's base64 needs padding but the last. Small, so that requests
# that are sent at once hold little beside their one picture each; large, since each slice is a
# system call or two: a third less was a quarter slower, a third more no faster.
SLICE_BYTES = 144 * 1024
MAX_LABEL_CHARS = 80
MAX_AUTHOR_CHARS = 40

# As the receipt of a document tells them.
PAGES = re.compile(r"pages? [\d–]+ of (\d+)")

# Models that refuse `max_tokens`, by whatever provider: the o-series, and gpt-5 and later.
NEW_MODELS = re.compile(r"(?:^|/)(?:o\d|gpt-(?:[5-9]|\d\d))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint is known to take."""

    limit_field: LimitField = "max_completion_tokens"
    usage_in_stream: bool = True
    cache_key: bool = False
    links: bool = False
    """Whether it fetches pictures by their address."""


@dataclass(frozen=True, slots=True)
class View:
    """One image that the model is shown: a picture, or a page or part of it."""

    picture: Picture
    image: StoredImage | None
    """None where the API fetches it by its address."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent; it holds no picture."""

    pieces: tuple[Piece, ...]
    texts: tuple[str, ...]
    """All words in it, for an estimate of its tokens."""
    shown: tuple[tuple[Picture, Detail], ...]
    """The pictures in it, and the detail that each is asked for."""
    places: dict[tuple[int, int], int]
    """(message, part) → the number of the picture that stands there."""
    messages: int

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(
            len(piece) if isinstance(piece, bytes) else tokens.base64_length(piece.size)
            for piece in self.pieces
        )

    @property
    def links(self) -> dict[int, str]:
        """Number → address of the pictures that the API is asked to fetch."""
        return {
            picture.number: picture.attachment.url
            for picture, _ in self.shown
            if picture.attachment.linked
        }

    async def body(self, load: Load) -> AsyncIterator[bytes]:
        """The body; a picture is loaded when its turn comes and let go when it is sent."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            data = memoryview(await load(piece.key))
            if len(data) != piece.size:
                raise PermanentError("A stored picture is damaged; post it again.")
            for start in range(0, len(data), SLICE_BYTES):
                yield pybase64.b64encode(data[start : start + SLICE_BYTES])
            del data


def compose(
    turns: Sequence[Turn], ask: Ask, dialect: Dialect, *, without: Collection[int] = ()
) -> Request:
    """The request for the next answer; `without` are numbers of pictures that are left out.

    It depends on nothing but its arguments, and what was said before stays byte for byte as it was
    when something is said after it, so that the provider's prompt cache holds.
    """
    if not turns:
        raise PermanentError("There is no question to answer.")
    writer = Writer()
    writer.say(f'{{"model":{quoted(ask.model)},"messages":[')
    write_messages(writer, turns, ask, dialect, frozenset(without))
    writer.say(f'],"{dialect.limit_field}":{ask.limit},"stream":true')
    if dialect.usage_in_stream:
        writer.say(',"stream_options":{"include_usage":true}')
    if dialect.cache_key and ask.thread_key:
        writer.say(f',"prompt_cache_key":{quoted(ask.thread_key)}')
    writer.say("}")
    return writer.request()


def limit_field_for(model: str, *, openai: bool) -> LimitField:
    """The name of the answer's limit that this model most likely takes."""
    return "max_completion_tokens" if openai or NEW_MODELS.search(model) else "max_tokens"


class Writer:
    """Gathers the pieces and remembers what went in."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.pending: list[str] = []
        self.texts: list[str] = []
        self.shown: list[tuple[Picture, Detail]] = []
        self.places: dict[tuple[int, int], int] = {}
        self.messages = 0

    def say(self, raw: str) -> None:
        """Adds JSON as it is."""
        self.pending.append(raw)

    def quote(self, text: str) -> None:
        """Adds words as a JSON string."""
        self.texts.append(text)
        self.say(quoted(text))

    def open_message(self, role: str) -> None:
        """Starts a message up to its content."""
        self.say(f'{"," if self.messages else ""}{{"role":"{role}","content":')
        self.messages += 1

    def show(self, view: "View", detail: Detail, part: int) -> None:
        """Adds an `image_url` part."""
        self.say('{"type":"image_url","image_url":{"url":')
        if view.image is None:
            self.say(quoted(view.picture.attachment.url))
        else:
            self.say(f'"data:{view.image.media_type};base64,')
            self.flush()
            self.pieces.append(view.image)
            self.say('"')
        self.say(f',"detail":"{detail}"}}}}')
        if view.image is view.picture.image:
            self.shown.append((view.picture, detail))
        self.places[self.messages - 1, part] = view.picture.number

    def flush(self) -> None:
        """Turns the words so far into one piece."""
        if self.pending:
            self.pieces.append("".join(self.pending).encode())
            self.pending.clear()

    def request(self) -> Request:
        """What was gathered."""
        self.flush()
        return Request(
            tuple(self.pieces), tuple(self.texts), tuple(self.shown), self.places, self.messages
        )


def write_messages(
    writer: Writer, turns: Sequence[Turn], ask: Ask, dialect: Dialect, without: frozenset[int]
) -> None:
    """The system prompt and the conversation, neighbours of one role as one message."""
    if ask.instructions:
        writer.open_message("system")
        writer.quote(ask.instructions)
        writer.say("}")
    for role, run in groupby(introduced(spoken(turns)), key=lambda turn: turn.role):
        if role == "assistant":
            writer.open_message("assistant")
            writer.quote("\n\n".join(turn.text for turn in run))
            writer.say("}")
        else:
            writer.open_message("user")
            write_content(
                writer, [part for turn in run for part in parts(turn, dialect, without)], ask
            )
            writer.say("}")


def write_content(writer: Writer, content: Sequence[str | View], ask: Ask) -> None:
    """Words alone as a plain string, which every server knows; with pictures as parts."""
    words = [part for part in content if isinstance(part, str)]
    if len(words) == len(content):
        writer.quote("\n\n".join(words))
        return
    levels = tokens.rule(ask.model).levels
    for index, part in enumerate(content):
        writer.say("," if index else "[")
        if isinstance(part, str):
            writer.say('{"type":"text","text":')
            writer.quote(part)
            writer.say("}")
        else:
            writer.show(part, detail_of(part.picture, ask.detail, levels), index)
    writer.say("]")


def parts(turn: Turn, dialect: Dialect, without: frozenset[int]) -> Iterable[str | View]:
    """What a person posted: the pictures by number, each after its label, then the words."""
    for picture in sorted(turn.pictures, key=lambda picture: picture.number):
        if picture.number not in without and can_be_sent(picture, dialect):
            for part, image in enumerate(picture.images or (None,), start=1):
                yield f"{label(picture)}{nature(picture, part)}:"
                yield View(picture, image)
        else:
            yield f"{label(picture)} was not shown to you; say so if a question needs it."
    if turn.text:
        yield turn.text


def can_be_sent(picture: Picture, dialect: Dialect) -> bool:
    """Whether the picture may go into a request to this endpoint."""
    if picture.image is not None:
        return picture.visible
    return picture.visible and dialect.links and picture.attachment.url.startswith("http")


def spoken(turns: Sequence[Turn]) -> list[Turn]:
    """The turns that say something; what ends without words asks for a description."""
    said: list[Turn] = []
    for index, turn in enumerate(turns):
        last_of_run = index + 1 == len(turns) or turns[index + 1].role != turn.role
        text = turn.text if turn.text.strip() else ""
        if turn.role == "user" and not text and last_of_run:
            text = unspoken_question(turn)
        if text or (turn.role == "user" and turn.pictures):
            said.append(replace(turn, text=text))
    return said


def unspoken_question(turn: Turn) -> str:
    """What somebody asks who posts pictures without a word, or only mentions the bot."""
    if not turn.pictures:
        return "Please go on."
    return "Describe this picture." if len(turn.pictures) == 1 else "Describe these pictures."


def introduced(turns: Sequence[Turn]) -> Iterable[Turn]:
    """The turns with their authors' names, from the one on where a second person speaks.

    Those before it stay as they were sent, so that they stay in the provider's cache.
    """
    first, several = "", False
    for turn in turns:
        author = one_line(turn.author, MAX_AUTHOR_CHARS)
        if turn.role == "assistant" or not author:
            yield turn
        elif several:
            yield replace(turn, text=labelled(turn.text, author))
        elif first and author != first:
            several = True
            since = f"(Until here {first} was asking.)\n"
            yield replace(turn, text=since + labelled(turn.text, author))
        else:
            first = author
            yield turn


def labelled(text: str, author: str) -> str:
    """The words with who says them; of pictures without words, who posted them."""
    return f"{author}: {text}" if text else f"(Posted by {author}.)"


def detail_of(picture: Picture, asked: Detail, levels: Collection[Detail]) -> Detail:
    """The detail to ask for: the picture's own mark first, and only what the model knows."""
    detail: Detail = asked
    if picture.mark == "low" or picture.mark == "high":
        detail = picture.mark
    if detail not in get_args(Detail) or (detail == "original" and detail not in levels):
        return "high"
    return detail


def label(picture: Picture) -> str:
    """`Picture 3 (photo.jpg)`; the name is a stranger's, so it is kept short and on one line."""
    name = one_line(picture.attachment.name, MAX_LABEL_CHARS)
    return f"Picture {picture.number} ({name})" if name else f"Picture {picture.number}"


def nature(picture: Picture, part: int) -> str:
    """What else the model must know of what it is shown: `, page 3 of 12`."""
    told = picture.receipt.split(";", 1)[0]
    if told.startswith("storyboard"):
        return f", a {told}"
    if pages := PAGES.match(told):
        return f", page {part} of {pages[1]}"
    return f", part {part} of {len(picture.images)}" if len(picture.images) > 1 else ""


def one_line(text: str, max_chars: int) -> str:
    """A stranger's words without line breaks and control characters, shortened."""
    # Cut first: what is long beyond need shall not cost time either.
    words = "".join(c if c.isprintable() else " " for c in text[: max_chars * 4]).split()
    line = " ".join(words)
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def quoted(text: str) -> str:
    """A JSON string; half of a surrogate pair, which no JSON may carry, becomes U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(whole, ensure_ascii=False)
