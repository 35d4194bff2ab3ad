"""Which waiting samples run together, and when: the ladder of batch sizes and the former of batches.

Pure: time is an argument, nothing here sleeps, locks or runs a model; `lanes.py` holds the threads.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_LADDER = (1, 2, 4, 8, 16)
"""Batch sizes a session is warmed for; each at most doubles, so padding never costs more than the work."""

CLIMB_AFTER_S = 30.0
"""Quiet seconds after which a ladder shrunk by an out-of-memory goes up one rung again."""


class Rounding(StrEnum):
    """How a number of waiting samples becomes a rung of the ladder."""

    UP = "up"
    """Take all there are and pad to the next rung: right where a batch costs little more than one sample (GPU)."""
    DOWN = "down"
    """Take a full rung and leave the rest for the next batch: right where cost is linear in the rows (CPU)."""


class Ladder:
    """The fixed sizes a batch may have, and how far up it may go at present.

    An out-of-memory calls `halve`; every `climb_after_s` of quiet allows one more rung. Not thread-safe: the lane's lock guards it.
    """

    def __init__(self, sizes: Sequence[int] = DEFAULT_LADDER, *, climb_after_s: float = CLIMB_AFTER_S) -> None:
        if not sizes or sizes[0] < 1 or any(low >= high for low, high in itertools.pairwise(sizes)):
            raise ValueError(f"ladder must be rising sizes of at least 1, got {tuple(sizes)}")
        if climb_after_s <= 0:
            raise ValueError(f"climb_after_s must be above 0, got {climb_after_s}")
        self.sizes = tuple(sizes)
        self._climb_after_s = climb_after_s
        self._top = len(self.sizes) - 1
        self._changed_s = 0.0

    @property
    def max_size(self) -> int:
        """The largest batch allowed at present."""
        return self.sizes[self._top]

    @property
    def shrunk(self) -> bool:
        """True while an out-of-memory holds the ladder below its full height."""
        return self._top < len(self.sizes) - 1

    def pad(self, n: int) -> int:
        """Return the rung that `n` rows are padded to; `n` itself above the highest rung."""
        return next((size for size in self.sizes if size >= n), n)

    def cut(self, n: int, rounding: Rounding) -> int:
        """Return how many of `n` >= 1 waiting samples go into the next batch, within what is allowed at present."""
        within = min(n, self.max_size)
        if rounding is Rounding.UP:
            return within
        return max((size for size in self.sizes if size <= within), default=within)

    def halve(self, now_s: float) -> bool:
        """Go down to at most half the present size; False where there is no smaller rung."""
        self._changed_s = now_s
        if not self._top:
            return False
        half = self.max_size // 2
        self._top = max((rung for rung, size in enumerate(self.sizes) if size <= half), default=0)
        return True

    def climb(self, now_s: float) -> None:
        """Go up one rung when it has been quiet long enough since the last change."""
        if self.shrunk and now_s - self._changed_s >= self._climb_after_s:
            self._top += 1
            self._changed_s = now_s


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    item: T
    arrived_s: float
    deadline_s: float
    """Infinite for none."""


class _Bucket(Generic[T]):
    """Samples of one shape, oldest first; never empty while the former holds it."""

    __slots__ = ("first_deadline_s", "waiting")

    def __init__(self, waiting: Iterable[_Waiting[T]] = ()) -> None:
        self.waiting = deque(waiting)
        self.first_deadline_s = min((one.deadline_s for one in self.waiting), default=math.inf)

    def append(self, one: _Waiting[T]) -> None:
        self.waiting.append(one)
        self.first_deadline_s = min(self.first_deadline_s, one.deadline_s)

    def cut(self, n: int) -> list[T]:
        batch = [self.waiting.popleft().item for _ in range(n)]
        if self.first_deadline_s < math.inf:
            self.first_deadline_s = min((one.deadline_s for one in self.waiting), default=math.inf)
        return batch


class BatchFormer(Generic[T]):
    """Waiting samples, in a bucket per shape, first in first out.

    A batch is due when its bucket is full, when its oldest sample has waited `max_wait_s`, or when one of its samples would miss
    its deadline by waiting longer (`run_s` says how long a run takes). Expired samples leave through `expire`, before compute.
    Only equal shapes are batched. Not thread-safe: the lane's lock guards it.
    """

    def __init__(self, *, ladder: Ladder, max_wait_s: float, rounding: Rounding = Rounding.UP) -> None:
        if not max_wait_s >= 0:
            raise ValueError(f"max_wait_s must be 0 or more, got {max_wait_s}")
        self.ladder = ladder
        self.run_s = 0.0
        """How long a run takes at present, seconds; whoever measures it keeps it up to date."""
        self.max_wait_s = max_wait_s
        """How long the oldest sample waits for company, seconds; a lane that drains sets it to 0."""
        self._rounding = rounding
        self._buckets: dict[Hashable, _Bucket[T]] = {}
        self._n_waiting = 0

    def __len__(self) -> int:
        return self._n_waiting

    def add(self, item: T, *, now_s: float, deadline_s: float | None = None, shape: Hashable = ()) -> None:
        """Let a sample wait; `deadline_s` is absolute, `shape` names the bucket."""
        bucket = self._buckets.get(shape)
        if bucket is None:
            bucket = self._buckets[shape] = _Bucket()
        bucket.append(_Waiting(item, now_s, math.inf if deadline_s is None else deadline_s))
        self._n_waiting += 1

    def discard(self, item: T) -> bool:
        """Take one waiting sample out (its caller gave up); False where it does not wait any more."""
        return bool(self._remove(lambda one: one.item is item))

    def expire(self, now_s: float) -> list[T]:
        """Take out every sample whose deadline has passed."""
        if now_s < self._first_deadline_s():
            return []
        return self._remove(lambda one: one.deadline_s <= now_s)

    def due_at_s(self) -> float:
        """Moment at which the most urgent batch must leave if nothing more arrives; infinite where nothing waits."""
        return min(map(self._leaves_at_s, self._buckets.values()), default=math.inf)

    def wake_at_s(self) -> float:
        """Moment at which there is something to do: a batch to take (at once where one is full) or a sample to expire."""
        if self._full():
            return -math.inf
        return min(self.due_at_s(), self._first_deadline_s())

    def due(self, now_s: float) -> bool:
        """Tell whether a batch should leave now."""
        return self._full() or self.due_at_s() <= now_s

    def take(self, now_s: float, *, n_takers: int = 1) -> list[T]:
        """Return the due batch that is most urgent, in order of arrival; empty where none is due.

        With `n_takers` above 1 (idle threads beside this one) a linear-cost device gets its share of what waits, not all of it.
        An overdue bucket goes before a full one, so a stream of full batches of one shape cannot starve another shape.
        """
        key = min(self._buckets, key=lambda shape: self._leaves_at_s(self._buckets[shape]), default=None)
        if key is None:
            return []
        if self._leaves_at_s(self._buckets[key]) > now_s:
            full = [shape for shape, bucket in self._buckets.items() if len(bucket.waiting) >= self.ladder.max_size]
            if not full:
                return []
            key = min(full, key=lambda shape: self._leaves_at_s(self._buckets[shape]))
        return self._cut(key, n_takers)

    def drain(self) -> list[T]:
        """Take out everything that waits, due or not."""
        return self._remove(lambda _: True)

    def _full(self) -> bool:
        return any(len(bucket.waiting) >= self.ladder.max_size for bucket in self._buckets.values())

    def _first_deadline_s(self) -> float:
        return min((bucket.first_deadline_s for bucket in self._buckets.values()), default=math.inf)

    def _leaves_at_s(self, bucket: _Bucket[T]) -> float:
        return min(bucket.waiting[0].arrived_s + self.max_wait_s, bucket.first_deadline_s - self.run_s)

    def _cut(self, key: Hashable, n_takers: int) -> list[T]:
        bucket = self._buckets[key]
        n = len(bucket.waiting)
        if self._rounding is Rounding.DOWN:
            n = math.ceil(n / n_takers)
        batch = bucket.cut(self.ladder.cut(n, self._rounding))
        self._n_waiting -= len(batch)
        if not bucket.waiting:
            del self._buckets[key]
        return batch

    def _remove(self, leaves: Callable[[_Waiting[T]], bool]) -> list[T]:
        gone: list[T] = []
        for key, bucket in list(self._buckets.items()):
            leaving = [one.item for one in bucket.waiting if leaves(one)]
            gone += leaving
            if len(leaving) == len(bucket.waiting):
                del self._buckets[key]
            elif leaving:
                self._buckets[key] = _Bucket(one for one in bucket.waiting if not leaves(one))
        self._n_waiting -= len(gone)
        return gone
