"""Rows ↔ nouns: the only place that knows both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import isfinite
from typing import Any

from sqlalchemy import Double, Row, Select, and_, bindparam, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from bot.domain import (
    Attachment,
    Button,
    ImageKey,
    Message,
    Picture,
    PostId,
    Reply,
    StoredImage,
    ThreadId,
)
from bot.errors import PermanentError
from storage.faults import UNFIT
from storage.tables import Words, attachments, clean, forms, messages, pictures, threads

# Whole numbers that both databases hold; what a platform claims beyond that says nothing.
LARGEST = 2**53

IN_ORDER = (messages.c.sent_at, messages.c.id)
THREAD_PARTS = ("platform", "workspace", "channel", "root")
POST_PARTS = ("platform", "workspace", "channel", "id")


# Conditions with names to be filled in: a statement that is built once is twice as fast.
# The row of a thread, and that of a message, whichever thread it is known in.
WITHIN = and_(*(threads.c[name] == bindparam(f"in_{name}") for name in THREAD_PARTS))
OF_POST = and_(*(messages.c[name] == bindparam(f"post_{name}") for name in POST_PARTS))
LOCKED = select(threads.c.key).where(WITHIN).with_for_update()
THREAD_KEY = select(threads.c.key).where(WITHIN).scalar_subquery()
# The messages of a thread up to and with one, in the thread's order.
UP_TO = and_(
    messages.c.thread == THREAD_KEY,
    tuple_(*IN_ORDER)
    <= tuple_(bindparam("last_at", type_=Double), bindparam("last_id", type_=Words)),
)


def in_thread(thread: ThreadId) -> dict[str, str]:
    """What to fill into `WITHIN`."""
    return {
        "in_platform": thread.platform,
        "in_workspace": thread.workspace,
        "in_channel": thread.channel,
        "in_root": thread.root,
    }


def as_post(place: ThreadId, post: str) -> dict[str, str]:
    """What to fill into `OF_POST`."""
    return {
        "post_platform": place.platform,
        "post_workspace": place.workspace,
        "post_channel": place.channel,
        "post_id": post,
    }


def up_to(message: Message) -> dict[str, object]:
    """What to fill into `UP_TO`."""
    return {**in_thread(message.thread), "last_at": message.sent_at, "last_id": message.id}


def or_all(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """A place that is either named, or left empty and so stands for all."""
    return column.in_(["", bindparam(name, type_=Words)])


def tidy(message: Message) -> Message:
    """The message as it will come back from the database, so that it can be compared.

    Raises PermanentError when nobody can say when it was sent.
    """
    if not isfinite(message.sent_at) or not isfinite(message.edited_at or 0.0):
        raise PermanentError(UNFIT)
    unique: dict[str, Attachment] = {}
    for each in map(tidy_attachment, message.attachments):
        unique.setdefault(each.id, each)
    return replace(
        message,
        thread=ThreadId(*(clean(part) for part in thread_parts(message.thread))),
        id=clean(message.id),
        author=clean(message.author),
        text=clean(message.text),
        attachments=tuple(unique.values()),
        options={clean(name): clean(value) for name, value in message.options.items()},
    )


def tidy_attachment(attachment: Attachment) -> Attachment:
    """The attachment with numbers that mean something."""
    return replace(
        attachment,
        id=clean(attachment.id),
        name=clean(attachment.name),
        media_type=clean(attachment.media_type),
        url=clean(attachment.url),
        size=claimed(attachment.size),
        width=claimed(attachment.width),
        height=claimed(attachment.height),
    )


def claimed(number: int | None) -> int | None:
    """A number that a platform claims, or None where it cannot be meant."""
    return number if number is not None and 0 <= number <= LARGEST else None


def thread_parts(thread: ThreadId) -> tuple[str, str, str, str]:
    """The four fields that name a thread."""
    return thread.platform, thread.workspace, thread.channel, thread.root


def message_columns(message: Message) -> dict[str, object]:
    """What a delivery says of a message, as columns."""
    return {
        "author": message.author,
        "text": message.text,
        "sent_at": message.sent_at,
        "kind": message.kind,
        "addressed": message.addressed,
        "to_others": message.to_others,
        "edited_at": message.edited_at,
        "options": dict(message.options),
    }


def attachment_columns(attachment: Attachment, position: int) -> dict[str, object]:
    """What a delivery says of an attachment, as columns."""
    return {
        "position": position,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "url": attachment.url,
        "width": attachment.width,
        "height": attachment.height,
        "linked": attachment.linked,
    }


def to_message(row: Row[Any], thread: ThreadId, files: Iterable[Row[Any]]) -> Message:
    """A row of `messages` and its rows of `attachments`, in order."""
    return Message(
        thread=thread,
        id=row.id,
        author=row.author,
        text=row.text,
        sent_at=row.sent_at,
        attachments=tuple(to_attachment(each) for each in files),
        kind=row.kind,
        addressed=row.addressed,
        to_others=row.to_others,
        edited_at=row.edited_at,
        options=row.options,
    )


def to_thread(row: Row[Any]) -> ThreadId:
    """A row that names a thread."""
    return ThreadId(row.platform, row.workspace, row.channel, row.root)


def to_attachment(row: Row[Any]) -> Attachment:
    """A row of `attachments`."""
    return Attachment(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        url=row.url,
        width=row.width,
        height=row.height,
        linked=row.linked,
    )


def with_forms(condition: ColumnElement[bool]) -> Select[Any]:
    """Attachments in the thread's order, a row for each part of each kept form, without the bytes."""
    return (
        select(
            attachments,
            forms.c.picture.label("part_picture"),
            pictures.c.digest,
            pictures.c.form,
            pictures.c.media_type.label("kept_type"),
            pictures.c.width.label("kept_width"),
            pictures.c.height.label("kept_height"),
            pictures.c.size.label("kept_size"),
        )
        .join(messages, messages.c.key == attachments.c.message)
        .outerjoin(forms, forms.c.attachment == attachments.c.key)
        .outerjoin(pictures, pictures.c.key == forms.c.picture)
        .where(condition)
        .order_by(*IN_ORDER, attachments.c.position)
        .order_by(attachments.c.key, forms.c.form, forms.c.part)
    )


# The files of the messages up to one.
SHOWN = with_forms(UP_TO)


# The rows of `with_forms` that belong to one attachment.
File = Sequence[Row[Any]]


def by_message(rows: Iterable[Row[Any]]) -> Mapping[int, list[File]]:
    """Rows of `with_forms` by attachment, under the key of their message."""
    grouped: dict[int, list[File]] = {}
    for _, each in groupby(rows, key=lambda row: row.key):
        file = list(each)
        grouped.setdefault(file[0].message, []).append(file)
    return grouped


def heads(files: Iterable[File]) -> Iterator[Row[Any]]:
    """One row of each."""
    return (each[0] for each in files)


def to_picture(file: File, message: Message, number: int | None = None) -> Picture:
    """A numbered file, or one that gets this number."""
    row = file[0]
    kept = to_forms(file, message.thread)
    shown = kept.get(row.picture, ())
    return Picture(
        number=row.number if number is None else number,
        message=message,
        attachment=to_attachment(row),
        image=shown[0] if shown else None,
        width=row.original_width,
        height=row.original_height,
        mark=row.mark,
        more=shown[1:],
        receipt=row.receipt,
        forms=tuple(sorted(kept.values(), key=pixels, reverse=True)),
    )


def to_forms(file: File, thread: ThreadId) -> dict[int, tuple[StoredImage, ...]]:
    """Each kept form with its parts in order, under the key of its first part."""
    if file[0].part_picture is None:
        return {}
    parts = (list(each) for _, each in groupby(file, key=lambda row: row.form))
    return {
        each[0].part_picture: tuple(to_stored_image(row, thread) for row in each) for each in parts
    }


def pixels(form: Sequence[StoredImage]) -> int:
    """How much can be seen in a form."""
    return sum(each.width * each.height for each in form)


def to_stored_image(row: Row[Any], thread: ThreadId) -> StoredImage:
    """The part of a form in a row of `with_forms`."""
    return StoredImage(
        key=ImageKey(thread.platform, thread.workspace, row.digest, row.form),
        media_type=row.kept_type,
        width=row.kept_width,
        height=row.kept_height,
        size=row.kept_size,
    )


def reply_columns(reply: Reply) -> dict[str, object]:
    """A reply as columns."""
    return {
        "text": reply.text,
        "footer": [clean(line) for line in reply.footer],
        "receipts": [clean(line) for line in reply.receipts],
        "buttons": [[clean(b.label), clean(b.token), b.style] for b in reply.buttons],
        "failed": reply.failed,
    }


def to_reply(row: Row[Any]) -> Reply:
    """A row of `answers`."""
    return Reply(
        text=row.text,
        footer=tuple(row.footer),
        receipts=tuple(row.receipts),
        failed=row.failed,
        buttons=tuple(Button(*each) for each in row.buttons),
    )


def to_posts(stored: Iterable[str]) -> tuple[PostId, ...]:
    """Ids of posts, first to last."""
    return tuple(stored)
