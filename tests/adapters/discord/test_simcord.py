"""Commands and threads against simcord, which knows nothing of our own small Discord."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from bot.domain import Button, Card, Drawing, Proposal, Reply, ThreadId
from tests.adapters.discord.conftest import FakeDesk, claimed
from tests.servers.simcord_bridge import Simcord

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
Json = dict[str, Any]


@pytest.fixture
async def simcord() -> AsyncIterator[Simcord]:
    server = Simcord()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def bot(
    simcord: Simcord, session: aiohttp.ClientSession, desk: FakeDesk
) -> AsyncIterator[DiscordAdapter]:
    adapter = DiscordAdapter(
        token=simcord.token,
        api_url=simcord.url,
        session=session,
        max_file_bytes=1_000_000,
        download_seconds=5.0,
        edit_seconds=0.05,
        pause_seconds=0.02,
        identify_seconds=0.1,
    )
    task = asyncio.create_task(adapter.listen(desk))
    await asyncio.wait_for(simcord.gateway.ready.wait(), 10)
    yield adapter
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await adapter.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what simcord shows, of which it tells nobody."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def shown(simcord: Simcord, record: Any) -> list[str]:
    """What whoever used something reads."""
    held = simcord.backend.messages.get(simcord.channel_id, {}).values()
    mine = [each for each in held if each.is_ephemeral]
    return [each.content for each in mine if each.content]


async def test_our_commands_are_taken_as_they_are(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await until(lambda: len(simcord.registered()) == 5)

    names = ["estimate", "ask", "vision", "Estimate cost", "Ask about this"]
    assert sorted(simcord.registered()) == sorted(names)


async def test_a_question_is_answered_in_a_thread_of_its_own(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    asked = await simcord.say(f"<@{simcord.bot}> what is this?", ("a.png", PNG))
    [message] = await desk.until(1)
    data = await bot.fetch(message, message.attachments[0])
    draft = bot.draft(claimed(message))
    await draft.show("A")
    await until(lambda: simcord.contents(asked) == ["A"])
    reply = Reply("A cat. " * 400, footer=("1 in",), buttons=(Button("Try again", "t"),))
    posts = await draft.finish(reply)

    assert data == PNG
    assert message.thread == ThreadId("discord", simcord.guild, str(simcord.channel_id), asked)
    assert len(posts) == len(simcord.contents(asked)) == 2
    assert simcord.backend.channels[int(asked)].name == "what is this?"


async def test_long_code_comes_as_a_file(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    asked = await simcord.say(f"<@{simcord.bot}> what is this?", ("a.png", PNG))
    [message] = await desk.until(1)
    await bot.draft(claimed(message)).finish(Reply("```python\n" + "print(1)\n" * 400 + "```"))

    [post] = simcord.backend.messages[int(asked)].values()
    assert [each["filename"] for each in post.attachments] == ["code-1.py"]


async def test_a_command_is_answered_in_private_with_its_drawing_and_button(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    drawing = Drawing("estimate.png", PNG, "Two pictures.")
    desk.card = Card("Estimate", "About $1.", buttons=(Button("Ask now", "t"),), drawing=drawing)
    record = await simcord.use({"id": "1", "type": 1, "name": "estimate"})
    await until(lambda: bool(shown(simcord, record)))

    assert shown(simcord, record) == ["**Estimate**\nAbout $1."]
    assert simcord.contents(simcord.channel_id) == []


async def test_ask_posts_a_question_for_all(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    options = [{"type": 3, "name": "question", "value": "What is this?"}]
    record = await simcord.use({"id": "1", "type": 1, "name": "ask", "options": options})
    [message] = await desk.until(1)
    await bot.draft(claimed(message)).finish(Reply("A cat."))
    await until(lambda: bool(shown(simcord, record)))

    assert simcord.contents(simcord.channel_id) == [
        f"**<@{simcord.member_id}> asks:** What is this?"
    ]
    assert simcord.contents(message.id) == ["A cat."]
    assert message.id in shown(simcord, record)[0]


async def test_a_form_is_opened_and_what_was_written_into_it_is_asked(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = await simcord.say("my cat", ("c.png", PNG))
    read = f"{simcord.url}/channels/{simcord.channel_id}/messages/{target}"
    async with aiohttp.request("GET", read) as response:
        message = await response.json()
    data = {"id": "1", "type": 3, "name": "Ask about this", "target_id": target}
    record = await simcord.use({**data, "resolved": {"messages": {target: message}}})
    await until(lambda: record.modal is not None)
    field = {"type": 4, "custom_id": "question", "value": "What breed?"}
    parts = [{"type": 18, "id": 1, "component": field}]
    form = {"custom_id": record.modal["custom_id"], "components": parts}
    await simcord.use(form, kind=5)
    [asked] = await desk.until(1)

    assert asked.text == "What breed?"
    assert await bot.fetch(asked, asked.attachments[0]) == PNG
    assert simcord.contents(simcord.channel_id) == [f"**<@{simcord.member_id}> asks:** What breed?"]


async def test_a_button_under_a_card_asks(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    place = ThreadId("discord", simcord.guild, str(simcord.channel_id), "")
    desk.proposal = Proposal(place, str(simcord.member_id), "What is it?")
    desk.card = Card("Estimate", "About $1.", buttons=(Button("Ask now", "t"),))
    record = await simcord.use({"id": "1", "type": 1, "name": "estimate"})
    await until(lambda: bool(shown(simcord, record)))
    [card] = [
        each for each in simcord.backend.messages[simcord.channel_id].values() if each.is_ephemeral
    ]
    pressed = {"custom_id": "t", "component_type": 2}
    await simcord.use(pressed, kind=3, message={"id": str(card.id)})
    [message] = await desk.until(1)

    assert message.text == "What is it?"
    assert len(simcord.contents(simcord.channel_id)) == 1


async def test_simcord_simulates_all_that_we_use(
    simcord: Simcord, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await until(lambda: len(simcord.registered()) == 5)
    await simcord.say(f"<@{simcord.bot}> what is this?")
    [message] = await desk.until(1)
    await bot.earlier(message)
    await bot.draft(claimed(message)).finish(Reply("A cat."))

    assert simcord.missing == []
