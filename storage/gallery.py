"""A thread's pictures: numbered once, their prepared forms stored once under their digest."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from bot.domain import Image, ImageKey, Message, Picture, ThreadId
from bot.errors import PictureUnseen
from storage import erasure
from storage.database import Transaction
from storage.rows import by_message, to_message, to_picture, up_to, with_forms
from storage.tables import attachments, messages, pictures, threads

# Built once: a follow-up loads its pictures one by one, and building this took a third of the time.
BYTES = select(pictures.c.data).where(
    *(pictures.c[each.name] == bindparam(each.name) for each in fields(ImageKey))
)
GONE = "it is no longer kept; post it again"
DAMAGED = "its stored copy is damaged; post it again"


def numbered(transaction: Transaction, message: Row[Any], thread: ThreadId) -> list[Picture]:
    """The pictures up to this message by number; those without one get the next."""
    files = transaction.all(with_forms(up_to(message)))
    if give_numbers(transaction, message.thread, files):
        files = transaction.all(with_forms(up_to(message)))
    known = messages_of(transaction, message, thread, files)
    found = [to_picture(each, known[each.message]) for each in files if each.message in known]
    return sorted(found, key=lambda each: each.number)


def keep(transaction: Transaction, message: Row[Any], number: int, image: Image) -> None:
    """Stores a form and refers to it; a picture that was deleted meanwhile stays deleted."""
    before = of_number(transaction, message, number)
    if before is None:
        return
    transaction.run(
        update(attachments)
        .where(attachments.c.key == before.key)
        .values(
            picture=store(transaction, message, image),
            receipt=image.receipt,
            original_width=image.original_width,
            original_height=image.original_height,
        )
    )
    if before.picture is not None:
        erasure.drop_pictures(transaction, [before.picture])


def note(transaction: Transaction, message: Row[Any], number: int, receipt: str) -> None:
    """Notes what became of a picture that is not kept."""
    transaction.run(
        update(attachments)
        .where(attachments.c.thread == message.thread, attachments.c.number == number)
        .values(receipt=receipt)
    )


def load(transaction: Transaction, key: ImageKey) -> bytes:
    """The bytes under this name, which are what the name says."""
    row = transaction.first(BYTES, asdict(key))
    if row is None:
        raise PictureUnseen(GONE)
    data = bytes(row.data)
    if sha256(data).hexdigest() != key.digest:
        raise PictureUnseen(DAMAGED)
    return data


def messages_of(
    transaction: Transaction, last: Row[Any], thread: ThreadId, files: Sequence[Row[Any]]
) -> dict[int, Message]:
    """The messages up to the last one that brought something, by key."""
    grouped = by_message(files)
    return {
        each.key: to_message(each, thread, grouped[each.key])
        for each in transaction.all(select(messages).where(up_to(last)))
        if each.key in grouped
    }


def give_numbers(transaction: Transaction, thread: int, files: Sequence[Row[Any]]) -> bool:
    """Numbers attachments on from the last number ever given; whether there were any to number."""
    new = [each.key for each in files if each.number is None]
    if not new:
        return False
    last = transaction.run(
        update(threads)
        .where(threads.c.key == thread)
        .values(numbered=threads.c.numbered + len(new))
        .returning(threads.c.numbered)
    ).scalar_one()
    for number, key in enumerate(new, start=last - len(new) + 1):
        transaction.run(update(attachments).where(attachments.c.key == key).values(number=number))
    return True


def of_number(transaction: Transaction, message: Row[Any], number: int) -> Row[Any] | None:
    """The attachment with this number in the message's thread."""
    return transaction.first(
        select(attachments).where(
            attachments.c.thread == message.thread, attachments.c.number == number
        )
    )


def store(transaction: Transaction, message: Row[Any], image: Image) -> int:
    """The key of the stored form; its bytes are written only where nobody brought them before."""
    name = {
        "platform": message.platform,
        "workspace": message.workspace,
        "digest": image.digest,
        "form": image.form,
    }
    there = select(pictures.c.key).where(*(pictures.c[each] == name[each] for each in name))
    known = transaction.first(there)
    if known is not None:
        return int(known.key)
    return int(
        transaction.run(
            transaction.insert(pictures)
            .values(
                **name,
                media_type=image.media_type,
                width=image.width,
                height=image.height,
                size=len(image.data),
                data=image.data,
            )
            .returning(pictures.c.key)
        ).scalar_one()
    )
