"""What is set for a place holds there and nowhere else, until it is taken back."""

from dataclasses import replace

import pytest

from bot.domain import Level, Scope, ThreadId
from bot.errors import PermanentError
from storage.database import open_database
from storage.store import SqlStore
from tests.clock import Clock
from tests.storage.nouns import THREAD, answered, message

DAY = 86_400.0
LEVELS: tuple[Level, ...] = ("thread", "channel", "workspace")
OTHERS = {
    "thread": replace(THREAD, root="else"),
    "channel": replace(THREAD, channel="C2", root="else"),
    "workspace": replace(THREAD, workspace="T2"),
}


async def test_each_level_is_told_apart(store: SqlStore) -> None:
    for level in LEVELS:
        await store.choose(THREAD, level, "detail", level)
    await store.choose(THREAD, "channel", "model", "gpt-5.4-mini")

    assert await store.choices(THREAD) == {
        "thread": {"detail": "thread"},
        "channel": {"detail": "channel", "model": "gpt-5.4-mini"},
        "workspace": {"detail": "workspace"},
    }


@pytest.mark.parametrize("level", LEVELS)
async def test_what_is_set_holds_for_its_place_alone(store: SqlStore, level: Level) -> None:
    await store.choose(THREAD, level, "detail", "low")

    elsewhere = await store.choices(OTHERS[level])

    assert elsewhere == {"thread": {}, "channel": {}, "workspace": {}}


async def test_a_channel_and_a_thread_of_the_same_name_are_two(store: SqlStore) -> None:
    await store.choose(ThreadId("slack", "T1", "C1", "C1"), "thread", "detail", "low")

    assert (await store.choices(ThreadId("slack", "T1", "C1", "")))["channel"] == {}


async def test_the_last_choice_holds_and_may_be_taken_back(store: SqlStore) -> None:
    for value in ("low", "high"):
        await store.choose(THREAD, "channel", "detail", value)
    assert (await store.choices(THREAD))["channel"] == {"detail": "high"}

    for _ in range(2):
        await store.choose(THREAD, "channel", "detail", None)

    assert (await store.choices(THREAD))["channel"] == {}


async def test_no_thread_never_means_the_whole_channel(store: SqlStore) -> None:
    with pytest.raises(PermanentError, match="no conversation here yet"):
        await store.choose(replace(THREAD, root=""), "thread", "detail", "low")


async def test_words_that_no_database_takes_are_set_all_the_same(store: SqlStore) -> None:
    for _ in range(2):
        await store.choose(THREAD, "channel", "instructions", "a\0b\ud83d" + "💥" * 10_000)

    value = (await store.choices(THREAD))["channel"]["instructions"]
    assert value.startswith("a�b?💥")


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (Scope("slack", "T1", "C1", "root"), ["channel", "workspace"]),
        (Scope("slack", "T1", "C1"), ["workspace"]),
        (Scope("slack", "T1"), []),
        (Scope("slack", "T1", "C1", message="1"), ["thread", "channel", "workspace"]),
        (Scope("slack", "T2"), ["thread", "channel", "workspace"]),
    ],
)
async def test_what_is_set_goes_with_its_place(
    store: SqlStore, scope: Scope, left: list[str]
) -> None:
    await answered(store)
    for level in LEVELS:
        await store.choose(THREAD, level, "detail", "low")

    await store.retract(scope)

    assert [level for level, names in (await store.choices(THREAD)).items() if names] == left


@pytest.mark.parametrize(
    ("level", "days", "kept"),
    [
        ("workspace", "5", 5),
        ("channel", "5", 5),
        ("thread", "5", 5),
        ("thread", "0.5", 0.5),
        ("channel", "90", 90),
        ("channel", "forever", 30),
        ("channel", "0", 30),
        ("channel", "-3", 30),
        ("channel", "nan", 30),
        ("channel", "inf", 30),
    ],
)
async def test_a_place_may_be_kept_shorter_or_longer(
    store: SqlStore, clock: Clock, level: Level, days: str, kept: float
) -> None:
    await answered(store)
    await store.choose(THREAD, level, "retention", days)

    clock.move(kept * DAY - 1)
    assert await store.purge() == 0
    clock.move(1)

    assert await store.purge() == 1


async def test_the_nearest_retention_holds(store: SqlStore, clock: Clock) -> None:
    for root in ("near", "far"):
        await answered(store, message(root, thread=replace(THREAD, root=root), sent_at=1.0))
    await answered(store, message("else", thread=replace(THREAD, channel="C2"), sent_at=1.0))
    await store.choose(THREAD, "workspace", "retention", "2")
    await store.choose(THREAD, "channel", "retention", "20")
    await store.choose(replace(THREAD, root="near"), "thread", "retention", "10")

    erased = []
    for _ in range(21):
        clock.move(DAY)
        erased.append(await store.purge())

    assert [day for day, count in enumerate(erased, start=1) if count] == [2, 10, 20]


async def test_another_workspace_is_kept_as_it_says(store: SqlStore, clock: Clock) -> None:
    await answered(store)
    other = replace(THREAD, workspace="T2")
    await store.choose(other, "workspace", "retention", "1")

    clock.move(2 * DAY)

    assert await store.purge() == 0


async def test_what_a_thread_had_set_goes_when_its_time_is_over(
    store: SqlStore, clock: Clock
) -> None:
    await answered(store)
    await store.choose(THREAD, "thread", "detail", "low")
    await store.choose(THREAD, "channel", "detail", "high")

    clock.move(30 * DAY)
    await store.purge()

    assert await store.choices(THREAD) == {
        "thread": {},
        "channel": {"detail": "high"},
        "workspace": {},
    }


async def test_how_far_a_channel_was_read_is_known(store: SqlStore) -> None:
    assert await store.read_up_to("discord", "G1") == {}

    for channel, name in (("C1", "100"), ("C2", "7"), ("C1", "120")):
        await store.note_read("discord", "G1", channel, name)
    await store.note_read("discord", "G2", "C1", "5")

    assert await store.read_up_to("discord", "G1") == {"C1": "120", "C2": "7"}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("99", "100", "100"),
        ("100", "99", "100"),
        ("1800000000.000100", "1800000000.000099", "1800000000.000100"),
        ("5", "5", "5"),
    ],
)
async def test_a_bookmark_never_goes_back(
    store: SqlStore, first: str, second: str, kept: str
) -> None:
    for name in (first, second):
        await store.note_read("discord", "G1", "C1", name)

    assert await store.read_up_to("discord", "G1") == {"C1": kept}


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (Scope("discord", "G1", "C1", "root"), {"C1": "1", "C2": "2"}),
        (Scope("discord", "G1", "C1"), {"C2": "2"}),
        (Scope("discord", "G1"), {}),
    ],
)
async def test_bookmarks_go_with_their_channel(
    store: SqlStore, scope: Scope, left: dict[str, str]
) -> None:
    for name in ("1", "2"):
        await store.note_read("discord", "G1", f"C{name}", name)

    await store.retract(scope)

    assert await store.read_up_to("discord", "G1") == left


async def test_many_threads_go_a_few_at_a_time(url: str, clock: Clock) -> None:
    async with open_database(url, clock) as database:
        store = SqlStore(database, lease_seconds=30, retention_days=30, purged_at_once=2)
        for root in "abcde":
            await answered(store, message(root, thread=replace(THREAD, root=root), sent_at=1.0))
        clock.move(30 * DAY)

        assert await store.purge() == 5
        assert await store.purge() == 0
