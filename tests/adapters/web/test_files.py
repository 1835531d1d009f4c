"""Files that people attach: bounded, known by their bytes, and served as pictures only."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.errors import PictureUnseen
from tests import pictures
from tests.adapters.contract import png
from tests.adapters.web.conftest import Page, asked
from tests.adapters.web.tab import Tab

SCRIPT = "<script>alert(1)</script>.png"


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something on the disk, which tells nobody of itself."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(page: Page) -> None:
    head = (
        "POST /api/files?name=big.png HTTP/1.1\r\n"
        f"Host: {page.url[7:-1]}\r\nOrigin: {page.url[:-1]}\r\nContent-Length: 200000000\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", int(page.url[:-1].split(":")[2]))

    writer.write(head.encode())
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"}")
    writer.close()

    assert b"413" in answer.split(b"\r\n")[0]
    assert "larger than 1 MB" in answer.decode()


async def test_a_file_whose_size_nobody_told_is_cut_off_while_it_is_read(tab: Tab) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    answer = await tab.send("POST", "/api/files", params={"name": "big.png"}, data=endless())

    assert answer["status"] == 413


async def test_an_empty_file_gets_a_sentence(tab: Tab) -> None:
    answer = await tab.upload("nothing.png", b"")

    assert answer["status"] == 422
    assert "nothing.png" in answer["error"]
    assert "empty" in answer["error"]


async def test_a_file_that_stops_coming_leaves_nothing(
    page: Page, tab: Tab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    files = tmp_path / "channel" / "files"
    head = (
        f"POST /api/files?name=half.png HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Origin: http://127.0.0.1:{port}\r\nContent-Length: 5000\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + b"x" * 1000)
    await until(lambda: bool(list(files.iterdir())))

    writer.close()
    await until(lambda: not list(files.iterdir()))

    assert not caplog.records
    assert (await tab.upload("whole.png", png(1)))["status"] == 201


async def test_a_picture_is_served_as_what_its_bytes_say(page: Page, tab: Tab) -> None:
    file = await tab.upload(SCRIPT, pictures.photo())

    async with tab.session.get(f"{tab.url}/api/files/{file['id']}") as response:
        data = await response.read()

    assert data == pictures.photo()
    assert response.content_type == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "<" not in response.headers["Content-Disposition"]
    assert file["name"] == SCRIPT.rpartition("/")[2]


@pytest.mark.parametrize(
    "data", [b"<html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-"]
)
async def test_what_is_no_picture_is_kept_but_never_served(
    page: Page, tab: Tab, data: bytes
) -> None:
    file = await tab.upload("page.png", data)

    async with tab.session.get(f"{tab.url}/api/files/{file['id']}") as response:
        assert response.status == 404
    assert file["type"] == ""
    await tab.post("@threadsight this?", [file["id"]])
    await page.desk.until(lambda: page.desk.messages)
    [attachment] = page.desk.messages[0].attachments
    assert await page.adapter.fetch(page.desk.messages[0], attachment) == data


@pytest.mark.parametrize("name", ["../channel.db", "..%2fchannel.db", "%2e%2e/channel.db", "x\0y"])
async def test_no_path_leads_out_of_the_uploads(tab: Tab, name: str) -> None:
    async with tab.session.get(f"{tab.url}/api/files/{name}") as response:
        assert response.status in (400, 404)


async def test_a_name_with_folders_is_only_a_name(tab: Tab) -> None:
    file = await tab.upload("../../etc/pass\u202ewd\n.png", png(1))

    assert file["name"] == "passwd.png"


async def test_a_file_belongs_to_one_post_only(tab: Tab) -> None:
    file = await tab.upload("a.png", png(1))
    await tab.post("one", [file["id"]])

    answer = await tab.post("two", [file["id"]])

    assert answer["status"] == 410


async def test_a_file_that_was_taken_back_is_gone(page: Page, tab: Tab, tmp_path: Path) -> None:
    file = await tab.upload("a.png", png(1))

    await tab.send("DELETE", f"/api/files/{file['id']}")

    assert not list((tmp_path / "channel" / "files").iterdir())


async def test_a_file_that_vanished_is_unseen(page: Page, tab: Tab, tmp_path: Path) -> None:
    message = await asked(page, tab)
    for path in (tmp_path / "channel" / "files").iterdir():
        path.unlink()

    with pytest.raises(PictureUnseen):
        await page.adapter.fetch(message, message.attachments[0])
