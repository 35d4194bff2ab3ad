"""Bars around a picture: plain ones (letterbox) and blurred ones (a telephone's picture over a smeared copy of itself).

Finds them on a small brightness plane and says what is left. Pure; what lies within is `layout.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels
from inference.vision.seams import Seams

PLAIN_SPREAD = 4.0
"""Grey levels (standard deviation) within one line of a plain bar, and between its lines."""
MIN_BAR = 0.02
"""Narrowest bar, part of the side."""
MIN_LEFT = 0.25
"""Least part of a side that is left: a scene of one colour is no bar."""
BLUR_RATIO = 0.4
"""Fine detail of a blurred bar, at most, in parts of the middle's."""
SEAM_SHARE = 0.25
"""How much of a seam a blurred bar's edge is, at least."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of a plane, half-open, pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    def moved(self, x: int, y: int) -> Rect:
        """Return it further right and down."""
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def overlaps(self, other: Rect) -> bool:
        """Tell whether they share a pixel."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What is left of a plane without bars."""

    rect: Rect
    across: Seams
    """Jumps within it, across its columns."""
    down: Seams
    """The same across its rows."""


def content_of(plane: Pixels) -> Content:
    """Find what is left of a plane, uint8 (H, W), without bars."""
    top, bottom = _plain(plane)
    left, right = _plain(np.ascontiguousarray(plane[top:bottom].T))
    plain = _within(plane, Rect(left, top, right, bottom))
    columns = _blurred(plane[top:bottom, left:right], plain.across)
    if columns is not None:
        return _within(plane, Rect(left + columns[0], top, left + columns[1], bottom))
    rows = _blurred(plane[top:bottom, left:right].T, plain.down)
    if rows is not None:
        return _within(plane, Rect(left, top + rows[0], right, top + rows[1]))
    return plain


def _within(plane: Pixels, rect: Rect) -> Content:
    inner = np.ascontiguousarray(plane[rect.top : rect.bottom, rect.left : rect.right])
    return Content(rect, Seams.of(inner), Seams.of(np.ascontiguousarray(inner.T)))


def _plain(plane: Pixels) -> tuple[int, int]:
    """Return the rows [first, end) within plain bars above and below."""
    height = plane.shape[0]
    edges = (plane[:1], plane[-1:])
    if all(cv2.meanStdDev(edge)[1][0, 0] > PLAIN_SPREAD for edge in edges):
        return 0, height
    grey = plane.astype(np.float32)
    means = grey.mean(axis=1)
    plain = grey.std(axis=1) <= PLAIN_SPREAD
    first, last = _run(means, plain), _run(means[::-1], plain[::-1])
    if height - first - last < MIN_LEFT * height:
        return 0, height
    least = MIN_BAR * height
    return (first if first >= least else 0), (height - last if last >= least else height)


def _run(means: NDArray[np.float32], plain: NDArray[np.bool_]) -> int:
    """Count the lines from the edge on that are plain and as bright as the first; the line they end in goes with them."""
    alike = plain & (np.abs(means - means[0]) <= PLAIN_SPREAD)
    n = len(alike) if alike.all() else int(alike.argmin())
    return n + 1 if 0 < n < len(alike) and abs(float(means[n] - means[n - 1])) < 40 and not plain[n] and n > 2 else n


def _blurred(plane: Pixels, seams: Seams) -> tuple[int, int] | None:
    """Return the columns [first, end) between blurred bars of about one width; None where there are none."""
    height, width = plane.shape
    if width < 48 or height < 24:
        return None
    shares = seams.seam(np.arange(width), 0, height)
    lefts = [at for at in np.flatnonzero(shares[: width * 2 // 5] >= SEAM_SHARE).tolist() if at >= width * 0.06]
    if not lefts:
        return None
    detail = np.abs(cv2.Laplacian(np.ascontiguousarray(plane), cv2.CV_32F, ksize=1)).mean(axis=0)
    best: tuple[float, int, int] | None = None
    for left in lefts:
        mirrored = width - left
        rights = range(max(left + width // 5, mirrored - 4), min(width - 1, mirrored + 5))
        right = max(rights, key=lambda at: shares[at], default=0)
        if not right or shares[right] < SEAM_SHARE:
            continue
        # Not the seams themselves: their jump is detail of neither side.
        middle = float(detail[left + 3 : right - 3].mean())
        outside = max(float(detail[: left - 2].mean()), float(detail[right + 3 :].mean()) if right + 3 < width else 0.0)
        strength = float(shares[left] + shares[right])
        if middle > 1.0 and outside <= BLUR_RATIO * middle and (best is None or strength > best[0]):
            best = (strength, left, right)
    return None if best is None else (best[1], best[2])
