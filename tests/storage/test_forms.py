"""Several forms of one picture, each in one part or several, side by side."""

from dataclasses import replace

import pytest

from bot.domain import Claim, Image, ImageKey, Picture, Scope, StoredImage
from bot.errors import PictureUnseen
from storage.store import SqlStore
from tests.storage.nouns import THREAD, asked, image, message
from tests.storage.test_conversation import rows


def sized(data: bytes, form: str, width: int, source: str = "") -> Image:
    """A prepared picture of this width."""
    receipt = f"resized to {width}"
    return replace(image(data, form), width=width, height=width, source=source, receipt=receipt)


async def looked_at(store: SqlStore, name: str = "1") -> Claim:
    """The claim on a question with one picture, which has its number."""
    claim = await asked(store, message(name, files=("F1",)))
    await store.pictures(claim)
    return claim


async def only_picture(store: SqlStore, claim: Claim) -> Picture:
    (picture,) = await store.pictures(claim)
    (turn,) = await store.history(claim)
    assert turn.pictures == (picture,)
    return picture


def names(forms: tuple[tuple[StoredImage, ...], ...]) -> list[list[str]]:
    """The forms of the parts."""
    return [[part.key.form for part in form] for form in forms]


async def test_forms_stand_side_by_side_the_largest_first(store: SqlStore) -> None:
    claim = await looked_at(store)
    await store.keep(claim, 1, sized(b"large", "tile-768", 768))
    await store.keep(claim, 1, sized(b"small", "low-512", 512))

    picture = await only_picture(store, claim)

    assert picture.image is not None
    assert (picture.image.key.form, picture.receipt) == ("low-512", "resized to 512")
    assert names(picture.forms) == [["tile-768"], ["low-512"]]
    assert [await store.load(form[0].key) for form in picture.forms] == [b"large", b"small"]


async def test_a_kept_form_is_taken_into_use_again_with_its_receipt(store: SqlStore) -> None:
    claim = await looked_at(store)
    await store.keep(claim, 1, sized(b"large", "tile-768", 768))
    await store.keep(claim, 1, sized(b"small", "low-512", 512))

    assert await store.recall(claim, 1, "tile-768")
    assert not await store.recall(claim, 1, "patch-2048")
    assert not await store.recall(claim, 7, "tile-768")

    picture = await only_picture(store, claim)
    assert picture.image is not None
    assert (picture.image.key.form, picture.receipt) == ("tile-768", "resized to 768")
    assert len(picture.forms) == 2


async def test_all_parts_of_a_form_come_in_order_also_where_two_are_alike(store: SqlStore) -> None:
    claim = await looked_at(store)
    pages = [sized(data, "page", 100) for data in (b"one", b"blank", b"blank", b"four")]
    await store.keep(claim, 1, pages[0], pages[1:])

    picture = await only_picture(store, claim)

    assert [await store.load(part.key) for part in picture.images] == [
        b"one",
        b"blank",
        b"blank",
        b"four",
    ]
    assert names(picture.forms) == [["page"] * 4]
    assert await rows(store, "pictures") == 3


async def test_a_form_of_the_same_name_takes_the_place_of_the_first(store: SqlStore) -> None:
    claim = await looked_at(store)
    await store.keep(claim, 1, sized(b"one", "page", 9), [sized(b"two", "page", 9)])
    await store.keep(claim, 1, sized(b"two", "page", 9))

    picture = await only_picture(store, claim)

    assert [await store.load(part.key) for part in picture.images] == [b"two"]
    assert await rows(store, "pictures") == 1


@pytest.mark.parametrize(
    "scope", [Scope("slack", "T1"), Scope("slack", "T1", attachment="F1")], ids=["all", "file"]
)
async def test_every_form_and_part_goes_with_its_picture(store: SqlStore, scope: Scope) -> None:
    claim = await looked_at(store)
    await store.keep(claim, 1, sized(b"one", "page", 9), [sized(b"two", "page", 9)])
    await store.keep(claim, 1, sized(b"small", "low-512", 5))

    await store.retract(scope)

    assert await rows(store, "pictures") == 0
    assert await rows(store, "forms") == 0


async def test_a_file_that_comes_again_is_not_prepared_again(store: SqlStore) -> None:
    first = await looked_at(store, "1")
    await store.keep(first, 1, sized(b"one", "page", 9, "file"), [sized(b"two", "page", 9, "file")])
    await store.settle(first)
    second = await asked(store, message("2", thread=replace(THREAD, root="b"), files=("F2",)))
    await store.pictures(second)

    assert not await store.recall(second, 1, "page")
    assert not await store.recall(second, 1, "page", source="other file")
    assert not await store.recall(second, 1, "low-512", source="file")
    assert await store.recall(second, 1, "page", source="file")

    picture = await only_picture(store, second)
    assert [await store.load(part.key) for part in picture.images] == [b"one", b"two"]
    assert (picture.width, picture.height, picture.receipt) == (16, 12, "resized to 9")
    assert await rows(store, "pictures") == 2


async def test_a_file_of_another_workspace_is_never_found(store: SqlStore) -> None:
    first = await looked_at(store)
    await store.keep(first, 1, sized(b"one", "page", 9, "file"))
    other = await asked(store, message("2", thread=replace(THREAD, workspace="T2"), files=("F2",)))
    await store.pictures(other)

    assert await store.knows(THREAD, "file", "page")
    assert not await store.knows(other.message.thread, "file", "page")
    assert not await store.knows(replace(THREAD, platform="discord"), "file", "page")
    assert not await store.recall(other, 1, "page", source="file")


async def test_it_is_known_of_which_files_a_form_is_kept(store: SqlStore) -> None:
    claim = await looked_at(store)
    await store.keep(claim, 1, sized(b"one", "page", 9, "file"), [sized(b"two", "page", 9, "file")])
    await store.keep(claim, 1, sized(b"small", "low-512", 5))
    elsewhere = replace(THREAD, channel="C9", root="never asked")

    assert await store.knows(elsewhere, "file", "page")
    assert not await store.knows(elsewhere, "other file", "page")
    assert not await store.knows(elsewhere, "file", "low-512")
    # A form of a file that nobody told the name of is of no file.
    assert not await store.knows(elsewhere, "", "low-512")

    await store.retract(Scope("slack", "T1", "C1", message="1"))
    assert not await store.knows(elsewhere, "file", "page")


async def test_what_was_recalled_outlives_what_it_came_from(store: SqlStore) -> None:
    first = await looked_at(store, "1")
    await store.keep(first, 1, sized(b"one", "page", 9, "file"))
    await store.settle(first)
    second = await asked(store, message("2", thread=replace(THREAD, root="b"), files=("F2",)))
    await store.pictures(second)
    await store.recall(second, 1, "page", source="file")
    key = ImageKey("slack", "T1", image(b"one").digest, "page")

    await store.retract(Scope("slack", "T1", "C1", message="1"))
    assert await store.load(key) == b"one"

    await store.retract(Scope("slack", "T1", "C1", message="2"))
    with pytest.raises(PictureUnseen):
        await store.load(key)
