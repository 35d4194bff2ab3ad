"""Straight seams on a small brightness plane: where one picture is pasted beside or over another.

A seam is a place where brightness jumps in one step, along a straight line, and much more than beside it. Pure arithmetic on one
plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels

MIN_STEP = 7
"""Grey levels that a jump has at least."""
LOCAL_RATIO = 1.7
"""How many times larger a jump is than the mean change around it."""
_AROUND = 9
"""Pixels whose changes a jump is compared with."""
_BESIDE = (-8, -5, 4, 7)
"""Columns whose jumps are texture's and not the seam's."""

Columns = int | NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Seams:
    """Jumps across the columns of a plane (turn the plane for those across its rows)."""

    jumps: NDArray[np.uint8]
    """1 where brightness jumps between column x - 1 and x, shape (H, W)."""
    _sums: NDArray[np.int32]
    """Jumps above each place, one pixel of tolerance to the right, shape (H + 1, W)."""

    @classmethod
    def of(cls, plane: Pixels) -> Seams:
        """Find the jumps; uint8 (H, W)."""
        step, wide = np.zeros_like(plane), np.zeros_like(plane)
        cv2.absdiff(plane[:, 1:], plane[:, :-1], dst=step[:, 1:])
        # A scaled seam spreads over two pixels: three quarters of the change over two counts for both of them.
        wide[:, 1:-1] = cv2.convertScaleAbs(cv2.absdiff(plane[:, 2:], plane[:, :-2]), alpha=0.75)
        np.maximum(wide[:, 2:], wide[:, 1:-1].copy(), out=wide[:, 2:])
        level = np.maximum(step, wide)
        around = cv2.boxFilter(step, cv2.CV_16U, (_AROUND, 1), normalize=False, borderType=cv2.BORDER_REFLECT)
        allowed = np.maximum(np.asarray(cv2.convertScaleAbs(around, alpha=LOCAL_RATIO / _AROUND)), MIN_STEP)
        highest = cv2.dilate(step, np.ones((1, 3), np.uint8))
        marked = ((level >= allowed) & (step >= highest)).astype(np.uint8)
        tolerant = marked.copy()
        tolerant[:, :-1] |= marked[:, 1:]
        return cls(marked, _column_sums(tolerant))

    def covered(self, at: Columns, start: Columns, end: Columns) -> NDArray[np.float32]:
        """Tell which share of rows `[start, end)` has a jump at each column, 0..1; the arguments are broadcast."""
        inside = np.asarray(at).clip(0, self.jumps.shape[1] - 1)
        long = np.maximum(1, np.asarray(end) - start)
        return np.asarray((self._sums[end, inside] - self._sums[start, inside]) / long, np.float32)

    def seam(self, at: Columns, start: Columns, end: Columns) -> NDArray[np.float32]:
        """Tell how much of each column is a seam over rows `[start, end)`, 0..1: jumps there, less what texture has beside it."""
        columns = np.asarray(at)
        own = np.maximum(self.covered(columns, start, end), self.covered(columns - 1, start, end))
        beside = [self.covered(columns + offset, start, end) for offset in _BESIDE]
        return np.asarray(own - np.mean(beside, axis=0), np.float32)

    def strongest(self, span: tuple[int, int], rows: tuple[int, int]) -> tuple[int, float]:
        """Return the column within `[span)` that is most of a seam over `[rows)`, and how much it is."""
        low, high = span
        if high <= low or rows[1] <= rows[0]:
            return low, 0.0
        shares = self.seam(np.arange(low, high), *rows)
        at = low + int(shares.argmax())
        own = self.jumps[rows[0] : rows[1], at - 1 : at + 2].sum(axis=0)
        return at - 1 + int(own.argmax()), float(shares.max())

    def lines(self, *, shortest: int, at_most: int) -> list[int]:
        """Return the columns with the longest straight stretches of jumps at nearly every row, in order.

        Args:
            shortest: rows that a stretch has at least.
            at_most: columns returned.
        """
        tolerant = cv2.dilate(self.jumps, np.ones((1, 2), np.uint8))
        closed = cv2.morphologyEx(tolerant, cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8))
        stretches = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((shortest, 1), np.uint8))
        totals = cv2.reduce(stretches, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        found: list[int] = []
        for at in np.argsort(-totals, kind="stable")[: 4 * at_most].tolist():
            if totals[at] and len(found) < at_most and all(abs(at - other) > 2 for other in found):
                own = self.jumps[:, max(0, at - 1) : at + 2].sum(axis=0)
                found.append(max(0, at - 1) + int(own.argmax()))
        return sorted(set(found))


def _column_sums(marked: Pixels) -> NDArray[np.int32]:
    """Count the marks above each place, shape (H + 1, W)."""
    sums = np.zeros((marked.shape[0] + 1, marked.shape[1]), np.int32)
    np.cumsum(marked, axis=0, dtype=np.int32, out=sums[1:])
    return sums
