"""Workspaces that leave: the app is uninstalled or its token revoked, and what the bot kept of them goes."""

import logging
import time
from collections.abc import Sequence

from adapters.slack.api import BOT_MEND, Json
from adapters.slack.events import PLATFORM, table, text
from adapters.slack.homes import InstalledHomes
from adapters.slack.origins import for_organisation, organisation_of, workspace_of
from bot.domain import Scope
from bot.ports import Desk

CLOCKS_SECONDS = 60.0  # by which Slack's clock and ours may differ
RETRIES_SECONDS = 3600.0  # Slack tells of nothing again for so long

log = logging.getLogger("threadsight.slack")


class Leaving:
    """Erases a workspace's data, and its installation after that: what fails is told again by Slack."""

    def __init__(self, desk: Desk, homes: InstalledHomes | None) -> None:
        self.desk = desk
        self.homes = homes
        """None where the bot serves the one workspace of SLACK_BOT_TOKEN."""

    async def leave(self, body: Json) -> None:
        """Returns once everything is gone."""
        if await self.came_back(body):
            log.info("an end that Slack tells of late is not the end of a newer installation")
            return
        for workspace in await self.leavers(body):
            log.warning("the app is gone from %s; erasing what is kept of it", workspace)
            await self.desk.retract(Scope(PLATFORM, workspace))
            await self.forget(workspace, body)
        if self.homes is None:
            log.error("the app was uninstalled or its token revoked: install it and %s", BOT_MEND)
        elif through_organisation(body):
            await self.homes.installations.remove_organisation(organisation_of(body))
            self.homes.forget_all()

    async def forget(self, workspace: str, body: Json) -> None:
        if self.homes is not None and not through_organisation(body):
            await self.homes.installations.remove(workspace)
            self.homes.forget(workspace)

    async def leavers(self, body: Json) -> Sequence[str]:
        """The workspaces that leave; those of a whole organisation where it was installed for that."""
        event = table(body.get("event"))
        if text(event, "type") == "team_access_revoked":
            teams = event.get("team_ids")
            return [str(team) for team in teams] if isinstance(teams, list) else []
        if through_organisation(body) and self.homes is not None:
            return await self.homes.installations.workspaces(organisation_of(body))
        workspace = workspace_of(body)
        return [workspace] if workspace else []

    async def came_back(self, body: Json) -> bool:
        """Whether the app was installed again after what Slack tells of only now."""
        happened = body.get("event_time")
        if self.homes is None or not isinstance(happened, int | float):
            return False
        workspace = "" if through_organisation(body) else workspace_of(body)
        installed_at = await self.homes.installations.installed_at(workspace, organisation_of(body))
        late = time.time() - happened < RETRIES_SECONDS
        return installed_at is not None and late and installed_at > happened + CLOCKS_SECONDS


def leaves(body: Json) -> bool:
    """Whether a payload tells that the app may work somewhere no longer."""
    event = table(body.get("event"))
    kind = text(event, "type")
    if kind == "tokens_revoked":
        # Tokens of people are revoked too; the bot has none of those.
        return bool(table(event.get("tokens")).get("bot"))
    return kind in ("app_uninstalled", "team_access_revoked")


def through_organisation(body: Json) -> bool:
    """Whether it is the end for a whole organisation."""
    kind = text(table(body.get("event")), "type")
    return kind != "team_access_revoked" and for_organisation(body) and bool(organisation_of(body))
