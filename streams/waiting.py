"""How a room's thread waits for bytes: in naps rather than packet by packet, never beyond its deadline, never once told to stop."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

from streams.status import SourceReason, SourceUnavailable

SLICE_S = 0.25
"""How often a waiting thread looks whether it was told to stop."""


def nap_for(n_rooms: int) -> float:
    """How long a room of a decoder with that many rooms sleeps between two reads, seconds.

    Waking for every packet costs a quarter more processor time than decoding the key frames alone, naps of 50 ms an eighth, of
    200 ms nothing that can be measured (`benchmarks/bench_decode.py`). The price is half a nap of delay on average, so naps stay
    short, and a decoder with few rooms does not nap.
    """
    if n_rooms <= 2:
        return 0.0
    return 0.05 if n_rooms <= 32 else 0.1


class Waiting:
    """The patience of one room's thread. `stopping` may be set from any thread; the rest belongs to the room's own."""

    def __init__(self, stopping: threading.Event, *, nap_s: Callable[[], float], mark_idle: Callable[[bool], None]) -> None:
        self.stopping = stopping
        self.nap_s = nap_s
        self.mark_idle = mark_idle
        """Called with True before waiting and with False after, so that a death meanwhile is not blamed on this room."""
        self.deadline_s = 0.0
        """Monotonic time by which something must have come of it; set by the owner before each step."""

    def allow(self, timeout_s: float) -> None:
        """Set the deadline to that many seconds from now."""
        self.deadline_s = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.deadline_s - time.monotonic())

    def check(self) -> None:
        """Raise when told to stop or too late.

        Raises:
            SourceUnavailable: TIMEOUT past the deadline, ENDED when told to stop.
        """
        if self.stopping.is_set():
            raise SourceUnavailable(SourceReason.ENDED, "no longer watched")
        if time.monotonic() > self.deadline_s:
            raise SourceUnavailable(SourceReason.TIMEOUT, "nothing usable came in time")

    def until_readable(self, poll: select.poll) -> None:
        """Wait until the socket has bytes; nap first, so that a burst is read at once.

        Raises:
            SourceUnavailable: TIMEOUT past the deadline, ENDED when told to stop.
        """
        self.rest()
        self.mark_idle(True)
        try:
            while not poll.poll(SLICE_S * 1000):
                self.check()
        finally:
            self.mark_idle(False)

    def rest(self) -> None:
        """Sleep one nap, where nothing was left to read; naps are short, so being told to stop waits for their end."""
        nap_s = self.nap_s()
        if nap_s:
            self.mark_idle(True)
            time.sleep(nap_s)
            self.mark_idle(False)
