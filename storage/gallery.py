"""A thread's pictures: numbered once, their prepared forms stored once under their digest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, exists, select, update

from bot.domain import Image, ImageKey, Mark, Message, Picture, ThreadId
from bot.errors import PictureUnseen
from storage import erasure
from storage.database import Transaction, insert
from storage.rows import (
    IN_ORDER,
    LARGEST,
    LOCKED,
    SHOWN,
    UP_TO,
    by_message,
    heads,
    in_thread,
    to_message,
    to_picture,
    up_to,
)
from storage.tables import attachments, forms, messages, pictures, threads

# Built once: a follow-up loads its pictures one by one, and building this took a third of the time.
IMAGE_PARTS = [each.name for each in fields(ImageKey)]
BYTES = select(pictures.c.data).where(
    *(pictures.c[name] == bindparam(name) for name in IMAGE_PARTS)
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
# What every look at a picture asks for.
BROUGHT = (
    select(messages)
    .where(UP_TO, exists().where(attachments.c.message == messages.c.key))
    .order_by(*IN_ORDER)
)
NUMBERED = (
    update(threads)
    .where(threads.c.key == bindparam("thread_key"))
    .values(numbered=threads.c.numbered + bindparam("more"))
    .returning(threads.c.numbered)
)
GIVE_NUMBER = update(attachments).where(attachments.c.key == bindparam("attachment_key"))
OF_NUMBER = and_(
    attachments.c.thread == bindparam("thread_key"), attachments.c.number == bindparam("at_number")
)
CHANGE = update(attachments).where(OF_NUMBER).returning(attachments.c.key)
OWN = (
    select(forms)
    .join(attachments, attachments.c.key == forms.c.attachment)
    .where(OF_NUMBER, forms.c.form == bindparam("named"))
    .order_by(forms.c.part)
)
REPLACE = (
    delete(forms)
    .where(forms.c.attachment == bindparam("of"), forms.c.form == bindparam("named"))
    .returning(forms.c.picture)
)
ADD = insert(forms)
# The key of a stored form; the row of the same bytes stays, and nobody erases it meanwhile.
STORE = (
    insert(pictures)
    .on_conflict_do_update(index_elements=IMAGE_PARTS, set_={"size": pictures.c.size})
    .returning(pictures.c.key)
)
GONE = "it is no longer kept; post it again"
DAMAGED = "its stored copy is damaged; post it again"


def numbered(transaction: Transaction, held: Row[Any], message: Message) -> list[Picture]:
    """The pictures up to this message by number; those without one get the next."""
    here = up_to(message)
    rows = transaction.all(SHOWN, here)
    if not rows:
        return []
    new = give_numbers(transaction, held.thread, rows)
    files = by_message(rows)
    found = []
    for row in transaction.all(BROUGHT, here):
        brought = files[row.key]
        theirs = to_message(row, message.thread, heads(brought))
        found += [to_picture(each, theirs, new.get(each[0].key)) for each in brought]
    return sorted(found, key=lambda each: each.number)


def keep(transaction: Transaction, message: Row[Any], number: int, images: Sequence[Image]) -> None:
    """Stores a form and shows it; a picture that was deleted meanwhile stays deleted."""
    keys = [store(transaction, message, each) for each in images]
    first = images[0]
    parts = [
        {
            "form": first.form,
            "part": part,
            "picture": key,
            "source": first.source,
            "receipt": first.receipt,
            "original_width": first.original_width,
            "original_height": first.original_height,
        }
        for part, key in enumerate(keys)
    ]
    if not add_form(transaction, message, number, parts):
        erasure.drop_pictures(transaction, keys)


def recall(
    transaction: Transaction, message: Row[Any], number: int, form: str, source: str
) -> bool:
    """Whether there is such a form, shown from now on; a picture that was deleted stays deleted."""
    own = {"thread_key": message.thread, "at_number": number, "named": form}
    parts = transaction.all(OWN, own)
    if parts:
        show(transaction, message, number, dict(parts[0]._mapping))
        return True
    parts = transaction.all(DONATED, of_file(message, source, form)) if source else []
    if parts:
        add_form(transaction, message, number, [dict(each._mapping) for each in parts])
    return bool(parts)


def knows(transaction: Transaction, place: ThreadId, source: str, form: str) -> bool:
    """Whether a form was made of this file anywhere in the workspace."""
    return bool(source) and transaction.first(DONOR, of_file(place, source, form)) is not None


def of_file(place: ThreadId | Row[Any], source: str, form: str) -> dict[str, str]:
    """What to fill into `DONOR`."""
    return {
        "platform": place.platform,
        "workspace": place.workspace,
        "source": source,
        "named": form,
    }


def add_form(
    transaction: Transaction, message: Row[Any], number: int, parts: Sequence[Mapping[str, Any]]
) -> bool:
    """Shows a form in the place of one of the same name, whose bytes may go.

    False where the picture is gone.
    """
    attachment = show(transaction, message, number, parts[0])
    if attachment is None:
        return False
    replaced = transaction.run(REPLACE, {"of": attachment, "named": parts[0]["form"]}).all()
    transaction.run(ADD, [{**each, "attachment": attachment} for each in parts])
    erasure.drop_pictures(transaction, [each.picture for each in replaced])
    return True


def show(
    transaction: Transaction, message: Row[Any], number: int, first: Mapping[str, Any]
) -> int | None:
    """Takes a form into use, by the row of its first part."""
    names = ("picture", "receipt", "original_width", "original_height")
    return change(transaction, message, number, {name: first[name] for name in names})


def note(transaction: Transaction, message: Row[Any], number: int, receipt: str) -> None:
    """Notes what became of a picture that is not kept."""
    change(transaction, message, number, {"receipt": receipt})


def change(
    transaction: Transaction, message: Row[Any], number: int, values: Mapping[str, object]
) -> int | None:
    """Changes a picture in the message's thread; the key of its attachment, None where it is gone."""
    here = {"thread_key": message.thread, "at_number": number}
    key: int | None = transaction.run(CHANGE, {**here, **values}).scalar()
    return key


def mark(
    transaction: Transaction, thread: ThreadId, numbers: Collection[int], wanted: Mark
) -> list[int]:
    """The numbers that have the mark now."""
    there = transaction.first(LOCKED, in_thread(thread))
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


def load(transaction: Transaction, key: ImageKey) -> bytes:
    """The bytes under this name, which are what the name says."""
    row = transaction.first(BYTES, asdict(key))
    if row is None:
        raise PictureUnseen(GONE)
    data = bytes(row.data)
    if sha256(data).hexdigest() != key.digest:
        raise PictureUnseen(DAMAGED)
    return data


def give_numbers(
    transaction: Transaction, thread: int, rows: Sequence[Row[Any]]
) -> Mapping[int, int]:
    """Numbers attachments on from the last number ever given; what was given, by their keys."""
    new = unnumbered(rows)
    if not new:
        return {}
    more = {"thread_key": thread, "more": len(new)}
    last = transaction.run(NUMBERED, more).scalar_one()
    given = dict(zip(new, range(last - len(new) + 1, last + 1), strict=True))
    pairs = [{"attachment_key": key, "number": number} for key, number in given.items()]
    transaction.run(GIVE_NUMBER, pairs)
    return given


def unnumbered(rows: Sequence[Row[Any]]) -> list[int]:
    """The keys of attachments that wait for a number, in the order in which they get it."""
    return [each.key for each in rows if each.number is None]


def store(transaction: Transaction, message: Row[Any], image: Image) -> int:
    """The key of the stored form."""
    row = {
        "platform": message.platform,
        "workspace": message.workspace,
        "digest": image.digest,
        "form": image.form,
        "media_type": image.media_type,
        "width": image.width,
        "height": image.height,
        "size": len(image.data),
        "data": image.data,
    }
    return int(transaction.run(STORE, row).scalar_one())
