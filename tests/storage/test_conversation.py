"""Pictures have numbers and bytes, and the conversation is read as it happened."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import ImageKey, Scope, Spent
from bot.errors import PictureUnseen
from storage.store import SqlStore
from tests.storage.nouns import (
    THREAD,
    answer,
    answered,
    asked,
    call,
    claimed,
    image,
    message,
    reply,
)


async def numbers(store: SqlStore, question: str) -> dict[int, str]:
    """The number of each file as the claim on this question sees them."""
    claim = await asked(store, message(question))
    found = {each.number: each.attachment.id for each in await store.pictures(claim)}
    await store.settle(claim)
    return found


async def test_pictures_are_numbered_as_they_were_sent(store: SqlStore) -> None:
    await store.accept(message("2", files=("F3",), addressed=False))
    await store.accept(message("1", files=("F1", "F2"), addressed=False))

    assert await numbers(store, "3") == {1: "F1", 2: "F2", 3: "F3"}


async def test_pictures_after_the_question_wait_for_theirs(store: SqlStore) -> None:
    await store.accept(message("1", files=("F1",)))
    await store.accept(message("2", files=("F2",)))
    claim = await claimed(store)

    assert [each.attachment.id for each in await store.pictures(claim)] == ["F1"]


async def test_numbers_stay_whatever_comes_late_or_goes(store: SqlStore) -> None:
    await store.accept(message("5", files=("F5",), addressed=False))
    await store.accept(message("6", files=("F6",), addressed=False))
    assert await numbers(store, "7") == {1: "F5", 2: "F6"}

    await store.accept(message("4", files=("F4",), addressed=False))
    assert await numbers(store, "8") == {1: "F5", 2: "F6", 3: "F4"}

    await store.retract(Scope("slack", "T1", "C1", message="4"))
    await store.accept(message("8.5", files=("F8",), addressed=False))
    assert await numbers(store, "9") == {1: "F5", 2: "F6", 4: "F8"}


async def test_a_kept_picture_is_there_for_every_follow_up(store: SqlStore) -> None:
    first = await asked(store, message("1", files=("F1",)))
    (picture,) = await store.pictures(first)
    assert picture.pending
    await store.keep(first, picture.number, image(b"bytes"))
    await store.settle(first)

    second = await asked(store, message("2"))
    (kept,) = await store.pictures(second)

    assert (kept.receipt, kept.width, kept.height, kept.pending) == ("seen", 16, 12, False)
    assert kept.image is not None
    assert (kept.image.width, kept.image.height, kept.image.size) == (8, 6, 5)
    assert await store.load(kept.image.key) == b"bytes"


async def test_equal_bytes_are_stored_once_in_a_workspace_and_never_shared_between_two(
    store: SqlStore,
) -> None:
    other = replace(THREAD, workspace="T2", root="x")
    for place in (THREAD, replace(THREAD, root="b"), other):
        claim = await asked(store, message(place.root, thread=place, files=("F1",), sent_at=1.0))
        await store.pictures(claim)
        await store.keep(claim, 1, image(b"same"))

    assert await rows(store, "pictures") == 2
    await store.retract(Scope("slack", "T2"))
    key = ImageKey("slack", "T1", image(b"same").digest, "tile-768")
    assert await store.load(key) == b"same"
    with pytest.raises(PictureUnseen):
        await store.load(replace(key, workspace="T2"))


async def test_a_picture_deleted_while_it_was_prepared_stays_deleted(store: SqlStore) -> None:
    await store.accept(message("1", files=("F1",), addressed=False))
    claim = await asked(store, message("2"))
    await store.pictures(claim)
    await store.retract(Scope("slack", "T1", attachment="F1"))

    await store.keep(claim, 1, image())

    assert await rows(store, "pictures") == 0


async def test_damaged_bytes_are_never_shown(store: SqlStore) -> None:
    claim = await asked(store, message(files=("F1",)))
    await store.pictures(claim)
    await store.keep(claim, 1, replace(image(b"good"), data=b"evil"))

    with pytest.raises(PictureUnseen, match="damaged"):
        await store.load(ImageKey("slack", "T1", image(b"good").digest, "tile-768"))


async def test_what_could_not_be_seen_is_noted(store: SqlStore) -> None:
    claim = await asked(store, message(files=("F1",)))
    await store.pictures(claim)
    await store.note(claim, 1, "not seen: no picture; post it as PNG or JPEG")

    (picture,) = await store.pictures(claim)

    assert (picture.pending, picture.visible) == (False, False)


async def test_the_conversation_is_told_in_order_with_answers_after_their_questions(
    store: SqlStore,
) -> None:
    await store.accept(message("0.5", "Look!", files=("F1",), addressed=False, author="U2"))
    await answered(store, message("1", "What is it?"), "A cat.")
    await answered(store, message("2", "And where?"), "On a mat.")
    await store.accept(message("4", "later", addressed=False))

    turns = await store.history(await asked(store, message("3", "Why?")))

    assert [(turn.role, turn.author, turn.message, turn.text) for turn in turns] == [
        ("user", "U2", "0.5", "Look!"),
        ("user", "U1", "1", "What is it?"),
        ("assistant", "", "1", "A cat."),
        ("user", "U1", "2", "And where?"),
        ("assistant", "", "2", "On a mat."),
        ("user", "U1", "3", "Why?"),
    ]


async def test_a_question_finds_what_was_chosen_spent_and_answered_before_it(
    store: SqlStore,
) -> None:
    await store.choose(THREAD, "channel", "detail", "low")
    first = await asked(store, message("1"))
    fresh = await store.standing(first)
    number = await store.attempt(first, call())
    await store.record(first, reply(), call=number, answer=answer("0.004"))
    again = await store.standing(first)
    await store.settle(first)

    later = await store.standing(await asked(store, message("2")))

    assert (fresh.answered, again.answered, later.answered) == (False, False, True)
    assert fresh.spent == Spent(0, 0, 0, Decimal(0))
    assert later.spent == await store.thread_spent(THREAD)
    assert later.spent.cost == Decimal("0.004")
    assert fresh.choices == later.choices == await store.choices(THREAD)
    assert later.choices["channel"] == {"detail": "low"}


async def test_an_apology_a_command_and_what_comes_later_are_no_answer_before(
    store: SqlStore,
) -> None:
    sorry = await asked(store, message("1"))
    await store.record(sorry, replace(reply("Sorry."), failed=True))
    await store.settle(sorry)
    command = await asked(store, replace(message("2", "usage"), kind="command"))
    await store.record(command, reply("Nothing yet."))
    await store.settle(command)
    await answered(store, message("4"))

    assert not (await store.standing(await asked(store, message("3")))).answered


async def test_pictures_stand_on_the_turn_that_brought_them(store: SqlStore) -> None:
    claim = await asked(store, message("1", files=("F1", "F2")))
    await store.pictures(claim)
    await store.keep(claim, 2, image())

    (turn,) = await store.history(claim)

    assert [(each.number, each.attachment.id) for each in turn.pictures] == [(1, "F1"), (2, "F2")]
    assert turn.pictures[1].image is not None
    assert turn.pictures[0].message == claim.message


async def test_commands_and_apologies_are_no_part_of_the_conversation(store: SqlStore) -> None:
    first = await asked(store, message("1", "one"))
    await store.record(first, replace(reply("Sorry."), failed=True))
    await store.settle(first)
    command = await asked(store, replace(message("2", "drop 2"), kind="command"))
    await store.record(command, reply("Done."))
    await store.settle(command)

    turns = await store.history(await asked(store, message("3", "three")))

    assert [(turn.role, turn.text) for turn in turns] == [("user", "one"), ("user", "three")]


async def test_threads_never_read_each_other(store: SqlStore) -> None:
    await answered(store, message("1", "secret", files=("F1",)))
    for place in (
        replace(THREAD, root="b"),
        replace(THREAD, channel="C2"),
        replace(THREAD, workspace="T2"),
    ):
        claim = await asked(store, message(f"2{place.root}", "mine", thread=place, sent_at=2.0))

        assert [turn.text for turn in await store.history(claim)] == ["mine"]
        assert await store.pictures(claim) == []


async def rows(store: SqlStore, table: str) -> int:
    """How many rows a table has."""
    return await store._database.read(
        lambda tx: int(tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
    )
