from __future__ import annotations

import numpy as np
import pytest

from models.logo_matching import N_NUMBERS, Seen
from models.logo_sightings import APART_S, KEPT_S, MOST_KEPT, MOST_TRACKS, followed, gathered

STEP_S = 5.0
CORNER = (100.0, 50.0, 260.0, 130.0)


def vector(**axes: float) -> np.ndarray:
    out = np.zeros(N_NUMBERS, np.float32)
    for name, value in axes.items():
        out["abcdef".index(name)] = value
    return out / np.linalg.norm(out)


def seen(*overlays: tuple[tuple[float, ...], np.ndarray], whole: float = 1.0) -> Seen:
    n = len(overlays)
    boxes = np.array([box for box, _ in overlays], np.float32).reshape(n, 4)
    numbers = np.array([of for _, of in overlays], np.float32).reshape(n, N_NUMBERS)
    return Seen(boxes, np.full(n, 0.5, np.float32), np.full(n, whole, np.float32), numbers)


def watched(*looks: Seen, step_s: float = STEP_S):
    tracks = ()
    for at, look in enumerate(looks):
        tracks = followed(tracks, look, at * step_s)
    return gathered(tracks[: len(looks[-1].boxes)])


def moved(right: float) -> tuple[float, ...]:
    return (CORNER[0] + right, CORNER[1], CORNER[2] + right, CORNER[3])


def test_one_look_is_itself():
    own = seen((CORNER, vector(a=1.0)), (moved(500), vector(b=1.0)), whole=0.7)

    found = watched(own)

    assert found.boxes.tolist() == own.boxes.tolist()
    assert found.numbers == pytest.approx(own.numbers, abs=1e-6)
    assert found.wholes == pytest.approx(own.wholes)
    assert found.looks.tolist() == [1, 1]


def test_what_stays_put_is_averaged_over_its_looks():
    found = watched(*(seen((moved(right), vector(a=1.0, **{noise: 0.6}))) for right, noise in ((0, "b"), (4, "c"), (8, "d"))))

    assert found.looks.tolist() == [3]
    assert float(found.numbers[0] @ vector(a=1.0)) > float(vector(a=1.0, b=0.6) @ vector(a=1.0)) + 0.05
    assert found.boxes[0].tolist() == list(moved(4))


def test_a_look_that_frames_the_mark_badly_counts_less():
    good, bad = seen((CORNER, vector(a=1.0)), whole=1.0), seen((CORNER, vector(a=1.0, b=1.0)), whole=0.1)

    found = watched(good, bad)

    assert float(found.numbers[0] @ vector(a=1.0)) > 0.99
    assert found.wholes.tolist() == pytest.approx([0.55])


def test_what_looks_the_same_elsewhere_has_moved_there():
    found = watched(*(seen((moved(right), vector(a=1.0, **{noise: 0.3}))) for right, noise in ((0, "b"), (300, "c"), (600, "d"))))

    assert found.looks.tolist() == [3]
    assert found.boxes[0].tolist() == list(moved(600))
    assert float(found.numbers[0] @ vector(a=1.0)) > float(vector(a=1.0, b=0.3) @ vector(a=1.0)) + 0.01


def test_a_second_one_of_a_kind_leaves_the_first_its_past():
    mark = (CORNER, vector(a=1.0))

    found = watched(seen(mark), seen(mark), seen((moved(500), vector(a=1.0)), mark))

    assert found.looks.tolist() == [1, 3]


@pytest.mark.parametrize(
    "second",
    [
        seen((moved(400), vector(a=1.0, b=1.5))),
        seen((CORNER, vector(b=1.0))),
        seen(((600.0, 50.0, 600.0 + 2 * 160.0, 130.0), vector(a=1.0))),
    ],
    ids=["elsewhere and not alike", "another mark at the place", "elsewhere and of another size"],
)
def test_what_is_elsewhere_or_looks_otherwise_begins_anew(second: Seen):
    found = watched(seen((CORNER, vector(a=1.0))), second)

    assert found.looks.tolist() == [1]
    assert found.numbers == pytest.approx(second.numbers, abs=1e-6)


def test_looks_that_share_their_frames_count_as_one():
    looks = [seen((CORNER, vector(a=1.0)))] * 4

    assert watched(*looks, step_s=APART_S / 4).looks.tolist() == [1]
    assert watched(*looks, step_s=APART_S).looks.tolist() == [4]


def test_a_mark_that_was_away_for_some_looks_goes_on_and_one_away_for_long_begins_anew():
    mark, nothing = seen((CORNER, vector(a=1.0))), seen()

    assert watched(mark, nothing, nothing, mark).looks.tolist() == [2]
    assert watched(mark, mark, step_s=KEPT_S + 1.0).looks.tolist() == [1]


def test_two_overlays_never_go_on_with_the_same_one():
    mark = (CORNER, vector(a=1.0))

    found = watched(seen(mark), seen(mark, (moved(5), vector(a=1.0))))

    assert sorted(found.looks.tolist()) == [1, 2]


def test_no_more_than_the_last_looks_are_kept():
    tracks = ()
    for at in range(50):
        tracks = followed(tracks, seen((CORNER, vector(a=1.0))), at * STEP_S)

    assert [len(track.sightings) for track in tracks] == [MOST_KEPT]
    assert tracks[0].n_looks == 50


def test_of_too_many_overlays_those_seen_longest_ago_go():
    tracks = ()
    for at in range(MOST_TRACKS + 10):
        tracks = followed(tracks, seen((moved(200.0 * at), np.eye(N_NUMBERS, dtype=np.float32)[at])), 0.1 * at)

    assert len(tracks) == MOST_TRACKS
    assert tracks[-1].seen_s == pytest.approx(0.1 * 10)


def test_nothing_seen_gathers_to_nothing():
    assert len(watched(seen()).boxes) == 0
