"""Test doubles that are ours and shipped: a clock moved by hand, a model whose cost and failures are a script, a lane ready to use.

They keep the same contracts as the real ones; every contract's tests run over both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from inference.batching import DEFAULT_LADDER
from inference.clock import Clock
from inference.devices import DeviceKind, DeviceShare
from inference.lanes import Device, Lane
from inference.memory import MemoryBudget
from inference.metrics import Metrics
from inference.sessions import OutOfMemory, Rows
from inference.verdicts import ModelRef


class ManualClock:
    """A clock that stands still until it is moved; both its times move together. Safe from any thread."""

    def __init__(self, now_s: float = 1000.0, utc: datetime | None = None) -> None:
        self._now_s = now_s
        self._utc = utc or datetime(2026, 1, 1, tzinfo=UTC)
        self._listeners: list[Callable[[], None]] = []

    def now_s(self) -> float:
        """Seconds; starts at 1000 unless told."""
        return self._now_s

    def utc(self) -> datetime:
        """Aware UTC; starts at 2026-01-01 unless told."""
        return self._utc

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` >= 0 and tell the listeners."""
        if seconds < 0:
            raise ValueError(f"time does not go back, got {seconds} s")
        self._now_s += seconds
        self._utc += timedelta(seconds=seconds)
        for listener in tuple(self._listeners):
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each move, e.g. `device.wake`, whose threads would otherwise sleep by the machine's clock."""
        self._listeners.append(listener)


def double(batch: Rows) -> Rows:
    """What a FakeSession answers unless told: `y` is twice the first input, so that every answer tells its sample."""
    return {"y": next(iter(batch.values())) * 2}


@dataclass(frozen=True, slots=True)
class Cost:
    """How long a fake run takes, in real seconds."""

    fixed_s: float = 0.0
    per_item_s: float = 0.0

    def of(self, n_rows: int) -> float:
        """Cost of a batch of `n_rows`."""
        return self.fixed_s + self.per_item_s * n_rows


class FakeSession:
    """A session whose answers, cost and failures are a script.

    Args:
        name: also the model's name.
        compute: answers from inputs; default `double`.
        input_names: inputs it takes.
        cost: time a run takes (it sleeps).
        failures: one entry per run from the first: an exception to raise, or None for a good run; good for ever after.
        provider: what it says it runs on.
    """

    def __init__(
        self,
        name: str = "fake",
        compute: Callable[[Rows], Rows] = double,
        *,
        input_names: Sequence[str] = ("x",),
        cost: Cost | None = None,
        failures: Iterable[BaseException | None] = (),
        provider: str = "FakeExecutionProvider",
    ) -> None:
        self.name = name
        self.provider = provider
        self.ref = ModelRef(name, "1", "0" * 64, provider)
        self.input_names = tuple(input_names)
        self.oom_above: int | None = None
        """A batch of more rows raises OutOfMemory, in `warm` as in `run`; None never does. Change it at any time."""
        self.batches: list[int] = []
        """Rows of every run so far, padding included, failed runs included."""
        self.warmed: list[int] = []
        """Sizes warmed up so far."""
        self.threads: set[str] = set()
        """Names of the threads that ran it."""
        self._compute = compute
        self._cost = cost or Cost()
        self._failures = iter(failures)
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._entered = threading.Semaphore(0)

    def hold(self) -> None:
        """Make every run wait inside until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let the held runs go on, and hold no more."""
        self._open.set()

    def wait_entered(self, timeout_s: float = 10.0) -> None:
        """Wait until one more run has begun.

        Raises:
            TimeoutError: none began.
        """
        if not self._entered.acquire(timeout=timeout_s):
            raise TimeoutError(f"no run of {self.name} began within {timeout_s} s")

    def warm(self, n_rows: int) -> None:
        """Note the size."""
        self._check_memory(n_rows)
        self.warmed.append(n_rows)

    def run(self, batch: Rows) -> Rows:
        """Wait if held, take its time, then fail or answer as scripted."""
        n_rows = len(next(iter(batch.values())))
        with self._lock:
            self.batches.append(n_rows)
            self.threads.add(threading.current_thread().name)
            failure = next(self._failures, None)
        self._entered.release()
        self._open.wait()
        if (cost_s := self._cost.of(n_rows)) > 0:
            time.sleep(cost_s)
        self._check_memory(n_rows)
        if failure is not None:
            raise failure
        return self._compute(batch)

    def _check_memory(self, n_rows: int) -> None:
        if self.oom_above is not None and n_rows > self.oom_above:
            raise OutOfMemory(f"model {self.ref}: {n_rows} rows do not fit, {self.oom_above} do")


def fake_share(n_threads: int = 1) -> DeviceShare:
    """A CPU share with room for everything."""
    return DeviceShare(DeviceKind.CPU, memory_bytes=1 << 50, n_threads=n_threads)


@contextmanager
def fake_device(*, n_threads: int = 1, clock: Clock | None = None, metrics: Metrics | None = None) -> Iterator[Device]:
    """A device of real threads whose memory nobody measures; closed at the end. A ManualClock wakes it as it moves."""
    share = fake_share(n_threads)
    device = Device(share, clock=clock, metrics=metrics, budget=MemoryBudget(share, meter=None))
    if isinstance(clock, ManualClock):
        clock.on_advance(device.wake)
    try:
        yield device
    finally:
        device.close(timeout_s=2.0)


@contextmanager
def fake_lane(
    compute: Callable[[Rows], Rows] = double,
    *,
    input_names: Sequence[str] = ("x",),
    max_queue: int = 256,
    ladder: Sequence[int] = DEFAULT_LADDER,
) -> Iterator[Lane]:
    """A warm lane over a FakeSession that answers with `compute`, for tests of what sits on lanes."""
    with fake_device() as device:
        lane = Lane("fake", FakeSession(compute=compute, input_names=input_names), device, max_queue=max_queue, ladder=ladder)
        lane.warm()
        yield lane
