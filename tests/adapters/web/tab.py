"""A tab without a browser: it asks the page's server what the page asks, and knows what the page would show."""

import asyncio
import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

import aiohttp

Json = dict[str, Any]
WAIT_SECONDS = 15.0


class Tab:
    """`async with Tab(url) as tab`: it listens until it is closed, and again after every break."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.introduction: Json = {}
        self.posts: dict[str, Json] = {}
        self.replies: dict[str, Json] = {}
        self.trouble = ""
        self.resets: list[str] = []
        self.heard: list[str] = []
        """The names of all events, in order."""
        self.pictures = 0
        """How often it got the whole picture."""
        self.cards: list[Json] = []
        self.changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(headers={"Origin": self.url}, read_bufsize=1 << 22)
        self.listening = asyncio.create_task(self.listen())
        await self.until(lambda: self.pictures > 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.listening.cancel()
        with suppress(asyncio.CancelledError):
            await self.listening
        await self.session.close()

    async def post(
        self, text: str, files: Sequence[str] = (), *, root: str | None = None, key: str = ""
    ) -> Json:
        """Posts; returns the post, or what the server said of it."""
        body = {"key": key or uuid.uuid4().hex, "text": text, "root": root, "files": list(files)}
        return await self.send("POST", "/api/posts", json=body)

    async def upload(self, name: str, data: bytes) -> Json:
        """Sends a file."""
        return await self.send("POST", "/api/files", params={"name": name}, data=data)

    async def edit(self, post: str, text: str) -> Json:
        """Edits a post."""
        return await self.send("PUT", f"/api/posts/{post}", json={"text": text})

    async def delete(self, post: str) -> Json:
        """Deletes a post."""
        return await self.send("DELETE", f"/api/posts/{post}")

    async def command(self, text: str, files: Sequence[str] = ()) -> Json:
        """Types a command."""
        return await self.send("POST", "/api/commands", json={"text": text, "files": list(files)})

    async def press(self, token: str) -> Json:
        """Presses a button."""
        return await self.send("POST", "/api/press", json={"token": token})

    async def send(self, method: str, path: str, **what: Any) -> Json:
        """One request; what comes back also says its `status`."""
        async with self.session.request(method, f"{self.url}{path}", **what) as response:
            fact: Json = await response.json()
            return {"status": response.status, **fact}

    def said(self, root: str) -> list[str]:
        """What the bot says in a thread, reply by reply, small print included."""
        order = sorted(self.posts.values(), key=lambda post: post["number"])
        replies = [self.replies.get(post["id"]) for post in order if post["root"] == root]
        return [
            "\n".join([reply["text"], *reply["footer"], *reply["receipts"]])
            for reply in replies
            if reply
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that the tab shows."""
        async with asyncio.timeout(WAIT_SECONDS), self.changed:
            await self.changed.wait_for(condition)

    async def listen(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        while True:
            with suppress(aiohttp.ClientError, OSError):
                async with self.session.get(f"{self.url}/api/events", timeout=timeout) as stream:
                    await self.read(stream)
            await asyncio.sleep(0.05)

    async def read(self, stream: aiohttp.ClientResponse) -> None:
        name, data = "", ""
        while raw := await stream.content.readuntil(b"\n"):
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = line.removeprefix("data: ")
            elif not line and name:
                async with self.changed:
                    self.hear(name, json.loads(data))
                    self.changed.notify_all()
                name = ""

    def hear(self, name: str, fact: Json) -> None:
        self.heard.append(name)
        match name:
            case "picture":
                self.pictures += 1
                self.introduction, self.trouble = fact, fact["trouble"]
                self.posts = {post["id"]: post for post in fact["posts"]}
                self.replies = {reply["question"]: reply for reply in fact["replies"]}
            case "post":
                self.posts[fact["id"]] = fact
            case "gone":
                self.posts.pop(fact["id"], None)
            case "reply":
                self.replies[fact["question"]] = fact
            case "words":
                reply = self.replies[fact["question"]]
                reply["text"] = reply["text"][: fact["at"]] + fact["text"]
            case "unsaid":
                self.replies.pop(fact["question"], None)
            case "trouble":
                self.trouble = fact["text"]
            case "card":
                self.cards.append(fact)
            case "reset":
                self.resets.append(fact["text"])
