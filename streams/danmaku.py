"""A room's danmaku as a sign of what is on its screen: when chat jumps, something happened, and the room is looked at more often.

Owns the pulse of one room; the texts themselves are checked by the text engine. Pure: takes `now_s`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

SHORT_S = 10
"""The present, seconds."""
LONG_S = 120
"""What the present is compared with, seconds."""
MIN_LINES = 20
"""Fewer lines than this in `SHORT_S` are no spike, whatever the ratio: quiet rooms double by chance."""
MAX_RISK = 4.0
"""A spike raises a room's sampling at most this many times."""


@dataclass(slots=True)
class _Second:
    at_s: int
    n_lines: int


class DanmakuPulse:
    """Counts a room's lines by the second over the last two minutes; at most `LONG_S` counters whatever the flood."""

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque()

    def add(self, n_lines: int, *, now_s: float) -> None:
        """Count lines that arrived now."""
        second = math.floor(now_s)
        if self._seconds and self._seconds[-1].at_s >= second:
            self._seconds[-1].n_lines += n_lines
        else:
            self._seconds.append(_Second(second, n_lines))
        self._expire(now_s)

    def risk(self, *, now_s: float) -> float:
        """Say how many times as often the room should be looked at: 1 for a usual pulse, up to `MAX_RISK` in a spike.

        The rate of the last `SHORT_S` seconds over that of the two minutes before them; a room without a past has no usual pulse
        to compare with, so it needs `LONG_S` / 4 of it.
        """
        self._expire(now_s)
        recent = sum(second.n_lines for second in self._seconds if second.at_s > now_s - SHORT_S)
        if recent < MIN_LINES or not self._seconds:
            return 1.0
        past_s = min(LONG_S, now_s - self._seconds[0].at_s) - SHORT_S
        if past_s < LONG_S / 4:
            return 1.0
        past = sum(second.n_lines for second in self._seconds) - recent
        usual_per_s = max(past / past_s, MIN_LINES / LONG_S)
        return min(MAX_RISK, max(1.0, recent / SHORT_S / usual_per_s / 1.5))

    def _expire(self, now_s: float) -> None:
        while self._seconds and self._seconds[0].at_s <= now_s - LONG_S:
            self._seconds.popleft()
