"""The page's server over real sockets: what it takes, what it refuses, and what every tab hears."""

import asyncio
import io
import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.web import WebAdapter
from adapters.web.channel import MAX_TEXT
from bot.domain import Button, Message, Reply
from bot.errors import Outage, PermanentError, PictureUnseen, SetupError
from tests import pictures
from tests.adapters.contract import png
from tests.adapters.web.conftest import Notebook, Page, claim, served
from tests.adapters.web.tab import Tab

REPLY = Reply(text="A **red** square.", footer=("1,203 in · 42 out · $0.0034", "thread $0.01"))
SCRIPT = "<script>alert(1)</script>.png"


async def asked(page: Page, tab: Tab, text: str = "@threadsight what is this?") -> Message:
    """Posts a question with a picture and returns what the desk got."""
    count = len(page.desk.messages)
    file = await tab.upload("a.png", png(1))
    await tab.post(text, [file["id"]])
    await page.desk.until(lambda: len(page.desk.messages) > count)
    return page.desk.messages[-1]


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something on the disk, which tells nobody of itself."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# Posting


async def test_a_mention_with_a_picture_is_handed_in_and_its_bytes_can_be_fetched(
    page: Page, tab: Tab
) -> None:
    message = await asked(page, tab)

    [attachment] = message.attachments
    assert message.addressed
    assert message.text == "what is this?"
    assert message.thread.root == message.id
    assert (message.thread.platform, message.thread.channel) == ("web", "general")
    assert (attachment.name, attachment.media_type) == ("a.png", "image/png")
    assert (attachment.width, attachment.height) == (17, 16)
    assert await page.adapter.fetch(message, attachment) == png(1)


async def test_chatter_without_a_mention_stays_in_the_channel(page: Page, tab: Tab) -> None:
    await tab.post("good morning")
    message = await asked(page, tab)

    assert page.desk.messages == [message]
    assert len(tab.posts) == 2


async def test_words_in_a_thread_are_handed_in_without_a_mention(page: Page, tab: Tab) -> None:
    root = await asked(page, tab)

    await tab.post("and what colour?", root=root.id)
    await page.desk.until(lambda: len(page.desk.messages) == 2)

    follow_up = page.desk.messages[1]
    assert follow_up.thread == root.thread
    assert not follow_up.addressed
    assert follow_up.sent_at > root.sent_at


async def test_a_message_to_somebody_else_is_marked(page: Page, tab: Tab) -> None:
    root = await asked(page, tab)

    await tab.post("@bob what do you say? bob@example.com", root=root.id)
    await page.desk.until(lambda: len(page.desk.messages) == 2)

    assert page.desk.messages[1].to_others


async def test_what_was_said_before_a_mention_is_found_again(page: Page, tab: Tab) -> None:
    file = await tab.upload("a.png", png(1))
    root = await tab.post("look at this", [file["id"]])
    await tab.post("nice", root=root["id"])
    question = await tab.post("@threadsight what is it?", root=root["id"])
    await page.desk.until(lambda: [m for m in page.desk.messages if m.addressed])

    [message] = [m for m in page.desk.messages if m.id == question["id"]]
    earlier = await page.adapter.earlier(message)

    assert [each.text for each in earlier] == ["look at this", "nice"]
    assert [each.name for each in earlier[0].attachments] == ["a.png"]


async def test_a_request_that_is_repeated_posts_once(page: Page, tab: Tab) -> None:
    first = await tab.post("@threadsight hello?", key="same")
    again = await tab.post("@threadsight hello?", key="same")
    await page.desk.until(lambda: len(page.desk.messages) >= 1)

    assert first["id"] == again["id"]
    assert len(tab.posts) == 1
    assert {message.id for message in page.desk.messages} == {first["id"]}


async def test_every_tab_sees_what_is_posted(page: Page, tab: Tab) -> None:
    async with Tab(page.url) as other:
        posted = await tab.post("hello")
        await other.until(lambda: posted["id"] in other.posts)

        assert other.posts[posted["id"]]["text"] == "hello"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"key": "k", "text": "  ", "files": []}, "Write something"),
        ({"key": "k", "text": "x" * (MAX_TEXT + 1)}, "100,001"),
        ({"key": "k", "text": "x", "files": ["nowhere"]}, "attach it again"),
        ({"key": "k", "text": "x", "files": [str(n) for n in range(11)]}, "up to 10 files"),
        ({"key": "k", "text": "x", "root": "nowhere"}, "thread is not here"),
        ({"key": "k", "text": ["x"]}, "reload the page"),
        ({"text": "x"}, "reload the page"),
        (["x"], "reload the page"),
    ],
)
async def test_what_cannot_be_posted_gets_a_sentence_and_leaves_nothing(
    tab: Tab, body: Any, words: str
) -> None:
    answer = await tab.send("POST", "/api/posts", json=body)

    assert answer["status"] in (410, 422)
    assert words in answer["error"]
    assert not tab.posts


async def test_the_longest_question_is_taken_however_its_characters_are_spelled(
    page: Page, tab: Tab
) -> None:
    text = "@threadsight " + "é" * (MAX_TEXT - 13)

    answer = await tab.post(text)
    await page.desk.until(lambda: page.desk.messages)

    assert answer["status"] == 201
    assert len(page.desk.messages[0].text) == MAX_TEXT - 13


async def test_a_body_without_end_is_refused_while_it_is_read(tab: Tab) -> None:
    answer = await tab.send("POST", "/api/posts", data=io.BytesIO(b"x" * 3_000_000))

    assert answer["status"] == 413
    assert answer["error"]


async def test_half_characters_and_zero_bytes_do_no_harm(tab: Tab) -> None:
    body = json.dumps({"key": "k", "text": "a\ud83db\0c"}).encode()

    answer = await tab.send("POST", "/api/posts", data=body)

    assert answer["text"] == "a\ufffdbc"


# Files


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


# Replies


async def test_an_answer_grows_in_every_tab_and_ends_with_its_cost(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    draft = page.adapter.draft(claim(message, stop="stop-token"))

    assert await draft.show("") == (f"reply-{message.id}",)
    await tab.until(lambda: message.id in tab.replies)
    assert tab.replies[message.id]["state"] == "writing"
    assert tab.replies[message.id]["stop"] == "stop-token"
    await draft.show("A red")
    await draft.show("A red squ")
    await tab.until(lambda: tab.replies[message.id]["text"] == "A red squ")
    assert await draft.finish(REPLY) == (f"reply-{message.id}",)
    await tab.until(lambda: tab.replies.get(message.id, {}).get("state") == "done")

    reply = tab.replies[message.id]
    assert reply["text"] == "A **red** square."
    assert reply["footer"] == list(REPLY.footer)
    assert reply["stop"] == ""


async def test_a_tab_that_comes_in_the_middle_sees_the_words_so_far(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    draft = page.adapter.draft(claim(message))
    await draft.show("A long")
    await tab.until(lambda: tab.replies.get(message.id, {}).get("text") == "A long")

    async with Tab(page.url) as late:
        assert late.replies[message.id]["text"] == "A long"
        await draft.show("A long story")
        await late.until(lambda: late.replies[message.id]["text"] == "A long story")
    await draft.leave()


async def test_an_answer_that_is_said_differently_is_shown_anew(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    draft = page.adapter.draft(claim(message))
    await draft.show("First try")
    await tab.until(lambda: tab.replies.get(message.id, {}).get("text") == "First try")

    await draft.show("Second")
    await tab.until(lambda: tab.replies[message.id]["text"] == "Second")
    await draft.leave()

    assert len(tab.replies) == 1


async def test_whoever_completes_a_reply_completes_the_same_one(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    first = page.adapter.draft(claim(message))
    await first.show("Half of")
    await first.leave()
    await tab.until(lambda: tab.replies.get(message.id, {}).get("state") == "waiting")

    await page.adapter.draft(claim(message, number=2)).finish(REPLY)
    await page.adapter.draft(claim(message, number=2)).finish(REPLY)
    await tab.until(lambda: tab.replies.get(message.id, {}).get("state") == "done")

    assert tab.said(message.id) == ["\n".join([REPLY.text, *REPLY.footer])]


async def test_a_withdrawn_reply_is_gone_from_every_tab(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    draft = page.adapter.draft(claim(message))
    await draft.show("Never")

    await draft.withdraw()
    await tab.until(lambda: "unsaid" in tab.heard)

    assert not tab.replies


async def test_buttons_and_receipts_survive_a_restart(tmp_path: Path) -> None:
    reply = Reply(
        "Yes.", ("1 in",), ("picture 1: resized",), False, (Button("Try again", "token"),)
    )
    async with served(tmp_path) as page, Tab(page.url) as tab:
        message = await asked(page, tab)
        await page.adapter.draft(claim(message)).finish(reply)

    async with served(tmp_path) as page, Tab(page.url) as tab:
        told = tab.replies[message.id]
        assert tab.posts[message.id]["files"][0]["name"] == "a.png"
        assert told["receipts"] == ["picture 1: resized"]
        assert told["buttons"] == [{"label": "Try again", "token": "token", "style": ""}]
        assert page.desk.messages == []


async def test_a_button_is_pressed_and_may_say_why_nothing_happened(page: Page, tab: Tab) -> None:
    nothing = await tab.press("token")
    late = await tab.press("late")

    assert nothing == {"status": 200}
    assert late["text"] == "It is answered."
    assert page.desk.presses == [("token", "you"), ("late", "you")]


# Editing and deleting


async def test_an_edit_is_handed_in_and_every_tab_hears_of_it(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    async with Tab(page.url) as other:
        await tab.edit(message.id, "@threadsight what else?")
        await other.until(lambda: other.posts[message.id]["revision"] == 2)
    await page.desk.until(lambda: len(page.desk.messages) == 2)

    edited = page.desk.messages[1]
    assert edited.id == message.id
    assert edited.text == "what else?"
    assert edited.edited_at is not None
    assert edited.edited_at > edited.sent_at


async def test_of_two_edits_at_once_the_newest_wins_everywhere(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    async with Tab(page.url) as other:
        await asyncio.gather(
            tab.edit(message.id, "@threadsight one"), other.edit(message.id, "@threadsight two")
        )
        await tab.until(lambda: tab.posts[message.id]["revision"] == 3)
        await other.until(lambda: other.posts[message.id]["revision"] == 3)
        await page.desk.until(
            lambda: f"@threadsight {page.desk.messages[-1].text}" == tab.posts[message.id]["text"]
        )

        assert tab.posts[message.id] == other.posts[message.id]


async def test_a_mention_that_comes_by_an_edit_asks(page: Page, tab: Tab) -> None:
    post = await tab.post("what is this?")
    await tab.edit(post["id"], "@threadsight what is this?")
    await page.desk.until(lambda: page.desk.messages)

    assert page.desk.messages[0].addressed


async def test_an_edit_of_what_is_gone_or_of_nothing_gets_a_sentence(tab: Tab) -> None:
    post = await tab.post("hello")

    nothing = await tab.edit(post["id"], " ")
    await tab.delete(post["id"])
    gone = await tab.edit(post["id"], "hello again")

    assert "delete it instead" in nothing["error"]
    assert gone["status"] == 410


async def test_a_deleted_question_takes_answer_and_bytes_with_it(
    page: Page, tab: Tab, tmp_path: Path
) -> None:
    message = await asked(page, tab, "@threadsight canary-question?")
    await page.adapter.draft(claim(message)).finish(Reply("canary-answer"))
    await tab.until(lambda: tab.replies)

    await tab.delete(message.id)
    await tab.until(lambda: not tab.posts and not tab.replies)
    await page.desk.until(lambda: page.desk.scopes)

    [scope] = page.desk.scopes
    assert (scope.platform, scope.workspace, scope.channel) == ("web", "local", "general")
    assert (scope.root, scope.message) == (message.id, message.id)
    assert not list((tmp_path / "channel" / "files").iterdir())
    kept = b"".join(path.read_bytes() for path in (tmp_path / "channel").glob("channel.db*"))
    assert b"canary" not in kept


async def test_a_late_answer_to_a_deleted_question_stays_out(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    draft = page.adapter.draft(claim(message))
    await draft.show("Half of")
    await tab.delete(message.id)

    await draft.show("Half of it")
    await draft.finish(REPLY)
    posted = await tab.post("next")
    await tab.until(lambda: posted["id"] in tab.posts)

    assert not tab.replies


async def test_a_thread_whose_first_post_is_deleted_goes_on(page: Page, tab: Tab) -> None:
    root = await asked(page, tab)
    follow_up = await tab.post("and this?", root=root.id)

    await tab.delete(root.id)
    await tab.until(lambda: tab.posts.get(root.id, {}).get("deleted"))
    assert tab.posts[root.id]["text"] == ""
    assert tab.posts[root.id]["files"] == []
    await tab.delete(follow_up["id"])
    async with Tab(page.url) as later:
        assert not later.posts


# What the desk does not take


async def test_what_the_desk_does_not_take_is_offered_until_it_does(page: Page, tab: Tab) -> None:
    page.desk.failures = [Outage("The database is away."), RuntimeError("canary")]

    await tab.post("@threadsight are you there?")
    await tab.until(lambda: tab.trouble == "The database is away.")
    await tab.until(lambda: tab.trouble == "")

    assert len(page.desk.messages) == 1


async def test_a_post_that_is_never_taken_holds_up_nobody_elses(page: Page, tab: Tab) -> None:
    first = await tab.post("@threadsight one?")
    await page.desk.until(lambda: page.desk.messages)
    page.desk.failures = [ValueError("canary")]

    await tab.post("@threadsight one?", key="bad")
    await tab.post("@threadsight two?")
    await page.desk.until(lambda: len(page.desk.messages) == 3)

    assert page.desk.messages[0].id == first["id"]
    assert {message.text for message in page.desk.messages} == {"one?", "two?"}


async def test_what_was_not_taken_before_a_restart_is_offered_after_it(tmp_path: Path) -> None:
    away = Notebook(failures=[Outage("Away.")] * 50)
    async with served(tmp_path, away) as page, Tab(page.url) as tab:
        posted = await tab.post("@threadsight are you there?")
        gone = await tab.post("@threadsight and you?")
        await tab.delete(gone["id"])
        await tab.until(lambda: tab.trouble)

    async with served(tmp_path) as page:
        await page.desk.until(lambda: page.desk.messages and page.desk.scopes)

        assert [message.id for message in page.desk.messages] == [posted["id"]]
        assert [scope.message for scope in page.desk.scopes] == [gone["id"]]


# Commands


async def test_an_estimate_is_for_the_attached_pictures_and_the_typed_question(
    page: Page, tab: Tab
) -> None:
    file = await tab.upload("a.png", png(1))

    card = await tab.command("/estimate what is this? low", [file["id"]])

    [command] = page.desk.commands
    assert card["title"] == "Estimate"
    assert command.name == "estimate"
    assert command.options == {"question": "what is this?", "detail": "low"}
    assert [(each.width, each.height) for each in command.attachments] == [(17, 16)]


async def test_an_estimate_of_typed_sizes_and_of_what_was_posted_last(page: Page, tab: Tab) -> None:
    await asked(page, tab)

    await tab.command("/estimate 1920x1080 x3 high")
    await tab.command("/estimate")

    typed, recent = page.desk.commands
    assert (typed.text, typed.attachments) == ("1920x1080 x3 high", ())
    assert [each.name for each in recent.attachments] == ["a.png"]


async def test_help_and_a_command_that_does_not_exist(page: Page, tab: Tab) -> None:
    await tab.command("/vision help")
    unknown = await tab.command("/nonsense")

    assert [command.name for command in page.desk.commands] == ["help"]
    assert "/estimate" in unknown["text"]


async def test_a_command_that_fails_says_why(page: Page, tab: Tab) -> None:
    page.desk.refusal = PermanentError("No.")

    answer = await tab.command("/estimate")

    assert answer == {"status": 422, "error": "No."}


# Who may speak


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


# The house


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
