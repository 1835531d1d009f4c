"""Every request of an answer × every way in which it can go wrong: people see one whole answer."""

import asyncio
from dataclasses import replace

import pytest

from tests.adapters.contract import FOOTER, Upload, png
from tests.adapters.discord.stage import DiscordStage
from tests.servers.discord import Fault

VIA = {"Via": "1.1 google"}
SLOW_DOWN = {"message": "slow down", "retry_after": 0.05, "global": False}
FAULTS = {
    "reset": Fault("reset"),
    "503": Fault("status", status=503),
    "twice 503": Fault("status", times=2, status=503),
    "no answer": Fault("status", status=520),
    "429": Fault("status", status=429, headers=VIA, body=SLOW_DOWN),
    "429 from the edge": Fault("status", status=429, headers={"Retry-After": "0.05"}),
    "429 for all": Fault("status", status=429, headers=VIA, body={**SLOW_DOWN, "global": True}),
    "nonsense": Fault("status", status=200, headers={"X-RateLimit-Remaining": "3"}),
    "answer lost": Fault("lost"),
    "late": Fault("late"),
}
FILE = "GET /attachments/{channel}/{file}/{name}"
LATE_SECONDS = 0.2
CALLS = [
    "POST /channels/{channel}/messages/{message}/threads",
    "POST /channels/{channel}/typing",
    "POST /channels/{channel}/messages",
    "PATCH /channels/{channel}/messages/{message}",
    "GET /channels/{channel}/messages/{message}",
    FILE,
]


@pytest.mark.parametrize("call", CALLS)
async def test_whatever_becomes_of_a_request_there_is_one_whole_answer(
    call: str, stage: DiscordStage
) -> None:
    stage.answers("A long story about a red square.")
    discord = stage.server
    discord.limits = False
    # A file that is nonsense is a file that cannot be seen, and is answered so.
    faults = {name: FAULTS[name] for name in FAULTS if (call, name) != (FILE, "nonsense")}
    asked = {}
    for name, fault in faults.items():
        discord.faults[call] = given = replace(fault, until=asyncio.Event())
        asyncio.get_running_loop().call_later(LATE_SECONDS, given.until.set)
        question = await stage.post(f"{stage.mention} {name}?", [Upload("a.png", png(1))])
        # The next fault is for the next question; but a sign may be given up for the answer itself.
        await stage.until(lambda question=question: bool(stage.complete(question)))  # type: ignore[misc]
        discord.faults.pop(call, None)
        asked[name] = question
    seen = {name: stage.visible(question) for name, question in asked.items()}

    whole = {name: [FOOTER in post for post in posts] for name, posts in seen.items()}
    assert whole == {name: [True] for name in faults}
    assert all(post.startswith("A long story about a red square.") for [post] in seen.values())
    assert not stage.strays()
    assert len(stage.asked()) == len(faults)
