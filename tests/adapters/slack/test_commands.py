"""Slash commands, shortcuts and buttons, and the answers that only the asker sees."""

import pytest

from bot.domain import Button, Card
from bot.errors import Outage
from tests.adapters.slack.conftest import Notebook
from tests.servers import slack_rules as rules
from tests.servers.slack import BOT_USER, CHANNEL, Fault, SlackServer


async def test_a_typed_size_is_handed_to_the_desk_and_answered_privately(
    slack: SlackServer, listening: Notebook
) -> None:
    delivery = slack.command("/estimate", "1920x1080 x3 high")
    await slack.until(lambda: slack.ephemeral)

    [command] = listening.commands
    assert (command.name, command.text, command.channel) == (
        "estimate",
        "1920x1080 x3 high",
        CHANNEL,
    )
    assert command.author == "U0ANN"
    [answer] = slack.ephemeral
    assert answer["response_type"] == "ephemeral"
    assert rules.shown(answer) == "Estimate\nAbout **$0.01**."
    assert delivery.acked_at is not None


async def test_estimate_alone_looks_at_the_pictures_of_the_last_messages(
    slack: SlackServer, listening: Notebook
) -> None:
    names = []
    for number in range(3):
        file = slack.upload(b"...", f"{number}.png")
        file.info |= {"original_w": 640, "original_h": 480}
        names.append(slack.post("look", files=[file.info["id"]]))
    text = slack.upload(b"...", "notes.txt", "text/plain")
    slack.post("read", files=[text.info["id"]])

    slack.command("/estimate")
    await slack.until(lambda: slack.ephemeral)

    [command] = listening.commands
    assert [file.name for file in command.attachments] == ["0.png", "1.png", "2.png"]
    assert command.attachments[0].width == 640


@pytest.mark.parametrize("reason", ["not_in_channel", "channel_not_found", "missing_scope"])
async def test_a_channel_that_cannot_be_read_says_how_to_invite_the_bot(
    slack: SlackServer, listening: Notebook, reason: str
) -> None:
    slack.fail("conversations.history", Fault(error=reason))
    slack.fail("views.open", Fault(error="expired_trigger_id"))

    slack.command("/estimate")
    await slack.until(lambda: slack.ephemeral)

    assert "/invite @threadsight" in rules.shown(slack.ephemeral[0])
    assert listening.commands == []


async def test_the_shortcut_estimates_a_message_s_pictures(
    slack: SlackServer, listening: Notebook
) -> None:
    root = slack.post("first")
    file = slack.upload(b"...")
    ts = slack.post(f"<@{BOT_USER}> how many?", files=[file.info["id"]], thread=root)

    delivery = slack.shortcut(ts)
    await slack.until(lambda: slack.ephemeral)

    [command] = listening.commands
    assert command.root == root
    assert [file.id for file in command.attachments] == [file.info["id"]]
    assert command.options == {"question": "how many?"}
    assert delivery.acked_at is not None


async def test_the_size_of_another_organisation_s_picture_is_asked_for(
    slack: SlackServer, listening: Notebook
) -> None:
    ts = slack.post("look")
    picture, notes = slack.upload(b"..."), slack.upload(b"...", "notes.txt", "text/plain")
    picture.info |= {"original_w": 640, "original_h": 480}
    lost = {"id": "F9", "mode": "file_access"}
    stubs = [{"id": file.info["id"], "mode": "file_access"} for file in (picture, notes)]
    slack.channels[CHANNEL].messages[ts]["files"] = [*stubs, lost]

    slack.shortcut(ts)
    await slack.until(lambda: slack.ephemeral)

    [command] = listening.commands
    assert [(file.name, file.width) for file in command.attachments] == [
        ("a.png", 640),
        ("F9", None),
    ]


async def test_a_shortcut_on_a_message_without_pictures_does_not_look_elsewhere(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.shortcut(slack.post("only words"))
    await slack.until(lambda: slack.ephemeral)

    assert listening.commands[0].attachments == ()
    assert slack.calls["conversations.history"] == 0


@pytest.mark.parametrize(("typed", "name", "text"), [("", "help", ""), ("Help me", "help", "me")])
async def test_vision_takes_its_first_word_as_the_command(
    slack: SlackServer, listening: Notebook, typed: str, name: str, text: str
) -> None:
    slack.command("/vision", typed)
    await slack.until(lambda: slack.ephemeral)

    assert (listening.commands[0].name, listening.commands[0].text) == (name, text)


@pytest.mark.parametrize(
    ("error", "says"), [(Outage("The database is away."), "away"), (KeyError("x"), "broke")]
)
async def test_a_command_that_fails_is_answered_with_a_sentence(
    slack: SlackServer, listening: Notebook, error: Exception, says: str
) -> None:
    listening.answer = error

    slack.command("/vision")
    await slack.until(lambda: slack.ephemeral)

    assert says in rules.shown(slack.ephemeral[0])


async def test_a_card_s_hostile_text_calls_nobody_and_its_buttons_reach_the_desk(
    slack: SlackServer, listening: Notebook
) -> None:
    listening.answer = Card("<!here>" * 40, "<!channel>", buttons=(Button("Again", "tok"),))

    slack.command("/vision")
    await slack.until(lambda: slack.ephemeral)
    slack.press("tok")
    await slack.until(lambda: len(slack.ephemeral) == 2)

    assert rules.called(slack.ephemeral[0]) == []
    assert [(token, person.id) for token, person in listening.presses] == [("tok", "U0ANN")]
    assert rules.shown(slack.ephemeral[1]) == "Done\nIt is done."


async def test_an_answer_goes_to_no_address_but_slack_s(
    slack: SlackServer, listening: Notebook
) -> None:
    payload = {"command": "/vision", "response_url": "http://evil.example/", "team_id": "T"}

    delivery = slack.send("slash_commands", payload)
    await slack.until(lambda: delivery.acked_at and listening.commands)

    assert slack.ephemeral == []


async def test_a_card_whose_blocks_are_refused_is_answered_as_text(
    slack: SlackServer, listening: Notebook
) -> None:
    slack.fail("respond", Fault())

    slack.command("/vision")
    await slack.until(lambda: slack.ephemeral)

    assert rules.shown(slack.ephemeral[0]) == "Estimate\nAbout **$0.01**."
