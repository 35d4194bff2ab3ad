from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.vision.nms import overlap, suppress


def test_overlap_of_equal_apart_and_half_covered_boxes() -> None:
    one = np.array([0, 0, 2, 2], np.float32)
    others = np.array([[0, 0, 2, 2], [5, 5, 1, 1], [1, 0, 2, 2]], np.float32)
    assert overlap(one, others) == pytest.approx([1.0, 0.0, 2 / 6])


def test_the_best_of_covering_boxes_stays_and_low_scores_go() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 5, 5], [80, 80, 5, 5]], np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.25], np.float32)
    assert suppress(boxes, scores, score_threshold=0.25, iou_threshold=0.45).tolist() == [1, 2]


def test_nothing_in_nothing_out() -> None:
    empty = suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), score_threshold=0.25, iou_threshold=0.45)
    assert empty.tolist() == []


@pytest.mark.parametrize("seed", range(8))
def test_it_keeps_what_opencv_keeps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = np.hstack([rng.uniform(0, 200, (300, 2)), rng.uniform(0, 80, (300, 2))]).astype(np.float32)
    scores = rng.uniform(0, 1, 300).astype(np.float32)
    theirs = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.25, 0.45)
    ours = suppress(boxes, scores, score_threshold=0.25, iou_threshold=0.45)
    assert ours.tolist() == np.asarray(theirs).ravel().tolist()
