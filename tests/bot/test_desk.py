"""What an adapter hands in."""

from dataclasses import replace

import pytest

from bot.desk import MAX_TEXT, Desk
from bot.domain import Card, Person, Scope
from bot.terms import FollowUps
from storage.store import SqlStore
from tests.bot.building import BASE, desk_on
from tests.fakes import THREAD, posted


class Bell:
    """Counts how often the worker was woken."""

    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


async def test_a_mention_is_stored_and_wakes_the_worker(store: SqlStore) -> None:
    bell = Bell()

    await desk(store, bell).accept(posted(1))

    assert bell.rung == 1
    assert await claimed(store) == "m001"


async def test_talk_in_a_thread_where_nobody_asked_is_not_kept(store: SqlStore) -> None:
    await desk(store).accept(posted(1, addressed=False))

    assert await store.last_seen("fake") is None


@pytest.mark.parametrize(
    ("follow_ups", "author", "to_others", "answered"),
    [
        ("askers", "anna", False, True),
        ("askers", "anna", True, False),
        ("askers", "ben", False, False),
        ("everyone", "ben", False, True),
        ("everyone", "ben", True, False),
        ("mentions", "anna", False, False),
    ],
)
async def test_who_may_follow_up_without_a_mention_is_a_setting(
    store: SqlStore, follow_ups: FollowUps, author: str, to_others: bool, answered: bool
) -> None:
    entry = desk(store, follow_ups=follow_ups)
    await entry.accept(posted(1))
    await settle_all(store)

    follow_up = posted(2, "And this?", author=author, addressed=False)
    await entry.accept(replace(follow_up, to_others=to_others))

    assert (await claimed(store) == "m002") is answered


@pytest.mark.parametrize("follow_ups", ["askers", "everyone"])
async def test_a_change_of_what_was_posted_before_the_first_question_is_no_follow_up(
    store: SqlStore, follow_ups: FollowUps
) -> None:
    entry = desk(store, follow_ups=follow_ups)
    await entry.accept(posted(2, "What is it?"))
    early = posted(1, "Look", addressed=False)
    await entry.accept(early)
    await entry.accept(replace(early, text="Look!", edited_at=early.sent_at + 9))

    claim = await store.claim(["fake"])

    assert claim is not None
    assert claim.message.id == "m002"
    assert [turn.text for turn in await store.history(claim)] == ["Look!", "What is it?"]


async def test_a_follow_up_within_the_same_moment_is_one(store: SqlStore) -> None:
    entry = desk(store)
    first = posted(1)
    await entry.accept(first)
    await settle_all(store)

    await entry.accept(posted(2, "And now?", addressed=False, sent_at=first.sent_at))

    assert await claimed(store) == "m002"


async def test_the_same_post_under_two_events_is_one_question(store: SqlStore) -> None:
    entry = desk(store)
    await entry.accept(posted(1))
    await settle_all(store)

    await entry.accept(posted(1))
    await entry.accept(posted(1, addressed=False))

    assert await claimed(store) is None


async def test_addresses_of_pictures_are_taken_only_where_the_model_fetches_them(
    store: SqlStore,
) -> None:
    question = "What is https://x.org/cat.png?"
    await desk(store, links=True).accept(posted(1, question))
    await desk(store, links=False).accept(posted(2, question))

    claim = await store.claim(["fake"])

    assert claim is not None
    assert [a.url for a in claim.message.attachments] == ["https://x.org/cat.png"]
    await store.settle(claim)
    claim = await store.claim(["fake"])
    assert claim is not None
    assert claim.message.attachments == ()


async def test_a_huge_text_is_cut(store: SqlStore) -> None:
    await desk(store).accept(posted(1, "word " * MAX_TEXT))

    claim = await store.claim(["fake"])

    assert claim is not None
    assert len(claim.message.text) == MAX_TEXT


async def test_a_deleted_question_is_never_answered(store: SqlStore) -> None:
    entry = desk(store)
    await entry.accept(posted(1))

    await entry.retract(Scope("fake", "w1", "c1", message="m001"))
    await entry.accept(posted(1))

    assert await claimed(store) is None


async def test_a_button_that_stands_for_nothing_says_so(store: SqlStore) -> None:
    card = await desk(store).press("no-such-token", Person("anna"))

    assert isinstance(card, Card)
    assert "does nothing" in card.text


def desk(
    store: SqlStore,
    wake: Bell | None = None,
    *,
    follow_ups: FollowUps = "askers",
    links: bool = False,
) -> Desk:
    base = replace(BASE, follow_ups=follow_ups)
    return desk_on(store, wake=wake or Bell(), base=base, links=links)


async def claimed(store: SqlStore) -> str | None:
    claim = await store.claim(["fake"], thread=THREAD)
    return claim.message.id if claim else None


async def settle_all(store: SqlStore) -> None:
    while claim := await store.claim(["fake"]):
        await store.settle(claim)
