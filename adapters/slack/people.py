"""Who somebody is, as far as Slack tells: an administrator, a guest of another organisation."""

import logging
import time
from collections.abc import Callable

from adapters.slack.api import Api, Json
from adapters.slack.events import items, table, text
from bot.errors import SetupError, ThreadsightError

REMEMBER_SECONDS = 300.0  # how long somebody who was an administrator still is one to us
DOUBT_SECONDS = 15.0  # before Slack is asked again that could not tell
REMEMBERED = 1000  # people
ROLES = ("is_admin", "is_owner", "is_primary_owner")

log = logging.getLogger("threadsight.slack")


class People:
    """Asks Slack whether somebody administers the workspace, and remembers it for minutes."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.api = api
        self.clock = clock
        self.known: dict[tuple[str, str], tuple[float, bool]] = {}

    async def administers(self, workspace: str, person: str) -> bool:
        """Whether this person is an administrator or owner of the workspace; False in doubt."""
        until, known = self.known.get((workspace, person), (0.0, False))
        if self.clock() < until:
            return known
        answer, seconds = await self.ask(workspace, person), REMEMBER_SECONDS
        if answer is None:
            answer, seconds = False, DOUBT_SECONDS
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[workspace, person] = self.clock() + seconds, answer
        return answer

    async def ask(self, workspace: str, person: str) -> bool | None:
        """What Slack says; None when it does not say."""
        try:
            told = await self.api.call(self.api.sure.users_info(user=person))
        except SetupError as error:
            log.warning("Slack's administrators are not known: %s", error.sentence)
            return None
        except ThreadsightError as error:
            log.info("Slack does not say who is an administrator: %s", type(error).__name__)
            return None
        user = table(told.get("user"))
        return belongs(user, workspace) and any(user.get(role) is True for role in ROLES)


def belongs(user: Json, workspace: str) -> bool:
    """Whether somebody is of this workspace: in a shared channel, others' administrators are none of ours."""
    if user.get("is_stranger") or user.get("deleted") or user.get("is_bot"):
        return False
    home, member_of = text(user, "team_id"), table(user.get("enterprise_user")).get("teams")
    return home in ("", workspace) or (isinstance(member_of, list) and workspace in member_of)


def groups_of(body: Json) -> tuple[str, ...]:
    """More ids by which somebody may be allowed or denied: the organisation, and where a guest comes from."""
    event = table(body.get("event"))
    changed = table(event.get("message"))
    found = (
        *(text(each, "enterprise_id") for each in items(body.get("authorizations"))),
        text(body, "enterprise_id"),
        text(table(body.get("enterprise")), "id"),
        text(table(body.get("team")), "enterprise_id"),
        text(event, "user_team"),
        text(event, "source_team"),
        text(changed, "user_team"),
        text(changed, "source_team"),
        text(table(body.get("user")), "team_id"),
    )
    return tuple(dict.fromkeys(each for each in found if each))
