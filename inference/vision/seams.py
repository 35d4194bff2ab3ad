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
_PAD = 8
_LENGTHS = (1.0, 1.7, 3.0, 5.0)
"""Lengths of stretches that make a line, in parts of the shortest."""
_EVEN = 0.4
"""Share of a stretch that must be a seam before it counts as a line."""
_APART = 2
"""Columns between two lines, at least."""

Columns = int | NDArray[np.intp]
Sums = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Seams:
    """Jumps across the columns of a plane (turn the plane for those across its rows)."""

    jumps: Pixels
    """1 where brightness jumps between column x - 1 and x, shape (H, W)."""
    _own: Sums
    """Jumps above each place, one pixel of tolerance to the right, shape (H + 1, W)."""
    _beside: Sums
    """The same in the four columns beside, together."""

    @classmethod
    def of(cls, plane: Pixels) -> Seams:
        """Find the jumps; uint8 (H, W)."""
        step, wide = np.zeros_like(plane), np.zeros_like(plane)
        cv2.absdiff(plane[:, 1:], plane[:, :-1], dst=step[:, 1:])
        # A scaled seam spreads over two pixels: three quarters of the change over two counts for both of them.
        wide[:, 1:-1] = cv2.convertScaleAbs(cv2.absdiff(plane[:, 2:], plane[:, :-2]), alpha=0.75)
        wide[:, 2:] = cv2.max(wide[:, 2:], wide[:, 1:-1].copy())
        around = cv2.boxFilter(step, cv2.CV_16U, (_AROUND, 1), normalize=False, borderType=cv2.BORDER_REFLECT)
        allowed = np.maximum(np.asarray(cv2.convertScaleAbs(around, alpha=LOCAL_RATIO / _AROUND)), MIN_STEP)
        highest = cv2.dilate(step, np.ones((1, 3), np.uint8))
        marked = ((cv2.max(step, wide) >= allowed) & (step >= highest)).view(np.uint8)
        tolerant = marked.copy()
        tolerant[:, :-1] |= marked[:, 1:]
        padded = np.asarray(cv2.copyMakeBorder(tolerant, 0, 0, _PAD, _PAD, cv2.BORDER_REPLICATE), np.uint8)
        beside, width = np.zeros_like(tolerant), plane.shape[1]
        for offset in _BESIDE:
            beside += padded[:, _PAD + offset : _PAD + offset + width]
        return cls(marked, _column_sums(tolerant), _column_sums(beside))

    def seam(self, at: Columns, start: Columns, end: Columns) -> NDArray[np.float32]:
        """Tell how much of each column is a seam over rows `[start, end)`, 0..1; the arguments are broadcast.

        Jumps there or a pixel beside, less what texture has further beside.
        """
        here = np.minimum(at, self.jumps.shape[1] - 1)
        before = np.maximum(here - 1, 0)
        own = np.maximum(self._own[end, here] - self._own[start, here], self._own[end, before] - self._own[start, before])
        beside = self._beside[end, here] - self._beside[start, here]
        return np.asarray((own - beside / len(_BESIDE)) / np.maximum(1, np.subtract(end, start)), np.float32)

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
        """Return the columns with the longest straight stretches that are mostly a seam, in order.

        Args:
            shortest: rows that a stretch has at least.
            at_most: columns returned.
        """
        height = self.jumps.shape[0]
        less_beside = len(_BESIDE) * self._own - self._beside
        best = np.zeros(self.jumps.shape[1], np.float32)
        for length in sorted({min(height, round(shortest * times)) for times in _LENGTHS}):
            most = (less_beside[length:] - less_beside[:-length]).max(axis=0)
            best = np.maximum(best, most / len(_BESIDE) - _EVEN * length)
        found: list[int] = []
        for at in np.argsort(-best, kind="stable")[: 4 * at_most].tolist():
            if best[at] > 0 and len(found) < at_most and all(abs(at - other) > _APART for other in found):
                own = self.jumps[:, max(0, at - 1) : at + 2].sum(axis=0)
                found.append(max(0, at - 1) + int(own.argmax()))
        return sorted(set(found))


def _column_sums(marked: Pixels) -> Sums:
    """Count the marks above each place, shape (H + 1, W)."""
    # Counts of a whole plane, less those of the columns before: eight times as fast as counting along columns.
    counts = cv2.integral(marked)
    return np.asarray(cv2.subtract(counts[:, 1:], counts[:, :-1], dtype=cv2.CV_16S), np.int16)
