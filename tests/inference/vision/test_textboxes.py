from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.vision.textboxes import BoxRules, find_text_boxes

RULES = BoxRules(probability_threshold=0.3, dilate_px=2, box_threshold=0.5, unclip_ratio=1.6, min_side_px=3, max_candidates=1000)
SIZE = (640, 352)


def blank() -> NDArray[np.float32]:
    return np.zeros((352, 640), np.float32)


def test_a_bar_of_probability_becomes_a_box_grown_by_area_over_perimeter() -> None:
    probability = blank()
    probability[100:110, 50:250] = 0.9
    (box,) = find_text_boxes(probability, replace(RULES, dilate_px=1), frame_size=SIZE, max_boxes=9).boxes
    # Contours run through pixel centres: 199 x 9, grown by 1.6 * 199 * 9 / (2 * 208) = 6.9 on every side.
    assert box.width_px == pytest.approx(199 + 13.8, abs=0.2)
    assert box.height_px == pytest.approx(9 + 13.8, abs=0.2)
    assert box.centre_y == pytest.approx(104.5, abs=0.5)
    assert box.score == pytest.approx(0.9, abs=0.01)


def test_growing_equals_a_polygon_clipper_with_round_corners() -> None:
    pyclipper = pytest.importorskip("pyclipper")
    probability = blank()
    corners = cv2.boxPoints(((300.0, 150.0), (180.0, 16.0), 12.0))
    cv2.fillPoly(probability, [corners.astype(np.int32)], 0.8)
    (box,) = find_text_boxes(probability, replace(RULES, dilate_px=1), frame_size=SIZE, max_boxes=9).boxes
    contour = max(cv2.findContours((probability > 0.3).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0], key=len)
    centre, (width, height), angle = cv2.minAreaRect(contour)
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(cv2.boxPoints((centre, (width, height), angle)), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = cv2.minAreaRect(np.array(offset.Execute(width * height * 1.6 / (2 * (width + height)))[0]))
    assert sorted((box.width_px, box.height_px)) == pytest.approx(sorted(grown[1]), abs=1.5)  # it cuts to whole pixels


def test_corners_come_in_reading_order_on_the_frames_own_scale() -> None:
    probability = blank()
    cv2.fillPoly(probability, [cv2.boxPoints(((300.0, 150.0), (180.0, 16.0), 10.0)).astype(np.int32)], 0.8)
    (box,) = find_text_boxes(probability, RULES, frame_size=(1280, 704), max_boxes=9).boxes
    upper_left, upper_right, lower_right, lower_left = box.corners
    assert upper_left[0] < upper_right[0]
    assert lower_left[0] < lower_right[0]
    assert upper_left[1] < lower_left[1]
    assert upper_right[1] < lower_right[1]
    assert box.corners.mean(axis=0) == pytest.approx([600, 300], abs=2)
    assert upper_right[1] > upper_left[1]  # tilted clockwise, as drawn


def test_faint_small_and_empty_places_are_no_boxes() -> None:
    probability = blank()
    probability[20:40, 20:200] = 0.4  # over the mask's threshold, below the box's
    probability[100:102, 20:200] = 0.9  # too thin
    assert find_text_boxes(probability, RULES, frame_size=SIZE, max_boxes=9).boxes == ()


def test_boxes_stay_on_the_frame() -> None:
    probability = blank()
    probability[0:12, 0:640] = 0.9
    (box,) = find_text_boxes(probability, RULES, frame_size=SIZE, max_boxes=9).boxes
    assert box.corners.min() >= 0
    assert box.corners.max(axis=0).tolist() <= [639.0, 351.0]


def test_of_too_many_boxes_the_largest_stay_and_the_rest_is_counted() -> None:
    probability = blank()
    for row in range(11):
        for column in range(15):
            probability[row * 32 + 4 : row * 32 + 12, column * 42 + 4 : column * 42 + 20 + column] = 0.9
    found = find_text_boxes(probability, RULES, frame_size=SIZE, max_boxes=11)
    assert len(found.boxes) == 11
    assert found.n_dropped == 11 * 15 - 11
    assert min(box.corners[:, 0].min() for box in found.boxes) > 540  # the last column has the longest bars
    assert [box.centre_y for box in found.boxes] == sorted(box.centre_y for box in found.boxes)


def test_a_hostile_map_of_thousands_of_specks_is_bounded_before_anything_is_measured() -> None:
    probability = blank()
    probability[::4, ::4] = probability[1::4, ::4] = probability[::4, 1::4] = 0.99
    found = find_text_boxes(probability, replace(RULES, dilate_px=1), frame_size=SIZE, max_boxes=9)
    assert found.n_dropped >= 88 * 160 - RULES.max_candidates
    assert len(found.boxes) <= 9
