"""The executor threads of one device share: they take the most urgent batch of all its lanes, run it, and take the next.

One thread on a GPU, since sessions of one card are called from one thread; on a CPU one per core.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from inference.clock import Clock, SystemClock
from inference.devices import DeviceShare
from inference.errors import ConfigError, NotReady
from inference.memory import MemoryBudget, meter_for
from inference.metrics import Metrics
from inference.tickets import Ticket

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_NAP_S = 60.0
"""Longest timed sleep of an idle thread; far deadlines are looked at again after it."""


class Runnable(Protocol):
    """What the device needs of a lane; the first four are called with the device's lock held."""

    def wake_at_s(self) -> float:
        """Moment at which it has something for a thread to do."""
        ...

    def due_at_s(self) -> float:
        """How urgent it is: the moment its next batch must leave."""
        ...

    def expire(self, now_s: float) -> list[Ticket]:
        """Take out what came too late."""
        ...

    def take(self, now_s: float, *, n_takers: int) -> list[Ticket]:
        """Take the batch that is due, if any."""
        ...

    def refuse_expired(self, tickets: Sequence[Ticket]) -> None:
        """Answer what `expire` took out."""
        ...

    def run(self, batch: Sequence[Ticket]) -> None:
        """Score a batch and answer it; never raises."""
        ...

    def close(self, *, timeout_s: float) -> None:
        """Drain, then answer the rest."""
        ...


@dataclass(slots=True)
class _Work:
    """What a thread took under the lock and does outside it."""

    late: list[tuple[Runnable, list[Ticket]]] = field(default_factory=list)
    lane: Runnable | None = None
    batch: list[Ticket] = field(default_factory=list)
    job: Callable[[], None] | None = None

    def __bool__(self) -> bool:
        return bool(self.late or self.lane or self.job)

    def do(self) -> None:
        for lane, tickets in self.late:
            lane.refuse_expired(tickets)
        if self.job:
            self.job()
        if self.lane:
            self.lane.run(self.batch)


class Device:
    """A device share at work. Make it before the first session: it sets the compute share that CUDA reads, and measures memory."""

    def __init__(
        self,
        share: DeviceShare,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        nice: int = 0,
        budget: MemoryBudget | None = None,
    ) -> None:
        """Start the share's executor threads, named `device-cpu-0.1` and the like.

        Args:
            share: what of the device is ours; says how many threads.
            clock: default the machine's.
            metrics: default a set of its own.
            nice: how much executor threads yield to the rest of the process (0..19), so that decoders on the same cores go first.
            budget: default one that measures this device.

        Raises:
            ConfigError: nice is out of range.
        """
        if not 0 <= nice <= 19:
            raise ConfigError(f"nice must be 0..19, got {nice}")
        self.share = share
        self.clock = clock or SystemClock()
        self.metrics = metrics or Metrics()
        self.lock = threading.RLock()
        """Guards every lane of the device."""
        self.settled = threading.Condition(self.lock)
        """Notified whenever a batch has been answered."""
        self._idle = threading.Condition(self.lock)
        self._n_idle = 0
        self._watch_until_s = math.inf
        """When the earliest idle thread wakes by itself; the others sleep until they are notified."""
        self._lanes: list[Runnable] = []
        self._jobs: deque[Callable[[], None]] = deque()
        self._stopped = False
        self._loading = threading.Lock()
        share.enforce(os.environ)
        self._budget = budget or MemoryBudget(share, meter_for(share))
        self.metrics.device_memory_limit.labels(share.name).set(share.memory_bytes)
        names = [f"device-{share.name}.{n}" for n in range(share.n_threads)]
        self._threads = [threading.Thread(target=self._serve, args=(nice,), name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def __repr__(self) -> str:
        return f"Device({self.share.name}, {len(self._threads)} threads, {len(self._lanes)} lanes)"

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Close every lane (drain, then answer the rest), then end the threads; all of it within about `timeout_s`."""
        end_s = time.monotonic() + timeout_s
        for lane in tuple(self._lanes):
            lane.close(timeout_s=max(0.0, end_s - time.monotonic()))
        with self.lock:
            self._stopped = True
            self._idle.notify_all()
        for thread in self._threads:
            thread.join(max(0.1, end_s - time.monotonic()))
            if thread.is_alive():
                log.error("an executor thread still runs a batch and is left behind", extra={"executor": thread.name})

    def call(self, job: Callable[[], T]) -> T:
        """Run `job` on an executor thread, before the next batch, and return what it returns; blocks the calling thread.

        Raises:
            NotReady: the device is closed.
            Exception: whatever the job raises.
        """
        future: Future[T] = Future()
        with self.lock:
            if self._stopped:
                raise NotReady(f"device {self.share.name} is closed")
            self._jobs.append(partial(_fulfil, future, job))
            self._idle.notify()
        return future.result()

    def call_everywhere(self, job: Callable[[], object]) -> None:
        """Run `job` on every executor thread at once; blocks until the last is done. One such call at a time (`admit` sees to it).

        Raises:
            NotReady: the device is closed.
            Exception: whatever the first failing job raised.
        """
        together = threading.Barrier(len(self._threads))  # nobody begins, and so nobody takes a second, before all have one
        futures: list[Future[object]] = [Future() for _ in self._threads]

        def met() -> object:
            together.wait()
            return job()

        with self.lock:
            if self._stopped:
                raise NotReady(f"device {self.share.name} is closed")
            self._jobs.extend(partial(_fulfil, future, met) for future in futures)
            self._idle.notify_all()
        for future in futures:
            future.result()

    @contextmanager
    def admit(self, name: str) -> Iterator[None]:
        """Load and warm one model inside; the next one waits its turn, so that the memory measured is its own.

        Raises:
            NotReady: the model does not fit the share.
        """
        with self._loading:
            with self._budget.admit(name):
                yield
            self.metrics.device_memory.labels(self.share.name).set(self._budget.used_bytes)

    def add(self, lane: Runnable) -> None:
        """Serve this lane from now on."""
        with self.lock:
            self._lanes.append(lane)

    def remove(self, lane: Runnable) -> None:
        """Serve this lane no more."""
        with self.lock:
            if lane in self._lanes:
                self._lanes.remove(lane)

    def expect(self, wake_at_s: float) -> None:
        """A lane has something to do at this moment: wake a thread if none would wake in time. Call it with the lock held."""
        if wake_at_s < self._watch_until_s:
            self._idle.notify()

    def wake(self) -> None:
        """Have every idle thread look at the clock and the lanes again: something other than a submit changed."""
        with self.lock:
            self._idle.notify_all()

    def _serve(self, nice: int) -> None:
        if nice:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)  # Linux: of this thread alone
        while (work := self._await_work()) is not None:
            try:
                work.do()
            except BaseException:  # lanes answer for their own failures; what gets here is a fault of ours, and no reason to stop
                log.exception("an executor thread's work failed")
            del work  # an idle thread holds no batch

    def _await_work(self) -> _Work | None:
        with self.lock:
            while True:
                now_s = self.clock.now_s()
                if work := self._next(now_s):
                    if self._n_idle and (self._jobs or self._wake_at_s() < math.inf):
                        self._idle.notify()  # somebody must watch, or take, what is left
                    return work
                if self._stopped and not self._jobs:
                    return None
                self._sleep(now_s)

    def _next(self, now_s: float) -> _Work:
        work = _Work(late=[(lane, late) for lane in self._lanes if (late := lane.expire(now_s))])
        if self._jobs:
            work.job = self._jobs.popleft()
            return work
        for lane in sorted(self._lanes, key=lambda lane: lane.due_at_s()):
            if batch := lane.take(now_s, n_takers=1 + self._n_idle):
                work.lane, work.batch = lane, batch
                break
        return work

    def _wake_at_s(self) -> float:
        return min((lane.wake_at_s() for lane in self._lanes), default=math.inf)

    def _sleep(self, now_s: float) -> None:
        mine = self._wake_at_s()
        watching = mine < self._watch_until_s
        if watching:
            self._watch_until_s = mine
        self._n_idle += 1
        self._idle.wait(min(max(0.0, mine - now_s), MAX_NAP_S) if watching else None)
        self._n_idle -= 1
        if watching and self._watch_until_s == mine:
            self._watch_until_s = math.inf


def _fulfil(future: Future[T], job: Callable[[], T]) -> None:
    try:
        future.set_result(job())
    except BaseException as exc:  # noqa: BLE001  it is raised where the job was given
        future.set_exception(exc)
