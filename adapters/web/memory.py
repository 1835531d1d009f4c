"""The channel's file and folder: posts, uploads and visible replies. Synchronous, for one thread."""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.web.nouns import Post, Said, Upload
from adapters.web.tables import connect, inode, spelled, to_said, to_upload
from bot.errors import Outage, PermanentError

FORGOTTEN_SECONDS = 86_400.0  # after so long an upload that was never posted goes
THREADS = 60  # read at once; older ones when somebody scrolls up

AWAY = "The channel's folder cannot be read or written just now; check its disk and permissions."
FULL = "The channel's folder is full: delete messages with pictures, or move its folder away."
NO_UPLOAD = "A file of this message is not here any more; attach it again."
NO_POST = "This message is not here any more."
NO_THREAD = "This thread is not here any more."


class Gone(PermanentError):
    """What a request speaks of does not exist any more."""


class Memory:
    """All that the channel remembers, in one folder that only this account may read."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.connection: sqlite3.Connection | None = None
        self.inode = 0
        self.lost = False
        """True once the file was deleted under us; whoever tells people sets it back."""

    # People

    def add(
        self,
        key: str,
        text: str,
        root: str | None,
        uploads: Sequence[str],
        now: float,
        options: Mapping[str, str] | None = None,
    ) -> tuple[Post, bool]:
        """Keeps a post, once for each key; True when it is new."""
        with self.transaction() as db:
            known = db.execute("SELECT id FROM posts WHERE key = ?", (key,)).fetchone()
            if known:
                # The page did not hear our answer. The bot may hear of it again, as on other platforms.
                db.execute("UPDATE posts SET heard = 0 WHERE key = ?", (key,))
                return self.post(db, known["id"]), False
            name = secrets.token_hex(8)
            if root and not db.execute("SELECT 1 FROM posts WHERE id = ?", (root,)).fetchone():
                raise Gone(NO_THREAD)
            latest = db.execute("SELECT max(sent_at) FROM posts").fetchone()[0] or 0.0
            db.execute(
                "INSERT INTO posts (id, key, root, text, sent_at, options) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                # No two posts of one moment: their order must hold everywhere.
                (
                    name,
                    key,
                    root or name,
                    text,
                    max(now, latest + 0.001),
                    json.dumps(dict(options or {})),
                ),
            )
            self.attach(db, name, uploads)
            self.want(db, name)
            return self.post(db, name), True

    def edit(self, name: str, text: str, now: float) -> Post:
        """Replaces a post's words; the newest edit wins."""
        with self.transaction() as db:
            before = self.post(db, name)
            if before.deleted:
                raise Gone(NO_POST)
            if before.text == text:
                return before
            edited_at = max(now, (before.edited_at or before.sent_at) + 0.001)
            db.execute(
                "UPDATE posts SET text = ?, edited_at = ?, revision = revision + 1 WHERE id = ?",
                (text, edited_at, name),
            )
            self.want(db, name)
            return self.post(db, name)

    def delete(self, name: str) -> tuple[Post | None, list[str]]:
        """Erases a post with its reply and files.

        Returns the empty place that a thread's first one leaves, and the posts that are gone for good.
        """
        with self.transaction() as db:
            post = self.post(db, name)
            files = [each.id for each in post.uploads]
            db.execute("DELETE FROM replies WHERE question = ?", (name,))
            db.execute("DELETE FROM uploads WHERE post = ?", (name,))
            db.execute("INSERT INTO retractions (root, post) VALUES (?, ?)", (post.root, name))
            others = db.execute("SELECT 1 FROM posts WHERE root = ? AND id <> ?", (name, name))
            if others.fetchone():
                db.execute(
                    "UPDATE posts SET text = '', deleted = 1, wanted = 0, revision = revision + 1 "
                    "WHERE id = ?",
                    (name,),
                )
                left, gone = self.post(db, name), []
            else:
                db.execute("DELETE FROM posts WHERE id = ?", (name,))
                left, gone = None, [name, *self.forget_empty_root(db, post.root)]
        self.unlink(files)
        self.scrub()
        return left, gone

    def forget_empty_root(self, db: sqlite3.Connection, root: str) -> list[str]:
        """The empty place of a deleted first post goes with the last of its thread; returns it if it went."""
        went = db.execute(
            "DELETE FROM posts WHERE id = :root AND deleted "
            "AND NOT EXISTS (SELECT 1 FROM posts WHERE root = :root AND id <> :root)",
            {"root": root},
        )
        return [root] if went.rowcount else []

    def exists(self, name: str) -> bool:
        """Whether this post is here."""
        with self.transaction() as db:
            found = db.execute("SELECT 1 FROM posts WHERE id = ? AND NOT deleted", (name,))
            return found.fetchone() is not None

    # Files

    def posted(self, key: str) -> Post | None:
        """The post of this key, if there is one already."""
        with self.transaction() as db:
            row = db.execute("SELECT id FROM posts WHERE key = ?", (key,)).fetchone()
            return self.post(db, row["id"]) if row else None

    def keep(self, came: Path, upload: Upload, now: float) -> None:
        """Takes over a file that was written into the folder."""
        with self.transaction() as db:
            held = db.execute("SELECT coalesce(sum(size), 0) FROM uploads").fetchone()[0]
            if held + upload.size > self.max_bytes:
                raise PermanentError(FULL)
            db.execute(
                "INSERT INTO uploads (id, name, media_type, size, width, height, came_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    upload.id,
                    upload.name,
                    upload.media_type,
                    upload.size,
                    upload.width,
                    upload.height,
                    now,
                ),
            )
            came.rename(self.path_of(upload.id))

    def drop(self, name: str) -> None:
        """Erases a file that was not posted."""
        with self.transaction() as db:
            gone = db.execute("DELETE FROM uploads WHERE id = ? AND post IS NULL", (name,)).rowcount
        if gone:
            self.unlink([name])

    def upload(self, name: str) -> Upload | None:
        """A file by its id."""
        with self.transaction() as db:
            row = db.execute("SELECT * FROM uploads WHERE id = ?", (name,)).fetchone()
        return to_upload(row) if row else None

    def path_of(self, name: str) -> Path:
        """Where a known file's bytes lie; `name` must come from our own table."""
        return self.folder / "files" / name

    # The bot

    def unheard(self) -> list[Post]:
        """What the bot has not stored yet, oldest first."""
        with self.transaction() as db:
            rows = db.execute("SELECT * FROM posts WHERE heard < wanted ORDER BY number LIMIT 100")
            return self.posts(db, rows.fetchall())

    def hear(self, name: str, revision: int) -> None:
        """The bot has stored this revision."""
        with self.transaction() as db:
            db.execute("UPDATE posts SET heard = ? WHERE id = ?", (revision, name))

    def retractions(self) -> list[tuple[int, str, str]]:
        """Deletions that the bot has not carried out yet: number, root, post."""
        with self.transaction() as db:
            rows = db.execute("SELECT number, root, post FROM retractions ORDER BY number")
            return [tuple(row) for row in rows]

    def retracted(self, number: int) -> None:
        """The bot has carried out this deletion."""
        with self.transaction() as db:
            db.execute("DELETE FROM retractions WHERE number = ?", (number,))

    def say(self, said: Said) -> bool:
        """Keeps a reply, new or as it is now; False when its question is gone."""
        with self.transaction() as db:
            reply = said.reply
            rows = db.execute(
                "INSERT INTO replies SELECT :question, :root, :began_at, :state, :text, :footer, "
                ":receipts, :buttons, :failed "
                "WHERE EXISTS (SELECT 1 FROM posts WHERE id = :question AND NOT deleted) "
                "ON CONFLICT (question) DO UPDATE SET state = :state, text = :text, "
                "footer = :footer, receipts = :receipts, buttons = :buttons, failed = :failed",
                {
                    "question": said.question,
                    "root": said.root,
                    "began_at": said.began_at,
                    "state": said.state,
                    "text": spelled(reply.text),
                    "footer": json.dumps(reply.footer),
                    "receipts": json.dumps(reply.receipts),
                    "buttons": json.dumps([[b.label, b.token, b.style] for b in reply.buttons]),
                    "failed": reply.failed,
                },
            ).rowcount
        return rows > 0

    def unsay(self, questions: Iterable[str]) -> None:
        """Erases the replies to these posts."""
        with self.transaction() as db:
            db.executemany("DELETE FROM replies WHERE question = ?", [(q,) for q in questions])

    def said(self, question: str) -> Said | None:
        """The reply to a post."""
        with self.transaction() as db:
            row = db.execute("SELECT * FROM replies WHERE question = ?", (question,)).fetchone()
        return to_said(row) if row else None

    # Reading

    def threads(self, before: int | None = None) -> tuple[list[Post], list[Said], bool]:
        """The newest threads that began before this number, whole, and whether there are older ones."""
        with self.transaction() as db:
            roots = db.execute(
                "SELECT id FROM posts WHERE id = root AND number < ? ORDER BY number DESC LIMIT ?",
                (before if before is not None else 1 << 62, THREADS + 1),
            ).fetchall()
            names = [row["id"] for row in roots[:THREADS]]
            marks = ",".join("?" * len(names))
            posts = db.execute(
                f"SELECT * FROM posts WHERE root IN ({marks}) ORDER BY number",  # noqa: S608
                names,
            ).fetchall()
            replies = db.execute(
                f"SELECT * FROM replies WHERE root IN ({marks})",  # noqa: S608
                names,
            ).fetchall()
            more = len(roots) > THREADS
            return self.posts(db, posts), [to_said(row) for row in replies], more

    def thread(self, root: str) -> list[Post]:
        """One thread's posts in order."""
        with self.transaction() as db:
            rows = db.execute("SELECT * FROM posts WHERE root = ? ORDER BY number", (root,))
            return self.posts(db, rows.fetchall())

    def recent(self, count: int) -> list[Upload]:
        """The pictures of the last posts, oldest first."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT uploads.* FROM uploads JOIN "
                "(SELECT id, number FROM posts ORDER BY number DESC LIMIT ?) AS last "
                "ON last.id = uploads.post WHERE media_type <> '' "
                "ORDER BY last.number, uploads.position",
                (count,),
            )
            return [to_upload(row) for row in rows]

    def note(self, name: str, value: str) -> bool:
        """Notes something once; False when it was noted before."""
        with self.transaction() as db:
            added = db.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", (name, value))
            return added.rowcount > 0

    def close(self) -> None:
        """Lets go of the file."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # Steps

    def post(self, db: sqlite3.Connection, name: str) -> Post:
        row = db.execute("SELECT * FROM posts WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise Gone(NO_POST)
        return self.posts(db, [row])[0]

    def posts(self, db: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[Post]:
        files = "SELECT * FROM uploads WHERE post = ? ORDER BY position"
        return [
            Post(
                number=row["number"],
                id=row["id"],
                root=row["root"],
                text=row["text"],
                sent_at=row["sent_at"],
                edited_at=row["edited_at"],
                revision=row["revision"],
                deleted=bool(row["deleted"]),
                options=json.loads(row["options"]),
                uploads=tuple(to_upload(each) for each in db.execute(files, (row["id"],))),
            )
            for row in rows
        ]

    def attach(self, db: sqlite3.Connection, post: str, uploads: Sequence[str]) -> None:
        for position, name in enumerate(uploads):
            taken = db.execute(
                "UPDATE uploads SET post = ?, position = ? WHERE id = ? AND post IS NULL",
                (post, position, name),
            ).rowcount
            if not taken:
                raise Gone(NO_UPLOAD)

    def want(self, db: sqlite3.Connection, name: str) -> None:
        """The bot is to hear of what speaks to it, of what is said in threads, and of edits of these."""
        post = self.post(db, name)
        concerns = post.addressed or post.root != post.id
        db.execute(
            "UPDATE posts SET wanted = revision WHERE id = ? AND (? OR wanted > 0)",
            (name, concerns),
        )

    def unlink(self, names: Iterable[str]) -> None:
        for name in names:
            self.path_of(name).unlink(missing_ok=True)

    def scrub(self) -> None:
        """What was erased leaves the log of changes as well."""
        with self.errors_told():
            self.opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; raises Outage when the file is away, locked or full."""
        with self.errors_told():
            db = self.opened()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Outage(AWAY) from error

    def opened(self) -> sqlite3.Connection:
        """The open file; made anew when somebody deleted it under us."""
        file = self.folder / "channel.db"
        if self.connection is not None:
            if inode(file) == self.inode:
                return self.connection
            self.close()
            self.lost = True
        if not file.exists():
            # A log of changes without its file would spoil a new one.
            for rest in ("channel.db-wal", "channel.db-shm"):
                (self.folder / rest).unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        (self.folder / "files").mkdir(exist_ok=True)
        self.connection = connect(file)
        self.inode = inode(file)
        self.tidy(self.connection)
        return self.connection

    def tidy(self, db: sqlite3.Connection) -> None:
        """Forgets uploads that nobody posted, and files that nothing speaks of."""
        db.execute(
            "DELETE FROM uploads WHERE post IS NULL AND came_at < strftime('%s', 'now') - ?",
            (FORGOTTEN_SECONDS,),
        )
        # Whoever wrote a reply before is not this process: it is claimed again, or it is complete.
        db.execute("UPDATE replies SET state = 'waiting' WHERE state = 'writing'")
        known = {row["id"] for row in db.execute("SELECT id FROM uploads")}
        for path in (self.folder / "files").iterdir():
            if path.is_file() and path.name not in known:
                path.unlink(missing_ok=True)
