"""The bot's replies as every tab sees them grow."""

from pathlib import Path

from bot.domain import Button, Reply
from tests.adapters.web.conftest import Page, asked, claim, served
from tests.adapters.web.tab import Tab

REPLY = Reply(text="A **red** square.", footer=("1,203 in · 42 out · $0.0034", "thread $0.01"))


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
