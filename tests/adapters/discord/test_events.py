"""Payloads as Discord documents them → the nouns; and whatever else may come."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import events, interactions, modals, wishes
from adapters.discord.places import Place, Places
from adapters.discord.wire import Json
from bot.domain import Attachment, Message, Scope, ThreadId

ME = "42"
TEXT, THREAD = Place("7", "1", 0), Place("8", "1", 11, "7")

# As Discord sends it, with what this bot does not read as well.
RECORDED: dict[str, Any] = {
    "type": 0,
    "tts": False,
    "timestamp": "2026-11-20T10:11:12.345000+00:00",
    "pinned": False,
    "nonce": "1441000000000000001",
    "mentions": [
        {
            "username": "threadsight",
            "id": "42",
            "global_name": None,
            "discriminator": "0042",
            "bot": True,
            "member": {"roles": ["44"], "nick": None, "flags": 0},
        },
        {
            "username": "bob.b",
            "id": "501",
            "global_name": "Bob",
            "discriminator": "0",
            "member": {"roles": [], "nick": "Bobby", "flags": 0},
        },
    ],
    "mention_roles": [],
    "mention_everyone": False,
    "member": {"roles": [], "nick": None, "mute": False, "deaf": False, "flags": 0},
    "id": "1441000000000000000",
    "flags": 0,
    "embeds": [],
    "edited_timestamp": None,
    "content": "<@42> is <@501> right about <:cat:99> ?",
    "components": [],
    "channel_type": 0,
    "channel_id": "7",
    "guild_id": "1",
    "author": {"username": "ann", "id": "500", "global_name": "Ann", "discriminator": "0"},
    "attachments": [
        {
            "id": "1440999999999999999",
            "filename": "IMG_1.jpg",
            "title": "IMG 1",
            "content_type": "image/jpeg",
            "size": 2734278,
            "url": "https://cdn.discordapp.com/attachments/7/1440999999999999999/IMG_1.jpg?ex=1&is=1&hm=1&",
            "proxy_url": "https://media.discordapp.net/attachments/7/1440999999999999999/IMG_1.jpg",
            "width": 4032,
            "height": 3024,
            "placeholder": "abc",
            "placeholder_version": 1,
            "content_scan_version": 3,
        }
    ],
}


def test_a_recorded_question_becomes_a_message() -> None:
    assert events.message(RECORDED, TEXT, ME) == Message(
        thread=ThreadId("discord", "1", "7", "1441000000000000000"),
        id="1441000000000000000",
        author="500",
        text="is @Bobby right about :cat: ?",
        sent_at=(1441000000000000000 // 4194304 + 1420070400000) / 1000,
        attachments=(
            Attachment(
                id="1440999999999999999",
                name="IMG_1.jpg",
                media_type="image/jpeg",
                size=2734278,
                url=RECORDED["attachments"][0]["url"],
                width=4032,
                height=3024,
            ),
        ),
        addressed=True,
    )


def test_a_reply_that_pings_the_bot_speaks_to_it_without_naming_it() -> None:
    reply = {**RECORDED, "type": 19, "content": "and this?"}
    message = events.message(reply, THREAD, ME)

    assert message is not None
    assert message.addressed


def test_a_picture_is_not_counted_twice() -> None:
    twice = {**RECORDED, "attachments": RECORDED["attachments"] * 2}
    message = events.message(twice, TEXT, ME)

    assert message is not None
    assert len(message.attachments) == 1


def test_an_id_longer_than_any_is_none() -> None:
    assert events.message({**RECORDED, "id": "9" * 5000}, TEXT, ME) is None


@pytest.mark.parametrize("kind", [1, 6, 7, 18, 20, 21, 22, 23, 46])
def test_what_discord_notes_by_itself_is_no_question(kind: int) -> None:
    assert events.message({**RECORDED, "type": kind}, THREAD, ME) is None


def test_a_post_without_anything_in_it_was_withheld() -> None:
    bare = {**RECORDED, "content": "", "attachments": [], "mentions": []}

    assert events.withheld(bare)
    assert not events.withheld({**bare, "sticker_items": [{"id": "1"}]})


def test_a_time_that_is_none_does_not_matter() -> None:
    message = events.message({**RECORDED, "edited_timestamp": "yesterday"}, TEXT, ME)

    assert message is not None
    assert message.edited_at is None


def test_a_deletion_in_a_place_that_nobody_knows_still_names_the_message() -> None:
    gone = {"id": "5", "channel_id": "9", "guild_id": "1"}

    assert events.deletions("MESSAGE_DELETE", gone, None) == [Scope("discord", "1", message="5")]


def test_a_bulk_deletion_is_one_for_each_message() -> None:
    gone = {"ids": ["5", "6"], "channel_id": "8", "guild_id": "1"}

    assert events.deletions("MESSAGE_DELETE_BULK", gone, THREAD) == [
        Scope("discord", "1", "7", "8", "5"),
        Scope("discord", "1", "7", "8", "6"),
    ]


@given(st.floats(1_500_000_000, 4_000_000_000))
def test_ids_and_moments_agree(seconds: float) -> None:
    first = events.first_id_at(seconds)

    assert abs(events.sent_at(str(first)) - seconds) < 0.002


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
)
KEYS = [*sorted(RECORDED), "message_snapshots", "message_reference", "poll", "thread", "webhook_id"]
INTERACTION = ["data", "member", "user", "guild_id", "token", "channel", "context", "message"]
INTERACTION += ["authorizing_integration_owners", "app_permissions", "attachment_size_limit"]
USED = ["name", "options", "resolved", "target_id", "type", "custom_id", "components"]


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_no_payload_breaks_the_reading(strange: Json) -> None:
    data = {**RECORDED, **strange}
    message = events.message(data, THREAD, ME, frozenset({"44"}))
    events.context(data, ThreadId("discord", "1", "7", "8"), ME)
    events.is_edit(data)
    events.has_thread(data)
    Places().learn("GUILD_CREATE", {"channels": [data], "roles": [data], **data}, ME)

    assert message is None or (message.id.isdecimal() and message.author.isdecimal())


@given(
    st.dictionaries(st.sampled_from(INTERACTION), ANYTHING),
    st.dictionaries(st.sampled_from(USED), ANYTHING),
)
def test_no_interaction_breaks_the_reading(strange: Json, data: Json) -> None:
    used = interactions.heard({"data": data, **strange}, Places())
    modals.question_of(used.data)
    modals.pictures_of(used.data)
    wishes.asked(used)

    assert wishes.command(used).platform == "discord"
