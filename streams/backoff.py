"""How long to wait before a source is tried again, and when to give up; pure."""

from __future__ import annotations

from random import Random


class Backoff:
    """Doubling pauses with jitter, so that rooms of one dead server do not all knock at once, within a budget of time."""

    def __init__(self, *, budget_s: float, rng: Random, first_s: float = 0.5, longest_s: float = 30.0) -> None:
        self._budget_s, self._first_s, self._longest_s = budget_s, first_s, longest_s
        self._rng = rng
        self._n_failures = 0
        self._failing_since_s: float | None = None

    @property
    def n_failures(self) -> int:
        """Failures since the last success."""
        return self._n_failures

    def succeeded(self) -> None:
        """Note that media came: the next failure starts from the shortest pause and a full budget."""
        self._n_failures = 0
        self._failing_since_s = None

    def failed(self, *, now_s: float) -> float | None:
        """Note a failure; return the pause before the next attempt in seconds, or None when the budget is spent."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._n_failures += 1
        if now_s - self._failing_since_s >= self._budget_s:
            return None
        pause_s = min(self._longest_s, self._first_s * 2.0 ** min(self._n_failures - 1, 16))
        return pause_s * self._rng.uniform(0.5, 1.0)
