"""Claims, bounds in time, retries or apologises, stops gracefully."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog

from bot.domain import Claim, Loss, Reply, ThreadId
from bot.errors import (
    Outage,
    PermanentError,
    Superseded,
    ThreadsightError,
    TransientError,
    Unposted,
    first,
)
from bot.ports import Draft, Store
from bot.responder import Responder

POLL_SECONDS = 1.0  # between looks for work that another process stored
BEAT_SECONDS = 1.0  # between looks whether our claims still hold
PURGE_SECONDS = 3600.0  # between looks for threads past their retention date
GRACE_SECONDS = 20.0  # for answers under way when we stop; hosts kill after 30
MAX_FAILURES = 3  # then the bot apologises and the thread moves on
FIRST_DELAY_SECONDS = 2.0
MAX_DELAY_SECONDS = 60.0
OUTAGE_SECONDS = 3600.0  # after so long nobody waits for an answer any more
POSTING_SECONDS = 86_400.0  # after so long a recorded reply is no longer tried to be posted
ANSWER_SECONDS = 900.0  # the most that one answer may take, whatever its parts do

BROKEN = "Something broke while I worked on this; I have tried {times} times. Please ask again."
DIED = (
    "Each time I worked on this question I broke down, so I leave it. Please try another picture."
)

log = structlog.get_logger("threadsight.worker")


@dataclass(slots=True)
class Job:
    """A claim that is being worked on in this process."""

    claim: Claim
    draft: Draft
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the person wants no more words."""
    task: "asyncio.Task[None] | None" = None
    loss: Loss | None = None


class Worker:
    """Answers what is due, several threads at a time, one message of a thread at a time."""

    def __init__(
        self,
        store: Store,
        responder: Responder,
        platforms: Collection[str],
        *,
        slots: int = 16,
        lease_seconds: float = 30.0,
        max_failures: int = MAX_FAILURES,
        outage_seconds: float = OUTAGE_SECONDS,
        thread: ThreadId | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.responder = responder
        self.platforms = platforms
        self.slots = slots
        self.lease_seconds = lease_seconds
        self.max_failures = max_failures
        self.outage_seconds = outage_seconds
        self.thread = thread
        """Set when only this thread is to be worked on."""
        self.now = now
        self.jobs: dict[ThreadId, Job] = {}
        self.due = asyncio.Event()
        self.stopping = False

    def wake(self) -> None:
        """Looks for work now instead of at the next poll."""
        self.due.set()

    async def run(self) -> None:
        """Works until `stop` was called; a cancellation hands all claims back."""
        try:
            await self.work_on()
        except ExceptionGroup as errors:
            raise first(errors) from errors

    def stop(self) -> None:
        """Claims nothing more; `run` returns when the answers under way are finished or handed back."""
        self.stopping = True
        self.due.set()

    async def work_on(self) -> None:
        """Claims, answers, prolongs and purges side by side."""
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(self.beat())
            purge = group.create_task(self.purge())
            try:
                while not self.stopping:
                    await self.fill(group)
                    await self.rest()
                await self.drain()
            finally:
                beat.cancel()
                purge.cancel()
                self.cancel_jobs()

    async def fill(self, group: asyncio.TaskGroup) -> None:
        """Claims as many threads as there are free slots."""
        while len(self.jobs) < self.slots and not self.stopping:
            try:
                claim = await self.store.claim(self.platforms, thread=self.thread)
            except Outage as error:
                if self.thread:
                    # Somebody sits and waits for just this thread: they are told.
                    raise
                log.warning("claim failed", error=type(error).__name__, reason=error.sentence)
                return
            if claim is None:
                return
            job = Job(claim, self.responder.draft(claim))
            if claim.stopped:
                job.stop.set()
            if earlier := self.jobs.get(claim.message.thread):
                # Its lease ran out, as after a pause of this process, and the thread came back to us.
                self.end(earlier, "taken")
            self.jobs[claim.message.thread] = job
            job.task = group.create_task(self.work(job))

    async def rest(self) -> None:
        """Sleeps until there may be something to claim."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.due.wait()
        except TimeoutError:
            pass
        self.due.clear()

    async def drain(self) -> None:
        """Lets the answers under way finish, for as long as the host lets us."""
        tasks = [job.task for job in self.jobs.values() if job.task]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)

    def cancel_jobs(self) -> None:
        for job in self.jobs.values():
            if job.task:
                job.task.cancel()

    def end(self, job: Job, loss: Loss) -> None:
        """Ends a job once: what it then has left to do is not cut short."""
        if job.loss is None and job.task:
            job.loss = loss
            job.task.cancel()

    async def work(self, job: Job) -> None:
        """Answers one claimed message, whatever happens."""
        claim, started = job.claim, time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await self.answer(job)
            note(claim, "answered", started, reply)
        except asyncio.CancelledError:
            await asyncio.shield(self.let_go(job))
            if job.loss is None:
                raise
        except Superseded:
            await self.forsake(job)
            note(claim, "superseded", started)
        except TimeoutError:
            await self.later(job, TransientError("The answer took too long."))
        except TransientError as error:
            note(claim, "postponed", started, error=error)
            await self.later(job, error)
        except PermanentError as error:
            note(claim, "refused", started, error=error)
            await self.give_up(job, error.sentence)
        except Exception as error:
            # A fault of ours: the person waits all the same, and only the log can say where it is.
            log.error("broke", **place(claim), error=type(error).__name__, where=where(error))
            await self.later(job, TransientError(BROKEN.format(times=claim.failures + 1)))
        finally:
            if self.jobs.get(claim.message.thread) is job:
                del self.jobs[claim.message.thread]
            self.due.set()

    async def answer(self, job: Job) -> Reply:
        claim = job.claim
        if claim.failures >= MAX_FAILURES and claim.reply is None:
            return await self.responder.give_in(claim, job.draft, DIED)
        return await self.responder.respond(claim, job.draft, job.stop)

    async def later(self, job: Job, error: TransientError) -> None:
        """Tries again after a while, or apologises when that was often or long enough."""
        claim = job.claim
        waited = self.now() - claim.since
        if isinstance(error, Unposted):
            hopeless = waited > POSTING_SECONDS
            await job.draft.leave()
            await self.quietly(self.store.settle(claim) if hopeless else self.delay(job, error))
            return
        failed_enough = claim.failures + 1 >= self.max_failures
        if failed_enough if error.counts else waited > self.outage_seconds:
            await self.give_up(job, error.sentence)
            return
        await job.draft.leave()
        await self.quietly(self.delay(job, error))

    async def delay(self, job: Job, error: TransientError) -> None:
        waited = self.now() - job.claim.since
        delay = pause(job.claim.failures, error, waited)
        await self.store.postpone(job.claim, delay, failed=error.counts)

    async def give_up(self, job: Job, sentence: str) -> None:
        """Tells the person why there is no answer; the thread moves on."""
        try:
            await self.responder.apologise(job.claim, job.draft, sentence)
        except TransientError as error:
            await job.draft.leave()
            await self.quietly(self.delay(job, error))
        except Superseded:
            await self.forsake(job)
        except Exception as error:
            # Not even this can be told; the thread's other questions do not wait for it.
            log.error("unheard", **place(job.claim), error=type(error).__name__, where=where(error))
            await job.draft.leave()
            await self.quietly(self.store.settle(job.claim))

    async def forsake(self, job: Job) -> None:
        """Ends a job whose claim turned out to be lost, before a beat could tell why."""
        # Said first, so that no beat cuts this short.
        job.loss = job.loss or "taken"
        try:
            job.loss = (await self.store.renew([job.claim])).get(job.claim.message.thread, job.loss)
        except ThreadsightError as error:
            log.info("too late", reason=type(error).__name__)
        await self.let_go(job)

    async def let_go(self, job: Job) -> None:
        """Ends a job from outside: the claim was lost, or this process stops."""
        if job.loss == "deleted":
            await job.draft.withdraw()
            return
        await job.draft.leave()
        if job.loss is None:
            await self.quietly(self.store.hand_back(job.claim))

    async def quietly(self, write: Awaitable[None]) -> None:
        """A last write that may come too late: then the lease ends by itself."""
        try:
            await write
        except ThreadsightError as error:
            log.info("too late", reason=type(error).__name__)

    async def beat(self) -> None:
        """Prolongs our claims and ends the jobs whose claim or question is gone."""
        heard = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            jobs = dict(self.jobs)
            if not jobs:
                heard = time.monotonic()
                continue
            try:
                losses = await self.store.renew([job.claim for job in jobs.values()])
            except Outage:
                # Without a word from the database the claims run out, and others may take them.
                if time.monotonic() - heard < self.lease_seconds:
                    continue
                losses = dict.fromkeys(jobs, "taken")
            else:
                heard = time.monotonic()
            for thread, loss in losses.items():
                job = jobs[thread]
                if loss == "stopped":
                    job.stop.set()
                else:
                    self.end(job, loss)

    async def purge(self) -> None:
        """Erases what has passed its retention date."""
        while True:
            try:
                if count := await self.store.purge():
                    log.info("purged", threads=count)
            except ThreadsightError as error:
                log.warning("purge failed", reason=type(error).__name__)
            await asyncio.sleep(PURGE_SECONDS)


def pause(failures: int, error: TransientError, waited: float) -> float:
    """Seconds until the next try: longer with each failure and with each minute waited, or as asked."""
    growing = FIRST_DELAY_SECONDS * float(2**failures) + waited / 10
    return max(min(growing, MAX_DELAY_SECONDS), error.retry_after or 0)


def note(
    claim: Claim,
    outcome: str,
    started: float,
    reply: Reply | None = None,
    error: ThreadsightError | None = None,
) -> None:
    """The one line of a turn: where, what, how long and how much, never a word of it."""
    facts: dict[str, object] = {"outcome": outcome, "seconds": round(time.monotonic() - started, 2)}
    if reply and reply.footer:
        facts["usage"] = reply.footer[0]
    if error:
        facts["error"] = type(error).__name__
    log.info("turn", **place(claim), **facts)


def place(claim: Claim) -> dict[str, object]:
    thread = claim.message.thread
    return {
        "platform": thread.platform,
        "workspace": thread.workspace,
        "channel": thread.channel,
        "thread": thread.root,
        "message": claim.message.id,
        "claim": claim.number,
    }


def where(error: BaseException) -> str:
    """The line that raised, without the values that stood there."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
