"""Many workspaces: installed by their administrators, served apart, and erased when they leave."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine

from adapters.slack import SlackAdapter
from adapters.slack.api import Api
from adapters.slack.homes import InstalledHomes
from adapters.slack.installations import Installations
from adapters.slack.oauth import authorization_url
from adapters.slack.sealing import seal
from bot.domain import Claim, Message, Scope, ThreadId
from bot.errors import Outage, PictureUnseen, SetupError
from tests.adapters.slack.conftest import REPLY, Notebook
from tests.clock import Clock
from tests.servers import slack_rules as rules
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, BOT_USER, CHANNEL, Fault, SlackServer
from tests.servers.slack_http import SIGNING_SECRET
from tests.servers.slack_installs import CLIENT_ID, CLIENT_SECRET
from tests.servers.slack_workspace import Channel

KEY = Fernet.generate_key().decode()
TOKEN, AWAY, THERE = "xoxb-away-canary", "T0AWAY", "C0AWAY"
MENTION = f"<@{BOT_USER}> what is this?"
Make = Callable[..., SlackAdapter]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


@pytest.fixture
def opened(database: Path) -> Iterator[Callable[..., Installations]]:
    """Makes installation stores on the same database."""
    made: list[Installations] = []

    def make(keys: str = KEY) -> Installations:
        engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 1})
        made.append(Installations(engine, CLIENT_ID, seal(keys)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def make(make_adapter: Make, opened: Callable[..., Installations]) -> Make:
    """Makes adapters for many workspaces, heard by HTTP."""

    def make(**changes: object) -> SlackAdapter:
        given: dict[str, object] = {
            "bot_token": None,
            "app_token": None,
            "signing_secret": SIGNING_SECRET,
            "client_secret": CLIENT_SECRET,
            "installations": opened(),
            "host": "127.0.0.1",
            "port": 0,
        }
        return make_adapter(**given | changes)

    return make


@pytest.fixture
async def adapter(make: Make) -> SlackAdapter:
    return make()


@pytest.fixture
async def listening(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> AsyncIterator[Notebook]:
    slack.channels[THERE] = Channel(team=AWAY)
    async with served(slack, adapter, desk):
        yield desk


async def test_an_administrator_installs_the_app_and_the_workspace_is_served(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook, database: Path
) -> None:
    code = slack.consent(AWAY, token=TOKEN)

    status, _ = await install(slack, code)
    question = slack.post(MENTION, channel=THERE)
    await acknowledged(slack)
    await adapter.draft(claim(listening.messages[0])).finish(REPLY)

    assert status == 200
    assert listening.messages[0].thread == ThreadId("slack", AWAY, THERE, question)
    assert slack.thread(question, THERE)
    assert TOKEN.encode() not in everything(database)


async def test_the_button_asks_slack_for_the_scopes_that_the_bot_needs(
    slack: SlackServer, listening: Notebook
) -> None:
    async with browser() as person:
        page = await (await person.get(address(slack, "/slack/install"))).text()

    link = urlsplit(page.split('href="')[2].split('"')[0].replace("&amp;", "&"))
    asked = parse_qs(link.query)
    assert f"{link.scheme}://{link.netloc}{link.path}" == authorization_url(slack.url)
    assert asked["client_id"] == [CLIENT_ID]
    assert {"chat:write", "files:read", "users:read"} <= set(asked["scope"][0].split(","))


@pytest.mark.parametrize(
    ("api", "page"),
    [
        ("https://slack.com/api/", "https://slack.com/oauth/v2/authorize"),
        ("https://slack-gov.com/api", "https://slack-gov.com/oauth/v2/authorize"),
        ("https://proxy.example/slack/api/", "https://proxy.example/slack/oauth/v2/authorize"),
    ],
)
def test_the_page_for_installing_is_beside_the_api(api: str, page: str) -> None:
    assert authorization_url(api) == page


async def test_a_workspace_that_never_installed_the_app_is_acknowledged_and_left_alone(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.post(MENTION, channel=THERE)
    await acknowledged(slack)

    assert listening.messages == []


async def test_two_workspaces_are_written_to_by_their_own_tokens(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    await install(slack, slack.consent("T0HOME", token="xoxb-home"))
    await install(slack, slack.consent(AWAY, token=TOKEN))
    slack.post(MENTION, channel=CHANNEL)
    slack.post(MENTION, channel=THERE)
    await acknowledged(slack)

    for message in {message.id: message for message in listening.messages}.values():
        await adapter.draft(claim(message)).finish(REPLY)

    # Slack says "channel_not_found" to the token of another workspace.
    assert len(slack.own(CHANNEL)) == len(slack.own(THERE)) == 1


async def test_a_process_that_heard_nothing_of_a_workspace_yet_can_finish_its_answers(
    slack: SlackServer, make: Make, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))
    question = slack.post(MENTION, channel=THERE)
    await acknowledged(slack)
    other = make()

    draft = other.draft(claim(listening.messages[0]))
    shown = await draft.show("")
    await draft.leave()
    posts = await draft.finish(REPLY)

    assert shown
    assert posts == shown
    assert len(slack.thread(question, THERE)) == 1


async def test_without_an_installation_a_draft_says_so_and_shows_nothing(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    message = Message(ThreadId("slack", AWAY, THERE, "1.1"), "1.1", "U0ANN", "?", 1.1)
    draft = adapter.draft(claim(message))

    assert await draft.show("") == ()
    await draft.leave()
    await draft.withdraw()
    with pytest.raises(SetupError, match="/slack/install"):
        await draft.finish(REPLY)
    with pytest.raises(PictureUnseen, match="not installed"):
        await adapter.fetch(message, None)  # type: ignore[arg-type]
    assert not await adapter.administers(AWAY, "U0ANN")


async def test_the_bot_knows_its_name_where_it_was_installed(
    slack: SlackServer, listening: Notebook
) -> None:
    await install(slack, slack.consent("T0HOME", token="xoxb-home"))
    slack.fail("conversations.history", Fault(error="not_in_channel"))
    slack.fail("views.open", Fault(error="expired_trigger_id"))

    slack.command("/estimate")
    await slack.until(lambda: slack.ephemeral)

    assert "/invite @threadsight" in rules.shown(slack.ephemeral[0])


async def test_a_token_that_slack_refuses_is_mended_by_installing_again(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))
    slack.fail("chat.postMessage", Fault(error="token_revoked"))
    message = Message(ThreadId("slack", AWAY, THERE, "1.1"), "1.1", "U0ANN", "?", 1.1)

    with pytest.raises(SetupError, match=r"revoked .*: install it again at /slack/install") as told:
        await adapter.draft(claim(message)).finish(REPLY)

    assert "SLACK_BOT_TOKEN" not in told.value.sentence


async def test_an_uninstalled_workspace_is_erased_and_no_other(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook, database: Path
) -> None:
    await install(slack, slack.consent("T0HOME", token="xoxb-home"))
    await install(slack, slack.consent(AWAY, token=TOKEN))

    slack.event({"type": "tokens_revoked", "tokens": {"bot": [BOT_USER]}}, team_id=AWAY, **OF_AWAY)
    slack.event({"type": "app_uninstalled"}, team_id=AWAY, authorizations=[])
    await acknowledged(slack)
    slack.post(MENTION, channel=THERE)
    slack.post(MENTION)
    await acknowledged(slack)

    assert set(listening.scopes) == {Scope("slack", AWAY)}
    assert {message.thread.workspace for message in listening.messages} == {"T0HOME"}
    assert rows(database) == [("T0HOME",)]


async def test_a_person_s_own_token_that_is_revoked_is_none_of_the_bot_s_business(
    slack: SlackServer, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))

    slack.event({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"]}}, team_id=AWAY, **OF_AWAY)
    await acknowledged(slack)

    assert listening.scopes == []


async def test_an_end_that_is_told_late_does_not_end_a_newer_installation(
    slack: SlackServer, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))

    minutes_ago = int(time.time()) - 300
    slack.event({"type": "app_uninstalled"}, team_id=AWAY, event_time=minutes_ago, **OF_AWAY)
    await acknowledged(slack)
    slack.post(MENTION, channel=THERE)
    await acknowledged(slack)

    assert listening.scopes == []
    assert listening.messages


async def test_what_could_not_be_erased_is_told_again(
    slack: SlackServer, listening: Notebook, database: Path
) -> None:
    slack.retry_seconds = (0.0, 0.0, 0.0)
    await install(slack, slack.consent(AWAY, token=TOKEN))
    listening.unerased = [Outage("The database is away.")]

    slack.event({"type": "app_uninstalled"}, team_id=AWAY, **OF_AWAY)
    await acknowledged(slack)

    assert listening.scopes == [Scope("slack", AWAY)]
    assert rows(database) == []


async def test_an_organisation_installs_once_for_all_its_workspaces(
    slack: SlackServer, make: Make, adapter: SlackAdapter, listening: Notebook, database: Path
) -> None:
    slack.members = {AWAY: "E0ORG", "T0NEXT": "E0ORG"}
    slack.channels["C0NEXT"] = Channel(team="T0NEXT")
    await install(slack, slack.consent("T0HOME", token="xoxb-home"))
    await install(slack, slack.consent(organisation="E0ORG", token=TOKEN))

    slack.post(MENTION, channel=THERE)
    slack.post(MENTION, channel="C0NEXT")
    await acknowledged(slack)
    later = make()
    for message in {message.id: message for message in listening.messages}.values():
        # A process that knows nothing but the workspace's id.
        await later.draft(claim(message)).finish(REPLY)
    served_there = {message.thread.workspace for message in listening.messages}
    groups = {group for message in listening.messages for group in message.groups}
    slack.event({"type": "app_uninstalled"}, team_id=AWAY, **OF_ORGANISATION)
    await acknowledged(slack)

    assert served_there == {AWAY, "T0NEXT"}
    assert groups == {"E0ORG"}
    assert len(slack.own(THERE)) == len(slack.own("C0NEXT")) == 1
    assert set(listening.scopes) == {Scope("slack", AWAY), Scope("slack", "T0NEXT")}
    assert rows(database) == [("T0HOME",)]


async def test_a_workspace_that_its_organisation_takes_the_app_from_is_erased_alone(
    slack: SlackServer, listening: Notebook, database: Path
) -> None:
    slack.members = {AWAY: "E0ORG"}
    await install(slack, slack.consent(organisation="E0ORG", token=TOKEN))
    slack.post(MENTION, channel=THERE)
    await acknowledged(slack)

    slack.event({"type": "team_access_revoked", "team_ids": [AWAY]}, **OF_ORGANISATION)
    await acknowledged(slack)

    assert listening.scopes == [Scope("slack", AWAY)]
    assert rows(database) == [(None,)]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?state=x&code=y", 400),
        ("?error=access_denied", 200),
        ("?state=&code=", 400),
        ("?code=%00&state=%ff&error=%3Cscript%3E", 200),
    ],
)
async def test_a_return_that_nobody_began_installs_nothing(
    slack: SlackServer, listening: Notebook, query: str, status: int, database: Path
) -> None:
    async with browser() as person:
        answer = await person.get(address(slack, f"/slack/oauth_redirect{query}"))
        page = await answer.text()

    assert answer.status == status
    assert "<script>" not in page
    assert rows(database) == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(error="invalid_code"), 401),
        (Fault(status=500), 401),
        (Fault(dropped=True), 503),
        (Fault(lost=True), 503),
    ],
    ids=["refused", "broken", "dropped", "lost"],
)
@pytest.mark.parametrize("method", ["oauth.v2.access", "auth.test"])
async def test_an_installation_that_goes_wrong_says_so_and_can_be_begun_again(
    slack: SlackServer, listening: Notebook, database: Path, method: str, fault: Fault, status: int
) -> None:
    slack.fail(method, Fault(**{name: getattr(fault, name) for name in fault.__slots__}))

    first, page = await install(slack, slack.consent(AWAY, token=TOKEN))
    before = rows(database)
    again, _ = await install(slack, slack.consent(AWAY, token=TOKEN))

    assert first == status
    assert "/slack/install" in page
    assert before == []
    assert again == 200


async def test_slack_s_consent_without_a_bot_is_no_installation(
    slack: SlackServer, listening: Notebook, database: Path
) -> None:
    code = slack.consent(AWAY, token=TOKEN, bot="")

    status, page = await install(slack, code)

    assert status == 503
    assert "no bot token" in page
    assert rows(database) == []


async def test_a_state_is_good_for_ten_minutes_and_only_ours(
    opened: Callable[..., Installations],
) -> None:
    from adapters.slack.sealing import SealedStates

    states = SealedStates(opened().fernet, None)  # type: ignore[arg-type]
    old = opened().fernet.encrypt_at_time(b"x", int(time.time()) - 601).decode()

    assert await states.async_consume(await states.async_issue())
    assert not await states.async_consume(old)
    assert not await states.async_consume(Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    assert not await states.async_consume("é")


async def test_a_new_token_is_used_at_once(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token="xoxb-old"))
    slack.post(MENTION, channel=THERE)
    await acknowledged(slack)
    await install(slack, slack.consent(AWAY, token=TOKEN))
    slack.bot_tokens.discard("xoxb-old")

    await adapter.draft(claim(listening.messages[0])).finish(REPLY)

    assert len(slack.own(THERE)) == 1


async def test_another_process_s_news_are_heard_within_a_minute(
    slack: SlackServer, opened: Callable[..., Installations], listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))
    clock = Clock()
    homes = InstalledHomes(
        opened(),
        lambda token: Api(token=token, url=slack.url, session=None),  # type: ignore[arg-type]
        clock=clock,
    )

    first = await homes.of(AWAY)
    await install(slack, slack.consent("T0NEXT", token="xoxb-next"))
    homes.forget_all()
    same = await homes.of(AWAY)
    slack.event({"type": "app_uninstalled"}, team_id=AWAY, **OF_AWAY)
    await acknowledged(slack)
    still = homes.known(AWAY)
    clock.move(61)

    assert first is not None
    assert first is same is still
    assert homes.known(AWAY) is None
    assert await homes.of(AWAY) is None


async def test_keys_can_be_changed_and_the_old_one_dropped_after_a_start(
    opened: Callable[..., Installations], slack: SlackServer, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))
    new = Fernet.generate_key().decode()

    await opened(f"{new}, {KEY}").open()

    found = await opened(new).find(AWAY)
    assert found is not None
    assert found.bot_token == TOKEN
    with pytest.raises(SetupError, match="sealed with another key"):
        await opened(KEY).find(AWAY)


@pytest.mark.parametrize(
    "keys",
    [None, "", ",", "short", "é" * 44, f"{KEY},short"],
    # A key is another one in each process, and processes compare the names of their tests.
    ids=["missing", "empty", "comma", "short", "no key's letters", "one of two"],
)
def test_a_missing_or_broken_key_is_told_with_how_to_make_one(keys: str | None) -> None:
    with pytest.raises(SetupError, match=r"Fernet\.generate_key"):
        seal(keys)


async def test_a_database_that_is_away_gets_no_acknowledgement(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook, database: Path
) -> None:
    slack.retry_seconds = (0.0, 0.0, 0.0)
    await install(slack, slack.consent(AWAY, token=TOKEN))
    with sqlite3.connect(database) as locked:
        locked.execute("DROP TABLE slack_bots")

    slack.post("hello", channel=THERE, thread="1.1")
    await slack.until(lambda: len(slack.failures) == 4)

    assert slack.deliveries[0].acked_at is None
    assert listening.messages == []


async def test_socket_mode_and_installing_go_together(
    slack: SlackServer, make: Make, desk: Notebook
) -> None:
    slack.channels[THERE] = Channel(team=AWAY)
    adapter = make(app_token=APP_TOKEN)
    async with served(slack, adapter, desk):
        slack.request_url, base = "", slack.request_url
        await slack.until(lambda: slack.sockets)
        status, _ = await install(slack, slack.consent(AWAY, token=TOKEN), base)
        async with browser() as person:
            events = await person.post(base)
        slack.post(MENTION, channel=THERE)
        await acknowledged(slack)

    assert status == 200
    assert events.status == 404
    assert {message.thread.workspace for message in desk.messages} == {AWAY}


async def test_the_workspace_of_the_bot_token_is_served_beside_those_that_install(
    slack: SlackServer, make: Make, desk: Notebook
) -> None:
    slack.channels[THERE] = Channel(team=AWAY)
    adapter = make(bot_token=BOT_TOKEN)
    async with served(slack, adapter, desk):
        await install(slack, slack.consent(AWAY, token=TOKEN))
        slack.post(MENTION)
        slack.post(MENTION, channel=THERE)
        await acknowledged(slack)
        for message in {message.id: message for message in desk.messages}.values():
            await adapter.draft(claim(message)).finish(REPLY)

    assert len(slack.own(CHANNEL)) == len(slack.own(THERE)) == 1


async def test_doctor_counts_the_workspaces_and_names_the_addresses(
    slack: SlackServer, make: Make, listening: Notebook
) -> None:
    await install(slack, slack.consent(AWAY, token=TOKEN))

    checks = await make(port=3000).probe()

    text = " ".join(check.text for check in checks)
    assert all(check.ok for check in checks)
    assert "1 installed the app" in text
    assert "/slack/events, /slack/install, /slack/oauth_redirect by https" in text


OF_AWAY = {"authorizations": [{"team_id": AWAY, "is_enterprise_install": False}]}
OF_ORGANISATION = {
    "authorizations": [{"team_id": AWAY, "enterprise_id": "E0ORG", "is_enterprise_install": True}]
}


@asynccontextmanager
async def served(slack: SlackServer, adapter: SlackAdapter, desk: Notebook) -> AsyncIterator[None]:
    """An adapter that listens, and a Slack that knows where."""
    task = asyncio.create_task(adapter.listen(desk))
    where = adapter.address
    assert where is not None
    await slack.until(lambda: task.done() or where.ready)
    slack.request_url = f"http://127.0.0.1:{where.port}/slack/events"
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def install(slack: SlackServer, code: str, base: str = "") -> tuple[int, str]:
    """An administrator opens the page, says yes, and comes back with a code."""
    async with browser() as person:
        begun = await person.get(address(slack, "/slack/install", base))
        # The cookie is for https alone, which a browser on this machine would not mind.
        cookie = begun.headers["Set-Cookie"].split(";")[0]
        state = cookie.partition("=")[2]
        back = await person.get(
            address(slack, "/slack/oauth_redirect", base),
            params={"code": code, "state": state},
            headers={"Cookie": cookie},
        )
        return back.status, await back.text()


def browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


def address(slack: SlackServer, path: str, base: str = "") -> str:
    return (base or slack.request_url).replace("/slack/events", path)


async def acknowledged(slack: SlackServer) -> None:
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))


def claim(message: Message) -> Claim:
    return Claim(message, 1, 1, 0, time.time() + 30)


def rows(database: Path) -> list[tuple[str | None]]:
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT team_id FROM slack_bots ORDER BY id").fetchall()
    connection.close()
    return found


def everything(database: Path) -> bytes:
    return b"".join(path.read_bytes() for path in database.parent.iterdir())
