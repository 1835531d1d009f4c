"""Questions by `/ask`, by a message's menu and by buttons: posted for all to see, and handed in like any other."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from adapters.discord import DiscordAdapter
from adapters.discord.hooks import OPTION
from bot.domain import Attachment, Button, Card, Drawing, Message, Proposal, ThreadId
from bot.errors import Outage
from tests.adapters.discord.conftest import FakeDesk, listening
from tests.servers.discord import DM, DiscordServer, Fault

GUILD, CHANNEL = DiscordServer.guild, DiscordServer.channel
CREATE = "POST /channels/{channel}/messages"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
Json = dict[str, Any]


def uploaded(discord: DiscordServer, name: str = "a.png", data: bytes = PNG) -> Json:
    """A file as somebody puts it into a command."""
    return discord._signed(discord._attach("ephemeral", name, data, "image/png"))


def ask(question: str, *files: Json, **options: str) -> Json:
    """The data of `/ask`."""
    chosen: list[Json] = [{"type": 3, "name": "question", "value": question}]
    chosen += [{"type": 3, "name": name, "value": value} for name, value in options.items()]
    chosen += [
        {"type": 11, "name": f"picture{n}", "value": file["id"]} for n, file in enumerate(files, 1)
    ]
    resolved = {"attachments": {file["id"]: file for file in files}}
    return {"id": "1", "type": 1, "name": "ask", "options": chosen, "resolved": resolved}


def about(message: Json) -> Json:
    """The data of “Ask about this” on a message."""
    data = {"id": "1", "type": 3, "name": "Ask about this", "target_id": message["id"]}
    return {**data, "resolved": {"messages": {message["id"]: message}}}


async def asked(discord: DiscordServer, desk: FakeDesk, seen: Json) -> Message:
    """The question, once it is handed in and whoever asked knows."""
    [message] = await desk.until(1)
    await discord.until(lambda: bool(seen["contents"]))
    return message


async def test_ask_posts_the_question_with_its_pictures_for_all_to_see(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.use(ask("What is this?", uploaded(discord), uploaded(discord, "b.png")))
    message = await asked(discord, desk, seen)

    [post] = discord.posts(CHANNEL)
    ann = discord.person("ann")["id"]
    assert post["content"] == f"**<@{ann}> asks:** What is this?"
    assert [discord.files[each["id"]][0] for each in post["attachments"]] == [PNG, PNG]
    assert (message.id, message.author, message.addressed) == (post["id"], ann, True)
    assert message.thread == ThreadId("discord", GUILD, CHANNEL, post["id"])
    assert [each.name for each in message.attachments] == ["a.png", "b.png"]
    assert [each.id for each in message.attachments] == [each["id"] for each in post["attachments"]]
    assert message.text == "What is this?"
    assert not discord.pings


async def test_whoever_asked_is_told_in_private_where_the_question_stands(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.use(ask("What is this?"))
    message = await asked(discord, desk, seen)

    assert seen["private"]
    assert seen["contents"] == [
        f"Your question: https://discord.com/channels/{GUILD}/{CHANNEL}/{message.id}"
    ]


async def test_pictures_of_a_question_can_be_fetched_from_its_post(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.use(ask("What is this?", uploaded(discord)))
    [message] = await desk.until(1)

    assert await bot.fetch(message, replace(message.attachments[0], url="")) == PNG


async def test_ask_in_a_thread_asks_there(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    root = await discord.say("look")
    thread = await discord.open_thread(root["id"])
    seen = await discord.use(ask("And this?", detail="low", model=""), channel=thread["id"])
    message = await asked(discord, desk, seen)

    assert message.thread == ThreadId("discord", GUILD, CHANNEL, thread["id"])
    assert [post["id"] for post in discord.posts(thread["id"])] == [message.id]
    assert message.options == {"detail": "low"}


async def test_ask_in_a_direct_message_asks_there(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("77", DM)
    seen = await discord.use(ask("And this?"), channel="77")
    message = await asked(discord, desk, seen)

    assert (message.thread.workspace, message.thread.channel) == ("@me", "77")
    assert [post["id"] for post in discord.posts("77")] == [message.id]


async def test_roles_and_what_holds_the_channel_come_with_the_question(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    root = await discord.say("look")
    thread = await discord.open_thread(root["id"])
    await discord.use(ask("And this?"), channel=thread["id"], roles=["71", "72"])
    [message] = await desk.until(1)

    assert {"71", "72", CHANNEL} <= set(message.groups)


async def test_a_refused_question_does_not_stay_and_only_its_author_reads_why(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.refusal = Card("Not allowed", "Ask somebody.")
    seen = await discord.answer_to(ask("What is this?"))

    assert seen["contents"] == ["**Not allowed**\nAsk somebody."]
    assert seen["private"]
    assert not discord.posts(CHANNEL)


async def test_whoever_may_not_ask_has_nothing_posted_and_is_shown_no_form(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    desk.denied[discord.person("ann")["id"]] = Card("Not allowed", "Ask somebody.")
    told = await discord.use(ask("What is this?", uploaded(discord)))
    shown = await discord.use(about(target))
    await discord.until(lambda: bool(told["contents"] and shown["contents"]))

    assert told["contents"] == shown["contents"] == ["**Not allowed**\nAsk somebody."]
    assert told["private"]
    assert shown["private"]
    assert CREATE not in discord.requests


async def test_a_question_is_handed_in_as_often_as_it_takes(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.away = 2
    await discord.use(ask("What is this?"))

    assert len(await desk.until(1)) == 1


async def test_a_question_that_cannot_be_stored_does_not_stay(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.away = 100
    seen = await discord.answer_to(ask("What is this?"))

    assert seen["contents"] == ["The database is away."]
    assert not discord.posts(CHANNEL)


async def test_a_long_question_is_shown_in_part_and_comes_whole_as_a_file(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    question = "why? " * 800
    await discord.use(ask(question, uploaded(discord)))
    [message] = await desk.until(1)

    [post] = discord.posts(CHANNEL)
    picture, whole = post["attachments"]
    assert len(post["content"]) <= 2000
    assert discord.files[whole["id"]][0].decode() == question.strip()
    assert [each.id for each in message.attachments] == [picture["id"]]
    assert message.text == question.strip()


@pytest.mark.parametrize(
    "text",
    ["\u200ba\u200b", "\u202eflip", "😀" * 2000, "@everyone <@&44>", "```\nopen", "[a](https://x)"],
)
async def test_strange_text_is_asked_without_calling_or_hiding_anything(
    text: str, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.use(ask(text))
    await asked(discord, desk, seen)

    assert not discord.pings
    assert not discord.previews
    assert "](http" not in discord.contents(CHANNEL)[0]


async def test_a_picture_too_large_to_be_posted_is_asked_about_all_the_same(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    large, small = uploaded(discord, "large.png"), uploaded(discord, "small.png")
    large["size"] = 11 << 20
    await discord.use(ask("Which?", large, small))
    [message] = await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert "1 of the pictures is not shown here" in post["content"]
    assert [each.name for each in message.attachments] == ["large.png", "small.png"]
    assert message.attachments[0].url == large["url"]
    assert message.attachments[1].id == post["attachments"][0]["id"]


async def test_a_file_with_a_hostile_name_is_posted_under_a_harmless_one(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    file = uploaded(discord, "x.png")
    await discord.use(ask("Which?", {**file, "filename": '../"\r\nEvil: 1\u202e.png'}))
    await desk.until(1)

    [attached] = discord.posts(CHANNEL)[0]["attachments"]
    assert attached["filename"] == ".._Evil: 1.png"


async def test_where_the_bot_may_not_write_the_interaction_carries_question_and_answer(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.use(ask("What is this?"), app_permissions="0")
    [message] = await desk.until(1)

    assert not seen["private"]
    assert OPTION in message.options
    assert CREATE not in discord.requests


async def test_a_permission_that_is_missing_all_the_same_is_made_up_for_by_the_interaction(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.denied.add((CHANNEL, "send"))
    seen = await discord.use(ask("What is this?"))
    message = await asked(discord, desk, seen)

    public = [each for each in seen["messages"] if not each["flags"] & 64]
    assert [each["id"] for each in public] == [message.id]
    assert "may not write" in seen["contents"][0]


async def test_ask_about_this_asks_by_a_form_and_replies_to_the_message(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat", [("c.png", PNG, "image/png")]))
    form = await discord.form_of(about(target), author="bob")
    seen = await discord.interactions.submit(form, "What breed?", author="bob")
    message = await asked(discord, desk, seen)

    [post] = discord.posts(CHANNEL)
    assert post["message_reference"]["message_id"] == target["id"]
    assert not post["attachments"]
    assert (message.text, message.author) == ("What breed?", discord.person("bob")["id"])
    assert [each.id for each in message.attachments] == [target["attachments"][0]["id"]]
    assert await bot.fetch(message, replace(message.attachments[0], url="")) == PNG


async def test_what_stands_around_such_a_question_brings_its_pictures_no_second_time(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat", [("c.png", PNG, "image/png")]))
    form = await discord.form_of(about(target))
    await discord.interactions.submit(form, "What breed?")
    [message] = await desk.until(1)

    [before] = await bot.earlier(message)
    assert (before.id, before.text, before.attachments) == (target["id"], "my cat", ())


async def test_ask_about_a_message_that_has_a_thread_asks_in_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    root = await discord.say("my cat", [("c.png", PNG, "image/png")])
    thread = await discord.open_thread(root["id"])
    form = await discord.form_of(about(discord.told(root)))
    await discord.interactions.submit(form, "What breed?")
    [message] = await desk.until(1)

    assert message.thread == ThreadId("discord", GUILD, CHANNEL, thread["id"])
    assert [post["id"] for post in discord.posts(thread["id"])] == [message.id]


async def test_a_form_that_was_open_over_a_restart_is_understood(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat", [("c.png", PNG, "image/png")]))
    form = await discord.form_of(about(target))
    bot._commands._targets.clear()
    await discord.interactions.submit(form, "What breed?")
    [message] = await desk.until(1)

    assert [each.name for each in message.attachments] == ["c.png"]


async def test_a_form_about_a_message_that_nobody_knows_any_more_says_so(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    form = await discord.form_of(about(target))
    bot._commands._targets.clear()
    await discord.remove(target["id"])
    seen = await discord.interactions.submit(form, "What breed?")
    await discord.until(lambda: bool(seen["contents"]))

    assert "choose it again" in seen["contents"][0]


async def test_an_empty_form_asks_nothing(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    form = await discord.form_of(about(target))
    seen = await discord.interactions.submit(form, "  \n\u200b ")
    await discord.until(lambda: bool(seen["contents"]))

    assert seen["contents"] == ["Write a question."]
    assert not desk.messages


async def test_a_form_that_is_delivered_twice_asks_once(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    form = await discord.form_of(about(target))
    seen = await discord.interactions.submit(form, "What breed?")
    await discord.gateway.repeat()
    await asked(discord, desk, seen)
    await discord.answer_to({"id": "1", "type": 1, "name": "vision"})

    assert len(discord.posts(CHANNEL)) == 1


async def test_a_form_that_is_sent_twice_asks_once(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    form = await discord.form_of(about(target))
    first = await discord.interactions.submit(form, "What breed?")
    second = await discord.interactions.submit(form, "What breed?")
    await discord.until(lambda: bool(first["contents"] and second["contents"]))

    assert len(discord.posts(CHANNEL)) == len(desk.messages) == 1
    assert (second["contents"], second["private"]) == (
        ["You asked this a moment ago; it is asked once."],
        True,
    )


async def test_the_same_question_in_another_form_is_another_question(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    for _ in range(2):
        form = await discord.form_of(about(target))
        await discord.interactions.submit(form, "What breed?")

    assert len(await desk.until(2)) == 2


async def test_a_form_whose_question_was_not_asked_gives_its_words_back_and_may_be_sent_again(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = discord.told(await discord.say("my cat"))
    form = await discord.form_of(about(target))
    create = Fault("status", times=99, status=503)
    discord.faults[CREATE] = create
    seen = await discord.interactions.submit(form, "What breed?")
    await discord.until(lambda: bool(seen["contents"]))
    del discord.faults[CREATE]
    await discord.interactions.submit(form, "What breed?")

    assert seen["contents"][0].endswith("You wrote:\n\nWhat breed?")
    assert len(await desk.until(1)) == 1


async def estimated(discord: DiscordServer, desk: FakeDesk) -> tuple[Json, Json]:
    """Somebody's estimate with a button that asks, and the message that it stands in."""
    desk.card = Card("Estimate", "About $0.01.", buttons=(Button("Ask now", "t1"),))
    seen = await discord.answer_to({"id": "1", "type": 1, "name": "estimate"})
    return seen, seen["messages"][0]


def proposal(*files: Attachment, text: str = "What is it?", source: str = "") -> Proposal:
    place = ThreadId("discord", GUILD, CHANNEL, "")
    return Proposal(place, "501", text, files, {"detail": "high"}, source)


async def test_ask_now_posts_the_question_and_takes_the_button_away(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    file = uploaded(discord)
    known = Attachment(file["id"], "a.png", url=file["url"], size=len(PNG))
    _, card = await estimated(discord, desk)
    desk.proposal = proposal(known)
    await discord.press(card, "Ask now")
    [message] = await desk.until(1)
    await discord.until(lambda: not card["components"])

    [post] = discord.posts(CHANNEL)
    assert post["content"] == "**<@501> asks:** What is it?"
    assert message.options == {"detail": "high"}
    assert message.attachments[0].id == post["attachments"][0]["id"] != known.id
    assert card["content"].startswith("**Estimate**")


async def test_ask_now_about_a_message_replies_to_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = await discord.say("my cat", [("c.png", PNG, "image/png")])
    file = discord.told(target)["attachments"][0]
    _, card = await estimated(discord, desk)
    desk.proposal = proposal(Attachment(file["id"], "c.png"), source=target["id"])
    await discord.press(card, "Ask now")
    await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert post["message_reference"]["message_id"] == target["id"]
    assert not post["attachments"]


async def test_ask_now_without_words_asks_for_them_and_takes_more_pictures(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = await discord.say("my cat", [("c.png", PNG, "image/png")])
    file = discord.told(target)["attachments"][0]
    _, card = await estimated(discord, desk)
    desk.proposal = proposal(Attachment(file["id"], "c.png"), text="", source=target["id"])
    shown = await discord.press(card, "Ask now")
    await discord.until(lambda: shown["modal"] is not None)
    another = uploaded(discord, "b.png")
    await discord.interactions.submit(shown["modal"], "Which is older?", [another])
    [message] = await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert post["message_reference"]["message_id"] == target["id"]
    assert [each["filename"] for each in post["attachments"]] == ["b.png"]
    assert [each.id for each in message.attachments] == [file["id"], post["attachments"][0]["id"]]
    assert message.text == "Which is older?"


async def test_ten_pictures_and_a_long_question_fit_into_one_post(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.use(ask("why? " * 700, *(uploaded(discord, f"{n}.png") for n in range(10))))
    [message] = await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert len(post["attachments"]) == 10
    assert [each.name for each in message.attachments] == [f"{n}.png" for n in range(10)]
    assert "1 of the pictures" in post["content"]


async def test_a_reply_that_needs_the_history_is_posted_without_being_one(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = await discord.say("my cat", [("c.png", PNG, "image/png")])
    discord.denied.add((CHANNEL, "history"))
    _, card = await estimated(discord, desk)
    desk.proposal = proposal(source=target["id"])
    await discord.press(card, "Ask now")
    await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert "message_reference" not in post


async def test_a_refusal_of_ask_now_is_told_in_private_and_leaves_the_button(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    _, card = await estimated(discord, desk)
    desk.proposal, desk.refusal = proposal(), Card("Not allowed", "Ask somebody.")
    seen = await discord.press(card, "Ask now")
    await discord.until(lambda: len(seen["contents"]) == 1)

    assert seen["messages"][-1]["flags"] & 64
    assert card["components"]
    assert not discord.posts(CHANNEL)


async def test_a_drawing_comes_with_the_card_and_its_words_for_the_blind(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.card = Card("Estimate", "$", drawing=Drawing("estimate.png", PNG, "Two pictures."))
    seen = await discord.answer_to({"id": "1", "type": 1, "name": "estimate"})

    [attached] = seen["messages"][0]["attachments"]
    assert (attached["filename"], attached["description"]) == ("estimate.png", "Two pictures.")
    assert discord.files[attached["id"]][0] == PNG


async def test_a_card_whose_drawing_discord_does_not_take_comes_without(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    large = bytes(11 << 20)
    desk.card = Card("Estimate", "About $1.", drawing=Drawing("estimate.png", large, "Two."))
    seen = await discord.answer_to({"id": "1", "type": 1, "name": "estimate"})

    assert seen["contents"] == ["**Estimate**\nAbout $1."]


async def test_pictures_of_several_megabytes_come_through_whole_and_after_a_limit_too(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    large = bytes(range(256)) * 3900
    slow = {"message": "slow down", "retry_after": 0.05, "global": False}
    discord.faults[CREATE] = Fault("status", status=429, body=slow, headers={"Via": "1.1 google"})
    await discord.use(ask("What is this?", *(uploaded(discord, data=large) for _ in range(3))))
    await desk.until(1)

    [post] = discord.posts(CHANNEL)
    assert [discord.files[each["id"]][0] == large for each in post["attachments"]] == [True] * 3


@pytest.mark.parametrize("kind", ["status", "reset", "lost"])
async def test_a_question_is_posted_once_whatever_becomes_of_the_request(
    kind: Any, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.faults[CREATE] = Fault(kind, headers={"Retry-After": "0.1"})
    seen = await discord.use(ask("What is this?", uploaded(discord)))
    message = await asked(discord, desk, seen)

    assert [post["id"] for post in discord.posts(CHANNEL)] == [message.id]


async def test_fifty_people_ask_at_once(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.limits = False
    uses = await asyncio.gather(
        *(discord.use(ask(f"{n}?", uploaded(discord)), author=f"p{n}") for n in range(50))
    )
    messages = await desk.until(50)
    await discord.until(lambda: all(seen["contents"] for seen in uses))

    assert len({message.author for message in messages}) == 50
    assert max(seen["acknowledged"] for seen in uses) < 3


async def test_an_outage_of_the_desk_is_told(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    class Away(FakeDesk):
        async def press(self, button: str, person: Any) -> Card | Proposal | None:
            raise Outage("The database is away.")

    async with listening(discord, adapter, Away()):
        seen = await discord.answer_to({"custom_id": "x", "component_type": 2}, kind=3)

    assert seen["contents"] == ["The database is away."]
