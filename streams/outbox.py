"""The worker's memory of what must still be told: every alert is committed here, durably, before anything is sent.

One writer thread commits whatever waits in one transaction (group commit: measured 5,000 to 10,000 rows/s at `synchronous=FULL`,
against 240 one by one). SQL is `streams/outbox_file.py`, sending is `streams/kafka.py`.

    put() -> waiting (bounded, REJECT) -> writer thread -> one COMMIT -> futures resolved -> listeners told
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.clock import Clock
from inference.errors import NotReady, Overloaded
from inference.metrics import Metrics
from streams import outbox_file
from streams.cloudevents import CloudEvent
from streams.outbox_file import Backlog, OutboxFile, Row, Work

log = logging.getLogger(__name__)

MAX_WAITING_EVENTS = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_FILE_BYTES = 2 * 1024**3
SENT_RETENTION_S = 24 * 3600.0
"""How long sent rows stay, so that an id that comes again within a day is known."""

MAX_COMMIT = 1000
"""Commands in one transaction."""
HOUSEKEEPING_S = 60.0
RETRY_PAUSE_S = 0.5
"""Wait between two tries to write while the disk is full or failing."""

Listener = Callable[[Sequence[CloudEvent]], None]


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much the outbox holds, in memory and on disk."""

    max_waiting_events: int = MAX_WAITING_EVENTS
    """Events that wait for the disk; one more is refused with `Overloaded`."""
    max_waiting_bytes: int = MAX_WAITING_BYTES
    max_file_bytes: int = MAX_FILE_BYTES
    """Size of the database file; when it is reached, sent rows go first, then new events wait in memory."""
    sent_retention_s: float = SENT_RETENTION_S


@dataclass(slots=True, eq=False)
class _Command:
    """One caller's statements and the promise that they were committed."""

    work: Work
    done: Future[Any] = field(default_factory=Future)
    events: tuple[CloudEvent, ...] = ()
    n_counted: int = 0
    """Events and snapshots, as the bound on what waits counts them."""
    n_bytes: int = 0


class Outbox:
    """Durable queue of alerts. All methods are safe from any thread; none but `close` waits for the disk to be written.

    Futures resolve, and listeners are called, on the writer thread `outbox-writer`; what they run must be fast.
    """

    def __init__(self, path: Path, *, clock: Clock, limits: OutboxLimits | None = None, metrics: Metrics | None = None) -> None:
        self._limits = limits or OutboxLimits()
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._file = OutboxFile(path, max_bytes=self._limits.max_file_bytes)
        self._commands: deque[_Command] = deque()
        self._n_waiting, self._bytes_waiting = 0, 0
        self._ready = threading.Condition()
        self._closing = False
        self._give_up_s = float("inf")
        self._trouble: str | None = None
        self._listeners: tuple[Listener, ...] = ()
        self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at the moment, or None."""
        return self._trouble

    @property
    def damaged(self) -> Path | None:
        """Where a damaged file was moved aside, or None."""
        return self._file.damaged

    @property
    def n_waiting(self) -> int:
        """Events and snapshots in memory that are not committed yet."""
        return self._n_waiting

    def subscribe(self, listener: Listener) -> None:
        """Call the listener after every commit with the events that were put, those known before included."""
        with self._ready:
            self._listeners = (*self._listeners, listener)

    def put(self, events: Sequence[CloudEvent], *, snapshots: Mapping[str, bytes | None] | None = None) -> Future[int]:
        """Commit events, and snapshots with them, in one transaction; an id that is known is not stored again.

        Returns:
            A future of how many events were new, resolved after the commit.

        Raises:
            Overloaded: too much waits for the disk already; nothing of this call was taken.
            NotReady: the outbox is closing.
        """
        saved = snapshots or {}
        n_counted = len(events) + len(saved)
        n_bytes = sum(event.n_bytes for event in events) + sum(len(value or b"") for value in saved.values())
        work = outbox_file.put_events(events, created_s=self._wall_s(), snapshots=saved)
        with self._ready:
            over = self._n_waiting + n_counted > self._limits.max_waiting_events
            if over or self._bytes_waiting + n_bytes > self._limits.max_waiting_bytes:
                self._metrics.outbox_full.inc()
                cause = self._trouble or "the disk is slower than the alerts"
                raise Overloaded(f"outbox holds {self._n_waiting} uncommitted alerts, {self._bytes_waiting} bytes: {cause}")
            return self._submit(_Command(work, events=tuple(events), n_counted=n_counted, n_bytes=n_bytes))

    def save_snapshot(self, name: str, value: bytes) -> Future[int]:
        """Replace a named snapshot, e.g. the open violations; durable when the future resolves."""
        return self.put((), snapshots={name: value})

    def load_snapshot(self, name: str) -> bytes | None:
        """Return what was last saved under that name."""
        return self._file.snapshot(name)

    def mark_sent(self, rows: Sequence[Row]) -> Future[int]:
        """Note that the broker has the rows."""
        return self._do(outbox_file.mark_sent([row.seq for row in rows], done_s=self._wall_s()))

    def mark_unanswered(self, rows: Sequence[Row]) -> Future[int]:
        """Note that the rows were sent without an answer; they stay pending."""
        return self._do(outbox_file.mark_unanswered([row.seq for row in rows]))

    def mark_dead(self, row: Row, *, reason: str, letter: CloudEvent | None) -> Future[int]:
        """Give a row up for good, with the dead letter that tells so."""
        work = outbox_file.mark_dead(row.seq, reason=reason, letter=letter, done_s=self._wall_s())
        return self._do(work, events=() if letter is None else (letter,))

    def purge(self, *, older_than_s: float) -> Future[int]:
        """Remove up to one chunk of rows done before that wall-clock moment."""
        return self._do(outbox_file.purge(older_than_s=older_than_s))

    def pending(self, limit: int, *, per_key: int = 64) -> list[Row]:
        """Return rows to send: severest rooms first, each room's in order, at most `per_key` of one room and topic."""
        return self._file.pending(limit, per_key=per_key)

    def since(self, seq: int, limit: int) -> list[Row]:
        """Return rows committed after `seq`, in order, sent or not."""
        return self._file.since(seq, limit)

    def identity(self) -> str:
        """Name this very file: sequence numbers mean something within one identity only."""
        return self._file.identity()

    def row(self, ce_id: str) -> Row | None:
        """Return one row by its event's id."""
        return self._file.row(ce_id)

    def backlog(self) -> Backlog:
        """Count what waits to be sent."""
        return self._file.backlog()

    def close(self, *, deadline_s: float = 10.0) -> None:
        """Commit what waits, then close; what the disk does not take within the deadline fails its future."""
        with self._ready:
            if self._closing:
                return
            self._closing = True
            self._give_up_s = self._clock.now_s() + deadline_s
            self._ready.notify_all()
        self._thread.join()
        self._file.close()

    def _do(self, work: Work, *, events: tuple[CloudEvent, ...] = ()) -> Future[int]:
        with self._ready:
            return self._submit(_Command(work, events=events))

    def _submit(self, command: _Command) -> Future[int]:
        if self._closing:
            raise NotReady("outbox is closing")
        # It will be written whatever becomes of who waits: a cancelled task must not cancel it, nor trip up the writer.
        command.done.set_running_or_notify_cancel()
        self._commands.append(command)
        self._n_waiting += command.n_counted
        self._bytes_waiting += command.n_bytes
        self._ready.notify_all()
        return command.done

    def _wall_s(self) -> float:
        return self._clock.utc().timestamp()

    # Below: the writer thread.

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._commit(batch)
            else:
                self._keep_house()

    def _take(self) -> list[_Command] | None:
        """Wait for commands; an empty list means an idle minute, None the end."""
        with self._ready:
            if not self._commands and not self._closing:
                self._ready.wait(HOUSEKEEPING_S)
            if not self._commands:
                return None if self._closing else []
            return [self._commands.popleft() for _ in range(min(MAX_COMMIT, len(self._commands)))]

    def _commit(self, batch: list[_Command]) -> None:
        """Write the batch, however long it takes; only the end of the process's patience or a wrong command fails a future."""
        began_s = self._clock.now_s()
        while True:
            try:
                results = self._file.write([command.work for command in batch])
            except sqlite3.DatabaseError as exc:
                if is_wrong_command(exc):
                    return self._commit_apart(batch, exc)
                if not self._wait_out(exc):
                    return self._fail(batch, NotReady(f"outbox could not be written: {exc}"))
            except Exception as exc:  # noqa: BLE001  writer border: a value SQLite cannot take fails its own caller, nobody else
                return self._commit_apart(batch, exc)
            else:
                self._metrics.outbox_commit.observe(self._clock.now_s() - began_s)
                return self._committed(batch, results)

    def _commit_apart(self, batch: list[_Command], error: Exception) -> None:
        if len(batch) == 1:
            log.error("outbox refused a command", extra={"error": str(error)})
            return self._fail(batch, error)
        for command in batch:
            self._commit([command])

    def _wait_out(self, error: sqlite3.DatabaseError) -> bool:
        """Note the trouble, do what may end it, pause; False when it is time to give up."""
        if outbox_file.is_damage(error):
            self._file.replace_damaged()
            return True
        if self._trouble is None:
            log.error("outbox cannot be written", extra={"error": str(error), "path": str(self._file.path)})
        self._trouble = str(error)
        self._make_room()
        with self._ready:
            if self._clock.now_s() >= self._give_up_s:
                return False
            self._ready.wait(RETRY_PAUSE_S)
        return True

    def _make_room(self) -> None:
        """While the file is full: write what only marks rows, which needs no room, and remove everything sent."""
        with self._ready:
            marks = [command for command in self._commands if not command.n_counted]
            self._commands = deque(command for command in self._commands if command.n_counted)
        try:
            if marks:
                self._committed(marks, self._file.write_marks([command.work for command in marks]))
                marks = []
            self._file.write_marks([outbox_file.purge(older_than_s=self._wall_s() + 1.0)])
        except sqlite3.DatabaseError as exc:
            self._trouble = str(exc)
        with self._ready:
            self._commands.extendleft(reversed(marks))

    def _keep_house(self) -> None:
        try:
            self._file.write([outbox_file.purge(older_than_s=self._wall_s() - self._limits.sent_retention_s)])
        except sqlite3.DatabaseError as exc:
            log.warning("outbox could not be purged", extra={"error": str(exc)})

    def _committed(self, batch: list[_Command], results: list[Any]) -> None:
        self._trouble = None
        self._release(batch)
        for command, result in zip(batch, results, strict=True):
            command.done.set_result(result)
        events = [event for command in batch for event in command.events]
        for listener in self._listeners if events else ():
            try:
                listener(events)
            except Exception:  # a listener's mistake must not stop the commits
                log.exception("outbox listener failed")

    def _fail(self, batch: list[_Command], error: Exception) -> None:
        self._release(batch)
        for command in batch:
            command.done.set_exception(error)

    def _release(self, batch: list[_Command]) -> None:
        with self._ready:
            self._n_waiting -= sum(command.n_counted for command in batch)
            self._bytes_waiting -= sum(command.n_bytes for command in batch)


def is_wrong_command(error: sqlite3.DatabaseError) -> bool:
    """Tell a statement or value that will never work from a disk that does not work now."""
    return not outbox_file.is_disk_trouble(error) and not outbox_file.is_damage(error)
