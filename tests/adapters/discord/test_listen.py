"""From what people do on Discord to what the desk is told, over the real gateway protocol."""

import time
from dataclasses import replace

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from bot.domain import Scope, ThreadId
from bot.errors import SetupError
from tests.adapters.discord.conftest import FakeDesk, listening, made
from tests.servers.discord import DM, FORUM, TEXT, THREAD, DiscordServer, Fault

PNG = ("a.png", b"\x89PNG...", "image/png")
GUILD, CHANNEL, BOT = DiscordServer.guild, DiscordServer.channel, DiscordServer.bot
MENTION = f"<@{BOT}>"


async def test_a_mention_with_a_picture_reaches_the_desk(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} what is this?", [PNG])
    [message] = await desk.until(1)

    assert message.thread == ThreadId("discord", GUILD, CHANNEL, said["id"])
    assert (message.id, message.text, message.addressed) == (said["id"], "what is this?", True)
    assert [file.name for file in message.attachments] == ["a.png"]
    assert abs(message.sent_at - time.time()) < 60


@pytest.mark.parametrize("form", [f"<@{BOT}> hi", f"<@!{BOT}> hi", f"<@&{DiscordServer.role}> hi"])
async def test_every_form_of_a_mention_speaks_to_the_bot(
    form: str, discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(form)
    [message] = await desk.until(1)

    assert (message.addressed, message.text) == (True, "hi")


async def test_a_message_carries_the_ids_by_which_its_author_may_be_denied(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("61", TEXT, parent_id="60")
    await discord.gateway.dispatch("CHANNEL_CREATE", discord.channels["61"])
    root = await discord.say(f"{MENTION} one", channel="61", member={"roles": ["7", "8"]})
    await discord.open_thread(root["id"])
    await discord.say("two", channel=root["id"], member={"roles": ["7"]})
    first, second = await desk.until(2)

    assert first.groups == ("7", "8", "60")
    assert second.groups == ("7", "61", "60")


async def test_chatter_bots_and_webhooks_are_not_handed_in(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.users["7"] = {"id": "7", "username": "robot", "bot": True}
    await discord.say("just chatting")
    await discord.say(f"{MENTION} beep", author="robot")
    await discord.say(f"{MENTION} news", webhook_id="9")
    await discord.say(f"{MENTION} joined", type=7)
    await discord.say(f"{MENTION} a question")
    messages = await desk.until(1)

    assert [message.text for message in messages] == ["a question"]


async def test_everything_in_a_thread_is_handed_in_and_belongs_to_its_root(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    root = await discord.say("look at this")
    await discord.open_thread(root["id"])
    other = discord.person("bob")["id"]
    await discord.say("and what colour?", channel=root["id"])
    await discord.say(f"<@{other}> see?", channel=root["id"])
    first, second = await desk.until(2)

    assert first.thread == second.thread == ThreadId("discord", GUILD, CHANNEL, root["id"])
    assert (first.addressed, first.to_others) == (False, False)
    assert (second.addressed, second.to_others, second.text) == (False, True, "@bob see?")


async def test_a_thread_that_the_gateway_never_told_of_is_looked_up(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("77", THREAD, parent_id=CHANNEL)
    await discord.say("follow-up", channel="77")
    [message] = await desk.until(1)

    assert message.thread == ThreadId("discord", GUILD, CHANNEL, "77")


async def test_in_a_direct_message_everything_speaks_to_the_bot(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("88", DM)
    await discord.say("what is this?", [PNG], channel="88")
    [message] = await desk.until(1)

    assert message.addressed
    assert message.thread == ThreadId("discord", "@me", "88", "")


async def test_a_forwarded_picture_is_a_picture_of_the_question(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("88", DM)
    original = await discord.say("from elsewhere", [PNG])
    await discord.say(
        "", channel="88", snapshots=[original], message_reference={"type": 1, "channel_id": "5"}
    )
    [message] = await desk.until(1)

    assert message.text == "> from elsewhere"
    assert [file.name for file in message.attachments] == ["a.png"]


async def test_an_edit_is_handed_in_with_its_time_and_a_new_thread_is_no_edit(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} wat?")
    await desk.until(1)
    await discord.open_thread(said["id"])
    await discord.change(said, f"{MENTION} what?")
    first, second = await desk.until(2)

    assert first.edited_at is None
    assert second.edited_at is not None
    assert (second.id, second.text) == (said["id"], "what?")


async def test_a_deletion_is_handed_in_and_takes_the_answers_posts_with_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} what is this?")
    answer = await discord.say("It is a cat.", author="threadsight")
    desk.answers[said["id"]] = (f"{CHANNEL}/{answer['id']}", f"{CHANNEL}/12345")
    await discord.remove(said["id"])
    scopes = await desk.until_retracted(1)
    await discord.until(lambda: not discord.contents(CHANNEL))

    assert scopes[0] == Scope("discord", GUILD, CHANNEL, said["id"], said["id"])


async def test_an_answer_that_cannot_be_deleted_at_once_is_deleted_later(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    said = await discord.say(f"{MENTION} what is this?")
    answer = await discord.say("It is a cat.", author="threadsight")
    desk.answers[said["id"]] = (f"{CHANNEL}/{answer['id']}",)
    discord.faults["DELETE /channels/{channel}/messages/{message}"] = Fault("reset", times=5)
    await discord.remove(said["id"])
    await discord.until(lambda: not discord.contents(CHANNEL))

    assert discord.faults == {}


async def test_what_was_missed_while_a_server_was_out_is_read_when_it_is_back(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} first")
    await desk.until(1)
    sessions, discord.gateway.sessions = discord.gateway.sessions, {}
    await discord.say(f"{MENTION} unheard")
    discord.gateway.sessions = sessions
    await discord.gateway.dispatch("GUILD_CREATE", discord.guild_state())
    messages = await desk.until(2)

    assert [message.text for message in messages] == ["first", "unheard"]


async def test_a_deleted_thread_is_handed_in_whole(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    root = await discord.say("look")
    await discord.open_thread(root["id"])
    await discord.forget_thread(root["id"])
    [scope] = await desk.until_retracted(1)

    assert scope == Scope("discord", GUILD, CHANNEL, root["id"])


async def test_an_outage_of_a_server_erases_nothing_and_a_removal_all_of_it(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.dispatch("GUILD_DELETE", {"id": "5", "unavailable": True})
    await discord.gateway.dispatch("GUILD_DELETE", {"id": "6"})
    scopes = await desk.until_retracted(1)

    assert scopes == [Scope("discord", "6")]


async def test_a_message_is_offered_until_it_is_stored(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.away = 2
    await discord.say(f"{MENTION} what is this?")
    messages = await desk.until(1)

    assert [message.text for message in messages] == ["what is this?"]


@pytest.mark.parametrize("payload", [{}, {"id": "x"}, {"id": "9", "author": None}, {"author": 5}])
async def test_a_payload_that_makes_no_sense_disturbs_nobody(
    payload: dict[str, object], discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    for event in ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "INTERACTION_CREATE"):
        await discord.gateway.dispatch(event, payload)
    await discord.gateway.dispatch("CHANNEL_CREATE", {"id": 5, "type": "?"})
    await discord.gateway.dispatch("MESSAGE_CREATE", None)
    await discord.gateway.dispatch("NEVER_HEARD_OF", payload)
    await discord.say(f"{MENTION} still there?")
    messages = await desk.until(1)

    assert messages[0].text == "still there?"
    assert discord.gateway.identified == 1


async def test_what_was_said_while_the_line_was_broken_comes_with_the_resume(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.drop()
    await discord.say(f"{MENTION} did you hear?")
    messages = await desk.until(1)

    assert messages[0].text == "did you hear?"
    assert (discord.gateway.identified, discord.gateway.resumed) == (1, 1)


async def test_an_order_to_reconnect_is_followed_by_a_resume(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.order(7)
    await discord.gateway.ready.wait()
    await discord.say(f"{MENTION} again")
    await desk.until(1)

    assert discord.gateway.resumed == 1


async def test_what_was_missed_while_nobody_listened_is_read_at_the_start(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.shift = -7200.0
    await discord.say(f"{MENTION} long ago")
    root = await discord.say("a root")
    await discord.open_thread(root["id"])
    desk.seen = time.time() - 3600.0
    discord.shift = 0.0
    await discord.say(f"{MENTION} missed in the channel", [PNG])
    await discord.say("missed in the thread", channel=root["id"])
    await discord.say("chatter")
    async with listening(discord, adapter, desk):
        messages = await desk.until(2)

    texts = {message.text for message in messages}
    assert texts == {"missed in the channel", "missed in the thread"}


async def test_direct_messages_that_were_missed_are_read_where_the_desk_remembers_them(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.add_channel("88", DM)
    discord.add_channel("99", DM)
    desk.seen = time.time() - 3600.0
    desk.known = [ThreadId("discord", "@me", "88", "88"), ThreadId("discord", GUILD, "1", "2")]
    await discord.say("missed directly", [PNG], channel="88")
    await discord.say("from a stranger", channel="99")
    async with listening(discord, adapter, desk):
        [message] = await desk.until(1)

    assert message.text == "missed directly"
    assert message.thread == ThreadId("discord", "@me", "88", "")


async def test_a_channel_that_does_not_tell_its_newest_message_is_read(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    desk.seen = time.time() - 3600.0
    discord.add_channel("15", FORUM, last_message_id=discord.snowflake())
    await discord.say(f"{MENTION} missed")
    del discord.channels[CHANNEL]["last_message_id"]
    async with listening(discord, adapter, desk):
        [message] = await desk.until(1)

    assert message.text == "missed"
    # A forum has threads, and no messages of its own.
    assert discord.requests.count("GET /channels/{channel}/messages") == 1


async def test_what_was_missed_between_two_sessions_is_read(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.say(f"{MENTION} first")
    await desk.until(1)
    await discord.gateway.hang_up(4009)
    missed = await discord.say(f"{MENTION} missed")
    messages = await desk.until(2)

    assert messages[1].id == missed["id"]
    assert discord.gateway.identified == 2


async def test_nothing_old_is_read_by_a_bot_that_never_heard_anything(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.shift = -60.0
    await discord.say(f"{MENTION} before your time")
    discord.shift = 0.0
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} now")
        messages = await desk.until(1)

    assert [message.text for message in messages] == ["now"]


async def test_a_discord_that_is_away_at_the_start_is_waited_for(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.faults["GET /users/@me"] = Fault("reset", times=4)
    discord.faults["GET /gateway/bot"] = Fault("status", times=1)
    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} at last")
        messages = await desk.until(1)

    assert messages[0].text == "at last"


async def test_only_so_many_places_are_read_after_a_gap(
    discord: DiscordServer,
    adapter: DiscordAdapter,
    desk: FakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk.seen = time.time() - 3600.0
    for number in range(60):
        discord.add_channel(str(2000 + number), TEXT)
        await discord.say(f"{MENTION} {number}", channel=str(2000 + number))
    async with listening(discord, adapter, desk):
        messages = await desk.until(50)

    assert {message.text for message in messages} == {str(number) for number in range(10, 60)}
    assert f"not caught up in 10 places of server {GUILD}" in caplog.text


async def test_a_wrong_token_is_said_at_once(
    discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with made(discord, session, token="wrong") as adapter:
        with pytest.raises(SetupError, match="DISCORD_TOKEN"):
            await adapter.listen(desk)

    assert discord.gateway.identified == 0


@pytest.mark.parametrize("token", ["", "two\nlines", "smörgås", " "])
async def test_a_token_that_can_be_none_is_said_at_once(
    token: str, discord: DiscordServer, session: aiohttp.ClientSession, desk: FakeDesk
) -> None:
    async with made(discord, session, token=token) as adapter:
        with pytest.raises(SetupError, match="DISCORD_TOKEN"):
            await adapter.listen(desk)


@pytest.mark.parametrize(
    "fault", [Fault("status", status=404), Fault("status", status=200)], ids=["404", "200"]
)
async def test_an_address_that_is_not_discords_api_is_said_at_once(
    fault: Fault, discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.faults["GET /users/@me"] = replace(fault)

    with pytest.raises(SetupError, match="DISCORD_API_URL"):
        await adapter.listen(desk)


async def test_a_token_that_is_reset_while_connected_ends_it_with_a_sentence(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.refuse_with = 4004

    with pytest.raises(SetupError, match="DISCORD_TOKEN"):
        await adapter.listen(desk)


async def test_an_application_that_cannot_be_read_keeps_nobody_from_connecting(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    for path in ("/oauth2/applications/@me", "/applications/@me"):
        discord.faults[f"GET {path}"] = Fault("status", times=9, status=403)

    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} a question")
        [message] = await desk.until(1)

    assert message.text == "a question"


async def test_sessions_that_end_at_once_are_begun_ever_more_slowly(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.invalid = 2

    async with listening(discord, adapter, desk):
        await discord.say(f"{MENTION} a question")
        await desk.until(1)

    # Each is looked at anew, so that a limit on identifies that is spent is seen in time.
    assert discord.requests.count("GET /gateway/bot") == discord.gateway.identified == 3


async def test_a_gateway_that_talks_nonsense_is_called_again(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    await discord.gateway.babble()
    await discord.gateway.ready.wait()
    await discord.say(f"{MENTION} a question")
    [message] = await desk.until(1)

    assert message.text == "a question"


async def test_resumes_that_fail_at_once_do_not_follow_each_other_at_once(
    discord: DiscordServer, bot: DiscordAdapter, desk: FakeDesk
) -> None:
    discord.gateway.closes_resumes = 3
    started = time.monotonic()
    await discord.gateway.drop()
    await discord.say(f"{MENTION} a question")
    await desk.until(1)

    assert discord.gateway.resumed == 4
    assert time.monotonic() - started > 1.0
