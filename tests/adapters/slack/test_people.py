"""Who administers a workspace by Slack's word, and which ids stand for somebody."""

from collections.abc import Callable

import pytest

from adapters.slack import SlackAdapter
from adapters.slack.people import People, groups_of
from tests.adapters.slack.conftest import Notebook
from tests.clock import Clock
from tests.servers.slack import DIRECT, TEAM, Fault, SlackServer


@pytest.fixture(autouse=True)
def scope(slack: SlackServer) -> None:
    slack.scopes += ",users:read"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"is_admin": True}, True),
        ({"is_owner": True}, True),
        ({"is_primary_owner": True}, True),
        ({"is_admin": False, "is_owner": False}, False),
        ({}, False),
        ({"is_admin": "true"}, False),
        ({"is_admin": True, "deleted": True}, False),
        ({"is_admin": True, "is_bot": True}, False),
        ({"is_admin": True, "is_stranger": True}, False),
        ({"is_admin": True, "team_id": "T0GUEST"}, False),
        ({"is_admin": True, "team_id": "T0BIG", "enterprise_user": {"teams": [TEAM]}}, True),
        ({"is_admin": True, "team_id": "T0BIG", "enterprise_user": {"teams": ["T0X"]}}, False),
    ],
)
async def test_an_administrator_is_one_of_this_workspace(
    slack: SlackServer, adapter: SlackAdapter, user: dict[str, object], expected: bool
) -> None:
    slack.users["U0ANN"] = user

    assert await adapter.administers(TEAM, "U0ANN") is expected


async def test_slack_is_asked_once_in_five_minutes(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.users["U0ANN"] = {"is_admin": True}
    clock = Clock()
    people = People(adapter.api, clock=clock)

    first = [await people.administers(TEAM, "U0ANN") for _ in range(3)]
    slack.users["U0ANN"] = {"is_admin": False}
    clock.now += 301
    later = await people.administers(TEAM, "U0ANN")

    assert (first, later) == ([True] * 3, False)
    assert slack.calls["users.info"] == 2


@pytest.mark.parametrize(
    "fault",
    [Fault(error="user_not_found"), Fault(retry_after=60), Fault(dropped=True, times=9)],
    ids=["unknown", "slowly", "away"],
)
async def test_in_doubt_nobody_is_an_administrator_and_slack_is_asked_again_soon(
    slack: SlackServer, adapter: SlackAdapter, fault: Fault
) -> None:
    slack.users["U0ANN"] = {"is_admin": True}
    slack.fail("users.info", Fault(**{name: getattr(fault, name) for name in fault.__slots__}))
    clock = Clock()
    people = People(adapter.api, clock=clock)

    doubt = await people.administers(TEAM, "U0ANN")
    slack.faults.clear()
    adapter.api.gates.until.clear()
    clock.now += 16

    assert not doubt
    assert await people.administers(TEAM, "U0ANN")


async def test_without_the_scope_nobody_is_and_the_log_names_the_mend(
    slack: SlackServer, adapter: SlackAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    slack.scopes = slack.scopes.replace(",users:read", "")

    assert not await adapter.administers(TEAM, "U0ANN")
    assert "users:read" in caplog.text
    assert "reinstall" in caplog.text


async def test_an_app_without_the_scope_works_all_the_same(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter], listening: Notebook
) -> None:
    slack.scopes = slack.scopes.replace(",users:read", "")

    slack.post("hello", channel=DIRECT)
    await slack.until(lambda: listening.messages)

    assert all(check.ok for check in await make_adapter().probe())


def test_the_ids_of_organisation_and_home_go_with_what_somebody_says() -> None:
    event = {"type": "message", "user_team": "T0GUEST", "source_team": "T0GUEST"}
    authorizations = [{"team_id": TEAM, "enterprise_id": "E0ORG"}]
    edit = {"event": {"message": {"user_team": "T0GUEST"}}}

    assert groups_of({"event": event, "authorizations": authorizations}) == ("E0ORG", "T0GUEST")
    assert groups_of(edit) == ("T0GUEST",)
    assert groups_of({"enterprise_id": "E0ORG", "user_id": "U1"}) == ("E0ORG",)
    assert groups_of({"enterprise": {"id": "E0ORG"}, "user": {"team_id": "T0X"}}) == (
        "E0ORG",
        "T0X",
    )
    assert groups_of({"event": [], "authorizations": 7, "user": "U1", "team": None}) == ()


async def test_a_message_of_a_guest_carries_the_id_of_the_guest_s_workspace(
    slack: SlackServer, listening: Notebook
) -> None:
    message = {"type": "message", "user": "U0GUEST", "text": "hello", "ts": slack.now()}
    slack.event(message | {"channel": DIRECT, "channel_type": "im", "user_team": "T0GUEST"})
    await slack.until(lambda: listening.messages)

    assert listening.messages[0].groups == ("T0GUEST",)
