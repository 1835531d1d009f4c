"""Discord's limits: waited for before they are met, and nothing sent that it would hold against the bot."""

import asyncio
import time

import aiohttp
import pytest

from adapters.discord import DiscordAdapter
from adapters.discord.limits import LOGIN_REFUSED, Limits
from adapters.discord.refusals import EDITS_SPENT
from bot.domain import Reply
from bot.errors import Outage, RateLimited, SetupError
from tests.adapters.discord.conftest import FakeDesk, asked, claimed, made
from tests.adapters.discord.test_draft import ANSWER, CREATE, EDIT, SMALL
from tests.clock import Clock
from tests.servers.discord import DiscordServer, Fault


def test_requests_beyond_a_seconds_share_wait_for_the_next() -> None:
    clock = Clock(100.0)
    limits = Limits(requests_a_second=3, now=clock)
    waits = [limits.reserve() for _ in range(7)]

    assert waits == pytest.approx([0, 0, 0, 1.1, 1.1, 1.1, 2.2])
    clock.move(3.5)
    assert limits.reserve() == 0


@pytest.mark.parametrize("status", [403, 429])
def test_refusals_pause_everything_long_before_discord_shuts_the_bot_out(status: int) -> None:
    clock = Clock(100.0)
    limits = Limits(most_refused=10, now=clock)
    for _ in range(10):
        limits.check()
        limits.count(status)
        clock.move(1.0)

    with pytest.raises(RateLimited) as raised:
        limits.check()
    assert raised.value.retry_after == pytest.approx(590.0)
    clock.move(591.0)
    limits.check()


def test_refusals_that_are_long_ago_and_limits_shared_with_others_do_not_count() -> None:
    clock = Clock(100.0)
    limits = Limits(most_refused=3, now=clock)
    for _ in range(50):
        limits.count(403)
        limits.count(429, shared=True)
        clock.move(400.0)

    limits.check()


def test_a_token_that_is_refused_is_never_sent_again() -> None:
    limits = Limits()
    limits.count(401)

    with pytest.raises(SetupError, match="DISCORD_TOKEN"):
        limits.check()


async def test_a_token_that_is_taken_away_in_mid_work_ends_the_bot_with_a_sentence(
    discord: DiscordServer, adapter: DiscordAdapter, desk: FakeDesk
) -> None:
    listening = asyncio.create_task(adapter.listen(desk))
    await discord.until(lambda: bool(discord.registered))
    question = await asked(discord)
    discord.token = "another"
    before = len(discord.requests)
    for _ in range(3):
        with pytest.raises(Outage):
            await adapter.draft(claimed(question)).finish(ANSWER)
    with pytest.raises(SetupError) as raised:
        await listening

    assert raised.value.sentence == LOGIN_REFUSED
    assert len(discord.requests) == before + 1


async def test_an_address_that_is_shut_out_asks_nothing_until_it_may(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    fault = Fault("status", status=429, headers={"Retry-After": "30"}, text="error code: 1015")
    discord.faults["POST /channels/{channel}/messages/{message}/threads"] = fault
    with pytest.raises(RateLimited) as raised:
        await adapter.draft(claimed(question)).finish(ANSWER)
    sent = len(discord.requests)
    with pytest.raises(RateLimited):
        await adapter.draft(claimed(await asked(discord))).finish(ANSWER)

    assert 25 < (raised.value.retry_after or 0) <= 30
    assert len(discord.requests) == sent


async def test_a_post_too_old_to_be_edited_once_more_is_posted_anew(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    posts = await adapter.draft(claimed(question)).finish(Reply("An old answer."))
    body = {"message": "too many edits", "code": EDITS_SPENT, "retry_after": 20.0, "global": False}
    discord.faults[EDIT] = Fault(
        "status", times=9, status=429, headers={"Via": "1.1 google"}, body=body
    )
    started = time.monotonic()
    again = await adapter.draft(claimed(question, posts=posts, version=2)).finish(ANSWER)

    assert again != posts
    assert discord.contents(question.id) == ["A cat." + SMALL]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_limit_of_any_scope_is_waited_out(
    scope: str, discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    body = {"message": "slow down", "retry_after": 0.3, "global": scope == "global"}
    headers = {"Via": "1.1 google", "X-RateLimit-Scope": scope}
    async with made(discord, session) as adapter:
        question = await asked(discord)
        discord.faults[CREATE] = Fault("status", status=429, headers=headers, body=body)
        started = time.monotonic()
        await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]
    assert time.monotonic() - started > 0.3
    assert discord.refused == 1


async def test_whoever_stops_waiting_for_the_limit_of_all_holds_nobody_up(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    body = {"message": "slow down", "retry_after": 0.5, "global": True}
    fault = Fault("status", status=429, headers={"Via": "1.1 google"}, body=body)
    discord.faults["POST /channels/{channel}/typing"] = fault
    draft = adapter.draft(claimed(await asked(discord)))
    await draft.show("")
    await discord.until(lambda: discord.refused == 1)
    await draft.leave()
    question = await asked(discord)
    await adapter.draft(claimed(question)).finish(ANSWER)

    assert discord.contents(question.id) == ["A cat." + SMALL]


async def test_a_crowd_of_requests_stays_under_the_limit_of_them_all(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    discord.most_a_second = 50
    questions = [await asked(discord) for _ in range(30)]
    await asyncio.gather(*(adapter.draft(claimed(each)).finish(ANSWER) for each in questions))

    assert all(discord.contents(each.id) == ["A cat." + SMALL] for each in questions)
    assert discord.refused == 0
