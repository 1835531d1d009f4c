"""A file's bytes, and every way in which they may not come."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.slack import SlackAdapter
from adapters.slack.events import attachment
from bot.domain import Attachment
from bot.errors import PictureUnseen, TransientError
from tests.adapters.slack.conftest import claim
from tests.servers.slack import File, SlackServer

DATA = b"\x89PNG" + bytes(range(256)) * 100
MESSAGE = claim("1515449522.000016").message


def place(file: File) -> Attachment:
    """Where the file is, as its message says."""
    found = attachment(file.info)
    assert found is not None
    return found


async def test_a_file_comes_with_the_bot_s_token(slack: SlackServer, adapter: SlackAdapter) -> None:
    file = slack.upload(DATA)

    assert await adapter.fetch(MESSAGE, place(file)) == DATA


async def test_an_empty_file_is_empty(slack: SlackServer, adapter: SlackAdapter) -> None:
    file = slack.upload(b"")

    assert await adapter.fetch(MESSAGE, place(file)) == b""


async def test_a_redirect_within_slack_is_followed(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file, moved = slack.upload(DATA), slack.upload(b"")
    moved.redirect = file.info["url_private"]

    assert await adapter.fetch(MESSAGE, replace(place(moved), size=None)) == DATA


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/elsewhere",
        "http://127.0.0.1:{other}/elsewhere",
        "http://files.slack.com@127.0.0.1:{port}/elsewhere",
        "http://files.slack.com.evil.example/x",
        "http://files.slack.com/x",
        "https://evil.example/?https://files.slack.com/",
        "https://notslack.com/x",
        "https://files.slack.com:8443/x",
        "ftp://files.slack.com/x",
        "no address",
    ],
)
async def test_the_token_goes_to_slack_s_own_hosts_only(
    slack: SlackServer, adapter: SlackAdapter, address: str
) -> None:
    other = await SlackServer().start()
    address = address.format(port=slack.port, other=other.port)
    file = slack.upload(DATA)
    file.redirect = address

    for where in (replace(place(file), url=address), place(file)):
        with pytest.raises(PictureUnseen):
            await adapter.fetch(MESSAGE, where)

    assert slack.foreign_tokens == other.foreign_tokens == []
    await other.stop()


@pytest.mark.parametrize("host", ["files.slack.com", "slack-files.com", "a.slack-edge.com"])
async def test_slack_s_own_hosts_are_trusted(adapter: SlackAdapter, host: str) -> None:
    assert str(adapter.files_by(adapter.api).trusted(f"https://{host}/x")) == f"https://{host}/x"


async def test_an_address_that_is_none_gets_a_sentence(adapter: SlackAdapter) -> None:
    with pytest.raises(PictureUnseen, match="broken"):
        await adapter.fetch(MESSAGE, Attachment(id="F1", name="a.png", url="https://[x/"))


@pytest.mark.parametrize("page", ["/login", "https://home.slack.com/?redir=%2Ffiles-pri%2FF1"])
async def test_a_login_page_names_the_scope_and_the_mend(
    slack: SlackServer, adapter: SlackAdapter, page: str
) -> None:
    slack.signs_in = page
    file = slack.upload(DATA)
    file.html = True

    with pytest.raises(PictureUnseen, match=r"files:read.*reinstall"):
        await adapter.fetch(MESSAGE, place(file))


async def test_a_file_that_claims_to_be_too_large_is_not_asked_for(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file = place(slack.upload(DATA))

    with pytest.raises(PictureUnseen, match="larger than 1 MB"):
        await adapter.fetch(MESSAGE, replace(file, size=1_000_001, url="https://evil.example/"))


async def test_a_file_that_is_larger_than_it_claims_is_not_read_to_its_end(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter]
) -> None:
    file = slack.upload(DATA)
    file.info["size"] = 1

    with pytest.raises(PictureUnseen, match="larger than"):
        await make_adapter(max_file_bytes=1000).fetch(MESSAGE, place(file))


async def test_a_file_that_never_ends_is_given_up(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter]
) -> None:
    file = slack.upload(DATA)
    file.stuck = True

    with pytest.raises(PictureUnseen, match=r"within 0\.2 seconds"):
        await make_adapter(download_seconds=0.2).fetch(MESSAGE, place(file))


async def test_a_stumble_is_tried_again(slack: SlackServer, adapter: SlackAdapter) -> None:
    file = slack.upload(DATA)
    file.refusals = 1

    assert await adapter.fetch(MESSAGE, place(file)) == DATA


async def test_a_file_that_is_cut_off_each_time_may_come_later(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file = slack.upload(DATA)
    file.cut = True

    with pytest.raises(TransientError):
        await adapter.fetch(MESSAGE, place(file))


@pytest.mark.parametrize(
    ("status", "says"), [(403, "files:read"), (418, "418"), (410, "no longer")]
)
async def test_a_refused_file_gets_a_sentence(
    slack: SlackServer, adapter: SlackAdapter, status: int, says: str
) -> None:
    file = slack.upload(DATA)
    file.status = status

    with pytest.raises(PictureUnseen, match=says):
        await adapter.fetch(MESSAGE, place(file))


async def test_a_file_that_moved_is_found_where_slack_says_it_is_now(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file = slack.upload(DATA)
    old = slack.upload(b"")
    old.status = 404

    where = replace(place(file), url=old.info["url_private"])

    assert await adapter.fetch(MESSAGE, where) == DATA


async def test_another_organisation_s_file_is_looked_up(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file = slack.upload(DATA)
    stub = {"id": file.info["id"], "mode": "file_access", "file_access": "check_file_info"}

    assert await adapter.fetch(MESSAGE, place(File(stub))) == DATA


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"refused": "file_deleted"}, "no longer in Slack"),
        ({"refused": "access_denied"}, "other organisation"),
        ({"refused": "missing_scope"}, "lacks the scope"),
        ({"mode": "tombstone"}, "no longer in Slack"),
        ({"mode": "hidden_by_limit"}, "free plan"),
        ({"mode": "external", "is_external": True}, "outside Slack"),
    ],
)
async def test_a_file_without_bytes_gets_a_sentence(
    slack: SlackServer, adapter: SlackAdapter, changes: dict[str, object], says: str
) -> None:
    file = slack.upload(DATA)
    file.info |= changes

    with pytest.raises(PictureUnseen, match=says):
        await adapter.fetch(MESSAGE, replace(place(file), url=""))
