"""Paths of units found in answers of a CTC network, checked against trying out every alignment."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.speech.spotting import NEVER, PathHit, SpottingNumbers, UnitPaths, align, end_scores, find, greedy, ratios, reachable

N_UNITS = 4
NUMBERS = SpottingNumbers(frame_floor=20.0, pause_cost=0.05)
frames = st.lists(st.lists(st.floats(-6, 0, width=32), min_size=N_UNITS, max_size=N_UNITS), min_size=1, max_size=5)
paths = st.lists(st.integers(1, N_UNITS - 1), min_size=1, max_size=3)


def peaky(*units: int, n_units: int = 8, sure: float = 0.97) -> np.ndarray:
    """Answers of a network that hears these units, one a frame; 0 is the blank."""
    probabilities = np.full((len(units), n_units), (1 - sure) / (n_units - 1), np.float32)
    probabilities[np.arange(len(units)), units] = sure
    return np.log(probabilities)


def every_alignment(ratio: np.ndarray, path: list[int]) -> float:
    """The best sum over all labellings that end with the last frame, by trying each."""
    best = -np.inf
    for length in range(1, len(ratio) + 1):
        rows = ratio[len(ratio) - length :]
        for labels in product((0, *sorted(set(path))), repeat=length):
            said = [unit for unit, _ in groupby(labels) if unit]
            if said == path and labels[0] and labels[-1]:
                pauses = labels.count(0) * NUMBERS.pause_cost
                best = max(best, float(sum(row[unit] for row, unit in zip(rows, labels, strict=True))) - pauses)
    return best


@given(frames, st.lists(paths, min_size=1, max_size=4))
def test_scores_are_those_of_the_best_alignment_of_all(rows: list[list[float]], many: list[list[int]]):
    ratio = ratios(np.array(rows, np.float32), NUMBERS)

    scores = end_scores(ratio, UnitPaths.of(many), NUMBERS)

    for column, path in enumerate(many):
        for frame in range(len(rows)):
            tried = every_alignment(ratio[: frame + 1], path)
            if tried == -np.inf:
                assert scores[frame, column] < -1000
            else:
                assert scores[frame, column] == pytest.approx(tried, abs=1e-4)


@given(frames, paths)
def test_an_alignment_is_the_one_that_was_scored_and_begins_where_it_says(rows: list[list[float]], path: list[int]):
    ratio = ratios(np.array(rows, np.float32), NUMBERS)

    start, score = align(ratio, path, NUMBERS)

    scored = float(end_scores(ratio, UnitPaths.of([path]), NUMBERS)[-1, 0])
    if scored > -1000:
        assert score == pytest.approx(scored, abs=1e-4)
        assert every_alignment(ratio[start:], path) == pytest.approx(score, abs=1e-4)


def test_ratios_are_zero_for_the_likeliest_and_no_lower_than_the_floor():
    ratio = ratios(np.array([[-0.1, -3.0, -50.0]], np.float32), SpottingNumbers(frame_floor=12.0))

    assert ratio.tolist() == [[0.0, pytest.approx(-2.9), -12.0]]


def test_what_is_guessed_for_being_common_is_weighed_down_before_it_is_compared():
    log_probs = np.log(np.array([[0.1, 0.6, 0.3]], np.float32))

    weighed = ratios(log_probs, SpottingNumbers(bias=(0.0, -1.0, 0.0)))

    assert int(weighed.argmax()) == 2
    assert weighed[0, 1] == pytest.approx(np.log(0.6) - 1.0 - np.log(0.3), abs=1e-6)


def test_a_path_is_found_once_where_it_is_said_with_its_first_and_last_frame():
    ratio = ratios(peaky(0, 0, 1, 1, 0, 2, 3, 3, 0, 0), NUMBERS)

    hits = find(ratio, UnitPaths.of([[1, 2, 3]]), np.full(1, -1.0, np.float32), NUMBERS, max_frames=np.full(1, 20, np.int32))

    assert [(hit.path, hit.start, hit.end) for hit in hits] == [(0, 2, 8)]
    assert hits[0].score == pytest.approx(-NUMBERS.pause_cost / 3, abs=1e-5)


def test_said_twice_is_found_twice():
    ratio = ratios(peaky(1, 2, 0, 0, 1, 2), NUMBERS)

    hits = find(ratio, UnitPaths.of([[1, 2]]), np.full(1, -1.0, np.float32), NUMBERS, max_frames=np.full(1, 20, np.int32))

    assert sorted((hit.start, hit.end) for hit in hits) == [(0, 2), (4, 6)]


def test_a_path_that_is_not_the_likeliest_is_found_in_the_posteriors_all_the_same():
    log_probs = np.log(np.array([[0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.3, 0.5]], np.float32))

    hits = find(
        ratios(log_probs, NUMBERS),
        UnitPaths.of([[2, 3]]),
        np.full(1, -1.0, np.float32),
        NUMBERS,
        max_frames=np.full(1, 9, np.int32),
    )

    assert [(hit.start, hit.end) for hit in hits] == [(0, 2)]
    assert hits[0].score == pytest.approx(np.log(0.3 / 0.5) / 2, abs=1e-5)
    assert [unit for _, unit in greedy(log_probs)] == [1, 3]


def test_one_unit_twice_needs_a_blank_between():
    paths = UnitPaths.of([[1, 1]])

    held = end_scores(ratios(peaky(1, 1, 1), NUMBERS), paths, NUMBERS)[-1, 0]
    parted = end_scores(ratios(peaky(1, 0, 1), NUMBERS), paths, NUMBERS)[-1, 0]

    assert parted == pytest.approx(-NUMBERS.pause_cost)
    assert held < -3


def test_no_path_crosses_a_wall():
    ratio = ratios(peaky(1, 0, 0, 2), NUMBERS)
    ratio[2] = NEVER

    hits = find(ratio, UnitPaths.of([[1, 2]]), np.full(1, -20.0, np.float32), NUMBERS, max_frames=np.full(1, 9, np.int32))

    assert [hit for hit in hits if hit.start < 2 < hit.end] == []


def test_what_takes_too_long_is_no_hit():
    ratio = ratios(peaky(1, 0, 0, 0, 0, 0, 0, 2), NUMBERS)
    paths, floors = UnitPaths.of([[1, 2]]), np.full(1, -1.0, np.float32)

    assert find(ratio, paths, floors, NUMBERS, max_frames=np.full(1, 7, np.int32)) == []
    assert len(find(ratio, paths, floors, NUMBERS, max_frames=np.full(1, 8, np.int32))) == 1


def test_many_paths_of_different_lengths_are_scored_as_each_alone():
    rng = np.random.default_rng(3)
    log_probs = np.log(rng.dirichlet(np.full(20, 0.2), 40)).astype(np.float32)
    many = [rng.integers(1, 20, rng.integers(1, 9)).tolist() for _ in range(1500)]
    ratio = ratios(log_probs, NUMBERS)

    together = end_scores(ratio, UnitPaths.of(many), NUMBERS)

    for column in range(0, len(many), 250):
        assert np.allclose(together[:, column], end_scores(ratio, UnitPaths.of([many[column]]), NUMBERS)[:, 0], atol=1e-3)


@given(frames, st.lists(paths, min_size=1, max_size=4), st.integers(1, 6))
def test_no_path_scores_more_than_is_reachable(rows: list[list[float]], many: list[list[int]], longest: int):
    ratio = ratios(np.array(rows, np.float32), NUMBERS)
    laid = UnitPaths.of(many)

    bounds = reachable(ratio, laid, max_frames=np.full(len(many), longest, np.int32))

    for column, path in enumerate(many):
        for end in range(1, len(rows) + 1):
            within = every_alignment(ratio[max(0, end - longest) : end], path)
            assert within / len(path) <= bounds[column] + 1e-5


def test_nothing_heard_and_nothing_listened_for_find_nothing():
    none = np.zeros((0, 8), np.float32)

    assert end_scores(ratios(none, NUMBERS), UnitPaths.of([[1]]), NUMBERS).shape == (0, 1)
    assert end_scores(ratios(peaky(1, 2), NUMBERS), UnitPaths.of([]), NUMBERS).shape == (2, 0)
    assert greedy(none) == []


def test_a_path_is_refused_without_units_or_with_the_blank_in_it():
    with pytest.raises(ValueError, match="no blank among them"):
        UnitPaths.of([[1], []])
    with pytest.raises(ValueError, match="no blank among them"):
        UnitPaths.of([[1, 0, 2]])
    with pytest.raises(ValueError, match=r"must be \(frames, units\)"):
        ratios(np.zeros(4, np.float32), NUMBERS)


def test_greedy_leaves_out_repetitions_and_blanks_and_says_where_each_unit_begins():
    assert greedy(peaky(1, 1, 0, 1, 2, 2, 0)) == [(0, 1), (3, 1), (4, 2)]


def test_overlap_is_the_share_of_the_shorter():
    assert PathHit(0, 0, 10, 0.0).overlap(PathHit(1, 8, 12, 0.0)) == 0.5
    assert PathHit(0, 0, 10, 0.0).overlap(PathHit(1, 10, 12, 0.0)) == 0.0
