"""A person has the bot forget them; a workspace leaves."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import ImageKey, Person, Post, Scope
from bot.errors import PictureUnseen
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import (
    PLATFORMS,
    THREAD,
    answer,
    answered,
    asked,
    call,
    claimed,
    image,
    message,
    offer,
    person_day,
    reply,
)
from tests.storage.test_conversation import rows

DAY = 86_400.0
ELSEWHERE = replace(THREAD, channel="C2", root="else")


async def paid(
    store: SqlStore, name: str = "1", *, author: str = "U1", workspace: str = "T1"
) -> None:
    """An answered question with a picture, which cost something and was liked."""
    place = replace(THREAD, workspace=workspace)
    question = message(name, f"asked by {author}", thread=place, author=author, files=(f"F{name}",))
    claim = await asked(store, question)
    (*_, picture) = await store.pictures(claim)
    await store.keep(claim, picture.number, image(name.encode()), [image(b"more" + name.encode())])
    number = await store.attempt(claim, call("0.01", person_day(subject=author)))
    up = await offer(store, claim, "up", anybody=True)
    await store.record(claim, reply(f"answered to {author}"), call=number, answer=answer("0.004"))
    await store.posted(claim, [f"post-{name}"])
    await store.settle(claim)
    await store.press(up, Person("U1"))


async def test_what_a_person_said_is_gone_with_answers_and_pictures(store: SqlStore) -> None:
    await paid(store, "1", author="U1")
    await paid(store, "2", author="U2")
    await paid(store, "3", author="U1")

    posts = await store.forget("slack", "T1", "U1")

    assert posts == (Post(THREAD, "post-1"), Post(THREAD, "post-3"))
    turns = await store.conversation(THREAD)
    assert [turn.text for turn in turns] == ["asked by U2", "answered to U2"]
    assert [picture.number for turn in turns for picture in turn.pictures] == [2]
    with pytest.raises(PictureUnseen):
        await store.load(ImageKey("slack", "T1", image(b"1").digest, "tile-768"))
    assert await rows(store, "pictures") == 2
    assert await store.forget("slack", "T1", "U1") == ()


async def test_only_one_thread_is_forgotten_where_that_is_asked(store: SqlStore) -> None:
    await answered(store, message("1"))
    await answered(store, message("2", thread=ELSEWHERE))

    assert await store.forget("slack", "T1", "U1", thread=ELSEWHERE) == (Post(ELSEWHERE, "post-2"),)

    assert await store.participation(THREAD, "U1") == "asker"
    assert await store.participation(ELSEWHERE, "U1") == "stranger"


async def test_a_thread_s_cards_go_with_what_a_person_asked_there(store: SqlStore) -> None:
    await answered(store, message("1"))
    mine = await store.offer_card(THREAD, "U1", "ask", "a secret question")
    others = [
        await store.offer_card(THREAD, "U2", "ask"),
        await store.offer_card(ELSEWHERE, "U1", "ask"),
    ]

    await store.forget("slack", "T1", "U1", thread=THREAD)

    assert await store.offered(mine) is None
    assert all([await store.offered(each) for each in others])


async def test_nobody_else_is_forgotten(store: SqlStore) -> None:
    await answered(store, message("1", author="U2"))
    await answered(store, message("2", thread=replace(THREAD, workspace="T2")))
    await answered(store, message("3", author="U11"))

    assert await store.forget("slack", "T1", "U1") == ()
    assert await store.forget("discord", "T1", "U2") == ()

    assert len(await store.conversation(THREAD)) == 4


async def test_what_was_forgotten_stays_out_for_years(store: SqlStore, clock: Clock) -> None:
    await answered(store)
    await store.forget("slack", "T1", "U1")

    clock.move(400 * DAY)
    await store.purge()

    assert not await store.accept(message("1"))
    assert await store.accept(message("2"))


async def test_forgetting_ends_an_answer_that_is_being_written(store: SqlStore) -> None:
    claim = await asked(store, message("1"))
    await store.posted(claim, ["draft"])
    await store.accept(message("2", author="U2"))

    assert await store.forget("slack", "T1", "U1") == (Post(THREAD, "draft"),)

    assert await store.renew([claim]) == {THREAD: "deleted"}
    assert (await claimed(store)).message.id == "2"


async def test_a_person_who_is_forgotten_has_no_opinion_and_no_fresh_money(
    store: SqlStore,
) -> None:
    await paid(store, "1", author="U2")
    await paid(store, "2", author="U1")
    card = await store.offer_card(THREAD, "U1", "forget")

    await store.forget("slack", "T1", "U1")

    (row,) = await store.usage()
    assert (row.spent.calls, row.spent.cost, row.spent.up) == (2, Decimal("0.008"), 0)
    assert await store.offered(card) is None
    assert await store.left(THREAD, [person_day("1")]) == [Decimal("0.996")]


async def test_an_uninstalled_workspace_leaves_nothing_but_sums(store: SqlStore) -> None:
    await paid(store, "1")
    await store.accept(message("2"))
    await store.choose(THREAD, "workspace", "detail", "low")
    await store.note_read("slack", "T1", "C1", "1")
    await store.mark(THREAD, [1], "low")
    await store.offer_card(THREAD, "U1", "ask")
    await store.retract(Scope("slack", "T1", "C9", message="secret"))

    assert await store.retract(Scope("slack", "T1")) == ("post-1",)

    for table in (
        "threads",
        "messages",
        "answers",
        "attachments",
        "forms",
        "pictures",
        "settings",
        "budgets",
        "reservations",
        "buttons",
        "bookmarks",
        "votes",
    ):
        assert await rows(store, table) == 0, table
    assert await rows(store, "tombstones") == 1
    (row,) = [each async for each in store.ledger()]
    assert (row.person, row.channel, row.cost) == ("", "", Decimal("0.004"))
    assert await store.claim(PLATFORMS) is None


async def test_an_uninstalled_workspace_takes_nothing_of_another(store: SqlStore) -> None:
    for workspace in ("T1", "T2", ""):
        place = replace(THREAD, workspace=workspace)
        await paid(store, workspace=workspace)
        await store.choose(place, "workspace", "detail", "low")
        await store.choose(place, "thread", "detail", "low")
        await store.note_read("slack", workspace, "C1", "1")
        await store.mark(place, [1], "low")

    for gone in ("T1", ""):
        await store.retract(Scope("slack", gone))

    other = replace(THREAD, workspace="T2")
    (question, _) = await store.conversation(other)
    assert [picture.mark for picture in question.pictures] == ["low"]
    assert await store.load(ImageKey("slack", "T2", image(b"1").digest, "tile-768")) == b"1"
    assert await store.choices(other) == {
        "thread": {"detail": "low"},
        "channel": {},
        "workspace": {"detail": "low"},
    }
    assert await store.read_up_to("slack", "T2") == {"C1": "1"}
    assert await store.left(other, [person_day("1")]) == [Decimal("0.996")]
    (row,) = await store.usage(workspace="T2", person="U1")
    assert (row.spent.cost, row.spent.up) == (Decimal("0.004"), 1)


async def test_a_call_that_ends_after_its_workspace_left_is_still_in_the_sums(
    store: SqlStore,
) -> None:
    claim = await asked(store)
    number = await store.attempt(claim, call("0.01", person_day()))
    await store.retract(Scope("slack", "T1"))

    await store.close(claim, number, charged=False)

    assert [each.cost async for each in store.ledger()] == [Decimal(0)]
