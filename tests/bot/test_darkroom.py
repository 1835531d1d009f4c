import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from bot import images, tokens
from bot.errors import PictureUnseen, TransientError
from bot.images import Darkroom, darkroom
from bot.images.preparing import origin
from bot.images.wishes import Options, Wish
from tests import pictures

RULE = tokens.rule("gpt-4o")
WISH = Wish(RULE, "high")
HEIC = pictures.heic(120, 80)
PHOTO = pictures.photo(120, 80)

Opened = Callable[..., Darkroom]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Darkrooms that are closed at the end."""
    rooms: list[Darkroom] = []

    def room(**options: float) -> Darkroom:
        rooms.append(Darkroom(**options))  # type: ignore[arg-type]
        return rooms[-1]

    yield room
    for each in rooms:
        each.close()
        each.threads.shutdown()
        each.keepers.shutdown()


@pytest.mark.parametrize(
    "data",
    [HEIC, pictures.pdf("One", "Two"), pictures.tiff(pictures.scene(90, 60)), PHOTO],
    ids=["heic", "pdf", "tiff", "jpeg"],
)
async def test_a_picture_is_the_same_wherever_it_is_prepared(data: bytes, opened: Opened) -> None:
    made = await opened().prepare(data, RULE, "high")

    assert made == images.prepare_all(data, "gpt-4o", "high")


async def test_harmless_pictures_need_no_process(opened: Opened) -> None:
    room = opened()
    for data in (PHOTO, pictures.png(), pictures.webp(), pictures.gif()):
        await room.prepare(data, RULE, "high")

    assert room.cells == set()


async def test_a_small_picture_in_a_large_file_is_prepared_in_a_process(opened: Opened) -> None:
    room, data = opened(), PHOTO + bytes(darkroom.HARMLESS_BYTES)

    made = await room.prepare(data, RULE, "high")

    assert len(room.cells) == 1
    assert made == images.prepare_all(data, "gpt-4o", "high")


async def test_a_process_serves_one_picture_after_the_other(opened: Opened) -> None:
    room = opened()
    for _ in range(3):
        await room.prepare(HEIC, RULE, "high")

    [cell] = room.cells
    assert cell.jobs == 3


async def test_a_process_that_is_being_started_is_waited_for(opened: Opened) -> None:
    room = opened()

    room.warm()
    await room.prepare(HEIC, RULE, "high")
    room.warm()

    [cell] = room.cells
    assert cell.jobs == 1


@pytest.mark.parametrize(
    "data",
    [pictures.pdf("a", trailer=pictures.LOCKED), HEIC[:-300], b"%PDF-1.7\n" + bytes(500)],
)
async def test_a_sentence_comes_back_and_the_process_lives_on(data: bytes, opened: Opened) -> None:
    room = opened()
    with pytest.raises(PictureUnseen) as direct:
        images.prepare(data, "gpt-4o", "high")

    with pytest.raises(PictureUnseen) as caught:
        await room.prepare(data, RULE, "high")

    assert caught.value.sentence == direct.value.sentence
    assert all(cell.alive for cell in room.cells)


async def test_a_file_that_takes_too_long_costs_one_sentence_and_its_process_is_replaced(
    opened: Opened,
) -> None:
    room = opened()
    patience = room.seconds
    await room.prepare(HEIC, RULE, "high")
    [stuck] = room.cells
    os.kill(stuck.process.pid, signal.SIGSTOP)
    room.seconds = 0.1

    with pytest.raises(PictureUnseen, match="too much time or memory"):
        await room.prepare(HEIC, RULE, "high")

    assert not stuck.alive
    room.seconds = patience
    assert await room.prepare(HEIC, RULE, "high") == images.prepare_all(HEIC, "gpt-4o", "high")


async def test_a_process_that_died_while_it_was_idle_costs_nobody_anything(opened: Opened) -> None:
    room = opened()
    await room.prepare(HEIC, RULE, "high")
    [cell] = room.cells
    cell.process.kill()
    cell.process.wait()

    assert len(await room.prepare(HEIC, RULE, "high")) == 1
    assert cell not in room.cells


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold the limit")
async def test_a_file_that_takes_too_much_memory_costs_one_sentence(opened: Opened) -> None:
    room = opened(memory=200 * 1024 * 1024)
    large = pictures.saved(Image.new("RGB", (7000, 7000), "teal"), "PNG")

    with pytest.raises(PictureUnseen, match="memory"):
        await room.prepare(large, RULE, "high")

    assert len(await room.prepare(HEIC, RULE, "high")) == 1


async def test_neighbours_are_prepared_while_a_process_hangs(opened: Opened) -> None:
    room = opened()
    await room.prepare(HEIC, RULE, "high")
    [stuck] = room.cells
    os.kill(stuck.process.pid, signal.SIGSTOP)
    hanging = asyncio.create_task(room.prepare(HEIC, RULE, "high"))

    async with asyncio.timeout(20):
        await taken(room)
        await asyncio.gather(room.prepare(HEIC, RULE, "high"), room.prepare(PHOTO, RULE, "high"))

        assert not hanging.done()
        stuck.process.kill()
        with pytest.raises(PictureUnseen, match="too much time"):
            await hanging


async def test_where_no_process_can_be_started_it_is_tried_again_later(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = opened()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(TransientError, match="could not start"):
        await room.prepare(HEIC, RULE, "high")


async def test_a_process_that_does_not_come_up_is_no_fault_of_the_picture(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = opened()
    monkeypatch.setattr(darkroom, "START", "raise SystemExit(1)")

    with pytest.raises(TransientError, match="could not start"):
        await room.prepare(HEIC, RULE, "high")
    assert room.cells == set()


@pytest.mark.skipif(sys.platform != "linux", reason="macOS shows no process's environment")
async def test_a_process_knows_no_secret(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    room = opened()
    await room.prepare(HEIC, RULE, "high")

    [cell] = room.cells
    known = await asyncio.to_thread(Path(f"/proc/{cell.process.pid}/environ").read_bytes)
    assert known == b"MALLOC_ARENA_MAX=1\0"


async def test_a_process_lets_those_who_listen_go_first(opened: Opened) -> None:
    room = opened()
    await room.prepare(HEIC, RULE, "high")

    [cell] = room.cells
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, cell.process.pid) > ours


async def test_all_processes_end_with_the_room(opened: Opened) -> None:
    room = opened()
    await asyncio.gather(*(room.prepare(HEIC, RULE, "high") for _ in range(4)))
    cells = list(room.cells)

    room.close()

    assert cells
    assert not any(cell.alive for cell in cells)


async def test_a_picture_that_a_stop_interrupts_is_not_blamed(opened: Opened) -> None:
    room = opened()
    await room.prepare(HEIC, RULE, "high")
    [cell] = room.cells
    os.kill(cell.process.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(room.prepare(HEIC, RULE, "high"))
    async with asyncio.timeout(20):
        await taken(room)
        room.close()

        with pytest.raises(TransientError, match="stopped"):
            await waiting


async def test_a_process_is_replaced_after_many_pictures(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darkroom, "MOST_JOBS", 2)
    room = opened()
    for _ in range(3):
        await room.prepare(HEIC, RULE, "high")

    [cell] = room.cells
    assert cell.jobs == 1


async def taken(room: Darkroom) -> None:
    """Until its idle process has been given something to do."""
    while room.idle:  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        "ready",
        {"images": []},
        {"images": [{}]},
        {"images": [{"size": -1}]},
        {"images": "none"},
        {"images": [{"size": 10, "receipt": "seen"}]},
        {"unseen": 7},
        {"unseen": "a\nb"},
        {"unseen": "x" * 5000},
        {"images": [{"size": 1}] * 50},
    ],
)
def test_what_a_hostile_file_makes_a_process_say_is_not_believed(said: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
        darkroom.checked(said, PHOTO, WISH, "source")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [pictures.webp(), pictures.photo(exif=pictures.exif(turn=6)), b"<html>", pictures.bomb(30_000)],
)
def test_only_pictures_that_we_would_send_are_taken_from_a_process(data: bytes) -> None:
    said = {
        "images": [
            {"size": len(data), "original_width": 1, "original_height": 1, "receipt": "seen"}
        ]
    }

    with pytest.raises(ValueError, match="picture"):
        darkroom.checked(said, data, WISH, "source")


def test_the_way_of_preparing_is_part_of_a_files_name() -> None:
    names = {
        origin(PHOTO, Options(animations, split))
        for animations in ("storyboard", "first")
        for split in (False, True)
    }

    assert len(names) == 4
    assert origin(PHOTO + b"x", Options()) not in names
