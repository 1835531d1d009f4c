"""Pictures are fetched, prepared and kept, each once; with the real store and real pictures."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from PIL import Image as Pillow

from bot import looking, tokens
from bot.domain import (
    Ask,
    Attachment,
    Claim,
    Detail,
    Image,
    Message,
    Picture,
    Scope,
    ThreadId,
    Turn,
)
from bot.errors import Outage, PictureUnseen, TransientError
from bot.history import Fitted
from bot.images import Darkroom
from bot.looking import Eyes
from bot.originals import Scales
from bot.tokens import Rule
from storage.store import SqlStore
from tests import pictures
from tests.fakes import THREAD, FakeAdapter, file, posted

TILE = Ask("gpt-4o")
PATCH = Ask("gpt-5.6-luna")
LARGE = pictures.photo(2400, 1800)


class CountingRoom(Darkroom):
    """A darkroom that remembers what it prepared, and may be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def prepare(
        self, data: bytes, rule: Rule, detail: Detail, source: str = ""
    ) -> tuple[Image, ...]:
        self.prepared.append(rule.form(detail))
        await self.open.wait()
        return await super().prepare(data, rule, detail, source)


class House:
    """A store, a place, and eyes on it."""

    def __init__(self, store: SqlStore, room: CountingRoom) -> None:
        self.store = store
        self.place = FakeAdapter()
        self.room = room
        self.eyes = Eyes(store, {"fake": self.place}, room)

    async def ask(self, number: int, *files: bytes, thread: ThreadId = THREAD) -> Claim:
        """A question with these files, claimed."""
        named = [
            file(self.place, f"{thread.workspace}-{thread.root}-{number}-{at}", data)
            for at, data in enumerate(files)
        ]
        await self.store.accept(posted(number, "What?", *named, thread=thread))
        claim = await self.store.claim(["fake"], thread=thread)
        assert claim is not None
        return claim

    async def picture(self, claim: Claim, number: int = 1) -> Picture:
        found = await self.store.pictures(claim)
        return found[number - 1]

    def lose(self) -> None:
        """The platform forgets all files."""
        self.place.files.clear()


@pytest.fixture
async def house(store: SqlStore) -> AsyncIterator[House]:
    room = CountingRoom()
    yield House(store, room)
    room.close()


async def test_the_same_picture_posted_again_is_not_prepared_again(house: House) -> None:
    first = await house.ask(1, LARGE)
    await house.eyes.look(first, TILE)
    other = replace(THREAD, channel="c2", root="t2")
    second = await house.ask(1, LARGE, thread=other)

    await house.eyes.look(second, TILE)

    one, two = await house.picture(first), await house.picture(second)
    assert house.room.prepared == ["tile-768"]
    assert one.image == two.image
    assert two.receipt == one.receipt == "resized 2400×1800 → 1024×768"
    assert (two.width, two.height) == (2400, 1800)


async def test_what_one_question_has_made_and_not_kept_yet_serves_the_next(house: House) -> None:
    first = await house.ask(1, LARGE)
    second = await house.ask(1, LARGE, thread=replace(THREAD, channel="c2", root="t2"))

    async with house.eyes.begun(first) as begun:
        begun.go_on(TILE)
        await asyncio.wait(begun.tasks.values())
        await house.eyes.look(second, TILE)
        await house.eyes.look(first, TILE, begun)

    assert house.room.prepared == ["tile-768"]
    assert (await house.picture(first)).image == (await house.picture(second)).image
    assert not house.eyes.originals.fresh


async def test_a_form_whose_owner_forgets_it_just_now_is_prepared_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.ask(1, LARGE)
    await house.eyes.look(first, TILE)
    second = await house.ask(1, LARGE, thread=replace(THREAD, channel="c2", root="t2"))
    recall = house.store.recall

    async def too_late(claim: Claim, number: int, form: str, *, source: str = "") -> bool:
        await house.store.forget(
            THREAD.platform, THREAD.workspace, first.message.author, thread=THREAD
        )
        return await recall(claim, number, form, source=source)

    monkeypatch.setattr(house.store, "recall", too_late)

    await house.eyes.look(second, TILE)

    assert house.room.prepared == ["tile-768"] * 2
    assert (await house.picture(second)).image


async def test_a_file_that_was_deleted_while_it_was_fetched_is_fetched_no_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.eyes.look(await house.ask(1, LARGE), TILE)
    there = replace(THREAD, channel="c2", root="t2")
    earlier = posted(1, "", file(house.place, "deleted", LARGE), thread=there)
    await house.store.accept(replace(earlier, kind="context", addressed=False))
    claim = await house.ask(2, thread=there)
    knows = house.store.knows

    async def too_late(place: ThreadId, source: str, form: str) -> bool:
        await house.store.retract(Scope(there.platform, there.workspace, attachment="deleted"))
        return await knows(place, source, form)

    monkeypatch.setattr(house.store, "knows", too_late)

    async with asyncio.timeout(10):
        await house.eyes.look(claim, TILE)

    assert house.place.fetched.count("deleted") == 1
    assert await house.store.pictures(claim) == []


async def test_another_workspace_learns_nothing_of_it(house: House) -> None:
    await house.eyes.look(await house.ask(1, LARGE), TILE)
    other = replace(THREAD, workspace="w2")

    await house.eyes.look(await house.ask(1, LARGE, thread=other), TILE)

    assert house.room.prepared == ["tile-768"] * 2


async def test_whoever_asks_for_the_same_picture_at_once_waits_for_one_preparation(
    house: House,
) -> None:
    claims = [
        await house.ask(1, LARGE, thread=replace(THREAD, channel=f"c{at}")) for at in range(5)
    ]
    house.room.open.clear()
    looks = [asyncio.create_task(house.eyes.look(claim, TILE)) for claim in claims]
    while len(house.place.fetched) < 5 or not house.room.prepared:  # noqa: ASYNC110
        await asyncio.sleep(0)
    house.room.open.set()
    await asyncio.gather(*looks)

    assert house.room.prepared == ["tile-768"]
    assert len({(await house.picture(claim)).image for claim in claims}) == 1
    assert house.eyes.originals.preparing == {}


async def test_who_is_called_off_takes_nobody_elses_picture_away(house: House) -> None:
    claims = [await house.ask(1, LARGE, thread=replace(THREAD, channel=c)) for c in "ab"]
    house.room.open.clear()
    first, second = (asyncio.create_task(house.eyes.look(claim, TILE)) for claim in claims)
    while len(house.place.fetched) < 2 or not house.room.prepared:  # noqa: ASYNC110
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait((first,))
    house.room.open.set()
    await second

    assert (await house.picture(claims[1])).image is not None


async def test_a_fault_of_preparing_reaches_all_who_waited_and_is_not_remembered(
    house: House,
) -> None:
    broken = LARGE[: len(LARGE) // 2]
    claims = [await house.ask(1, broken, thread=replace(THREAD, channel=c)) for c in "ab"]

    await asyncio.gather(*(house.eyes.look(claim, TILE) for claim in claims))

    for claim in claims:
        assert "cut off" in (await house.picture(claim)).receipt
    assert house.eyes.originals.preparing == {}


async def test_all_files_of_a_message_are_fetched_together(house: House) -> None:
    arrived = asyncio.Barrier(10)

    class Slow(FakeAdapter):
        async def fetch(self, message: Message, attachment: Attachment) -> bytes:
            async with asyncio.timeout(5):
                await arrived.wait()
            return await super().fetch(message, attachment)

    house.place = Slow()
    house.eyes.originals.adapters = {"fake": house.place}
    claim = await house.ask(1, *(pictures.png(20 + at, 20) for at in range(10)))

    await house.eyes.look(claim, TILE)

    assert all(picture.image for picture in await house.store.pictures(claim))


async def test_what_has_to_be_tried_again_has_nothing_else_fetched_again(house: House) -> None:
    away = asyncio.Event()

    class Halting(FakeAdapter):
        async def fetch(self, message: Message, attachment: Attachment) -> bytes:
            if attachment.id.endswith("-0") and not away.is_set():
                away.set()
                raise Outage("away")
            await away.wait()
            return await super().fetch(message, attachment)

    house.place = Halting()
    house.eyes.originals.adapters = {"fake": house.place}
    claim = await house.ask(1, *(pictures.png(20 + at, 20) for at in range(3)))

    with pytest.raises(TransientError, match="away") as caught:
        await house.eyes.look(claim, TILE)
    await house.eyes.look(claim, TILE)

    assert not isinstance(caught.value, Outage)
    assert sorted(house.place.fetched) == [f"w1-t1-1-{at}" for at in range(3)]
    assert all(picture.image for picture in await house.store.pictures(claim))


@pytest.mark.parametrize("failures", [0, looking.PATIENCE])
async def test_a_database_that_is_away_is_no_fault_of_a_picture(
    house: House, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    claim = replace(await house.ask(1, LARGE), failures=failures)

    async def away(place: ThreadId, source: str, form: str) -> bool:
        raise Outage("The database does not answer.")

    monkeypatch.setattr(house.store, "knows", away)

    with pytest.raises(Outage):
        await house.eyes.look(claim, TILE)

    assert (await house.picture(claim)).pending


async def test_another_detail_gets_its_own_form_and_the_first_one_is_kept(house: House) -> None:
    claim = await house.ask(1, LARGE)
    await house.eyes.look(claim, TILE)
    await house.eyes.look(claim, replace(TILE, detail="low"))
    low = await house.picture(claim)
    await house.eyes.look(claim, TILE)
    high = await house.picture(claim)

    assert low.image is not None
    assert (low.image.key.form, low.image.width) == ("low-512", 512)
    assert low.receipt == "resized 2400×1800 → 512×384"
    assert high.image is not None
    assert (high.image.key.form, high.image.width) == ("tile-768", 1024)
    assert len(high.forms) == 2
    assert len(house.place.fetched) == 2


async def test_a_model_that_sees_more_gets_more(house: House) -> None:
    claim = await house.ask(1, LARGE)
    await house.eyes.look(claim, TILE)

    news = await house.eyes.look(claim, PATCH)

    picture = await house.picture(claim)
    assert picture.image is not None
    assert picture.image.width == tokens.rule(PATCH.model).target(2400, 1800, "high")[0]
    assert news == set()


async def test_what_fits_another_model_too_is_left_as_it_is(house: House) -> None:
    claim = await house.ask(1, pictures.photo(600, 400))
    await house.eyes.look(claim, TILE)

    await house.eyes.look(claim, PATCH)

    assert house.place.fetched == ["w1-t1-1-0"]


async def test_a_larger_form_whose_original_is_gone_is_said_once(house: House) -> None:
    claim = await house.ask(1, LARGE)
    await house.eyes.look(claim, TILE)
    house.lose()

    assert await house.eyes.look(claim, PATCH) == {1}
    assert await house.eyes.look(claim, PATCH) == set()

    picture = await house.picture(claim)
    assert picture.image is not None
    assert picture.image.width == 1024
    assert picture.receipt == f"resized 2400×1800 → 1024×768; {looking.GONE}"
    assert len(house.place.fetched) == 2


async def test_a_smaller_form_is_made_of_the_largest_kept_one_when_the_original_is_gone(
    house: House,
) -> None:
    claim = await house.ask(1, LARGE)
    await house.eyes.look(claim, PATCH)
    house.lose()

    assert await house.eyes.look(claim, TILE) == {1}

    picture = await house.picture(claim)
    assert picture.image is not None
    assert (picture.image.key.form, picture.image.width) == ("tile-768", 1024)
    assert (picture.width, picture.height) == (2400, 1800)
    assert looking.FROM_KEPT in picture.receipt
    assert await house.eyes.look(claim, PATCH) == set()
    assert await house.eyes.look(claim, TILE) == set()
    assert len(house.place.fetched) == 2


async def test_an_original_that_is_away_for_now_is_asked_for_again(house: House) -> None:
    claim = await house.ask(1, LARGE)
    await house.eyes.look(claim, TILE)
    house.place.files = dict.fromkeys(house.place.files, TransientError("away"))

    assert await house.eyes.look(claim, PATCH) == set()
    assert (await house.picture(claim)).receipt == "resized 2400×1800 → 1024×768"

    house.place.files = dict.fromkeys(house.place.files, LARGE)
    await house.eyes.look(claim, PATCH)
    assert house.room.prepared == ["tile-768", "patch-2048-2500"]


async def test_a_size_that_the_api_would_refuse_leaves_what_is_kept(house: House) -> None:
    data = pictures.saved(Pillow.new("1", (6500, 6500)), "PNG")
    claim = await house.ask(1, data)
    await house.eyes.look(claim, PATCH)

    await house.eyes.look(claim, replace(PATCH, detail="original"))

    picture = await house.picture(claim)
    assert picture.image is not None
    assert picture.image.width == 1600
    assert len(house.place.fetched) == 1


async def test_all_pages_of_a_document_are_kept_and_fit_another_model_together(
    house: House,
) -> None:
    claim = await house.ask(1, pictures.pdf("One", "Two", "Three"))
    await house.eyes.look(claim, PATCH)
    pages = await house.picture(claim)
    house.lose()
    await house.eyes.look(claim, replace(PATCH, detail="low"))
    small = await house.picture(claim)

    assert pages.receipt == "pages 1–3 of 3"
    assert [page.width for page in pages.images] == [1167] * 3
    assert [page.height for page in small.images] == [512] * 3
    assert small.receipt.startswith("pages 1–3 of 3; ")


async def test_a_page_whose_bytes_are_gone_is_missed(house: House) -> None:
    claim = await house.ask(1, pictures.pdf("One", "Two"))
    await house.eyes.look(claim, TILE)
    picture = await house.picture(claim)
    second = picture.images[1].key

    class Forgetful:
        async def load(self, key: object) -> bytes:
            if key == second:
                raise PictureUnseen("gone")
            return b""

    house.eyes.store = Forgetful()  # type: ignore[assignment]
    turn = Turn("user", "What?", pictures=(picture,))
    fitted = Fitted((turn,), 0, 0, 0)

    assert await house.eyes.missing(fitted) == [1]


# How much is held at once


async def test_bytes_at_once_are_bounded_and_whoever_came_first_goes_first() -> None:
    scales, entered = Scales(10), list[int]()
    gates = [asyncio.Event() for _ in range(5)]

    async def hold(at: int, size: int) -> None:
        async with scales.room_for(size):
            entered.append(at)
            await gates[at].wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(hold(*each)) for each in enumerate([6, 4, 8, 1, 50])]
        await settled()
        assert entered == [0, 1]
        gates[0].set()
        await settled()
        assert entered == [0, 1]
        gates[1].set()
        await settled()
        assert entered == [0, 1, 2, 3]
        assert scales.held == 9
        for gate in gates:
            gate.set()
    assert entered == [0, 1, 2, 3, 4]
    assert scales.held == 0
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("waiting", [True, False])
async def test_who_gives_up_holds_nothing(*, waiting: bool) -> None:
    scales = Scales(10)
    gate = asyncio.Event()

    async def hold() -> None:
        async with scales.room_for(8):
            await gate.wait()

    first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
    await settled()
    assert scales.held == 8
    left = second if waiting else first
    left.cancel()
    await asyncio.wait((left,))
    gate.set()
    await asyncio.wait((first, second))

    assert scales.held == 0
    assert not scales.waiting


async def settled(rounds: int = 10) -> None:
    """Lets everybody do what they can do now."""
    for _ in range(rounds):
        await asyncio.sleep(0)
