"""What the page does with cards, drawings, refusals and questions that a button posts."""

import sqlite3
from base64 import b64decode
from pathlib import Path

from bot.domain import Attachment, Card, Drawing, Post, Proposal, ThreadId
from tests.adapters.contract import png
from tests.adapters.web.conftest import Page, asked, claim, served
from tests.adapters.web.tab import Tab
from tests.adapters.web.test_replies import REPLY

CHANNEL = ThreadId("web", "local", "general", "")


async def test_a_drawing_comes_whole_with_its_words(page: Page, tab: Tab) -> None:
    drawing = Drawing("estimate.png", png(3), "Two squares.")
    page.desk.card = Card("Estimate", "About **$0.01**.", drawing=drawing)

    card = await tab.command("/estimate 64x64")

    assert b64decode(card["drawing"]["data"]) == png(3)
    assert card["drawing"]["alt"] == "Two squares."


async def test_a_button_posts_its_question_once_with_its_pictures_and_choices(
    page: Page, tab: Tab
) -> None:
    file = await tab.upload("a.png", png(1))
    page.desk.proposal = Proposal(
        CHANNEL, "you", "what is this?", (Attachment(file["id"], "a.png"),), {"detail": "low"}
    )

    first = await tab.press("ask")
    again = await tab.press("ask")
    await page.desk.until(lambda: page.desk.messages)

    [message] = page.desk.messages
    assert first["post"]["id"] == again["post"]["id"] == message.id
    assert first["post"]["text"] == "@threadsight what is this?"
    assert (message.text, message.addressed) == ("what is this?", True)
    assert message.options == {"detail": "low"}
    [attachment] = message.attachments
    assert await page.adapter.fetch(message, attachment) == png(1)
    # The picture of the estimate is still there for another question.
    assert (await tab.post("again", [file["id"]]))["status"] == 201


async def test_a_question_about_a_thread_s_pictures_is_posted_there(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    place = ThreadId("web", "local", "general", message.id)
    page.desk.proposal = Proposal(place, "you", "and now?", message.attachments)

    await tab.press("ask")
    await page.desk.until(lambda: len(page.desk.messages) > 1)

    assert page.desk.messages[-1].thread == place
    await tab.delete(message.id)
    await page.desk.until(lambda: page.desk.scopes)
    [copied] = page.desk.messages[-1].attachments
    assert await page.adapter.fetch(page.desk.messages[-1], copied) == png(1)


async def test_a_question_whose_picture_is_gone_gets_a_sentence(page: Page, tab: Tab) -> None:
    page.desk.proposal = Proposal(CHANNEL, "you", "?", (Attachment("0" * 16, "a.png"),))

    answer = await tab.press("ask")

    assert answer["status"] == 410
    assert "attach it again" in answer["error"]


async def test_why_a_message_is_not_answered_is_shown_in_its_thread(page: Page, tab: Tab) -> None:
    page.desk.refused = Card("Not here", "Ask **an administrator**.")

    message = await asked(page, tab)
    await tab.until(lambda: tab.cards)

    [card] = tab.cards
    assert (card["root"], card["title"]) == (message.id, "Not here")


async def test_replies_that_a_card_erases_vanish(page: Page, tab: Tab) -> None:
    message = await asked(page, tab)
    await page.adapter.draft(claim(message)).finish(REPLY)
    await tab.until(lambda: message.id in tab.replies)
    page.desk.card = Card(
        "Forgotten", "All gone.", erased=(Post(message.thread, f"reply-{message.id}"),)
    )

    await tab.command("/vision forget")
    await tab.until(lambda: message.id not in tab.replies)

    assert message.id in tab.posts


async def test_a_channel_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    async with served(tmp_path / "channel") as page, Tab(page.url) as tab:
        before = await asked(page, tab)
    with sqlite3.connect(tmp_path / "channel" / "channel.db") as db:
        db.execute("ALTER TABLE posts DROP COLUMN options")
    db.close()

    async with served(tmp_path / "channel") as page, Tab(page.url) as tab:
        await asked(page, tab)
        # Where the page ended before it noted that the first was taken, the bot hears of that again.
        await page.desk.until(lambda: any(each.id != before.id for each in page.desk.messages))
        [after] = {each.id for each in page.desk.messages} - {before.id}
        # The tab hears of it a moment after the bot.
        await tab.until(lambda: after in tab.posts)

        assert sorted(tab.posts) == sorted([before.id, after])
