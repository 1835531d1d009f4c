"""Payloads as Slack sends them, and what they mean to the bot."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.events import Heard, Stopped, heard, remembered
from adapters.slack.markup import harmless, readable
from adapters.slack.probe import Identity
from bot.domain import Attachment, Message, Scope, ThreadId

ME = Identity(team="T061EG9R6", user="U0LAN0Z89", bot="B0LAN0Z89", name="threadsight")
RECORDED = Path(__file__).parent / "payloads"
HALL = ThreadId("slack", "T061EG9R6", "C123ABC456", "1515449522.000016")


def recorded(name: str) -> dict[str, Any]:
    """A payload as Slack sent it, its names changed."""
    payload: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return payload


def event(**fields: object) -> dict[str, Any]:
    """A message event in its envelope."""
    basis = {
        "type": "message",
        "user": "U061F7AUR",
        "text": "hello",
        "ts": "1515449522.000016",
        "channel": "C123ABC456",
        "channel_type": "channel",
    }
    inner = {key: value for key, value in (basis | fields).items() if value is not None}
    return {"type": "event_callback", "team_id": "T061EG9R6", "event": inner}


def said(**fields: object) -> Message:
    """The message that an event becomes."""
    return only(heard(event(**fields), ME))


def only(found: list[Heard]) -> Message:
    """The one message that was heard."""
    [message] = found
    assert isinstance(message, Message)
    return message


def test_a_mention_with_a_picture_becomes_a_question() -> None:
    assert only(heard(recorded("app_mention_with_file"), ME)) == Message(
        thread=HALL,
        id="1515449522.000016",
        author="U061F7AUR",
        text="what is this?",
        sent_at=1515449522.000016,
        attachments=(
            Attachment(
                id="F0A1B2C3D",
                name="square.png",
                media_type="image/png",
                size=9324,
                url="https://files.slack.com/files-pri/T061EG9R6-F0A1B2C3D/download/square.png",
                width=1170,
                height=2532,
            ),
        ),
        addressed=True,
    )


def test_the_same_post_as_a_message_becomes_the_same_question() -> None:
    mention = heard(recorded("app_mention_with_file"), ME)

    assert heard(recorded("message_file_share"), ME) == mention


def test_a_follow_up_in_a_thread_is_handed_in_unaddressed() -> None:
    message = said(thread_ts="1515449000.000001")

    assert message.thread.root == "1515449000.000001"
    assert not message.addressed


def test_chatter_in_a_channel_is_nobody_s_business() -> None:
    assert heard(event(), ME) == []
    assert heard(event(text="<@U2> look"), ME) == []


def test_every_direct_message_is_addressed() -> None:
    assert said(channel="D1", channel_type="im").addressed


def test_a_group_s_message_needs_a_mention() -> None:
    assert heard(event(channel="G1", channel_type="mpim"), ME) == []
    assert said(channel="G1", channel_type="mpim", text="<@U0LAN0Z89> hi").addressed


@pytest.mark.parametrize(
    ("text", "to_others"),
    [
        ("<@U0LAN0Z89> what?", False),
        ("<@U061F7AUR> that is me", False),
        ("<@U2> what do you think?", True),
        ("<@U2|bob> and <@U0LAN0Z89>", True),
        ("<!here> look", True),
        ("<!subteam^S1|@team> look", True),
        ("<#C1|hall> is nice", False),
    ],
)
def test_who_speaks_to_somebody_else_is_seen(text: str, to_others: bool) -> None:
    assert said(thread_ts="1515449000.000001", text=text).to_others is to_others


@pytest.mark.parametrize(
    "fields",
    [
        {"bot_id": "B1"},
        {"user": "U0LAN0Z89"},
        {"user": "USLACKBOT"},
        {"user": None},
        {"subtype": "bot_message", "bot_id": "B1"},
        {"subtype": "channel_join"},
        {"subtype": "message_replied"},
        {"ts": "yesterday"},
        {"ts": None},
        {"channel": None},
        {"type": "reaction_added"},
    ],
)
def test_bots_slack_itself_and_broken_events_are_left_alone(fields: dict[str, object]) -> None:
    assert heard(event(**({"text": "<@U0LAN0Z89> hi"} | fields)), ME) == []


def test_the_workspace_is_that_of_the_bot_even_in_a_shared_channel() -> None:
    body = event(text="<@U0LAN0Z89> hi", team="T0OTHER", user_team="T0OTHER")
    body |= {"team_id": "T0OTHER", "authorizations": [{"team_id": "T0MINE"}]}

    message = only(heard(body, ME))

    assert message.thread.workspace == "T0MINE"


def test_a_person_s_edit_is_handed_in_with_its_time() -> None:
    message = only(heard(recorded("message_changed_by_person"), ME))

    assert message.id == "1515449522.000016"
    assert message.edited_at == 1515449600.0
    assert message.text == "what is this, really?"


def test_a_link_preview_is_no_edit() -> None:
    assert heard(recorded("message_changed_by_preview"), ME) == []


def test_the_bot_s_own_update_is_no_edit() -> None:
    body = recorded("message_changed_by_person")
    body["event"]["message"] |= {"user": ME.user, "bot_id": ME.bot}

    assert heard(body, ME) == []


def test_a_mention_that_was_edited_away_is_still_told() -> None:
    body = recorded("message_changed_by_person")
    body["event"]["message"]["text"] = "never mind"

    message = only(heard(body, ME))

    assert not message.addressed


def test_a_deleted_question_is_retracted() -> None:
    assert heard(recorded("message_deleted"), ME) == [
        Scope(
            "slack",
            "T061EG9R6",
            "C123ABC456",
            root="1515449522.000016",
            message="1515449522.000016",
        )
    ]


def test_a_deleted_root_with_replies_is_retracted_alone() -> None:
    [scope] = heard(recorded("message_changed_to_tombstone"), ME)

    assert isinstance(scope, Scope)
    assert scope.message == "1515449522.000016"


def test_deleted_chatter_and_deleted_posts_of_bots_are_left_alone() -> None:
    body = recorded("message_deleted")
    body["event"]["previous_message"]["text"] = "just chatting"
    assert heard(body, ME) == []

    body["event"]["previous_message"] |= {"bot_id": ME.bot, "thread_ts": "1515449000.000001"}
    assert heard(body, ME) == []


def changed_files(before: list[str], after: list[dict[str, object]]) -> dict[str, Any]:
    """A message whose files changed, with nobody's edit."""
    body = recorded("message_changed_by_person")
    body["event"]["message"].pop("edited")
    body["event"]["previous_message"]["files"] = [{"id": name, "mode": "hosted"} for name in before]
    body["event"]["message"]["files"] = after
    return body


@pytest.mark.parametrize("left", [[], [{"id": "F1", "mode": "tombstone"}]])
def test_a_file_that_left_its_message_goes_alone(left: list[dict[str, object]]) -> None:
    body = changed_files(["F1", "F2"], [*left, {"id": "F2", "mode": "hosted"}])

    assert heard(body, ME) == [
        Scope("slack", "T061EG9R6", "C123ABC456", message="1515449522.000016", attachment="F1")
    ]


def test_a_file_that_an_edit_took_out_is_gone_and_the_edit_is_told() -> None:
    body = changed_files(["F1"], [])
    body["event"]["message"]["edited"] = {"user": "U061F7AUR", "ts": "1515449600.000000"}

    scope, message = heard(body, ME)

    assert isinstance(scope, Scope)
    assert only([message]).attachments == ()


def test_files_of_messages_that_are_nobody_s_business_are_left_alone() -> None:
    body = changed_files(["F1"], [])
    body["event"]["message"]["text"] = body["event"]["previous_message"]["text"] = "chatting"

    assert heard(body, ME) == []


def test_a_deleted_file_is_gone_wherever_it_was() -> None:
    body = event(type="file_deleted", file_id="F1", channel=None)

    assert heard(body, ME) == [Scope("slack", "T061EG9R6", attachment="F1")]


@pytest.mark.parametrize(("mode", "gone"), [("tombstone", 1), ("hosted", 0)])
def test_a_file_that_changed_is_gone_only_when_it_is(mode: str, gone: int) -> None:
    body = event(type="file_change", file_id="F1", file={"id": "F1", "mode": mode}, channel=None)

    assert len(heard(body, ME)) == gone


@pytest.mark.parametrize("kind", ["channel_deleted", "group_deleted"])
def test_a_deleted_channel_is_retracted(kind: str) -> None:
    body = event(type=kind, channel="C1", user=None, ts=None, text=None)

    assert heard(body, ME) == [Scope("slack", "T061EG9R6", "C1")]


@pytest.mark.parametrize("kind", ["channel_archive", "group_archive", "channel_unarchive"])
def test_an_archived_channel_can_still_be_read_and_keeps_all(kind: str) -> None:
    assert heard(event(type=kind, channel="C1"), ME) == []


@pytest.mark.parametrize("kind", ["agent_session_stopped", "message_stream_stopped"])
def test_slack_s_own_stop_is_told_with_its_streams(kind: str) -> None:
    body = event(type=kind, thread_ts="1.5", streaming_message_ts=["2.5", "3.5"], user="U1")

    assert heard(body, ME) == [Stopped("C123ABC456", "1.5", ("2.5", "3.5"), "U1")]


def test_a_question_that_the_bot_posted_for_a_person_is_retracted_when_it_is_deleted() -> None:
    body = recorded("message_deleted")
    asked = {"type": "section", "block_id": "ts-ask"}
    body["event"]["previous_message"] |= {"bot_id": ME.bot, "user": ME.user, "blocks": [asked]}

    [scope] = heard(body, ME)

    assert isinstance(scope, Scope)
    assert scope.message == "1515449522.000016"


def test_a_mention_that_an_edit_adds_asks() -> None:
    body = recorded("message_changed_by_person")
    body["event"]["previous_message"]["text"] = "what is this?"

    assert only(heard(body, ME)).addressed


@pytest.mark.parametrize("mode", ["tombstone", "hidden_by_limit", "file_access", "external"])
def test_a_file_without_usable_bytes_is_kept_without_an_address(mode: str) -> None:
    file = {"id": "F1", "mode": mode, "url_private": "https://drive.example/x", "created": 0}

    message = said(text="<@U0LAN0Z89>", subtype="file_share", files=[file])

    assert message.attachments == (Attachment(id="F1", name="F1"),)


def test_files_of_a_forwarded_message_come_after_its_own() -> None:
    shared = {"is_share": True, "files": [{"id": "F2", "name": "b.png"}, {"id": "F1"}]}

    message = said(text="<@U0LAN0Z89>", files=[{"id": "F1", "name": "a.png"}], attachments=[shared])

    assert [file.id for file in message.attachments] == ["F1", "F2"]


def test_another_bot_s_picture_is_context_and_the_bot_s_own_posts_are_not() -> None:
    item = {"ts": "1.5", "bot_id": "B9", "subtype": "bot_message", "files": [{"id": "F1"}]}

    found = remembered(item, "T", "C", "1.0", ME)

    assert found is not None
    assert (found.author, found.kind, len(found.attachments)) == ("B9", "context", 1)
    assert remembered(item | {"bot_id": ME.bot}, "T", "C", "1.0", ME) is None
    assert remembered({"ts": "1.5", "user": ME.user}, "T", "C", "1.0", ME) is None


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("<@U0LAN0Z89> what is this?", "what is this?"),
        ("hey <@U0LAN0Z89|threadsight>, look", "hey , look"),
        ("ask <@U2> or <@U3|bob>", "ask @U2 or @bob"),
        ("in <#C1|hall> or <#C2|>", "in #hall or #C2"),
        ("<https://a.example/x.png>", "https://a.example/x.png"),
        ("<https://a.example|here>", "here (https://a.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|today>", "@here @team today"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        ("&lt;@U0LAN0Z89&gt;", "<@U0LAN0Z89>"),
    ],
)
def test_slack_s_markup_becomes_readable(raw: str, plain: str) -> None:
    assert readable(raw, ME.user) == plain


@given(st.text(alphabet="<@!#U1>ab \n`"), st.text(alphabet="<@!#U1>ab \n`"))
def test_what_was_harmless_stays_as_it_was_when_the_text_grows(begin: str, more: str) -> None:
    assert harmless(begin + more).startswith(harmless(begin))
    assert harmless(begin).replace("\u200b", "") == begin


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = ["type", "user", "text", "ts", "channel", "subtype", "files", "message", "edited",
         "previous_message", "thread_ts", "attachments", "deleted_ts", "bot_id"]  # fmt: skip


@given(
    st.sampled_from([None, "message_changed", "message_deleted", "file_share"]),
    st.dictionaries(st.sampled_from(NAMES), json_values),
)
def test_no_payload_however_broken_raises(subtype: str | None, fields: dict[str, object]) -> None:
    heard(event(**({"subtype": subtype} | fields)), ME)
