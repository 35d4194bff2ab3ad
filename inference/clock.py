"""The two clocks: monotonic seconds for durations and deadlines, aware UTC for what leaves the process.

Decisions never read a clock; they take `now_s`. Only rims (threads, sockets, processes) hold a `Clock`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a rim reads the time from; `ManualClock` in `inference/testing.py` is the other implementation."""

    def now_s(self) -> float:
        """Seconds on the machine's monotonic clock; the same in every process of one machine (CLOCK_MONOTONIC)."""
        ...

    def utc(self) -> datetime:
        """Aware UTC wall-clock time."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_s(self) -> float:
        """Seconds of CLOCK_MONOTONIC, which decoder children and the worker share."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Aware UTC wall-clock time."""
        return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write an aware moment as RFC 3339 in UTC with milliseconds, e.g. `2026-11-24T08:00:00.123Z`.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"moment must be timezone-aware, got {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
