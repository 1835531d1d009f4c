"""Slash commands and menu items, from what people press to what they read."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from adapters.discord import DiscordAdapter, definitions
from bot.domain import Card, Command, Person
from bot.errors import Outage
from bot.terms import SETTINGS
from tests.adapters.discord.conftest import FakeDesk, listening
from tests.servers.discord import DiscordServer, Fault

GUILD, CHANNEL = DiscordServer.guild, DiscordServer.channel


def file(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "filename": f"{number}.png",
        "content_type": "image/png",
        "size": 5,
        "url": "https://cdn.discordapp.com/ephemeral-attachments/1/2/a.png",
        "width": 640,
        "height": 427,
    }


ESTIMATE = {
    "id": "1",
    "type": 1,
    "name": "estimate",
    "options": [
        {"type": 3, "name": "question", "value": "What is this?"},
        {"type": 11, "name": "picture2", "value": "8"},
        {"type": 11, "name": "picture1", "value": "9"},
        {"type": 3, "name": "detail", "value": "low"},
        {"type": 3, "name": "size", "value": "1920x1080 x3"},
    ],
    "resolved": {"attachments": {"8": file(8), "9": file(9)}},
}


async def test_estimate_hands_its_pictures_and_options_to_the_desk(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.answer_to(ESTIMATE)

    [command] = desk.commands
    assert (command.name, command.workspace, command.channel) == ("estimate", GUILD, CHANNEL)
    assert command.author == discord.person("ann")["id"]
    assert [each.id for each in command.attachments] == ["9", "8"]
    assert (command.attachments[0].width, command.attachments[0].height) == (640, 427)
    assert command.options == {"question": "What is this?", "detail": "low"}
    assert command.text == "1920x1080 x3"


async def test_the_answer_is_private_and_acknowledged_before_it_is_known(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.hold.clear()
    seen = await discord.use(ESTIMATE)
    await discord.until(lambda: seen["acknowledged"] is not None)
    assert seen["contents"] == []
    desk.hold.set()
    await discord.until(lambda: bool(seen["contents"]))

    assert seen["acknowledged"] < 1
    assert seen["private"]
    assert seen["contents"] == ["**Estimate**\nAbout $0.0034."]


async def test_a_menu_item_estimates_the_pictures_of_a_message(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    target = {"id": "5", "content": "my cat", "attachments": [file(9)], "author": {"id": "1"}}
    data = {"id": "1", "type": 3, "name": "Estimate cost", "target_id": "5"}
    await discord.answer_to({**data, "resolved": {"messages": {"5": target}}})

    [command] = desk.commands
    assert command.name == "estimate"
    assert [each.name for each in command.attachments] == ["9.png"]
    assert command.options == {"question": "my cat"}


async def test_vision_help_is_help(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    data = {"id": "2", "type": 1, "name": "vision", "options": [{"type": 1, "name": "help"}]}
    await discord.answer_to(data)

    assert [command.name for command in desk.commands] == ["help"]


async def test_a_long_card_comes_in_several_parts(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.card = Card("Estimate", "line of text\n" * 400)
    seen = await discord.use(ESTIMATE)
    await discord.until(lambda: len(seen["contents"]) == 3)

    assert "\n".join(seen["contents"]).count("line of text") == 400


async def test_an_error_is_answered_with_its_sentence_and_a_fault_with_an_apology(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    class Broken(FakeDesk):
        async def run(self, command: Command) -> Card:
            raise Outage("The database is away.") if command.text else ValueError("secret")

    async with listening(discord, adapter, Broken()):
        away = await discord.use(ESTIMATE)
        broken = await discord.use({"id": "1", "type": 1, "name": "estimate"})
        await discord.until(lambda: bool(away["contents"] and broken["contents"]))

    assert away["contents"] == ["The database is away."]
    assert "try again" in broken["contents"][0]
    assert "secret" not in broken["contents"][0]


async def test_an_answer_that_discord_does_not_take_at_once_is_sent_again(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    original = "PATCH /webhooks/{application}/{token}/messages/{message}"
    discord.faults[original] = Fault("status", status=429, headers={"Retry-After": "0.05"})
    seen = await discord.answer_to(ESTIMATE)

    assert len(seen["contents"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "POST /interactions/{interaction}/{token}/callback",
        "PATCH /webhooks/{application}/{token}/messages/{message}",
    ],
)
@pytest.mark.parametrize(
    "fault",
    [Fault("status"), Fault("status", status=429), Fault("reset"), Fault("lost"), Fault("late")],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_one_failed_request_leaves_nobody_without_an_answer(
    path: str, fault: Fault, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    fault = discord.faults[path] = replace(fault, headers={"Retry-After": "0.1"})
    asyncio.get_running_loop().call_later(0.3, fault.until.set)
    seen = await discord.answer_to(ESTIMATE)

    assert len(seen["contents"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "POST /interactions/{interaction}/{token}/callback",
        "POST /webhooks/{application}/{token}",
    ],
)
@pytest.mark.parametrize(
    "fault",
    [Fault("status"), Fault("status", status=429), Fault("reset"), Fault("late")],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_one_failed_request_leaves_no_button_without_an_answer(
    path: str, fault: Fault, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    fault = discord.faults[path] = replace(fault, headers={"Retry-After": "0.1"})
    asyncio.get_running_loop().call_later(0.3, fault.until.set)
    seen = await discord.answer_to({"custom_id": "late", "component_type": 2}, kind=3)

    assert seen["contents"] == ["**Too late**\nIt is answered."]
    assert [token for token, _ in desk.pressed] == ["late"]


async def test_an_answer_whose_interaction_ran_out_is_dropped_and_the_next_is_heard(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    edit = "PATCH /webhooks/{application}/{token}/messages/{message}"
    discord.faults[edit] = Fault("status", status=401, body={"code": 50027})
    await discord.use(ESTIMATE)
    await discord.until(lambda: edit not in discord.faults)
    await discord.answer_to(ESTIMATE)

    assert len(desk.commands) == 2


async def test_a_failed_registration_does_not_stop_the_bot(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    commands = "PUT /applications/{application}/commands"
    discord.faults[commands] = Fault("status", times=99, status=403, body={"code": 50001})
    async with listening(discord, adapter, desk):
        await discord.until(lambda: discord.requests.count(commands) >= 2)
        await discord.say(f"<@{DiscordServer.bot}> what is this?")
        await desk.until(1)

    assert discord.registered == 0


async def test_an_application_closed_to_peoples_accounts_gets_its_commands_for_servers(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    commands = "PUT /applications/{application}/commands"
    discord.faults[commands] = Fault("status", status=400, body={"code": 50035})
    async with listening(discord, adapter, desk):
        await discord.until(lambda: discord.registered == 1)

    assert {tuple(each["integration_types"]) for each in discord.commands} == {(0,)}


async def test_commands_are_open_to_servers_accounts_and_private_conversations(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.until(lambda: discord.registered == 1)

    for each in discord.commands:
        assert (each["integration_types"], each["contexts"]) == ([0, 1], [0, 1, 2])
    estimate = discord.commands[0]["options"]
    assert [each["name"] for each in estimate[:10]] == [f"picture{n}" for n in range(1, 11)]


def test_the_commands_keep_within_discords_limits() -> None:
    def check(option: Any, names: str) -> None:
        assert re.fullmatch(names, option["name"])
        options = option.get("options", [])
        required = [bool(each.get("required")) for each in options]
        assert required == sorted(required, reverse=True)
        assert len(options) <= 25
        assert len(option.get("choices", [])) <= 25
        assert 1 <= option.get("max_length", 1) <= 6000
        for each in options:
            assert 1 <= len(each["description"]) <= 100
            check(each, r"[a-z0-9_-]{1,32}")

    for each in definitions.definitions():
        check(each, r"[\w -]{1,32}")
    assert len(json.dumps(definitions.definitions())) < 8000


async def test_subcommands_of_vision_become_words(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    settings = {"where": "channel", "name": "detail", "value": "low"}
    usage = {"since": "month", "of": "channel"}
    for name, values in [("settings", settings), ("usage", usage), ("forget", {}), ("new", {})]:
        options = [{"type": 3, "name": key, "value": value} for key, value in values.items()]
        under = {"type": 1, "name": name, "options": options}
        await discord.answer_to({"id": "2", "type": 1, "name": "vision", "options": [under]})

    assert [(each.name, each.text) for each in desk.commands] == [
        ("settings", "channel detail low"),
        ("usage", "channel month"),
        ("forget", ""),
        ("new", ""),
    ]


@pytest.mark.parametrize(
    ("status", "code"), [(400, 40060), (404, 10062)], ids=["acknowledged by another", "unknown"]
)
async def test_an_interaction_that_cannot_be_acknowledged_is_dropped(
    status: int, code: int, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    callback = "POST /interactions/{interaction}/{token}/callback"
    discord.faults[callback] = Fault("status", status=status, body={"code": code})
    await discord.use(ESTIMATE)
    await discord.answer_to(ESTIMATE)

    assert len(desk.commands) == 1


async def test_a_pressed_button_hands_its_token_to_the_desk(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    seen = await discord.use({"custom_id": "tok", "component_type": 2}, kind=3)
    late = await discord.answer_to({"custom_id": "late", "component_type": 2}, kind=3)

    ann = Person(discord.person("ann")["id"])
    assert sorted(desk.pressed, key=str) == [("late", ann), ("tok", ann)]
    assert (seen["contents"], seen["acknowledged"] is not None) == ([], True)
    assert late["contents"] == ["**Too late**\nIt is answered."]


async def test_commands_are_registered_once_and_again_only_when_they_changed(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    for _ in range(2):
        listed = discord.requests.count("GET /applications/{application}/commands")
        async with listening(discord, adapter, desk):
            await discord.until(
                lambda before=listed: (  # type: ignore[misc]
                    discord.requests.count("GET /applications/{application}/commands") > before
                    and bool(discord.registered)
                )
            )
    assert discord.registered == 1
    discord.commands[0]["description"] = "something else"
    async with listening(discord, adapter, desk):
        await discord.until(lambda: discord.registered == 2)

    names = ["estimate", "ask", "vision", "Estimate cost", "Ask about this"]
    assert [each["name"] for each in discord.commands] == names


async def test_the_command_of_an_activity_is_told_again_with_ours(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    launch: dict[str, Any] = {
        "id": "31",
        "application_id": DiscordServer.application,
        "version": "32",
    }
    launch |= {"type": 4, "name": "launch", "handler": 2}
    discord.commands = [launch]
    for _ in range(2):
        listed = discord.requests.count("GET /applications/{application}/commands")
        async with listening(discord, adapter, desk):
            await discord.until(
                lambda before=listed: (  # type: ignore[misc]
                    discord.requests.count("GET /applications/{application}/commands") > before
                    and bool(discord.registered)
                )
            )

    assert discord.registered == 1
    assert [each["name"] for each in discord.commands[-2:]] == ["Ask about this", "launch"]
    assert (discord.commands[-1]["id"], discord.commands[-1]["handler"]) == ("31", 2)


def test_all_that_can_be_set_is_there_to_be_chosen() -> None:
    assert tuple(SETTINGS) == definitions.SETTINGS


async def test_acknowledging_does_not_wait_for_rate_limits(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    everywhere = {"message": "slow down", "retry_after": 5.0, "global": True}
    discord.faults["GET /channels/{channel}"] = Fault(
        "status", status=429, body=everywhere, headers={"Via": "1.1 google"}
    )
    await discord.say("who knows this place?", channel=discord.add_channel("66", 0)["id"])
    await discord.until(lambda: "GET /channels/{channel}" not in discord.faults)
    seen = await discord.use(ESTIMATE)
    await discord.until(lambda: seen["acknowledged"] is not None)

    assert seen["acknowledged"] < 1


@pytest.mark.parametrize("count", [50])
async def test_many_commands_at_once_are_all_acknowledged_in_time(
    count: int, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    uses = await asyncio.gather(*(discord.use(ESTIMATE) for _ in range(count)))
    await discord.until(lambda: all(seen["contents"] for seen in uses))

    assert max(seen["acknowledged"] for seen in uses) < 3
