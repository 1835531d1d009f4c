"""What comes in over HTTP: believed when it is signed, acknowledged when it is stored, refused in one line."""

import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack import SlackAdapter
from adapters.slack.envelopes import Malformed, Signature, opened
from bot.domain import Card, Scope
from bot.errors import Outage, SetupError
from tests.adapters.slack.conftest import Notebook
from tests.servers.slack import BOT_USER, CHANNEL, DIRECT, TEAM, Fault, SlackServer
from tests.servers.slack_http import SIGNING_SECRET, signature
from tests.servers.slack_rules import Json

MENTION = f"<@{BOT_USER}> what is this?"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def adapter(make_adapter: Callable[..., SlackAdapter]) -> SlackAdapter:
    return make_adapter(app_token=None, signing_secret=SIGNING_SECRET, host="127.0.0.1", port=0)


@pytest.fixture
async def listening(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> AsyncIterator[Notebook]:
    """The desk of an adapter that is reached by HTTP."""
    async with served(slack, adapter, desk):
        await slack.until(lambda: adapter.address and adapter.address.ready)
        yield desk


async def test_a_mention_with_its_picture_arrives_as_over_a_socket(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")

    ts = slack.post(MENTION, files=[file.info["id"]])
    await acknowledged(slack)

    first, second = listening.messages
    assert first == second
    assert (first.id, first.addressed) == (ts, True)
    assert [attachment.id for attachment in first.attachments] == [file.info["id"]]
    assert slack.calls["apps.connections.open"] == 0


async def test_slack_s_question_whether_the_address_is_ours_is_answered(
    slack: SlackServer, listening: Notebook
) -> None:
    answer = await signed(slack, {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNF"})

    assert answer.status == 200
    assert await answer.json() == {"challenge": "3eZbrw1aBm2rZgRNF"}


async def test_nothing_is_acknowledged_before_it_is_stored(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.waits = asyncio.Event()
    slack.post("hello", channel=DIRECT)
    slack.post("just chatting")
    waiting, chatter = slack.deliveries
    await slack.until(lambda: chatter.acked_at)
    before = waiting.acked_at

    listening.waits.set()
    await slack.until(lambda: waiting.acked_at)

    assert before is None
    assert len(listening.messages) == 1


async def test_what_could_not_be_stored_gets_503_is_sent_again_and_then_stored(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.retry_seconds = (0.0, 0.0, 0.0)
    listening.failures = [Outage("The database is away."), Outage("Still away.")]

    slack.post("canary", channel=DIRECT)
    await acknowledged(slack)

    assert slack.failures == ["http_error", "http_error"]
    assert slack.deliveries[0].sent == 3
    assert len(listening.messages) == 1


async def test_an_answer_that_comes_too_late_is_asked_for_again(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.retry_seconds = (0.0, 0.0, 0.0)
    slack.patience_seconds = 0.1
    listening.waits = asyncio.Event()

    slack.post("hello", channel=DIRECT)
    await slack.until(lambda: slack.failures)
    listening.waits.set()
    await acknowledged(slack)

    assert slack.failures[0] == "http_timeout"
    assert {message.id for message in listening.messages} == {listening.messages[0].id}


async def test_commands_shortcuts_and_buttons_come_as_forms(
    slack: SlackServer, listening: Notebook
) -> None:
    ts = slack.post(MENTION)
    slack.command("/estimate", "1920x1080 + ü=1")
    slack.shortcut(ts)
    slack.press("token-1")
    await acknowledged(slack)
    await slack.until(lambda: len(slack.ephemeral) == 3)

    assert {command.text for command in listening.commands} >= {"1920x1080 + ü=1"}
    assert [token for token, _ in listening.presses] == ["token-1"]


async def test_a_form_s_mistakes_come_back_with_its_acknowledgement(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.command("/estimate")
    await slack.until(lambda: slack.views)
    delivery = slack.submit(slack.views[0], {"files": {"files": []}})
    await acknowledged(slack)

    assert delivery.answer is not None
    assert delivery.answer["response_action"] == "errors"


async def test_a_form_s_mistakes_are_told_in_the_answer_to_it(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.command("/estimate")
    await slack.until(lambda: slack.views)

    sent = slack.submit(slack.views[0], {})
    await slack.until(lambda: sent.acked_at)

    assert sent.answer is not None
    assert sent.answer["response_action"] == "errors"


async def test_the_one_workspace_s_end_is_erased_and_the_log_names_the_mend(
    slack: SlackServer, listening: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    slack.event({"type": "tokens_revoked", "tokens": {"bot": [BOT_USER]}})
    slack.event({"type": "app_uninstalled"})
    await acknowledged(slack)

    assert set(listening.scopes) == {Scope("slack", TEAM)}
    assert "install it and copy the Bot User OAuth Token" in caplog.text


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\u202e", "🙂" * 10_000])
async def test_odd_characters_are_taken_in(
    slack: SlackServer, listening: Notebook, text: str
) -> None:
    payload = event(slack)
    payload["event"]["text"] = text

    answer = await signed(slack, payload)

    assert answer.status == 200
    assert len(listening.messages) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=abc"},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v0=" + "é" * 64},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "abc"},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
async def test_a_request_without_slack_s_signature_is_turned_away(
    slack: SlackServer, listening: Notebook, changes: Mapping[str, str]
) -> None:
    body = json.dumps(event(slack)).encode()

    answer = await sent(slack, body, {**JSON, **signature(SIGNING_SECRET, body), **changes})

    assert answer.status == 401
    assert listening.messages == []


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_an_old_or_coming_timestamp_is_turned_away(
    slack: SlackServer, listening: Notebook, seconds: int
) -> None:
    body = json.dumps(event(slack)).encode()
    headers = signature(SIGNING_SECRET, body, str(int(time.time()) + seconds))

    answer = await sent(slack, body, JSON | headers)

    assert answer.status == 401
    assert listening.messages == []


async def test_a_changed_body_is_turned_away(slack: SlackServer, listening: Notebook) -> None:
    body = json.dumps(event(slack)).encode()

    answer = await sent(slack, body + b" ", JSON | signature(SIGNING_SECRET, body))

    assert answer.status == 401
    assert listening.messages == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"null"),
        (JSON, b""),
        (JSON, b"[" * 100_000),
        (FORM, b"payload=%7B"),
        (FORM, b"payload=[]"),
        (FORM, b"payload="),
        (FORM, b"&".join(b"a=1" for _ in range(200))),
        ({"Content-Type": "text/plain"}, b"{}"),
        ({"Content-Type": "multipart/form-data"}, b"{}"),
        ({}, b"{}"),
    ],
    ids=range(12),
)
async def test_a_signed_request_that_nobody_can_read_gets_400(
    slack: SlackServer, listening: Notebook, headers: Mapping[str, str], body: bytes
) -> None:
    answer = await sent(slack, body, {**headers, **signature(SIGNING_SECRET, body)})

    assert answer.status == 400


async def test_a_signed_body_that_is_no_text_is_turned_away(
    slack: SlackServer, listening: Notebook
) -> None:
    body = b'{"\xff": 1}'

    answer = await sent(slack, body, JSON | signature(SIGNING_SECRET, body))

    assert answer.status == 401


async def test_an_event_of_an_odd_shape_is_acknowledged_and_left_alone(
    slack: SlackServer, listening: Notebook
) -> None:
    shapes: list[object] = [
        {},
        {"type": "event_callback"},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": {"type": "message"}, "team_id": 7},
        {"type": "event_callback", "event": {"type": "app_mention"}, "authorizations": {}},
        {"type": "block_actions", "actions": 1, "team": []},
        {"type": "view_submission"},
    ]

    answers = [await signed(slack, shape) for shape in shapes]

    assert [answer.status for answer in answers] == [200] * len(shapes)
    assert listening.messages == []


async def test_the_same_request_again_is_taken_in_again_for_the_store_to_merge(
    slack: SlackServer, listening: Notebook
) -> None:
    body = json.dumps(event(slack)).encode()
    headers = JSON | signature(SIGNING_SECRET, body)

    statuses = [(await sent(slack, body, headers)).status for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert len({message.id for message in listening.messages}) == 1


async def test_slack_s_look_at_our_certificate_needs_no_signature(
    slack: SlackServer, listening: Notebook
) -> None:
    posted = await sent(slack, b"ssl_check=1&token=x", FORM)
    async with aiohttp.ClientSession() as session:
        got = await session.get(f"{slack.request_url}?ssl_check=1")

    assert (posted.status, got.status) == (200, 200)
    assert listening.commands == []


@pytest.mark.parametrize("told", [True, False])
async def test_a_body_that_is_too_large_is_turned_away_before_it_is_read(
    slack: SlackServer, listening: Notebook, told: bool
) -> None:
    body = b'{"a": "' + b"x" * 3 * 2**20 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    headers = JSON | signature(SIGNING_SECRET, body)
    try:
        answer = await sent(slack, io.BytesIO(body) if told else pieces(), headers)
        status = answer.status
    except aiohttp.ClientConnectionError:
        status = 413  # The connection was closed while we were still talking.

    assert status == 413
    assert (await sent(slack, b"{}", JSON | signature(SIGNING_SECRET, b"{}"))).status == 200


async def test_a_packed_body_is_not_unpacked(slack: SlackServer, listening: Notebook) -> None:
    packed = b"\x1f\x8b\x08\x00" + b"\x00" * 20
    headers = JSON | {"Content-Encoding": "gzip"} | signature(SIGNING_SECRET, b"{}")

    answer = await sent(slack, packed, headers)

    assert answer.status == 401


async def test_a_body_that_never_ends_is_given_up(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter], desk: Notebook
) -> None:
    adapter = make_adapter(app_token=None, signing_secret=SIGNING_SECRET, host="127.0.0.1", port=0)
    assert adapter.address is not None
    adapter.address.body_seconds = 0.05
    async with served(slack, adapter, desk):
        reader, writer = await asyncio.open_connection("127.0.0.1", adapter.address.port)
        head = signature(SIGNING_SECRET, b"{}") | JSON | {"Host": "x", "Content-Length": "100"}
        lines = [f"{name}: {value}" for name, value in head.items()]
        writer.write("\r\n".join(["POST /slack/events HTTP/1.1", *lines, "", "{"]).encode())

        status = await asyncio.wait_for(reader.readline(), 5)

        assert b" 408 " in status
        writer.close()


async def test_health_is_told_by_status(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    slack.fail("auth.test", fault_late())
    async with served(slack, adapter, desk):
        starting = await health(slack)
        await slack.until(lambda: adapter.address and adapter.address.ready)
        well = await health(slack)

    assert starting == 503
    assert well == 200


async def test_health_asks_the_database(slack: SlackServer, listening: Notebook) -> None:
    listening.away = True

    assert await health(slack) == 503


async def test_before_the_bot_knows_itself_slack_is_asked_to_come_again(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    slack.retry_seconds = (0.0, 0.0, 0.0)
    slack.fail("auth.test", fault_late())
    async with served(slack, adapter, desk):
        early = await signed(slack, event(slack))
        verified = await signed(slack, {"type": "url_verification", "challenge": "c"})
        await slack.until(lambda: adapter.address and adapter.address.ready)
        later = await signed(slack, event(slack))

    assert (early.status, verified.status, later.status) == (503, 200, 200)


async def test_a_stop_finishes_what_is_under_way_and_takes_nothing_more_in(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    desk.waits = asyncio.Event()
    async with served(slack, adapter, desk) as task:
        await slack.until(lambda: adapter.address and adapter.address.ready)
        under_way = asyncio.create_task(signed(slack, event(slack)))
        await slack.until(lambda: desk.waiting)
        task.cancel()
        await refused(slack)
        desk.waits.set()

        assert (await under_way).status == 200
    assert len(desk.messages) == 1


async def test_a_port_that_is_taken_ends_with_a_sentence(
    make_adapter: Callable[..., SlackAdapter], desk: Notebook
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        adapter = make_adapter(
            app_token=None,
            signing_secret=SIGNING_SECRET,
            host="127.0.0.1",
            port=taken.getsockname()[1],
        )

        with pytest.raises(SetupError, match="set PORT"):
            await adapter.listen(desk)


async def test_with_an_app_token_nothing_listens_on_a_port(
    make_adapter: Callable[..., SlackAdapter],
) -> None:
    assert make_adapter(signing_secret=SIGNING_SECRET).address is None


async def test_a_refusal_is_whispered_once_however_often_the_message_comes(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.refusal = Card("Not here", "Ask <@U0BOSS>.")

    root = slack.post(MENTION)
    slack.tell(root)
    await acknowledged(slack)
    slack.post(MENTION, thread=root, user="U0BOB")
    await acknowledged(slack)
    await slack.until(lambda: len(slack.whispers) == 2)

    first, second = slack.whispers
    assert (first["user"], first["channel"]) == ("U0ANN", CHANNEL)
    assert not first.get("thread_ts")
    assert (second["user"], second["thread_ts"]) == ("U0BOB", root)
    assert slack.own() == []


@given(st.binary(max_size=200), st.text(max_size=80), st.text(max_size=80))
def test_no_headers_and_no_body_make_the_check_break(body: bytes, stamp: str, sign: str) -> None:
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign}

    assert not Signature(SIGNING_SECRET).holds(headers, body)


@given(st.binary(max_size=200), st.sampled_from(["application/json", FORM["Content-Type"], ""]))
def test_no_body_breaks_the_reading(body: bytes, kind: str) -> None:
    with suppress(Malformed):
        assert isinstance(opened(kind, body), dict)


@given(st.dictionaries(st.text(), st.text(min_size=1), max_size=5))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    fields.pop("payload", None)

    assert opened(FORM["Content-Type"], urlencode(fields).encode()) == fields


@asynccontextmanager
async def served(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> AsyncIterator["asyncio.Task[None]"]:
    """An adapter that listens, and a Slack that knows where."""
    task = asyncio.create_task(adapter.listen(desk))
    address = adapter.address
    assert address is not None
    await slack.until(lambda: task.done() or address.port)
    slack.request_url = f"http://127.0.0.1:{address.port}/slack/events"
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def acknowledged(slack: SlackServer) -> None:
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))


async def signed(slack: SlackServer, payload: object) -> aiohttp.ClientResponse:
    """What the bot answers to a payload that Slack signed."""
    body = json.dumps(payload).encode()
    return await sent(slack, body, JSON | signature(SIGNING_SECRET, body))


async def sent(
    slack: SlackServer, body: bytes | io.BytesIO | AsyncIterator[bytes], headers: Mapping[str, str]
) -> aiohttp.ClientResponse:
    """What the bot answers to whoever sends this."""
    async with (
        aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session,
        session.post(slack.request_url, data=body, headers=headers) as response,
    ):
        await response.read()
        return response


async def health(slack: SlackServer) -> int:
    address = slack.request_url.replace("/slack/events", "/healthz")
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return response.status


async def refused(slack: SlackServer) -> None:
    """Waits until nobody is taken in any more."""
    async with asyncio.timeout(5):
        while True:
            try:
                await health(slack)
            except aiohttp.ClientConnectionError:
                return


def event(slack: SlackServer) -> Json:
    """A direct message as Slack tells of it."""
    message = {"type": "message", "user": "U0ANN", "text": "hello", "ts": slack.now()}
    place = {"channel": DIRECT, "channel_type": "im"}
    return {"type": "event_callback", "team_id": "T0HOME", "event": {**message, **place}}


def fault_late() -> Fault:
    return Fault(late=0.3)
