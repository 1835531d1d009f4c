"""The page in a real browser, with the whole bot behind it."""

import asyncio
import base64
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Locator,
    Page,
    Route,
    async_playwright,
    expect,
)

from tests.adapters.contract import png
from tests.adapters.web.stage import WebStage

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
]
WAIT_MS = 15_000

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASTE = """([name, base64, kind]) => {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  const target = kind === "paste" ? document.activeElement : document.getElementById("posts");
  const events = kind === "paste"
    ? [new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })]
    : ["dragenter", "dragover", "drop"].map(
        (each) => new DragEvent(each, { dataTransfer: data, bubbles: true, cancelable: true }));
  for (const event of events) target.dispatchEvent(event);
}"""

POST_MANY = """async (count) => {
  const headers = { "Content-Type": "application/json" };
  for (let n = 0; n < count; n += 1) {
    const body = JSON.stringify({ key: `many-${n}`, text: `number ${n}` });
    await fetch("/api/posts", { method: "POST", headers, body });
  }
}"""


@dataclass(slots=True)
class Visit:
    """A bot, its page, and somebody who looks at it."""

    stage: WebStage
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    """What the browser complained of."""

    @property
    def channel(self) -> Locator:
        return self.page.get_by_role("main")

    @property
    def thread(self) -> Locator:
        return self.page.get_by_role("region", name="Thread", exact=True)

    @property
    def message(self) -> Locator:
        """Where people write in the channel."""
        return self.page.get_by_role("textbox", name="Message general")

    @property
    def reply(self) -> Locator:
        """Where people write in the thread."""
        return self.page.get_by_role("textbox", name="Reply in thread")

    async def attach(self, place: Locator, *files: FilePayload) -> None:
        """Chooses files as the button does."""
        async with self.page.expect_file_chooser() as chooser:
            await place.get_by_role("button", name="Attach pictures").click()
        await (await chooser.value).set_files(list(files))

    async def ask(self, text: str = "@threadsight what is this?", number: int = 1) -> None:
        """Posts a question with a picture in the channel."""
        await self.attach(self.channel, file(f"{number}.png", number))
        await self.message.fill(text)
        await self.message.press("Enter")

    async def another(self) -> Page:
        """One more tab."""
        return await opened(self.context, self.stage.url, self.faults)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of this file."""
    if not await asyncio.to_thread(CHROMIUM.exists):
        # The one thing that no package brings: who only changes a rule need not install a browser.
        if os.environ.get("CI") == "true":
            pytest.fail("There is no Chromium: apt-get install chromium")
        pytest.skip("There is no Chromium at /usr/bin/chromium: apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


Visiting = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="module")
async def visiting(browser: Browser, tmp_path: Path) -> AsyncIterator[Visiting]:
    """Starts a bot and opens its page; keywords are those of a browser's context."""
    async with AsyncExitStack() as stack:
        faults: list[str] = []

        async def visit(*answers: str, apart: bool = False, **looks: Any) -> Visit:
            stage = WebStage(tmp_path, apart=apart)
            await stage.begin()
            stack.push_async_callback(stage.close)
            stage.answers(*(answers or ("A **red** square.",)))
            context = await browser.new_context(
                **{"viewport": {"width": 1280, "height": 800}, **looks}
            )
            context.set_default_timeout(WAIT_MS)
            stack.push_async_callback(context.close)
            page = await opened(context, stage.url, faults)
            return Visit(stage, context, page, faults)

        yield visit
    assert faults == []


async def opened(context: BrowserContext, url: str, faults: list[str]) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda line: (
            faults.append(line.text)
            if line.type == "error"
            and "Failed to load resource" not in line.text
            and "ERR_" not in line.text
            else None
        ),
    )
    await page.goto(url)
    return page


def file(name: str, number: int = 1, data: bytes | None = None) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": png(number) if data is None else data}


async def test_a_chosen_picture_is_asked_about_and_the_answer_survives_a_reload(
    visiting: Visiting,
) -> None:
    visit: Visit = await visiting()
    await expect(visit.page.get_by_role("heading", name="Ask about a picture")).to_be_visible()

    await visit.attach(visit.channel, file("one.png", 1), file("two.png", 2))
    await expect(visit.channel.get_by_text("Nobody is asked yet.")).to_be_visible()
    await visit.message.press_sequentially("@thr")
    await visit.message.press("Tab")
    await visit.message.press_sequentially("what is this?")
    await expect(visit.channel.get_by_text("Nobody is asked yet.")).to_be_hidden()
    await visit.message.press("Enter")

    await expect(visit.thread.get_by_text("A red square.")).to_be_visible()
    await expect(visit.reply).to_be_focused()
    await expect(visit.thread.locator("strong")).to_have_text("red")
    await expect(visit.thread.locator(".cost")).to_contain_text(" in · ")
    await expect(visit.thread.get_by_role("button", name="Enlarge two.png")).to_be_visible()
    await expect(visit.channel.get_by_role("button", name="Open thread: 1 reply")).to_be_visible()
    await visit.page.reload()
    await expect(visit.thread.get_by_text("A red square.")).to_be_visible()
    await visit.channel.get_by_role("button", name="Enlarge one.png").click()
    await expect(visit.page.get_by_role("dialog", name="Picture")).to_be_visible()
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog", name="Picture")).to_be_hidden()
    await expect(visit.thread).to_be_visible()
    [pictures] = visit.stage.asked()
    assert len(pictures) == 2


async def test_pasted_and_dropped_pictures_are_asked_about_and_followed_up(
    visiting: Visiting,
) -> None:
    visit: Visit = await visiting("First.", "Second.", "At last.")
    await visit.message.click()

    await visit.page.evaluate(PASTE, ["image.png", encoded(1), "paste"])
    await visit.page.evaluate(PASTE, ["dropped.png", encoded(2), "drop"])
    await expect(visit.channel.locator(".attached.there")).to_have_count(2)
    await visit.message.fill("@threadsight which is larger?")
    await visit.channel.get_by_role("button", name="Send").click()
    await expect(visit.thread.get_by_text("First.")).to_be_visible()
    await visit.reply.fill("and why?")
    await visit.reply.press("Enter")
    await expect(visit.thread.get_by_text("Second.")).to_be_visible()
    await visit.attach(visit.thread, file("third.png", 3))
    await visit.reply.fill("and this?")
    await visit.reply.press("Enter")
    await expect(visit.thread.get_by_text("At last.")).to_be_visible()

    assert [len(pictures) for pictures in visit.stage.asked()] == [2, 2, 3]


async def test_an_estimate_and_help_are_answered_privately(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    other = await visit.another()
    await visit.attach(visit.channel, file("one.png"))

    await visit.message.press_sequentially("/est")
    await expect(visit.page.get_by_role("option", name="/estimate")).to_be_visible()
    await visit.message.press("Enter")
    await visit.message.press("Enter")
    card = visit.channel.get_by_role("region", name="Estimate for")
    await expect(card).to_contain_text("one.png 17×16")
    await card.get_by_role("button", name="Dismiss").click()
    await expect(card).to_be_hidden()
    await visit.message.fill("/estimate 1920x1080 x3 high")
    await visit.message.press("Enter")
    await expect(card).to_contain_text("1920×1080")
    await visit.message.fill("/vision")
    await expect(visit.page.get_by_role("option", name="/vision help")).to_be_visible()
    await visit.message.press("Enter")
    await expect(visit.channel.get_by_role("region", name="Threadsight")).to_contain_text("medical")

    await expect(visit.channel.locator(".attached")).to_have_count(1)
    await expect(other.locator(".card")).to_have_count(0)
    assert visit.stage.asked() == []


async def test_an_estimate_is_drawn_and_asked_by_its_button(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.attach(visit.channel, file("one.png"))
    await visit.message.fill("/estimate what is this? low")
    await visit.message.press("Enter")
    card = visit.channel.get_by_role("region", name="Estimate for")
    drawing = card.get_by_role("img")
    await expect(drawing).to_have_js_property("complete", True)

    assert await drawing.evaluate("image => image.naturalWidth") > 500
    assert "one.png, 17×16 pixels" in (await drawing.get_attribute("alt") or "")
    await drawing.click()
    await expect(visit.page.get_by_role("dialog", name="Picture")).to_be_visible()
    await visit.page.keyboard.press("Escape")
    await card.get_by_role("button", name="Ask now").click()
    await expect(visit.thread.get_by_text("A red square.")).to_be_visible()

    await expect(visit.thread.get_by_role("button", name="Enlarge one.png")).to_be_visible()
    await expect(card).to_have_count(0)
    await expect(visit.channel.locator(".attached")).to_have_count(0)
    [pictures] = visit.stage.asked()
    assert len(pictures) == 1
    assert visit.stage.model.asked[0].image_urls[0]["detail"] == "low"


async def test_an_answer_is_voted_on_and_the_thread_s_usage_shown(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.ask()
    await expect(visit.thread.get_by_text("A red square.")).to_be_visible()

    await visit.thread.get_by_role("button", name="👍").click()
    await expect(visit.thread.locator(".card")).to_have_count(1)
    await visit.message.fill("/vision usage")
    await visit.message.press("Enter")

    usage = visit.channel.get_by_role("region", name="Usage: you")
    await expect(usage).to_contain_text("1 call")
    await expect(usage).to_contain_text("1 👍")
    await expect(usage.get_by_role("img")).to_have_attribute("alt", re.compile("a day"))


async def test_a_card_stands_before_what_was_said_after_it(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.ask()
    await expect(visit.thread.locator(".cost")).to_be_visible()

    await visit.reply.fill("/estimate 640x480")
    await visit.reply.press("Enter")
    card = visit.thread.get_by_role("region", name="Estimate for")
    await expect(card).to_be_visible()
    await expect(visit.page.locator("#said")).to_contain_text("640×480")
    await visit.reply.fill("and what else?")
    await visit.reply.press("Enter")
    await expect(visit.thread.locator(".cost")).to_have_count(2)
    await visit.reply.press("Escape")
    await visit.channel.locator(".chip").click()

    kinds = await visit.thread.locator(".posts > li").evaluate_all(
        "all => all.map((each) => each.className)"
    )
    assert kinds == ["post", "post reply", "aside", "post", "post reply"]
    await card.get_by_role("button", name="Dismiss").click()
    await expect(card).to_have_count(0)
    await expect(visit.reply).to_be_focused()


async def test_an_edit_is_answered_anew_and_told_to_other_tabs(visiting: Visiting) -> None:
    visit: Visit = await visiting("Old.", "New.")
    await visit.ask("old? @threadsight")
    await expect(visit.thread.get_by_text("Old.")).to_be_visible()
    other = await visit.another()

    await other.locator(".post").hover()
    await other.get_by_role("button", name="Edit message").click()
    await visit.thread.locator(".post").first.hover()
    await visit.thread.get_by_role("button", name="Edit message").click()
    editor = visit.thread.get_by_role("textbox", name="Edit message")
    await editor.fill("@threadsight new?")
    await editor.press("Enter")

    await expect(visit.thread.get_by_text("edited")).to_be_visible()
    await expect(other.get_by_text("saving replaces that")).to_be_visible()
    await expect(other.get_by_text("A message was edited in another tab")).to_be_visible()
    await expect(visit.thread.get_by_text("New.")).to_be_visible()
    await expect(visit.thread.get_by_text("Old.")).to_have_count(0)


async def test_a_deleted_question_vanishes_from_all_tabs(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.ask()
    await expect(visit.thread.locator(".cost")).to_be_visible()
    other = await visit.another()
    await expect(other.get_by_text("what is this?")).to_be_visible()

    await visit.channel.locator(".post").hover()
    await visit.channel.get_by_role("button", name="Delete message").click()
    await visit.page.get_by_role("button", name="Delete", exact=True).click()

    await expect(visit.thread).to_be_hidden()
    await expect(other.get_by_text("what is this?")).to_have_count(0)
    await expect(other.get_by_role("heading", name="Ask about a picture")).to_be_visible()
    assert not list(visit.stage.uploads.iterdir())


async def test_words_for_a_thread_wait_for_it_and_never_go_to_another(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    chips = visit.channel.locator(".chip")
    for number in (1, 2):
        await visit.ask(f"@threadsight number {number}", number)
        await expect(visit.thread.locator(".cost")).to_be_visible()

    await visit.reply.fill("for number 2")
    await visit.reply.press("Escape")
    await chips.first.click()
    await expect(visit.reply).to_have_value("")
    await chips.last.click()
    await expect(visit.reply).to_have_value("for number 2")
    await visit.page.reload()
    await expect(visit.reply).to_have_value("for number 2")
    coming = asyncio.Event()

    async def slowly(route: Route) -> None:
        await coming.wait()
        await route.continue_()

    await visit.page.route("**/api/files?*", slowly)
    await visit.attach(visit.thread, file("3.png", 3))
    await visit.reply.press("Enter")
    await visit.page.keyboard.type(" and what is typed too late")
    await chips.first.click()
    coming.set()

    await expect(chips.last).to_contain_text("3 replies")
    await expect(visit.thread.locator(".text")).to_have_text(["@threadsight number 1"])
    await chips.last.click()
    await expect(visit.thread.locator(".text").last).to_have_text("for number 2")
    await expect(visit.reply).to_have_value("")


async def test_a_deletion_by_keyboard_goes_on_at_the_next_message(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.page.evaluate(POST_MANY, 3)
    keyboard = visit.page.keyboard
    bins = visit.channel.get_by_role("button", name="Delete message")
    await expect(bins).to_have_count(3)

    await visit.message.focus()
    await keyboard.press("Shift+Tab")
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await keyboard.press("Enter")

    await expect(visit.channel.locator(".text")).to_have_text(["number 0", "number 1"])
    focused = visit.page.locator(":focus")
    await expect(focused).to_have_attribute("aria-label", "Reply in thread")
    assert await focused.evaluate("each => each.closest('.post').innerText.includes('number 1')")


async def test_the_page_works_where_storage_is_switched_off(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    await visit.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage']) "
        "Object.defineProperty(window, name, { get() { throw new Error('off') } })"
    )
    await visit.page.reload()

    await visit.ask()

    await expect(visit.thread.locator(".cost")).to_be_visible()


async def test_stop_ends_the_writing_and_try_again_begins_anew(visiting: Visiting) -> None:
    visit: Visit = await visiting("A long story about a square.", "A short one.")
    visit.stage.hold()

    await visit.ask()
    await expect(visit.thread.get_by_text("A long story")).to_be_visible()
    await visit.thread.get_by_role("button", name="Stop").click()
    again = visit.thread.get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    visit.stage.release()
    await again.click()

    await expect(visit.thread.get_by_text("A short one.")).to_be_visible()
    await expect(visit.thread.locator(".reply")).to_have_count(1)


async def test_a_lost_connection_in_mid_answer_is_told_and_caught_up(visiting: Visiting) -> None:
    visit: Visit = await visiting("A long story about a square.", apart=True)
    visit.stage.hold()
    await visit.ask()
    await expect(visit.thread.get_by_text("A long story")).to_be_visible()

    await visit.stage.crash()
    await expect(visit.page.get_by_text("Reconnecting")).to_be_visible()
    visit.stage.release()
    await visit.stage.start()

    await expect(visit.thread.get_by_text("A long story about a square.")).to_be_visible()
    await expect(visit.thread.locator(".cost")).to_be_visible()
    await expect(visit.page.get_by_text("Reconnecting")).to_be_hidden()


async def test_nothing_that_comes_from_elsewhere_is_ever_markup(visiting: Visiting) -> None:
    hostile = "\n\n".join(
        (
            "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script>",
            "[click](javascript:document.title='owned') [real](https://example.com/a)",
            "![pixel](https://example.com/pixel.png) `<b>code</b>`",
            "| a | b |\n| - | -: |\n| <i>1</i> | 2 |",
            "1. one\n   - two **bold**\n\n```html\n<script>document.title='owned'</script>\n```",
        )
    )
    visit: Visit = await visiting(hostile)
    name = "<script>document.title='owned'<img src=x onerror=alert(1)>.png"

    await visit.attach(visit.channel, file(name))
    await visit.message.fill("@threadsight <img src=x onerror=alert(1)>?")
    await visit.message.press("Enter")

    said = visit.thread.locator(".markdown")
    await expect(visit.thread.locator(".cost")).to_be_visible()
    await expect(said.locator("a")).to_have_count(2)
    await expect(said.locator("a").first).to_have_attribute("href", "https://example.com/a")
    await expect(said.locator("a").first).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(said.locator("a").first).to_have_text("real")
    await expect(said).to_contain_text("real (https://example.com/a)")
    await expect(said.locator("img, script, i")).to_have_count(0)
    await expect(said.locator("td")).to_have_text(["<i>1</i>", "2"])
    await expect(said.locator("ol > li > ul > li strong")).to_have_text("bold")
    await expect(said.locator("pre code")).to_have_text("<script>document.title='owned'</script>")
    await expect(visit.thread.locator(".text")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(visit.page).to_have_title("Threadsight · general")


async def test_a_table_that_is_wider_than_the_thread_is_scrolled_with_whole_words(
    visiting: Visiting,
) -> None:
    columns = [f"heading{n} | " for n in range(14)]
    visit: Visit = await visiting(f"|{''.join(columns)}\n|{'--|' * 14}\n|{''.join(columns)}")

    await visit.ask()

    cell = visit.thread.locator("td").first
    await expect(cell).to_have_text("heading0")
    assert await cell.evaluate("each => each.offsetHeight") < 50
    table = visit.thread.locator(".table")
    assert await table.evaluate("each => each.scrollWidth > each.clientWidth")
    scroller = visit.page.locator("#thread-scroll")
    assert await scroller.evaluate("each => each.scrollWidth <= each.clientWidth")


async def test_words_that_are_bold_and_slanted_or_run_to_the_left_are_shown_so(
    visiting: Visiting,
) -> None:
    visit: Visit = await visiting("***both*** and **bold** and *slanted*\n\nمرحبا بالعالم")

    await visit.ask()

    said = visit.thread.locator(".markdown")
    await expect(said.locator("strong em")).to_have_text("both")
    await expect(said.locator("p").first).to_have_text("both and bold and slanted")
    assert await said.locator("p").last.evaluate(
        """(paragraph) => {
          const words = document.createRange();
          words.selectNodeContents(paragraph);
          const gap = (box) => box.getBoundingClientRect().right;
          return gap(paragraph) - gap(words) < 2;
        }"""
    )


async def test_the_first_words_of_an_answer_stand_in_the_channel_without_marks(
    visiting: Visiting,
) -> None:
    visit: Visit = await visiting("## A title\n\n> see [this](https://example.com/) where a > b")

    await visit.ask()

    snippet = visit.channel.locator(".snippet")
    await expect(snippet).to_have_text("A title see this where a > b")


async def test_an_old_thread_stays_open_over_a_break_and_a_reload(visiting: Visiting) -> None:
    visit: Visit = await visiting(apart=True)
    await visit.page.evaluate(POST_MANY, 65)
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Show older messages").click()
    # Before the older ones are there, the first message is another one.
    await expect(visit.channel.get_by_text("number 0", exact=True)).to_be_visible()
    await visit.channel.get_by_role("button", name="Reply in thread").first.press("Enter")
    await expect(visit.thread.locator(".text")).to_have_text(["number 0"])

    await visit.stage.crash()
    await expect(visit.page.get_by_text("Reconnecting")).to_be_visible()
    await visit.stage.start()
    await expect(visit.page.get_by_text("Reconnecting")).to_be_hidden()
    await visit.reply.fill("and a word more")
    await visit.reply.press("Enter")
    await expect(visit.thread.locator(".text")).to_have_text(["number 0", "and a word more"])
    await visit.page.reload()
    await expect(visit.thread.locator(".text")).to_have_text(["number 0", "and a word more"])


async def test_what_cannot_be_posted_gets_a_sentence(visiting: Visiting) -> None:
    visit: Visit = await visiting()
    alert = visit.channel.get_by_role("alert")

    await visit.attach(visit.channel, file("nothing.png", data=b""))
    await expect(alert.filter(has_text="“nothing.png” is empty")).to_be_visible()
    await visit.page.evaluate(
        "() => { DataTransferItem.prototype.webkitGetAsEntry = () => ({ isDirectory: true }) }"
    )
    await visit.page.evaluate(PASTE, ["folder", encoded(1), "drop"])
    await expect(alert.filter(has_text="A folder cannot be attached")).to_be_visible()
    await visit.page.evaluate(
        "() => import('/app.js') && Object.defineProperty(File.prototype, 'size', "
        "{ get() { return this.name === 'huge.png' ? 2e8 : 70 } })"
    )
    await visit.attach(visit.channel, file("huge.png"))
    await expect(alert.filter(has_text="“huge.png” is larger than 50 MB")).to_be_visible()
    await visit.attach(visit.channel, *[file(f"{n}.png", n) for n in range(12)])
    await expect(alert.filter(has_text="up to 10 files")).to_be_visible()
    await visit.message.fill("x" * 100_001)
    await visit.message.press("Enter")
    await expect(alert.filter(has_text="100,001")).to_be_visible()
    await visit.message.fill("x" * 100_000)
    await visit.message.press("Enter")

    await expect(visit.channel.locator(".post .picture")).to_have_count(10)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_narrow_screen_and_the_keyboard_alone_do(visiting: Visiting, scheme: str) -> None:
    visit: Visit = await visiting(
        viewport={"width": 390, "height": 780}, color_scheme=scheme, reduced_motion="reduce"
    )
    keyboard = visit.page.keyboard
    await expect(visit.message).to_be_focused()

    await visit.page.evaluate(PASTE, ["image.png", encoded(1), "paste"])
    await keyboard.type("@threadsight what?")
    await keyboard.press("Shift+Enter")
    await keyboard.type("please")
    await keyboard.press("Enter")
    await expect(visit.thread.get_by_text("A red square.")).to_be_visible()
    await expect(visit.channel).to_be_hidden()
    await expect(visit.reply).to_be_focused()
    await keyboard.press("Escape")

    await expect(visit.thread).to_be_hidden()
    chip = visit.channel.get_by_role("button", name="Open thread: 1 reply")
    await chip.focus()
    await keyboard.press("Enter")
    await expect(visit.reply).to_be_focused()
    await keyboard.press("Escape")
    await expect(chip).to_be_focused()
    wide = await visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    assert await contrast(visit.page, ".cost, .text, .meta time, .hint") >= 4.5
    button = visit.page.get_by_role("button", name="Switch to")
    await button.click()
    other = "light" if scheme == "dark" else "dark"
    await expect(visit.page.locator("html")).to_have_attribute("data-theme", other)


async def contrast(page: Page, selector: str) -> float:
    """The least contrast of these texts to what lies behind them, by WCAG's rule."""
    colours = await page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].map((node) => {
          let behind = node;
          const see = (each) => getComputedStyle(each).backgroundColor;
          while (behind.parentElement && /, 0\\)$|transparent|color\\(/.test(see(behind))) behind = behind.parentElement;
          return [getComputedStyle(node).color, see(behind)];
        })""",
        selector,
    )
    assert colours
    return min(ratio(rgb(text), rgb(ground)) for text, ground in colours)


def rgb(colour: str) -> list[float]:
    return [float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]


def ratio(one: list[float], other: list[float]) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def encoded(number: int) -> str:
    return base64.b64encode(png(number)).decode()
