"""A small Slack with people, the model's server and the whole bot."""

from collections.abc import Mapping, Sequence

from adapters.slack.blocks import MARKDOWN_LIMIT
from tests.adapters.contract import Upload
from tests.adapters.house import HouseStage
from tests.servers import slack_rules as rules
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, BOT_USER, CHANNEL, SlackServer


class SlackStage(HouseStage):
    """A small Slack with the bot in it."""

    platform = "slack"
    mention = f"<@{BOT_USER}>"
    limit = MARKDOWN_LIMIT

    def secrets(self) -> Mapping[str, str]:
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": self.server.url,
        }

    async def open(self) -> None:
        self.server = await SlackServer().start()
        self.server.redeliver_seconds = 0.5

    async def shut(self) -> None:
        await self.server.stop()

    async def listening(self) -> None:
        await self.server.until(lambda: self.server.sockets, 30)

    async def post(
        self,
        text: str,
        pictures: Sequence[Upload] = (),
        *,
        thread: str | None = None,
        author: str = "ann",
    ) -> str:
        files = []
        for picture in pictures:
            file = self.server.upload(picture.data, picture.name, picture.media_type)
            file.html = picture.lost
            files.append(file.info["id"])
        return self.server.post(text, files=files, user=f"U0{author.upper()}", thread=thread)

    async def deliver_again(self, message: str) -> None:
        self.server.tell(message)

    async def delete(self, message: str) -> None:
        self.server.delete(message)

    def visible(self, thread: str) -> list[str]:
        return self.server.thread(thread)

    def strays(self) -> list[str]:
        return [rules.shown(each) for each in self.server.own() if "thread_ts" not in each]

    def pings(self) -> list[str]:
        messages = self.server.channels[CHANNEL].messages.values()
        own = [message for message in messages if message.get("user") == BOT_USER]
        return [call for message in own for call in rules.called(message)]
