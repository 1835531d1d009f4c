"""What comes in is stored once, however often it comes."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain import Attachment, Claim, Kind, ThreadId
from bot.ports import Store
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    answered,
    asked,
    claimed,
    edited,
    message,
    reply,
)


def test_the_store_is_what_the_bot_wants(store: SqlStore) -> None:
    wanted: Store = store

    assert wanted is store


async def test_a_message_comes_back_as_it_came(store: SqlStore) -> None:
    came = replace(
        message(text="Was ist das? 🐈", files=("F1", "F2")),
        to_others=True,
        edited_at=2.5,
        attachments=(
            Attachment("F1", "a.png", "image/png", 10, "https://files/1", 40, 30),
            Attachment("https://x/y.png", "y.png", url="https://x/y.png", linked=True),
        ),
    )

    claim = await asked(store, came)

    assert claim.message == came


async def test_addressed_messages_are_work_and_others_are_not(store: SqlStore) -> None:
    assert not await store.accept(message("1", addressed=False))
    assert await store.claim(PLATFORMS) is None

    assert await store.accept(message("2"))
    assert (await claimed(store)).message.id == "2"


async def test_the_same_message_twice_is_one_message(store: SqlStore) -> None:
    for addressed in (False, True, False):
        await store.accept(message(addressed=addressed, files=("F1",)))

    claim = await claimed(store)
    await store.settle(claim)

    assert (claim.version, claim.message.addressed, claim.message.kind) == (1, True, "question")
    assert await store.claim(PLATFORMS) is None


@pytest.mark.parametrize("first", ["command", "question"])
async def test_a_command_is_one_whichever_event_tells_of_it_first(
    store: SqlStore, first: Kind
) -> None:
    heard = replace(message(text="drop 1"), kind="command")
    overheard = replace(message(text="drop 1"), kind="question", addressed=False)

    for each in (heard, overheard) if first == "command" else (overheard, heard):
        await store.accept(each)

    assert (await claimed(store)).message.kind == "command"


async def test_ten_deliveries_at_once_are_one_message(store: SqlStore) -> None:
    await asyncio.gather(*(store.accept(message(addressed=bool(n % 2))) for n in range(10)))

    claim = await claimed(store)
    await store.settle(claim)

    assert await store.claim(PLATFORMS) is None


async def test_one_post_under_two_roots_is_one_message(store: SqlStore) -> None:
    elsewhere = replace(THREAD, root="another")

    await asyncio.gather(
        store.accept(message(thread=THREAD)), store.accept(message(thread=elsewhere))
    )
    await store.settle(await claimed(store))

    assert await store.claim(PLATFORMS) is None


async def test_equal_ids_in_two_workspaces_are_two_messages(store: SqlStore) -> None:
    await store.accept(message(text="ours"))
    await store.accept(message(text="theirs", thread=replace(THREAD, workspace="T2")))

    said = {(each.message.thread.workspace, each.message.text) for each in await drain(store)}

    assert said == {("T1", "ours"), ("T2", "theirs")}


async def test_a_delivery_again_brings_the_attachments_that_were_missing(store: SqlStore) -> None:
    await store.accept(message(files=("F1",)))
    await store.accept(message(files=("F2", "F1")))

    claim = await claimed(store)

    assert [each.id for each in claim.message.attachments] == ["F1", "F2"]
    assert claim.version == 2


async def test_an_older_edit_changes_nothing(store: SqlStore, clock: Clock) -> None:
    original = message(text="first")
    await store.accept(edited(original, "third", 30.0))
    await store.accept(edited(original, "second", 20.0))
    await store.accept(original)

    claim = await claimed(store)
    assert (claim.message.text, claim.version) == ("third", 1)


async def test_an_edit_may_take_an_attachment_away(store: SqlStore, clock: Clock) -> None:
    await store.accept(message(files=("F1", "F2")))
    await store.accept(replace(message(files=("F2",)), edited_at=5.0))

    clock.move(3.0)
    assert [each.id for each in (await claimed(store)).message.attachments] == ["F2"]


async def test_an_edit_of_the_last_question_is_work_again_after_quiet_seconds(
    store: SqlStore, clock: Clock
) -> None:
    question = message()
    await answered(store, question)

    assert await store.accept(edited(question, "And now?", 10.0), quiet=3.0)

    clock.move(2.9)
    assert await store.claim(PLATFORMS) is None
    clock.move(0.1)
    claim = await claimed(store)
    assert (claim.message.text, claim.version, claim.failures) == ("And now?", 2, 0)
    assert claim.posts == ("post-1",)
    assert claim.reply is None


async def test_an_edit_further_up_only_changes_the_history(store: SqlStore, clock: Clock) -> None:
    first = message("1", "first")
    await answered(store, first, "An answer.")
    await answered(store, message("2"))

    assert not await store.accept(edited(first, "other words", 10.0))

    clock.move(60)
    assert await store.claim(PLATFORMS) is None
    claim = await asked(store, message("3"))
    texts = [turn.text for turn in await store.history(claim)]
    assert texts[:2] == ["other words", "An answer."]


async def test_an_edit_in_mid_answer_frees_the_thread_and_keeps_the_posts(
    store: SqlStore, clock: Clock
) -> None:
    question = message()
    claim = await asked(store, question)

    assert await store.accept(edited(question, "No, that!", 10.0))
    await store.posted(claim, ["p1"])

    assert await store.renew([claim]) == {THREAD: "edited"}
    assert await store.claim(PLATFORMS) is None
    clock.move(3.0)
    again = await claimed(store)
    assert (again.number, again.version, again.posts) == (2, 2, ("p1",))
    assert await store.renew([claim]) == {THREAD: "taken"}


async def test_an_edit_keeps_the_message_from_jumping_a_queue(
    store: SqlStore, clock: Clock
) -> None:
    await store.accept(message("1"))
    second = message("2")
    await store.accept(second)

    await store.accept(edited(second, "later", 10.0))

    assert (await claimed(store)).message.id == "1"


async def test_a_mention_that_is_added_by_an_edit_is_work(store: SqlStore, clock: Clock) -> None:
    quiet = message(addressed=False)
    await store.accept(quiet)

    assert await store.accept(replace(message(text="@bot now"), edited_at=5.0))

    clock.move(3.0)
    assert (await claimed(store)).message.text == "@bot now"


async def test_a_new_message_waits_for_the_one_being_answered(store: SqlStore) -> None:
    claim = await asked(store, message("1"))
    assert await store.accept(message("2"))

    assert await store.claim(PLATFORMS) is None
    await store.record(claim, reply())
    await store.settle(claim)
    assert (await claimed(store)).message.id == "2"


async def test_no_database_chokes_on_what_people_send(store: SqlStore) -> None:
    files = (
        Attachment("F\0\ud800", "\udfff.png", size=10**30, width=-1, height=2**70),
        Attachment("F2", "x" * 10_000),
    )
    hostile = replace(message(text="a\0b\ud83d" + "💥" * 50_000), attachments=files)

    await store.accept(hostile)
    await store.accept(hostile)
    claim = await claimed(store)

    assert claim.version == 1
    assert claim.message.text.startswith("a�b?💥")
    assert claim.message.attachments[0].size is None


async def test_options_come_back_as_they_came(store: SqlStore) -> None:
    chosen = {"model": "gpt-5.4-mini", "detail": "low", "a\0": "\ud800"}

    claim = await asked(store, replace(message(), options=chosen))

    assert claim.message.options == {"model": "gpt-5.4-mini", "detail": "low", "a�": "?"}


async def test_options_of_both_deliveries_hold_and_a_change_is_asked_anew(
    store: SqlStore, clock: Clock
) -> None:
    await store.accept(message())
    chosen = replace(message(), options={"detail": "low"})
    assert await store.accept(chosen)
    assert await store.accept(message())
    await store.accept(replace(message(), options={"model": "gpt-5.4-mini"}))

    claim = await claimed(store)
    assert claim.message.options == {"detail": "low", "model": "gpt-5.4-mini"}
    assert claim.version == 3


async def test_an_edit_keeps_what_a_form_chose(store: SqlStore, clock: Clock) -> None:
    original = replace(message(), options={"detail": "low"})
    await store.accept(original)
    await store.accept(replace(edited(original, "And now?", 5.0), options={}))
    clock.move(3)

    assert (await claimed(store)).message.options == {"detail": "low"}


async def test_who_has_asked_is_known_by_thread(store: SqlStore) -> None:
    assert await store.participation(THREAD, "U1") == "stranger"
    await store.accept(message("1", author="U1"))
    await store.accept(message("2", author="U2", addressed=False))

    assert await store.participation(THREAD, "U1") == "asker"
    assert await store.participation(THREAD, "U2") == "guest"
    assert await store.participation(replace(THREAD, root="other"), "U1") == "stranger"


async def test_the_newest_message_of_a_platform_is_known(store: SqlStore) -> None:
    assert await store.last_seen("slack") is None
    await store.accept(message("7", addressed=False))
    await store.accept(message("5"))
    await store.accept(message("9", thread=ThreadId("discord", "G1", "C1", "r")))

    assert await store.last_seen("slack") == 7.0


async def test_the_threads_with_the_latest_events_are_known(store: SqlStore, clock: Clock) -> None:
    for number in (1, 2, 3):
        await store.accept(message(str(number), thread=replace(THREAD, root=f"t{number}")))
        clock.move(10)
    await store.accept(message("4", thread=replace(THREAD, root="t1")))

    found = await store.recent(THREAD.platform, THREAD.workspace, most=2)

    assert [thread.root for thread in found] == ["t1", "t3"]
    assert await store.recent(THREAD.platform, "another") == []


async def drain(store: SqlStore) -> list[Claim]:
    """Claims and settles all that is due."""
    claims = []
    while claim := await store.claim(PLATFORMS):
        await store.settle(claim)
        claims.append(claim)
    return claims
