"""The workspaces in which the bot is at home: for each its Web API, and who the bot is there."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from slack_sdk.oauth.installation_store import Bot

from adapters.slack.api import Api
from adapters.slack.installations import Installations
from adapters.slack.people import People
from adapters.slack.probe import Identity, identify

LOOK_SECONDS = 60.0  # after which a workspace's installation is looked at again


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


class InstalledHomes:
    """The workspaces that installed the app, and beside them the one of SLACK_BOT_TOKEN if there is one."""

    def __init__(
        self,
        installations: Installations,
        api: Callable[[str], Api],
        own: Home | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.installations = installations
        self.api = api
        """Makes the Web API for a token."""
        self.own = own
        self.clock = clock
        self.kept: dict[str, Kept] = {}
        self.looking = asyncio.Lock()

    def known(self, workspace: str) -> Home | None:
        """The home, if somebody looked lately."""
        if self.is_own(workspace):
            return self.own
        kept = self.kept.get(workspace)
        return kept.home if kept and self.clock() < kept.until else None

    async def of(self, workspace: str, organisation: str = "") -> Home | None:
        """The home, looked up once a minute: another process may have heard of a new token or the end."""
        known = self.known(workspace)
        if known is not None or not workspace:
            return known
        async with self.looking:
            known = self.known(workspace)
            if known is not None:
                return known
            bot = await self.installations.find(workspace, organisation)
            if bot is None:
                self.forget(workspace)
                return None
            return self.keep(workspace, bot)

    def keep(self, workspace: str, bot: Bot) -> Home:
        """Remembers a home; the same one as long as its token is the same, for its paces' sake."""
        kept = self.kept.get(workspace)
        home = kept.home if kept and kept.home.api.token == bot.bot_token else None
        if home is None:
            place = bot.team_name or "" if bot.team_id == workspace else ""
            me = Identity(workspace, bot.bot_user_id or "", bot.bot_id or "", place=place)
            home = Home(self.api(bot.bot_token), me)
        self.kept[workspace] = Kept(home, self.clock() + LOOK_SECONDS)
        return home

    def forget(self, workspace: str) -> None:
        """Looks anew the next time."""
        self.kept.pop(workspace, None)

    def forget_all(self) -> None:
        """Looks anew for every workspace; a home whose token is still the same stays the same."""
        self.kept = {name: Kept(kept.home, 0.0) for name, kept in self.kept.items()}

    def is_own(self, workspace: str) -> bool:
        """Whether it is the workspace of SLACK_BOT_TOKEN."""
        return self.own is not None and self.own.me is not None and self.own.me.team == workspace


@dataclass(frozen=True, slots=True)
class Kept:
    """A home that was looked up, and until when that holds."""

    home: Home
    until: float
