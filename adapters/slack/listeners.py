"""What comes in, however it came: stored before it is acknowledged, or acknowledged and then answered."""

import asyncio
import logging
from collections.abc import Coroutine

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse

from adapters.slack.api import Api, Json
from adapters.slack.commands import ESTIMATE, Commands
from adapters.slack.events import heard, text
from adapters.slack.probe import Identity
from bot.domain import Message, Scope
from bot.errors import ThreadsightError
from bot.ports import Desk

log = logging.getLogger("threadsight.slack")


class Listeners:
    """Hears events, commands, shortcuts and buttons; the transport brings the payloads."""

    def __init__(self, api: Api, desk: Desk, me: Identity, tasks: asyncio.TaskGroup) -> None:
        self.api = api
        self.desk = desk
        self.me = me
        self.tasks = tasks
        self.commands = Commands(api, desk, me)

    def app(self) -> AsyncApp:
        """The Bolt app; all goes through one middleware, since Bolt acknowledges before its listeners run."""
        app = AsyncApp(
            name="threadsight",
            logger=self.api.logger,
            client=self.api.careful,
            authorize=OneWorkspace(self.me, self.api.token),
            signing_secret="",
            ignoring_self_events_enabled=False,
        )
        app.middleware(self.hear)
        return app

    async def hear(self, body: Json) -> BoltResponse:
        """Acknowledges by returning: whatever raises before is not acknowledged, and Slack sends it again."""
        kind = text(body, "type")
        if kind == "event_callback" or "event" in body:
            await self.event(body)
        elif "command" in body:
            self.later(self.commands.slash(body))
        elif kind == "message_action" and text(body, "callback_id") == ESTIMATE:
            self.later(self.commands.shortcut(body))
        elif kind == "block_actions":
            self.later(self.commands.buttons(body))
        return BoltResponse(status=200, body="")

    async def event(self, body: Json) -> None:
        """Returns once the event is stored, or is not our business."""
        what = heard(body, self.me)
        try:
            if isinstance(what, Message):
                await self.desk.accept(what)
            elif isinstance(what, Scope):
                await self.retract(what)
        except ThreadsightError as error:
            log.warning("an event is not stored yet: %s", type(error).__name__)
            raise

    async def retract(self, scope: Scope) -> None:
        """Erases what was deleted; the posts that answered it go afterwards."""
        posts = await self.desk.retract(scope)
        if posts and scope.channel:
            self.later(self.delete(scope.channel, posts))

    async def delete(self, channel: str, posts: tuple[str, ...]) -> None:
        for post in posts:
            await self.api.delete(channel, post)

    def later(self, work: Coroutine[object, object, None]) -> None:
        """Does something after the acknowledgement; it fails alone."""
        self.tasks.create_task(guarded(work))


class OneWorkspace(AsyncAuthorize):
    """Knows the one workspace of the token, so that Slack is not asked again at each event."""

    def __init__(self, me: Identity, token: str) -> None:
        self.me = me
        self.token = token

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        actor_enterprise_id: str | None = None,
        actor_team_id: str | None = None,
        actor_user_id: str | None = None,
    ) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=self.me.team,
            bot_id=self.me.bot,
            bot_user_id=self.me.user,
            bot_token=self.token,
        )


async def guarded(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except ThreadsightError as error:
        log.warning("something was not done: %s", type(error).__name__)
    except Exception as error:
        log.error("something broke: %s", type(error).__name__)
