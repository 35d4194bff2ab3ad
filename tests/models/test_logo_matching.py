from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.logo_codec import planes_of
from models.logo_matching import (
    CLEAR_MARGIN,
    LOOK_WORTH,
    MOST_LOOKS,
    MOST_MARGIN,
    N_NUMBERS,
    PLACE_WORTH,
    WHOLE_WORTH,
    MarkIndex,
    Seen,
    matches_of,
    see,
    still_there,
    to_check,
)


def numbers(*rows: dict[int, float]):
    out = np.zeros((len(rows), N_NUMBERS), np.float32)
    for row, values in zip(out, rows, strict=True):
        for at, value in values.items():
            row[at] = value
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def seen(*rows: dict[int, float]):
    n = len(rows)
    boxes = np.array([[10 * at, 0, 10 * at + 8, 4] for at in range(n)], np.float32)
    return Seen(boxes, np.full(n, 0.8, np.float32), np.full(n, 0.9, np.float32), numbers(*rows))


def test_an_overlay_gets_the_mark_whose_nearest_prototype_is_most_alike():
    index = MarkIndex({"a": numbers({0: 1.0}, {1: 1.0}), "b": numbers({2: 1.0})})

    first, second = matches_of(seen({1: 1.0, 2: 0.9}, {2: 1.0}), index)

    assert (first.mark, second.mark) == ("a", "b")
    assert first.likeness == pytest.approx(1 / np.sqrt(1.81))
    assert first.margin == pytest.approx(0.1 / np.sqrt(1.81))
    assert second.margin == pytest.approx(MOST_MARGIN)
    assert second.score == pytest.approx(1 + MOST_MARGIN - 0.1 * WHOLE_WORTH + PLACE_WORTH * np.log10(0.8))
    assert second.box == (10.0, 0.0, 18.0, 4.0)


def test_what_is_more_like_a_stranger_scores_less_but_is_still_named():
    marks, strangers = {"a": numbers({0: 1.0})}, numbers({1: 1.0})
    look = seen({0: 1.0, 1: 1.1})

    alone, beside = matches_of(look, MarkIndex(marks))[0], matches_of(look, MarkIndex(marks, strangers))[0]

    assert alone.mark == beside.mark == "a"
    assert alone.likeness == beside.likeness
    assert beside.margin < 0 < alone.margin


def test_what_is_like_nothing_enrolled_is_no_match():
    assert matches_of(seen({5: 1.0}), MarkIndex({"a": numbers({0: 1.0})})) == []


def test_nothing_enrolled_matches_nothing_and_one_mark_has_no_rival():
    only = MarkIndex({"a": numbers({0: 1.0})})

    assert matches_of(seen({0: 1.0}), MarkIndex({})) == []
    assert matches_of(seen({0: 1.0}), only)[0].margin == MOST_MARGIN


@pytest.mark.parametrize(("looks", "further"), [(1, 0), (2, 1), (4, 3), (9, MOST_LOOKS)])
def test_every_further_look_up_to_a_bound_adds_to_the_score(looks, further):
    one = seen({0: 1.0})
    several = Seen(one.boxes, one.places, one.wholes, one.numbers, np.array([looks], np.float32))
    index = MarkIndex({"a": numbers({0: 1.0})})

    (before,), (after,) = matches_of(one, index), matches_of(several, index)

    assert after.looks == looks
    assert after.score == pytest.approx(before.score + further * LOOK_WORTH)


def look():
    return planes_of([np.full((96, 64), 60, np.uint8)])


def test_a_found_box_is_moved_before_it_is_told_for_good():
    told_of: list[np.ndarray] = []

    def finder(planes):
        grid = np.zeros((1, 5, 4, 4), np.float32)
        grid[0, :, 2, 1] = (0.9, 1.0, 0.5, 1.0, 0.5)
        return grid

    def teller(shown):
        told_of.append(shown)
        told = np.zeros((len(shown), N_NUMBERS + 5), np.float32)
        told[:, 3], told[:, N_NUMBERS] = 1.0, 0.7
        told[:, N_NUMBERS + 1] = 0.25  # a quarter of its width to the right
        return told

    found = see(look(), finder, teller)

    assert found.boxes[0] == pytest.approx([16, 32, 48, 48])
    assert found.places == pytest.approx([0.9])
    assert found.wholes == pytest.approx([0.7])
    assert found.numbers[0, 3] == 1.0
    assert len(told_of) == 2


def test_a_look_without_overlays_does_not_run_the_teller():
    def teller(shown):
        raise AssertionError("nothing to tell")

    found = see(look(), lambda planes: np.zeros((1, 5, 4, 4), np.float32), teller)

    assert found.boxes.shape == (0, 4)
    assert matches_of(found, MarkIndex({"a": numbers({0: 1.0})})) == []


def test_what_the_newest_frame_no_longer_shows_is_not_there():
    look = seen({0: 1.0}, {1: 1.0}, {2: 1.0}, {3: 1.0})
    index = MarkIndex({"a": numbers({0: 1.0}), "b": numbers({1: 1.0}), "c": numbers({2: 1.0})})
    now = np.zeros((3, 133), np.float32)
    now[:, :128] = numbers({0: 1.0, 5: 2.0}, {1: 0.2, 5: 1.0}, {5: 1.0})

    checked = to_check(look, index)

    assert checked.tolist() == [0, 1, 2]
    assert still_there(look, checked, now).boxes.tolist() == look.boxes[[0, 3]].tolist()


def test_what_is_like_nothing_enrolled_is_not_checked():
    assert len(to_check(seen({0: 1.0}), MarkIndex({}))) == 0


def test_of_what_was_seen_some_can_be_kept():
    look = replace(seen({0: 1.0}, {1: 1.0}), looks=np.array([3.0, 1.0], np.float32))

    kept = look.only(np.array([False, True]))

    assert kept.boxes.tolist() == look.boxes[1:].tolist()
    assert kept.numbers.tolist() == look.numbers[1:].tolist()
    assert kept.looks is not None
    assert kept.looks.tolist() == [1.0]


def test_a_lead_that_is_not_clear_counts_twice():
    index = MarkIndex({"a": numbers({0: 1.0}), "b": numbers({1: 1.0})})

    clear, close = matches_of(seen({0: 1.0, 1: 0.5}, {0: 1.0, 1: 0.9}), index)

    assert clear.margin > CLEAR_MARGIN > close.margin
    assert clear.score == pytest.approx(clear.likeness + clear.margin - _doubt())
    assert close.score == pytest.approx(close.likeness + 2 * close.margin - CLEAR_MARGIN - _doubt())


def _doubt():
    return 0.1 * WHOLE_WORTH - PLACE_WORTH * np.log10(0.8)
