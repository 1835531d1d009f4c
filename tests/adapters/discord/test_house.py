"""The whole bot on Discord: conversations, changes of mind, crowds, and a bot that dies while it reads."""

from collections import deque

from tests.adapters.contract import FOOTER, Upload, png
from tests.adapters.discord.stage import DiscordStage
from tests.servers.discord import DM, VOICE, Fault
from tests.servers.openai import Says

HISTORY = "GET /channels/{channel}/messages"
QUESTIONS, PEOPLE = 40, 20  # 200 of 50 people are asked by the benchmark


def whole(stage: DiscordStage, channel: str) -> int:
    """How many complete answers stand in a channel."""
    return sum(FOOTER in content for content in stage.server.contents(channel))


async def test_a_direct_message_goes_on_with_its_conversation_until_a_new_one_is_asked_for(
    stage: DiscordStage,
) -> None:
    stage.answers("One.", "Two.", "Three.")
    stage.server.add_channel("88", DM)
    await stage.server.say("what is this?", [("a.png", png(1), "image/png")], channel="88")
    await stage.until(lambda: whole(stage, "88") == 1)
    await stage.server.say("and its colour?", channel="88")
    await stage.until(lambda: whole(stage, "88") == 2)
    await stage.server.say("new", channel="88")
    await stage.until(lambda: "new conversation" in stage.server.contents("88")[-1])
    await stage.server.say("and this?", [("b.png", png(2), "image/png")], channel="88")
    await stage.until(lambda: whole(stage, "88") == 3)

    first, second, third = stage.asked()
    assert (len(first), len(third)) == (1, 1)
    assert first == second
    assert third != first


async def test_a_chain_of_replies_in_a_voice_channel_is_one_conversation(
    stage: DiscordStage,
) -> None:
    stage.answers("One.", "Two.")
    stage.server.add_channel("60", VOICE)
    await stage.server.gateway.dispatch("CHANNEL_CREATE", stage.server.channels["60"])
    question = f"{stage.mention} what is this?"
    await stage.server.say(question, [("a.png", png(1), "image/png")], channel="60")
    await stage.until(lambda: whole(stage, "60") == 1)
    [answer] = stage.server.posts("60")
    await stage.server.say("and its colour?", channel="60", reply_to=answer["id"])
    await stage.until(lambda: whole(stage, "60") == 2)

    first, second = stage.asked()
    assert first == second


async def test_an_edited_question_is_answered_anew_in_the_same_post(stage: DiscordStage) -> None:
    stage.answers("A cat.", "A dog.")
    question = await stage.post(f"{stage.mention} wat?", [Upload("a.png", png(1))])
    [before] = await stage.answered(question)
    said = stage.server.messages[stage.server.channel][question]
    await stage.server.change(said, f"{stage.mention} what?")
    await stage.until(lambda: stage.visible(question)[0].startswith("A dog."))

    assert before.startswith("A cat.")
    assert len(stage.visible(question)) == 1


async def test_a_question_that_is_deleted_in_mid_answer_takes_the_answer_with_it(
    stage: DiscordStage,
) -> None:
    stage.answers("A long story about a cat.")
    stage.hold()
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)))
    await stage.delete(question)
    await stage.until(lambda: not stage.visible(question))
    stage.release()
    following = await stage.post(f"{stage.mention} and this?", [Upload("b.png", png(2))])
    await stage.answered(following)

    assert stage.visible(question) == []
    assert not stage.strays()


async def test_a_thread_that_is_deleted_in_mid_answer_keeps_nobody_waiting(
    stage: DiscordStage,
) -> None:
    stage.answers("A long story about a cat.")
    stage.hold()
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)))
    await stage.server.forget_thread(question)
    stage.release()
    following = await stage.post(f"{stage.mention} and this?", [Upload("b.png", png(2))])
    await stage.answered(following)

    assert not stage.strays()


async def test_a_bot_that_is_kicked_in_mid_answer_forgets_the_server_and_serves_the_others(
    stage: DiscordStage,
) -> None:
    stage.answers("A long story about a cat.")
    stage.server.add_channel("88", DM)
    stage.hold()
    question = await stage.post(f"{stage.mention} what?", [Upload("a.png", png(1))])
    await stage.until(lambda: bool(stage.visible(question)))
    stage.server.denied |= {(each, "view") for each in (stage.server.channel, question)}
    await stage.server.gateway.dispatch("GUILD_DELETE", {"id": stage.server.guild})
    stage.release()
    await stage.server.say("and this?", [("b.png", png(2), "image/png")], channel="88")
    await stage.until(lambda: whole(stage, "88") == 1)

    [seen] = stage.visible(question)
    assert FOOTER not in seen


async def test_ten_pictures_of_one_message_whose_links_ran_out_are_all_seen(
    stage: DiscordStage,
) -> None:
    stage.answers("Ten.")
    stage.server.link_seconds = -5.0
    uploads = [Upload(f"{n}.png", png(n)) for n in range(10)]
    question = await stage.post(f"{stage.mention} these?", uploads)
    stage.server.link_seconds = 3600.0
    await stage.answered(question)

    [sent] = stage.asked()
    assert len(sent) == 10


async def test_a_bot_that_is_killed_while_it_catches_up_answers_everything_once(
    machine: DiscordStage,
) -> None:
    machine.answers("Here.")
    picture = Upload("a.png", png(1))
    first = await machine.post(f"{machine.mention} one", [picture])
    await machine.answered(first)
    await machine.stop()
    discord = machine.server
    for channel in ("61", "62"):
        discord.add_channel(channel, 0)
        await discord.say(
            f"{machine.mention} {channel}?", [("a.png", png(2), "image/png")], channel=channel
        )
    newest, older = (
        discord.channels["62"]["last_message_id"],
        discord.channels["61"]["last_message_id"],
    )
    late = discord.faults[HISTORY] = Fault("late", times=99, after=1)
    await machine.start()
    await machine.answered(newest)
    await machine.crash()
    late.until.set()
    discord.faults.clear()
    await machine.start()
    await machine.answered(older)

    assert [len(machine.visible(each)) for each in (first, newest, older)] == [1, 1, 1]
    assert len(machine.asked()) == 3


async def test_a_crowd_of_questions_is_answered_once_each_within_discords_limits(
    stage: DiscordStage,
) -> None:
    discord = stage.server
    discord.most_a_second = 50
    stage.model.scripts = deque(Says("Here.") for _ in range(QUESTIONS + 20))
    picture = [Upload("a.png", png(1))]
    asked = [
        await stage.post(f"{stage.mention} {n}?", picture, author=f"person{n % PEOPLE}")
        for n in range(QUESTIONS)
    ]
    await stage.until(lambda: all(map(stage.complete, asked)), 60.0)

    assert all(len(stage.visible(question)) == 1 for question in asked)
    assert len(stage.asked()) == QUESTIONS
    assert discord.refused < 20
    assert not stage.strays()
