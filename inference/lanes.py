"""Lanes: a lane is the bounded queue of one model, with the batches it runs and the answers it gives.

What runs together and when is decided in `batching.py`; the threads are the device's (`executor.py`); the model is a `Session`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import DEFAULT_LADDER, BatchFormer, Ladder, Rounding
from inference.errors import DeadlineExceeded, LivewardenError, ModelError, NotReady, Overloaded
from inference.executor import Device
from inference.sessions import OutOfMemory, Rows, Session, rounding_for
from inference.tickets import Answers, Ticket, Timing

__all__ = ["Device", "Lane", "LaneState", "LaneStatistics", "Ticket", "Timing"]

log = logging.getLogger(__name__)

_EWMA = 0.2
"""Weight of the newest run in the running mean of run times."""


class LaneState(StrEnum):
    """Where a lane is in its life; samples are taken in READY only."""

    COLD = "cold"
    WARMING = "warming"
    READY = "ready"
    FAILED = "failed"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """What a lane is doing and has done, at one moment."""

    state: LaneState
    reason: str
    """Why it is not ready; empty where it is."""
    n_waiting: int
    n_running: int
    n_scored: int
    n_batches: int
    n_failed: int
    n_expired: int
    n_rejected: int
    n_abandoned: int
    """Samples whose caller gave up before they ran."""
    n_oom: int
    max_batch: int
    """Largest batch allowed now."""
    run_s: float
    """Running mean of a batch's time, seconds."""


@dataclass(slots=True)
class _Counts:
    scored: int = 0
    batches: int = 0
    failed: int = 0
    expired: int = 0
    rejected: int = 0
    abandoned: int = 0
    oom: int = 0


class Lane:
    """The bounded queue of one model, its batches and its answers.

    Overflow.REJECT: a full queue refuses the sample at once. A failed batch answers everyone in it and the lane lives on. An
    out-of-memory halves the largest batch, runs the batch once more in smaller pieces, and lets it grow again after a quiet time.
    Made cold: `warm` makes it ready. `submit` may be called from any thread.
    """

    def __init__(
        self,
        name: str,
        session: Session,
        device: Device,
        *,
        max_queue: int,
        max_wait_s: float = 0.0,
        ladder: Sequence[int] = DEFAULT_LADDER,
    ) -> None:
        """Bind a session to a device.

        Args:
            name: how logs, metrics and errors call it.
            session: the loaded model.
            device: whose threads run it.
            max_queue: samples that may wait; one more is refused.
            max_wait_s: how long the first sample of a batch waits for company. 0 starts at once on an idle device; batches then
                form of what arrives while the device is busy, which is best for latency and costs nothing under load.
            ladder: rising batch sizes.
        """
        if max_queue < 1:
            raise ValueError(f"max_queue must be at least 1, got {max_queue}")
        self.name = name
        self.session = session
        self._device = device
        self._max_queue = max_queue
        self._rounding = rounding_for(session.provider)
        self._former: BatchFormer[Ticket] = BatchFormer(ladder=Ladder(ladder), max_wait_s=max_wait_s, rounding=self._rounding)
        self._state = LaneState.COLD
        self._reason = "not warmed up yet"
        self._running: set[Ticket] = set()
        self._counts = _Counts()
        self._metrics = device.metrics
        self._metrics.lane_ready.labels(name).set(0)
        self._waited = self._metrics.lane_wait.labels(name)
        self._inferred = self._metrics.lane_infer.labels(name)
        self._sizes = self._metrics.lane_batch_size.labels(name)
        self._busy = self._metrics.device_busy.labels(device.share.name)

    def __repr__(self) -> str:
        return f"Lane({self.name}, {self.session.ref} on {self._device.share.name}, {self._state})"

    # ---- life

    def warm(self) -> None:
        """Run every size of the ladder on the device, the largest on all its threads; check that the model fits; take samples.

        Blocks for seconds (the first run of a GPU session); call it from a loading thread. Other lanes run between the sizes.

        Raises:
            NotReady: the model failed, or does not fit the share; the lane stays out of service and says why.
        """
        self._become(LaneState.WARMING, "warming up")
        try:
            with self._device.admit(self.name):
                for size in self._former.ladder.sizes:
                    self._device.call(partial(self.session.warm, size))
                self._device.call_everywhere(partial(self.session.warm, size))  # the most memory it will ever need at once
        except BaseException as exc:
            refusal = exc if isinstance(exc, NotReady) else NotReady(f"lane {self.name}: warm-up failed: {exc}")
            self._become(LaneState.FAILED, str(refusal))
            raise refusal from exc
        self._metrics.model_info.labels(self.name, self.session.ref.name, self.session.ref.version, self.session.provider).set(1)
        self._device.add(self)
        self._become(LaneState.READY, "")

    @property
    def ready(self) -> bool:
        """True while samples are taken."""
        return self._state is LaneState.READY

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Take no more samples, run what waits, and after `timeout_s` answer the rest with NotReady. Nobody is left waiting."""
        with self._device.lock:
            if self._state in {LaneState.CLOSING, LaneState.CLOSED}:
                return
            self._become(LaneState.CLOSING, "closing")
            self._former.max_wait_s = 0.0
            self._device.wake()
            self._device.settled.wait_for(lambda: not self._former and not self._running, timeout_s)
            left = self._former.drain() + list(self._running)
            self._device.remove(self)
            self._become(LaneState.CLOSED, "closed")
        self._refuse(left, [NotReady(f"lane {self.name} closed before this sample was scored") for _ in left])

    def statistics(self) -> LaneStatistics:
        """Return what the lane is doing and has done."""
        with self._device.lock:
            counts = self._counts
            return LaneStatistics(
                state=self._state,
                reason=self._reason,
                n_waiting=len(self._former),
                n_running=len(self._running),
                n_scored=counts.scored,
                n_batches=counts.batches,
                n_failed=counts.failed,
                n_expired=counts.expired,
                n_rejected=counts.rejected,
                n_abandoned=counts.abandoned,
                n_oom=counts.oom,
                max_batch=self._former.ladder.max_size,
                run_s=self._former.run_s,
            )

    def _become(self, state: LaneState, reason: str) -> None:
        self._state = state
        self._reason = reason
        self._metrics.lane_ready.labels(self.name).set(state is LaneState.READY)
        log.info("lane %s is %s", self.name, state, extra={"lane": self.name, "state": str(state), "reason": reason})

    # ---- in

    def submit(self, rows: Rows, *, deadline_s: float | None = None) -> Ticket:
        """Queue one sample, given without the batch axis.

        Args:
            rows: one array per input of the session; they must not change until the ticket is answered.
            deadline_s: absolute moment of the monotonic clock after which the answer is of no use.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: the deadline has passed already.
            NotReady: the lane is not warm, failed, or closing.
            ValueError: the inputs are not the session's.
        """
        shape = self._shape(rows)
        with self._device.lock:
            now_s = self._device.clock.now_s()
            if self._state is not LaneState.READY:
                raise NotReady(f"lane {self.name} is {self._state}: {self._reason}")
            if deadline_s is not None and deadline_s <= now_s:
                self._count_expired(1)
                raise DeadlineExceeded(f"lane {self.name}: the deadline passed {now_s - deadline_s:.3f} s before the sample came")
            if len(self._former) >= self._max_queue:
                self._counts.rejected += 1
                self._metrics.lane_samples.labels(self.name, "rejected").inc()
                raise Overloaded(f"lane {self.name}: {self._max_queue} samples wait already", retry_after_s=self._clears_in_s())
            ticket = Ticket(rows, queued_s=now_s, deadline_s=deadline_s, give_up=self._abandon)
            self._former.add(ticket, now_s=now_s, deadline_s=deadline_s, shape=shape)
            self._device.expect(self._former.wake_at_s())
        return ticket

    def _shape(self, rows: Rows) -> Hashable:
        names = self.session.input_names
        if len(rows) != len(names):
            raise ValueError(f"lane {self.name} takes inputs {names}, got {tuple(rows)}")
        try:
            return tuple((rows[name].shape, rows[name].dtype) for name in names)
        except KeyError:
            raise ValueError(f"lane {self.name} takes inputs {names}, got {tuple(rows)}") from None

    def _clears_in_s(self) -> float:
        return max(0.1, math.ceil(len(self._former) / self._former.ladder.max_size) * self._former.run_s)

    def _abandon(self, ticket: Ticket) -> None:
        with self._device.lock:
            gone = self._former.discard(ticket)
            if gone:
                self._counts.abandoned += 1
                self._metrics.lane_samples.labels(self.name, "abandoned").inc()
        if gone:
            self._refuse([ticket], [DeadlineExceeded("the caller gave up waiting")])

    def _count_expired(self, n: int) -> None:
        self._counts.expired += n
        self._metrics.lane_samples.labels(self.name, "expired").inc(n)

    # ---- for the device; called with its lock held

    def wake_at_s(self) -> float:
        """Moment at which the lane has something for a thread to do."""
        return self._former.wake_at_s()

    def due_at_s(self) -> float:
        """Moment at which its most urgent batch must leave: how urgent the lane is."""
        return self._former.due_at_s()

    def expire(self, now_s: float) -> list[Ticket]:
        """Take out the samples whose deadline has passed; `refuse_expired` answers them outside the lock."""
        gone = self._former.expire(now_s)
        if gone:
            self._count_expired(len(gone))
        return gone

    def take(self, now_s: float, *, n_takers: int) -> list[Ticket]:
        """Take the batch that is due, if any; it counts as running until `run` returns."""
        self._former.ladder.climb(now_s)
        batch = self._former.take(now_s, n_takers=n_takers)
        self._running.update(batch)
        return batch

    # ---- for the device; called on an executor thread without its lock

    def refuse_expired(self, tickets: Sequence[Ticket]) -> None:
        """Answer the samples that `expire` took out."""
        self._refuse(tickets, [DeadlineExceeded(f"lane {self.name}: the deadline passed before the sample ran") for _ in tickets])

    def run(self, batch: Sequence[Ticket]) -> None:
        """Score a batch and answer everyone in it, whatever happens."""
        started_s = self._device.clock.now_s()
        try:
            self._attempt(batch, started_s)
        finally:
            self._busy.inc(max(0.0, self._device.clock.now_s() - started_s))
            with self._device.lock:
                self._running.difference_update(batch)
                self._metrics.lane_waiting.labels(self.name).set(len(self._former))
                self._metrics.lane_max_batch.labels(self.name).set(self._former.ladder.max_size)
                self._device.settled.notify_all()

    def _attempt(self, batch: Sequence[Ticket], started_s: float) -> None:
        try:
            self._score(batch, started_s)
        except (OutOfMemory, MemoryError) as exc:
            size = self._shrink()
            if size >= len(batch):
                self._fail(batch, exc, started_s)
                return
            log.warning("out of memory, running again in smaller batches", extra={"lane": self.name, "size": size})
            for start in range(0, len(batch), size):
                self._last_attempt(batch[start : start + size], started_s)
        except BaseException as exc:  # noqa: BLE001  lane border: answer every open ticket, keep serving
            self._fail(batch, exc, started_s)

    def _last_attempt(self, batch: Sequence[Ticket], started_s: float) -> None:
        try:
            self._score(batch, started_s)
        except BaseException as exc:  # noqa: BLE001  lane border, as above
            if isinstance(exc, OutOfMemory | MemoryError):
                self._shrink()
            self._fail(batch, exc, started_s)

    def _shrink(self) -> int:
        with self._device.lock:
            self._counts.oom += 1
            self._metrics.lane_oom.labels(self.name).inc()
            self._former.ladder.halve(self._device.clock.now_s())
            return self._former.ladder.max_size

    def _score(self, batch: Sequence[Ticket], started_s: float) -> None:
        n_rows = self._former.ladder.pad(len(batch)) if self._rounding is Rounding.UP else len(batch)
        begun_s = self._device.clock.now_s()
        outputs = self.session.run(
            {name: _stack([ticket.rows[name] for ticket in batch], n_rows) for name in self.session.input_names}
        )
        for name, rows in outputs.items():
            if rows.ndim == 0 or len(rows) != n_rows:
                raise ValueError(f"output {name} has shape {rows.shape} for {n_rows} samples")
        done_s = self._device.clock.now_s()
        self._record(batch, started_s, done_s - begun_s)
        answers = Answers()
        for row, ticket in enumerate(batch):
            timing = Timing(ticket.queued_s, started_s, done_s, len(batch))
            answers.give(ticket, {name: rows[row] for name, rows in outputs.items()}, timing)
        answers.send()

    def _record(self, batch: Sequence[Ticket], started_s: float, run_s: float) -> None:
        for ticket in batch:
            self._waited.observe(started_s - ticket.queued_s)
        self._inferred.observe(run_s)
        self._sizes.observe(len(batch))
        self._metrics.lane_samples.labels(self.name, "scored").inc(len(batch))
        with self._device.lock:
            self._counts.scored += len(batch)
            self._counts.batches += 1
            self._former.run_s += (run_s - self._former.run_s) * (_EWMA if self._former.run_s else 1.0)

    def _fail(self, batch: Sequence[Ticket], cause: BaseException, started_s: float) -> None:
        log.error("batch failed", exc_info=cause, extra={"lane": self.name, "size": len(batch)})
        self._metrics.lane_samples.labels(self.name, "failed").inc(len(batch))
        with self._device.lock:
            self._counts.failed += len(batch)
        self._refuse(batch, [ModelError(self.name, cause) for _ in batch], started_s=started_s)

    def _refuse(self, tickets: Sequence[Ticket], errors: Sequence[LivewardenError], *, started_s: float | None = None) -> None:
        done_s = self._device.clock.now_s()
        answers = Answers()
        for ticket, error in zip(tickets, errors, strict=True):
            answers.give(ticket, error, Timing(ticket.queued_s, done_s if started_s is None else started_s, done_s))
        answers.send()


def _stack(rows: Sequence[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    """Put samples into one array of `n_rows`, repeating the last one; a lone sample is not copied."""
    if n_rows == 1:
        return rows[0][np.newaxis]
    # One copy by `join`, because every array assignment drops the interpreter's lock and has to queue for it again.
    parts = [np.ascontiguousarray(row).data for row in (*rows, *[rows[-1]] * (n_rows - len(rows)))]
    return np.frombuffer(b"".join(parts), rows[0].dtype).reshape(n_rows, *rows[0].shape)
