"""The nouns. Pure values: no I/O, no platform, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Detail = Literal["low", "high", "auto", "original"]
Kind = Literal["question", "context", "command"]
Mark = Literal["", "pinned", "dropped", "low", "high"]
Finish = Literal["stop", "length", "filtered", "cut"]
Loss = Literal["taken", "edited", "deleted", "stopped"]
Action = Literal[
    "stop",  # ends the answer that is being written
    "again",  # asks the same question anew
    "closer",  # asks the same question anew at high detail
    "mark",  # sets marks on pictures of the thread: `low 1 2`, `dropped 3`
    "up",  # the answer was good
    "down",  # the answer was bad
    "ask",  # posts the question of an estimate and answers it
    "more",  # asks on where nothing but an interaction reaches the bot
    "allow",  # lets one question past its budgets
    "forget",  # erases what a person asked
]
Pressed = Literal["stopped", "again", "counted", "marked", "allowed", "late", "stranger"]
Level = Literal["thread", "channel", "workspace", "environment"]
PostId = str


@dataclass(frozen=True, slots=True)
class ThreadId:
    """Where one conversation happens; every key in the database starts with its first two fields."""

    platform: str
    workspace: str
    channel: str
    root: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a file is; never its bytes."""

    id: str
    name: str
    media_type: str = ""
    """As the platform claims it; only the bytes decide."""
    size: int | None = None
    """Bytes, as the platform claims."""
    url: str = ""
    width: int | None = None
    """Pixels, as the platform claims; good enough for an estimate, never for a decoder."""
    height: int | None = None
    linked: bool = False
    """True for a picture's address in the text: it is sent on as it is and never fetched by us."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who does something, as far as the platform's event tells."""

    id: str
    groups: tuple[str, ...] = ()
    """Ids of roles."""
    administrator: bool = False
    """True when the event itself says so; elsewhere `Adapter.administers` is asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """One post of a person, as its platform knows it."""

    thread: ThreadId
    id: str
    author: str
    text: str
    sent_at: float
    """Seconds since 1970, by the platform's clock; messages of a thread are ordered by it, then by id."""
    attachments: tuple[Attachment, ...] = ()
    kind: Kind = "question"
    addressed: bool = False
    """True when it speaks to the bot: such a message is the work until it is settled."""
    to_others: bool = False
    """True when it speaks to somebody else by mention: then it is never taken for a follow-up."""
    edited_at: float | None = None
    """Seconds since 1970; None for the first version."""
    groups: tuple[str, ...] = ()
    """More ids by which it may be allowed or denied: the author's roles, the category, the parent channel; not stored."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What a form or a button chose for this question alone: `model`, `detail`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was deleted: a workspace, or the part of it that the later fields narrow it to."""

    platform: str
    workspace: str
    channel: str | None = None
    root: str | None = None
    message: str | None = None
    attachment: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture made ready for the model: upright, bounded, and with no metadata."""

    digest: str
    """SHA-256 of `data`, in hexadecimal."""
    form: str
    """The size rule it was made for, such as `tile-768` or `patch-2048-2500`."""
    media_type: str
    width: int
    height: int
    data: bytes = field(repr=False)
    original_width: int
    """Pixels of the picture as people see it, after its orientation was applied."""
    original_height: int
    receipt: str
    """What happened to it, in plain words: `seen`, `resized 4032×3024 → 1024×768`, …"""
    source: str = ""
    """SHA-256 of the file that it was made from, in hexadecimal: the same file is not prepared twice."""


@dataclass(frozen=True, slots=True)
class ImageKey:
    """The name of a stored form; two workspaces never share one."""

    platform: str
    workspace: str
    digest: str
    form: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored form without its bytes: all that history and estimates need to know of it."""

    key: ImageKey
    media_type: str
    width: int
    height: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A numbered picture of a thread; its number never changes."""

    number: int
    message: Message
    """The message that brought it; its platform has the original as long as that exists."""
    attachment: Attachment
    image: StoredImage | None = None
    """None while it is not kept yet, when it could not be seen, and for a linked picture."""
    width: int | None = None
    """Pixels of the original as people see it; None when unknown, as for a linked picture."""
    height: int | None = None
    mark: Mark = ""
    more: tuple[StoredImage, ...] = ()
    """Further parts of the same file: the next pages of a document, the lower parts of a long screenshot."""
    receipt: str = ""
    """Empty until somebody looked: `seen`, `resized …`, or `not seen: …` with what to do."""
    forms: tuple[tuple[StoredImage, ...], ...] = ()
    """Every kept form with all its parts, also those that are not shown now."""

    @property
    def images(self) -> tuple[StoredImage, ...]:
        """All that the model is shown of it, in order."""
        return () if self.image is None else (self.image, *self.more)

    @property
    def pending(self) -> bool:
        """Whether nobody has looked at it yet."""
        return not self.receipt

    @property
    def visible(self) -> bool:
        """Whether the model can be shown it."""
        return (
            self.mark != "dropped"
            and (self.image is not None or self.attachment.linked)
            and not self.receipt.startswith("not seen")
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a conversation as the model will read it."""

    role: Literal["user", "assistant"]
    text: str
    author: str = ""
    message: str = ""
    """The id of the message that it comes from."""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """The settings that hold for one answer, resolved once."""

    model: str
    detail: Detail = "high"
    limit: int = 1000
    """Tokens that the answer may take, reasoning included."""
    instructions: str = ""
    """The system prompt."""
    thread_key: str = ""
    """A hash of the thread that helps the provider find its prompt cache."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the API counts them; `input` includes the cached and cache-written ones."""

    input: int
    output: int
    """Includes `reasoning`."""
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and what it cost."""

    text: str
    model: str
    usage: Usage
    cost: Decimal | None
    """USD, to the nano-dollar; None where the price is unknown; 0 from the offline model."""
    finish: Finish = "stop"
    said: bool = True
    """False when the model said nothing: then `text` is our own sentence about that."""
    estimated: bool = False
    """True when the stream broke before the API told its usage: then `usage` is our own estimate."""
    offline: bool = False
    """True when no provider was asked: it is free."""
    list_cost: Decimal | None = None
    """USD; only when offline and where it is known: what the same call would cost on `model`."""
    answered_by: str = ""
    """The model's name as the server told it, untrusted; empty where it told none."""
    unseen_links: tuple[int, ...] = ()
    """Numbers of linked pictures that the API could not fetch, left out of the request."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press under a reply or a card; the token is a row, so it survives a restart."""

    label: str
    token: str
    style: Literal["", "primary", "danger"] = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person reads: an answer or an apology, and under it what it cost."""

    text: str
    """Markdown, from the model: untrusted."""
    footer: tuple[str, ...] = ()
    """Lines; the first is always `1,203 in · 42 out · $0.0034`."""
    receipts: tuple[str, ...] = ()
    """A line for each picture that was changed or not seen."""
    failed: bool = False
    """True for an apology."""
    buttons: tuple[Button, ...] = ()
    answer: Answer | None = None
    """Its numbers, for programs; not stored with the reply, so None when it is posted after a crash."""
    looked: tuple[str, ...] = ()
    """Like `receipts`, but a line for every new picture, also for those simply seen; not stored."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer one message, until a deadline."""

    message: Message
    number: int
    """Grows with each claim of the thread and fences every later write."""
    version: int
    """The version of the message that is to be answered."""
    failures: int
    """Times that it was tried before and failed or died; handing back does not count."""
    until: float
    """Seconds since 1970, by the database's clock."""
    since: float = 0.0
    """When the question was asked, or asked anew, by the same clock; patience is counted from it."""
    reply: Reply | None = None
    """Recorded already and still to be posted: the model is not asked again."""
    posts: tuple[PostId, ...] = ()
    """Posts of this message's reply that are known to be on the platform, first to last."""
    stopped: bool = False
    """Somebody pressed Stop already."""
    stop: str = ""
    """The token of a Stop button, for adapters that show one while the answer is written."""
    allowed: bool = False
    """An administrator let this question past its budgets."""
    unseen: tuple[Attachment, ...] = ()
    """The message's files that nobody has looked at yet."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Something that people can do about a reply, before a token stands for it."""

    action: Action
    value: str = ""
    """What the action needs to know."""
    anybody: bool = False
    """Else only the question's author may, beside administrators."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a button's token stands for."""

    action: Action
    value: str
    """What the action needs to know, as its writer wrote it."""
    place: ThreadId
    """Where it stands; `root` is empty under a card that belongs to no thread."""
    message: str = ""
    """The id of the question under whose reply it stands."""
    person: str = ""
    """Who alone may press it, beside administrators; empty for everybody."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post of ours on its platform."""

    thread: ThreadId
    id: PostId


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question that the adapter posts for a person, for all to see, and then accepts like any other."""

    place: ThreadId
    """The channel, or the thread where `root` is not empty."""
    author: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    """The id of the message that the pictures come from, where there is one."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on money; `period` names the time it holds for, so that a new one starts by itself."""

    scope: Literal["person", "channel", "workspace"]
    subject: str
    """The person's or channel's id; empty for a workspace."""
    period: str
    """`2026-11-22` for a day, `2026-11` for a month; UTC."""
    cap: Decimal
    """USD."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the model, noted before it is made."""

    model: str
    detail: Detail
    input_tokens: int | None
    """Our estimate; None where the model's rule is unknown."""
    reserve: Decimal | None
    """USD, the most it can cost; None where the price is unknown."""
    price_source: str
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a thread, a person or a workspace has cost so far."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    """USD, over the calls whose price is known."""
    unpriced: int = 0
    """Calls whose price is unknown."""
    possibly_charged: int = 0
    """Calls whose usage never came; they stand in `cost` at the most they can have cost."""
    up: int = 0
    """Answers that people called good."""
    down: int = 0

    @property
    def priced(self) -> bool:
        """Whether `cost` says anything: not where the price of every call is unknown."""
        return self.calls == 0 or self.unpriced < self.calls


@dataclass(frozen=True, slots=True)
class Standing:
    """What a claimed question finds in its place."""

    choices: Mapping[Level, Mapping[str, str]]
    """What was set for its thread, its channel and its workspace, by name."""
    spent: Spent
    """What the thread has cost before."""
    answered: bool
    """Something that was said before it in the thread has an answer."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One line of the ledger's sums."""

    day: str
    platform: str
    workspace: str
    model: str
    spent: Spent


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One call to the model, as the ledger has it."""

    started_at: float
    """Seconds since 1970."""
    platform: str
    workspace: str
    channel: str
    person: str
    model: str
    answered_by: str
    detail: Detail
    estimated_input: int | None
    usage: Usage | None
    """None where it never came."""
    cost: Decimal | None
    """USD; the reserve where `possibly_charged`; None where the price is unknown."""
    price_source: str
    outcome: str
    """`answered`, `failed`, `lost`, or empty while it is open."""
    possibly_charged: bool


@dataclass(frozen=True, slots=True)
class PictureEstimate:
    """What one picture would cost, or why nobody can say."""

    name: str
    width: int | None = None
    height: int | None = None
    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Detail → width and height in pixels that the model sees, of each part where it is cut."""
    tokens: Mapping[str, int | None] = field(default_factory=dict)
    """Detail → tokens of all parts; None where the model refuses the picture at that detail."""
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """Detail → USD for those tokens; nothing where the price is unknown."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Detail → parts into which a very long picture is cut, where it is."""
    error: str = ""
    """Why it cannot be seen; also `size unknown` for a linked picture."""

    def refused(self, detail: Detail) -> bool:
        """Whether the model does not take it at this detail."""
        return detail in self.tokens and self.tokens[detail] is None


@dataclass(frozen=True, slots=True)
class Alternative:
    """The same question to another model."""

    model: str
    detail: Detail
    certainty: Literal["documented", "assumed"]
    input_cost: Decimal
    """USD."""
    most: Decimal
    """USD, with the answer at its limit."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a question would cost before it is asked; every figure is `about`."""

    model: str
    detail: Detail
    certainty: Literal["documented", "assumed", "unknown"]
    """How far the model's picture rule is known."""
    pictures: tuple[PictureEstimate, ...]
    text_tokens: int
    """All words of the request: instructions, labels and question."""
    question_tokens: int
    """The question alone."""
    input_tokens: int | None
    limit: int
    """Tokens that the answer may take."""
    input_cost: Decimal | None
    """USD."""
    most: Decimal | None
    """USD, with an answer of `limit` tokens."""
    follow_up_tokens: int | None
    """Input of the next question in the thread, if the answer takes half of its limit."""
    follow_up_cost: Decimal | None
    price_source: str
    thread_tokens: int = 0
    """What the thread holds already, and is sent again with every question."""
    thread_pictures: tuple[int, ...] = ()
    """Numbers of the thread's pictures among it."""
    others: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command, a shortcut or a menu item, answered at once by the process that heard it."""

    name: str
    platform: str
    workspace: str
    channel: str
    author: str
    root: str | None = None
    text: str = ""
    """What was typed after the command's name."""
    attachments: tuple[Attachment, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """`question`, `model`, `detail`, …"""
    message: str = ""
    """The id of the message that a shortcut points at."""
    groups: tuple[str, ...] = ()
    """As in `Message`."""
    administrator: bool = False
    """As in `Person`."""
    direct: bool = False
    """True in a direct message."""
    drawn: bool = True
    """False where the card has no place for a drawing."""

    @property
    def place(self) -> ThreadId:
        """Where it was given; `root` is empty outside of a thread."""
        return ThreadId(self.platform, self.workspace, self.channel, self.root or "")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that we drew."""

    name: str
    """A file's name, ending in .png."""
    data: bytes = field(repr=False)
    """PNG."""
    alt: str
    """The same in words, for those who cannot see it."""


@dataclass(frozen=True, slots=True)
class Card:
    """The answer to a command, in Markdown."""

    title: str
    text: str
    private: bool = True
    buttons: tuple[Button, ...] = ()
    drawing: Drawing | None = None
    erased: tuple[Post, ...] = ()
    """Posts of ours that the adapter deletes, since what they answered is gone."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report: what is configured or missing, and the mend."""

    name: str
    ok: bool
    text: str
