"""How sure a hit is: the score of a path and its length to a calibrated confidence, and the floors below which nothing is told.

The numbers were set on sound in which the terms are not said (`fit_spotting.py`) and stand in the manifest of the acoustic model:
they belong to it. Short terms are found by chance far more often than long ones, so each length has its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.speech.spotting import SpottingNumbers
from models.manifest import Manifest
from models.speech_codec import UNITS

LENGTHS = (2, 3, 4, 5, 6)
"""Syllables; longer terms count as the longest."""

TOLD = 0.6
"""Confidence of the lowest score that is told: there false alarms are as many as the threshold allows."""

SURE = 0.9
"""Confidence of the score at which they are ten times rarer."""

MOST = 0.99
"""Confidence of a perfect score."""

MOST_OF_TWO = 0.8
"""Of two syllables: enough for a person to look, below every threshold at which something is done at once."""


@dataclass(frozen=True, slots=True)
class SpottingRules:
    """Everything the manifest of an acoustic model says of spotting."""

    numbers: SpottingNumbers
    told: tuple[float, ...]
    """Score a unit from which a term is told, by `LENGTHS`, nats."""
    sure: tuple[float, ...]
    """Score a unit of `SURE`, by `LENGTHS`, nats."""
    min_clarity: float
    """Mean probability of the sounds heard in a hit, 0..1, below which the network does not know what it hears."""

    @classmethod
    def of(cls, manifest: Manifest) -> SpottingRules:
        """Read them.

        Raises:
            ManifestError: a number is missing.
        """
        bias = tuple(manifest.postprocess.get(f"bias_{unit}", 0.0) for unit in UNITS)  # a model before its fitting has none
        numbers = SpottingNumbers(
            manifest.number("frame_floor"),
            manifest.number("pause_cost"),
            manifest.number("max_syllable_s"),
            bias if any(bias) else (),
            manifest.postprocess.get("clarity_share", 0.0),  # a model fitted before there were these has none
            manifest.postprocess.get("pace_share", 0.0),
        )
        told, sure = (tuple(manifest.number(f"{name}_{n}") for n in LENGTHS) for name in ("told", "sure"))
        return cls(numbers, told, sure, manifest.number("min_clarity"))

    def floor(self, n_syllables: int) -> float:
        """Return the lowest score a unit that is told, nats."""
        return self.told[_row(n_syllables)]

    def confidence(self, score: float, n_syllables: int) -> float:
        """Return how sure a score is, 0..1; `TOLD` at the floor, less below it."""
        row = _row(n_syllables)
        told, sure = self.told[row], max(self.sure[row], self.told[row] + 1e-3)
        corners = (2 * told - min(sure, 0.0), told, sure, max(0.0, sure + 1e-3))
        most = MOST_OF_TWO if n_syllables <= LENGTHS[0] else MOST
        return min(most, float(np.interp(score, corners, (0.0, TOLD, SURE, MOST))))

    def floors(self, n_syllables: NDArray[np.int32], *, share: float = 1.0) -> NDArray[np.float32]:
        """Return the floors of many terms; a share above 1 lowers them, so that what is nearly there is seen too."""
        rows = np.clip(n_syllables, LENGTHS[0], LENGTHS[-1]) - LENGTHS[0]
        return (np.asarray(self.told, np.float32) * np.float32(share))[rows]


def _row(n_syllables: int) -> int:
    return min(max(n_syllables, LENGTHS[0]), LENGTHS[-1]) - LENGTHS[0]
