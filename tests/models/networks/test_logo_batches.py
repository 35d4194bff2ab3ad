from __future__ import annotations

from random import Random

import numpy as np
import pytest

from models.logo_boxes import CELL_PX, moved, places_of
from models.logo_cache import SceneCache
from models.logo_fonts import Part
from models.networks.logo_batches import WINDOW_PX, Pool, _changed, grid_of
from tests.models.logo_stored import write_scenes


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return SceneCache(write_scenes(tmp_path_factory.mktemp("scenes"), "train", 3), Part.TRAIN)


def test_the_wanted_grid_reads_back_as_the_boxes():
    boxes = np.array([[100, 60, 300, 110], [400, 300, 452, 320]], np.float32)

    marks, sides = grid_of(boxes, np.zeros((0, 4), np.float32), (28, 48))
    places = places_of(marks, sides)

    assert len(places.boxes) == 2
    assert sorted(map(tuple, places.boxes)) == [pytest.approx(tuple(box), abs=0.9) for box in boxes]


def test_what_may_be_a_logo_and_what_is_cut_off_does_not_matter():
    cut, unclear = np.array([[-150, 40, 50, 90]], np.float32), np.array([[400, 200, 480, 240]], np.float32)

    marks, _ = grid_of(cut, unclear, (28, 48))

    assert not (marks == 1).any()
    assert marks[0, 220 // CELL_PX, 440 // CELL_PX] == -1
    assert marks[0, 65 // CELL_PX, 24 // CELL_PX] == -1


def test_a_batch_depends_on_the_random_source_alone(cache):
    first, second = (Pool(cache, Random(3), n_groups=2) for _ in range(2))

    a, b = first.windows(Random(9), 3), second.windows(Random(9), 3)
    c, d = (pool.pairs(Random(9), n=4, n_none=2) for pool in (first, second))

    assert np.array_equal(a.planes, b.planes)
    assert np.array_equal(a.marks, b.marks)
    assert np.array_equal(c.seen, d.seen)
    assert np.array_equal(c.enrolled, d.enrolled)


def test_windows_are_of_one_size_and_hold_marks(cache):
    batch = Pool(cache, Random(1), n_groups=3).windows(Random(2), 6)

    assert batch.planes.shape == (6, 8, WINDOW_PX[1] // 2, WINDOW_PX[0] // 2)
    assert batch.marks.shape == (6, 1, WINDOW_PX[1] // CELL_PX, WINDOW_PX[0] // CELL_PX)
    assert (batch.marks == 1).any(axis=(1, 2, 3)).mean() > 0.5


def test_pairs_show_a_place_and_the_same_mark_enrolled(cache):
    batch = Pool(cache, Random(1), n_groups=3).pairs(Random(2), n=6, n_none=3)

    assert batch.seen.shape[0] == 9
    assert batch.enrolled.shape[0] == 6
    assert list(batch.judged[:6]) == [1.0] * 6
    assert set(batch.judged[6:]) <= {0.0, -1.0}
    seen, enrolled = (_tiles(crops) for crops in (batch.seen[:6], batch.enrolled))
    assert list((seen @ enrolled.T).argmax(axis=1)) == list(range(6))


def _tiles(crops):
    """Luma and colour of a crop, each without its mean and of length one."""
    flat = (crops[:, :3] - crops[:, :3].mean(axis=(2, 3), keepdims=True)).reshape(len(crops), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_the_wanted_moves_bring_a_shown_place_back_to_its_mark(cache):
    batch = Pool(cache, Random(1), n_groups=3).pairs(Random(2), n=4, n_none=0)

    assert np.abs(batch.moves).max() < 1.0
    assert np.abs(batch.moves).max() > 0.01
    box = np.array([[0, 0, 100, 40]], np.float32)
    assert moved(box, np.zeros((1, 4), np.float32)) == pytest.approx(box)


def test_a_pair_is_changed_alike_and_moves_the_other_way_where_it_is_mirrored():
    across = np.tile(np.linspace(20, 200, 96, dtype=np.float32), (6, 40, 1))
    moves = np.array([0.2, 0.1, 0.0, 0.0], np.float32)

    pairs = [_changed(Random(seed), across, across, moves) for seed in range(40)]

    assert all(np.array_equal(seen, enrolled) for seen, enrolled, _ in pairs)
    mirrored = [bool(seen[3, 0, 0] > seen[3, 0, -1]) for seen, _, _ in pairs]  # spread is never recoloured
    assert [move[0] < 0 for _, _, move in pairs] == mirrored
    assert 5 < sum(mirrored) < 35
    assert len({seen[0, 0, 0] for seen, _, _ in pairs}) > 2


def test_renewing_brings_groups_in_that_were_not_there(cache):
    pool = Pool(cache, Random(1), n_groups=1)
    before = pool.windows(Random(5), 2).planes

    pool.renew()

    assert not np.array_equal(before, pool.windows(Random(5), 2).planes)
