"""The contract of all adapters, on the local page, and what it has beyond it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.contract import Contract, Stage, Upload, png
from tests.adapters.house import begun
from tests.adapters.web.stage import WebStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[WebStage]:
    async with begun(WebStage(tmp_path, apart=False)) as stage:
        yield stage


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[WebStage]:
    async with begun(WebStage(tmp_path, apart=True)) as stage:
        yield stage


class TestWeb(Contract):
    """What every adapter must do."""

    async def test_a_long_answer_is_split_and_loses_nothing(self, stage: Stage) -> None:
        words = [f"word{n}" for n in range(stage.limit // 4)]
        stage.answers(" ".join(words))

        question = await stage.post(f"{stage.mention} tell me all", [Upload("a.png", png(1))])
        [post] = await stage.answered(question)

        # A page has room: what would be split elsewhere stays in one piece.
        assert [word for word in post.split() if word.startswith("word")] == words

    async def test_code_that_is_split_is_code_in_every_post(self, stage: Stage) -> None:
        lines = "\n".join(f"print({n})" for n in range(stage.limit // 8))
        stage.answers(f"```python\n{lines}\n```")

        question = await stage.post(f"{stage.mention} write it", [Upload("a.png", png(1))])
        [post] = await stage.answered(question)

        assert lines in post
        assert post.count("```") == 2

    async def test_stop_ends_an_answer_and_try_again_begins_it_anew(self, stage: WebStage) -> None:
        stage.answers("A long story about a square.", "Another story.")
        stage.hold()
        question = await stage.post(f"{stage.mention} tell me", [Upload("a.png", png(1))])
        await stage.until(lambda: "A long story" in "".join(stage.visible(question)))

        await stage.look.press(stage.look.replies[question]["stop"])
        await stage.until(lambda: stage.look.replies[question]["state"] == "done")
        stopped = stage.look.replies[question]
        stage.release()
        [again] = [each for each in stopped["buttons"] if each["label"] == "Try again"]
        await stage.look.press(again["token"])
        await stage.until(lambda: "Another story." in "".join(stage.visible(question)))

        assert len(stage.visible(question)) == 1

    async def test_an_edited_question_is_answered_anew_in_the_same_post(
        self, stage: WebStage
    ) -> None:
        stage.answers("Old.", "New.")
        question = await stage.post(f"{stage.mention} old?", [Upload("a.png", png(1))])
        await stage.answered(question)

        await stage.look.edit(question, f"{stage.mention} new?")
        await stage.until(lambda: stage.visible(question)[0].startswith("New."))

        assert len(stage.visible(question)) == 1
