"""Answers with long code or large tables: files beside the text, wherever files may be posted."""

from typing import Any

import aiohttp

from adapters.discord import DiscordAdapter
from bot.domain import Button, Reply
from tests.adapters.discord.conftest import asked, claimed, made
from tests.servers.discord import DiscordServer, Fault

CREATE = "POST /channels/{channel}/messages"
EDIT = "PATCH /channels/{channel}/messages/{message}"
CODE = "print(1)\n" * 400
LONG = Reply(f"Here:\n```python\n{CODE}```", footer=("1 in",), buttons=(Button("👍", "up"),))


def files(discord: DiscordServer, post: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(each["filename"], discord.files[each["id"]][0]) for each in post["attachments"]]


async def test_long_code_is_a_file_under_the_text_that_names_it(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    await adapter.draft(claimed(question)).finish(LONG)

    [post] = discord.posts(question.id)
    assert post["content"] == "Here:\n\n*400 lines of code, in the file* `code-1.py`\n-# 1 in"
    assert files(discord, post) == [("code-1.py", CODE.encode())]
    assert post["components"]


async def test_what_was_shown_in_pieces_while_it_grew_ends_as_one_post_with_a_file(
    discord: DiscordServer, session: aiohttp.ClientSession
) -> None:
    async with made(discord, session, edit_seconds=0.05) as adapter:
        question = await asked(discord)
        draft = adapter.draft(claimed(question))
        await draft.show(LONG.text)
        await discord.until(lambda: len(discord.posts(question.id)) == 2)
        posts = await draft.finish(LONG)

    [post] = discord.posts(question.id)
    assert len(posts) == 1
    assert [name for name, _ in files(discord, post)] == ["code-1.py"]


async def test_where_no_file_may_be_posted_all_of_it_stands_in_the_text(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    discord.faults[CREATE] = Fault("status", status=403, body={"code": 50013})
    await adapter.draft(claimed(question)).finish(LONG)

    assert "".join(discord.contents(question.id)).count("print(1)") == 400
    assert not any(post["attachments"] for post in discord.posts(question.id))


async def test_an_answer_posted_again_has_its_file_once(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    posts = await adapter.draft(claimed(question)).finish(LONG)
    again = await adapter.draft(claimed(question, posts=posts)).finish(LONG)

    [post] = discord.posts(question.id)
    assert again == posts
    assert [name for name, _ in files(discord, post)] == ["code-1.py"]


async def test_an_answer_that_needs_no_file_any_more_has_none(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    question = await asked(discord)
    posts = await adapter.draft(claimed(question)).finish(LONG)
    await adapter.draft(claimed(question, posts=posts, version=2)).finish(Reply("Short."))

    [post] = discord.posts(question.id)
    assert (post["content"], post["attachments"]) == ("Short.", [])


async def test_a_lost_answer_to_a_post_with_a_file_leaves_it_there_once(
    discord: DiscordServer, adapter: DiscordAdapter
) -> None:
    for path in (CREATE, EDIT):
        question = await asked(discord)
        discord.faults[path] = Fault("lost")
        await adapter.draft(claimed(question)).finish(LONG)

        [post] = discord.posts(question.id)
        assert [name for name, _ in files(discord, post)] == ["code-1.py"]
        discord.faults.clear()
