"""The workspaces in which the bot is at home: for each its Web API, and who the bot is there."""

import asyncio
from typing import Protocol

from adapters.slack.api import Api
from adapters.slack.people import People
from adapters.slack.probe import Identity, identify


class Home:
    """One workspace, by one bot token."""

    def __init__(self, api: Api, me: Identity | None = None) -> None:
        self.api = api
        self.me = me
        self.people = People(api)
        self.asking = asyncio.Lock()

    async def identity(self) -> Identity:
        """Who the bot is; Slack is asked once, where nobody knew it before."""
        async with self.asking:
            if self.me is None:
                self.me = await identify(self.api)
            return self.me


class Homes(Protocol):
    """Finds the home for a workspace."""

    def known(self, workspace: str) -> Home | None:
        """The home, if it is known without asking anybody."""

    async def of(self, workspace: str, organisation: str = "") -> Home | None:
        """The home, or None where the bot is not installed.

        An organisation's id helps where the app was installed for all its workspaces at once.
        """


class OneHome:
    """The one workspace of SLACK_BOT_TOKEN: whatever comes, comes from there."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def known(self, workspace: str) -> Home:
        """The home."""
        return self.home

    async def of(self, workspace: str, organisation: str = "") -> Home:
        """The home."""
        return self.home
