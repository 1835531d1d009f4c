"""The visible reply: where it stands, how it grows, what it may not do, and that it is there once."""

import asyncio
import time
from dataclasses import replace
from typing import Literal

import aiohttp
import pytest

from adapters.discord import DiscordAdapter, events
from adapters.discord.draft import HURRY_SECONDS
from adapters.discord.places import Place
from bot.domain import Button, Message, Reply
from bot.errors import Outage, PermanentError, RateLimited, ThreadsightError
from bot.ports import Draft
from tests.adapters.discord.conftest import asked, claimed, made
from tests.servers.discord import DM, FORUM, TEXT, THREAD, VOICE, DiscordServer, Fault

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
CREATE = "POST /channels/{channel}/messages"
EDIT = "PATCH /channels/{channel}/messages/{message}"
THREADS = "POST /channels/{channel}/messages/{message}/threads"
ANSWER = Reply("A cat.", footer=("1,203 in · 42 out · $0.0034",))
SMALL = "\n-# 1,203 in · 42 out · $0.0034"


async def begun(discord: DiscordServer, adapter: DiscordAdapter) -> tuple[Message, Draft]:
    """A question, and its answer once people see the first of it."""
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: discord.contents(question.id) == ["A"])
    return question, draft


async def test_a_question_in_a_channel_is_answered_in_a_thread_named_after_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    posts = await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]
    assert posts == (f"{question.id}/{discord.posts(question.id)[0]['id']}",)
    assert discord.channels[question.id]["name"] == "what is this?"
    assert discord.contents(CHANNEL) == []


async def test_a_sign_is_there_within_a_second(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    started = time.monotonic()
    await draft.show("")
    await discord.until(lambda: bool(discord.typing))
    await draft.leave()

    [(channel, when)] = discord.typing
    assert channel == question.id
    assert when - started < 1


async def test_the_answer_grows_in_one_post_and_ends_complete(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, edit_seconds=0.05) as adapter:
        question, draft = await begun(discord, adapter)
        await draft.show("A cat")
        await discord.until(lambda: discord.contents(question.id) == ["A cat"])
        posts = await draft.finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]
    assert len(posts) == 1


async def test_words_in_between_are_skipped_and_edits_keep_their_distance(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    discord.limits = False
    started = time.monotonic()
    async with made(discord, session, edit_seconds=0.2) as adapter:
        question = await asked(discord)
        draft = adapter.draft(claimed(question))
        for count in range(1, 61):
            await draft.show("word " * count)
            await asyncio.sleep(0.01)
        await draft.finish(ANSWER)
    took = time.monotonic() - started

    edits = [content for _, content, _ in discord.shown if SMALL not in content]
    assert 2 <= len(edits) <= 2 + took / 0.2


async def test_the_last_words_do_not_wait_for_the_pace(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, edit_seconds=30.0) as adapter:
        question, draft = await begun(discord, adapter)
        await draft.show("A cat")
        started = time.monotonic()
        await draft.finish(ANSWER)

    assert time.monotonic() - started < 15
    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_a_question_in_a_thread_is_answered_there_as_a_reply(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    root = await discord.say("look")
    await discord.open_thread(root["id"])
    question = await asked(discord, channel=root["id"])
    await adapter.draft(claimed(question)).finish(ANSWER)

    [post] = discord.posts(root["id"])
    assert post["message_reference"]["message_id"] == question.id
    assert discord.pings == []


@pytest.mark.parametrize("kind", [VOICE, TEXT])
async def test_where_no_thread_can_be_made_the_answer_is_a_reply_in_the_channel(
    kind: int, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("60", kind)
    discord.denied.add(("60", "threads"))
    question = await asked(discord, channel="60")
    await adapter.draft(claimed(question)).finish(ANSWER)

    [post] = discord.posts("60")
    assert post["message_reference"]["message_id"] == question.id


async def test_a_reply_in_a_channel_whose_history_is_closed_to_us_is_a_plain_post(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.denied |= {(CHANNEL, "threads"), (CHANNEL, "history")}
    question = await asked(discord)
    await adapter.draft(claimed(question)).finish(ANSWER)

    note = "\n-# I may not create threads here, so I answer in the channel."
    assert discord.contents(CHANNEL) == ["A cat." + SMALL + note]


async def test_a_direct_message_is_answered_in_place(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("88", DM)
    question = await asked(discord, channel="88")
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents("88") == ["A cat." + SMALL]


async def test_a_question_that_opens_a_forum_post_is_answered_in_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.add_channel("70", FORUM)
    said = await discord.say("what is this?")
    discord.add_channel(said["id"], THREAD, parent_id="70")
    discord.messages[said["id"]][said["id"]] = {**said, "channel_id": said["id"]}
    place = Place(said["id"], GUILD, THREAD, "70")
    question = events.message(said, place, BOT)
    assert question is not None
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(said["id"]) == ["A cat." + SMALL]


async def test_a_thread_that_is_there_already_is_used(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    await discord.open_thread(question.id)
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_a_long_answer_is_several_posts_and_the_footer_ends_the_last(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    words = [f"word{n}" for n in range(900)]
    posts = await adapter.draft(claimed(question)).finish(replace(ANSWER, text=" ".join(words)))

    contents = discord.contents(question.id)
    assert len(contents) == len(posts) > 3
    assert " ".join(contents).removesuffix(SMALL).split() == words
    assert contents[-1].endswith(SMALL)


async def test_whoever_comes_after_a_crash_completes_the_posts_that_are_known(
    discord: DiscordServer, adapter: DiscordAdapter, session: aiohttp.ClientSession
) -> None:
    question = await asked(discord)
    first = adapter.draft(claimed(question))
    await first.show("A half ans")
    await discord.until(lambda: bool(discord.contents(question.id)))
    await first.leave()
    posts = await first.show("A half answ")
    async with made(discord, session) as other:
        again = await other.draft(claimed(question, posts=posts)).finish(ANSWER)

    assert again == posts
    assert discord.contents(question.id) == ["A cat." + SMALL]


@pytest.mark.parametrize("where", ["channel", "thread", "direct", "reply"])
async def test_whoever_comes_after_a_crash_finds_the_posts_that_nobody_knows(
    where: str, discord: DiscordServer, adapter: DiscordAdapter, session: aiohttp.ClientSession
) -> None:
    discord.limits = False
    discord.add_channel("88", DM)
    discord.add_channel("60", VOICE)
    root = await discord.say("root")
    await discord.open_thread(root["id"])
    channel = {"channel": CHANNEL, "thread": root["id"], "direct": "88", "reply": "60"}[where]
    before, question, other = [await asked(discord, f"{n}?", channel=channel) for n in range(3)]
    long = Reply("word " * 900, footer=ANSWER.footer)
    for message in (before, question, other):
        await adapter.draft(claimed(message)).finish(long)
    seen = {name: [post["id"] for post in discord.posts(name)] for name in discord.channels}
    discord._nonces.clear()
    async with made(discord, session) as later:
        posts = await later.draft(claimed(question)).finish(long)

    assert {name: [post["id"] for post in discord.posts(name)] for name in discord.channels} == seen
    assert len(posts) == 3


async def test_a_shorter_answer_deletes_the_posts_that_are_left_over(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    posts = await adapter.draft(claimed(question)).finish(Reply("word " * 900))
    after = await adapter.draft(claimed(question, posts=posts, version=2)).finish(ANSWER)

    assert after == posts[:1]
    assert discord.contents(question.id) == ["A cat." + SMALL]


@pytest.mark.parametrize("request_kind", [CREATE, THREADS, EDIT])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("lost"),
        Fault("reset"),
        Fault("status", status=503),
        Fault("status", status=429, headers={"Retry-After": "0.1"}),
        Fault(
            "status",
            status=429,
            headers={"Via": "1.1 google"},
            body={"message": "slow down", "retry_after": 0.1, "global": True},
        ),
    ],
    ids=["answer lost", "reset", "503", "429 from the edge", "429 global"],
)
async def test_one_failed_request_leaves_one_complete_reply(
    request_kind: str, fault: Fault, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    discord.faults[request_kind] = replace(fault)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: discord.contents(question.id) == ["A"])
    await draft.finish(ANSWER)

    assert discord.faults == {}
    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_an_edit_that_arrives_after_the_last_one_does_not_stay(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, edit_seconds=0.01) as adapter:
        question, draft = await begun(discord, adapter)
        await draft.show("A h")
        await discord.until(lambda: discord.contents(question.id) == ["A h"])
        late = discord.faults[EDIT] = Fault("late")
        await draft.show("A half")
        await discord.until(lambda: EDIT not in discord.faults)
        finishing = asyncio.create_task(draft.finish(ANSWER))
        await discord.until(lambda: discord.contents(question.id) == ["A cat." + SMALL])
        late.until.set()
        await finishing

    assert "A half" in [content for _, content, _ in discord.shown]
    assert discord.contents(question.id) == ["A cat." + SMALL]


@pytest.mark.parametrize("kind", ["lost", "late"])
async def test_a_post_whose_answer_never_came_is_taken_up_with_the_newer_words(
    kind: Literal["lost", "late"], discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.limits = False
    question = await asked(discord)
    fault = discord.faults[CREATE] = Fault(kind)
    draft = adapter.draft(claimed(question))
    await draft.show("A")
    await discord.until(lambda: CREATE not in discord.faults)
    finishing = asyncio.create_task(draft.finish(ANSWER))
    await discord.until(lambda: discord.contents(question.id) == ["A cat." + SMALL])
    fault.until.set()
    await finishing

    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_a_post_whose_answer_never_came_is_found_where_no_nonce_is_minded(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.minds_nonces = False
    question = await asked(discord)
    discord.faults[CREATE] = Fault("lost")
    posts = await adapter.draft(claimed(question)).finish(replace(ANSWER, text="word " * 600))

    assert len(posts) > 1
    assert [f"{question.id}/{post['id']}" for post in discord.posts(question.id)] == list(posts)


async def test_a_thread_that_was_put_away_meanwhile_is_opened_again(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question, draft = await begun(discord, adapter)
    discord.channels[question.id]["archived"] = True
    await draft.finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_answers_whose_type_names_a_character_set_are_read_all_the_same(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.charset = "; charset=utf-8"
    question = await asked(discord)
    # Refused with a code that has to be read.
    await discord.open_thread(question.id)
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=200, headers={"X-RateLimit-Remaining": "3"}),
        Fault("status", status=429, headers={"Via": "1.1 google"}, body={}),
    ],
    ids=["200", "429"],
)
async def test_an_answer_that_discord_would_not_give_is_an_outage(
    fault: Fault, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    discord.faults[CREATE] = replace(fault)
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", times=99, status=503), Outage),
        (Fault("reset", times=99), Outage),
        (Fault("status", times=99, status=429, headers={"Retry-After": "60"}), RateLimited),
        # The installer mends the token; until then the reply waits.
        (Fault("status", status=401), Outage),
        (Fault("status", times=99, status=403, body={"code": 50013}), PermanentError),
        (Fault("status", times=99, status=400, body={"code": 160005}), PermanentError),
        (Fault("status", status=404, body={"code": 10003}), PermanentError),
    ],
)
async def test_what_goes_on_failing_is_told_as_what_it_is(
    fault: Fault, error: type[ThreadsightError], discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    discord.faults[CREATE] = fault

    with pytest.raises(error) as raised:
        await adapter.draft(claimed(question)).finish(ANSWER)
    assert raised.value.sentence.endswith(".")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429, headers={"Retry-After": "60"}),
        Fault("status", status=429, body={"retry_after": 60, "global": False}),
        Fault("status", status=429, headers={"Via": "1.1 google"}, body={"retry_after": 60}),
    ],
    ids=["header", "body", "body by way of the edge"],
)
async def test_a_rate_limit_says_how_long(
    fault: Fault, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    discord.faults[CREATE] = replace(fault)

    with pytest.raises(RateLimited) as raised:
        await adapter.draft(claimed(question)).finish(ANSWER)
    assert raised.value.retry_after == 60


async def test_showing_never_raises(discord: DiscordServer, adapter: DiscordAdapter) -> None:
    question = await asked(discord)
    discord.faults[CREATE] = Fault("status", times=2, status=403, body={"code": 50013})
    draft = adapter.draft(claimed(question))
    for text in ("", "A", "A cat"):
        await draft.show(text)
    await discord.until(lambda: any(each == CREATE for each in discord.requests))
    await draft.leave()

    assert discord.contents(question.id) == []


async def test_a_post_that_a_moderator_deleted_is_posted_anew(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question, draft = await begun(discord, adapter)
    await discord.remove(discord.posts(question.id)[0]["id"])
    await draft.finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_a_question_that_was_deleted_meanwhile_gets_no_stray_answer(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    await discord.remove(question.id)

    with pytest.raises(PermanentError, match="gone"):
        await adapter.draft(claimed(question)).finish(ANSWER)
    assert discord.contents(CHANNEL) == []


async def test_a_complete_answer_does_not_wait_for_the_sign_that_it_is_written(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    fault = discord.faults["POST /channels/{channel}/typing"] = Fault("late")
    draft = adapter.draft(claimed(await asked(discord)))
    await draft.show("")
    await discord.until(lambda: not discord.faults)
    started = time.monotonic()
    [post] = await draft.finish(ANSWER)

    assert time.monotonic() - started < HURRY_SECONDS
    assert discord.contents(post.partition("/")[0]) == ["A cat." + SMALL]
    fault.until.set()


async def test_what_was_shown_is_taken_back(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question, draft = await begun(discord, adapter)
    await draft.withdraw()

    assert discord.contents(question.id) == []


async def test_what_was_shown_is_left_for_whoever_completes_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question, draft = await begun(discord, adapter)
    await draft.leave()
    await draft.show("A cat")

    assert discord.contents(question.id) == ["A"]


@pytest.mark.parametrize(
    "text",
    [
        "@everyone @here <@500> <@!500> <@&44>",
        "see https://evil.example/?q=secret",
        "![x](https://evil.example/?q=secret) and [a bank](https://evil.example)",
        "\u200b",
        "   \n ",
        "",
        "\ud83d lone and \0 null",
        "😀" * 2000,
        "```\n" + "x\n" * 3000,
        "`" * 5000,
    ],
)
async def test_whatever_the_model_writes_is_posted_and_calls_and_previews_nothing(
    text: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    draft = adapter.draft(claimed(question))
    await draft.show(text)
    await draft.finish(
        replace(ANSWER, text=text, receipts=("@everyone.png: not seen: [a](https://b)",))
    )
    contents = discord.contents(question.id)

    assert contents
    assert (discord.pings, discord.previews) == ([], [])
    assert "](http" not in "".join(contents)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<@500> <@501>", "A question about a picture"),
        ("\u200b\u200e", "A question about a picture"),
        ("", "A question about a picture"),
        ("word " * 60, "word " * 14 + "word…"),
        ("😀" * 200, None),
        ("عربي", "عربي"),
    ],
)
async def test_a_thread_always_has_a_name_that_discord_takes(
    text: str, name: str | None, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = replace(await asked(discord, "x"), text=text)
    await adapter.draft(claimed(question)).finish(ANSWER)

    given = discord.channels[question.id]["name"]
    assert given == name or (name is None and given)


async def test_a_stop_button_stands_under_the_growing_answer_and_others_under_the_whole(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, edit_seconds=0.01) as adapter:
        question = await asked(discord)
        draft = adapter.draft(replace(claimed(question), stop="s1"))
        await draft.show("A")
        await discord.until(lambda: labels(discord, question.id) == [["Stop"]])
        await draft.show("word " * 500)
        await discord.until(lambda: labels(discord, question.id) == [[], ["Stop"]])
        again = Button("Try again", "a1", "primary")
        await draft.finish(replace(ANSWER, text="word " * 500, buttons=(again,)))

    assert labels(discord, question.id) == [[], ["Try again"]]


def labels(discord: DiscordServer, channel: str) -> list[list[str]]:
    return [
        [button["label"] for row in post["components"] for button in row["components"]]
        for post in discord.posts(channel)
    ]


async def test_fifty_answers_at_once_in_a_channel_are_all_there_once(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    questions = [await asked(discord) for _ in range(50)]
    await asyncio.gather(*(adapter.draft(claimed(each)).finish(ANSWER) for each in questions))

    assert all(discord.contents(each.id) == ["A cat." + SMALL] for each in questions)
