"""The tables. Promises are constraints here; nobody but `storage` reads a row.

`key` is our own number for a row, `id` is what the platform calls it. Every name that comes from
outside is unique under platform and workspace, so two workspaces can never meet; a child hangs on
its parent's key. Moments are seconds since 1970 and money is whole nano-dollars.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


def clean(words: str) -> str:
    """Text that both databases can hold: no NUL, no half of a surrogate pair."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


class Words(TypeDecorator[str]):
    """Text from outside, ordered by code point on both databases."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """PostgreSQL would otherwise order by the language of the server."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What people and platforms send may hold what no database takes."""
        return None if value is None else clean(value)


# SQLite numbers rows by itself only where the type is exactly INTEGER.
Whole = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[int]:
    """Our own number for a row.

    Where it must never be given twice, so that no late write meets a stranger, the table says
    `sqlite_autoincrement`.
    """
    return Column("key", Whole, primary_key=True, autoincrement=True)


def place() -> tuple[Column[str], Column[str]]:
    """What every name from outside starts with."""
    return Column("platform", Words, nullable=False), Column("workspace", Words, nullable=False)


def part_of(name: str, parent: str, *, nullable: bool = False, index: bool = False) -> Column[int]:
    """A reference that goes with its parent, or forgets it where it may stand alone."""
    rule = "SET NULL" if nullable else "CASCADE"
    return Column(
        name, Whole, ForeignKey(f"{parent}.key", ondelete=rule), nullable=nullable, index=index
    )


threads = Table(
    "threads",
    metadata,
    key(),
    *place(),
    Column("channel", Words, nullable=False),
    Column("root", Words, nullable=False),
    # When somebody may claim it: lease, back-off and crash recovery in one. NULL: nothing to do.
    Column("due", Double),
    # Grows with each claim and fences the writes of earlier ones.
    Column("claim", Integer, nullable=False),
    # The message that is being answered; NULL when nobody holds the thread.
    Column("claimed", Whole),
    # The last number given to a picture; it never goes back, so no number is given twice.
    Column("numbered", Integer, nullable=False),
    # When something happened here last: retention counts from it.
    Column("touched", Double, nullable=False, index=True),
    # A conversation that was cut out of a channel without threads.
    Column("cut", Boolean, nullable=False),
    # Of such a conversation: when the last message that belongs to it was sent; NULL: it goes on.
    Column("ended_at", Double),
    UniqueConstraint("platform", "workspace", "channel", "root"),
    Index(
        "ix_threads_due_work",
        "platform",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

WAITING = text("addressed AND settled_at IS NULL")
# SQLite only takes the index where a query says it in these words, and it has no booleans.
WAITING_ON_SQLITE = text("addressed = 1 AND settled_at IS NULL")

messages = Table(
    "messages",
    metadata,
    key(),
    part_of("thread", "threads"),
    *place(),
    Column("channel", Words, nullable=False),
    Column("id", Words, nullable=False),
    Column("author", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("kind", Words, nullable=False),
    Column("addressed", Boolean, nullable=False),
    Column("to_others", Boolean, nullable=False),
    Column("edited_at", Double),
    Column("version", Integer, nullable=False),
    # When it became work, or was last asked anew: patience is counted from here.
    Column("asked_at", Double, nullable=False),
    # Raised at the claim, so that a crash counts; taken back where nobody is to blame.
    Column("failures", Integer, nullable=False),
    Column("settled_at", Double),
    # Somebody pressed Stop while this version was being answered.
    Column("stopped", Boolean, nullable=False),
    # Ids of the posts that carry the reply, of whatever version.
    Column("posts", JSON, nullable=False),
    # What holds for this question alone, by name.
    Column("options", JSON, nullable=False),
    # The version that an administrator let past its budgets.
    Column("allowed", Integer),
    # A post has one id in its channel, whichever thread an event says it is in.
    UniqueConstraint("platform", "workspace", "channel", "id"),
    CheckConstraint("kind IN ('question', 'context', 'command')", name="kind"),
    CheckConstraint("failures >= 0", name="failures"),
    Index("ix_messages_order", "thread", "sent_at", "id"),
    Index(
        "ix_messages_waiting",
        "thread",
        "sent_at",
        "id",
        sqlite_where=WAITING_ON_SQLITE,
        postgresql_where=WAITING,
    ),
    Index("ix_messages_seen", "platform", "sent_at"),
    sqlite_autoincrement=True,
)

answers = Table(
    "answers",
    metadata,
    key(),
    part_of("message", "messages"),
    Column("version", Integer, nullable=False),
    Column("text", Words, nullable=False),
    Column("footer", JSON, nullable=False),
    Column("receipts", JSON, nullable=False),
    Column("buttons", JSON, nullable=False),
    Column("failed", Boolean, nullable=False),
    UniqueConstraint("message", "version"),
)

pictures = Table(
    "pictures",
    metadata,
    key(),
    *place(),
    Column("digest", Words, nullable=False),
    Column("form", Words, nullable=False),
    Column("media_type", Words, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Whole, nullable=False),
    # Last, so that reading the rest of a row never walks through the bytes.
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("platform", "workspace", "digest", "form"),
    sqlite_autoincrement=True,
)

attachments = Table(
    "attachments",
    metadata,
    key(),
    part_of("thread", "threads"),
    part_of("message", "messages"),
    Column("id", Words, nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("name", Words, nullable=False),
    Column("media_type", Words, nullable=False),
    Column("size", Whole),
    Column("url", Words, nullable=False),
    Column("width", Whole),
    Column("height", Whole),
    Column("linked", Boolean, nullable=False),
    # The picture's number in its thread; NULL until a claim first looks at it.
    Column("number", Integer),
    Column("mark", Words, nullable=False),
    Column("receipt", Words, nullable=False),
    Column("original_width", Integer),
    Column("original_height", Integer),
    # The first part of the form that is shown now.
    Column("picture", Whole, ForeignKey("pictures.key"), index=True),
    UniqueConstraint("message", "id"),
    UniqueConstraint("thread", "number"),
    CheckConstraint("mark IN ('', 'pinned', 'dropped', 'low', 'high')", name="mark"),
)

# Every kept form of an attachment, a row for each part. Bytes go with their last row here.
forms = Table(
    "forms",
    metadata,
    Column("attachment", Whole, ForeignKey("attachments.key", ondelete="CASCADE")),
    Column("form", Words),
    Column("part", Integer),
    Column("picture", Whole, ForeignKey("pictures.key"), nullable=False, index=True),
    # The digest of the file that it was made from; empty where nobody said it.
    Column("source", Words, nullable=False, index=True),
    Column("receipt", Words, nullable=False),
    Column("original_width", Integer),
    Column("original_height", Integer),
    PrimaryKeyConstraint("attachment", "form", "part"),
)

budgets = Table(
    "budgets",
    metadata,
    key(),
    *place(),
    Column("scope", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("period", Words, nullable=False),
    Column("cap", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    UniqueConstraint("platform", "workspace", "scope", "subject", "period"),
    CheckConstraint("scope IN ('person', 'channel', 'workspace')", name="scope"),
    CheckConstraint("reserved >= 0", name="reserved"),
)

# The ledger: a row for each call, written before it. It outlives what it was about.
calls = Table(
    "calls",
    metadata,
    key(),
    part_of("thread", "threads", nullable=True, index=True),
    part_of("message", "messages", nullable=True, index=True),
    *place(),
    Column("channel", Words, nullable=False),
    Column("person", Words, nullable=False),
    Column("claim", Integer, nullable=False),
    Column("day", Words, nullable=False),
    Column("started_at", Double, nullable=False, index=True),
    Column("ended_at", Double),
    Column("model", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Column("estimated_input", BigInteger),
    Column("reserve", BigInteger),
    Column("price_source", Words, nullable=False),
    # NULL while it is open; `lost` when nobody learned how it ended.
    Column("outcome", Words),
    Column("possibly_charged", Boolean, nullable=False),
    # What the API says: the model that answered, and its usage by kind.
    Column("answered_by", Words),
    Column("finish", Words),
    Column("input", BigInteger),
    Column("cached", BigInteger),
    Column("cache_written", BigInteger),
    Column("output", BigInteger),
    Column("reasoning", BigInteger),
    Column("cost", BigInteger),
    Column("list_cost", BigInteger),
    CheckConstraint("outcome IN ('answered', 'failed', 'lost')", name="outcome"),
    sqlite_autoincrement=True,
)

# Which budgets hold a call's reserve while it is open, or its cost when it is closed.
reservations = Table(
    "reservations",
    metadata,
    Column("call", Whole, ForeignKey("calls.key", ondelete="CASCADE"), primary_key=True),
    Column("budget", Whole, ForeignKey("budgets.key"), primary_key=True, index=True),
)

# What people think of an answer, by the call that gave it: the ledger tells it.
votes = Table(
    "votes",
    metadata,
    Column("call", Whole, ForeignKey("calls.key", ondelete="CASCADE")),
    Column("person", Words),
    Column("good", Boolean, nullable=False),
    PrimaryKeyConstraint("call", "person"),
)

# What was set for a thread, a channel or a workspace. An empty field stands for all.
settings = Table(
    "settings",
    metadata,
    key(),
    *place(),
    Column("channel", Words, nullable=False),
    Column("root", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("value", Words, nullable=False),
    UniqueConstraint("platform", "workspace", "channel", "root", "name"),
)

# How far a channel was read.
bookmarks = Table(
    "bookmarks",
    metadata,
    *place(),
    Column("channel", Words, nullable=False),
    Column("message", Words, nullable=False),
    PrimaryKeyConstraint("platform", "workspace", "channel"),
)

buttons = Table(
    "buttons",
    metadata,
    key(),
    *place(),
    Column("token", Words, nullable=False, unique=True),
    # Where it stands, and under the reply to what; empty under a card that belongs to neither.
    Column("channel", Words, nullable=False),
    Column("root", Words, nullable=False),
    Column("question", Words, nullable=False),
    # The same as rows, where they are known: a button goes with them.
    Column("thread", Whole, ForeignKey("threads.key", ondelete="CASCADE"), index=True),
    Column("message", Whole, ForeignKey("messages.key", ondelete="CASCADE"), index=True),
    Column("action", Words, nullable=False),
    Column("value", Words, nullable=False),
    # Who may press it beside administrators; empty: everybody.
    Column("person", Words, nullable=False),
    # The version of the message that it was last offered for.
    Column("version", Integer),
    Column("expires", Double, nullable=False, index=True),
)

# What was deleted and must stay so. An empty field stands for all.
tombstones = Table(
    "tombstones",
    metadata,
    key(),
    *place(),
    Column("channel", Words, nullable=False),
    Column("root", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("attachment", Words, nullable=False),
    # A thread, channel or workspace is dead up to then: what people write there later is new.
    Column("erased_at", Double, nullable=False, index=True),
    UniqueConstraint("platform", "workspace", "channel", "root", "message", "attachment"),
)
