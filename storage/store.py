"""The Store on SQLite or PostgreSQL: each method is one transaction, told in a module beside."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from bot.domain import (
    Action,
    Answer,
    Budget,
    Call,
    Chance,
    Claim,
    Image,
    ImageKey,
    LedgerRow,
    Level,
    Loss,
    Mark,
    Message,
    Offer,
    Person,
    Picture,
    Post,
    PostId,
    Pressed,
    Reply,
    Scope,
    Spent,
    Standing,
    ThreadId,
    Turn,
    UsageRow,
)
from bot.errors import Outage, SetupError, Superseded, ThreadsightError
from storage import (
    accepting,
    choosing,
    claiming,
    conversation,
    cutting,
    erasure,
    faults,
    forgetting,
    gallery,
    money,
    pressing,
    retention,
)
from storage.cutting import IDLE_SECONDS
from storage.database import Database, Transaction, migrate, open_database
from storage.engines import database_file, make_file, parse

__all__ = ["SqlStore", "migrate", "open_store"]

PAGE_ROWS = 1000  # of the ledger, read at once
HELD = (
    "Another bot already answers from {path}: stop that one, or use PostgreSQL (DATABASE_URL) to "
    "run several."
)


class SqlStore:
    """The memory of the bot; see `bot.ports.Store` for what each method promises.

    What a new claim would find out or do again need not outlive a power cut: it is written without
    waiting for the disk.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        retention_days: int,
        purged_at_once: int = 500,
    ) -> None:
        self._database = database
        self._purged_at_once = purged_at_once
        self._lease_seconds = lease_seconds
        self._retention_seconds = retention_days * retention.DAY_SECONDS

    async def accept(
        self, message: Message, *, quiet: float = 3.0, idle: float = IDLE_SECONDS
    ) -> bool:
        """Stores or merges a message."""
        return await self._database.write(lambda tx: accepting.accept(tx, message, quiet, idle))

    async def end_conversation(self, channel: ThreadId, *, at: float | None = None) -> None:
        """Lets the next message of a channel without threads start anew."""
        await self._database.write(lambda tx: cutting.end(tx, channel, at))

    async def participation(
        self, thread: ThreadId, author: str, *, before: float | None = None
    ) -> str:
        """`asker`, `guest`, `early` or `stranger`."""
        return await self._database.read(
            lambda tx: conversation.participation(tx, cutting.last_of(tx, thread), author, before)
        )

    async def last_seen(self, platform: str) -> float | None:
        """When the newest message stored from this platform was sent."""
        return await self._database.read(lambda tx: conversation.last_seen(tx, platform))

    async def recent(self, platform: str, workspace: str, *, most: int = 50) -> list[ThreadId]:
        """The workspace's threads with the latest events."""
        return await self._database.read(
            lambda tx: conversation.recent(tx, platform, workspace, most)
        )

    async def retract(self, scope: Scope) -> tuple[PostId, ...]:
        """Erases for good."""
        return await self._database.write(lambda tx: erasure.retract(tx, scope))

    async def forget(
        self, platform: str, workspace: str, person: str, *, thread: ThreadId | None = None
    ) -> tuple[Post, ...]:
        """Erases what a person said."""
        return await self._database.write(
            lambda tx: forgetting.forget(
                tx, platform, workspace, person, thread and cutting.last_of(tx, thread)
            )
        )

    async def claim(
        self, platforms: Collection[str], *, thread: ThreadId | None = None
    ) -> Claim | None:
        """Takes the longest-due thread; a caller who is cancelled leaves nothing claimed."""
        taking = asyncio.ensure_future(
            self._database.write(
                lambda tx: pressing.with_stop(
                    tx,
                    claiming.claim(tx, platforms, thread, self._lease_seconds),
                    self._retention_seconds,
                ),
                lasting=False,
            )
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            with suppress(ThreadsightError):
                claim = await taking
                if claim is not None:
                    await self.hand_back(claim)
            raise

    async def renew(self, claims: Sequence[Claim]) -> Mapping[ThreadId, Loss]:
        """Prolongs all leases at once."""
        if not claims:
            return {}
        return await self._database.write(
            lambda tx: claiming.renew(tx, claims, self._lease_seconds), lasting=False
        )

    async def standing(self, claim: Claim) -> Standing:
        """What the claimed message finds, in one read."""
        return await self._database.read(lambda tx: conversation.standing(tx, claim))

    async def pictures(self, claim: Claim) -> list[Picture]:
        """The pictures so far, each with its number."""
        return await self._database.write(
            lambda tx: gallery.numbered(tx, claiming.held(tx, claim), claim.message),
            lasting=False,
        )

    async def keep(
        self, claim: Claim, number: int, image: Image, more: Sequence[Image] = ()
    ) -> None:
        """Stores a prepared picture."""
        await self._database.write(
            lambda tx: gallery.keep(tx, claiming.held(tx, claim), number, [image, *more]),
            lasting=False,
        )

    async def recall(self, claim: Claim, number: int, form: str, *, source: str = "") -> bool:
        """Shows a form that is there already."""
        return await self._database.write(
            lambda tx: gallery.recall(tx, claiming.held(tx, claim), number, form, source),
            lasting=False,
        )

    async def knows(self, place: ThreadId, source: str, form: str) -> bool:
        """Whether a form made of this file is kept."""
        return await self._database.read(lambda tx: gallery.knows(tx, place, source, form))

    async def note(self, claim: Claim, number: int, receipt: str) -> None:
        """Notes a receipt alone."""
        await self._database.write(
            lambda tx: gallery.note(tx, claiming.held(tx, claim), number, receipt),
            lasting=False,
        )

    async def load(self, key: ImageKey) -> bytes:
        """Reads a stored picture."""
        return await self._database.read(lambda tx: gallery.load(tx, key))

    async def history(self, claim: Claim) -> list[Turn]:
        """Reads the conversation."""
        return await self._database.read(lambda tx: conversation.history(tx, claim))

    async def conversation(self, thread: ThreadId) -> list[Turn]:
        """Reads all of a thread."""
        return await self._database.read(
            lambda tx: conversation.conversation(tx, cutting.current_of(tx, thread))
        )

    async def mark(self, thread: ThreadId, numbers: Collection[int], mark: Mark) -> list[int]:
        """Marks pictures."""
        return await self._database.write(
            lambda tx: gallery.mark(tx, cutting.current_of(tx, thread), numbers, mark)
        )

    async def reply(self, message: Message) -> Reply | None:
        """What was said to a settled message."""
        return await self._database.read(lambda tx: conversation.reply(tx, message))

    async def attempt(self, claim: Claim, call: Call) -> int:
        """Notes a call and reserves its money."""
        return await self._database.write(
            lambda tx: money.attempt(tx, claim, claiming.held(tx, claim), call)
        )

    async def left(self, place: ThreadId, budgets: Sequence[Budget]) -> list[Decimal]:
        """What is free in budgets."""
        return await self._database.read(lambda tx: money.left(tx, place, budgets))

    async def close(self, claim: Claim, call: int, *, charged: bool) -> None:
        """Ends a call that gave no answer."""
        await self._database.write(lambda tx: money.close(tx, claim, call, charged=charged))

    async def record(
        self, claim: Claim, reply: Reply, *, call: int | None = None, answer: Answer | None = None
    ) -> None:
        """Stores the reply and books its cost; the cost also when the reply comes too late."""

        def work(transaction: Transaction) -> Superseded | None:
            if call is not None and answer is not None:
                money.charge(transaction, claim, call, answer)
            try:
                message = claiming.held(transaction, claim)
            except Superseded as error:
                return error
            claiming.record(transaction, message, reply)
            return None

        late = await self._database.write(work)
        if late is not None:
            raise late

    async def posted(self, claim: Claim, posts: Sequence[PostId]) -> None:
        """Notes where the reply stands."""
        await self._database.write(lambda tx: claiming.posted(tx, claim, posts))

    async def offer(self, claim: Claim, chances: Sequence[Chance]) -> list[str]:
        """Tokens of buttons."""
        return await self._database.write(
            lambda tx: pressing.offer(tx, claim, chances, self._retention_seconds),
            lasting=False,
        )

    async def offer_card(
        self, place: ThreadId, person: str, action: Action, value: str = "", *, message: str = ""
    ) -> str:
        """The token of a button under a card."""
        return await self._database.write(
            lambda tx: pressing.offer_card(tx, place, person, action, value, message)
        )

    async def offered(self, token: str) -> Offer | None:
        """What a token stands for."""
        return await self._database.read(lambda tx: pressing.offered(tx, token))

    async def press(self, token: str, person: Person) -> Pressed:
        """Does what a token stands for."""
        return await self._database.write(lambda tx: pressing.press(tx, token, person))

    async def choices(self, place: ThreadId) -> Mapping[Level, Mapping[str, str]]:
        """What was set for a place."""
        return await self._database.read(lambda tx: choosing.choices(tx, place))

    async def choose(self, place: ThreadId, level: Level, name: str, value: str | None) -> None:
        """Sets something for a place."""
        await self._database.write(lambda tx: choosing.choose(tx, place, level, name, value))

    async def read_up_to(self, platform: str, workspace: str) -> Mapping[str, str]:
        """How far a workspace's channels were read."""
        return await self._database.read(lambda tx: choosing.read_up_to(tx, platform, workspace))

    async def note_read(self, platform: str, workspace: str, channel: str, message: str) -> None:
        """Notes how far a channel was read."""
        await self._database.write(
            lambda tx: choosing.note_read(tx, platform, workspace, channel, message)
        )

    async def settle(self, claim: Claim) -> None:
        """Ends the work on a message."""
        await self._database.write(lambda tx: claiming.settle(tx, claim))

    async def hand_back(self, claim: Claim) -> None:
        """Gives a claim back, due at once."""
        await self._database.write(lambda tx: claiming.give_back(tx, claim, 0.0, failed=False))

    async def postpone(self, claim: Claim, delay: float, *, failed: bool) -> None:
        """Gives a claim back, due later."""
        await self._database.write(lambda tx: claiming.give_back(tx, claim, delay, failed=failed))

    async def thread_spent(self, thread: ThreadId) -> Spent:
        """What a thread has cost."""
        return await self._database.read(
            lambda tx: money.thread_spent(tx, cutting.last_of(tx, thread))
        )

    async def usage(
        self,
        *,
        since: float | None = None,
        platform: str | None = None,
        workspace: str | None = None,
        channel: str | None = None,
        person: str | None = None,
    ) -> list[UsageRow]:
        """The ledger's sums."""
        wanted = {
            "platform": platform,
            "workspace": workspace,
            "channel": channel,
            "person": person,
        }
        return await self._database.read(lambda tx: money.usage(tx, since, wanted))

    async def ledger(
        self, *, since: float | None = None, page_rows: int = PAGE_ROWS
    ) -> AsyncIterator[LedgerRow]:
        """The ledger's rows, page by page."""
        after = None
        while True:
            page = partial(money.page, since=since, after=after, size=page_rows)
            rows, after = await self._database.read(page)
            for row in rows:
                yield row
            if after is None:
                return

    async def purge(self) -> int:
        """Erases what retention lets go, some at a time: others write in between."""
        purge = partial(
            erasure.purge, retention_seconds=self._retention_seconds, most=self._purged_at_once
        )
        count = erased = await self._database.write(purge)
        while erased == self._purged_at_once:
            erased = await self._database.write(purge)
            count += erased
        return count


@asynccontextmanager
async def open_store(
    url: str,
    *,
    exclusive: bool = False,
    clock: Callable[[], float] | None = None,
    lease_seconds: float = 30,
    retention_days: int = 30,
) -> AsyncIterator[SqlStore]:
    """A store that is ready to use and closed at the end; `exclusive` for the bot, which claims.

    On SQLite only one such process may live, so it takes back at once what a dead one held. Without
    a clock the database's own counts. Raises SetupError or Outage.
    """
    address = parse(url)
    alone = exclusive and address.get_backend_name() == "sqlite"
    with claiming_alone(database_file(address)) if alone else nullcontext():
        async with open_database(url, clock) as database:
            if alone:
                await database.write(claiming.take_back_all)
            yield SqlStore(database, lease_seconds=lease_seconds, retention_days=retention_days)


@contextmanager
def claiming_alone(database: Path) -> Iterator[None]:
    """Holds the lock file beside the database, which the system frees when the process dies."""
    make_file(database)
    lock = FileLock(
        database.with_name(f"{database.name}.lock"),
        timeout=0,
        mode=0o600,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    try:
        lock.acquire()
    except Timeout as error:
        raise SetupError(HELD.format(path=database)) from error
    except OSError as error:
        raise Outage(faults.READ_ONLY) from error
    try:
        yield
    finally:
        lock.release()
