"""Tells whether a picture is the same as the one looked at before, so that a frozen screen is not paid for twice.

A picture's *signature* is its brightness on a fine grid: a 64-bit perceptual hash of the whole frame would miss a small advert that
appears on a still background, a grid of 20-pixel cells does not. Pure; the scheduler keeps one `LastLook` per room and detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.samples import Picture, Pixels

GRID = (64, 36)
"""Cells across and down: 20 x 20 pixels each at 720p, smaller than a readable character."""

MAX_CELL_CHANGE = 5
"""Grey levels of 255 that one cell may change: above the noise of re-encoding a still picture, below any text that appears."""


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Brightness of a picture on the grid."""

    cells: Pixels
    """uint8, shape (36, 64)."""

    @classmethod
    def of(cls, picture: Picture) -> Signature:
        """Measure a picture; about 0.2 ms at 720p."""
        return cls(picture.luma(GRID))

    def same(self, other: Signature) -> bool:
        """Tell whether no cell differs by more than `MAX_CELL_CHANGE`."""
        difference = np.abs(self.cells.astype(np.int16) - other.cells)
        return int(difference.max()) <= MAX_CELL_CHANGE


@dataclass(frozen=True, slots=True, eq=False)
class LastLook:
    """What a detector last looked at in a room."""

    signature: Signature
    looked_s: float
    """When, seconds."""

    def still_holds(self, signature: Signature, *, now_s: float, force_every_s: float) -> bool:
        """Tell whether the last look answers for this picture too: nothing changed, and it is not older than `force_every_s`."""
        return now_s - self.looked_s < force_every_s and self.signature.same(signature)
