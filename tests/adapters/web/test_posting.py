"""What people post, edit and delete, over real sockets, and what the desk hears of it."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from adapters.web.channel import MAX_TEXT
from adapters.web.server import body_of
from bot.domain import Reply
from bot.errors import Outage, PermanentError
from tests.adapters.contract import png
from tests.adapters.web.conftest import Notebook, Page, asked, claim, served
from tests.adapters.web.tab import Tab

REPLY = Reply(text="A **red** square.", footer=("1,203 in · 42 out · $0.0034", "thread $0.01"))


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
        ({"key": "k", "text": "x", "root": "\ud83d"}, "thread is not here"),
        ({"key": "k", "text": "x", "files": ["\ud83d"]}, "attach it again"),
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


async def test_a_body_that_stops_coming_gets_a_sentence() -> None:
    open_line = BaseProtocol(asyncio.get_running_loop())
    open_line.connection_made(asyncio.Transport())
    coming = StreamReader(open_line, 2**16)
    coming.feed_data(b'{"key": "k", ')
    request = make_mocked_request("POST", "/api/posts", payload=coming)

    with pytest.raises(PermanentError, match="did not come whole"):
        await body_of(request, seconds=0.01)


async def test_half_characters_and_zero_bytes_do_no_harm(tab: Tab) -> None:
    body = json.dumps({"key": "k", "text": "a\ud83db\0c"}).encode()

    answer = await tab.send("POST", "/api/posts", data=body)

    assert answer["text"] == "a\ufffdbc"


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
    await tab.until(lambda: not tab.posts)
    async with Tab(page.url) as later:
        assert not later.posts


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
