"""What comes in, however it came: stored before it is acknowledged, or acknowledged and then answered."""

import logging
from collections.abc import Coroutine
from dataclasses import replace

from slack_bolt.response import BoltResponse

from adapters.slack.api import Api, Json
from adapters.slack.commands import Commands
from adapters.slack.errands import Errands
from adapters.slack.events import Stopped, heard, table, text
from adapters.slack.modals import ASK, ESTIMATE
from adapters.slack.people import groups_of
from adapters.slack.probe import Identity
from adapters.slack.refusals import Refusals
from adapters.slack.thread import erase
from bot.domain import Message, Scope
from bot.errors import ThreadsightError
from bot.ports import Desk

log = logging.getLogger("threadsight.slack")


class Listeners:
    """Hears events, commands, shortcuts and buttons of one workspace; a transport brings the payloads."""

    def __init__(self, api: Api, desk: Desk, me: Identity, errands: Errands) -> None:
        self.api = api
        self.desk = desk
        self.me = me
        self.errands = errands
        self.commands = Commands(api, desk, me)
        api.live.desk = desk
        self.refusals = Refusals(api)

    async def hear(self, body: Json) -> BoltResponse:
        """Acknowledges by returning: whatever raises before is not acknowledged, and Slack sends it again."""
        kind = text(body, "type")
        if kind == "event_callback" or "event" in body:
            await self.event(body)
        elif "command" in body:
            self.later(self.commands.slash(body))
        elif kind == "message_action" and text(body, "callback_id") in (ESTIMATE, ASK):
            self.later(self.commands.shortcut(body))
        elif kind == "block_actions":
            self.later(self.commands.buttons(body))
        elif kind == "view_submission":
            return self.form(body)
        return BoltResponse(status=200, body="")

    def form(self, body: Json) -> BoltResponse:
        """Closes a form, or shows in it what is wrong."""
        if errors := self.commands.check(body):
            return BoltResponse(status=200, body={"response_action": "errors", "errors": errors})
        self.later(self.commands.submitted(body))
        return BoltResponse(status=200, body="")

    async def event(self, body: Json) -> None:
        """Returns once the event is stored, or is not our business."""
        self.meet(body)
        try:
            for what in heard(body, self.me):
                if isinstance(what, Message):
                    await self.accept(replace(what, groups=groups_of(body)))
                elif isinstance(what, Scope):
                    await self.retract(what)
                else:
                    self.later(self.stop(what))
        except ThreadsightError as error:
            log.warning("an event is not stored yet: %s", type(error).__name__)
            raise

    async def accept(self, message: Message) -> None:
        """Returns once a message is stored; why it is not answered is told afterwards."""
        card = await self.desk.accept(message)
        if card is not None:
            self.later(self.refusals.tell(message, card))

    async def retract(self, scope: Scope) -> None:
        """Erases what was deleted; the posts that answered it go afterwards."""
        posts = await self.desk.retract(scope)
        # With a channel its posts are gone already.
        if posts and scope.channel and scope.message:
            self.later(erase(self.api, scope.channel, posts))

    async def stop(self, stopped: Stopped) -> None:
        """Slack's own Stop is the bot's."""
        for claim in self.api.live.meant(stopped.channel, stopped.root, stopped.posts):
            await self.api.live.stop(claim, stopped.person)

    def meet(self, body: Json) -> None:
        """Remembers where people come from; a stream wants to know for whom it is."""
        event = table(body.get("event"))
        for said in (event, table(event.get("message"))):
            team = text(said, "user_team") or text(said, "source_team") or text(said, "team")
            self.api.live.met(text(said, "user"), team)

    def later(self, work: Coroutine[object, object, None]) -> None:
        """Does something after the acknowledgement; it fails alone."""
        self.errands.start(work)
