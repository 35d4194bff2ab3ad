"""Takes committed alerts from the outbox to a sink, in order per room, until the sink says it has them.

Owns what is in flight: bounds, order, deadlines, what to do with each answer. The sink (Kafka, or one in memory) is opened by a
function, on this thread, as often as it takes: the broker may be down from the start. Nothing here is the only copy of an alert;
what is not acknowledged stays in the outbox under the same id.

    outbox.pending() -> plan -> one in flight per topic and room -> answer -> outbox.mark_sent()
         ^                                   | none within the deadline: sink closed and opened anew, same ids sent again
         └-----------------------------------┘
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.clock import Clock
from inference.errors import LivewardenError
from inference.metrics import Metrics
from streams.alerts import Topic, encode
from streams.cloudevents import CloudEvent
from streams.deadletters import LostMessage, dead_letter
from streams.outbox import Outbox
from streams.outbox_file import Row
from streams.sinks import AlertSink, SinkRefused, SinkUnavailable, TopicMissing

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 256
MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024
ROW_DEADLINE_S = 15.0
PLAN_ROWS = 1000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
TOPIC_PAUSE_S = 5.0
GAUGES_EVERY_S = 1.0
SINK_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class PublisherLimits:
    """Bounds of what is in flight."""

    max_in_flight: int = MAX_IN_FLIGHT
    max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES
    row_deadline_s: float = ROW_DEADLINE_S
    """An event without an answer for this long makes the sink be opened anew; a client's futures may never resolve (measured)."""


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """How publishing stands."""

    connected: bool
    trouble: str | None
    """Why nothing, or not everything, is sent at present."""
    n_in_flight: int
    n_unpublished: int
    oldest_unpublished_s: float
    """Age of the oldest committed event without an acknowledgement, seconds; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """What keeps its order: one room on one topic."""

    topic: str
    key: str


@dataclass(frozen=True, slots=True)
class _Flight:
    row: Row
    deadline_s: float


@dataclass(frozen=True, slots=True)
class _Answer:
    row: Row
    n_sink: int
    """Which opening of the sink it comes from."""
    error: LivewardenError | None


@dataclass(frozen=True, slots=True)
class _Pause:
    """A topic that waits."""

    until_s: float
    reason: str


class Publisher:
    """Background thread `alert-publisher`; `close` flushes by a deadline and leaves the rest in the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        open_sink: Callable[[], AlertSink],
        *,
        clock: Clock,
        metrics: Metrics,
        limits: PublisherLimits | None = None,
    ) -> None:
        self._outbox, self._open_sink, self._clock, self._metrics = outbox, open_sink, clock, metrics
        self._limits = limits or PublisherLimits()
        self._sink: AlertSink | None = None
        self._plan: dict[_Lane, deque[Row]] = {}
        self._flights: dict[_Lane, _Flight] = {}
        self._bytes_in_flight = 0
        self._marking: set[int] = set()
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._n_sink = 0
        self._paused_topics: dict[str, _Pause] = {}
        self._pause_s = FIRST_PAUSE_S
        self._random = random.Random()
        self._wake = threading.Event()
        self._more = True
        self._seen_rows = True
        self._trouble: str | None = "not connected yet"
        self._next_gauges_s = 0.0
        self._close_by_s: float | None = None
        outbox.subscribe(self._on_commit)
        self._thread = threading.Thread(target=self._run, name="alert-publisher", daemon=True)

    def start(self) -> None:
        """Begin to publish what waits; returns at once, whether the broker is there or not."""
        self._thread.start()

    def status(self) -> PublisherStatus:
        """Say how publishing stands; safe from any thread."""
        backlog = self._outbox.backlog()
        age_s = 0.0 if backlog.oldest_s is None else max(0.0, self._clock.utc().timestamp() - backlog.oldest_s)
        trouble = self._trouble or "; ".join(sorted({pause.reason for pause in tuple(self._paused_topics.values())})) or None
        return PublisherStatus(self._sink is not None, trouble, len(self._flights), backlog.n_pending, age_s)

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Send what waits until the deadline, then stop; without a connection stop at once. Call it before the outbox is closed."""
        self._close_by_s = self._clock.now_s() + deadline_s
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _on_commit(self, events: Sequence[CloudEvent]) -> None:
        self._more = True
        self._wake.set()

    # Below: the publisher thread.

    def _run(self) -> None:
        while not self._is_over():
            try:
                if self._sink is None and not self._connect():
                    continue
                wait_s = self._step()
            except Exception as exc:  # alert sink border: one broken turn must not end publishing
                log.exception("publishing failed")
                self._lose_sink(f"{type(exc).__name__}: {exc}")
                continue
            self._wake.wait(wait_s)
            self._wake.clear()
        if self._sink is not None:
            self._sink.close(SINK_CLOSE_S)
            self._hear_answers()
            self._sink = None
        self._metrics.kafka_connected.set(0)

    def _is_over(self) -> bool:
        if self._close_by_s is None:
            return False
        if self._sink is None or self._clock.now_s() >= self._close_by_s:
            return True
        busy = self._flights or self._plan or self._marking or not self._answers.empty()
        return not (busy or self._more or self._seen_rows)

    def _connect(self) -> bool:
        try:
            self._sink = self._open_sink()
        except Exception as exc:  # noqa: BLE001  alert sink border: whatever the client raises, it is tried again
            self._note_trouble(type(exc).__name__, str(exc))
            self._rest()
            return False
        log.info("publishing begins")
        self._n_sink += 1
        self._trouble, self._more = None, True
        self._metrics.kafka_connected.set(1)
        return True

    def _rest(self) -> None:
        """Wait before the next attempt, longer each time, jittered so that many workers do not knock together."""
        until_s = self._clock.now_s() + self._pause_s * self._random.uniform(0.5, 1.0)
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
        while self._close_by_s is None and (left_s := until_s - self._clock.now_s()) > 0:
            self._show_gauges()
            self._wake.wait(min(left_s, GAUGES_EVERY_S))
            self._wake.clear()

    def _step(self) -> float:
        """Hear, check deadlines, send; returns how long there is nothing to do unless something wakes us."""
        self._hear_answers()
        now_s = self._clock.now_s()
        if any(flight.deadline_s <= now_s for flight in self._flights.values()):
            self._lose_sink(f"no answer within {self._limits.row_deadline_s:g} s")
            return 0.0
        self._show_gauges()
        if self._more or (self._seen_rows and not self._plan):
            self._make_plan()
        self._send_planned()
        nearest_s = min((flight.deadline_s for flight in self._flights.values()), default=now_s + GAUGES_EVERY_S)
        return max(0.0, min(GAUGES_EVERY_S, nearest_s - now_s))

    def _make_plan(self) -> None:
        """Read what to send afresh, so that a grave alert passes an old backlog."""
        self._more = False
        now_s = self._clock.now_s()
        busy = {flight.row.seq for flight in self._flights.values()} | self._marking
        rows = self._outbox.pending(PLAN_ROWS + len(busy))
        self._seen_rows = bool(rows)
        self._plan = {}
        paused = {topic for topic, pause in self._paused_topics.items() if pause.until_s > now_s}
        for row in rows:
            if row.seq not in busy and row.event.topic not in paused:
                self._plan.setdefault(_Lane(row.event.topic, row.event.key), deque()).append(row)

    def _send_planned(self) -> None:
        """Send the head of every lane that has nothing in flight, as far as the bounds allow."""
        for lane in list(self._plan):
            if self._sink is None or self._is_full():
                return
            if lane in self._flights or lane not in self._plan:
                continue
            row = self._plan[lane].popleft()
            if not self._plan[lane]:
                del self._plan[lane]
            self._send(lane, row)

    def _is_full(self) -> bool:
        limits = self._limits
        return len(self._flights) >= limits.max_in_flight or self._bytes_in_flight >= limits.max_in_flight_bytes

    def _send(self, lane: _Lane, row: Row) -> None:
        assert self._sink is not None
        n_sink = self._n_sink
        self._flights[lane] = _Flight(row, self._clock.now_s() + self._limits.row_deadline_s)
        self._bytes_in_flight += row.event.n_bytes
        if row.attempts:
            self._metrics.events_retried.labels(row.event.topic).inc()
        try:
            self._sink.send(row.event, lambda error: self._on_answer(_Answer(row, n_sink, error)))
        except (SinkUnavailable, SinkRefused) as exc:
            self._on_answer(_Answer(row, n_sink, exc))
            self._hear_answers()

    def _on_answer(self, answer: _Answer) -> None:
        self._answers.put(answer)
        self._wake.set()

    def _hear_answers(self) -> None:
        """Note every acknowledgement, from whichever sink; refusals and failures count only from the sink that is open."""
        sent: list[Row] = []
        failed: list[_Answer] = []
        while not self._answers.empty():
            answer = self._answers.get()
            if answer.error is None:
                self._land(answer.row)
                self._count_sent(answer.row.event)
                sent.append(answer.row)
            elif answer.n_sink == self._n_sink and self._land(answer.row):
                failed.append(answer)
        if sent:
            self._marking.update(row.seq for row in sent)
            self._outbox.mark_sent(sent).add_done_callback(lambda _: self._on_marked(sent))
        for answer in failed:
            self._take_failure(answer.row, answer.error)

    def _take_failure(self, row: Row, error: LivewardenError | None) -> None:
        if isinstance(error, SinkRefused):
            self._bury(row, str(error))
        elif isinstance(error, TopicMissing):
            self._note_trouble(type(error).__name__, str(error))
            self._trouble = None  # only this topic waits
            self._paused_topics[row.event.topic] = _Pause(self._clock.now_s() + TOPIC_PAUSE_S, str(error))
            self._plan = {lane: rows for lane, rows in self._plan.items() if lane.topic != row.event.topic}
        else:
            self._outbox.mark_unanswered([row])
            self._lose_sink(str(error))

    def _on_marked(self, rows: Sequence[Row]) -> None:
        """Runs on the outbox's writer thread."""
        self._marking.difference_update([row.seq for row in rows])
        self._wake.set()

    def _land(self, row: Row) -> bool:
        """Take the row out of flight; False where it is not in flight any more, the sink having been given up meanwhile."""
        lane = _Lane(row.event.topic, row.event.key)
        flight = self._flights.get(lane)
        if flight is None or flight.row.seq != row.seq:
            return False
        del self._flights[lane]
        self._bytes_in_flight -= row.event.n_bytes
        return True

    def _bury(self, row: Row, reason: str) -> None:
        event = row.event
        log.error("alert can never be sent", extra={"ce_id": event.id, "topic": event.topic, "reason": reason})
        lost = LostMessage(event.topic, event.key, event.value, ce_id=event.id)
        letter = None if event.topic == Topic.DEAD else encode(dead_letter(lost, reason, at=self._clock.utc()))
        self._metrics.kafka_errors.labels("refused").inc()
        self._marking.add(row.seq)
        self._outbox.mark_dead(row, reason=reason, letter=letter).add_done_callback(lambda _: self._on_marked([row]))

    def _lose_sink(self, reason: str) -> None:
        """Give the connection up with all that is in flight; the rows are read again from the outbox."""
        sink, self._sink = self._sink, None
        if sink is None:
            return
        overdue = [flight.row for flight in self._flights.values()]
        self._flights, self._plan, self._bytes_in_flight, self._more = {}, {}, 0, True
        self._metrics.kafka_connected.set(0)
        self._note_trouble("connection", reason)
        if overdue:
            self._outbox.mark_unanswered(overdue)
        sink.close(SINK_CLOSE_S)
        self._rest()

    def _note_trouble(self, kind: str, text: str) -> None:
        self._metrics.kafka_errors.labels(kind).inc()
        if text != self._trouble:
            log.warning("alerts are not sent", extra={"reason": text})
        self._trouble = text

    def _count_sent(self, event: CloudEvent) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._paused_topics.pop(event.topic, None)
        self._metrics.events_published.labels(event.topic).inc()
        if event.topic == Topic.VIOLATIONS:
            age_s = (self._clock.utc() - event.time).total_seconds()
            self._metrics.capture_to_publish.observe(max(0.0, age_s))

    def _show_gauges(self) -> None:
        now_s = self._clock.now_s()
        if now_s < self._next_gauges_s:
            return
        self._next_gauges_s = now_s + GAUGES_EVERY_S
        status = self.status()
        self._metrics.outbox_unpublished.set(status.n_unpublished)
        self._metrics.outbox_oldest.set(status.oldest_unpublished_s)
        if any(pause.until_s <= now_s for pause in self._paused_topics.values()):
            self._more = True
