"""Commands, forms and buttons with the whole bot behind them: the real desk, store, worker and a model's server."""

from typing import Any

from tests.adapters.contract import Upload, png
from tests.adapters.discord.stage import DiscordStage
from tests.adapters.discord.test_asking import about, ask, uploaded
from tests.servers.discord import DiscordServer

CHANNEL = DiscordServer.channel
Json = dict[str, Any]


def labels(message: Json) -> list[str]:
    """What can be pressed under a message."""
    return [button["label"] for row in message["components"] for button in row["components"]]


async def test_a_question_by_command_is_answered_in_a_thread_and_goes_on_there(
    stage: DiscordStage,
) -> None:
    discord = stage.server
    stage.answers("A red square.", "Still red.")
    await discord.use(ask("What is this?", uploaded(discord, data=png(1))))
    await discord.until(lambda: bool(discord.posts(CHANNEL)))
    [question] = discord.posts(CHANNEL)
    first = await stage.answered(question["id"])
    await stage.post("and now?", thread=question["id"])
    both = await stage.answered(question["id"], 2)

    assert first[0].startswith("A red square.")
    assert both[-1].startswith("Still red.")
    assert [len(pictures) for pictures in stage.asked()] == [1, 1]
    assert not discord.pings


async def test_a_question_about_a_message_is_answered_with_its_picture(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A red square.")
    posted = await stage.post("look at this", [Upload("a.png", png(1))])
    target = discord.told(discord.messages[CHANNEL][posted])
    form = await discord.form_of(about(target), author="bob")
    await discord.interactions.submit(form, "What is it?", author="bob")
    await discord.until(lambda: bool(discord.posts(CHANNEL)))
    [question] = discord.posts(CHANNEL)
    await stage.answered(question["id"])

    assert [len(pictures) for pictures in stage.asked()] == [1]


async def test_where_only_an_interaction_reaches_it_is_asked_answered_and_asked_on(
    stage: DiscordStage,
) -> None:
    discord = stage.server
    stage.answers("A red square.", "It is one metre wide.")
    seen = await discord.use(ask("What is this?", uploaded(discord, data=png(1))), present=False)
    await discord.until(lambda: "$" in "".join(seen["contents"]))
    [post] = seen["messages"]
    shown = await discord.interactions.press(post, "Ask more", present=False)
    await discord.until(lambda: shown["modal"] is not None)
    more = await discord.interactions.submit(shown["modal"], "How wide?", present=False)
    await discord.until(lambda: "$" in "".join(more["contents"]))

    assert "A red square." in seen["contents"][0]
    assert "It is one metre wide." in more["contents"][0]
    assert [len(pictures) for pictures in stage.asked()] == [1, 1]
    assert not [each for each in discord.requests if "/channels/" in each]


async def test_try_again_there_answers_in_the_same_post(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.", "A dog.")
    seen = await discord.use(ask("What is this?", uploaded(discord, data=png(1))), present=False)
    await discord.until(lambda: "$" in "".join(seen["contents"]))
    pressed = await discord.interactions.press(seen["messages"][0], "Try again", present=False)
    await discord.until(lambda: "A dog." in post_of(seen) or bool(pressed["contents"]))
    if pressed["contents"]:
        # Faster than the worker, which had posted the answer and not settled it yet.
        await discord.interactions.press(seen["messages"][0], "Try again", present=False)
        await discord.until(lambda: "A dog." in post_of(seen))

    assert "A cat." not in post_of(seen)


def post_of(seen: Json) -> str:
    return str(seen["messages"][0]["content"])


async def test_a_vote_under_an_answer_is_thanked_in_private(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    answer = discord.posts(question)[-1]
    seen = await discord.press(answer, "👍", author="bob")
    await discord.until(lambda: bool(seen["contents"]))

    assert "counted" in seen["contents"][0]
    assert seen["messages"][-1]["flags"] & 64


async def test_somebody_elses_button_does_nothing_and_says_so(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.", "A dog.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    seen = await discord.press(discord.posts(question)[-1], "Try again", author="bob")
    await discord.until(lambda: bool(seen["contents"]))

    assert "Only the person who asked" in seen["contents"][0]
    assert len(stage.asked()) == 1


async def test_an_estimate_asks_now_for_all_to_see(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A red square.")
    file = uploaded(discord, data=png(1)) | {"width": 64, "height": 48}
    data = {**ask("What is this?", file, detail="low"), "name": "estimate"}
    seen = await discord.answer_to(data)
    card = seen["messages"][0]
    await discord.press(card, "Ask now")
    await discord.until(lambda: bool(discord.posts(CHANNEL)))
    [question] = discord.posts(CHANNEL)
    await stage.answered(question["id"])

    assert "What is this?" in question["content"]
    assert [len(pictures) for pictures in stage.asked()] == [1]
    assert "Ask now" not in labels(card)


async def test_forget_erases_what_was_asked_and_deletes_the_answers(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    forget = {"id": "1", "type": 1, "name": "vision", "options": [{"type": 1, "name": "forget"}]}
    seen = await discord.answer_to(forget)
    await discord.press(seen["messages"][0], "Erase it all")
    await discord.until(lambda: not discord.posts(question))

    assert seen["private"]


async def test_forget_deletes_questions_that_the_bot_posted_for_somebody_and_nobody_elses(
    stage: DiscordStage,
) -> None:
    discord = stage.server
    stage.answers("A red square.")
    await discord.use(ask("What is this?", uploaded(discord, data=png(1))))
    await discord.until(lambda: len(discord.posts(CHANNEL)) == 1)
    thread = discord.posts(CHANNEL)[0]["id"]
    await stage.answered(thread)
    await discord.use(ask("And its size?"), channel=thread)
    await stage.answered(thread, 2)
    await discord.use(ask("And its colour?"), channel=thread, author="bob")
    await stage.answered(thread, 3)
    under = [{"type": 1, "name": "forget"}]
    seen = await discord.answer_to({"id": "1", "type": 1, "name": "vision", "options": under})
    await discord.press(seen["messages"][0], "Erase it all")
    await discord.until(lambda: not discord.posts(CHANNEL))
    await discord.until(lambda: not any("size" in text for text in discord.contents(thread)))

    assert any("colour" in text for text in discord.contents(thread))


async def test_settings_by_command_hold_for_the_next_question(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.")
    chosen = [("where", "channel"), ("name", "detail"), ("value", "low")]
    options = [{"type": 3, "name": name, "value": value} for name, value in chosen]
    under = [{"type": 1, "name": "settings", "options": options}]
    data = {"id": "1", "type": 1, "name": "vision", "options": under}
    refused = await discord.answer_to(data)
    done = await discord.use(data, permissions=str(1 << 5))
    await discord.until(lambda: bool(done["contents"]))

    assert "Only an administrator" in refused["contents"][0]
    assert "low" in done["contents"][0]


async def test_a_restarted_bot_knows_its_buttons(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("A cat.", "A dog.")
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.answered(question)
    await stage.stop()
    await stage.start()
    await discord.press(discord.posts(question)[-1], "Try again")
    await discord.until(lambda: "A dog." in discord.contents(question)[-1])

    assert len(discord.posts(question)) == 1


async def test_stop_there_ends_the_answer_that_is_being_written(stage: DiscordStage) -> None:
    discord = stage.server
    stage.answers("One two three four five six seven.")
    stage.hold()
    seen = await discord.use(ask("What is this?", uploaded(discord, data=png(1))), present=False)
    await discord.until(lambda: bool(seen["messages"]) and "Stop" in labels(seen["messages"][0]))
    await discord.interactions.press(seen["messages"][0], "Stop", present=False)
    await discord.until(lambda: "Try again" in labels(seen["messages"][0]))
    stage.release()

    assert "seven" not in post_of(seen)


async def test_an_answer_that_comes_too_late_is_tried_no_more_and_holds_up_nobody(
    stage: DiscordStage,
) -> None:
    discord = stage.server
    stage.answers("Too late.", "In time.")
    stage.hold()
    seen = await discord.use(ask("What is this?", uploaded(discord, data=png(1))), present=False)
    await discord.until(lambda: bool(stage.asked()))
    seen["at"] -= 901
    stage.release()
    other = await discord.use(ask("And this?", uploaded(discord, data=png(2))), present=False)
    await discord.until(lambda: "In time." in "".join(other["contents"]))
    tried = [each for each in discord.requests if each.startswith("PATCH /webhooks")]

    assert "$" not in "".join(seen["contents"])
    assert len(tried) < 20
