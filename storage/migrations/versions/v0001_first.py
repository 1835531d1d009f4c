"""All tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes them, parents first."""
    op.create_table(
        "budgets",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("scope", WORDS, nullable=False),
        sa.Column("subject", WORDS, nullable=False),
        sa.Column("period", WORDS, nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("scope IN ('person', 'channel', 'workspace')", name="ck_budgets_scope"),
        sa.CheckConstraint("reserved >= 0", name="ck_budgets_reserved"),
        sa.PrimaryKeyConstraint("key", name="pk_budgets"),
        sa.UniqueConstraint(
            "platform", "workspace", "scope", "subject", "period", name="uq_budgets_platform"
        ),
    )
    op.create_table(
        "pictures",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("form", WORDS, nullable=False),
        sa.Column("media_type", WORDS, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_pictures"),
        sa.UniqueConstraint("platform", "workspace", "digest", "form", name="uq_pictures_platform"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "settings",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("scope", WORDS, nullable=False),
        sa.Column("subject", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings"),
        sa.UniqueConstraint(
            "platform", "workspace", "scope", "subject", "name", name="uq_settings_platform"
        ),
    )
    op.create_table(
        "threads",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("root", WORDS, nullable=False),
        sa.Column("due", sa.Double()),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("claimed", WHOLE),
        sa.Column("numbered", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_threads"),
        sa.UniqueConstraint("platform", "workspace", "channel", "root", name="uq_threads_platform"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_threads_due_work",
        "threads",
        ["platform", "due"],
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    )
    op.create_index("ix_threads_expires", "threads", ["expires"])
    op.create_table(
        "tombstones",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("root", WORDS, nullable=False),
        sa.Column("message", WORDS, nullable=False),
        sa.Column("attachment", WORDS, nullable=False),
        sa.Column("erased_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_tombstones"),
        sa.UniqueConstraint(
            "platform",
            "workspace",
            "channel",
            "root",
            "message",
            "attachment",
            name="uq_tombstones_platform",
        ),
    )
    op.create_index("ix_tombstones_erased_at", "tombstones", ["erased_at"])
    op.create_table(
        "messages",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("thread", WHOLE, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("author", WORDS, nullable=False),
        sa.Column("text", WORDS, nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("addressed", sa.Boolean(), nullable=False),
        sa.Column("to_others", sa.Boolean(), nullable=False),
        sa.Column("edited_at", sa.Double()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.Double()),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("posts", sa.JSON(), nullable=False),
        sa.CheckConstraint("kind IN ('question', 'context', 'command')", name="ck_messages_kind"),
        sa.CheckConstraint("failures >= 0", name="ck_messages_failures"),
        sa.ForeignKeyConstraint(
            ["thread"], ["threads.key"], name="fk_messages_thread", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_messages"),
        sa.UniqueConstraint("platform", "workspace", "channel", "id", name="uq_messages_platform"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_order", "messages", ["thread", "sent_at", "id"])
    op.create_index("ix_messages_seen", "messages", ["platform", "sent_at"])
    op.create_index(
        "ix_messages_waiting",
        "messages",
        ["thread", "sent_at", "id"],
        sqlite_where=sa.text("addressed = 1 AND settled_at IS NULL"),
        postgresql_where=sa.text("addressed AND settled_at IS NULL"),
    )
    op.create_table(
        "answers",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("message", WHOLE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", WORDS, nullable=False),
        sa.Column("footer", sa.JSON(), nullable=False),
        sa.Column("receipts", sa.JSON(), nullable=False),
        sa.Column("buttons", sa.JSON(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message"], ["messages.key"], name="fk_answers_message", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_answers"),
        sa.UniqueConstraint("message", "version", name="uq_answers_message"),
    )
    op.create_table(
        "attachments",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("thread", WHOLE, nullable=False),
        sa.Column("message", WHOLE, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("media_type", WORDS, nullable=False),
        sa.Column("size", WHOLE),
        sa.Column("url", WORDS, nullable=False),
        sa.Column("width", WHOLE),
        sa.Column("height", WHOLE),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("mark", WORDS, nullable=False),
        sa.Column("receipt", WORDS, nullable=False),
        sa.Column("original_width", sa.Integer()),
        sa.Column("original_height", sa.Integer()),
        sa.Column("picture", WHOLE),
        sa.CheckConstraint(
            "mark IN ('', 'pinned', 'dropped', 'low', 'high')", name="ck_attachments_mark"
        ),
        sa.ForeignKeyConstraint(
            ["message"], ["messages.key"], name="fk_attachments_message", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["picture"], ["pictures.key"], name="fk_attachments_picture"),
        sa.ForeignKeyConstraint(
            ["thread"], ["threads.key"], name="fk_attachments_thread", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_attachments"),
        sa.UniqueConstraint("message", "id", name="uq_attachments_message"),
        sa.UniqueConstraint("thread", "number", name="uq_attachments_thread"),
    )
    op.create_index("ix_attachments_id", "attachments", ["id"])
    op.create_index("ix_attachments_picture", "attachments", ["picture"])
    op.create_table(
        "buttons",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("token", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("thread", WHOLE),
        sa.Column("message", WHOLE),
        sa.Column("action", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.Column("person", WORDS, nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message"], ["messages.key"], name="fk_buttons_message", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["thread"], ["threads.key"], name="fk_buttons_thread", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_buttons"),
        sa.UniqueConstraint("token", name="uq_buttons_token"),
    )
    op.create_index("ix_buttons_expires", "buttons", ["expires"])
    op.create_index("ix_buttons_message", "buttons", ["message"])
    op.create_index("ix_buttons_thread", "buttons", ["thread"])
    op.create_table(
        "calls",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("thread", WHOLE),
        sa.Column("message", WHOLE),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("person", WORDS, nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("day", WORDS, nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.Column("model", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("estimated_input", sa.BigInteger()),
        sa.Column("reserve", sa.BigInteger()),
        sa.Column("price_source", WORDS, nullable=False),
        sa.Column("outcome", WORDS),
        sa.Column("possibly_charged", sa.Boolean(), nullable=False),
        sa.Column("answered_by", WORDS),
        sa.Column("finish", WORDS),
        sa.Column("input", sa.BigInteger()),
        sa.Column("cached", sa.BigInteger()),
        sa.Column("cache_written", sa.BigInteger()),
        sa.Column("output", sa.BigInteger()),
        sa.Column("reasoning", sa.BigInteger()),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("list_cost", sa.BigInteger()),
        sa.CheckConstraint("outcome IN ('answered', 'failed', 'lost')", name="ck_calls_outcome"),
        sa.ForeignKeyConstraint(
            ["message"], ["messages.key"], name="fk_calls_message", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["thread"], ["threads.key"], name="fk_calls_thread", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_calls"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_calls_message", "calls", ["message"])
    op.create_index("ix_calls_started_at", "calls", ["started_at"])
    op.create_index("ix_calls_thread", "calls", ["thread"])
    op.create_table(
        "reservations",
        sa.Column("call", WHOLE, nullable=False),
        sa.Column("budget", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["budget"], ["budgets.key"], name="fk_reservations_budget"),
        sa.ForeignKeyConstraint(
            ["call"], ["calls.key"], name="fk_reservations_call", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call", "budget", name="pk_reservations"),
    )
    op.create_index("ix_reservations_budget", "reservations", ["budget"])
