"""What the channel holds. Pure values, and the one form in which the page gets them."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bot.domain import Attachment, Button, Card, Drawing, Message, Reply, ThreadId

PLATFORM = "web"
WORKSPACE = "local"
CHANNEL = "general"
PERSON = "you"
BOT = "threadsight"

MENTION = re.compile(rf"(?<![\w@.])@{BOT}\b", re.I)
OTHERS = re.compile(r"\s*@\w")

Json = dict[str, object]
State = Literal["writing", "waiting", "done"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody brought."""

    id: str
    name: str
    media_type: str
    """By its first bytes, one of the picture formats that browsers show; empty for anything else."""
    size: int
    width: int | None = None
    """Pixels, where the bytes tell."""
    height: int | None = None

    @property
    def json(self) -> Json:
        """As the page gets it."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.media_type,
            "size": self.size,
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True, slots=True)
class Post:
    """What a person said, as the channel keeps it."""

    number: int
    """The order in which posts came."""
    id: str
    root: str
    """The thread's first post; its own id where it is that."""
    text: str
    sent_at: float
    edited_at: float | None = None
    revision: int = 1
    """Grows with each edit."""
    deleted: bool = False
    """True for a first post that is gone while its thread goes on."""
    uploads: tuple[Upload, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """What a button chose for this question alone."""

    @property
    def addressed(self) -> bool:
        """Whether it mentions the bot."""
        return MENTION.search(self.text) is not None

    @property
    def message(self) -> Message:
        """As the bot knows it."""
        return Message(
            thread=ThreadId(PLATFORM, WORKSPACE, CHANNEL, self.root),
            id=self.id,
            author=PERSON,
            text=spoken(self.text),
            sent_at=self.sent_at,
            attachments=tuple(attachment(each) for each in self.uploads),
            addressed=self.addressed,
            to_others=not self.addressed and OTHERS.match(self.text) is not None,
            edited_at=self.edited_at,
            options=self.options,
        )

    @property
    def json(self) -> Json:
        """As the page gets it."""
        return {
            "number": self.number,
            "id": self.id,
            "root": self.root,
            "author": PERSON,
            "text": self.text,
            "sent_at": self.sent_at,
            "edited_at": self.edited_at,
            "revision": self.revision,
            "deleted": self.deleted,
            "files": [each.json for each in self.uploads],
        }


@dataclass(frozen=True, slots=True)
class Invitation:
    """A picture of ours and a question about it, offered to whoever has just seen the first answer."""

    picture: Path
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """The one visible reply to a post."""

    question: str
    root: str
    began_at: float
    state: State = "writing"
    reply: Reply = field(default_factory=lambda: Reply(""))
    stop: str = ""
    """The token of the Stop button; not kept, since it holds only while this process writes."""

    @property
    def id(self) -> str:
        """The reply's own name: the same whoever writes it, and however often."""
        return reply_id(self.question)

    @property
    def json(self) -> Json:
        """As the page gets it."""
        return {
            "id": self.id,
            "question": self.question,
            "root": self.root,
            "began_at": self.began_at,
            "state": self.state,
            "text": self.reply.text,
            "footer": list(self.reply.footer),
            "receipts": list(self.reply.receipts),
            "failed": self.reply.failed,
            "buttons": buttons(self.reply.buttons),
            "stop": self.stop if self.state == "writing" else "",
        }


def reply_id(question: str) -> str:
    """The name of the reply to a post."""
    return f"reply-{question}"


def question_of(reply: str) -> str:
    """The post that a reply of this name answers."""
    return reply.removeprefix("reply-")


def attachment(upload: Upload) -> Attachment:
    """A file as the bot knows it."""
    return Attachment(
        id=upload.id,
        name=upload.name,
        media_type=upload.media_type,
        size=upload.size,
        width=upload.width,
        height=upload.height,
    )


def buttons(given: tuple[Button, ...]) -> list[Json]:
    """Buttons as the page gets them."""
    return [{"label": each.label, "token": each.token, "style": each.style} for each in given]


def card(answer: Card) -> Json:
    """A card as the page gets it."""
    return {
        "title": answer.title,
        "text": answer.text,
        "private": answer.private,
        "buttons": buttons(answer.buttons),
        "drawing": answer.drawing and drawing(answer.drawing),
    }


def drawing(given: Drawing) -> Json:
    """A picture of ours, whole: nothing of it is kept here."""
    return {"name": given.name, "alt": given.alt, "data": b64encode(given.data).decode()}


def spoken(text: str) -> str:
    """What was said to the bot, without its name."""
    return re.sub(r"[ \t]{2,}", " ", MENTION.sub("", text)).strip() if "@" in text else text
