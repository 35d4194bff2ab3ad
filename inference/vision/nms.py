"""Non-maximum suppression over boxes as arrays: of boxes that cover each other the best stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def overlap(one: Floats, others: Floats) -> Floats:
    """Intersection over union of one box with n others.

    Args:
        one: x, y, w, h; shape (4,).
        others: the same, shape (n, 4).

    Returns:
        0..1, shape (n,); 1 where both boxes are empty.
    """
    left = np.maximum(one[:2], others[:, :2])
    right = np.minimum(one[:2] + one[2:], others[:, :2] + others[:, 2:])
    shared = np.prod(np.clip(right - left, 0.0, None), axis=1)
    united = one[2] * one[3] + others[:, 2] * others[:, 3] - shared
    return np.where(united > 0, shared / np.where(united > 0, united, 1.0), 1.0).astype(np.float32)


def suppress(boxes: Floats, scores: Floats, *, score_threshold: float, iou_threshold: float) -> NDArray[np.intp]:
    """Keep, best first, each box that none of the kept ones covers by more than `iou_threshold`.

    Args:
        boxes: x, y, w, h; shape (n, 4).
        scores: shape (n,); boxes at or below `score_threshold` are dropped.
        score_threshold: exclusive.
        iou_threshold: 0..1, inclusive.

    Returns:
        indices of the kept boxes, best first; of equal scores the earlier box goes first.
    """
    order = np.argsort(-scores, kind="stable")
    waiting = order[scores[order] > score_threshold]
    kept: list[int] = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        waiting = rest[overlap(boxes[best], boxes[rest]) <= iou_threshold]
    return np.asarray(kept, dtype=np.intp)
