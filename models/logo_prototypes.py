"""How an enrolled mark is remembered: embeddings of the whole mark in each tint, and of it with a side covered.

Numpy only; whoever calls hands in how the teller is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, MARGIN, Bytes, Floats
from models.logo_matching import N_NUMBERS, RunTeller
from models.logo_renderings import Tint, views

COVERED_WORTH = 0.94
"""Length of the prototypes with a side covered: what is like one of them is a little less sure."""
_COVERED = 0.3
"""Share of the side."""
_TONES = (70.0, 130.0, 190.0)
"""Luma of what covers, in turns."""
_NEUTRAL = 128.0


class Side(StrEnum):
    """Where something stands in front of a mark."""

    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    BOTTOM = "bottom"


def prototypes_of(
    rgba: Bytes, run: RunTeller, *, tints: Sequence[Tint] = tuple(Tint), sides: Sequence[Side] = tuple(Side)
) -> Floats:
    """Enrol a mark: the means of its views in each tint, whole and covered at each side.

    Args:
        rgba: straight alpha, cut to what is seen of the mark, shape (H, W, 4).
        run: the teller.
        tints: colours it may be met in.
        sides: where it may be covered.

    Returns:
        shape (tints * (1 + sides), 128): rows of length 1 of the whole mark first, then rows of length `COVERED_WORTH`.
    """
    shown = views(rgba, tints=tints)
    whole = _means(run(shown), len(tints))
    parts = [np.float32(COVERED_WORTH) * _means(run(covered(shown, side)), len(tints)) for side in sides]
    return np.concatenate((whole, *parts))


def whole_of(prototypes: Floats) -> Floats:
    """Keep those of the whole mark: what covers two marks alike makes them alike."""
    whole: Floats = prototypes[np.linalg.norm(prototypes, axis=1) > (1.0 + COVERED_WORTH) / 2]
    return whole


def covered(crops: Floats, side: Side) -> Floats:
    """Paint a plate over a side of the marks in crops; it holds still, and has no edge inside.

    Args:
        crops: shape (n, 6, 40, 96).
        side: of the mark, not of the crop with its margin.
    """
    rows, columns = _span(CROP_HEIGHT_PX), _span(CROP_WIDTH_PX)
    if side in (Side.LEFT, Side.RIGHT):
        columns = _share(columns, first=side is Side.LEFT)
    else:
        rows = _share(rows, first=side is Side.TOP)
    out = crops.copy()
    tones = np.resize(np.array(_TONES, np.float32), len(crops))
    out[:, 0, rows, columns] = tones[:, None, None]
    out[:, 1:3, rows, columns] = _NEUTRAL
    out[:, 3:5, rows, columns] = 0.0
    return out


def _means(told: Floats, n_tints: int) -> Floats:
    numbers = told[:, :N_NUMBERS].reshape(n_tints, -1, N_NUMBERS).mean(axis=1)
    means: Floats = (numbers / np.linalg.norm(numbers, axis=1, keepdims=True)).astype(np.float32)
    return means


def _span(length: int) -> slice:
    """Say where in a crop the mark itself lies."""
    margin = round(length * MARGIN / (1.0 + 2.0 * MARGIN))
    return slice(margin, length - margin)


def _share(span: slice, *, first: bool) -> slice:
    length = round((span.stop - span.start) * _COVERED)
    return slice(span.start, span.start + length) if first else slice(span.stop - length, span.stop)
