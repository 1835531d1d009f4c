"""Who may speak to the page's server, and what becomes of it when its house is disturbed."""

import socket
import stat
from pathlib import Path

import aiohttp
import pytest

from adapters.web import WebAdapter
from bot.domain import Reply
from bot.errors import Outage, PermanentError, SetupError, ThreadsightError
from tests.adapters.contract import png
from tests.adapters.web.conftest import Page, asked, claim, served
from tests.adapters.web.tab import Tab

REPLY = Reply(text="A **red** square.", footer=("1,203 in · 42 out · $0.0034", "thread $0.01"))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost.evil.example:80", ""])
async def test_another_host_name_gets_nothing(page: Page, host: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("", "api/events", "api/threads?before=1"):
            async with session.get(f"{page.url}{path}", headers={"Host": host}) as response:
                assert response.status in (400, 403)


async def test_localhost_is_this_machine_too(page: Page) -> None:
    port = page.url.rstrip("/").rpartition(":")[2]
    async with aiohttp.ClientSession() as session:
        headers = {"Host": f"LocalHost:{port}"}
        async with session.get(page.url, headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "same", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_another_page_may_not_write(page: Page, headers: dict[str, str]) -> None:
    if headers.get("Origin") == "same":
        headers = headers | {"Origin": page.url.rstrip("/")}
    body = {"key": "k", "text": "@threadsight hi"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{page.url}api/posts", json=body) as response:
            assert response.status == 403
        async with session.post(f"{page.url}api/files", data=b"x") as response:
            assert response.status == 403
        async with session.delete(f"{page.url}api/posts/x") as response:
            assert response.status == 403
    async with Tab(page.url) as tab:
        assert not tab.posts


@pytest.mark.parametrize("path", ["", "app.js", "nowhere.js", "api/nowhere", "api/files/nowhere"])
async def test_every_answer_carries_the_strict_headers(page: Page, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(page.url + path) as response:
        policy = response.headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[3] / "adapters" / "web" / "page"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "://" not in text.replace("https?:", "").replace(":\\/\\/", ""), path.name
        assert "innerHTML" not in text


async def test_a_port_in_use_gives_way_to_the_next(page: Page, tmp_path: Path) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])

    async with served(tmp_path / "other", port=port) as other:
        assert other.moved
        assert other.url != page.url
        async with Tab(other.url) as tab:
            assert (await tab.post("hello"))["status"] == 201


async def test_no_free_port_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="65536"):
        async with served(tmp_path, port=70_000):
            pass


async def test_two_bots_never_serve_one_channel(page: Page, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="Another bot already serves"):
        async with served(tmp_path / "channel"):
            pass


@pytest.mark.parametrize("spoilt", ["channel", "channel/channel.db"])
async def test_a_folder_that_is_none_gets_a_sentence_at_once(tmp_path: Path, spoilt: str) -> None:
    path = tmp_path / spoilt
    path.parent.mkdir(exist_ok=True)
    path.write_text("in the way")

    with pytest.raises(ThreadsightError, match="folder cannot be read"):
        async with served(tmp_path / "channel"):
            pass


async def test_a_channel_whose_file_is_deleted_begins_anew_and_says_so(
    page: Page, tab: Tab, tmp_path: Path
) -> None:
    await asked(page, tab)
    for path in sorted((tmp_path / "channel").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "channel").rmdir()

    posted = await tab.post("still there?")
    await tab.until(lambda: tab.resets)

    assert posted["status"] == 201
    assert "new and empty channel" in tab.resets[0]
    async with Tab(page.url) as later:
        assert [post["text"] for post in later.posts.values()] == ["still there?"]


async def test_a_channel_whose_file_cannot_be_read_says_so_and_recovers(
    page: Page, tab: Tab, tmp_path: Path
) -> None:
    folder = tmp_path / "channel"
    folder.rename(tmp_path / "aside")
    folder.write_text("in the way")

    away = await tab.post("hello?")
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    back = await tab.post("hello again?")

    assert away["status"] == 503
    assert "folder" in away["error"]
    assert back["status"] == 201


async def test_a_full_channel_says_so(tmp_path: Path) -> None:
    adapter = WebAdapter(
        folder=tmp_path, port=0, max_file_bytes=100, measure=lambda data: (1, 1), folder_bytes=10
    )
    picture = tmp_path / "a.png"
    picture.write_bytes(png(1))

    with pytest.raises(PermanentError, match="full"):
        await adapter.welcome("@threadsight hi", [picture])
    await adapter.channel.close()


async def test_only_this_account_may_read_the_folder(page: Page, tab: Tab, tmp_path: Path) -> None:
    folder = tmp_path / "channel"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "channel.db").stat().st_mode) == 0o600


async def test_a_welcome_is_posted_once_even_if_it_was_deleted(tmp_path: Path) -> None:
    picture = tmp_path / "menu.png"
    picture.write_bytes(png(2))
    async with served(tmp_path / "channel") as page, Tab(page.url) as tab:
        await page.adapter.welcome("@threadsight hi", [picture])
        await tab.until(lambda: tab.posts)
        [post] = tab.posts.values()
        assert [file["name"] for file in post["files"]] == ["menu.png"]
        await tab.delete(post["id"])

    async with served(tmp_path / "channel") as page:
        await page.adapter.welcome("@threadsight hi", [picture])
        async with Tab(page.url) as tab:
            assert not tab.posts


async def test_older_threads_come_when_they_are_asked_for(page: Page, tab: Tab) -> None:
    for n in range(65):
        await page.adapter.channel.post(f"k{n}", f"post {n}", None, ())

    async with Tab(page.url) as later:
        numbers = [post["number"] for post in later.posts.values()]
        older = await later.send("GET", f"/api/threads?before={min(numbers)}")

    assert len(numbers) == 60
    assert later.introduction["more"]
    assert [post["text"] for post in older["posts"]] == [f"post {n}" for n in range(5)]
    assert not older["more"]


async def test_a_tab_comes_back_after_a_restart_and_catches_up(tmp_path: Path) -> None:
    async with served(tmp_path) as page:
        port = int(page.url.rstrip("/").rpartition(":")[2])
        tab = await Tab(page.url).__aenter__()
        first = await tab.post("one")
        await tab.until(lambda: first["id"] in tab.posts)

    async with served(tmp_path, port=port) as page:
        await page.adapter.channel.post("k", "two", None, ())
        await tab.until(lambda: len(tab.posts) == 2)
        await tab.__aexit__()

    assert tab.pictures == 2


async def test_a_tab_that_takes_nothing_never_holds_up_the_others(page: Page, tab: Tab) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())

        message = await asked(page, tab)
        draft = page.adapter.draft(claim(message))
        await draft.show("x" * 50_000)
        await draft.finish(REPLY)
        await tab.until(lambda: tab.replies.get(message.id, {}).get("state") == "done")


async def test_no_word_or_name_reaches_a_log(
    page: Page, tab: Tab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    page.desk.failures = [Outage("Away."), RuntimeError("canary-fault")]

    file = await tab.upload("canary.png", png(1))
    await tab.post("@threadsight canary", [file["id"]])
    await tab.until(lambda: tab.trouble)
    await tab.until(lambda: not tab.trouble)

    assert "canary" not in caplog.text
