"""Who installed the app of a small Slack, by which tokens; and who its people are."""

from typing import Any

from aiohttp import encode_basic_auth, web

from tests.servers.slack_rules import Json, Refusal

CLIENT_ID, CLIENT_SECRET = "11.22", "client-right"
HOME, BOT = "T0HOME", "U0BOT"


class Installs:
    """Codes for tokens, and what `users.info` tells."""

    def __init__(self) -> None:
        self.client_secret = CLIENT_SECRET
        self.codes: dict[str, Json] = {}
        """Each works once."""
        self.teams: dict[str, str] = {}
        """Token → its workspace; an organisation's token works in all of its workspaces."""
        self.members: dict[str, str] = {}
        """Workspace → its organisation."""
        self.users: dict[str, Json] = {}
        self.bot_tokens: set[str] = set()

    def consent(
        self, team: str = "", *, token: str, organisation: str = "", bot: str = BOT, **more: Any
    ) -> str:
        """An administrator says yes; returns the code that the browser brings back."""
        code = f"code-{len(self.codes)}-{token}"
        self.codes[code] = {
            "access_token": token,
            "token_type": "bot",
            "scope": "chat:write,files:read",
            "bot_user_id": bot,
            "app_id": "A0APP",
            "team": {"id": team, "name": f"Team {team}"} if team else None,
            "enterprise": {"id": organisation, "name": "Org"} if organisation else None,
            "is_enterprise_install": bool(organisation and not team),
            "authed_user": {"id": "U0ADMIN"},
            **more,
        }
        return code

    def exchange(self, request: web.Request, args: Json) -> Json:
        """oauth.v2.access."""
        given = request.headers.get("Authorization", "")
        if given != encode_basic_auth(CLIENT_ID, self.client_secret):
            raise Refusal("bad_client_secret")
        answer = self.codes.pop(str(args.get("code")), None)
        if answer is None:
            raise Refusal("invalid_code")
        token = str(answer["access_token"])
        self.bot_tokens.add(token)
        self.teams[token] = (answer["team"] or answer["enterprise"])["id"]
        return answer

    def works_in(self, token: str, team: str) -> bool:
        """Whether a token is of this workspace, or of its organisation."""
        return self.teams.get(token, HOME) in (team, self.members.get(team))

    def user_info(self, args: Json) -> Json:
        """users.info."""
        user = self.users.get(str(args.get("user")))
        if user is None:
            raise Refusal("user_not_found")
        return {"user": {"id": args["user"], "team_id": HOME, **user}}
