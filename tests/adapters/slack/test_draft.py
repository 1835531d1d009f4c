"""The visible reply, as people see it on the server."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.slack import SlackAdapter
from adapters.slack.draft import SlackDraft
from bot.domain import Button, Reply
from bot.errors import Outage, PermanentError, RateLimited, TransientError
from bot.ports import Draft
from tests.adapters.slack.conftest import REPLY, claim
from tests.servers import slack_rules as rules
from tests.servers.slack import CHANNEL, DIRECT, Fault, SlackServer

FOOTER = "1,203 in · 42 out · $0.0034\nthread $0.01"


async def caught_up(draft: Draft) -> None:
    """Waits until all that was to be shown is shown."""
    assert isinstance(draft, SlackDraft)
    assert draft.task is not None
    await draft.task


async def test_an_answer_streams_into_one_message_and_ends_with_its_footer(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("")
    posts = await draft.show("A red")
    await caught_up(draft)
    growing = slack.thread(question)
    done = await draft.finish(REPLY)

    assert growing == ["A red"]
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]
    assert done == posts
    assert slack.calls["chat.update"] == 0
    assert not slack.own()[0].get("streaming")


async def test_the_first_sign_stands_when_show_returns(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")

    posts = await adapter.draft(claim(question)).show("")

    assert len(posts) == 1
    assert slack.statuses[0][:2] == (question, "is looking …")


@pytest.mark.parametrize(
    "error",
    [
        "missing_recipient_user_id",
        "missing_recipient_team_id",
        "channel_type_not_supported",
        "not_allowed_token_type",
        "unknown_method",
        "internal_error",
    ],
)
async def test_where_a_stream_is_refused_a_message_is_updated_instead(
    slack: SlackServer, adapter: SlackAdapter, error: str
) -> None:
    slack.fail("chat.startStream", Fault(error=error, times=9))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("")
    await asyncio.sleep(0)
    await draft.show("A red")
    done = await draft.finish(REPLY)

    assert len(done) == 1
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]
    assert slack.calls["chat.stopStream"] == 0


async def test_a_slack_without_streams_and_statuses_is_asked_for_them_once(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown = {"chat.startStream", "assistant.threads.setStatus"}
    for _ in range(2):
        question = slack.post("what is this?")
        draft = adapter.draft(claim(question))
        await draft.show("")
        assert "Looking" in slack.thread(question)[0]
        await draft.finish(REPLY)
        assert slack.thread(question) == [f"A red square.\n{FOOTER}"]

    assert slack.calls["chat.startStream"] == 1
    assert slack.calls["assistant.threads.setStatus"] == 1


async def test_streams_that_slack_did_not_have_are_tried_again_after_a_while(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    now = 0.0
    adapter.api.lacks.clock = lambda: now
    slack.unknown = {"chat.startStream"}
    await adapter.draft(claim(slack.post("what is this?"))).show("")
    slack.unknown = set()
    await adapter.draft(claim(slack.post("what is this?"))).show("")
    before = slack.calls["chat.startStream"]
    now = 601.0

    await adapter.draft(claim(slack.post("what is this?"))).show("")

    assert (before, slack.calls["chat.startStream"]) == (1, 2)


async def test_a_direct_message_is_answered_in_its_thread(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?", channel=DIRECT)
    draft = adapter.draft(claim(question, channel=DIRECT))

    await draft.show("")
    await draft.finish(REPLY)

    assert slack.thread(question, DIRECT) == [f"A red square.\n{FOOTER}"]


async def test_a_stream_that_ended_early_is_completed_by_an_update(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    [post] = await draft.show("A")
    slack.die(post)
    done = await draft.finish(REPLY)

    assert done == (post,)
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


@pytest.mark.parametrize("error", ["stopped_by_user", "message_not_owned_by_app"])
async def test_a_stream_that_may_not_go_on_is_completed_by_an_update(
    slack: SlackServer, adapter: SlackAdapter, error: str
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    [post] = await draft.show("")
    slack.fail("chat.appendStream", Fault(error=error))
    slack.die(post)
    await draft.show("A red")
    await draft.finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_an_answer_that_became_another_one_replaces_the_stream(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("I think it")
    await draft.finish(Reply(text="The model is away.", failed=True))

    assert slack.thread(question) == ["The model is away."]


async def test_a_reply_without_showing_is_one_post(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]
    assert slack.calls["chat.postMessage"] == 1


async def test_a_later_process_completes_the_stream_that_the_claim_knows(
    slack: SlackServer, adapter: SlackAdapter, make_adapter: Callable[..., SlackAdapter]
) -> None:
    question = slack.post("what is this?")
    posts = await adapter.draft(claim(question)).show("A re")

    later = make_adapter().draft(claim(question, number=2, posts=posts))
    done = await later.finish(REPLY)

    assert done == posts
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_later_process_finds_the_stream_that_nobody_noted(
    slack: SlackServer, adapter: SlackAdapter, make_adapter: Callable[..., SlackAdapter]
) -> None:
    question = slack.post("what is this?")
    posts = await adapter.draft(claim(question)).show("A re")

    later = make_adapter().draft(claim(question, number=2))
    assert await later.show("") == posts
    await later.show("A red")
    done = await later.finish(REPLY)

    assert done == posts
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_later_process_leaves_the_thread_s_other_answers_alone(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    first = slack.post("what is this?")
    second = slack.post("and that?", thread=first)
    await adapter.draft(claim(first)).finish(REPLY)

    again = adapter.draft(claim(second, root=first, number=2))
    await again.finish(replace(REPLY, text="A blue one."))

    assert slack.thread(first) == [f"A red square.\n{FOOTER}", f"A blue one.\n{FOOTER}"]


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.stopStream", "chat.update"])
@pytest.mark.parametrize("fault", [Fault(lost=True), Fault(dropped=True)])
async def test_a_call_whose_answer_is_lost_is_not_seen_twice(
    slack: SlackServer, adapter: SlackAdapter, method: str, fault: Fault
) -> None:
    if method != "chat.stopStream":
        slack.unknown = {"chat.startStream"}
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    if method != "chat.postMessage":
        await draft.show("")
    slack.fail(method, replace(fault))

    try:
        await draft.finish(REPLY)
    except Outage:
        await adapter.draft(claim(question, number=2)).finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


FAULTS = {
    "lost": Fault(lost=True),
    "dropped": Fault(dropped=True),
    "broken": Fault(status=503),
    "limited": Fault(retry_after=0),
    "limited for long": Fault(retry_after=30),
    "lost thrice": Fault(lost=True, times=3),
    "late": Fault(late=0.3, times=2),
}


METHODS = [
    "chat.postMessage",
    "chat.update",
    "chat.delete",
    "conversations.replies",
    "assistant.threads.setStatus",
    "agents.sessions.setStatus",
    "chat.postEphemeral",
]
STREAMING = ["chat.startStream", "chat.appendStream", "chat.stopStream"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("known", [True, False])
async def test_whatever_call_fails_there_is_one_complete_reply_in_the_end(
    make_adapter: Callable[..., SlackAdapter], fault: str, known: bool
) -> None:
    cases = [(method, True) for method in METHODS + STREAMING]
    cases += [(method, False) for method in METHODS]

    await asyncio.gather(
        *(
            replied(make_adapter, method, FAULTS[fault], streams=streams, known=known)
            for method, streams in cases
        )
    )


async def replied(
    make_adapter: Callable[..., SlackAdapter],
    method: str,
    fault: Fault,
    *,
    streams: bool,
    known: bool,
) -> None:
    """A reply of two messages on a Slack of its own, tried by one process after the other."""
    slack = await SlackServer().start()
    slack.unknown = set() if streams else {"chat.startStream"}
    question = slack.post("what is this?")
    slack.fail(method, replace(fault))
    posts: tuple[str, ...] = ()
    for number in range(1, 5):
        adapter = make_adapter(api_url=slack.url)
        held = claim(question, number=number, posts=posts if known else (), stop="s1")
        draft = adapter.draft(held)
        assert isinstance(draft, SlackDraft)
        draft.signs.stop_seconds = 0.0
        await draft.show("")
        posts = await draft.show("A red")
        try:
            await draft.finish(replace(REPLY, text="A red square. " * 900))
            break
        except TransientError:
            slack.faults[method].clear()
    shown = slack.thread(question)
    await slack.stop()

    assert len(shown) == 2, method
    assert "\n".join(shown).count("square") == 900, method
    assert [FOOTER in text for text in shown] == [False, True], method


async def test_a_stream_whose_start_was_lost_is_found_again(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.startStream", Fault(lost=True))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("")
    await draft.show("A red")
    await draft.finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_piece_whose_answer_was_lost_is_not_written_twice(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("A ")
    slack.fail("chat.appendStream", Fault(lost=True))

    await draft.show("A red")
    await slack.until(lambda: slack.calls["chat.appendStream"])
    await draft.finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_long_answer_is_split_and_only_its_last_message_has_the_footer(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    words = [f"word{number}" for number in range(4000)]
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show(" ".join(words[:2000]))
    done = await draft.finish(replace(REPLY, text=" ".join(words)))

    shown = slack.thread(question)
    assert len(done) == len(shown) > 1
    assert [word for word in " ".join(shown).split() if word.startswith("word")] == words
    assert [FOOTER in post for post in shown] == [False] * (len(shown) - 1) + [True]


async def test_a_reply_that_became_shorter_leaves_no_old_posts(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    posts = await adapter.draft(claim(question)).finish(replace(REPLY, text="word " * 5000))

    again = await adapter.draft(claim(question, number=2, posts=posts)).finish(REPLY)

    assert len(posts) > 1
    assert again == posts[:1]
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_part_that_somebody_deleted_is_posted_again(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    [post] = await adapter.draft(claim(question)).finish(REPLY)
    del slack.channels[CHANNEL].messages[post]

    again = await adapter.draft(claim(question, number=2, posts=(post,))).finish(REPLY)

    assert again != (post,)
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_nothing_calls_anybody_and_no_link_is_previewed(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    text = "<!channel> <@U1> <!subteam^S1|x> see https://evil.example/?q=1 & `<@U2>`"
    reply = Reply(text=text, footer=("<!here>",), receipts=("<@U9>.png: seen",))
    for shown in (True, False):
        question = slack.post("what is this?")
        draft = adapter.draft(claim(question))
        if shown:
            await draft.show(text[:40])
        await draft.finish(reply)

        assert slack.thread(question)[0].startswith(text)

    assert [rules.called(message) for message in slack.own()] == [[], []]
    assert not any(message.get("unfurled") for message in slack.own())


async def test_blocks_that_slack_refuses_become_plain_text(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.postMessage", Fault(error="invalid_blocks"))
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_many_long_receipts_still_fit(slack: SlackServer, adapter: SlackAdapter) -> None:
    receipts = tuple(f"picture {number}: {'x' * 150}" for number in range(40))
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(
        replace(REPLY, text="word " * 2100, receipts=receipts)
    )

    shown = "\n".join(slack.thread(question))
    assert all(receipt in shown for receipt in receipts)


async def test_buttons_carry_their_token_only(slack: SlackServer, adapter: SlackAdapter) -> None:
    question = slack.post("what is this?")
    buttons = (Button("Try again", "tok1", "primary"), Button("Stop", "tok2"))

    await adapter.draft(claim(question)).finish(replace(REPLY, buttons=buttons))

    row = slack.own()[0]["blocks"][-1]["elements"]
    assert [element["value"] for element in row] == ["tok1", "tok2"]


async def test_a_parent_that_vanished_leaves_no_stray_reply(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    del slack.channels[CHANNEL].messages[question]

    with pytest.raises(PermanentError):
        await adapter.draft(claim(question)).finish(REPLY)

    assert slack.own() == []


async def test_a_post_of_which_slack_tells_no_thread_stays_where_the_thread_is(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.terse = True
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


@pytest.mark.parametrize(
    ("change", "says"), [("archived", "archived"), ("member", "invite"), ("gone", "gone")]
)
async def test_a_channel_that_is_closed_to_us_is_a_permanent_error_with_a_sentence(
    slack: SlackServer, adapter: SlackAdapter, change: str, says: str
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    if change == "gone":
        del slack.channels[CHANNEL]
    else:
        setattr(slack.channels[CHANNEL], change, change == "archived")

    await draft.show("")
    await draft.show("A red")
    with pytest.raises(PermanentError, match=says):
        await draft.finish(REPLY)


async def test_a_short_rate_limit_is_waited_out(slack: SlackServer, adapter: SlackAdapter) -> None:
    slack.fail("chat.postMessage", Fault(retry_after=0, times=2))
    question = slack.post("what is this?")

    await adapter.draft(claim(question)).finish(REPLY)

    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_long_rate_limit_is_told_with_its_seconds(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.postMessage", Fault(retry_after=60))
    question = slack.post("what is this?")

    with pytest.raises(RateLimited) as raised:
        await adapter.draft(claim(question)).finish(REPLY)

    assert raised.value.retry_after == 60
    assert slack.thread(question) == []


async def test_what_slack_put_off_while_showing_is_put_off_at_the_end_too(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.unknown |= {"chat.startStream", "chat.stopStream"}
    slack.fail("chat.update", Fault(retry_after=60))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("")
    await draft.show("A red")
    await slack.until(lambda: slack.calls["chat.update"])

    with pytest.raises(RateLimited) as raised:
        await draft.finish(REPLY)

    assert (raised.value.retry_after or 0) > 50
    assert slack.calls["chat.update"] == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_broken_slack_is_an_outage(
    slack: SlackServer, adapter: SlackAdapter, status: int
) -> None:
    slack.fail("chat.postMessage", Fault(status=status, times=9))
    question = slack.post("what is this?")

    with pytest.raises(Outage):
        await adapter.draft(claim(question)).finish(REPLY)


async def test_showing_never_raises_and_never_waits_for_a_limit(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    for method in ("chat.startStream", "chat.postMessage", "assistant.threads.setStatus"):
        slack.fail(method, Fault(retry_after=60, times=9))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    async with asyncio.timeout(2):
        assert await draft.show("") == ()
        assert await draft.show("A red") == ()
        await draft.leave()


async def test_a_question_that_is_gone_takes_the_draft_with_it(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("A red")

    await draft.withdraw()

    assert slack.own() == []


async def test_many_answers_at_once_keep_to_slack_s_limits_and_all_arrive(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.limits = True
    questions = [slack.post(f"number {number}") for number in range(14)]

    async def answer(question: str) -> None:
        draft = adapter.draft(claim(question))
        await draft.show("")
        await draft.show("A red")
        await draft.finish(REPLY)

    await asyncio.gather(*(answer(question) for question in questions))

    assert [slack.thread(question) for question in questions] == [
        [f"A red square.\n{FOOTER}"] for _ in questions
    ]


async def test_a_thread_that_cannot_be_looked_at_now_gets_no_second_reply(
    slack: SlackServer, adapter: SlackAdapter, make_adapter: Callable[..., SlackAdapter]
) -> None:
    question = slack.post("what is this?")
    await adapter.draft(claim(question)).show("A red")
    slack.fail("conversations.replies", Fault(retry_after=60))

    later = adapter.draft(claim(question, number=2))
    await later.show("")
    with pytest.raises(RateLimited):
        await later.finish(REPLY)

    assert slack.thread(question) == ["A red"]
    await make_adapter().draft(claim(question, number=2)).finish(REPLY)
    assert slack.thread(question) == [f"A red square.\n{FOOTER}"]


async def test_a_status_without_a_post_is_taken_back(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.startStream", Fault(error="not_allowed"))
    slack.fail("chat.postMessage", Fault(error="not_allowed"))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))
    await draft.show("")

    await draft.withdraw()

    assert [status for _, status, _ in slack.statuses] == ["is looking …", ""]


async def test_a_slack_that_does_not_answer_is_not_hammered(
    slack: SlackServer, adapter: SlackAdapter
) -> None:
    slack.fail("chat.startStream", Fault(status=500, times=99))
    question = slack.post("what is this?")
    draft = adapter.draft(claim(question))

    await draft.show("")
    await draft.show("A red")
    await draft.leave()

    assert slack.calls["chat.startStream"] == 1
