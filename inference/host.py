"""What every detector stands on: threads for its own CPU work, a clock, the metrics.

Work that waits is bounded and answered: over the bound it is refused, past its deadline it is dropped before it starts.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from inference.clock import Clock, SystemClock
from inference.errors import DeadlineExceeded, NotReady, Overloaded
from inference.metrics import Metrics

T = TypeVar("T")

MAX_WAITING = 256
"""Pieces of CPU work that may be open at once; Overflow.REJECT beyond it."""


class Host:
    """The rim a detector works through; one for all detectors, safe from any thread and any event loop."""

    def __init__(
        self,
        threads: Executor,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Share an executor among detectors.

        Args:
            threads: where preparation and post-processing run.
            clock: default the machine's.
            metrics: default a set of its own.
            max_waiting: pieces of work that may be open at once; one more is refused.
        """
        self.clock = clock or SystemClock()
        self.metrics = metrics or Metrics()
        self._threads = threads
        self._max_waiting = max_waiting
        self._open = 0
        self._lock = threading.Lock()

    def check(self, name: str, deadline_s: float | None) -> None:
        """Drop work whose moment has passed.

        Raises:
            DeadlineExceeded: `deadline_s`, absolute on the monotonic clock, is not ahead.
        """
        now_s = self.clock.now_s()
        if deadline_s is not None and deadline_s <= now_s:
            raise DeadlineExceeded(f"{name}: the deadline passed {now_s - deadline_s:.3f} s before the work began")

    async def run(self, name: str, work: Callable[[], T], *, deadline_s: float | None) -> T:
        """Run CPU work on a thread and wait for it without holding up the event loop.

        Raises:
            DeadlineExceeded: the deadline passed before the work began.
            Overloaded: too much work is open already.
            NotReady: the threads are shut down.
        """
        self.check(name, deadline_s)
        with self._lock:
            if self._open >= self._max_waiting:
                raise Overloaded(f"{name}: {self._open} pieces of work are open already")
            self._open += 1

        def timely() -> T:
            self.check(name, deadline_s)
            return work()

        try:
            future = self._threads.submit(timely)
        except RuntimeError as exc:
            self._settle()
            raise NotReady(f"{name}: its threads are shut down") from exc
        future.add_done_callback(lambda _: self._settle())
        return await asyncio.wrap_future(future)

    def _settle(self) -> None:
        with self._lock:
            self._open -= 1
