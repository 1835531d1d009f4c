"""The app's manifests: both ask for what the bot uses, and differ in nothing but the way in."""

import re
from pathlib import Path

import pytest

from adapters.slack.http import EVENTS_PATH
from adapters.slack.oauth import REDIRECT_PATH
from adapters.slack.probe import OPTIONAL_SCOPES, SCOPES

DEPLOY = Path(__file__).parents[3] / "deploy"
SOCKET, HTTP = DEPLOY / "slack-manifest.yaml", DEPLOY / "slack-manifest-http.yaml"
ADDRESS = "https://bot.example.com"


@pytest.mark.parametrize("path", [SOCKET, HTTP])
def test_a_manifest_asks_for_the_scopes_that_the_bot_needs_or_can_use(path: Path) -> None:
    block = path.read_text(encoding="utf-8").partition("    bot:\n")[2].partition("settings:")[0]

    scopes = re.findall(r"^ +- ([a-z_:.]+)", block, re.MULTILINE)

    assert sorted(scopes) == sorted((*SCOPES, *OPTIONAL_SCOPES))


def test_the_manifests_differ_in_nothing_but_the_way_in() -> None:
    http = HTTP.read_text(encoding="utf-8")
    ways = (
        r"^ +(url|request_url): .*\n",
        r"^  redirect_urls:\n.*\n",
        r"^ *#.*\n",
        r"^  socket_mode_enabled: .*\n",
    )

    plain = [
        re.sub("|".join(ways), "", text, flags=re.MULTILINE)
        for text in (http, SOCKET.read_text(encoding="utf-8"))
    ]

    assert plain[0] == plain[1]


def test_the_addresses_of_the_manifest_are_those_that_the_bot_answers() -> None:
    found = re.findall(rf"{ADDRESS}(\S+)", HTTP.read_text(encoding="utf-8"))

    assert set(found) == {EVENTS_PATH, REDIRECT_PATH}
    assert found.count(EVENTS_PATH) == 4
