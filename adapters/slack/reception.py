"""Where everything arrives, however it came: finds the workspace that a payload is for, and its listeners."""

import logging
from collections.abc import Awaitable, Callable

from slack_bolt.response import BoltResponse

from adapters.slack.api import Json
from adapters.slack.errands import Errands
from adapters.slack.homes import Home, Homes, InstalledHomes
from adapters.slack.leaving import Leaving, leaves
from adapters.slack.listeners import Listeners
from adapters.slack.origins import organisation_of, workspace_of
from bot.ports import Desk

log = logging.getLogger("threadsight.slack")

Receive = Callable[[Json], Awaitable[BoltResponse]]
"""Takes in a payload; whatever it raises is not acknowledged, so that Slack sends it again."""


class Reception:
    """Hands each payload to the listeners of its workspace."""

    def __init__(self, homes: Homes, desk: Desk, errands: Errands) -> None:
        self.homes = homes
        self.desk = desk
        self.errands = errands
        self.leaving = Leaving(desk, homes if isinstance(homes, InstalledHomes) else None)
        self.listeners: dict[str, tuple[Home, Listeners]] = {}

    async def receive(self, body: Json) -> BoltResponse:
        """Acknowledges by returning."""
        if leaves(body):
            await self.leaving.leave(body)
            return BoltResponse(status=200)
        workspace = workspace_of(body)
        home = await self.homes.of(workspace, organisation_of(body))
        if home is None:
            # Uninstalled while this was on its way: nothing is kept of it, and it need not come again.
            log.info("something came from a workspace in which the bot is not installed")
            self.listeners.pop(workspace, None)
            return BoltResponse(status=200)
        return await (await self.listeners_of(workspace, home)).hear(body)

    async def listeners_of(self, workspace: str, home: Home) -> Listeners:
        """Those of a home, made anew when the home is another one than before."""
        known = self.listeners.get(workspace)
        if known is None or known[0] is not home:
            me = await home.identity()
            known = home, Listeners(home.api, self.desk, me, self.errands)
            self.listeners[workspace] = known
        return known[1]
