"""What people on Slack do to questions and answers, with the whole bot behind it."""

from tests.adapters.contract import FOOTER, Upload, png, size
from tests.adapters.house import Within
from tests.adapters.slack.stage import SlackStage
from tests.servers import slack_rules as rules
from tests.servers.slack import CHANNEL, SlackServer


def pressable(slack: SlackServer, label: str) -> tuple[str, rules.Json]:
    """A button under one of the bot's posts, and the post."""
    for post in slack.own():
        if label in rules.buttons_in(post):
            return rules.buttons_in(post)[label], post
    raise AssertionError(f"no button {label}")


async def settled(stage: SlackStage) -> None:
    """Waits until what people see is also noted: nobody presses a button sooner."""
    bot = stage.bot
    assert isinstance(bot, Within)
    await stage.until(lambda: not bot.worker.jobs)


async def asked(stage: SlackStage, *files: str, text: str = "what is this?") -> str:
    question = stage.server.post(f"{stage.mention} {text}", files=list(files))
    await stage.answered(question)
    return question


async def test_a_question_that_is_edited_is_answered_anew_in_its_posts_with_its_buttons(
    stage: SlackStage,
) -> None:
    stage.answers("Old.", "word " * 4000)
    question = await stage.post(f"{stage.mention} old?", [Upload("a.png", png(1))])
    await stage.answered(question)
    [first] = stage.server.own()

    stage.server.edit(question, f"{stage.mention} longer?")
    await stage.until(lambda: stage.complete(question) == 1 and len(stage.server.own()) > 1)

    posts = stage.server.own()
    assert posts[0]["ts"] == first["ts"]
    assert "Old." not in rules.shown(posts[0])
    assert ["Try again" in rules.buttons_in(post) for post in posts] == [False, True]


async def test_a_mention_that_is_added_by_an_edit_asks(stage: SlackStage) -> None:
    stage.answers("A square.")
    message = await stage.post("look at this", [Upload("a.png", png(1))])

    stage.server.edit(message, f"{stage.mention} what is this?")
    posts = await stage.answered(message)

    assert len(posts) == 1


async def test_a_question_that_is_deleted_while_it_is_answered_leaves_nothing(
    stage: SlackStage,
) -> None:
    stage.answers("A long story about a square.")
    stage.hold()
    question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)))

    await stage.delete(question)
    await stage.until(lambda: stage.server.own() == [])
    stage.release()
    stage.answers("Another one.")
    other = await stage.post(f"{stage.mention} and this?", [Upload("b.png", png(2))])
    await stage.answered(other)

    assert len(stage.server.own()) == 1


async def test_a_file_that_is_deleted_goes_alone_and_the_thread_goes_on(stage: SlackStage) -> None:
    stage.answers("Two.", "One.")
    files = [stage.server.upload(png(number), f"{number}.png") for number in (1, 2)]
    question = await asked(stage, *(file.info["id"] for file in files))

    stage.server.remove_file(files[0].info["id"])
    await stage.server.until(lambda: all(delivery.acked_at for delivery in stage.server.deliveries))
    await stage.post("and now?", thread=question)
    await stage.answered(question, 2)

    assert [size(data) for data in stage.asked()[-1]] == [size(png(2))]


async def test_try_again_answers_in_the_same_post_and_a_vote_is_thanked_for(
    stage: SlackStage,
) -> None:
    stage.answers("First.", "Second.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    await settled(stage)
    again, post = pressable(stage.server, "Try again")

    stage.server.press(again, message=post)
    await stage.until(lambda: "Second." in stage.visible(question)[0])
    await stage.answered(question)
    await settled(stage)
    good, post = pressable(stage.server, "Good answer")
    stage.server.press(good, message=post, user="U0BOB", action="press:vote")
    await stage.until(lambda: bool(stage.server.ephemeral))

    assert len(stage.visible(question)) == 1


async def test_a_button_works_after_a_restart(stage: SlackStage) -> None:
    stage.answers("First.", "Second.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    await settled(stage)
    again, post = pressable(stage.server, "Try again")

    await stage.stop()
    await stage.start()
    stage.server.press(again, message=post)
    await stage.until(lambda: "Second." in stage.visible(question)[0])

    assert len(stage.visible(question)) == 1


async def test_stop_under_a_growing_message_ends_the_answer_with_what_there_is(
    stage: SlackStage,
) -> None:
    stage.server.unknown = {"chat.startStream"}
    stage.answers("A long story about a square.")
    stage.hold()
    question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
    await stage.until(lambda: any("Stop" in rules.buttons_in(p) for p in stage.server.own()))
    stop, post = pressable(stage.server, "Stop")

    stage.server.press(stop, message=post)
    [shown] = await stage.answered(question)

    assert "about a square" not in shown
    assert "Stop" not in rules.buttons_in(stage.server.own()[0])


async def test_slack_s_own_stop_ends_the_answer_with_what_there_is(stage: SlackStage) -> None:
    stage.answers("A long story about a square.")
    stage.hold()
    question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)) and bool(stage.asked()))
    await stage.until(lambda: any(post.get("streaming") for post in stage.server.own()))

    stage.server.stop_by_hand(stage.server.own()[0]["ts"])
    [shown] = await stage.answered(question)

    assert "about a square" not in shown


async def test_an_estimate_by_form_is_asked_now_by_its_button(stage: SlackStage) -> None:
    stage.answers("A square.")
    file = stage.server.upload(png(1))
    file.info |= {"original_w": 17, "original_h": 16}

    stage.server.command("/estimate")
    await stage.server.until(lambda: stage.server.views)
    filled: dict[str, rules.Json] = {
        "files": {"files": [file.info]},
        "question": {"value": "what is it?"},
    }
    stage.server.submit(stage.server.views[0], filled)
    await stage.server.until(lambda: stage.server.ephemeral)
    [card] = stage.server.ephemeral
    buttons = rules.buttons_in(card)
    [ask] = [token for label, token in buttons.items() if label.startswith("Ask")]
    stage.server.press(ask, private=True)
    await stage.server.until(lambda: stage.server.own())
    [question] = stage.server.own()
    [answer] = await stage.answered(question["ts"])

    assert "about" in rules.shown(card)
    assert answer.startswith("A square.")
    assert "U0ANN" in rules.shown(question)


async def test_ask_about_this_is_answered_in_the_message_s_thread(stage: SlackStage) -> None:
    stage.answers("A square.")
    message = await stage.post("look", [Upload("a.png", png(3))], author="bob")

    stage.server.shortcut(message, "ask")
    await stage.server.until(lambda: stage.server.views)
    stage.server.submit(stage.server.views[0], {"question": {"value": "what is it?"}})
    posts = await stage.answered(message)

    [sent] = stage.asked()
    assert [size(data) for data in sent] == [size(png(3))]
    assert len(posts) == 2
    assert posts[-1].startswith("A square.")


async def test_forgetting_takes_back_the_questions_that_the_bot_posted_for_the_person(
    stage: SlackStage,
) -> None:
    stage.answers("A square.")
    message = await stage.post("look", [Upload("a.png", png(3))], author="bob")
    stage.server.shortcut(message, "ask")
    await stage.server.until(lambda: stage.server.views)
    stage.server.submit(stage.server.views[0], {"question": {"value": "what is it?"}})
    await stage.answered(message)
    await settled(stage)

    stage.server.command("/vision", "forget")
    await stage.server.until(lambda: stage.server.ephemeral)
    [token] = rules.buttons_in(stage.server.ephemeral[0]).values()
    stage.server.press(token, private=True)
    await stage.until(lambda: stage.server.own() == [])

    assert message in stage.server.channels[CHANNEL].messages


async def test_words_in_a_thread_are_answered_there_at_no_cost(stage: SlackStage) -> None:
    stage.answers("A square.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)

    await stage.post(f"{stage.mention} estimate", thread=question)
    await stage.until(lambda: len(stage.visible(question)) == 2)

    assert FOOTER not in stage.visible(question)[1]
    assert len(stage.asked()) == 1


async def test_vision_forget_erases_what_the_person_asked_and_its_answers(
    stage: SlackStage,
) -> None:
    stage.answers("A square.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)

    stage.server.command("/vision", "forget")
    await stage.server.until(lambda: stage.server.ephemeral)
    [token] = [
        token
        for label, token in rules.buttons_in(stage.server.ephemeral[0]).items()
        if "orget" in label or "rase" in label or "elete" in label
    ]
    stage.server.press(token, private=True)
    await stage.until(lambda: stage.server.own() == [])


async def test_a_bot_that_is_removed_in_mid_answer_goes_on_elsewhere(stage: SlackStage) -> None:
    stage.answers("A long story about a square.")
    stage.hold()
    question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)) and bool(stage.asked()))
    stage.server.channels[CHANNEL].member = False
    stage.release()
    other = stage.server.channels["G0DEN"] = type(stage.server.channels[CHANNEL])("mpim")
    stage.answers("A square.")
    file = stage.server.upload(png(2))

    again = stage.server.post(f"{stage.mention} and?", files=[file.info["id"]], channel="G0DEN")
    await stage.until(lambda: any(FOOTER in text for text in stage.server.thread(again, "G0DEN")))

    assert len(other.messages) == 2


async def test_a_channel_that_is_archived_in_mid_answer_goes_on_when_it_is_back(
    stage: SlackStage,
) -> None:
    stage.answers("A long story about a square.")
    stage.hold()
    question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)) and bool(stage.asked()))
    stage.server.channels[CHANNEL].archived = True
    stage.release()
    await settled(stage)

    stage.server.channels[CHANNEL].archived = False
    stage.answers("Another one.")
    await stage.post("and now?", thread=question)
    await stage.until(lambda: any("Another one." in text for text in stage.visible(question)))

    assert len(stage.asked()) == 2


async def test_a_text_of_forty_thousand_characters_and_hostile_names_are_answered(
    stage: SlackStage,
) -> None:
    stage.answers("A square. <b>&lt;</b>")
    file = stage.server.upload(png(1), "&lt;script&gt;.png")
    words = f"{stage.mention} &lt;b&gt; &amp;amp; {'x' * 39_900}"

    question = stage.server.post(words, files=[file.info["id"]])
    posts = await stage.answered(question)

    assert "A square. <b>&lt;</b>" in posts[0]
    assert "<b> &amp; xxx" in str(stage.model.asked[0].json)
