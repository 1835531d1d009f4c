"""What comes in over Socket Mode: stored before it is acknowledged, whatever happens to the connection."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.slack import SlackAdapter
from bot.domain import Attachment, Scope
from bot.errors import Outage, RateLimited, SetupError, Unread
from tests.adapters.slack.conftest import REPLY, Notebook, claim
from tests.servers.slack import (
    BOT_USER,
    CHANNEL,
    DIRECT,
    TEAM,
    Fault,
    SlackServer,
)

MENTION = f"<@{BOT_USER}> what is this?"


async def test_a_mention_arrives_under_both_events_as_the_same_message(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")

    ts = slack.post(MENTION, files=[file.info["id"]])
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))

    first, second = listening.messages
    assert first == second
    assert first.id == ts
    assert first.addressed
    assert first.thread.workspace == TEAM


async def test_nothing_is_acknowledged_before_it_is_stored(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.waits = asyncio.Event()
    ts = slack.post("hello", channel=DIRECT)
    slack.post("just chatting")
    waiting, chatter = slack.deliveries
    await slack.until(lambda: chatter.acked_at)
    before = waiting.acked_at

    listening.waits.set()
    await slack.until(lambda: waiting.acked_at)

    assert before is None
    assert [message.id for message in listening.messages] == [ts]


async def test_what_could_not_be_stored_is_sent_again_and_then_stored(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.redeliver_seconds = 0.05
    listening.failures = [Outage("The database is away.")]

    slack.post("canary", channel=DIRECT)
    [delivery] = slack.deliveries
    await slack.until(lambda: delivery.acked_at)

    assert delivery.sent == 2
    assert len(listening.messages) == 1


async def test_other_people_s_business_is_acknowledged_and_left_alone(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.post("just chatting")
    slack.event({"type": "reaction_added", "user": "U1", "item": {}})
    slack.event({"type": "app_home_opened", "user": "U1", "channel": "D1"})
    slack.send("interactive", {"type": "view_closed", "team": {"id": TEAM}})

    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))

    assert listening.messages == []
    assert all(delivery.sent == 1 for delivery in slack.deliveries)


async def test_the_bot_does_not_hear_itself(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    question = slack.post(MENTION)
    await adapter.draft(claim(question)).finish(REPLY)
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))

    assert {message.id for message in listening.messages} == {question}


async def test_a_message_that_waits_while_the_socket_is_renewed_arrives(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.redeliver_seconds = 0.2
    await slack.refresh()
    ts = slack.post("hello", channel=DIRECT)

    await slack.until(lambda: listening.messages)

    assert listening.messages[0].id == ts


async def test_a_dropped_connection_is_opened_again(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.redeliver_seconds = 0.2
    await slack.drop_sockets()
    ts = slack.post("hello", channel=DIRECT)

    await slack.until(lambda: listening.messages)

    assert listening.messages[0].id == ts
    assert slack.calls["apps.connections.open"] == 2


async def test_an_address_that_does_not_work_is_given_up_for_a_fresh_one(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter], desk: Notebook
) -> None:
    slack.shut_doors = 2

    task = asyncio.create_task(make_adapter(ping_seconds=0.1).listen(desk))
    await slack.until(lambda: slack.sockets)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert slack.calls["apps.connections.open"] == 3


async def test_an_edit_is_handed_in_again_with_its_time(
    slack: SlackServer, listening: Notebook
) -> None:
    ts = slack.post("hello", channel=DIRECT)
    slack.edit(ts, "hello again", channel=DIRECT)

    await slack.until(lambda: len(listening.messages) == 2)

    edited = max(listening.messages, key=lambda message: message.edited_at or 0)
    assert edited.text == "hello again"
    assert edited.id == ts


async def test_a_deleted_question_is_retracted_and_its_answer_deleted(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    question = slack.post(MENTION)
    listening.posts = await adapter.draft(claim(question)).finish(REPLY)
    slack.delete(question)
    await slack.until(lambda: not slack.own())

    expected = Scope("slack", TEAM, CHANNEL, root=question, message=question)
    assert listening.scopes == [expected]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bot_token": "xoxb-wrong"}, "does not know the bot token"),
        ({"bot_token": "xapp-right"}, "swap it with SLACK_APP_TOKEN"),
        ({"bot_token": "xoxb right"}, "copy it again"),
        ({"app_token": "xapp-wrong"}, "connections:write"),
        ({"api_url": "http://slack.example/api/"}, "https://"),
        ({"app_token": "xoxb-right"}, "swap it with SLACK_BOT_TOKEN"),
    ],
)
async def test_a_wrong_token_ends_listening_with_one_sentence_that_mends_it(
    make_adapter: Callable[..., SlackAdapter],
    desk: Notebook,
    changes: dict[str, str],
    says: str,
) -> None:
    with pytest.raises(SetupError, match=says):
        await make_adapter(**changes).listen(desk)


async def test_a_missing_scope_is_named_with_the_mend(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    slack.scopes = slack.scopes.replace(",files:read", "")

    with pytest.raises(SetupError, match=r"lacks the scope files:read: .*reinstall"):
        await adapter.listen(desk)


async def test_an_app_token_without_its_scope_is_told_so(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    slack.app_scopes = ""

    with pytest.raises(SetupError, match="lacks the scope connections:write"):
        await adapter.listen(desk)


async def test_an_app_token_that_is_revoked_later_ends_listening(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    task = asyncio.create_task(adapter.listen(desk))
    await slack.until(lambda: slack.sockets)
    slack.app_tokens.clear()
    await slack.refresh()

    with pytest.raises(SetupError, match="app-level token"):
        await asyncio.wait_for(task, 10)


async def test_a_slack_that_is_away_at_the_start_is_waited_for(
    slack: SlackServer, adapter: SlackAdapter, desk: Notebook
) -> None:
    slack.fail("auth.test", Fault(dropped=True, times=3))
    slack.fail("apps.connections.open", Fault(error="internal_error"))

    task = asyncio.create_task(adapter.listen(desk))
    await slack.until(lambda: slack.sockets)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_address_that_slack_puts_off_is_not_asked_for_sooner(
    slack: SlackServer, make_adapter: Callable[..., SlackAdapter], desk: Notebook
) -> None:
    slack.fail("apps.connections.open", Fault(retry_after=1))
    asked_at = time.monotonic()

    task = asyncio.create_task(make_adapter(ping_seconds=0.05).listen(desk))
    await slack.until(lambda: slack.sockets)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - asked_at >= 1
    assert slack.calls["apps.connections.open"] == 2


async def test_what_the_thread_held_before_is_read_page_by_page(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    file = slack.upload(b"...")
    root = slack.post("look", files=[file.info["id"]])
    replies = [slack.post(f"reply {number}", thread=root) for number in range(450)]
    question = slack.post(MENTION, thread=root)
    slack.post("later", thread=root)

    found = await adapter.earlier(claim(question, root=root).message)

    assert [message.id for message in found] == [root, *replies]
    assert found[0].attachments[0].id == file.info["id"]
    assert {message.kind for message in found} == {"context"}


@pytest.mark.parametrize("reason", ["missing_scope", "not_in_channel"])
async def test_a_thread_that_cannot_be_read_is_told(
    slack: SlackServer, adapter: SlackAdapter, reason: str
) -> None:
    root = slack.post("look")
    question = slack.post(MENTION, thread=root)
    slack.fail("conversations.replies", Fault(error=reason))

    with pytest.raises(Unread, match=r"scope|let me read"):
        await adapter.earlier(claim(question, root=root).message)


async def test_a_thread_that_is_cut_to_fifteen_messages_a_minute_is_read_that_far(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.cut = 15
    root = slack.post("look")
    replies = [slack.post(f"reply {number}", thread=root) for number in range(30)]
    question = slack.post(MENTION, thread=root)

    with pytest.raises(Unread, match="first 15 messages") as raised:
        await adapter.earlier(claim(question, root=root).message)
    with pytest.raises(Unread, match="ratelimited") as again:
        await adapter.earlier(claim(question, root=root).message)

    assert [message.id for message in raised.value.found] == [root, *replies[:14]]
    assert again.value.found == ()


async def test_a_picture_that_is_asked_about_again_is_no_context_as_well(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    files = [slack.upload(b"...").info["id"] for _ in range(2)]
    root = slack.post("look", files=files)
    question = claim(slack.post(MENTION, thread=root), root=root).message

    [found] = await adapter.earlier(replace(question, attachments=(Attachment(files[0], "a"),)))

    assert [file.id for file in found.attachments] == files[1:]


async def test_a_thread_that_slack_puts_off_for_a_moment_is_read_later(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    root = slack.post("look")
    question = slack.post(MENTION, thread=root)
    slack.fail("conversations.replies", Fault(retry_after=10))

    with pytest.raises(RateLimited):
        await adapter.earlier(claim(question, root=root).message)


async def test_a_root_has_nothing_before_it_and_slack_is_not_asked(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post(MENTION)

    assert await adapter.earlier(claim(question).message) == []
    assert slack.calls["conversations.replies"] == 0


async def test_the_doctor_says_what_is_right_and_what_is_not(
    slack: SlackServer, adapter: SlackAdapter, make_adapter: Callable[..., SlackAdapter]
) -> None:
    assert all(check.ok for check in await adapter.probe())

    slack.scopes = slack.scopes.replace(",files:read", "").replace(",commands", "")
    token, scopes, app = await make_adapter(app_token="xapp-wrong").probe()

    assert token.ok
    assert "files:read, commands" in scopes.text
    assert (scopes.ok, app.ok) == (False, False)
