"""What people set for a thread, a channel or a workspace, and how far a channel was read."""

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, select, tuple_

from bot.domain import Level, ThreadId
from bot.errors import PermanentError
from storage.cutting import current_of
from storage.database import Transaction, insert
from storage.rows import in_thread, or_all
from storage.tables import bookmarks, clean, settings

NO_THREAD = "There is no conversation here yet that this could hold for: ask something first."
# What holds in a place; built once, since every question asks for it.
CHOSEN = select(settings).where(
    settings.c.platform == bindparam("in_platform"),
    settings.c.workspace == bindparam("in_workspace"),
    or_all(settings.c.channel, "in_channel"),
    or_all(settings.c.root, "in_root"),
)
LEVELS: tuple[Level, ...] = ("thread", "channel", "workspace")


def choices(transaction: Transaction, place: ThreadId) -> Mapping[Level, Mapping[str, str]]:
    """What was set on each level of this place, by name."""
    here = current_of(transaction, place)
    found: dict[Level, dict[str, str]] = {level: {} for level in LEVELS}
    for row in transaction.all(CHOSEN, in_thread(here)):
        level: Level = "thread" if row.root else "channel" if row.channel else "workspace"
        found[level][row.name] = row.value
    return found


def choose(
    transaction: Transaction, place: ThreadId, level: Level, name: str, value: str | None
) -> None:
    """Sets something on a level, or takes it back.

    Raises PermanentError for a thread that there is none of: it must not hold for the whole channel.
    """
    here = current_of(transaction, place)
    if level == "thread" and not here.root:
        raise PermanentError(NO_THREAD)
    names = {
        "platform": here.platform,
        "workspace": here.workspace,
        "channel": "" if level == "workspace" else here.channel,
        "root": here.root if level == "thread" else "",
        "name": name,
    }
    if value is None:
        unset = delete(settings).where(*(settings.c[each] == names[each] for each in names))
        transaction.run(unset)
        return
    transaction.run(
        insert(settings)
        .values(**names, value=value)
        .on_conflict_do_update(index_elements=list(names), set_={"value": clean(value)})
    )


def read_up_to(transaction: Transaction, platform: str, workspace: str) -> Mapping[str, str]:
    """The last message that was read, by channel."""
    here = (bookmarks.c.platform == platform, bookmarks.c.workspace == workspace)
    return {row.channel: row.message for row in transaction.all(select(bookmarks).where(*here))}


def note_read(
    transaction: Transaction, platform: str, workspace: str, channel: str, message: str
) -> None:
    """Moves a channel's bookmark forward, never back.

    Platforms number their messages: of two ids the longer one is later, else the greater one.
    """
    names = {"platform": platform, "workspace": workspace, "channel": channel}
    moved = insert(bookmarks).values(**names, message=message)
    there, new = bookmarks.c.message, moved.excluded.message
    transaction.run(
        moved.on_conflict_do_update(
            index_elements=list(names),
            set_={"message": new},
            where=tuple_(func.length(new), new) > tuple_(func.length(there), there),
        )
    )
