"""Where everything arrives, however it came: finds the workspace that a payload is for, and its listeners."""

import logging
from collections.abc import Awaitable, Callable

from slack_bolt.request.internals import (
    extract_enterprise_id,
    extract_team_id,
)
from slack_bolt.response import BoltResponse

from adapters.slack.api import Json
from adapters.slack.errands import Errands
from adapters.slack.homes import Home, Homes
from adapters.slack.listeners import Listeners
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
        self.listeners: dict[str, tuple[Home, Listeners]] = {}

    async def receive(self, body: Json) -> BoltResponse:
        """Acknowledges by returning."""
        workspace = workspace_of(body)
        home = await self.homes.of(workspace, organisation_of(body))
        if home is None:
            # Uninstalled while this was on its way: nothing is kept of it, and it need not come again.
            log.info("something came from a workspace in which the bot is not installed")
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


def workspace_of(body: Json) -> str:
    """The id of the workspace in which the bot heard it; empty where the payload does not tell."""
    return told(extract_team_id, body)


def organisation_of(body: Json) -> str:
    """The id of the organisation to which that workspace belongs; mostly empty."""
    return told(extract_enterprise_id, body)


def told(extract: Callable[[dict[str, object]], str | None], body: Json) -> str:
    try:
        found = extract(dict(body))
    except (TypeError, AttributeError, KeyError, IndexError):
        return ""  # Something else stands where an id should.
    return found if isinstance(found, str) else ""
