"""Keeps the violation index up with the outbox, on a thread of its own: a slow or absent database delays nobody's alerts.

Reads what was committed after the position that the index itself remembers, so that nothing is missed over restarts and outages and
nothing is taken twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from streams.cloudevents import CloudEvent
from streams.index import ViolationIndex
from streams.outbox import Outbox

log = logging.getLogger(__name__)

BATCH_ROWS = 200
RETRY_PAUSE_S = 2.0


class IndexFeed:
    """Thread `index-feed`. Close it after the last event was put and before outbox and index are closed."""

    def __init__(self, outbox: Outbox, index: ViolationIndex, *, name: str) -> None:
        """Prepare the feed.

        Args:
            outbox: where events are read.
            index: where they go.
            name: of this worker among those that feed one database.
        """
        self._outbox, self._index, self._name = outbox, index, name
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="index-feed", daemon=True)
        outbox.subscribe(self._on_commit)

    @property
    def trouble(self) -> str | None:
        """Why the index is behind, or None."""
        return self._trouble

    def start(self) -> None:
        """Begin where the index stands."""
        self._wake.set()
        self._thread.start()

    def close(self) -> None:
        """Take in what is committed, then stop; a database that does not work is not waited for."""
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _on_commit(self, events: Sequence[CloudEvent]) -> None:
        self._wake.set()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait()
            self._wake.clear()
            is_last = self._closing.is_set()
            try:
                self._catch_up()
                self._trouble = None
            except SQLAlchemyError as exc:
                if self._trouble is None:
                    log.warning("violation index is behind", extra={"reason": type(exc).__name__})
                self._trouble = f"{type(exc).__name__}: {exc.__cause__ or 'database does not work'}"
                self._closing.wait(RETRY_PAUSE_S)
                self._wake.set()

    def _catch_up(self) -> None:
        name = f"{self._name}/{self._outbox.identity()}"
        position = self._index.position(name)
        while rows := self._outbox.since(position, BATCH_ROWS):
            position = rows[-1].seq
            self._index.apply([row.event for row in rows], position=(name, position))
