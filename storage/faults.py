"""What the database says when it fails → our errors: a plain sentence that names the mend."""

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.errors import Outage, PermanentError, SetupError, ThreadsightError

LOCKED = "The database is locked by another program: stop that one, or wait until it is done."
READ_ONLY = "The database is read-only: make its file and its folder writable for the bot."
FULL = "The disk of the database is full: free some space, then the bot goes on by itself."
BROKEN_DISK = "The disk of the database fails: look at the disk, then start the bot again."
AWAY = "The database does not answer: see that its server runs and can be reached."
CROWDED = "The database takes no more connections: raise its limit, or run fewer bots."
DAMAGED = (
    "The database file is damaged or is no database: restore a backup, or name another file in "
    "DATABASE_URL."
)
CANNOT_OPEN = (
    "The database file cannot be opened: see that its folder exists and may be read and written."
)
FORBIDDEN = (
    "The database refuses us: check user, password, database name and options in DATABASE_URL."
)
OUTDATED = "The database does not fit this version of the bot: run `python -m bot migrate`."
UNFIT = "The database cannot hold this as it is: something in it is too long or out of range."

# By the start of the names that SQLite gives its errors.
SQLITE: dict[str, tuple[type[ThreadsightError], str]] = {
    "SQLITE_BUSY": (Outage, LOCKED),
    "SQLITE_LOCKED": (Outage, LOCKED),
    "SQLITE_READONLY": (Outage, READ_ONLY),
    "SQLITE_PERM": (Outage, READ_ONLY),
    "SQLITE_FULL": (Outage, FULL),
    "SQLITE_IOERR": (Outage, BROKEN_DISK),
    "SQLITE_CORRUPT": (SetupError, DAMAGED),
    "SQLITE_NOTADB": (SetupError, DAMAGED),
    "SQLITE_CANTOPEN": (SetupError, CANNOT_OPEN),
    "SQLITE_AUTH": (SetupError, CANNOT_OPEN),
    "SQLITE_CONSTRAINT": (PermanentError, UNFIT),
    "SQLITE_TOOBIG": (PermanentError, UNFIT),
    "SQLITE_ERROR": (SetupError, OUTDATED),
}

# By the start of PostgreSQL's codes (its manual, appendix A), the whole code before its class.
POSTGRESQL: dict[str, tuple[type[ThreadsightError], str]] = {
    "25006": (Outage, READ_ONLY),
    "42501": (SetupError, FORBIDDEN),
    "53100": (Outage, FULL),
    "53300": (Outage, CROWDED),
    "55P03": (Outage, LOCKED),
    "57014": (Outage, LOCKED),
    "3D000": (SetupError, FORBIDDEN),
    "08": (Outage, AWAY),
    "22": (PermanentError, UNFIT),
    "23": (PermanentError, UNFIT),
    "28": (SetupError, FORBIDDEN),
    "40": (Outage, LOCKED),
    "42": (SetupError, OUTDATED),
    "54": (PermanentError, UNFIT),
    "57": (Outage, AWAY),
    "58": (Outage, BROKEN_DISK),
    "XX": (SetupError, DAMAGED),
}

# A refused connection comes without a code, only with the server's own words.
REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "invalid connection option",
)

# Two transactions met, and this one was rolled back whole: deadlock, serialization, or a row that
# came or went in between (23503, 23505).
COLLISIONS = {"40001", "40P01", "23503", "23505"}

# Data and constraints: what the server says of them holds the data.
QUOTING = {"22", "23"}


def translate(error: SQLAlchemyError | sqlite3.Error) -> ThreadsightError:
    """Our error for the database's, without a word of its text."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return from_sqlite(cause)
    code = sqlstate(cause)
    for start in (code, code[:2]):
        if start in POSTGRESQL:
            kind, sentence = POSTGRESQL[start]
            return kind(sentence)
    if any(words in str(cause) for words in REFUSALS):
        return SetupError(FORBIDDEN)
    return Outage(AWAY)


def discreet(error: SQLAlchemyError) -> BaseException:
    """What our error comes from: only a code where PostgreSQL would quote the row it refused."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = sqlstate(cause)
    return type(cause)(code) if cause is not None and code[:2] in QUOTING else error


def collided(error: SQLAlchemyError) -> bool:
    """Whether the same transaction may well succeed at once, and nothing of it was committed.

    A connection is only known to be dead when it is used; no statement is what fails at a commit.
    """
    if not isinstance(error, DBAPIError):
        return False
    dead = error.connection_invalidated and error.statement is not None
    return dead or sqlstate(error.orig) in COLLISIONS


def from_sqlite(error: sqlite3.Error) -> ThreadsightError:
    """By SQLite's own name for it; an error that the driver made itself has none."""
    name = getattr(error, "sqlite_errorname", "")
    for start, (kind, sentence) in SQLITE.items():
        if name.startswith(start):
            return kind(sentence)
    if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError):
        return PermanentError(UNFIT)
    return Outage(BROKEN_DISK)


def sqlstate(error: object) -> str:
    """The five characters by which PostgreSQL names an error; empty when there are none."""
    return str(getattr(error, "sqlstate", None) or "")
