"""Where only an interaction reaches the bot: asked and answered there, with no call to a channel."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from adapters.discord.hooks import OPTION, Hook
from bot.domain import Button, Card, Message, Post, Proposal, Reply, ThreadId
from bot.errors import PermanentError, PictureUnseen
from tests.adapters.discord.conftest import FakeDesk, claimed, listening, made
from tests.adapters.discord.test_asking import PNG, about, ask, uploaded
from tests.servers.discord import DiscordServer, Fault

ANSWER = Reply("A cat.", footer=("1,203 in · 42 out · $0.0034",))
SMALL = "\n-# 1,203 in · 42 out · $0.0034"
EDIT = "PATCH /webhooks/{application}/{token}/messages/{message}"
FOLLOW_UP = "POST /webhooks/{application}/{token}"
Json = dict[str, Any]


async def asked(
    discord: DiscordServer, desk: FakeDesk, question: str = "What is this?", *files: Json
) -> tuple[Json, Message]:
    """A question in a place that the bot is not in."""
    seen = await discord.use(ask(question, *files), present=False)
    [*_, message] = await desk.until(len(desk.messages) + 1)
    return seen, message


def head(discord: DiscordServer, question: str = "What is this?") -> str:
    return f"**<@{discord.person('ann')['id']}> asks:** {question}"


def channel_calls(discord: DiscordServer) -> list[str]:
    return [each for each in discord.requests if "/channels/" in each]


async def test_the_question_stands_there_with_its_pictures_and_a_sign(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk, "What is this?", uploaded(discord))

    [post] = seen["messages"]
    assert not seen["private"]
    assert post["content"] == head(discord) + "\n-# Looking…"
    assert [discord.files[each["id"]][0] for each in post["attachments"]] == [PNG]
    assert message.thread == ThreadId("discord", "9000", "9001", post["id"])
    assert (message.id, message.addressed) == (post["id"], True)
    assert message.attachments[0].id == post["attachments"][0]["id"]
    assert not channel_calls(discord)


async def test_the_answer_grows_and_ends_under_the_question(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with (
        made(discord, session, edit_seconds=0.05) as adapter,
        listening(discord, adapter, desk),
    ):
        seen, message = await asked(discord, desk, "What is this?", uploaded(discord))
        draft = adapter.draft(replace(claimed(message), stop="stop-token"))
        await draft.show("A")
        await discord.until(lambda: seen["contents"] == [head(discord) + "\n\nA\n-# Writing…"])
        [post] = seen["messages"]
        stop = post["components"][0]["components"][0]["custom_id"]
        posts = await draft.finish(replace(ANSWER, buttons=(Button("Ask more", "more"),)))

    assert stop == "stop-token"
    assert seen["contents"] == [head(discord) + "\n\nA cat." + SMALL]
    assert posts == (f"@interaction/{message.id}",)
    assert [each["label"] for each in post["components"][0]["components"]] == ["Ask more"]
    assert len(post["attachments"]) == 1
    assert not channel_calls(discord)
    assert not discord.pings


async def test_a_restarted_bot_finds_the_way_back(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with made(discord, session) as adapter, listening(discord, adapter, desk):
        seen, message = await asked(discord, desk)
    async with made(discord, session) as adapter:
        await adapter.draft(claimed(message)).finish(ANSWER)

    assert seen["contents"] == [head(discord) + "\n\nA cat." + SMALL]


async def test_a_long_answer_takes_a_few_posts_buttons_under_the_last(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, text="One sentence. " * 400, buttons=(Button("👍", "up"),))
    posts = await bot.draft(claimed(message)).finish(reply)

    assert len(posts) == len(seen["contents"]) == 3
    assert " ".join(seen["contents"]).count("One sentence.") == 400
    assert [bool(each["components"]) for each in seen["messages"]] == [False, False, True]


async def test_an_answer_too_long_for_that_comes_as_a_file(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk, "What?", uploaded(discord))
    text = "One sentence. " * 2000
    await bot.draft(claimed(message)).finish(replace(ANSWER, text=text))

    [content] = seen["contents"]
    picture, whole = seen["messages"][0]["attachments"]
    assert "in the file* `answer.md`" in content
    assert content.endswith(SMALL)
    assert discord.files[whole["id"]][0].decode() == text
    assert discord.files[picture["id"]][0] == PNG


async def test_an_answer_about_a_spoiler_is_a_spoiler_and_its_question_is_none(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    file = uploaded(discord, "SPOILER_a.png")
    async with (
        made(discord, session, edit_seconds=0.05) as adapter,
        listening(discord, adapter, desk),
    ):
        seen, message = await asked(discord, desk, "Who?", file)
        draft = adapter.draft(claimed(message))
        await draft.show("Rosebud")
        await discord.until(lambda: "Rosebud" in seen["contents"][0])
        growing = seen["contents"][0]
        await draft.finish(replace(ANSWER, text="Rosebud is a sledge."))

    asks = head(discord, "Who?")
    assert growing == f"{asks}\n||Rosebud||\n-# Writing…"
    assert seen["contents"] == [f"{asks}\n||Rosebud is a sledge.||{SMALL}"]


async def test_a_long_answer_about_a_spoiler_comes_as_a_file_that_is_one(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk, "Who?", uploaded(discord, "SPOILER_a.png"))
    await bot.draft(claimed(message)).finish(replace(ANSWER, text="Rosebud. " * 3000))

    assert "Rosebud" not in seen["contents"][0]
    names = [each["filename"] for each in seen["messages"][0]["attachments"]]
    assert names == ["SPOILER_a.png", "SPOILER_answer.md"]


async def test_an_answer_that_grows_shorter_on_a_second_try_leaves_nothing_behind(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    long = replace(ANSWER, text="One sentence. " * 400)
    posts = await bot.draft(claimed(message)).finish(long)
    again = await bot.draft(claimed(message, posts=posts, version=2)).finish(ANSWER)

    assert seen["contents"] == [head(discord) + "\n\nA cat." + SMALL]
    assert again == posts[:1]


@pytest.mark.parametrize("kind", ["status", "reset", "lost", "late"])
@pytest.mark.parametrize("path", [EDIT, FOLLOW_UP])
async def test_an_answer_is_there_whole_and_once_whatever_becomes_of_a_request(
    kind: Any, path: str, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    fault = discord.faults[path] = Fault(kind, headers={"Retry-After": "0.1"})
    asyncio.get_running_loop().call_later(0.3, fault.until.set)
    text = " ".join(f"word{n}" for n in range(600))
    await bot.draft(claimed(message)).finish(replace(ANSWER, text=text))

    files = [each for post in seen["messages"] for each in post["attachments"]]
    whole = [discord.files[each["id"]][0].decode() for each in files] == [text]
    shown = " ".join(seen["contents"])
    assert whole or all(
        shown.count(f"word{n} ") + shown.count(f"word{n}\n") == 1 for n in range(600)
    )
    assert shown.count(SMALL.strip()) == 1


async def test_an_answer_recorded_before_a_crash_is_never_posted_in_part_twice(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, text="One sentence. " * 400)
    claim = replace(claimed(message), reply=reply)
    await bot.draft(claim).finish(reply)

    assert len(seen["contents"]) == 1
    assert FOLLOW_UP not in discord.requests


async def test_after_fifteen_minutes_the_answer_has_nowhere_to_go_and_says_so(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    _, message = await asked(discord, desk)
    discord.interactions.age = 901
    draft = bot.draft(claimed(message))
    await draft.show("A")

    with pytest.raises(PermanentError, match="fifteen minutes"):
        await draft.finish(ANSWER)


async def test_whoever_waits_is_told_before_the_fifteen_minutes_are_over(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with (
        made(discord, session, answer_seconds=0.2) as adapter,
        listening(discord, adapter, desk),
    ):
        seen, _ = await asked(discord, desk)
        await discord.until(lambda: "was not ready" in seen["contents"][0])

    assert seen["contents"][0].startswith(head(discord))


async def test_an_answer_in_time_is_left_as_it_is(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    read = "GET /webhooks/{application}/{token}/messages/{message}"
    async with (
        made(discord, session, answer_seconds=0.3) as adapter,
        listening(discord, adapter, desk),
    ):
        seen, message = await asked(discord, desk)
        await adapter.draft(claimed(message)).finish(ANSWER)
        await discord.until(lambda: read in discord.requests)
        await asyncio.gather(*adapter._tasks)

    assert seen["contents"] == [head(discord) + "\n\nA cat." + SMALL]


async def test_a_pressed_button_gives_the_answer_another_fifteen_minutes(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, buttons=(Button("Try again", "again"),))
    posts = await bot.draft(claimed(message)).finish(reply)
    [post] = seen["messages"]
    seen["at"] -= 901
    pressed = await discord.interactions.press(post, "Try again", present=False)
    await discord.until(lambda: pressed["acknowledged"] is not None)
    await bot.draft(claimed(message, posts=posts, version=2)).finish(Reply("A dog."))

    assert post["content"] == head(discord) + "\n\nA dog."


async def test_a_button_that_opened_a_form_writes_no_answer(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, buttons=(Button("Ask more", "more"),))
    posts = await bot.draft(claimed(message)).finish(reply)
    desk.proposal = Proposal(message.thread, "501", "")
    post = seen["messages"][0]
    shown = await discord.interactions.press(post, "Ask more", present=False)
    await discord.until(lambda: shown["modal"] is not None)
    await bot.draft(claimed(message, posts=posts, version=2)).finish(Reply("A dog."))

    assert seen["contents"] == [head(discord) + "\n\nA dog."]


async def test_an_answer_that_is_faster_than_the_acknowledgement_waits_for_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    callback = "POST /interactions/{interaction}/{token}/callback"
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, buttons=(Button("Try again", "again"),))
    posts = await bot.draft(claimed(message)).finish(reply)
    [post] = seen["messages"]
    discord.faults[callback] = Fault("status", times=1, status=502)
    await discord.interactions.press(post, "Try again", present=False)
    await discord.until(lambda: bool(desk.pressed))
    await bot.draft(claimed(message, posts=posts, version=2)).finish(Reply("A dog."))

    assert post["content"] == head(discord) + "\n\nA dog."


async def test_a_button_under_a_long_answer_gives_the_post_that_it_stands_in_another_fifteen_minutes(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    again = (Button("Try again", "again"),)
    reply = replace(ANSWER, text="One sentence. " * 400, buttons=again)
    posts = await bot.draft(claimed(message)).finish(reply)
    last = seen["messages"][-1]
    seen["at"] -= 901
    pressed = await discord.interactions.press(last, "Try again", present=False)
    await discord.until(lambda: pressed["acknowledged"] is not None)
    posts = await bot.draft(claimed(message, posts=posts, version=2)).finish(Reply("A dog."))

    assert last["content"] == head(discord) + "\n\nA dog."
    assert len(posts) == 1


async def test_what_an_interaction_still_reaches_is_deleted_when_it_is_forgotten(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, text="One sentence. " * 400)
    posts = await bot.draft(claimed(message)).finish(reply)
    desk.card = Card("Forget", "Done.", erased=tuple(Post(message.thread, each) for each in posts))
    told = await discord.use({"id": "2", "type": 1, "name": "vision"}, present=False)
    await discord.until(lambda: not seen["messages"])

    assert told["contents"] == ["**Forget**\nDone."]


async def test_ask_more_asks_by_a_form_in_the_same_conversation(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    reply = replace(ANSWER, buttons=(Button("Ask more", "more"),))
    await bot.draft(claimed(message)).finish(reply)
    desk.proposal = Proposal(message.thread, message.author, "", source=message.id)
    shown = await discord.interactions.press(seen["messages"][0], "Ask more", present=False)
    await discord.until(lambda: shown["modal"] is not None)
    form, file = shown["modal"], uploaded(discord)
    sent = await discord.interactions.submit(form, "And its age?", [file], present=False)
    [_, second] = await desk.until(2)
    await bot.draft(claimed(second)).finish(Reply("Two years."))

    assert [token for token, _ in desk.pressed] == ["more", "more"]
    assert second.thread == message.thread
    assert (second.text, second.id) == ("And its age?", sent["messages"][0]["id"])
    assert [each.name for each in second.attachments] == ["a.png"]
    assert sent["contents"] == [head(discord, "And its age?") + "\n\nTwo years."]
    assert not channel_calls(discord)


async def test_a_form_of_a_conversation_that_is_gone_says_so(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    form = {
        "custom_id": "late",
        "components": [{"component": {"type": 4, "custom_id": "question"}}],
    }
    sent = await discord.interactions.submit(form, "And its age?", present=False)
    await discord.until(lambda: bool(sent["contents"]))

    assert sent["contents"] == ["**Too late**\nIt is answered."]
    assert sent["messages"][0]["flags"] & 64
    assert not desk.messages


async def test_a_button_that_takes_too_long_to_open_a_form_asks_to_be_pressed_again(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    class Slow(FakeDesk):
        async def press(self, button: str, person: Any) -> Card | Proposal | None:
            await self.hold.wait()
            return Proposal(ThreadId("discord", "1", "2", "3"), "501", "")

    desk = Slow()
    desk.hold.clear()
    async with listening(discord, adapter, desk):
        seen = await discord.use({"custom_id": "more", "component_type": 2}, kind=3, present=False)
        await discord.until(lambda: seen["acknowledged"] is not None)
        desk.hold.set()
        await discord.until(lambda: bool(seen["contents"]))

    assert seen["acknowledged"] < 2.5
    assert "press again" in seen["contents"][0]


async def test_a_message_there_is_asked_about_with_its_words_and_pictures(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat", [("c.png", PNG, "image/png")]))
    form = await discord.form_of(about(target), present=False)
    seen = await discord.interactions.submit(form, "What breed?", present=False)
    [message] = await desk.until(1)

    assert message.text == "> my cat\nWhat breed?"
    assert [each.id for each in message.attachments] == [target["attachments"][0]["id"]]
    assert await bot.fetch(message, message.attachments[0]) == PNG
    assert not seen["messages"][0]["attachments"]
    assert not channel_calls(discord)


async def test_estimate_and_help_work_there_in_private(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.answer_to({"id": "1", "type": 1, "name": "vision"}, present=False)

    assert seen["private"]
    assert desk.commands[0].workspace == "9000"


async def test_ask_now_there_is_answered_in_a_post_for_all(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.card = Card("Estimate", "$", buttons=(Button("Ask now", "t1"),))
    card = await discord.answer_to({"id": "1", "type": 1, "name": "estimate"}, present=False)
    desk.proposal = Proposal(ThreadId("discord", "9000", "9001", ""), "501", "What is it?")
    pressed = await discord.interactions.press(card["messages"][0], "Ask now", present=False)
    [message] = await desk.until(1)
    await bot.draft(claimed(message)).finish(Reply("A cat."))

    [post] = pressed["messages"]
    assert post["content"] == "**<@501> asks:** What is it?\n\nA cat."
    assert not post["flags"] & 64


async def test_a_refused_question_there_leaves_nothing_but_a_private_word(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.refusal = Card("Not allowed", "Ask somebody.")
    seen = await discord.use(ask("What?"), present=False)
    await discord.until(lambda: seen["contents"] == ["**Not allowed**\nAsk somebody."])

    [post] = seen["messages"]
    assert post["flags"] & 64


async def test_a_question_taken_back_goes_from_sight(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen, message = await asked(discord, desk)
    draft = bot.draft(claimed(message))
    await draft.show("A")
    await draft.withdraw()

    assert seen["messages"] == []


async def test_nothing_is_looked_up_in_channels_for_such_a_question(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    _, message = await asked(discord, desk, "What?", uploaded(discord))

    assert await bot.earlier(message) == []
    with pytest.raises(PictureUnseen):
        await bot.fetch(message, replace(message.attachments[0], url=""))
    assert not channel_calls(discord)


async def test_whoever_manages_a_server_administers_the_bot_only_where_it_is_present(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    vision = {"id": "1", "type": 1, "name": "vision"}
    for present, permissions in [(True, str(1 << 5)), (False, str(1 << 5)), (True, "0")]:
        await discord.answer_to(vision, present=present, permissions=permissions)

    assert [each.administrator for each in desk.commands] == [True, False, False]


async def test_private_conversations_of_others_are_a_workspace_of_their_own(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    more = {"guild_id": None, "member": None, "user": discord.person("ann"), "context": 2}
    await discord.use(ask("What?"), present=False, **more)
    [message] = await desk.until(1)

    assert message.thread.workspace == "@private"


async def test_no_token_reaches_a_log(
    discord: DiscordServer,
    bot: DiscordAdapter,
    desk: FakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="threadsight")
    discord.faults[EDIT] = Fault("reset", times=2)
    seen, message = await asked(discord, desk)
    discord.interactions.age = 901
    with pytest.raises(PermanentError) as caught:
        await bot.draft(claimed(message)).finish(ANSWER)

    token = seen["interaction"]["token"]
    hook = Hook.read(message.options[OPTION])
    assert token not in caplog.text + repr(caught.value) + repr(caught.value.__cause__) + repr(hook)


async def test_a_strange_hook_is_no_hook() -> None:
    for text in ("", "a/b/c", "1/t", "1/t/2/3", "1/a b/@original", "1//@original", "x" * 9000):
        assert Hook.read(text) is None
    hook = Hook("1", "t.ok-en_", "@original")
    assert Hook.read(hook.written()) == hook
