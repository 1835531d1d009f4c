"""Streams that end badly, answers that are stopped, and a workspace's limits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.slack import SlackAdapter
from adapters.slack.api import Api
from adapters.slack.draft import SlackDraft
from adapters.slack.thread import erase
from bot.domain import Button, Claim, Reply
from bot.errors import PermanentError, RateLimited
from tests.adapters.slack.conftest import REPLY, Notebook, claim
from tests.servers import slack_rules as rules
from tests.servers.slack import BOT_USER, CHANNEL, Fault, SlackServer

FOOTER = "1,203 in · 42 out · $0.0034\nthread $0.01"
WHOLE = f"A red square.\n{FOOTER}"
BUTTONS = (Button("Try again", "t1"), Button("👍", "t2"), Button("👎", "t3"))


def drafted(adapter: SlackAdapter, held: Claim) -> SlackDraft:
    draft = adapter.draft(held)
    assert isinstance(draft, SlackDraft)
    draft.signs.stop_seconds = 0.0
    return draft


async def caught_up(draft: SlackDraft) -> None:
    assert draft.task is not None
    await draft.task


async def test_a_message_carries_its_stop_until_it_is_complete(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown = {"chat.startStream"}
    question = slack.post("what is this?")
    draft = drafted(adapter, claim(question, stop="s1"))

    await draft.show("")
    before = rules.buttons_in(slack.own()[0])
    await draft.show("A red")
    await caught_up(draft)
    between = rules.buttons_in(slack.own()[0])
    await draft.finish(REPLY)

    assert before == between == {"Stop": "s1"}
    assert rules.buttons_in(slack.own()[0]) == {}


async def test_a_stream_that_takes_a_while_has_its_stop_beside_it_for_the_asker_alone(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = drafted(adapter, claim(question, stop="s1"))

    await draft.show("A")
    await slack.until(lambda: slack.whispers)
    await draft.finish(REPLY)

    [whisper] = slack.whispers
    assert rules.buttons_in(whisper) == {"Stop": "s1"}
    assert (whisper["user"], whisper["thread_ts"]) == ("U0ANN", question)
    assert slack.thread(question) == [WHOLE]


async def test_a_stream_that_ends_soon_shows_no_stop(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question, stop="s1"))

    await draft.show("A")
    await draft.finish(REPLY)

    assert slack.whispers == []


@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_a_post_that_slack_makes_late_does_not_stay_beside_the_reply(
    slack: SlackServer, adapter: SlackAdapter, method: str
) -> None:
    slack.unknown = {"chat.startStream"} if method == "chat.postMessage" else set()
    slack.fail(method, Fault(dropped=True))
    slack.fail("chat.postMessage", Fault(late=0.2))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("")
    before = slack.calls["chat.postMessage"]
    finishing = asyncio.create_task(draft.finish(REPLY))
    await slack.until(lambda: slack.calls["chat.postMessage"] > before)
    slack.post("Looking …", user=BOT_USER, thread=question)
    await finishing

    assert slack.thread(question) == [WHOLE]


async def test_an_agent_has_slack_s_own_stop_and_no_other(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.agent = True
    question = slack.post("what is this?")
    draft = drafted(adapter, claim(question, stop="s1"))

    await draft.show("A")
    await draft.finish(REPLY)

    assert slack.sessions == [(question, "processing")]
    assert slack.whispers == []
    assert slack.thread(question) == [WHOLE]


async def test_an_agent_s_session_ends_also_without_a_stream(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.agent, slack.unknown = True, {"chat.startStream"}
    question = slack.post("what is this?")
    draft = drafted(adapter, claim(question, stop="s1"))

    await draft.show("A")
    await draft.finish(REPLY)

    assert [status for _, status in slack.sessions] == ["processing", "active"]


@pytest.mark.parametrize("told", [True, False])
async def test_slack_s_own_stop_stops_the_answer_and_it_is_completed_once(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook, told: bool
) -> None:
    question = slack.post(f"<@{BOT_USER}> what is this?")
    await slack.until(lambda: listening.messages)
    draft = drafted(adapter, claim(question, stop="s1"))
    [post] = await draft.show("A")
    slack.stop_by_hand(post, told=told)
    await draft.show("A red")

    await slack.until(lambda: listening.presses)
    await draft.finish(REPLY)

    assert {(token, person.id) for token, person in listening.presses} == {("s1", "U0ANN")}
    assert slack.thread(question) == [WHOLE]


async def test_a_stop_before_any_stream_means_the_thread_s_answer(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    slack.agent, slack.unknown = True, {"chat.startStream"}
    question = slack.post(f"<@{BOT_USER}> what is this?")
    await slack.until(lambda: listening.messages)
    draft = drafted(adapter, claim(question, stop="s1"))
    await draft.show("")
    stop = {"type": "agent_session_stopped", "channel": CHANNEL, "thread_ts": question}

    slack.event(stop | {"streaming_message_ts": [], "user": "U0ANN"})
    await slack.until(lambda: listening.presses)
    await draft.finish(REPLY)
    slack.event(stop | {"streaming_message_ts": [], "user": "U0ANN"})
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))

    assert len(listening.presses) == 1


async def test_a_stream_that_died_after_five_minutes_goes_on_as_a_message(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = drafted(adapter, claim(question))
    [post] = await draft.show("A")
    slack.die(post)

    await draft.show("A red")
    await slack.until(lambda: slack.calls["chat.update"])
    await caught_up(draft)
    growing = slack.thread(question)
    await draft.finish(replace(REPLY, buttons=BUTTONS))

    assert growing == ["A red\n…"]
    assert slack.thread(question)[0].startswith(WHOLE)
    assert len(slack.own()) == 1


async def test_a_stream_that_nobody_could_end_is_ended_when_an_update_meets_it(
    slack: SlackServer, adapter: SlackAdapter, make_adapter: Callable[..., SlackAdapter]
) -> None:
    question = slack.post("what is this?")
    [post] = await adapter.draft(claim(question)).show("A")
    later = make_adapter()
    later.api.lacks.close("streams", 60)

    await later.draft(claim(question, number=2, posts=(post,))).finish(REPLY)

    assert slack.thread(question) == [WHOLE]
    assert not slack.own()[0].get("streaming")


async def test_a_stream_is_for_the_asker_in_the_asker_s_own_workspace(
    slack: SlackServer, adapter: SlackAdapter, listening: Notebook
) -> None:
    question = slack.post(f"<@{BOT_USER}> what is this?", user="U0EVE")
    slack.channels[CHANNEL].messages[question] |= {"user_team": "T0OTHER", "team": "T0OTHER"}
    slack.tell(question)
    await slack.until(lambda: all(delivery.acked_at for delivery in slack.deliveries))

    await adapter.draft(claim(question, author="U0EVE")).show("A")

    assert slack.own()[0]["for"] == ("T0OTHER", "U0EVE")


async def test_a_stream_that_opened_outside_its_thread_is_taken_back(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unthreads = True
    question = slack.post("what is this?")
    del slack.channels[CHANNEL].messages[question]
    draft = adapter.draft(claim(question))
    await draft.show("A")

    with pytest.raises(PermanentError, match="gone"):
        await draft.finish(REPLY)

    assert slack.own() == []


async def test_votes_stand_in_slack_s_own_form_beside_the_other_buttons(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(replace(REPLY, buttons=BUTTONS))

    [post] = slack.own()
    assert post["blocks"][-1]["type"] == "context_actions"
    assert list(rules.buttons_in(post).values()) == ["t1", "t2", "t3"]


async def test_votes_that_slack_does_not_know_become_buttons_from_then_on(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown = {"chat.startStream"}
    slack.fail("chat.postMessage", Fault(error="invalid_blocks"))

    for _ in range(2):
        await adapter.draft(claim(slack.post("?"))).finish(replace(REPLY, buttons=BUTTONS))

    assert [list(rules.buttons_in(post)) for post in slack.own()] == [["Try again", "👍", "👎"]] * 2
    assert slack.calls["chat.postMessage"] == 3


async def test_an_answer_anew_comes_into_the_same_posts_and_has_its_buttons_again(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    reply = replace(REPLY, buttons=BUTTONS)
    posts = await adapter.draft(claim(question)).finish(reply)

    longer = drafted(adapter, claim(question, number=2, posts=posts, stop="s1"))
    await longer.show("A much")
    between = rules.buttons_in(slack.own()[0])
    grown = await longer.finish(replace(reply, text="word " * 5000))
    shrunk = await adapter.draft(claim(question, number=3, posts=grown)).finish(reply)

    assert between == {"Stop": "s1"}
    assert grown[0] == posts[0]
    assert len(grown) == 3
    assert shrunk == posts
    assert len(slack.own()) == 1
    assert list(rules.buttons_in(slack.own()[0]).values()) == ["t1", "t2", "t3"]


async def test_a_withdrawn_answer_leaves_nothing_even_where_slack_is_slow_to_delete(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("A red")
    slack.fail("chat.stopStream", Fault(status=500, times=9))
    slack.fail("chat.delete", Fault(status=500, times=3), Fault(retry_after=0))

    await draft.withdraw()

    assert slack.own() == []


class Busy(Api):
    """A Slack that takes no deletion for a good while."""

    refusals = 9

    async def delete(self, channel: str, post: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise RateLimited("Slowly.", retry_after=0.001)
        await super().delete(channel, post)


async def test_a_post_is_deleted_however_long_slack_does_not_take_it(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    post = slack.post("A red square.", user=BOT_USER)
    api = Busy(token=adapter.api.token, url=slack.url, session=adapter.session)

    await erase(api, CHANNEL, [post])

    assert slack.own() == []


async def test_a_parent_that_vanishes_while_the_answer_grows_leaves_no_stray(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown = {"chat.startStream"}
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("A")
    del slack.channels[CHANNEL].messages[question]

    with pytest.raises(PermanentError, match="gone"):
        await draft.finish(replace(REPLY, text="word " * 5000))

    assert slack.own() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_a_post_on_its_way_when_the_question_goes_is_taken_back(
    slack: SlackServer, adapter: SlackAdapter, *, gone: bool
) -> None:
    slack.unknown = {"chat.startStream"}
    slack.fail("chat.postMessage", Fault(late=0.2))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    finishing = asyncio.create_task(draft.finish(REPLY))
    await slack.until(lambda: slack.calls["chat.postMessage"])
    if gone:
        del slack.channels[CHANNEL].messages[question]

    finishing.cancel()
    await asyncio.wait({finishing})
    await draft.withdraw()

    assert slack.own() == []


async def test_a_thread_that_this_process_answered_is_not_looked_at_again(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    first = slack.post("what is this?")
    second = slack.post("and that?", thread=first)
    posts = await adapter.draft(claim(first)).finish(REPLY)
    await adapter.draft(claim(second, root=first, number=2)).finish(REPLY)
    again = await adapter.draft(claim(second, root=first, number=3)).finish(REPLY)
    calls = slack.calls["conversations.replies"]
    await adapter.draft(claim(second, root=first, number=4, posts=again)).finish(REPLY)

    assert calls == slack.calls["conversations.replies"] == 1
    assert len(posts) == len(again) == 1
    assert slack.thread(first) == [WHOLE, WHOLE]


async def test_an_app_that_may_look_once_a_minute_answers_all_the_same(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.cut = 15
    root = slack.post("what is this?")
    questions = [slack.post(f"number {n}", thread=root) for n in range(20)]
    for number, question in enumerate(questions[:3]):
        # As after a restart: nothing is remembered of the thread.
        adapter.api.live.done.clear()
        held = claim(question, root=root, number=number + 2)
        await adapter.draft(held).finish(replace(REPLY, text=f"Square {number}."))

    assert slack.thread(root) == [f"Square {number}.\n{FOOTER}" for number in range(3)]


async def test_progress_leaves_room_for_what_completes_an_answer(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown, slack.limits = {"chat.startStream"}, True
    drafts = []
    for _ in range(3):
        draft = drafted(adapter, claim(slack.post("what is this?")))
        await draft.show("A")
        drafts.append(draft)
    while adapter.api.updates.take(leaving=5):
        pass

    await drafts[0].show("A red")
    before = slack.calls["chat.update"]
    await asyncio.gather(*(draft.finish(REPLY) for draft in drafts))

    assert before == 0
    assert all(rules.shown(post) == WHOLE for post in slack.own())


async def test_two_hundred_questions_of_fifty_people_are_all_answered_in_full_and_once(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    times = 120.0  # as fast as documented, here and there: two minutes' worth of limits in a second
    slack.limits, slack.speed = True, times
    adapter.api.hurry(times)
    questions = [slack.post(f"number {n}", user=f"U{n % 50:04d}") for n in range(200)]
    slots = asyncio.Semaphore(16)

    async def answer(number: int, question: str) -> None:
        async with slots:
            draft = adapter.draft(claim(question, author=f"U{number % 50:04d}", stop=f"s{number}"))
            await draft.show("")
            await draft.show(f"Square {number}")
            await draft.finish(Reply(f"Square {number}.", footer=("1 in · 1 out",)))

    async with asyncio.timeout(30):
        await asyncio.gather(*(answer(n, question) for n, question in enumerate(questions)))

    shown = [slack.thread(question) for question in questions]
    assert shown == [[f"Square {number}.\n1 in · 1 out"] for number in range(200)]
    assert any(post.get("streamed") for post in slack.own())
    assert not all(post.get("streamed") for post in slack.own())
