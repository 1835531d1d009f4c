"""What an adapter hands in."""

from dataclasses import replace

import pytest

from bot.access import Lists
from bot.desk import MAX_REMEMBERED, MAX_TEXT, Desk, Lately
from bot.domain import Attachment, Card, Level, Person, Proposal, Scope
from bot.proposals import packed
from bot.terms import FollowUps
from storage.store import SqlStore
from tests.bot.building import BASE, command, desk_on
from tests.clock import Clock
from tests.fakes import THREAD, posted

NOW = Clock().now


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


async def test_whoever_may_not_ask_is_told_once_and_nothing_is_kept(store: SqlStore) -> None:
    entry = desk_on(store, lists=Lists(denied={"fake": frozenset({"anna"})}))
    message = posted(1, sent_at=NOW)

    first = await entry.accept(message)
    again = await entry.accept(message)
    another = await entry.accept(posted(2, sent_at=NOW))

    assert first is not None
    assert first.text == "You may not use me here: ask an administrator."
    assert again is None
    assert another is not None
    assert await store.last_seen("fake") is None


async def test_nobody_hears_of_a_refusal_of_long_ago(store: SqlStore) -> None:
    entry = desk_on(store, lists=Lists(denied={"fake": frozenset({"c1"})}))

    assert await entry.accept(posted(1, sent_at=NOW - 3600)) is None


@pytest.mark.parametrize("follow_ups", ["askers", "everyone"])
async def test_whoever_may_not_ask_is_not_told_for_talking_to_others(
    store: SqlStore, follow_ups: FollowUps
) -> None:
    lists = Lists(denied={"fake": frozenset({"ben"})})
    entry = desk_on(store, lists=lists, base=replace(BASE, follow_ups=follow_ups))
    await entry.accept(posted(1, sent_at=NOW))

    talk = posted(2, "Nice!", author="ben", addressed=False, sent_at=NOW + 1)

    assert await entry.accept(talk) is None
    assert len(await store.conversation(THREAD)) == 1


async def test_a_follow_up_of_whom_is_denied_since_is_refused(store: SqlStore) -> None:
    await desk_on(store).accept(posted(1, sent_at=NOW))
    entry = desk_on(store, lists=Lists(denied={"fake": frozenset({"role"})}))

    follow_up = replace(posted(2, addressed=False, sent_at=NOW + 1), groups=("role",))

    assert await entry.accept(follow_up) is not None


async def test_an_allowed_role_lets_its_people_ask(store: SqlStore) -> None:
    entry = desk_on(store, lists=Lists(allowed={"fake": frozenset({"role"})}))

    assert await entry.accept(replace(posted(1, sent_at=NOW), groups=("role",))) is None
    assert await entry.accept(posted(2, sent_at=NOW)) is not None
    assert await claimed(store) == "m001"


@pytest.mark.parametrize("name", ["estimate", "usage", "settings", "forget", "new", "help"])
async def test_commands_are_for_whom_may_ask(store: SqlStore, name: str) -> None:
    entry = desk_on(store, lists=Lists(allowed={"fake": frozenset({"ben"})}))

    mine = await entry.run(command(name))
    his = await entry.run(command(name, author="ben"))

    assert mine.title == "Not allowed"
    assert his.title != "Not allowed"


async def test_buttons_are_not_for_whom_is_denied(store: SqlStore) -> None:
    token = await store.offer_card(THREAD, "anna", "ask", "")
    entry = desk_on(store, lists=Lists(denied={"fake": frozenset({"anna"})}))

    card = await entry.press(token, Person("anna"))

    assert isinstance(card, Card)
    assert card.title == "Not allowed"


@pytest.mark.parametrize("level", ["workspace", "channel", "thread"])
async def test_who_may_follow_up_is_set_by_place(store: SqlStore, level: Level) -> None:
    entry = desk(store)
    await entry.accept(posted(1))
    await settle_all(store)
    await store.choose(THREAD, level, "follow_ups", "everyone")

    await entry.accept(posted(2, "And this?", author="ben", addressed=False))

    assert await claimed(store) == "m002"


async def test_the_question_of_a_card_is_posted_for_whom_it_was_made_and_once(
    store: SqlStore,
) -> None:
    asked = Proposal(
        THREAD,
        "anna",
        "What is it?",
        (Attachment("F1", "a.jpg", "image/jpeg", 10, "https://x.org/a", 3, 4),),
        {"detail": "low"},
        "m007",
    )
    token = await store.offer_card(THREAD, "anna", "ask", packed(asked), message="m007")
    entry = desk(store)

    stranger = await entry.press(token, Person("ben", administrator=True))
    mine = await entry.press(token, Person("anna"))
    twice = await entry.press(token, Person("anna"))

    assert isinstance(stranger, Card)
    assert stranger.title == "Not yours"
    assert mine == asked
    assert isinstance(twice, Card)
    assert twice.title == "Already asked"


async def test_the_form_of_a_question_without_words_opens_as_often_as_it_is_wanted(
    store: SqlStore,
) -> None:
    token = await store.offer_card(THREAD, "anna", "more", "", message="m001")
    entry = desk(store)

    for _ in range(2):
        assert await entry.press(token, Person("anna")) == Proposal(
            THREAD, "anna", "", source="m001"
        )


async def test_forget_erases_all_that_a_person_asked_once_they_confirm(store: SqlStore) -> None:
    entry = desk(store)
    elsewhere = replace(THREAD, channel="c2", root="t9")
    await entry.accept(posted(1))
    await entry.accept(posted(2, thread=elsewhere))
    await entry.accept(posted(3, author="ben"))

    card = await entry.run(command("forget"))
    assert len(await store.conversation(elsewhere)) == 1
    (button,) = card.buttons
    done = await entry.press(button.token, Person("anna"))

    assert card.private
    assert button.style == "danger"
    assert isinstance(done, Card)
    assert "all that you asked in this workspace" in done.text
    assert await store.conversation(elsewhere) == []
    assert [turn.author for turn in await store.conversation(THREAD)] == ["ben"]


async def test_nobody_can_forget_for_somebody_else(store: SqlStore) -> None:
    entry = desk(store)
    await entry.accept(posted(1))
    card = await entry.run(command("forget"))

    refused = await entry.press(card.buttons[0].token, Person("chief", administrator=True))

    assert isinstance(refused, Card)
    assert refused.title == "Not yours"
    assert len(await store.conversation(THREAD)) == 1


@pytest.mark.parametrize("said", ["by command", "in words"])
async def test_new_starts_a_direct_message_afresh(store: SqlStore, said: str) -> None:
    entry = desk(store)
    direct = replace(THREAD, root="")
    await entry.accept(posted(1, thread=direct))
    card: Card | None
    if said == "by command":
        card = await entry.run(command("new", direct=True))
    else:
        card = await entry.accept(posted(2, "new", thread=direct))
    await entry.accept(posted(3, thread=direct))

    roots = []
    while claim := await store.claim(["fake"]):
        roots.append((claim.message.id, claim.message.thread.root))
        await store.settle(claim)

    assert card is not None
    assert "new conversation" in card.text
    assert sorted(roots) == [("m001", "m001"), ("m003", "m003")]


async def test_new_elsewhere_says_that_every_mention_is(store: SqlStore) -> None:
    card = await desk(store).run(command("new"))

    assert "Every question outside of a thread" in card.text


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("vision", "", "Threadsight"),
        ("vision", "help", "Threadsight"),
        ("vision", "settings detail", "Settings"),
        ("vision", "Usage me", "Usage: you"),
        ("vision", "forget", "Forget"),
        ("usage", "channel", "Usage: this channel"),
        ("nonsense", "", "Threadsight"),
    ],
)
async def test_subcommands_are_known_by_name_or_by_words(
    store: SqlStore, name: str, text: str, title: str
) -> None:
    assert (await desk(store).run(command(name, text=text))).title == title


def test_what_happened_lately_is_remembered_for_a_while_and_in_bounds() -> None:
    lately = Lately(10.0)

    assert [lately.first("a", now) for now in (0.0, 9.0, 10.0, 11.0)] == [True, False, True, False]
    for number in range(5 * MAX_REMEMBERED):
        assert lately.first(str(number), 20.0)
    assert len(lately.known) == MAX_REMEMBERED


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
