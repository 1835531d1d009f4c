"""Pictures under a veil are answered under one."""

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from bot.domain import Reply
from tests.adapters.discord.conftest import FakeDesk, claimed, made
from tests.servers.discord import DiscordServer

MENTION = f"<@{DiscordServer.bot}>"
VEILED = ("SPOILER_a.png", b"\x89PNG...", "image/png")
OPEN = ("b.png", b"\x89PNG...", "image/png")
ANSWER = Reply("He was dead || all along.", footer=("1 in · 1 out",))
UNDER = "||He was dead |\u200b| all along.||\n-# 1 in · 1 out"


async def test_the_answer_to_a_spoiler_is_one_and_its_cost_is_not(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} who is this?", [VEILED])
    [question] = await desk.until(1)
    draft = bot.draft(claimed(question))
    await draft.show("He was")
    await discord.until(lambda: discord.contents(question.id) == ["||He was||"])
    await draft.finish(ANSWER)

    assert discord.contents(question.id) == [UNDER]


async def test_a_file_that_is_a_spoiler_by_its_flag_alone_is_one(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} who is this?", [OPEN], tell=False)
    said["attachments"][0]["flags"] = 1 << 3
    await discord.tell("MESSAGE_CREATE", said)
    [question] = await desk.until(1)
    await bot.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == [UNDER]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_follow_up_about_a_spoiler_is_answered_under_a_veil_also_after_a_restart(
    restarted: bool,
    discord: DiscordServer,
    session: aiohttp.ClientSession,
    bot: DiscordAdapter,
    desk: FakeDesk,
) -> None:
    root = await discord.say(f"{MENTION} who is this?", [VEILED])
    await discord.open_thread(root["id"])
    await desk.until(1)
    await discord.say("and why?", channel=root["id"])
    question = (await desk.until(2))[1]
    async with made(discord, session) as fresh:
        await (fresh if restarted else bot).draft(claimed(question)).finish(ANSWER)

    assert discord.contents(root["id"]) == [UNDER]


async def test_a_question_about_somebodys_spoiler_is_answered_under_a_veil(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    picture = await discord.say("look", [VEILED], author="bob")
    await discord.say(f"{MENTION} who is this?", reply_to=picture["id"])
    [question] = await desk.until(1)
    await bot.earlier(question)
    await bot.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == [UNDER]


async def test_other_pictures_are_answered_openly(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} who is this?", [OPEN])
    [question] = await desk.until(1)
    await bot.draft(claimed(question)).finish(Reply("He || she."))

    assert discord.contents(question.id) == ["He || she."]


async def test_every_post_of_a_long_answer_is_under_the_veil(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} who is this?", [VEILED])
    [question] = await desk.until(1)
    await bot.draft(claimed(question)).finish(
        Reply("word " * 900 + "\n```py\n" + "x\n" * 1500 + "```")
    )

    contents = discord.contents(question.id)
    assert len(contents) > 3
    assert all(each.startswith("||") and each.endswith("||") for each in contents)
