"""Where a worker keeps what it finds: outbox, evidence, index, recent frames, and the publisher that empties the outbox.

Composition only: opened together before the worker, closed after it in the order in which they need each other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from inference.clock import Clock
from inference.errors import ConfigError
from inference.metrics import Metrics
from streams.evidence import EvidenceStore
from streams.index import ViolationIndex
from streams.index_feed import IndexFeed
from streams.kafka import kafka_publisher
from streams.outbox import Outbox
from streams.publisher import Publisher
from streams.settings import Settings
from streams.shelves import Swept, shelf_at
from streams.strips import RecentFrames

log = logging.getLogger(__name__)

RECENT_FRAMES = 8
"""Small pictures kept per room for strips: sixteen seconds at the default interval."""
RECENT_BYTES = 256 * 1024 * 1024
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything durable of one worker."""

    outbox: Outbox
    evidence: EvidenceStore
    index: ViolationIndex
    feed: IndexFeed
    recent: RecentFrames
    publisher: Publisher | None
    """None where no broker is configured: alerts stay in the outbox and are shown by API and console."""
    settings: Settings

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock, metrics: Metrics) -> Stores:
        """Open everything in the data folder and start to publish what waits.

        Raises:
            ConfigError: the data folder cannot be written, or an address cannot be used.
            NotReady: another worker has the outbox.
        """
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"data_dir {settings.data_dir} cannot be written: {error.strerror}; set data_dir") from error
        outbox = Outbox(settings.data_dir / "outbox.db", clock=clock, metrics=metrics)
        index = ViolationIndex(settings.index_address)
        feed = IndexFeed(outbox, index, name=settings.worker_id)
        feed.start()
        publisher = None
        if settings.kafka.bootstrap_servers:
            publisher = kafka_publisher(settings.kafka, outbox, clock=clock, metrics=metrics)
            publisher.start()
        recent = RecentFrames(frames_per_room=RECENT_FRAMES, max_bytes=RECENT_BYTES)
        return cls(outbox, EvidenceStore(shelf_at(settings.evidence_uri)), index, feed, recent, publisher, settings)

    def broker_view(self) -> dict[str, Any]:
        """Describe publishing for status and console."""
        if self.publisher is None:
            return {"state": "off", "pending": 0, "oldest_unpublished_s": 0.0, "trouble": None}
        status = self.publisher.status()
        state = "up" if status.connected and not status.trouble else "down" if status.trouble else "connecting"
        return {
            "state": state,
            "pending": status.n_unpublished,
            "oldest_unpublished_s": round(status.oldest_unpublished_s, 1),
            "trouble": status.trouble,
        }

    def sweep(self, *, clock: Clock) -> Swept:
        """Apply the retention of evidence; blocks."""
        keep = self.settings.evidence
        oldest = clock.utc() - timedelta(days=keep.max_age_days)
        return self.evidence.sweep(older_than=oldest, max_bytes=int(keep.max_gib * GIB))

    def close(self) -> None:
        """Publish what can be published by a deadline, then close; the rest stays in the outbox for the next start."""
        if self.publisher is not None:
            self.publisher.close(deadline_s=self.settings.rooms.shutdown_s)
        self.feed.close()
        self.outbox.close()
        self.index.close()
