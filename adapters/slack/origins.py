"""Where a payload comes from: its workspace, and the organisation above that; pure."""

from collections.abc import Callable

from slack_bolt.request.internals import (
    extract_enterprise_id,
    extract_is_enterprise_install,
    extract_team_id,
)

from adapters.slack.api import Json


def workspace_of(body: Json) -> str:
    """The id of the workspace in which the bot heard it; empty where the payload does not tell."""
    found = told(extract_team_id, body)
    return found if isinstance(found, str) else ""


def organisation_of(body: Json) -> str:
    """The id of the organisation to which that workspace belongs; mostly empty."""
    found = told(extract_enterprise_id, body)
    return found if isinstance(found, str) else ""


def for_organisation(body: Json) -> bool:
    """Whether the app was installed for all workspaces of an organisation at once."""
    return told(extract_is_enterprise_install, body) is True


def told(extract: Callable[[dict[str, object]], object], body: Json) -> object:
    try:
        return extract(dict(body))
    except (TypeError, AttributeError, KeyError, IndexError):
        return None  # Something else stands where an id should.
