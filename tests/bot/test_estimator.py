"""What a question would cost here and now: with its thread, a drawing, and a button that asks it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot import images, tokens
from bot.commands import Estimator, sizing
from bot.commands.estimating import Sized, estimate
from bot.commands.estimator import READ_AT_ONCE
from bot.domain import Ask, Attachment, Card, Command, Message, Reply, ThreadId
from bot.errors import Outage
from bot.history import LABEL_TOKENS
from bot.images import Darkroom, Options
from bot.looking import Eyes
from bot.pricing import Prices
from storage.store import SqlStore, open_store
from tests import pictures
from tests.fakes import THREAD, FakeAdapter, posted

ASK = Ask("gpt-4o", "high", 1_000, "Be brief.")
MAX_BYTES = 1_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(f"sqlite:///{tmp_path}/bot.db", exclusive=True) as opened:
        yield opened


@pytest.fixture
def place() -> FakeAdapter:
    return FakeAdapter()


@pytest.fixture
def estimator(store: SqlStore, place: FakeAdapter) -> Estimator:
    return Estimator(
        store,
        {"fake": place},
        Prices.load(None),
        max_file_bytes=MAX_BYTES,
        history_tokens=100_000,
        darkroom=Darkroom(max_bytes=MAX_BYTES),
    )


async def test_each_picture_is_told_with_its_details_tokens_and_dollars(
    estimator: Estimator,
) -> None:
    card = await estimator.card(command(photo()), ASK)

    assert card.title == "Estimate for gpt-4o, detail high"
    for words in (
        "`photo.jpg` 4032×3024\n",
        "- low: 85 tokens · $0.0002 · seen at 512×384",
        "- **high and auto**: 765 tokens · $0.0019 · seen at 1024×768",
        "**Cost:** about $0.00",
        "at most $0.01",
        "an answer of 1,000 tokens",
        "**Next follow-up:** about",
        "**gpt-5.6-luna $0.",
        "the cheapest**",
        "gpt-5.4-mini $0.",
        "Price: list price",
    ):
        assert words in card.text


async def test_what_is_asked_by_the_button_is_what_was_estimated(
    estimator: Estimator, store: SqlStore
) -> None:
    card = await estimator.card(command(photo(), question="What is this?", detail="original"), ASK)

    now, low = card.buttons
    offer = await store.offered(now.token)
    cheaper = await store.offered(low.token)
    assert (now.label, now.style) == ("Ask now", "primary")
    assert low.label == "Ask at low detail (−$0.0017)"
    assert offer is not None
    assert (offer.action, offer.person) == ("ask", "anna")
    held = json.loads(offer.value)
    assert held["text"] == "What is this?"
    assert held["attachments"][0]["id"] == "f1"
    # The model does not know `original`; the estimate is for what it does instead.
    assert held["options"] == {"model": "gpt-4o", "detail": "high"}
    assert cheaper is not None
    assert json.loads(cheaper.value)["options"]["detail"] == "low"


async def test_the_posted_picture_is_drawn_and_never_kept(
    estimator: Estimator, place: FakeAdapter
) -> None:
    place.files["f1"] = pictures.photo(640, 480)

    card = await estimator.card(command(photo(640, 480)), ASK)

    assert card.drawing is not None
    assert "photo.jpg, 640×480 pixels, as gpt-4o sees it" in card.drawing.alt
    assert place.fetched == ["f1"]


@pytest.mark.parametrize("file", [None, b"<html>", Outage("The disk is away.")])
async def test_a_picture_that_cannot_be_had_leaves_a_card_without_a_drawing(
    estimator: Estimator, place: FakeAdapter, file: bytes | Exception | None
) -> None:
    if file is not None:
        place.files["f1"] = file

    card = await estimator.card(command(photo()), ASK)

    assert card.drawing is None
    assert "765 tokens" in card.text


async def test_a_size_that_the_platform_does_not_tell_is_read_from_the_file(
    estimator: Estimator, place: FakeAdapter
) -> None:
    place.files["f1"] = pictures.photo(640, 480)

    card = await estimator.card(command(Attachment("f1", "photo.jpg")), ASK)

    assert "`photo.jpg` 640×480" in card.text
    assert place.fetched == ["f1"]


async def test_all_files_of_a_form_are_read_where_no_size_is_told(
    estimator: Estimator, place: FakeAdapter
) -> None:
    data = pictures.photo(640, 480)
    names = [f"f{number}" for number in range(10)]
    place.files.update(dict.fromkeys(names, data))

    card = await estimator.card(command(*(Attachment(name, "p.jpg") for name in names)), ASK)

    assert card.text.count("`p.jpg` 640×480") == 10


async def test_no_more_is_read_for_an_estimate_than_one_file_may_hold(
    estimator: Estimator, place: FakeAdapter
) -> None:
    data = pictures.photo(640, 480)
    place.files.update(dict.fromkeys(("f0", "f1", "f2"), data))
    estimator.max_file_bytes = len(data) + 1

    card = await estimator.card(command(*(Attachment(n, "p.jpg") for n in place.files)), ASK)

    assert card.text.count("`p.jpg` 640×480") == 2
    assert "3. `p.jpg`: size unknown" in card.text


async def test_a_file_that_would_be_too_much_beside_the_others_is_not_fetched(
    estimator: Estimator, place: FakeAdapter
) -> None:
    data = pictures.gif(40, 30, frames=3)
    place.files.update(dict.fromkeys(("f0", "f1"), data))
    told = [Attachment(n, "a.gif", size=len(data), width=40, height=30) for n in place.files]
    estimator.max_file_bytes = 2 * len(data) - 1

    card = await estimator.card(command(*told), ASK)

    assert place.fetched == ["f0"]
    assert "2. `a.gif` 40×30" in card.text


async def test_files_of_a_few_estimates_alone_are_held_at_once(
    estimator: Estimator, place: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.files["f1"] = pictures.gif(40, 30, frames=3)
    told = Attachment("f1", "a.gif", width=40, height=30)
    monkeypatch.setattr(sizing, "READ_SECONDS", 0.0)

    async with AsyncExitStack() as others:
        for _ in range(READ_AT_ONCE):
            await others.enter_async_context(estimator.readers)
        late = await estimator.card(command(told), ASK)
        assert place.fetched == ["f1"]  # to be drawn, which a few do at a time
    monkeypatch.setattr(sizing, "READ_SECONDS", 10.0)
    cards = await asyncio.gather(*(estimator.card(command(told), ASK) for _ in range(9)))

    assert "`a.gif` 40×30" in late.text
    assert all("`a.gif, all 3 frames` 80×60" in card.text for card in cards)


async def test_every_page_of_a_document_is_counted(
    estimator: Estimator, place: FakeAdapter
) -> None:
    place.files["f1"] = pictures.pdf("One", "Two", "Three")

    card = await estimator.card(command(Attachment("f1", "report.pdf")), ASK)

    assert "`report.pdf, page 3 of 3`" in card.text
    assert card.drawing is not None
    assert "report.pdf, page 1 of 3" in card.drawing.alt


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
async def test_an_animation_is_counted_as_the_storyboard_that_is_sent(
    estimator: Estimator, place: FakeAdapter, kind: str
) -> None:
    place.files["f1"] = pictures.animation(kind, 400, 300, 9)
    told = Attachment("f1", f"moves.{kind.lower()}", width=400, height=300)

    card = await estimator.card(command(told), ASK)

    assert f"`moves.{kind.lower()}, all 9 frames` 1200×900" in card.text
    assert card.drawing is not None
    assert place.fetched == ["f1"]


async def test_an_animation_is_known_by_its_media_type_too(
    estimator: Estimator, place: FakeAdapter
) -> None:
    place.files["f1"] = pictures.animation("GIF", 400, 300, 9)
    told = Attachment("f1", "moves", media_type="image/gif", width=400, height=300)

    card = await estimator.card(command(told), ASK)

    assert "`moves, all 9 frames` 1200×900" in card.text


async def test_an_animation_that_a_thread_still_has_to_look_at_is_read_too(
    estimator: Estimator, store: SqlStore, place: FakeAdapter
) -> None:
    place.files["f1"] = pictures.animation("WEBP", 400, 300, 12)
    told = Attachment("f1", "moves.webp", width=400, height=300)
    await store.accept(posted(1, "Look", told, addressed=False))

    card = await estimator.card(command(root=THREAD.root), ASK)

    assert "`moves.webp, 9 of 12 frames` 1200×900" in card.text


async def test_files_that_come_slowly_count_as_their_platform_tells_them(
    estimator: Estimator, place: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.files["f1"] = pictures.animation("WEBP", 400, 300, 12)
    told = Attachment("f1", "moves.webp", width=400, height=300)
    monkeypatch.setattr(sizing, "READ_SECONDS", 0.0)

    card = await estimator.card(command(told), ASK)

    assert "`moves.webp` 400×300" in card.text


@pytest.mark.parametrize(
    ("attachment", "words"),
    [
        (Attachment("f1", "a.jpg", size=3_000_000_000, width=10, height=10), "3,000 MB, and 1 MB"),
        (Attachment("f1", "a.jpg", width=0, height=0), "`a.jpg`: the file is gone"),
        (Attachment("f1", "a.jpg", width=-1, height=7), "`a.jpg`: the file is gone"),
        (Attachment("f1", "a.jpg", width=99_999, height=99_999), "`a.jpg`: the file is gone"),
        (Attachment("f1", "<!here>.jpg", width=9, height=9), "`__here_.jpg` 9×9"),
        (Attachment("link:x", "a.jpg", url="https://e.org/a.jpg", linked=True), "size unknown"),
    ],
)
async def test_bad_sizes_get_a_sentence(
    estimator: Estimator, attachment: Attachment, words: str
) -> None:
    card = await estimator.card(command(attachment), ASK)

    assert words in card.text


async def test_in_a_thread_the_estimate_holds_what_the_thread_sends_again(
    estimator: Estimator, store: SqlStore, place: FakeAdapter
) -> None:
    await talked(store, place)

    without = await estimator.card(command(photo()), ASK)
    within = await estimator.card(command(photo(), root=THREAD.root), ASK)
    alone = await estimator.card(command(root=THREAD.root, question="And?"), ASK)

    assert "this thread" not in without.text
    assert "this thread with picture 1 " in within.text
    assert total(within) > total(without) + 255
    assert "pictures 0" not in alone.text
    assert [button.label for button in alone.buttons] == ["Ask now"]


async def test_with_nothing_new_the_thread_s_last_picture_is_drawn_from_what_is_kept(
    estimator: Estimator, store: SqlStore, place: FakeAdapter
) -> None:
    await talked(store, place)
    place.files.clear()
    await store.mark(THREAD, [1], "low")

    card = await estimator.card(command(root=THREAD.root, question="And?"), ASK)

    assert card.drawing is not None
    assert "picture 1 (first.jpg), 320×240 pixels, as gpt-4o sees it" in card.drawing.alt
    assert place.fetched == ["f0"]


def test_each_part_of_a_cut_screenshot_brings_its_label() -> None:
    prices = Prices.load(None)
    whole, cut = (
        estimate([Sized("long.png", 400, 4_000, cut=each)], "What?", ASK, prices)
        for each in (False, True)
    )

    parts = cut.pictures[0].parts[cut.detail]
    assert parts > 1
    assert cut.text_tokens == whole.text_tokens + (parts - 1) * LABEL_TOKENS


async def test_a_long_screenshot_that_is_cut_is_counted_and_drawn_in_its_parts(
    store: SqlStore, place: FakeAdapter
) -> None:
    options = Options(split_tall=True)
    cutting = Estimator(
        store,
        {"fake": place},
        Prices.load(None),
        max_file_bytes=MAX_BYTES,
        history_tokens=100_000,
        darkroom=Darkroom(options, max_bytes=MAX_BYTES),
    )
    data = place.files["f1"] = pictures.photo(400, 4_000)
    sent = images.prepare_all(data, "gpt-4o", "high", options=options)
    rule = tokens.rule("gpt-4o")

    card = await cutting.card(command(photo(400, 4_000)), ASK)

    counts = [rule.count(part.width, part.height, "high") for part in sent]
    assert len(counts) > 1
    told = f"{sum(filter(None, counts)):,} tokens"
    parts = f"in {len(sent)} parts, each seen at {sent[0].width}×{sent[0].height}"
    [line] = [line for line in card.text.splitlines() if "**high" in line]
    assert told in line
    assert parts in line
    assert "- low: 85 tokens" in card.text
    assert card.drawing is not None
    assert f"{len(sent)} such parts of 1×2 tiles, {told}" in card.drawing.alt


async def test_a_picture_that_the_thread_has_already_is_counted_once(
    estimator: Estimator, store: SqlStore, place: FakeAdapter
) -> None:
    message = await talked(store, place)
    shortcut = command(*message.attachments, root=THREAD.root, message=message.id)

    card = await estimator.card(shortcut, ASK)

    assert "with picture" not in card.text


async def test_an_unknown_price_offers_the_question_and_tells_no_dollars(
    estimator: Estimator,
) -> None:
    card = await estimator.card(command(photo(), model="team-gpt-4o"), ASK)

    assert "assumed" in card.text
    assert "The price of team-gpt-4o is unknown." in card.text
    assert "$" not in card.text
    assert [button.label for button in card.buttons] == ["Ask now"]


@pytest.mark.parametrize("model", ["<!channel>", "a b", "x" * 201, "**\n", "`"])
async def test_what_is_no_model_s_name_is_said_and_not_repeated(
    estimator: Estimator, model: str
) -> None:
    card = await estimator.card(command(photo(), model=model), ASK)

    assert "no model's name" in card.text
    assert model not in card.title + card.text or model == "`"


async def test_typed_sizes_are_drawn_and_offer_nothing_to_ask(estimator: Estimator) -> None:
    card = await estimator.card(command(text="1920x1080 x2 low"), ASK)

    assert card.title == "Estimate for gpt-4o, detail low"
    assert card.drawing is not None
    assert card.buttons == ()


async def test_nothing_to_estimate_says_what_to_write(estimator: Estimator) -> None:
    card = await estimator.card(command(), ASK)

    assert "1920x1080" in card.text
    assert card.drawing is None


def photo(width: int = 4032, height: int = 3024) -> Attachment:
    return Attachment("f1", "photo.jpg", width=width, height=height)


def command(
    *attachments: Attachment,
    root: str | None = None,
    text: str = "",
    message: str = "",
    **options: str,
) -> Command:
    return Command(
        "estimate",
        "fake",
        "w1",
        "c1",
        "anna",
        root=root,
        text=text,
        attachments=attachments,
        options=options,
        message=message,
    )


def total(card: Card) -> int:
    """The tokens of the question, as the card tells them."""
    line = next(line for line in card.text.splitlines() if line.startswith("**Question:**"))
    return int(line.split()[2].replace(",", ""))


async def talked(store: SqlStore, place: FakeAdapter) -> Message:
    """A thread with one answered question about a picture."""
    place.files["f0"] = pictures.photo(320, 240)
    message = posted(1, "What is this?", Attachment("f0", "first.jpg"))
    assert message.thread == ThreadId("fake", "w1", "c1", "t1")
    await store.accept(message)
    claim = await store.claim(["fake"])
    assert claim is not None
    await Eyes(store, {"fake": place}, Darkroom(max_bytes=MAX_BYTES)).look(claim, ASK)
    await store.record(claim, Reply("A cat on a mat."))
    await store.settle(claim)
    return message
