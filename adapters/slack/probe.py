"""Who the bot is in Slack, and whether its tokens and scopes will do."""

from dataclasses import dataclass

from adapters.slack.api import SCOPE_MEND, Api, Json, Refused
from bot.domain import Check
from bot.errors import SetupError, ThreadsightError

SCOPES = (
    "app_mentions:read",
    "channels:history",
    "groups:history",
    "im:history",
    "mpim:history",
    "chat:write",
    "files:read",
    "commands",
)
"""What the bot needs; deploy/slack-manifest.yaml asks for the same."""

OPTIONAL_SCOPES = ("users:read", "files:write", "channels:read", "groups:read")
"""What it can do without: Slack's administrators are then none of the bot's, an estimate has no drawing, and
of a deleted channel it does not hear."""

APP_MEND = (
    "on the app's page Basic Information, under App-Level Tokens, make one with the scope "
    "connections:write and put it (xapp-…) into SLACK_APP_TOKEN"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot as its workspace knows it."""

    team: str
    user: str
    """The bot's user id: people mention it, and it signs the bot's posts."""
    bot: str
    name: str = ""
    place: str = ""
    """The workspace's name."""


async def probe_bot(api: Api) -> list[Check]:
    """Tries the bot token and looks at the scopes."""
    try:
        me, missing = await introduce(api)
    except ThreadsightError as error:
        return [Check("SLACK_BOT_TOKEN", ok=False, text=error.sentence)]
    text = lacking(missing) if missing else f"all {len(SCOPES)} are there"
    return [
        Check("SLACK_BOT_TOKEN", ok=True, text=f"@{me.name} in {me.place}"),
        Check("Slack scopes", ok=not missing, text=text),
    ]


async def probe_socket(api: Api, app_token: str) -> Check:
    """Tries the app-level token."""
    try:
        await connection(api, app_token)
    except ThreadsightError as error:
        return Check("SLACK_APP_TOKEN", ok=False, text=error.sentence)
    return Check("SLACK_APP_TOKEN", ok=True, text="Socket Mode takes it")


async def identify(api: Api) -> Identity:
    """The bot's identity; raises SetupError when the token or its scopes will not do."""
    me, missing = await introduce(api)
    if missing:
        raise SetupError(lacking(missing))
    return me


async def name_of(me: Identity, api: Api) -> str:
    """By what name people call the bot; who installs the app is not told."""
    if me.name:
        return me.name
    try:
        return (await introduce(api))[0].name
    except ThreadsightError:
        return ""


async def introduce(api: Api) -> tuple[Identity, list[str]]:
    """The bot's identity and the scopes that it lacks."""
    if not api.url.startswith("https://") and not api.local:
        raise SetupError(
            "SLACK_API_URL must start with https:// (http:// is for this machine only)."
        )
    if not api.token.isascii() or any(character.isspace() for character in api.token):
        raise SetupError("SLACK_BOT_TOKEN holds characters that no token has: copy it again.")
    if api.token.startswith("xapp-"):
        raise SetupError(
            "SLACK_BOT_TOKEN holds an app-level token (xapp-…): swap it with SLACK_APP_TOKEN."
        )
    response = await api.ask(api.sure.auth_test())
    data: Json = response.data  # type: ignore[assignment]
    me = Identity(
        team=str(data.get("team_id") or ""),
        user=str(data.get("user_id") or ""),
        bot=str(data.get("bot_id") or ""),
        name=str(data.get("user") or ""),
        place=str(data.get("team") or ""),
    )
    if not me.team or not me.user:
        raise SetupError("Slack does not say whose token SLACK_BOT_TOKEN is: it must be a bot's.")
    granted = next((v for k, v in response.headers.items() if k.lower() == "x-oauth-scopes"), None)
    return me, missing_from(granted)


def missing_from(granted: str | None) -> list[str]:
    """The needed scopes that are not granted; none when Slack does not tell."""
    if granted is None:
        return []
    held = {scope.strip() for scope in granted.split(",")}
    return [scope for scope in SCOPES if scope not in held]


def lacking(missing: list[str]) -> str:
    """What to do about missing scopes."""
    what = f"scopes {', '.join(missing)}" if len(missing) > 1 else f"scope {missing[0]}"
    mend = SCOPE_MEND.replace("add it", "add them") if len(missing) > 1 else SCOPE_MEND
    return f"The Slack app lacks the {what}: {mend}."


async def connection(api: Api, app_token: str) -> str:
    """A one-use address for Socket Mode; raises SetupError when the app token will not do."""
    if app_token.startswith("xoxb-"):
        raise SetupError(
            "SLACK_APP_TOKEN holds a bot token (xoxb-…): swap it with SLACK_BOT_TOKEN."
        )
    try:
        opened = await api.call(api.sure.apps_connections_open(app_token=app_token))
    except (SetupError, Refused) as error:
        raise SetupError(unconnected(error)) from error
    return str(opened.get("url") or "")


def unconnected(error: SetupError | Refused) -> str:
    """What to do about an app token that opens no connection."""
    if isinstance(error, Refused) and error.code == "feature_not_enabled":
        return "Socket Mode is off: switch it on, on the app's page Socket Mode."
    if "connections:write" in error.sentence or "lacks the scope" in error.sentence:
        return f"The app-level token lacks the scope connections:write: {APP_MEND}."
    return f"Slack does not take the app-level token: {APP_MEND}."
