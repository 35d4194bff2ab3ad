"""Map a model's raw score to a calibrated one, 0..1, that a policy can hold thresholds against.

A calibration is a handful of points joined by straight lines. Where the points come from, the manifest's notes say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.errors import ManifestError


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """One corner of the line."""

    raw: float
    """The model's own score; rises from point to point."""
    score: float
    """Calibrated score at that place, 0..1; never falls from point to point."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A piecewise-linear, never falling map; flat beyond its ends; without points the identity within 0..1."""

    points: tuple[CalibrationPoint, ...] = ()

    def __post_init__(self) -> None:
        if len(self.points) == 1:
            raise ManifestError("calibration needs at least two points, got 1")
        for point in self.points:
            if not 0.0 <= point.score <= 1.0:
                raise ManifestError(f"calibrated score must be within 0..1, got {point.score} at raw {point.raw}")
        for left, right in pairwise(self.points):
            if not (left.raw < right.raw and left.score <= right.score):
                raise ManifestError(
                    f"calibration must rise: ({left.raw}, {left.score}) is followed by ({right.raw}, {right.score})"
                )

    @classmethod
    def of(cls, pairs: Sequence[Sequence[float]]) -> Calibration:
        """Build from `[raw, score]` pairs, as a manifest writes them.

        Raises:
            ManifestError: a pair is not two numbers, or the line falls.
        """
        for pair in pairs:
            if len(pair) != 2:
                raise ManifestError(f"a calibration point is [raw, score], got {list(pair)}")
        return cls(tuple(CalibrationPoint(float(pair[0]), float(pair[1])) for pair in pairs))

    def apply(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Calibrate scores.

        Args:
            raw: the model's scores, any shape.

        Returns:
            float64 of the same shape, within 0..1.
        """
        values = np.asarray(raw, dtype=np.float64)
        if not self.points:
            return np.clip(values, 0.0, 1.0)
        return np.interp(values, [point.raw for point in self.points], [point.score for point in self.points])

    def invert(self, score: float) -> float:
        """Tell the smallest raw score that calibrates to at least `score`; useful to cut candidates before calibrating them.

        Returns:
            the raw score; infinity where no raw score reaches it.
        """
        if not self.points:
            return score
        if score <= self.points[0].score:
            return -float("inf")
        for left, right in pairwise(self.points):
            if right.score >= score:
                share = (score - left.score) / (right.score - left.score)
                return left.raw + share * (right.raw - left.raw)
        return float("inf")
