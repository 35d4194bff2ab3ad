"""Where alerts go: the contract of a sink, and the three ways in which it can say no.

Kafka is one (`streams/kafka.py`), memory another (`streams/testing.py`); `streams/publisher.py` is who calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from inference.errors import LivewardenError, NotReady
from streams.cloudevents import CloudEvent


class SinkUnavailable(NotReady):
    """Raised when the sink cannot take events now; they stay in the outbox and are sent again."""


class TopicMissing(SinkUnavailable):
    """Raised when the broker is up but has no such topic; only that topic waits."""


class SinkRefused(LivewardenError):
    """Raised when this very event can never be sent; it becomes a dead letter."""


Answer = Callable[[LivewardenError | None], None]
"""Called once, on any thread: None when the sink has the event for good, else why not."""


class AlertSink(Protocol):
    """Where alerts go. One publisher thread calls it; it answers from any thread."""

    def send(self, event: CloudEvent, answer: Answer) -> None:
        """Begin to send. May block for a second or two; the answer may never come, the publisher has its own deadline.

        Raises:
            SinkUnavailable: not now.
            SinkRefused: never.
        """
        ...

    def close(self, timeout_s: float) -> None:
        """Let go of everything within about the timeout; later answers are still heard."""
        ...
