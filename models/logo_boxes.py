"""What the logo networks' answers mean: boxes of the finder's grid, overlaps, the one of several that stays, and how a box moves.

Numpy only, for training and serving. Boxes are left, top, right, bottom in pixels of luma, float32, shape (n, 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.logo_codec import Floats

CELL_PX = 16
"""Pixels of luma between the finder's answers."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where overlays may be, the likeliest first."""

    boxes: Floats
    """Shape (n, 4)."""
    scores: Floats
    """0..1, shape (n,)."""


def places_of(mark: Floats, sides: Floats, *, floor: float = 0.1, most: int = 16, overlap: float = 0.45) -> Places:
    """Read the finder's grid.

    Args:
        mark: 0..1, shape (1, h, w).
        sides: distances to left, top, right, bottom in cells, shape (4, h, w).
        floor: least likelihood.
        most: places at most.
        overlap: of two places that share more than this the likelier stays.
    """
    rows, columns = np.nonzero(mark[0] >= floor)
    scores = mark[0, rows, columns]
    order = np.argsort(-scores, kind="stable")[: 8 * most]
    rows, columns, scores = rows[order], columns[order], scores[order]
    x, y = columns + 0.5, rows + 0.5
    left, top, right, bottom = sides[:, rows, columns]
    boxes = (np.stack((x - left, y - top, x + right, y + bottom), axis=1) * CELL_PX).astype(np.float32)
    kept: list[int] = []
    for at in range(len(boxes)):
        if len(kept) == most:
            break
        if not kept or overlaps(boxes[at : at + 1], boxes[kept]).max() < overlap:
            kept.append(at)
    return Places(boxes[kept], scores[kept].astype(np.float32))


def overlaps(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of one with every box of the other, shape (n, m)."""
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    of_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    of_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    share: Floats = (shared / np.maximum(of_a[:, None] + of_b[None, :] - shared, 1e-6)).astype(np.float32)
    return share


def moved(boxes: Floats, moves: Floats) -> Floats:
    """Move boxes as the teller says: right and down by their width and height, then grow by the exponential of the last two."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + moves[:, :2] * size
    half = size * np.exp(np.clip(moves[:, 2:], -1.0, 1.0)) / 2
    return np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)


def moves_to(boxes: Floats, wanted: Floats) -> Floats:
    """Say how boxes should move to become others: what `moved` undoes."""
    size = boxes[:, 2:] - boxes[:, :2]
    shift = ((wanted[:, :2] + wanted[:, 2:]) - (boxes[:, :2] + boxes[:, 2:])) / 2 / size
    growth = np.log((wanted[:, 2:] - wanted[:, :2]) / size)
    return np.concatenate((shift, growth), axis=1).astype(np.float32)
