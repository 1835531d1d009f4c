"""Forms that Slack shows in a window of its own, and the drawings under their answers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import Button, Card, Drawing, Post, ThreadId
from bot.errors import Outage
from tests.adapters.slack.conftest import Notebook
from tests.servers import slack_rules as rules
from tests.servers.slack import BOT_USER, CHANNEL, TEAM, Fault, SlackServer

DRAWING = Drawing("estimate.png", b"\x89PNG", "one picture, about $0.01")


def values(slack: SlackServer, *, question: str = "", **more: str) -> dict[str, Any]:
    """A filled form with one picture in it."""
    file = slack.upload(b"...")
    file.info |= {"original_w": 640, "original_h": 480}
    filled: dict[str, Any] = {
        "files": {"type": "file_input", "files": [file.info]},
        "question": {"type": "plain_text_input", "value": question or None},
    }
    if "detail" in more:
        filled["detail"] = {"selected_option": {"value": more["detail"]}}
    if "model" in more:
        filled["model"] = {"value": more["model"]}
    return filled


async def opened(slack: SlackServer) -> rules.Json:
    await slack.until(lambda: slack.views)
    return slack.views[-1]


async def test_estimate_where_no_picture_is_opens_a_form_and_answers_it_privately(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.command("/estimate")
    view = await opened(slack)
    filled = values(slack, question="1 &lt; 2 & how many?", detail="low", model="gpt-5.4-mini")
    delivery = slack.submit(view, filled)
    await slack.until(lambda: slack.ephemeral)

    [command] = listening.commands
    assert (command.name, command.channel, command.author) == ("estimate", CHANNEL, "U0ANN")
    assert [(file.width, file.height) for file in command.attachments] == [(640, 480)]
    assert command.options == {
        "question": "1 < 2 & how many?",
        "detail": "low",
        "model": "gpt-5.4-mini",
    }
    assert delivery.answer is None
    assert rules.shown(slack.ephemeral[0]) == "Estimate\nAbout **$0.01**."


@pytest.mark.parametrize(
    ("change", "field"),
    [({"files": {"files": []}}, "files"), ({"model": {"value": "no such model"}}, "model")],
)
async def test_a_form_with_a_mistake_says_so_while_it_is_open(
    slack: SlackServer, listening: Notebook, change: dict[str, Any], field: str
) -> None:
    slack.command("/estimate")
    view = await opened(slack)
    delivery = slack.submit(view, values(slack) | change)
    await slack.until(lambda: delivery.acked_at)

    assert delivery.answer is not None
    assert delivery.answer["response_action"] == "errors"
    assert list(delivery.answer["errors"]) == [field]
    assert listening.commands == []


@pytest.mark.parametrize("told", [("id",), ("id", "url_private", "mimetype")])
async def test_a_form_s_file_of_which_slack_told_little_is_asked_for(
    slack: SlackServer, listening: Notebook, told: tuple[str, ...]
) -> None:
    slack.command("/estimate")
    view = await opened(slack)
    filled = values(slack)
    known = filled["files"]["files"][0]
    filled["files"]["files"] = [{name: known[name] for name in told}]
    slack.submit(view, filled)
    await slack.until(lambda: slack.ephemeral)

    assert [file.width for file in listening.commands[0].attachments] == [640]


async def test_the_channel_s_own_pictures_are_estimated_and_a_button_opens_the_form(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    slack.post("look", files=[file.info["id"]])

    slack.command("/estimate")
    await slack.until(lambda: slack.ephemeral)
    before = list(slack.views)
    slack.press("", action="form:estimate", private=True)
    view = await opened(slack)

    assert before == []
    assert "Other pictures …" in rules.buttons_in(slack.ephemeral[0])
    assert view["callback_id"] == "estimate"


@pytest.mark.parametrize("code", ["expired_trigger_id", "exchanged_trigger_id"])
async def test_a_form_that_came_too_late_is_told(
    slack: SlackServer, listening: Notebook, code: str
) -> None:
    slack.fail("views.open", Fault(error=code))

    slack.command("/estimate")
    await slack.until(lambda: slack.ephemeral)

    assert "did not wait" in rules.shown(slack.ephemeral[0])


async def test_a_channel_that_takes_long_to_read_does_not_keep_the_form_waiting(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.fail("conversations.history", Fault(late=60))

    slack.command("/estimate")
    async with asyncio.timeout(slack.trigger_seconds):
        await opened(slack)


async def test_ask_about_this_posts_the_question_in_the_person_s_name_and_hands_it_in(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    root = slack.post("look", files=[file.info["id"]])

    slack.shortcut(root, "ask")
    view = await opened(slack)
    slack.submit(view, {"question": {"value": "<!here> how many?"}, "detail": {}})
    await slack.until(lambda: listening.messages)

    [post] = slack.own()
    [message] = listening.messages
    shown = rules.shown(post)
    assert shown.startswith("<@U0ANN> asks:")
    assert "how many?" in shown
    assert rules.called(post) == ["<@U0ANN>"]
    assert rules.images_in(post["blocks"]) == [file.info["id"]]
    assert post["thread_ts"] == root
    assert (message.id, message.author, message.addressed) == (post["ts"], "U0ANN", True)
    assert (message.thread.root, message.thread.workspace) == (root, TEAM)
    assert [each.id for each in message.attachments] == [file.info["id"]]
    assert message.text == "<!here> how many?"
    assert message.groups == (TEAM,)


async def test_a_question_whose_pictures_slack_does_not_show_is_posted_without_them(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    root = slack.post("look", files=[file.info["id"]])
    slack.fail("chat.postMessage", Fault(error="invalid_blocks"))

    slack.shortcut(root, "ask")
    slack.submit(await opened(slack), {"question": {"value": "how many?"}})
    await slack.until(lambda: listening.messages)

    assert "a.png" in rules.shown(slack.own()[0])


async def test_a_question_by_form_needs_words_and_a_message_needs_pictures(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    delivery = slack.submit(await opened(slack), {"question": {"value": "  "}})
    slack.shortcut(slack.post("only words"), "ask")
    await slack.until(lambda: delivery.acked_at and slack.ephemeral)

    assert delivery.answer is not None
    assert list(delivery.answer["errors"]) == ["question"]
    assert "no picture" in rules.shown(slack.ephemeral[0])


async def test_a_question_where_the_bot_may_not_post_is_told_why(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    view = await opened(slack)
    slack.channels[CHANNEL].member = False
    slack.submit(view, {"question": {"value": "how many?"}})
    await slack.until(lambda: slack.ephemeral)

    assert "/invite" in rules.shown(slack.ephemeral[0])
    assert listening.messages == []


async def test_a_question_whose_post_was_made_unheard_is_found_and_not_posted_twice(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    view = await opened(slack)
    slack.fail("chat.postMessage", Fault(lost=True))
    slack.submit(view, {"question": {"value": "how many?"}})
    await slack.until(lambda: listening.messages)

    assert [message.id for message in listening.messages] == [slack.own()[0]["ts"]]
    assert len(slack.own()) == 1


async def test_a_question_that_is_refused_or_not_stored_leaves_no_post(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    root = slack.post("look", files=[file.info["id"]])
    listening.refusal = Card("", "Ask an administrator.")
    slack.shortcut(root, "ask")
    slack.submit(await opened(slack), {"question": {"value": "how many?"}})
    await slack.until(lambda: slack.ephemeral and not slack.own())

    listening.failures = [Outage("The database is away.")] * 3
    slack.shortcut(root, "ask")
    await slack.until(lambda: len(slack.views) == 2)
    slack.submit(slack.views[1], {"question": {"value": "how many?"}})
    await slack.until(lambda: len(slack.ephemeral) == 2 and not slack.own())

    told = [rules.shown(each) for each in slack.ephemeral]
    assert told == ["Ask an administrator.", "The database is away.\n\nYou asked:\n\nhow many?"]


async def test_who_may_not_ask_is_told_before_a_form_opens(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.unwelcome = Card("", "Ask an administrator.")
    file = slack.upload(b"...")

    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    await slack.until(lambda: slack.ephemeral)

    assert rules.shown(slack.ephemeral[0]) == "Ask an administrator."
    assert slack.views == []


async def test_a_question_of_somebody_who_may_not_ask_is_never_posted(
    slack: SlackServer, listening: Notebook
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    view = await opened(slack)

    listening.unwelcome = Card("", "Ask an administrator.")
    slack.submit(view, {"question": {"value": "how many?"}})
    await slack.until(lambda: slack.ephemeral)

    assert rules.shown(slack.ephemeral[0]) == "Ask an administrator."
    assert slack.calls["chat.postMessage"] == 0


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(dropped=True), Fault(retry_after=1, times=2)]
)
async def test_a_question_is_posted_all_the_same_when_slack_stumbles(
    slack: SlackServer, listening: Notebook, fault: Fault
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    view = await opened(slack)
    slack.fail("chat.postMessage", replace(fault))
    slack.submit(view, {"question": {"value": "how many?"}})
    await slack.until(lambda: listening.messages)

    assert [message.id for message in listening.messages] == [slack.own()[0]["ts"]]


async def test_a_drawing_stands_under_its_card_with_its_words(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.answer = Card("Estimate", "About $0.01.", drawing=DRAWING)

    slack.command("/estimate", "640x480")
    await slack.until(lambda: slack.ephemeral)

    [image] = [block for block in slack.ephemeral[0]["blocks"] if block["type"] == "image"]
    assert image["alt_text"] == DRAWING.alt
    assert slack.files[image["slack_file"]["id"]].data == DRAWING.data


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("files.getUploadURLExternal", Fault(error="missing_scope")),
        ("files.getUploadURLExternal", Fault(status=500, times=9)),
        ("files.completeUploadExternal", Fault(error="file_not_found")),
        ("upload", Fault()),
    ],
)
async def test_a_drawing_that_slack_does_not_take_leaves_the_words(
    slack: SlackServer, listening: Notebook, method: str, fault: Fault
) -> None:
    slack.fail(method, fault)
    listening.answer = Card("Estimate", "About $0.01.", drawing=DRAWING)

    slack.command("/estimate", "640x480")
    await slack.until(lambda: slack.ephemeral)

    assert rules.shown(slack.ephemeral[0]) == "Estimate\nAbout $0.01."


async def test_an_answer_whose_address_is_used_up_is_whispered(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.fail("respond", Fault(status=404))

    slack.command("/vision", "help")
    await slack.until(lambda: slack.whispers)

    assert (slack.whispers[0]["channel"], slack.whispers[0]["user"]) == (CHANNEL, "U0ANN")


@pytest.mark.parametrize("metadata", ["", "[]", "{", '{"c": 5, "f": [1, null]}', "null"])
async def test_a_broken_form_breaks_nothing(
    slack: SlackServer, listening: Notebook, metadata: str
) -> None:
    view = {"callback_id": "estimate", "private_metadata": metadata, "state": {"values": []}}
    payload = {"type": "view_submission", "user": {"id": "U0ANN"}, "view": view}

    broken = slack.send("interactive", payload)
    other = slack.send("interactive", {"type": "view_submission", "team": {"id": TEAM}})
    slack.command("/vision", "help")
    await slack.until(lambda: broken.acked_at and other.acked_at and slack.ephemeral)

    assert listening.commands[0].name == "help"


async def test_what_forget_erased_is_deleted(slack: SlackServer, listening: Notebook) -> None:
    question = slack.post(f"<@{BOT_USER}> what is this?")
    post = slack.post("an answer", user=BOT_USER, thread=question)
    erased = (Post(ThreadId("slack", TEAM, CHANNEL, question), post),)
    listening.answer = Card("Forgotten", "All of it.", erased=erased, buttons=(Button("x", "t"),))

    slack.command("/vision", "forget")
    await slack.until(lambda: not slack.own())

    assert slack.calls["chat.delete"] == 1


ASKING = {
    "lost": Fault(lost=True),
    "dropped": Fault(dropped=True),
    "broken": Fault(status=503),
    "limited": Fault(retry_after=0),
    "limited for long": Fault(retry_after=60),
    "late": Fault(late=0.2),
    "refused": Fault(error="restricted_action"),
}


@pytest.mark.parametrize("fault", ASKING)
@pytest.mark.parametrize("method", ["chat.postMessage", "files.info", "conversations.replies"])
async def test_whatever_call_fails_a_question_is_asked_once_or_its_asker_is_told(
    slack: SlackServer, listening: Notebook, method: str, fault: str
) -> None:
    file = slack.upload(b"...")
    slack.shortcut(slack.post("look", files=[file.info["id"]]), "ask")
    view = await opened(slack)
    slack.fail(method, replace(ASKING[fault]))
    slack.submit(view, {"question": {"value": "how many?"}})
    await slack.until(lambda: listening.messages or slack.ephemeral)

    asked = [message.id for message in listening.messages]
    assert asked == [post["ts"] for post in slack.own()]
    assert len(asked) + len(slack.ephemeral) == 1
