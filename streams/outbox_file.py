"""The SQLite file under the outbox: its lock, its tables, its statements, and what is done when it turns out damaged.

Owns SQL. Threads, group commit and bounds are `streams/outbox.py`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from inference.errors import ConfigError
from streams.cloudevents import CloudEvent

log = logging.getLogger(__name__)

PAGE_BYTES = 4096
BUSY_TIMEOUT_S = 5.0
RESERVE_BYTES = 1024 * 1024
"""Beyond the file's limit, for marking rows as sent; SQLite writes a changed row anew before it frees the old one."""
PURGE_CHUNK_ROWS = 5000

SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, ce_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, source TEXT NOT NULL, time TEXT NOT NULL,
    topic TEXT NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL, value BLOB NOT NULL, severity INTEGER NOT NULL,
    created_s REAL NOT NULL, state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, done_s REAL, reason TEXT);
CREATE INDEX IF NOT EXISTS alerts_pending ON alerts (topic, key, seq, severity, created_s) WHERE state = 0;
CREATE INDEX IF NOT EXISTS alerts_done ON alerts (done_s) WHERE state != 0;
CREATE TABLE IF NOT EXISTS snapshots (name TEXT PRIMARY KEY, value BLOB NOT NULL, saved_s REAL NOT NULL);
INSERT OR IGNORE INTO snapshots VALUES ('outbox-identity', lower(hex(randomblob(8))), 0);
"""
COLUMNS = "seq, ce_id, type, source, time, topic, key, subject, value, severity, created_s, state, attempts, reason"

Work = Callable[[sqlite3.Connection], Any]
"""One command's statements, run inside the writer's transaction."""


class RowState(IntEnum):
    """What became of a row."""

    PENDING = 0
    SENT = 1
    DEAD = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One alert as it lies in the outbox."""

    seq: int
    """Order of commit; grows, never reused."""
    event: CloudEvent
    created_s: float
    """Wall clock, seconds since 1970."""
    state: RowState
    attempts: int
    """How often it was sent without an answer."""
    reason: str | None
    """Why it is dead."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits to be sent."""

    n_pending: int
    n_dead: int
    oldest_s: float | None
    """Wall clock of the oldest waiting row's commit; None where nothing waits."""


def is_disk_trouble(error: sqlite3.Error) -> bool:
    """Tell trouble that may pass (disk full, I/O, busy) from a wrong statement or a damaged file."""
    code = getattr(error, "sqlite_errorcode", None)
    passing = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
    return code is not None and code & 0xFF in passing


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the file itself is damaged or no database at all."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class OutboxFile:
    """One worker's outbox on disk. `write` belongs to one thread; the read methods are safe from any."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self.damaged: Path | None = None
        """Where a damaged file was moved, if one was found."""
        self._max_bytes = max_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(path)
        self._reading = threading.Lock()
        try:
            self._writer, self._reader = self._open_sound()
        except BaseException:
            os.close(self._lock_file)
            raise

    def close(self) -> None:
        """Close both connections and let the next worker have the file."""
        self._disconnect()
        os.close(self._lock_file)

    def write(self, works: Sequence[Work]) -> list[Any]:
        """Run the commands in one durable transaction and return what each returned; all or none."""
        return self._write(works, max_bytes=self._max_bytes)

    def write_marks(self, works: Sequence[Work]) -> list[Any]:
        """Run commands that only mark or remove rows; they may use a reserve, so that a full file can be emptied."""
        return self._write(works, max_bytes=self._max_bytes + RESERVE_BYTES)

    def _write(self, works: Sequence[Work], *, max_bytes: int) -> list[Any]:
        self._writer.execute(f"PRAGMA max_page_count = {max_bytes // PAGE_BYTES}")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            results = [work(self._writer) for work in works]
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        return results

    def replace_damaged(self) -> None:
        """Move the damaged file aside, start a fresh one and bring over what can still be read of what waits."""
        with self._reading:
            saved = self._begin_afresh()
        self.write([lambda connection: connection.executemany(_INSERT, saved)])
        log.error("outbox was damaged; moved aside", extra={"path": str(self.damaged), "n_alerts_saved": len(saved)})

    def _begin_afresh(self) -> list[tuple[object, ...]]:
        self._disconnect()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self.damaged = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            old = Path(f"{self.path}{suffix}")
            if old.exists():
                old.rename(f"{self.damaged}{suffix}")
        self._writer, self._reader = self._connect(), self._connect()
        return list(_salvage(self.damaged))

    def read(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Run one query on the reading connection."""
        with self._reading:
            return self._reader.execute(statement, values).fetchall()

    @contextmanager
    def _one_moment(self) -> Iterator[sqlite3.Connection]:
        """Lend the reading connection for several queries that all see the file as one commit left it."""
        with self._reading:
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    def pending(self, limit: int, *, per_key: int) -> list[Row]:
        """Return waiting rows: keys with the severest row first, then the longest waiting; within a key in order of commit."""
        rows: list[Row] = []
        with self._one_moment() as reader:
            keys = reader.execute(
                "SELECT topic, key, max(severity) AS worst, min(seq) AS first FROM alerts WHERE state = 0 "
                "GROUP BY topic, key ORDER BY worst DESC, first LIMIT ?",
                (limit,),
            ).fetchall()
            for topic, key, _, _ in keys:
                query = f"SELECT {COLUMNS} FROM alerts WHERE state = 0 AND topic = ? AND key = ? ORDER BY seq LIMIT ?"
                rows.extend(map(_row, reader.execute(query, (topic, key, min(per_key, limit - len(rows))))))
                if len(rows) >= limit:
                    break
        return rows

    def since(self, seq: int, limit: int) -> list[Row]:
        """Return rows committed after `seq`, in order, whatever became of them."""
        return list(map(_row, self.read(f"SELECT {COLUMNS} FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))))

    def row(self, ce_id: str) -> Row | None:
        """Return one row by its event's id."""
        found = self.read(f"SELECT {COLUMNS} FROM alerts WHERE ce_id = ?", (ce_id,))
        return _row(found[0]) if found else None

    def backlog(self) -> Backlog:
        """Count what waits and what is dead."""
        with self._one_moment() as reader:
            n_pending, oldest_s = reader.execute("SELECT count(*), min(created_s) FROM alerts WHERE state = 0").fetchone()
            (n_dead,) = reader.execute("SELECT count(*) FROM alerts WHERE state = ?", (RowState.DEAD,)).fetchone()
        return Backlog(n_pending, n_dead, oldest_s)

    def snapshot(self, name: str) -> bytes | None:
        """Return a saved snapshot."""
        found = self.read("SELECT value FROM snapshots WHERE name = ?", (name,))
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def identity(self) -> str:
        """Return the name of this very file; a fresh one has another."""
        return str(self.read("SELECT value FROM snapshots WHERE name = 'outbox-identity'")[0][0])

    def _open_sound(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        try:
            self._writer, self._reader = self._connect(), self._connect()
            verdict = self._reader.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict == "ok":
                return self._writer, self._reader
            log.error("outbox fails its check", extra={"path": str(self.path), "check": verdict})
        except sqlite3.DatabaseError as exc:
            if not is_damage(exc):
                raise ConfigError(f"outbox {self.path} cannot be opened: {exc}; check the folder's rights and free space") from exc
        self.replace_damaged()
        return self._writer, self._reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        for name in ("_reader", "_writer"):
            connection = getattr(self, name, None)
            if connection is not None:
                connection.close()


_INSERT = (
    "INSERT OR IGNORE INTO alerts (ce_id, type, source, time, topic, key, subject, value, severity, created_s) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def put_events(events: Iterable[CloudEvent], *, created_s: float, snapshots: Mapping[str, bytes | None]) -> Work:
    """Insert the events that are not there yet and save the snapshots, or with None remove them; returns how many were new."""
    values = [_values(event, created_s) for event in events]

    def work(connection: sqlite3.Connection) -> int:
        before = connection.total_changes
        connection.executemany(_INSERT, values)
        n_new = connection.total_changes - before
        for name, value in snapshots.items():
            if value is None:
                connection.execute("DELETE FROM snapshots WHERE name = ?", (name,))
            else:
                connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (name, value, created_s))
        return n_new

    return work


def mark_sent(seqs: Sequence[int], *, done_s: float) -> Work:
    """Mark rows as acknowledged."""

    def work(connection: sqlite3.Connection) -> int:
        values = [(RowState.SENT, done_s, seq) for seq in seqs]
        return connection.executemany("UPDATE alerts SET state = ?, done_s = ? WHERE seq = ?", values).rowcount

    return work


def mark_unanswered(seqs: Sequence[int]) -> Work:
    """Count one more try of rows that stay."""

    def work(connection: sqlite3.Connection) -> int:
        return connection.executemany("UPDATE alerts SET attempts = attempts + 1 WHERE seq = ?", [(seq,) for seq in seqs]).rowcount

    return work


def mark_dead(seq: int, *, reason: str, letter: CloudEvent | None, done_s: float) -> Work:
    """Give a row up, and put the letter that says so in the same transaction."""

    def work(connection: sqlite3.Connection) -> int:
        if letter is not None:
            connection.execute(_INSERT, _values(letter, done_s))
        values = (RowState.DEAD, done_s, reason, seq)
        return connection.execute("UPDATE alerts SET state = ?, done_s = ?, reason = ? WHERE seq = ?", values).rowcount

    return work


def purge(*, older_than_s: float) -> Work:
    """Remove at most one chunk of rows that were done before that wall-clock moment; returns how many."""

    def work(connection: sqlite3.Connection) -> int:
        statement = "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE state != 0 AND done_s < ? LIMIT ?)"
        return connection.execute(statement, (older_than_s, PURGE_CHUNK_ROWS)).rowcount

    return work


def _values(event: CloudEvent, created_s: float) -> tuple[object, ...]:
    head = (event.id, event.type, event.source, event.time.isoformat())
    return (*head, event.topic, event.key, event.subject, event.value, event.severity, created_s)


def _row(found: Sequence[Any]) -> Row:
    seq, ce_id, kind, source, time, topic, key, subject, value, severity, created_s, state, attempts, reason = found
    event = CloudEvent(ce_id, kind, source, datetime.fromisoformat(time), topic, key, subject, value, severity)
    return Row(seq, event, created_s, RowState(state), attempts, reason)


def _salvage(path: Path) -> Iterable[tuple[object, ...]]:
    """Read waiting rows of a damaged file until the damage stops it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        query = "SELECT ce_id, type, source, time, topic, key, subject, value, severity, created_s FROM alerts WHERE state = 0"
        yield from connection.execute(query)
    except sqlite3.DatabaseError as exc:
        log.warning("damaged outbox could not be read to its end", extra={"path": str(path), "error": str(exc)})
    finally:
        connection.close()


def _lock(path: Path) -> int:
    """Take the file for this process; the kernel lets go of it when the process dies, however it dies."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise ConfigError(f"outbox {path} is in use by process {holder or '?'}; give each worker a data folder of its own") from exc
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
