"""The classical way to find enrolled marks, as a peer: SIFT on the median of a look's frames, one index for all marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from models.logo_codec import Bytes, planes_of
from models.logo_renderings import scaled

WIDTHS_PX = (64, 128, 256)
"""At which a mark is enrolled."""
_GREY = 128
_RATIO = 0.8
_N_INLIERS = 4
_PAD_PX = 12


@dataclass(frozen=True, slots=True)
class SiftMatch:
    """A mark found by its points."""

    mark: str
    n_inliers: int
    box: tuple[float, float, float, float]


class SiftIndex:
    """Descriptors of all marks in one FLANN index."""

    def __init__(self, marks: Mapping[str, Bytes]) -> None:
        self._sift = cv2.SIFT_create()  # type: ignore[attr-defined]
        self._names: list[str] = []
        self._points: list[Any] = []
        self._sizes: dict[str, tuple[int, int]] = {}
        descriptors = []
        for name, rgba in marks.items():
            for width in WIDTHS_PX:
                points, rows = self._sift.detectAndCompute(_on_grey(rgba, width), None)
                if rows is None:
                    continue
                scale = 1.0 / width
                self._names += [name] * len(rows)
                self._points += [((point.pt[0] - _PAD_PX) * scale, (point.pt[1] - _PAD_PX) * scale) for point in points]
                descriptors.append(rows)
            self._sizes[name] = (rgba.shape[1], rgba.shape[0])
        self._matcher = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 4}, {"checks": 48})
        if descriptors:
            self._matcher.add([np.concatenate(descriptors)])
            self._matcher.train()

    def look(self, frames: tuple[Bytes, ...]) -> list[SiftMatch]:
        """Find marks on one look, by points that agree on where the mark lies and how large it is."""
        points, rows = self._sift.detectAndCompute(planes_of(frames).luma, None)
        if rows is None or len(rows) < _N_INLIERS or not self._names:
            return []
        pairs: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {}
        for near in self._matcher.knnMatch(rows, k=6):
            best = near[0]
            name = self._names[best.trainIdx]
            rival = next((one for one in near[1:] if self._names[one.trainIdx] != name), None)
            if rival is None or best.distance < _RATIO * rival.distance:
                pairs.setdefault(name, []).append((self._points[best.trainIdx], points[best.queryIdx].pt))
        return [match for name, found in pairs.items() if (match := self._agreed(name, found)) is not None]

    def _agreed(self, name: str, pairs: list[tuple[tuple[float, float], tuple[float, float]]]) -> SiftMatch | None:
        if len(pairs) < _N_INLIERS:
            return None
        own, seen = (np.array([pair[side] for pair in pairs], np.float32) for side in (0, 1))
        matrix, inliers = cv2.estimateAffinePartial2D(own, seen, ransacReprojThreshold=4.0)
        if matrix is None or inliers.sum() < _N_INLIERS:
            return None
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if not 30 < scale < 400:
            return None
        width, height = self._sizes[name]
        corners = np.array([[0, 0, 1], [1, 0, 1], [0, height / width, 1], [1, height / width, 1]]) @ matrix.T
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return SiftMatch(name, int(inliers.sum()), (float(left), float(top), float(right), float(bottom)))


def _on_grey(rgba: Bytes, width: int) -> Bytes:
    height = max(8, round(rgba.shape[0] * width / rgba.shape[1]))
    small = scaled(rgba, width, height)
    alpha = small[:, :, 3:].astype(np.float32) / 255
    canvas = np.full((height + 2 * _PAD_PX, width + 2 * _PAD_PX, 3), _GREY, np.float32)
    inside = canvas[_PAD_PX:-_PAD_PX, _PAD_PX:-_PAD_PX]
    inside += (small[:, :, :3] - inside) * alpha
    return np.asarray(cv2.cvtColor(canvas.astype(np.uint8), cv2.COLOR_RGB2GRAY), np.uint8)
