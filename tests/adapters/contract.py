"""What every platform's adapter must do with the whole bot behind it, as people would see it there.

A platform brings a `Stage`: its own server, people who post, and the bot in front of it. Its tests are a
subclass of `Contract` with two fixtures that give a started stage and close it afterwards: `stage`, whose bot
may live in the test's own process, and `machine`, whose bot is a process of its own that can be killed.
"""

import asyncio
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

FOOTER = " in · "
"""Stands in the first line of every answer's footer, and in no placeholder or apology."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person posts."""

    name: str
    data: bytes
    media_type: str = "image/png"
    lost: bool = False
    """True when the platform gives something else instead of the file."""


class Stage(ABC):
    """One platform with one channel, some people, the model's server, and the bot."""

    mention: str
    """What a person types to mention the bot."""
    limit: int
    """Characters that one post of this platform can show."""

    @abstractmethod
    async def start(self) -> None:
        """Starts the bot, or starts it again on the same database; returns when it listens."""

    @abstractmethod
    async def stop(self) -> None:
        """Stops the bot as SIGTERM would."""

    @abstractmethod
    async def crash(self) -> None:
        """Ends the bot as SIGKILL would: nothing is finished, nothing is handed back."""

    @abstractmethod
    async def post(
        self,
        text: str,
        pictures: Sequence[Upload] = (),
        *,
        thread: str | None = None,
        author: str = "ann",
    ) -> str:
        """A person posts; returns the post's id. `thread` is the id of the thread's first question."""

    @abstractmethod
    async def deliver_again(self, message: str) -> None:
        """The platform tells of a post once more, as its documentation says that it may."""

    @abstractmethod
    async def delete(self, message: str) -> None:
        """A person deletes a post."""

    @abstractmethod
    def visible(self, thread: str) -> list[str]:
        """What people read of the bot in the thread of this first question, post by post, small print included."""

    @abstractmethod
    def strays(self) -> list[str]:
        """What the bot posted outside of any thread where people look."""

    @abstractmethod
    def pings(self) -> list[str]:
        """Whom the bot's posts called: people, groups or everybody."""

    @abstractmethod
    def answers(self, *texts: str) -> None:
        """What the model says next, one text for each question; after the last it repeats that."""

    @abstractmethod
    def hold(self) -> None:
        """The model stops in the middle of its words from now on."""

    @abstractmethod
    def release(self) -> None:
        """The model goes on, or says what follows at once."""

    @abstractmethod
    def asked(self) -> list[list[bytes]]:
        """The pictures of each request that the model got, in order."""

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        """Waits for something that people can see; fails with what they saw instead."""
        async with asyncio.timeout(seconds):
            # What is looked at lives in another task or another process, which tells nobody of it.
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def answered(self, thread: str, count: int = 1) -> list[str]:
        """Waits until so many complete answers stand in the thread; returns all its posts."""
        await self.until(lambda: self.complete(thread) >= count)
        return self.visible(thread)

    def complete(self, thread: str) -> int:
        return sum(FOOTER in text for text in self.visible(thread))


class Contract:
    """The tests themselves."""

    async def test_a_picture_with_a_mention_is_answered_once_in_its_thread(
        self, stage: Stage
    ) -> None:
        stage.answers("A red square.")

        question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(1))])
        posts = await stage.answered(question)

        assert len(posts) == 1
        assert posts[0].startswith("A red square.")
        assert FOOTER in posts[0]
        assert not stage.strays()

    async def test_a_follow_up_needs_no_mention_and_carries_the_same_bytes(
        self, stage: Stage
    ) -> None:
        stage.answers("First.", "Second.")

        question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(1))])
        await stage.answered(question)
        await stage.post("and what colour?", thread=question)
        await stage.answered(question, 2)

        first, second = stage.asked()
        assert first
        assert first == second

    async def test_words_in_a_thread_act_on_its_pictures_and_cost_nothing(
        self, stage: Stage
    ) -> None:
        stage.answers("First.", "Second.")

        question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(1))])
        await stage.answered(question)
        await stage.post(f"{stage.mention} drop 1", thread=question)
        await stage.until(
            lambda: any("Picture 1 is not sent" in text for text in stage.visible(question))
        )
        await stage.post("and this?", [Upload("b.png", png(2))], thread=question)
        posts = await stage.answered(question, 2)

        first, second = stage.asked()
        assert len(posts) == 3
        assert len(first) == len(second) == 1
        assert first != second

    async def test_pictures_come_in_the_order_in_which_they_were_posted(self, stage: Stage) -> None:
        uploads = [Upload(f"{n}.png", png(n)) for n in range(1, 5)]
        stage.answers("Four.")

        question = await stage.post(f"{stage.mention} compare them", uploads)
        await stage.answered(question)

        [sent] = stage.asked()
        assert [size(data) for data in sent] == [size(upload.data) for upload in uploads]

    async def test_pictures_posted_before_the_bot_was_called_are_seen(self, stage: Stage) -> None:
        stage.answers("I see it.")

        root = await stage.post("look at this", [Upload("a.png", png(3))])
        await stage.post(f"{stage.mention} what do you think?", thread=root, author="bob")
        await stage.answered(root)

        [sent] = stage.asked()
        assert [size(data) for data in sent] == [size(png(3))]

    async def test_what_is_not_for_the_bot_is_left_alone(self, stage: Stage) -> None:
        stage.answers("Answer.")

        chatter = await stage.post("just chatting", [Upload("a.png", png(1))])
        question = await stage.post(f"{stage.mention} and this?", [Upload("b.png", png(2))])
        await stage.answered(question)

        assert stage.visible(chatter) == []
        assert len(stage.asked()) == 1

    async def test_a_post_that_is_delivered_again_and_again_is_answered_once(
        self, stage: Stage
    ) -> None:
        stage.answers("Once.")

        question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(1))])
        await stage.deliver_again(question)
        await stage.answered(question)
        await stage.deliver_again(question)
        await stage.post(f"{stage.mention} and now?", thread=question)
        posts = await stage.answered(question, 2)

        assert len(posts) == 2
        assert len(stage.asked()) == 2

    async def test_a_crash_in_mid_answer_leaves_one_complete_answer(self, machine: Stage) -> None:
        machine.answers("A long story about a square.")
        machine.hold()

        question = await machine.post(f"{machine.mention} tell me", [Upload("a.png", png(1))])
        await machine.until(lambda: bool(machine.asked()) and bool(machine.visible(question)))
        await machine.crash()
        machine.release()
        await machine.start()
        posts = await machine.answered(question)

        assert len(posts) == 1
        assert posts[0].startswith("A long story about a square.")
        assert not machine.strays()

    async def test_a_long_answer_is_split_and_loses_nothing(self, stage: Stage) -> None:
        words = [f"word{n}" for n in range(stage.limit // 4)]
        stage.answers(" ".join(words))

        question = await stage.post(f"{stage.mention} tell me all", [Upload("a.png", png(1))])
        posts = await stage.answered(question)

        said = " ".join(posts).split()
        assert len(posts) > 1
        assert [word for word in said if word.startswith("word")] == words
        assert all(FOOTER not in post for post in posts[:-1])

    async def test_code_that_is_split_is_code_in_every_post(self, stage: Stage) -> None:
        lines = [f"print({n})" for n in range(stage.limit // 8)]
        stage.answers("```python\n" + "\n".join(lines) + "\n```")

        question = await stage.post(f"{stage.mention} write it", [Upload("a.png", png(1))])
        posts = await stage.answered(question)

        assert len(posts) > 1
        assert all(post.count("```") == 2 for post in posts)

    async def test_nothing_the_model_writes_calls_anybody(self, stage: Stage) -> None:
        stage.answers("@everyone @here <!channel> <!everyone> <@U123> <@123> <@&5> <!subteam^S1>")

        question = await stage.post(f"{stage.mention} read it", [Upload("<@U1>.png", png(1))])
        posts = await stage.answered(question)

        assert stage.pings() == []
        assert "everyone" in posts[0]

    async def test_one_bad_picture_fails_alone_and_is_named(self, stage: Stage) -> None:
        uploads = [Upload("good.png", png(2)), Upload("bad.png", b"not a picture")]
        stage.answers("One of them.")

        question = await stage.post(f"{stage.mention} what are these?", uploads)
        posts = await stage.answered(question)

        [sent] = stage.asked()
        assert [size(data) for data in sent] == [size(png(2))]
        assert "not seen" in posts[-1]

    async def test_a_file_that_cannot_be_had_gets_a_sentence_and_the_thread_goes_on(
        self, stage: Stage
    ) -> None:
        stage.answers("Now I see it.")

        lost = Upload("lost.png", png(1), lost=True)
        question = await stage.post(f"{stage.mention} what is this?", [lost])
        await stage.until(lambda: any("not seen" in post for post in stage.visible(question)))
        assert stage.asked() == []
        await stage.post(f"{stage.mention} then this", [Upload("b.png", png(2))], thread=question)
        posts = await stage.answered(question)

        assert posts[-1].startswith("Now I see it.")

    async def test_a_deleted_question_takes_its_answer_with_it(self, stage: Stage) -> None:
        stage.answers("Soon gone.")

        question = await stage.post(f"{stage.mention} what is this?", [Upload("a.png", png(1))])
        await stage.answered(question)
        await stage.delete(question)
        await stage.until(lambda: not stage.visible(question))

        assert not stage.strays()

    async def test_a_graceful_stop_and_a_start_lose_nothing(self, machine: Stage) -> None:
        machine.answers("Here I am.")

        await machine.stop()
        await machine.start()
        question = await machine.post(f"{machine.mention} there?", [Upload("a.png", png(1))])
        posts = await machine.answered(question)

        assert len(posts) == 1


def png(number: int) -> bytes:
    """A small plain picture whose size tells its number."""
    out = io.BytesIO()
    Image.new("RGB", (16 + number, 16), (200, 20 * number % 256, 30)).save(out, "PNG")
    return out.getvalue()


def size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture, whatever its format."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size
