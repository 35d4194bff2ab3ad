"""Test doubles of the streams floor that are ours and shipped: a sink in memory that keeps the same contract as Kafka's."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from inference.errors import LivewardenError
from streams.cloudevents import CloudEvent
from streams.sinks import AlertSink, Answer, SinkUnavailable


class MemoryAlertSink:
    """Keeps what it is sent. A script of errors may be set: each is given to one event, None meaning that it is taken.

    `silent` makes it take events and never answer, as a client does whose broker died at a bad moment.
    """

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []
        self.script: deque[LivewardenError | None] = deque()
        self.silent = False
        self.n_closed = 0
        self._grown = threading.Condition()

    def send(self, event: CloudEvent, answer: Answer) -> None:
        """Keep the event and answer at once, or as the script says."""
        error = self.script.popleft() if self.script else None
        if error is None:
            with self._grown:
                self.events.append(event)
                self._grown.notify_all()
        if not self.silent:
            answer(error)

    def close(self, timeout_s: float) -> None:
        """Count the closing; what was kept stays."""
        self.n_closed += 1

    def wait_for(self, n_events: int, timeout_s: float = 10.0) -> list[CloudEvent]:
        """Return what was sent once it is at least `n_events`.

        Raises:
            TimeoutError: it did not become so many.
        """
        with self._grown:
            if not self._grown.wait_for(lambda: len(self.events) >= n_events, timeout_s):
                raise TimeoutError(f"{len(self.events)} of {n_events} events after {timeout_s:g} s")
            return list(self.events)


def failing_first(n_failures: int, sink: AlertSink) -> Callable[[], AlertSink]:
    """Return a way to open the sink that finds no broker the first times."""
    left = iter(range(n_failures))

    def open_sink() -> AlertSink:
        if next(left, None) is not None:
            raise SinkUnavailable("no broker yet")
        return sink

    return open_sink
