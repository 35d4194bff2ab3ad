from __future__ import annotations

import numpy as np
import pytest

from models.logo_boxes import CELL_PX, moved, moves_to, overlaps, places_of


def grid(*cells: tuple[int, int, float, tuple[float, float, float, float]]):
    mark, sides = np.zeros((1, 9, 16), np.float32), np.ones((4, 9, 16), np.float32)
    for row, column, score, reach in cells:
        mark[0, row, column] = score
        sides[:, row, column] = reach
    return mark, sides


def test_a_cell_and_its_sides_are_a_box_in_pixels():
    places = places_of(*grid((4, 6, 0.9, (2.0, 1.0, 3.0, 0.5))))

    assert places.scores == pytest.approx([0.9])
    assert places.boxes[0] == pytest.approx(np.array([4.5, 3.5, 9.5, 5.0]) * CELL_PX)


def test_of_cells_that_answer_for_one_place_the_likeliest_stays():
    same = (2.0, 1.0, 2.0, 1.0)

    places = places_of(*grid((4, 6, 0.7, same), (4, 7, 0.9, (3.0, 1.0, 1.0, 1.0)), (1, 13, 0.5, same)))

    assert places.scores == pytest.approx([0.9, 0.5])


def test_unlikely_places_and_those_beyond_the_most_are_left_out():
    apart = (0.4, 0.4, 0.4, 0.4)
    cells = [(row, 5, 0.2 + row / 20, apart) for row in range(9)]

    places = places_of(*grid(*cells, (0, 12, 0.05, apart)), most=4)

    assert places.scores == pytest.approx([0.6, 0.55, 0.5, 0.45])


def test_nothing_found_is_an_empty_answer():
    places = places_of(*grid())

    assert places.boxes.shape == (0, 4)
    assert places.scores.shape == (0,)


def test_overlap_is_shared_area_by_joined_area():
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)

    assert overlaps(a, b)[0] == pytest.approx([1.0, 1 / 3, 0.0])


def test_moving_undoes_what_was_asked_for():
    boxes = np.array([[10, 20, 110, 60], [0, 0, 30, 30]], np.float32)
    wanted = np.array([[14, 18, 120, 66], [-3, 2, 25, 31]], np.float32)

    assert moved(boxes, moves_to(boxes, wanted)) == pytest.approx(wanted, abs=1e-3)
