"""What the bot does when Slack asks it to slow down: on each method that it calls, by each of its ways to call."""

import pytest

from adapters.slack import SlackAdapter
from adapters.slack.api import BY_CHANNEL, Client
from bot.domain import Card
from bot.errors import RateLimited, ThreadsightError
from tests.adapters.slack.conftest import Notebook
from tests.servers.slack import BOT_USER, Fault, SlackServer

METHODS = [
    "agents.sessions.setStatus",
    "assistant.threads.setStatus",
    "auth.test",
    "chat.appendStream",
    "chat.delete",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.startStream",
    "chat.stopStream",
    "chat.update",
    "conversations.history",
    "conversations.replies",
    "files.completeUploadExternal",
    "files.getUploadURLExternal",
    "files.info",
    "users.info",
    "views.open",
]
CLIENTS = ["careful", "sure"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_short_wait_is_waited_and_the_call_made_again(
    slack: SlackServer, adapter: SlackAdapter, method: str, client: str
) -> None:
    slack.fail(method, Fault(retry_after=0))

    await called(adapter, client, method)

    assert slack.calls[method] == 2


@pytest.mark.parametrize("client", ["hasty", *CLIENTS])
@pytest.mark.parametrize("method", METHODS)
async def test_a_long_wait_is_told_and_nobody_calls_before_it_is_over(
    slack: SlackServer, adapter: SlackAdapter, method: str, client: str
) -> None:
    slack.fail(method, Fault(retry_after=60))

    first = await called(adapter, client, method)
    if method not in BY_CHANNEL:
        again = await called(adapter, client, method)
        assert isinstance(again, RateLimited)
        assert slack.calls[method] == 1

    assert isinstance(first, RateLimited)
    assert first.retry_after == 60


async def test_a_full_channel_holds_up_no_other_one(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.postMessage", Fault(retry_after=60))

    await called(adapter, "careful", "chat.postMessage")
    other = await called(adapter, "careful", "chat.postMessage")

    assert not isinstance(other, RateLimited)
    assert slack.calls["chat.postMessage"] == 2


async def test_a_refusal_that_slack_slows_down_is_told_all_the_same(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.fail("chat.postEphemeral", Fault(retry_after=0, times=4))
    listening.refusal = Card("Not here", "Ask an administrator.")

    slack.post(f"<@{BOT_USER}> hello")
    await slack.until(lambda: slack.whispers)

    assert len(slack.whispers) == 1


@pytest.mark.parametrize("code", ["is_archived", "not_in_channel", "channel_not_found"])
async def test_a_refusal_that_cannot_be_told_breaks_nothing(
    slack: SlackServer, listening: Notebook, code: str
) -> None:
    slack.fail("chat.postEphemeral", Fault(error=code))
    listening.refusal = Card("Not here", "Ask an administrator.")

    slack.post(f"<@{BOT_USER}> hello")
    await slack.until(lambda: slack.calls["chat.postEphemeral"])
    slack.post(f"<@{BOT_USER}> again")
    await slack.until(lambda: slack.whispers)

    assert all(delivery.sent == 1 for delivery in slack.deliveries)


async def called(adapter: SlackAdapter, client: str, method: str) -> ThreadsightError | None:
    """Calls a method with nothing in it, and returns what became of it."""
    by: Client = getattr(adapter.api, client)
    try:
        await adapter.api.call(by.api_call(method, json={}))
    except ThreadsightError as error:
        return error
    return None
