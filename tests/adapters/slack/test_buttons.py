"""Buttons under answers and cards: what they hand to the desk, and what people see of it."""

import pytest

from bot.domain import Attachment, Button, Card, Proposal, Scope, ThreadId
from bot.errors import Outage
from tests.adapters.slack.conftest import Notebook
from tests.servers import slack_rules as rules
from tests.servers.slack import BOT_USER, CHANNEL, TEAM, Fault, SlackServer


def proposal(slack: SlackServer, text: str, root: str = "") -> Proposal:
    file = slack.upload(b"...")
    attached = Attachment(file.info["id"], "a.png", "image/png", url=file.info["url_private"])
    place = ThreadId("slack", TEAM, CHANNEL, root)
    return Proposal(place, "U0ANN", text, (attached,), {"detail": "low"})


async def test_a_vote_is_handed_in_with_who_gave_it_and_answered_in_its_thread(
    slack: SlackServer, listening: Notebook
) -> None:
    root = slack.post("what is this?")
    answer = {"ts": slack.now(), "thread_ts": root}

    slack.press("t2", message=answer, action="press:vote", user="U0BOB")
    await slack.until(lambda: slack.ephemeral)

    assert [(token, person.id) for token, person in listening.presses] == [("t2", "U0BOB")]
    [card] = slack.ephemeral
    assert (card["response_type"], card["thread_ts"]) == ("ephemeral", root)
    assert card["replace_original"] is False


async def test_what_is_pressed_under_a_private_card_takes_its_place(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.press("t1", private=True)
    await slack.until(lambda: slack.ephemeral)
    listening.pressed = None
    slack.press("t1", private=True)
    await slack.until(lambda: len(slack.ephemeral) == 2)

    assert slack.ephemeral[0]["replace_original"] is True
    assert slack.ephemeral[1] == {"delete_original": True}


async def test_a_button_that_does_its_work_says_nothing(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.pressed = None
    pressed = slack.press("t1")
    await slack.until(lambda: listening.presses and pressed.acked_at)
    slack.command("/vision", "help")
    await slack.until(lambda: slack.ephemeral)

    assert len(slack.ephemeral) == 1


@pytest.mark.parametrize("error", [Outage("The database is away."), KeyError("canary")])
async def test_a_button_that_fails_is_answered_with_a_sentence(
    slack: SlackServer, listening: Notebook, error: Exception
) -> None:
    listening.pressed = error

    slack.press("t1")
    await slack.until(lambda: slack.ephemeral)

    assert rules.shown(slack.ephemeral[0]).endswith((".", "again."))


async def test_ask_now_posts_the_question_and_its_card_goes(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.pressed = proposal(slack, "how many &lt;b&gt;?")

    slack.press("t1", private=True)
    await slack.until(lambda: listening.messages and slack.ephemeral)

    [post] = slack.own()
    [message] = listening.messages
    assert "thread_ts" not in post
    assert (message.thread.root, message.id) == (post["ts"], post["ts"])
    assert message.options == {"detail": "low"}
    assert "how many &lt;b&gt;?" in rules.shown(post)
    assert slack.ephemeral[0]["delete_original"] is True


async def test_a_question_in_the_channel_itself_whose_post_was_made_unheard_is_found(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.pressed = proposal(slack, "how many?")
    slack.fail("chat.postMessage", Fault(lost=True))

    slack.press("t1", private=True)
    await slack.until(lambda: listening.messages)

    assert [message.id for message in listening.messages] == [slack.own()[0]["ts"]]
    assert len(slack.own()) == 1


async def test_who_asked_by_a_button_can_take_the_question_back_and_nobody_else(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.pressed = proposal(slack, "how many?")
    slack.press("t1", private=True)
    await slack.until(lambda: listening.messages)
    [post] = slack.own()
    answer = slack.post("Two.", user=BOT_USER, thread=post["ts"])
    listening.posts = (answer,)
    take_back = "question:take-back"

    slack.press("", message=post, action=take_back, user="U0BOB")
    await slack.until(lambda: "Only" in "".join(map(rules.shown, slack.ephemeral)))
    before = len(slack.own())
    slack.press("", message=post, action=take_back)
    await slack.until(lambda: not slack.own())

    assert before == 2
    assert listening.scopes[0] == Scope("slack", TEAM, CHANNEL, root=post["ts"], message=post["ts"])


async def test_a_question_without_words_is_asked_for_them_first(
    slack: SlackServer, listening: Notebook
) -> None:
    root = slack.post("look")
    listening.pressed = proposal(slack, "", root)

    slack.press("t1", private=True)
    await slack.until(lambda: slack.views)
    slack.submit(slack.views[0], {"question": {"value": "how many?"}, "model": {"value": "gpt-4o"}})
    await slack.until(lambda: listening.messages)

    [message] = listening.messages
    assert [token for token, _ in listening.presses] == ["t1", "t1"]
    assert (message.text, message.thread.root) == ("how many?", root)
    assert message.options == {"detail": "low", "model": "gpt-4o"}
    assert [file.name for file in message.attachments] == ["a.png"]


async def test_a_question_that_a_form_words_too_late_is_told(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.pressed = proposal(slack, "")
    slack.press("t1", private=True)
    await slack.until(lambda: slack.views)
    listening.pressed = Card("Too late", "This button does nothing any more.")
    slack.submit(slack.views[0], {"question": {"value": "how many?"}})
    await slack.until(lambda: slack.ephemeral)

    assert "Too late" in rules.shown(slack.ephemeral[0])
    assert slack.own() == []


async def test_hundreds_of_buttons_and_long_labels_are_cut_to_what_slack_takes(
    slack: SlackServer, listening: Notebook
) -> None:
    buttons = tuple(Button("Older pictures → low " * 9, f"t{n}") for n in range(40))
    listening.answer = Card("<" * 200, "&lt;" * 9000, buttons=buttons)

    slack.command("/vision", "usage")
    await slack.until(lambda: slack.ephemeral)

    assert slack.ephemeral[0]["blocks"][-1]["type"] == "actions"
