"""The model request: a follow-up with ten stored pictures, from our store to the model's server.

Time: from the call until the server has the whole body, for ways side by side in one run. Memory:
what the process grows by while five hundred different threads wait for their answers. The server is
another process.
"""

import asyncio
import base64
import hashlib
import json
import multiprocessing
import os
import random
import re
import socket
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from bot.domain import Answer, Ask, Attachment, Image, Message, Reply, ThreadId, Turn
from bot.model import ChatCompletions
from bot.model.request import Dialect, Load, compose
from bot.model.shelf import Shelf
from bot.ports import Store
from bot.pricing import Prices
from storage.store import open_store

ROUNDS = 50
THREADS = 500
PICTURES = 10
PICTURE_BYTES = 300_000
WAITING_BYTES = 60_000
"""Of a picture in the threads that wait: what they hold does not hang on it, and the disk is small."""
TIME_BOUND = 1.3
MEMORY_BOUND_MIB = 128
BODY_BOUND = 1.01
PATIENCE_SECONDS = 60.0
FOLLOW_UP = "ours, a follow-up at once"
ASK = Ask(model="gpt-5.6-luna", instructions="Be brief.")


def main() -> None:
    """Prints both measurements."""
    with TemporaryDirectory() as folder, sink() as server:
        asyncio.run(measure(Path(folder), server))


class Sink:
    """Where a model's server is that takes bodies, notes when, and answers with that moment."""

    def __init__(self, port: int, waiting: Semaphore, gate: Event) -> None:
        self.port = port
        self.waiting = waiting
        """Raised once for each request that waits at the gate."""
        self.gate = gate

    def url(self, path: str) -> str:
        """`now` answers at once, `gated` when the gate opens."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def wait_for(self, requests: int) -> None:
        """Returns when so many requests wait at the gate with their whole bodies there."""
        for _ in range(requests):
            assert self.waiting.acquire(timeout=PATIENCE_SECONDS)


async def measure(folder: Path, server: Sink) -> None:
    """Memory first, while the process is still small."""
    async with (
        open_store(f"sqlite:///{folder}/bench.db") as store,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        await measure_memory(store, session, server)
        await measure_time(store, session, server)


async def measure_memory(store: Store, session: aiohttp.ClientSession, server: Sink) -> None:
    """Many threads, each with ten pictures of its own, sent at once and all waiting."""
    threads = [await conversation(store, f"thread {n}", WAITING_BYTES) for n in range(THREADS)]
    await asked(client(session, server.url("now"), store.load), threads[0])
    before = resident_mib()
    model = client(session, server.url("gated"), Shelf(store.load).load)
    waiting = [asyncio.create_task(asked(model, turns)) for turns in threads]
    await asyncio.to_thread(server.wait_for, THREADS)
    grown = resident_mib() - before
    server.gate.set()
    await asyncio.gather(*waiting)
    print(f"memory of {THREADS} different threads waiting, {PICTURES} pictures each")
    print(f"  ours{grown:12.0f} MiB (≤ {MEMORY_BOUND_MIB}), {grown / THREADS:.2f} each")


async def measure_time(store: Store, session: aiohttp.ClientSession, server: Sink) -> None:
    """The ways in turns, so that a busy moment of the machine meets them all."""
    turns = await conversation(store, "timed")
    body = b"".join([piece async for piece in compose(turns, ASK, Dialect()).body(store.load)])
    pictures = [
        await store.load(picture.image.key)
        for turn in turns
        for picture in turn.pictures
        if picture.image
    ]
    # As in the bot, where the question before has left its pictures there.
    shelf = Shelf(store.load)
    url = server.url("now")
    with plain_connection(server.port) as line:
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "raw socket, body ready": lambda: asyncio.to_thread(sent_raw, line, body),
            FOLLOW_UP: lambda: asked(client(session, url, shelf.load), turns),
            "ours, all from the database": lambda: asked(client(session, url, store.load), turns),
            "aiohttp json=, pictures ready": lambda: sent_json(session, url, pictures),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                seconds[name].append(await way())
    print_times(seconds, len(body))
    share = len(body) / sum(4 * ((len(data) + 2) // 3) for data in pictures)
    print(f"  {'bytes against the base64 alone':32}{share:19.4f} × (≤ {BODY_BOUND})")


def print_times(seconds: dict[str, list[float]], size: int) -> None:
    """Medians, and each against the raw socket."""
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    floor = medians["raw socket, body ready"]
    print(f"body of {size / 1e6:.1f} MB at the server, from the call on")
    for name, median in medians.items():
        bound = f" (≤ {TIME_BOUND})" if name == FOLLOW_UP else ""
        print(f"  {name:32}{median * 1000:8.1f} ms {median / floor:6.2f} ×{bound}")


async def asked(model: ChatCompletions, turns: Sequence[Turn]) -> float:
    """Seconds from the call until the server had the whole body."""
    start = time.monotonic()
    async with aclosing(model.answer(turns, ASK)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                return float(piece.text) - start
    raise AssertionError("no answer")


async def sent_json(session: aiohttp.ClientSession, url: str, pictures: Sequence[bytes]) -> float:
    """The plain way: one big object, given to the HTTP library."""
    start = time.monotonic()
    content = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"},
        }
        for data in pictures
    ]
    body = {"model": ASK.model, "messages": [{"role": "user", "content": content}]}
    async with session.post(f"{url}/chat/completions", json=body) as response:
        return arrival(await response.read()) - start


def sent_raw(line: socket.socket, body: bytes) -> float:
    """The floor: bytes that are ready, on a connection that is open."""
    start = time.monotonic()
    line.sendall(
        b"POST /now/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    line.sendall(body)
    answer = b""
    while b"[DONE]" not in answer:
        answer += line.recv(65_536)
    return arrival(answer) - start


def arrival(answer: bytes) -> float:
    """The moment that the server told."""
    found = re.search(rb'"content":"([\d.]+)"', answer)
    assert found is not None
    return float(found[1])


def client(session: aiohttp.ClientSession, url: str, load: Load) -> ChatCompletions:
    return ChatCompletions(
        session, url, None, Prices.load(None), load, stall_seconds=PATIENCE_SECONDS
    )


async def conversation(store: Store, root: str, size: int = PICTURE_BYTES) -> list[Turn]:
    """A thread in the store with ten pictures asked about and answered, and a follow-up."""
    thread = ThreadId("bench", "w", "c", root)
    attachments = tuple(Attachment(f"{root}/{n}", f"{n}.jpg") for n in range(PICTURES))
    await store.accept(
        Message(thread, f"{root}/1", "ana", "What is this?", 1.0, attachments, addressed=True)
    )
    claim = await store.claim(["bench"], thread=thread)
    assert claim is not None
    for picture in await store.pictures(claim):
        await store.keep(claim, picture.number, image(f"{root}/{picture.number}", size))
    await store.record(claim, Reply("Ten pictures."))
    await store.settle(claim)
    await store.accept(
        Message(thread, f"{root}/2", "ana", "And which is best?", 2.0, addressed=True)
    )
    claim = await store.claim(["bench"], thread=thread)
    assert claim is not None
    return await store.history(claim)


def image(seed: str, size: int) -> Image:
    """A picture's worth of bytes, other for every seed."""
    data = random.Random(seed).randbytes(size)
    digest = hashlib.sha256(data).hexdigest()
    return Image(digest, "patch-2048-2500", "image/jpeg", 1024, 768, data, 4032, 3024, "seen")


def resident_mib() -> float:
    """The memory that this process holds, from Linux's own count."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def plain_connection(port: int) -> Iterator[socket.socket]:
    """A connection with nothing between us and the server."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as line:
        yield line


@contextmanager
def sink() -> Iterator[Sink]:
    """The server, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    waiting, gate = context.Semaphore(0), context.Event()
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, waiting, gate), daemon=True)
    process.start()
    try:
        yield Sink(ours.recv(), waiting, gate)
    finally:
        process.terminate()
        process.join()


def serve(parent: Connection, waiting: Semaphore, gate: Event) -> None:
    """Takes connections for ever; a thread for each, since it must cost the sender nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        parent.send(server.getsockname()[1])
        while True:
            line, _ = server.accept()
            threading.Thread(target=take, args=(line, waiting, gate), daemon=True).start()


def take(line: socket.socket, waiting: Semaphore, gate: Event) -> None:
    """Takes request after request of one connection, throwing the bodies away."""
    buffer = bytearray(1024 * 1024)
    with line:
        while head := read_head(line):
            at_once, _, begun = head.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", at_once, re.IGNORECASE)
            assert length is not None
            left = int(length[1]) - len(begun)
            while left > 0:
                left -= line.recv_into(buffer, min(left, len(buffer)))
            moment = time.monotonic()
            if b"/gated/" in at_once:
                waiting.release()
                gate.wait()
            line.sendall(spoken(moment))


def read_head(line: socket.socket) -> bytes:
    """What comes up to the end of the headers, and what of the body came with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = line.recv(65_536)
        if not chunk:
            return b""
        head += chunk
    return head


def spoken(moment: float) -> bytes:
    """A streamed answer that says when the body was there."""
    delta = json.dumps(
        {"choices": [{"delta": {"content": f"{moment:.9f}"}, "finish_reason": "stop"}]},
        separators=(",", ":"),
    )
    usage = '{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}'
    body = f"data: {delta}\n\ndata: {usage}\n\ndata: [DONE]\n\n".encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    ) + body


if __name__ == "__main__":
    main()
