"""How good scores are: area under the curve, F1, precision at a threshold; and where a threshold must lie.

Pure numpy over (n,) arrays of scores and of targets 1 and 0; whose scores they are is for `evaluate.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auc(scores: Floats, targets: Floats) -> float:
    """Return the chance that a 1 scores above a 0, ties counted half; NaN where one of the two is missing."""
    n_ones = int(targets.sum())
    n_zeros = len(targets) - n_ones
    if not n_ones or not n_zeros:
        return float("nan")
    values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[places][targets > 0].sum() - n_ones * (n_ones + 1) / 2.0) / (n_ones * n_zeros))


def precision(scores: Floats, targets: Floats, threshold: float) -> float:
    """Return the share of ones among what reaches the threshold; NaN where nothing does."""
    hits = targets[scores >= threshold]
    return float(hits.mean()) if len(hits) else float("nan")


def recall(scores: Floats, targets: Floats, threshold: float) -> float:
    """Return the share of the ones that reaches the threshold; NaN where there are none."""
    ones = scores[targets > 0]
    return float((ones >= threshold).mean()) if len(ones) else float("nan")


def f1(scores: Floats, targets: Floats, threshold: float) -> float:
    """Return the harmonic mean of precision and recall of the ones, 0..1."""
    found = scores >= threshold
    right = float(np.sum(found & (targets > 0)))
    return 2.0 * right / max(1.0, float(found.sum()) + float(targets.sum()))


def macro_f1(scores: Floats, targets: Floats, threshold: float) -> float:
    """Return the mean of the F1 of the ones and that of the zeros, 0..1."""
    return (f1(scores, targets, threshold) + f1(-scores, 1.0 - targets, np.nextafter(-threshold, np.inf))) / 2.0


def accuracy(scores: Floats, targets: Floats, threshold: float) -> float:
    """Return the share of rows on their right side of the threshold, 0..1."""
    return float(np.mean((scores >= threshold) == (targets > 0)))


def best_threshold(scores: Floats, targets: Floats) -> float:
    """Return the threshold with the highest macro F1, among 200 quantiles of the scores."""
    candidates = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, 201)))
    return float(max(candidates, key=lambda threshold: macro_f1(scores, targets, float(threshold))))


def threshold_for_rate(scores: Floats, weights: Floats, share: float) -> float:
    """Return the lowest threshold that at most `share` of the weight reaches.

    Args:
        scores: of texts nobody should be bothered for.
        weights: how often each occurs.
        share: 0..1.
    """
    order = np.argsort(-scores, kind="stable")
    total = np.cumsum(weights[order]) / weights.sum()
    n_allowed = int(np.searchsorted(total, share, side="right"))
    if n_allowed >= len(scores):
        return float(scores.min())
    # Above the first that is too many, so that its equals stay below too.
    return float(np.nextafter(scores[order][n_allowed], np.inf))


def threshold_for_precision(scores: Floats, targets: Floats, wanted: float, *, n_least: int = 50) -> float:
    """Return the lowest threshold from which up the precision is at least `wanted`.

    Args:
        scores: of rows with targets.
        targets: 1 or 0.
        wanted: precision, 0..1.
        n_least: hits the precision is looked at from; fewer say nothing.

    Returns:
        the threshold; infinity where no threshold gives it.
    """
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(targets[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(right[n_least - 1 :] >= wanted)
    return float(scores[order][good[-1] + n_least - 1]) if len(good) else float("inf")


def temperature(logits: Floats, targets: Floats) -> float:
    """Return what logits must be divided by for the smallest log loss, searched within 0.25..4 to 1 %."""
    signs = 2.0 * targets - 1.0
    candidates = np.exp(np.linspace(np.log(0.25), np.log(4.0), 281))
    losses = [float(np.mean(np.logaddexp(0.0, -signs * logits / one))) for one in candidates]
    return float(candidates[int(np.argmin(losses))])
