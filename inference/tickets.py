"""The promise for one sample: waited for by a thread, awaited on any event loop, or watched by a callback.

A ticket is answered once, by whoever runs the batch; the answers of one batch wake each event loop once, not once per sample.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from inference.errors import DeadlineExceeded, LivewardenError
from inference.sessions import Rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a sample went through its lane, in seconds of the monotonic clock."""

    queued_s: float
    started_s: float
    """The batch was taken; equal to `done_s` for a sample that never ran."""
    done_s: float
    n_batch: int = 0
    """Samples that ran together with it, itself included; 0 for one that never ran."""

    @property
    def wait_s(self) -> float:
        """Time in the queue, seconds."""
        return self.started_s - self.queued_s

    @property
    def infer_s(self) -> float:
        """Time in the batch, seconds."""
        return self.done_s - self.started_s


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Ticket:
    """The promise for one sample's rows.

    `result` blocks a thread, `await` waits on the running event loop, `add_done_callback` is called on the thread that answers.
    A caller whose `await` is cancelled leaves the queue, so nothing is computed for nobody.
    """

    __slots__ = ("_callbacks", "_error", "_give_up", "_lock", "_outcome", "_waiters", "deadline_s", "queued_s", "rows", "timing")

    def __init__(self, rows: Rows, *, queued_s: float, deadline_s: float | None, give_up: Callable[[Ticket], None]) -> None:
        self.rows = rows
        """The sample as submitted; its arrays must not change until it is answered."""
        self.queued_s = queued_s
        self.deadline_s = deadline_s
        self.timing: Timing | None = None
        """Set when answered."""
        self._give_up = give_up
        self._lock = threading.Lock()
        self._outcome: Rows | None = None
        self._error: LivewardenError | None = None
        self._waiters: list[_Waiter] = []
        self._callbacks: list[Callable[[Ticket], None]] = []

    def done(self) -> bool:
        """Tell whether it has been answered."""
        return self.timing is not None

    @property
    def failed(self) -> bool:
        """Whether it was answered with an error."""
        return self._error is not None

    def result(self, timeout_s: float | None = None) -> Rows:
        """Wait for the answer: this sample's rows by output name, without the batch axis.

        The rows are views into the batch's output; copy what is kept for long.

        Raises:
            DeadlineExceeded: the sample's deadline passed before it ran, or `timeout_s` passed without an answer.
            ModelError: the model failed on the batch.
            NotReady: the lane closed before the sample ran.
        """
        if not self.done():
            answered = threading.Event()
            self.add_done_callback(lambda _: answered.set())
            if not answered.wait(timeout_s):
                self._give_up(self)
                raise DeadlineExceeded(f"no answer within {timeout_s} s")
        return self._answer()

    def __await__(self) -> Generator[Any, None, Rows]:
        if not self.done():
            loop = asyncio.get_running_loop()
            waiter = _Waiter(loop, loop.create_future())
            if self._enlist(waiter):
                try:
                    yield from waiter.future
                except BaseException:
                    self._desert(waiter)
                    raise
        return self._answer()

    def add_done_callback(self, callback: Callable[[Ticket], None]) -> None:
        """Call back once when answered, on the answering thread; at once where it has been. It must not block."""
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback(self)

    def _answer(self) -> Rows:
        if self._error is not None:
            raise self._error
        assert self._outcome is not None  # answered with rows or an error, never neither
        return self._outcome

    def _enlist(self, waiter: _Waiter) -> bool:
        with self._lock:
            if self.done():
                return False
            self._waiters.append(waiter)
            return True

    def _desert(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            deserted = not self.done() and not self._waiters and not self._callbacks
        if deserted:
            self._give_up(self)

    def _settle(self, outcome: Rows | LivewardenError, timing: Timing) -> bool:
        with self._lock:
            if self.done():
                return False
            if isinstance(outcome, LivewardenError):
                self._error = outcome
            else:
                self._outcome = outcome
            self.timing = timing  # last: it is what `done` looks at without the lock
            return True


class Answers:
    """Answers of one batch: give them all, then `send` wakes each event loop once. One thread; call it without holding locks."""

    def __init__(self) -> None:
        self._given: list[Ticket] = []

    def give(self, ticket: Ticket, outcome: Rows | LivewardenError, timing: Timing) -> bool:
        """Answer a ticket; False where it has been answered before (its lane closed meanwhile)."""
        if not ticket._settle(outcome, timing):
            return False
        self._given.append(ticket)
        return True

    def send(self) -> None:
        """Wake everyone who waits for the tickets answered."""
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for ticket in self._given:
            for waiter in tuple(ticket._waiters):  # a cancelled caller may leave the list meanwhile
                by_loop.setdefault(waiter.loop, []).append(waiter.future)
            for callback in ticket._callbacks:
                _call(callback, ticket)
        self._given = []
        for loop, futures in by_loop.items():
            try:
                loop.call_soon_threadsafe(_wake, futures)
            except RuntimeError:  # the loop was closed: nobody waits there any more
                log.debug("an event loop closed before its answers came", extra={"n_tickets": len(futures)})


def _call(callback: Callable[[Ticket], None], ticket: Ticket) -> None:
    try:
        callback(ticket)
    except Exception:
        log.exception("a ticket's callback failed")


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
