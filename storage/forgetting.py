"""A person has the bot forget them: in a workspace, or in one thread."""

from dataclasses import replace

from sqlalchemy import and_, delete, select

from bot.domain import Post, Scope, ThreadId
from storage.database import Transaction
from storage.erasure import bury, erase_messages, lock_key, lock_threads, part_of
from storage.rows import IN_ORDER, to_thread
from storage.tables import buttons, calls, messages, threads, votes

# What a person has us forget still stands on its platform, and a question in an old thread reads
# it there again: ten years.
FORGOTTEN_SECONDS = 10 * 365 * 86_400.0


def forget(
    transaction: Transaction,
    platform: str,
    workspace: str,
    person: str,
    thread: ThreadId | None,
) -> tuple[Post, ...]:
    """Erases what a person said, and leaves a tombstone for each message of it."""
    transaction.lock(key=lock_key(platform, workspace), shared=False)
    transaction.scrub = True
    now = transaction.now()
    whole = here = Scope(platform, workspace)
    if thread is not None:
        here = replace(whole, channel=thread.channel, root=thread.root)
    said = and_(messages.c.author == person, *part_of(threads, here))
    lock_threads(transaction, select(messages.c.thread).join(threads).where(said))
    doomed = transaction.all(
        select(
            *messages.c["key", "id", "thread", "sent_at", "posts"],
            *threads.c["platform", "workspace", "channel", "root"],
        )
        .join(threads)
        .where(said)
        .order_by(threads.c.key, *IN_ORDER)
    )
    stones = [replace(whole, channel=each.channel, message=each.id) for each in doomed]
    bury(transaction, stones, now + FORGOTTEN_SECONDS)
    erase_messages(transaction, doomed, now)
    if thread is None:
        forget_votes(transaction, whole, person)
    # The buttons under cards that only they saw: they may hold a question.
    transaction.run(delete(buttons).where(buttons.c.person == person, *part_of(buttons, here)))
    return tuple(Post(to_thread(each), post) for each in doomed for post in each.posts)


def forget_votes(transaction: Transaction, workspace: Scope, person: str) -> None:
    """Erases what a person thought of answers."""
    ours = select(calls.c.key).where(*part_of(calls, workspace))
    transaction.run(delete(votes).where(votes.c.person == person, votes.c.call.in_(ours)))
