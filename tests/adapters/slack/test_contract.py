"""The contract of all adapters, on Slack, and what Slack has beyond it."""

from tests.adapters.contract import Contract, Upload, png
from tests.adapters.slack.stage import SlackStage
from tests.servers.slack import DIRECT


class TestSlack(Contract):
    """What every adapter must do."""

    async def test_an_edited_question_is_answered_anew_in_the_same_post(
        self, stage: SlackStage
    ) -> None:
        stage.answers("Old.", "New.")
        question = await stage.post(f"{stage.mention} old?", [Upload("a.png", png(1))])
        await stage.answered(question)
        [before] = stage.server.own()

        stage.server.edit(question, f"{stage.mention} new?")
        await stage.until(lambda: "New." in stage.visible(question)[0])

        [after] = stage.server.own()
        assert after["ts"] == before["ts"]
        assert "Old." not in stage.visible(question)[0]

    async def test_a_direct_message_needs_no_mention(self, stage: SlackStage) -> None:
        stage.answers("A square.")
        file = stage.server.upload(png(1))

        question = stage.server.post("what is this?", files=[file.info["id"]], channel=DIRECT)
        await stage.until(lambda: "A square." in "".join(stage.server.thread(question, DIRECT)))
