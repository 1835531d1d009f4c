"""The channel's tables, and their rows as values."""

import json
import os
import sqlite3
from pathlib import Path

from adapters.web.nouns import Said, State, Upload
from bot.domain import Button, Reply

BUSY_SECONDS = 5.0

TABLES = """
CREATE TABLE IF NOT EXISTS posts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,           -- the page's own name for it, so that a repeated request posts once
    root TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_at REAL NOT NULL,
    edited_at REAL,
    revision INTEGER NOT NULL DEFAULT 1,
    wanted INTEGER NOT NULL DEFAULT 0,  -- the revision that the bot is to hear of; 0 for none
    heard INTEGER NOT NULL DEFAULT 0,   -- the revision that the bot has stored
    deleted INTEGER NOT NULL DEFAULT 0,
    options TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS posts_root ON posts (root, number);
CREATE INDEX IF NOT EXISTS posts_unheard ON posts (number) WHERE heard < wanted;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    post TEXT REFERENCES posts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    came_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS uploads_post ON uploads (post, position);
CREATE TABLE IF NOT EXISTS replies (
    question TEXT PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
    root TEXT NOT NULL,
    began_at REAL NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    footer TEXT NOT NULL,
    receipts TEXT NOT NULL,
    buttons TEXT NOT NULL,
    failed INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_root ON replies (root);
CREATE TABLE IF NOT EXISTS retractions (
    number INTEGER PRIMARY KEY,
    root TEXT NOT NULL,
    post TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def connect(file: Path) -> sqlite3.Connection:
    """The open file with all its tables; only this account may read it."""
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.executescript(TABLES)
        bring_up_to_date(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Gives a file of an earlier version the columns that it lacks."""
    there = {row["name"] for row in db.execute("PRAGMA table_info(posts)")}
    if "options" not in there:
        db.execute("ALTER TABLE posts ADD COLUMN options TEXT NOT NULL DEFAULT '{}'")


def inode(file: Path) -> int:
    """Which file this is on the disk; 0 for none."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0


def to_upload(row: sqlite3.Row) -> Upload:
    """A row of uploads."""
    return Upload(
        row["id"], row["name"], row["media_type"], row["size"], row["width"], row["height"]
    )


def to_said(row: sqlite3.Row) -> Said:
    """A row of replies."""
    state: State = row["state"]
    return Said(
        question=row["question"],
        root=row["root"],
        began_at=row["began_at"],
        state=state,
        reply=Reply(
            text=row["text"],
            footer=tuple(json.loads(row["footer"])),
            receipts=tuple(json.loads(row["receipts"])),
            failed=bool(row["failed"]),
            buttons=tuple(Button(*each) for each in json.loads(row["buttons"])),
        ),
    )


def spelled(text: str) -> str:
    """Without halves of characters, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
