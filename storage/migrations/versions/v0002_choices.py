"""Options, budgets let past, votes, settings by place, conversations, and several forms of a picture."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO = sa.false()


def upgrade() -> None:
    """Changes the tables, and brings over what they hold."""
    ask()
    cut()
    press()
    set_up()
    look()
    op.create_table(
        "bookmarks",
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("message", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("platform", "workspace", "channel", name="pk_bookmarks"),
    )


def ask() -> None:
    """What holds for one question alone."""
    op.add_column("messages", sa.Column("options", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("messages", sa.Column("allowed", sa.Integer()))


def cut() -> None:
    """Which threads are conversations, and when something happened last, whatever retention holds."""
    op.add_column("threads", sa.Column("cut", sa.Boolean(), nullable=False, server_default=NO))
    op.add_column("threads", sa.Column("ended_at", sa.Double()))
    op.drop_index("ix_threads_expires", "threads")
    op.execute("ALTER TABLE threads RENAME COLUMN expires TO touched")
    op.execute(TOUCHED)
    op.create_index("ix_threads_touched", "threads", ["touched"])


# Thirty days were kept unless somebody said otherwise; what came last says it better.
TOUCHED = """
UPDATE threads SET touched = coalesce(
    (SELECT max(coalesce(settled_at, asked_at)) FROM messages WHERE thread = threads.key),
    touched - 2592000
)
"""


def press() -> None:
    """Where a button stands, also where no thread is; and what people think of answers."""
    for name in ("root", "question"):
        op.add_column("buttons", sa.Column(name, WORDS, nullable=False, server_default=""))
    op.add_column("buttons", sa.Column("version", sa.Integer()))
    op.execute(PLACES)
    op.create_table(
        "votes",
        sa.Column("call", WHOLE, nullable=False),
        sa.Column("person", WORDS, nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["call"], ["calls.key"], name="fk_votes_call", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call", "person", name="pk_votes"),
    )


PLACES = """
UPDATE buttons SET
    root = coalesce((SELECT root FROM threads WHERE threads.key = buttons.thread), ''),
    question = coalesce((SELECT id FROM messages WHERE messages.key = buttons.message), '')
"""


def set_up() -> None:
    """Settings by place; until now nobody could set anything."""
    op.drop_table("settings")
    op.create_table(
        "settings",
        sa.Column("key", WHOLE, autoincrement=True, nullable=False),
        sa.Column("platform", WORDS, nullable=False),
        sa.Column("workspace", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("root", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings"),
        sa.UniqueConstraint(
            "platform", "workspace", "channel", "root", "name", name="uq_settings_platform"
        ),
    )


def look() -> None:
    """All kept forms of a picture, and all parts of each."""
    op.create_table(
        "forms",
        sa.Column("attachment", WHOLE, nullable=False),
        sa.Column("form", WORDS, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("picture", WHOLE, nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("receipt", WORDS, nullable=False),
        sa.Column("original_width", sa.Integer()),
        sa.Column("original_height", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["attachment"], ["attachments.key"], name="fk_forms_attachment", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["picture"], ["pictures.key"], name="fk_forms_picture"),
        sa.PrimaryKeyConstraint("attachment", "form", "part", name="pk_forms"),
    )
    op.create_index("ix_forms_picture", "forms", ["picture"])
    op.create_index("ix_forms_source", "forms", ["source"])
    op.execute(KEPT)


KEPT = """
INSERT INTO forms
    (attachment, form, part, picture, source, receipt, original_width, original_height)
SELECT attachments.key, pictures.form, 0, pictures.key, '', attachments.receipt,
    attachments.original_width, attachments.original_height
FROM attachments JOIN pictures ON pictures.key = attachments.picture
"""
