from __future__ import annotations

import math

import numpy as np
import pytest

from models import scores

RAW = np.array([0.1, 0.4, 0.35, 0.8])
TARGETS = np.array([0.0, 0.0, 1.0, 1.0])


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    assert scores.auc(RAW, TARGETS) == 0.75


def test_ties_count_half_of_a_pair():
    assert scores.auc(np.array([0.5, 0.5]), np.array([0.0, 1.0])) == 0.5


def test_the_area_of_one_kind_alone_is_unknown():
    assert math.isnan(scores.auc(RAW, np.ones(4)))


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "f1"), [(0.35, 2 / 3, 1.0, 0.8), (0.4, 0.5, 0.5, 0.5), (0.8, 1.0, 0.5, 2 / 3)]
)
def test_what_equals_the_threshold_is_found(threshold, precision, recall, f1):
    assert scores.precision(RAW, TARGETS, threshold) == pytest.approx(precision)
    assert scores.recall(RAW, TARGETS, threshold) == pytest.approx(recall)
    assert scores.f1(RAW, TARGETS, threshold) == pytest.approx(f1)


def test_precision_of_nothing_found_is_unknown():
    assert math.isnan(scores.precision(RAW, TARGETS, 2.0))


def test_macro_f1_is_the_mean_of_both_kinds():
    # at 0.4: found 0.4 and 0.8; ones 1 right of 2 and 2, zeros 1 right of 2 and 2
    assert scores.macro_f1(RAW, TARGETS, 0.4) == pytest.approx(0.5)
    # at 0.35: ones F1 0.8; zeros found {0.1}, right, of 2
    assert scores.macro_f1(RAW, TARGETS, 0.35) == pytest.approx((0.8 + 2 / 3) / 2)


def test_accuracy_counts_both_sides():
    assert scores.accuracy(RAW, TARGETS, 0.35) == 0.75


def test_the_best_threshold_parts_what_can_be_parted():
    raw = np.concatenate([np.linspace(0.0, 0.4, 50), np.linspace(0.6, 1.0, 50)])
    targets = np.repeat([0.0, 1.0], 50)

    assert scores.accuracy(raw, targets, scores.best_threshold(raw, targets)) == 1.0


def test_no_more_than_the_share_reaches_the_threshold():
    raw = np.array([0.9, 0.8, 0.7, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])

    threshold = scores.threshold_for_rate(raw, np.ones(10), 0.2)

    assert (raw >= threshold).sum() == 2


def test_equal_scores_stay_below_together_and_lines_are_weighed():
    tied = np.array([0.9, 0.9, 0.9, 0.1])
    assert (tied >= scores.threshold_for_rate(tied, np.ones(4), 0.5)).sum() == 0

    often = np.array([1.0, 8.0, 1.0])
    threshold = scores.threshold_for_rate(np.array([0.9, 0.8, 0.1]), often, 0.5)
    assert 0.8 < threshold <= 0.9


def test_a_share_of_everything_allows_everything():
    assert scores.threshold_for_rate(RAW, np.ones(4), 1.0) == RAW.min()


def test_the_threshold_for_a_precision_is_the_lowest_that_keeps_it():
    raw = np.linspace(1.0, 0.0, 100)
    targets = (np.arange(100) < 60).astype(float)

    threshold = scores.threshold_for_precision(raw, targets, 0.75, n_least=10)

    assert scores.precision(raw, targets, threshold) >= 0.75
    assert (raw >= threshold).sum() == 80


def test_a_precision_that_is_never_reached_has_no_threshold():
    assert scores.threshold_for_precision(RAW, np.zeros(4), 0.5, n_least=1) == math.inf


def test_temperature_cools_what_was_too_sure():
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 2.0, 20_000)
    targets = (rng.random(20_000) < 1.0 / (1.0 + np.exp(-logits))).astype(float)

    assert scores.temperature(logits, targets) == pytest.approx(1.0, abs=0.05)
    assert scores.temperature(logits * 2.0, targets) == pytest.approx(2.0, abs=0.1)
