"""Pictures at hand: bounded in bytes and in time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import ImageKey
from bot.errors import PictureUnseen
from bot.model.shelf import Shelf


def key(name: str, workspace: str = "w") -> ImageKey:
    return ImageKey("test", workspace, name, "low-512")


class Cellar:
    """Where pictures are kept; counts how often it is asked."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.asked: list[ImageKey] = []

    async def load(self, wanted: ImageKey) -> bytes:
        self.asked.append(wanted)
        if wanted.digest == "gone":
            raise PictureUnseen("it is gone")
        return f"{wanted.workspace}{wanted.digest}".ljust(self.size).encode()


async def test_a_picture_used_again_is_not_loaded_again() -> None:
    cellar = Cellar()
    shelf = Shelf(cellar.load)

    assert await shelf.load(key("a")) == await shelf.load(key("a"))
    assert cellar.asked == [key("a")]
    shelf.clear()


async def test_two_workspaces_never_share_a_picture() -> None:
    shelf = Shelf(Cellar().load)

    assert await shelf.load(key("a", "one")) != await shelf.load(key("a", "two"))
    shelf.clear()


async def test_what_is_gone_is_not_remembered() -> None:
    shelf = Shelf(Cellar().load)

    with pytest.raises(PictureUnseen):
        await shelf.load(key("gone"))
    assert shelf.held_bytes == 0


async def test_bytes_go_when_their_time_is_over_though_nobody_asks_and_use_prolongs_nothing() -> (
    None
):
    shelf = Shelf(Cellar().load, keep_seconds=0.05)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    await shelf.load(key("a"))
    loop.call_later(0.03, lambda: asyncio.ensure_future(shelf.load(key("a"))))
    loop.call_later(0.07, over.set)

    assert shelf.held_bytes == 10
    await over.wait()
    assert shelf.held_bytes == 0


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30))
async def test_it_never_holds_more_than_its_bound_and_always_tells_the_truth(
    names: list[str],
) -> None:
    cellar = Cellar(size=10)
    shelf = Shelf(cellar.load, max_bytes=35)

    for name in names:
        assert await shelf.load(key(name)) == f"w{name}".ljust(10).encode()
        assert shelf.held_bytes <= 30
    shelf.clear()


async def test_a_picture_larger_than_the_shelf_is_still_loaded() -> None:
    shelf = Shelf(Cellar(size=100).load, max_bytes=35)

    assert len(await shelf.load(key("a"))) == 100
    assert shelf.held_bytes == 0
