"""The offline model, over real sockets; only the text reader is replaced where no text is at stake."""

import asyncio
import base64
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bot import offline, tokens
from bot.errors import SetupError
from bot.offline import colours, wire, words
from bot.offline.eyes import REMEMBERED_SECONDS, Eyes
from bot.offline.pixels import GRID, Look, Unreadable, look
from bot.offline.reader import Piece, RapidReader, join_rows, require
from bot.offline.server import Saying

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "demo"
MONDAY = (DEMO / "menu-monday.jpg").read_bytes()
TUESDAY = (DEMO / "menu-tuesday.jpg").read_bytes()
MODEL = "gpt-4o"


class FakeReader:
    """Reads what it was told, picture after picture."""

    def __init__(self, *texts: tuple[str, ...]) -> None:
        self.texts = list(texts)
        self.read = 0

    def load(self) -> None:
        """Is ready."""

    def lines(self, image: Image.Image) -> tuple[str, ...]:
        self.read += 1
        return self.texts.pop(0) if self.texts else ()


class MissingReader(FakeReader):
    """Finds that its weights are gone."""

    def load(self) -> None:
        raise SetupError("Install it.")


class Client:
    """Speaks to one server as any client of the API would."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def post(self, body: object, path: str = "/chat/completions") -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=body) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()

    async def answer(self, *messages: object, **options: object) -> Any:
        status, found = await self.post({"model": MODEL, "messages": messages, **options})
        assert status == 200, found
        return found

    async def text(self, *messages: object) -> str:
        found = await self.answer(*messages)
        text = found["choices"][0]["message"]["content"]
        assert isinstance(text, str)
        return text

    async def events(self, *messages: object, **options: object) -> list[str]:
        body = {"model": MODEL, "messages": messages, "stream": True, **options}
        async with self.session.post(f"{self.url}/chat/completions", json=body) as response:
            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            raw = (await response.read()).decode()
        assert raw.endswith("\n\n")
        events = raw.removesuffix("\n\n").split("\n\n")
        assert all(event.startswith("data: ") and "\n" not in event for event in events)
        return [event.removeprefix("data: ") for event in events]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        yield session


@pytest.fixture
async def client(session: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """A server that finds no text."""
    async with offline.serve(pace=0, reader=FakeReader()) as server:
        yield Client(session, server.url)


@pytest.fixture(scope="module")
def rapid() -> RapidReader:
    reader = RapidReader()
    reader.load()
    return reader


@pytest.fixture
async def reading(session: aiohttp.ClientSession, rapid: RapidReader) -> AsyncIterator[Client]:
    """A server that really reads."""
    async with offline.serve(pace=0, reader=rapid) as server:
        yield Client(session, server.url)


def user(*content: object) -> dict[str, object]:
    parts = [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]
    return {"role": "user", "content": parts}


def part(data: bytes, detail: str = "high", head: str = "data:image/png;base64,") -> dict[str, Any]:
    url = head + base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def square(colour: str, width: int = 60, height: int = 60, kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind)
    return out.getvalue()


SAID = {"role": "assistant", "content": "Yes."}


async def test_the_text_of_a_real_screenshot_is_read_line_by_line(reading: Client) -> None:
    text = await reading.text(user("Picture 1 (menu.jpg):", part(MONDAY), "What does it say?"))

    block = text.split("```")[1].strip().splitlines()
    assert block[0] == "Tidewater Coffee"
    assert {"Cortado 3.20", "Butter croissant 2.70", "Lemon tart 4.40"} <= set(block)
    assert len(block) == 15


async def test_a_follow_up_says_what_changed_between_two_pictures(reading: Client) -> None:
    first = user("Picture 1 (menu-monday.jpg):", part(MONDAY), "How much is a cortado?")
    second = user("Picture 2 (menu-tuesday.jpg):", part(TUESDAY), "What changed?")

    text = await reading.text(first, SAID, second)

    assert text.startswith("**From picture 1 to picture 2**")
    assert "Changed: `Cortado 3.20` → `Cortado 3.50`" in text
    assert "Only in picture 2: `sold out`, `Plum cake 4.20`" in text
    assert "purple (0% → " in text
    assert "Size: the same, 720 × 636 pixels" in text
    assert "nearly the same; they differ most at the bottom" in text
    assert "(earlier: 1; new: 2)" in text


async def test_lines_that_share_words_with_the_question_come_first(reading: Client) -> None:
    text = await reading.text(user(part(MONDAY), "How much is a cortado?"))

    assert text.startswith("_I am the offline model")
    assert "Lines that share words with your question: `Cortado 3.20`\n\n**Text:**" in text


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (20, 3000)])
def test_the_reader_survives_any_shape(rapid: RapidReader, size: tuple[int, int]) -> None:
    assert rapid.lines(Image.new("RGB", size, "white")) == ()


def test_reading_needs_no_network_and_says_nothing_on_the_terminal() -> None:
    script = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        raise SystemExit(f"{event} {arguments[1:]}")
sys.addaudithook(watch)
from PIL import Image
from bot.offline.reader import RapidReader
lines = RapidReader().lines(Image.open(sys.argv[1]).convert("RGB").crop((0, 0, 720, 64)))
assert lines[0] == "Tidewater Coffee", lines
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(DEMO / "menu-monday.jpg")],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    "colour", ["red", "green", "blue", "yellow", "black", "white", "orange", "purple", "pink"]
)
async def test_a_plain_square_is_called_by_its_colour(client: Client, colour: str) -> None:
    text = await client.text(user(part(square(colour)), "What colour is it?"))

    assert text.startswith(f"**Colours:** {colour} 100%;")


async def test_transparency_is_seen_as_white(client: Client) -> None:
    out = BytesIO()
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(out, "PNG")

    assert "white 100%" in await client.text(user(part(out.getvalue()), "Which colour?"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_every_format_that_the_api_takes_is_taken(client: Client, kind: str) -> None:
    text = await client.text(user(part(square("blue", 90, 40, kind)), "How large?"))

    assert text.startswith("**Size:** 90 × 40 pixels, landscape.")
    assert "blue 100%" in text


async def test_a_question_that_touches_nothing_it_knows_is_not_answered_as_if_understood(
    client: Client,
) -> None:
    text = await client.text(user(part(square("red")), "Why do cats purr?"))

    assert text.startswith(f"_{words.CREDO}_")


async def test_without_a_picture_it_says_so(client: Client) -> None:
    text = await client.text({"role": "user", "content": "Hello?"})

    assert words.CREDO in text
    assert "I was sent no picture." in text


async def test_a_named_picture_is_spoken_of_and_one_that_never_came_is_named(
    client: Client,
) -> None:
    both = user(
        "Picture 3 (a.png):", part(square("red")), "Picture 5 (b.png):", part(square("blue"))
    )

    text = await client.text(both, SAID, user("Which colours have pictures 3 and 9?"))

    assert text.startswith("I was not sent a picture 9.\n\n**Picture 3**")
    assert "red 100%" in text
    assert "blue" not in text
    assert "I was sent 2 pictures (earlier: 3, 5)." in text


async def test_a_follow_up_without_a_picture_is_about_the_newest(client: Client) -> None:
    first = user(part(square("red")), part(square("blue")), "What colour?")

    text = await client.text(first, SAID, user("And the colour again?"))

    assert text.startswith("**Picture 2**\n\n**Colours:** blue")


async def test_of_many_pictures_a_few_are_read_and_all_are_named(
    session: aiohttp.ClientSession,
) -> None:
    reader = FakeReader()
    async with offline.serve(pace=0, reader=reader) as server:
        shades = [square("red", 30 + index) for index in range(20)]
        text = await Client(session, server.url).text(user(*map(part, shades), "What is it?"))

    assert reader.read == words.MOST_DESCRIBED
    assert all(f"**Picture {number}**" in text for number in range(1, 21))


async def test_text_in_a_picture_cannot_leave_its_code_block(
    session: aiohttp.ClientSession,
) -> None:
    hostile = ("```", "@everyone `hi` <!channel>", "[x](http://e.example)\n# Title")
    async with offline.serve(pace=0, reader=FakeReader(hostile)) as server:
        text = await Client(session, server.url).text(user(part(square("red")), "Read the text"))

    before, block, after = text.split("```")
    assert block.strip().splitlines() == [
        "'''",
        "@everyone 'hi' <!channel>",
        "[x](http://e.example) # Title",
    ]
    assert "everyone" not in before + after


async def test_a_stream_has_the_documented_form(client: Client) -> None:
    asked = user(part(square("red")), "What colour?")

    events = await client.events(asked, stream_options={"include_usage": True})

    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    *steps, usage = chunks
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 255
    assert all(step["usage"] is None for step in steps)
    choices = [step["choices"][0] for step in steps]
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (choices[-1]["delta"], choices[-1]["finish_reason"]) == ({}, "stop")
    assert {choice["finish_reason"] for choice in choices[:-1]} == {None}
    assert all(set(choice["delta"]) == {"content"} for choice in choices[1:-1])
    streamed = "".join(choice["delta"]["content"] for choice in choices[:-1])
    assert streamed == await client.text(asked)


async def test_a_stream_tells_no_usage_unless_asked(client: Client) -> None:
    *events, done = await client.events(user("Hello"))

    assert done == "[DONE]"
    assert all("usage" not in json.loads(event) for event in events)


async def test_a_whole_answer_has_the_documented_form(client: Client) -> None:
    found = await client.answer(user(part(square("red")), "What colour?"))

    assert found["object"] == "chat.completion"
    assert found["model"] == MODEL
    assert found["choices"][0]["message"]["role"] == "assistant"
    assert found["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("model", "detail", "picture"),
    [
        ("gpt-4o", "high", 765),
        ("gpt-4o", "low", 85),
        ("gpt-5.6-luna", "high", 1229),
        ("made-up-model", "high", 85),
    ],
)
async def test_usage_is_counted_by_the_rule_of_the_model_asked_for(
    client: Client, model: str, detail: str, picture: int
) -> None:
    asked = user(part(square("red", 1024, 1024), detail), "What colour?")
    system = {"role": "system", "content": "Be brief."}

    found = await client.answer(system, asked, model=model)

    usage, text = found["usage"], found["choices"][0]["message"]["content"]
    expected = picture + tokens.text("What colour?") + tokens.text("Be brief.") + tokens.overhead(2)
    assert usage["prompt_tokens"] == expected
    assert usage["completion_tokens"] == tokens.text(text)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_ends_at_its_limit(client: Client, field: str) -> None:
    found = await client.answer(user("Hello"), **{field: 10})

    assert found["choices"][0]["finish_reason"] == "length"
    assert 5 <= found["usage"]["completion_tokens"] <= 10


HELLO = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ([], "the body", "invalid_type"),
        ({"messages": [HELLO]}, "model", "missing_required_parameter"),
        ({"model": MODEL}, "messages", "invalid_type"),
        ({"model": MODEL, "messages": []}, "messages", "invalid_type"),
        ({"model": MODEL, "messages": [None]}, "messages[0]", "invalid_type"),
        ({"model": MODEL, "messages": [{**HELLO, "role": "robot"}]}, "messages[0].role", None),
        ({"model": MODEL, "messages": [HELLO], "stream": "yes"}, "stream", "invalid_type"),
        ({"model": MODEL, "messages": [HELLO], "stream_options": {}}, "stream_options", None),
        ({"model": MODEL, "messages": [HELLO], "max_tokens": 0}, "max_tokens", None),
        ({"model": MODEL, "messages": [HELLO], "max_tokens": True}, "max_tokens", None),
        (
            {"model": MODEL, "messages": [{"role": "system", "content": [part(MONDAY)]}]},
            "messages[0].content[0]",
            None,
        ),
        (
            {"model": MODEL, "messages": [user({"type": "input_audio"})]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            {"model": MODEL, "messages": [user(part(MONDAY, "ultra"))]},
            "messages[0].content[0].image_url.detail",
            "invalid_value",
        ),
    ],
)
async def test_a_bad_request_is_refused_in_the_apis_form(
    client: Client, body: object, param: str, code: str | None
) -> None:
    status, found = await client.post(body)

    assert status == 400
    assert set(found) == {"error"}
    assert found["error"]["type"] == "invalid_request_error"
    assert (found["error"]["param"], found["error"]["code"]) == (param, code)
    assert found["error"]["message"].endswith(".")


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (part(b""), "invalid_image_format"),
        (part(b"<!doctype html><title>Sign in</title>"), "invalid_image_format"),
        (part(MONDAY[: len(MONDAY) // 2]), "invalid_image_format"),
        (part(b"\x89PNG\r\n\x1a\n" + bytes(100)), "invalid_image_format"),
        (part(MONDAY, head=""), "invalid_image_url"),
        (part(b"", head="https://pictures.example/cat.png"), "invalid_image_url"),
        (part(b"", head="data:image/png;base64,%%%"), "invalid_base64"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_broken_picture_is_refused_before_a_word_is_said(
    client: Client, picture: object, code: str, stream: bool
) -> None:
    messages = [user("Picture 1:", part(square("red")), "Picture 2:", picture, "What is it?")]

    status, found = await client.post({"model": MODEL, "messages": messages, "stream": stream})

    assert status == 400
    assert found["error"]["code"] == code
    assert found["error"]["param"].startswith("messages[0].content[3]")


async def test_a_picture_with_too_many_pixels_is_refused_by_its_header(client: Client) -> None:
    bomb = bytearray(square("white", 1, 1))
    bomb[16:24] = (30_000).to_bytes(4) * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4)

    status, found = await client.post({"model": MODEL, "messages": [user(part(bytes(bomb)))]})

    assert status == 400
    assert "30000 × 30000 pixels are too many" in found["error"]["message"]


async def test_other_addresses_and_other_forms_are_refused_in_json(client: Client) -> None:
    status, found = await client.post({}, "/embeddings")
    assert (status, found["error"]["type"]) == (404, "invalid_request_error")

    async with client.session.get(f"{client.url}/chat/completions") as response:
        assert response.status == 405
        assert (await response.json())["error"]["message"].startswith("GET /v1/chat/completions")

    async with client.session.post(f"{client.url}/chat/completions", data="{}") as response:
        assert response.status == 415

    headers = {"Content-Type": "application/json"}
    for broken in (b'{"model": ', b"\xff", b"[" * 100_000):
        async with client.session.post(
            f"{client.url}/chat/completions", data=broken, headers=headers
        ) as response:
            assert response.status == 400
            assert (await response.json())["error"]["message"] == "The body is not JSON."


async def test_a_body_over_the_bound_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.session.post(
        f"{client.url}/chat/completions", data=BytesIO(bytes(60_000_001)), headers=headers
    ) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "request_too_large"


async def test_any_model_name_is_served(client: Client) -> None:
    async with client.session.get(f"{client.url}/models") as response:
        assert [each["object"] for each in (await response.json())["data"]] == ["model"]
    async with client.session.get(f"{client.url}/models/openai/gpt-4o") as response:
        assert (await response.json())["id"] == "openai/gpt-4o"


async def test_it_listens_on_loopback_only(client: Client) -> None:
    assert client.url.startswith("http://127.0.0.1:")
    assert client.url.endswith("/v1")


async def test_warming_up_tells_of_it_and_a_missing_part_is_told_with_its_mend(
    session: aiohttp.ClientSession,
) -> None:
    told: list[str] = []
    async with offline.serve(pace=0, reader=FakeReader()) as server:
        await server.warm(told.append)
    assert told[0] == "Loading the offline model …"
    assert told[1].startswith("The offline model is ready after")

    async with offline.serve(pace=0, reader=MissingReader()) as server:
        with pytest.raises(SetupError, match="Install it"):
            await server.warm()
        status, found = await Client(session, server.url).post(
            {"model": MODEL, "messages": [HELLO]}
        )
    assert (status, found["error"]["message"]) == (500, "Install it.")


def test_missing_packages_are_named_with_the_mend() -> None:
    with pytest.raises(SetupError, match=r"OPENAI_API_KEY.*requirements-demo.*Missing: cv2\."):
        require(lambda name: None if name == "cv2" else name)

    require(lambda name: name)


async def test_a_server_closes_at_once_though_an_answer_is_under_way(
    session: aiohttp.ClientSession,
) -> None:
    async with asyncio.timeout(20):
        async with offline.serve(pace=3600, reader=FakeReader()) as server:
            response = await session.post(
                f"{server.url}/chat/completions",
                json={"model": MODEL, "messages": [HELLO], "stream": True},
            )
            assert b"assistant" in await response.content.readline()
        response.close()


async def test_a_picture_is_read_again_only_after_a_while() -> None:
    now, reader = [0.0], FakeReader(("one",), ("two",))
    eyes = Eyes(reader, clock=lambda: now[0])
    assert await eyes.read(MONDAY) == ("one",)
    assert await eyes.read(MONDAY) == ("one",)

    now[0] = REMEMBERED_SECONDS + 1

    assert await eyes.read(MONDAY) == ("two",)
    eyes.close()


def test_pictures_that_differ_in_one_corner_are_said_to_differ_there() -> None:
    image = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(image).rectangle((150, 150, 199, 199), fill="red")
    out = BytesIO()
    image.save(out, "PNG")
    plain, marked = look(square("white", 200, 200)), look(out.getvalue())

    assert words.likeness(plain, plain) == "Pixels: no difference that can be seen"
    assert (
        words.likeness(plain, marked)
        == "Pixels: nearly the same; they differ most at the bottom right"
    )
    assert words.likeness(plain, look(square("black"))) == "Pixels: very different"


def test_every_anchor_bears_its_own_name() -> None:
    for name, shades in colours.NAMES.items():
        assert {colours.name(*bytes.fromhex(shade)) for shade in shades} == {name}


@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_unreadable(data: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a"):
        with pytest.raises(Unreadable):
            look(head + data)


PIECES = st.builds(
    Piece,
    st.text("ab1 .", min_size=2, max_size=5),
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.floats(1, 50),
)


@given(st.lists(PIECES, max_size=20))
def test_joining_rows_loses_no_words(pieces: list[Piece]) -> None:
    joined = join_rows(pieces)

    assert sorted("".join(joined).replace(" ", "")) == sorted(
        "".join(piece.text for piece in pieces).replace(" ", "")
    )
    assert len(joined) <= len(pieces)


def test_a_number_joins_the_words_left_of_it_in_its_row() -> None:
    pieces = [Piece("3.20", 300, 51, 20), Piece("Cortado", 0, 50, 20), Piece("Tea", 0, 80, 20)]

    assert join_rows(pieces) == ["Cortado 3.20", "Tea"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["user", "text", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "model",
                    "messages",
                    "role",
                    "content",
                    "type",
                    "text",
                    "image_url",
                    "url",
                    "stream",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_any_json_is_understood_or_refused(found: object, framed: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": found}]} if framed else found
    with suppress(wire.Refused):
        asked = wire.parse(json.dumps(body).encode())

        assert asked.model
        assert asked.messages


@pytest.mark.parametrize(
    ("question", "new", "pairs"),
    [
        ("What is it?", (False, False, True), [(1, 2)]),
        ("What is it?", (False, False, False), []),
        ("What changed since picture 1?", (False, False, True), [(0, 2)]),
        ("What changed since picture 3?", (False, False, False), [(1, 2)]),
        ("Compare pictures 1 and 2", (False, False, False), [(0, 1)]),
        ("What changed?", (False, False, False), [(1, 2)]),
        ("Hello", (True, True, True), [(0, 1), (1, 2)]),
        ("What changed?", (True,), []),
        ("What changed?", (), []),
    ],
)
def test_the_pictures_that_a_question_means_are_compared(
    question: str, new: tuple[bool, ...], pairs: list[tuple[int, int]]
) -> None:
    seen = [words.Seen(number, each, GREY) for number, each in enumerate(new, 1)]

    chosen, _ = words.choose(question, seen)

    compares = words.DIFFERENCE.search(question) is not None
    assert words.pairs_of(chosen, seen, compares=compares) == pairs


def test_pages_of_one_document_are_chosen_together_and_not_compared() -> None:
    seen = [words.Seen(1, False, GREY)]
    seen += [words.Seen(2, True, GREY, f"page {page}") for page in (1, 2, 3)]

    chosen, missing = words.choose("What is in picture 2?", seen)

    assert (chosen, missing) == ([1, 2, 3], [])
    assert words.pairs_of(chosen, seen, compares=False) == []
    assert [each.name for each in seen] == ["1", "2, page 1", "2, page 2", "2, page 3"]
    assert "2 pictures (earlier: 1; new: 2)" in words.closing(seen, credo=False)


GREY = Look(10, 10, (("grey", 1.0),), ((0.5, 0.0, 0.0),) * GRID**2)


@settings(max_examples=50)
@given(
    st.text(max_size=60)
    | st.sampled_from(["compare picture 1 and 2", "#1 vs #2", "colours of #9"]),
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=6),
    st.integers(1, 200),
)
async def test_any_question_about_any_pictures_is_answered_honestly_and_within_its_limit(
    question: str, pictures: list[tuple[int, bool]], limit: int
) -> None:
    seen = [words.Seen(number, new, GREY) for number, new in pictures]

    async def read(index: int) -> tuple[str, ...]:
        return ("a line", str(index))

    whole = Saying(words.answer(question, seen, read), None)
    text = "".join([word async for word in whole])
    cut = Saying(words.answer(question, seen, read), limit)
    start = "".join([word async for word in cut])

    assert words.CREDO in text
    assert text.startswith(start)
    assert cut.bill(0).output <= limit
    assert (cut.finish == "stop") == (start == text)
