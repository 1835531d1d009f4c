"""Files of messages: whose hosts, how large, how long, and what each mishap is called."""

import asyncio
import time
from dataclasses import replace

import pytest
import yarl

from adapters.discord import DiscordAdapter, events
from adapters.discord.places import Place
from bot.domain import Attachment, Message
from bot.errors import PictureUnseen, TransientError
from tests.adapters.discord.conftest import MAX_FILE_BYTES
from tests.servers.discord import TEXT, DiscordServer, Fault

GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
FILE = "GET /attachments/{channel}/{file}/{name}"
DATA = bytes(range(256)) * 200


async def posted(discord: DiscordServer, data: bytes = DATA) -> tuple[Message, Attachment]:
    """A message with one file, as the adapter hands it in."""
    said = await discord.say("look", [("a.png", data, "image/png")])
    message = events.message(discord.told(said), Place(CHANNEL, GUILD, TEXT), BOT)
    assert message is not None
    return message, message.attachments[0]


async def test_a_file_comes_whole_and_no_token_leaves_for_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)

    assert await adapter.fetch(message, file) == DATA
    assert discord.leaked == []


async def test_a_file_on_another_name_of_this_machine_comes_whole(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    file = replace(file, url=file.url.replace("127.0.0.1", "localhost"))

    assert await adapter.fetch(message, file) == DATA


async def test_a_link_that_says_it_ran_out_is_renewed_before_it_is_tried(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.link_seconds = -5.0
    message, file = await posted(discord)
    discord.link_seconds = 3600.0

    assert await adapter.fetch(message, file) == DATA
    assert discord.requests.count(FILE) == 1


async def test_a_file_of_a_command_that_is_gone_is_looked_for_in_no_message(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.faults[FILE] = Fault("status", times=9, status=404)
    asked = discord.requests.count("GET /channels/{channel}/messages/{message}")

    with pytest.raises(PictureUnseen, match="no longer has it"):
        await adapter.fetch(replace(message, id=""), file)
    assert discord.requests.count("GET /channels/{channel}/messages/{message}") == asked


@pytest.mark.parametrize("status", [403, 404])
async def test_a_link_that_is_refused_is_renewed_once(
    status: int, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.faults[FILE] = Fault("status", status=status)

    assert await adapter.fetch(message, file) == DATA


async def test_ten_files_whose_links_ran_out_take_one_look_at_their_message(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.link_seconds = -5.0
    files = [(f"{n}.png", DATA[:-n], "image/png") for n in range(1, 11)]
    said = await discord.say("look", files)
    message = events.message(discord.told(said), Place(CHANNEL, GUILD, TEXT), BOT)
    assert message is not None
    discord.link_seconds = 3600.0
    found = await asyncio.gather(*(adapter.fetch(message, file) for file in message.attachments))

    assert found == [data for _, data, _ in files]
    assert discord.requests.count("GET /channels/{channel}/messages/{message}") == 1


async def test_a_look_at_a_message_that_fails_is_not_remembered(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.faults["GET /channels/{channel}/messages/{message}"] = Fault("status", 9, status=503)
    with pytest.raises(TransientError):
        await adapter.fetch(message, replace(file, url=""))
    discord.faults.clear()

    assert await adapter.fetch(message, replace(file, url="")) == DATA


@pytest.mark.parametrize(
    "host", ["cdn.discordapp.com", "media.discordapp.net", "images-ext-1.discordapp.net"]
)
def test_discords_own_hosts_are_read_and_their_likes_are_not(
    host: str, adapter: DiscordAdapter
) -> None:
    files = adapter._files

    assert files._ours(yarl.URL(f"https://{host}/a.png"))
    for like in (f"http://{host}", f"https://{host}.evil.example", f"https://x{host}"):
        assert not files._ours(yarl.URL(f"{like}/a.png"))


async def test_a_file_without_a_link_is_found_by_its_message(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)

    assert await adapter.fetch(message, replace(file, url="")) == DATA


async def test_a_file_in_a_thread_and_one_in_the_channel_above_are_both_found(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    elsewhere = replace(message, thread=replace(message.thread, root="123"))

    assert await adapter.fetch(elsewhere, replace(file, url="")) == DATA


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("gone", "no longer has it"),
        ("html", "web page"),
        ("short", "only a part"),
        ("huge", "1 MB"),
    ],
)
async def test_a_file_that_cannot_be_had_is_told_why(
    how: str, sentence: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.lost[file.id] = how

    with pytest.raises(PictureUnseen, match=sentence):
        await adapter.fetch(message, file)


async def test_a_file_that_is_announced_too_large_is_not_asked_for(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)

    with pytest.raises(PictureUnseen, match="1 MB"):
        await adapter.fetch(message, replace(file, size=MAX_FILE_BYTES + 1))
    assert FILE not in discord.requests


async def test_a_file_that_turns_out_too_large_is_given_up(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord, bytes(MAX_FILE_BYTES + 1))

    with pytest.raises(PictureUnseen, match="1 MB"):
        await adapter.fetch(message, replace(file, size=5))


async def test_a_file_of_a_deleted_message_is_gone(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    await discord.remove(message.id)

    with pytest.raises(PictureUnseen, match="deleted"):
        await adapter.fetch(message, replace(file, url=""))


async def test_a_file_that_was_taken_out_of_its_message_is_gone(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)

    with pytest.raises(PictureUnseen, match="removed"):
        await adapter.fetch(message, replace(file, id="9", url=""))


@pytest.mark.parametrize(
    "fault", [Fault("status", status=500), Fault("reset"), Fault("lost")], ids=lambda f: f.kind
)
async def test_a_mishap_is_tried_again(
    fault: Fault, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.faults[FILE] = replace(fault)

    assert await adapter.fetch(message, file) == DATA


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", times=9, status=502),
        Fault("reset", times=9),
        Fault("status", times=9, status=429, headers={"Retry-After": "60"}),
        Fault("late", times=9),
    ],
    ids=["502", "reset", "429", "late"],
)
async def test_what_goes_on_failing_may_be_had_later(
    fault: Fault, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    discord.faults[FILE] = fault
    started = time.monotonic()

    with pytest.raises(TransientError):
        await adapter.fetch(message, file)
    assert time.monotonic() - started < 4
    fault.until.set()


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.discordapp.com.evil.example/attachments/1/2/a.png",
        "https://cdn.discordapp.com@evil.example/a.png",
        "https://evil.example/cdn.discordapp.com/a.png",
        "http://cdn.discordapp.com/a.png",
        "http://169.254.169.254/latest/meta-data",
        "https://user:pass@127.0.0.1/a.png",
        "file:///etc/passwd",
        "http://[",
        "//",
        "not an address",
    ],
)
async def test_an_address_that_is_not_discords_own_is_never_asked(
    url: str, discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)

    with pytest.raises(PictureUnseen, match="Discord's own"):
        await adapter.fetch(message, replace(file, url=url))


async def test_a_redirect_to_elsewhere_is_not_followed(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    message, file = await posted(discord)
    away = {"Location": "http://169.254.169.254/latest/meta-data"}
    discord.faults[FILE] = Fault("status", status=302, headers=away)

    with pytest.raises(PictureUnseen, match="Discord's own"):
        await adapter.fetch(message, file)
