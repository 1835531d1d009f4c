"""A thread's pictures: numbered once, their prepared forms stored once under their digest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from bot.domain import Image, ImageKey, Mark, Message, Picture, ThreadId
from bot.errors import PictureUnseen
from storage import erasure
from storage.database import Transaction
from storage.rows import (
    LARGEST,
    File,
    by_message,
    heads,
    to_message,
    to_picture,
    up_to,
    with_forms,
    within,
)
from storage.tables import attachments, clean, forms, messages, pictures, threads

# Built once: a follow-up loads its pictures one by one, and building this took a third of the time.
BYTES = select(pictures.c.data).where(
    *(pictures.c[each.name] == bindparam(each.name) for each in fields(ImageKey))
)
# An attachment that has a form made of this file, and all parts of that.
DONOR = (
    select(forms.c.attachment)
    .join(pictures, pictures.c.key == forms.c.picture)
    .where(
        forms.c.source == bindparam("source"),
        forms.c.form == bindparam("named"),
        pictures.c.platform == bindparam("platform"),
        pictures.c.workspace == bindparam("workspace"),
    )
    .limit(1)
)
DONATED = (
    select(forms)
    .where(forms.c.attachment == DONOR.scalar_subquery(), forms.c.form == bindparam("named"))
    .order_by(forms.c.part)
)
GONE = "it is no longer kept; post it again"
DAMAGED = "its stored copy is damaged; post it again"


def numbered(transaction: Transaction, message: Row[Any], thread: ThreadId) -> list[Picture]:
    """The pictures up to this message by number; those without one get the next."""
    rows = transaction.all(with_forms(up_to(message)))
    if give_numbers(transaction, message.thread, rows):
        rows = transaction.all(with_forms(up_to(message)))
    files = by_message(rows)
    known = messages_of(transaction, message, thread, files)
    found = [to_picture(each, known[key]) for key in known for each in files[key]]
    return sorted(found, key=lambda each: each.number)


def keep(transaction: Transaction, message: Row[Any], number: int, images: Sequence[Image]) -> None:
    """Stores a form and shows it; a picture that was deleted meanwhile stays deleted."""
    before = of_number(transaction, message, number)
    if before is None:
        return
    first = images[0]
    parts = [
        {
            "attachment": before.key,
            "form": clean(first.form),
            "part": part,
            "picture": store(transaction, message, each),
            "source": clean(first.source),
            "receipt": clean(first.receipt),
            "original_width": first.original_width,
            "original_height": first.original_height,
        }
        for part, each in enumerate(images)
    ]
    add_form(transaction, before.key, parts)


def recall(
    transaction: Transaction, message: Row[Any], number: int, form: str, source: str
) -> bool:
    """Whether a form that is there already is shown from now on."""
    attachment = of_number(transaction, message, number)
    if attachment is None:
        return False
    own = select(forms).where(forms.c.attachment == attachment.key, forms.c.form == form)
    parts = transaction.all(own.order_by(forms.c.part))
    if parts:
        show(transaction, attachment.key, dict(parts[0]._mapping))
        return True
    copied = of_same_file(transaction, message, form, source)
    if copied:
        rows = [{**each._mapping, "attachment": attachment.key} for each in copied]
        add_form(transaction, attachment.key, rows)
    return bool(copied)


def of_same_file(
    transaction: Transaction, message: Row[Any], form: str, source: str
) -> list[Row[Any]]:
    """The parts of a form that was made of this file elsewhere in the workspace."""
    return transaction.all(DONATED, of_file(message, source, form)) if source else []


def knows(transaction: Transaction, place: ThreadId, source: str, form: str) -> bool:
    """Whether there is such a form."""
    return bool(source) and transaction.first(DONOR, of_file(place, source, form)) is not None


def of_file(place: ThreadId | Row[Any], source: str, form: str) -> dict[str, str]:
    """What to fill into `DONOR`."""
    return {
        "platform": place.platform,
        "workspace": place.workspace,
        "source": source,
        "named": form,
    }


def add_form(transaction: Transaction, attachment: int, parts: Sequence[Mapping[str, Any]]) -> None:
    """Shows a form in the place of one of the same name, whose bytes may go."""
    same = (forms.c.attachment == attachment, forms.c.form == parts[0]["form"])
    replaced = transaction.run(delete(forms).where(*same).returning(forms.c.picture))
    before = [each.picture for each in replaced]
    transaction.run(insert(forms), list(parts))
    show(transaction, attachment, parts[0])
    erasure.drop_pictures(transaction, before)


def show(transaction: Transaction, attachment: int, first: Mapping[str, Any]) -> None:
    """Takes a form into use, by the row of its first part."""
    names = ("picture", "receipt", "original_width", "original_height")
    transaction.run(
        update(attachments)
        .where(attachments.c.key == attachment)
        .values({name: first[name] for name in names})
    )


def mark(
    transaction: Transaction, thread: ThreadId, numbers: Collection[int], wanted: Mark
) -> list[int]:
    """The numbers that have the mark now."""
    key = select(threads.c.key).where(within(thread)).with_for_update()
    there = transaction.first(key)
    return [] if there is None else mark_in(transaction, there.key, numbers, wanted)


def mark_in(
    transaction: Transaction, thread: int, numbers: Collection[int], wanted: Mark
) -> list[int]:
    """The same in the thread with this key."""
    possible = [each for each in numbers if 0 < each <= LARGEST]
    marked = (
        update(attachments)
        .where(attachments.c.thread == thread, attachments.c.number.in_(possible))
        .values(mark=wanted)
        .returning(attachments.c.number)
    )
    return sorted(each.number for each in transaction.run(marked))


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
    transaction: Transaction,
    last: Row[Any],
    thread: ThreadId,
    files: Mapping[int, Sequence[File]],
) -> dict[int, Message]:
    """The messages up to the last one that brought something, by key."""
    return {
        each.key: to_message(each, thread, heads(files[each.key]))
        for each in transaction.all(select(messages).where(up_to(last)))
        if each.key in files
    }


def give_numbers(transaction: Transaction, thread: int, rows: Sequence[Row[Any]]) -> bool:
    """Numbers attachments on from the last number ever given; whether there were any to number."""
    new = unnumbered(rows)
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


def unnumbered(rows: Sequence[Row[Any]]) -> list[int]:
    """The keys of attachments that wait for a number, in the order in which they get it."""
    return [each.key for each in rows if each.number is None]


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
