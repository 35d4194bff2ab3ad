from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.logo_boxes import moves_to  # noqa: E402
from models.logo_cache import SceneCache  # noqa: E402
from models.logo_fonts import Part  # noqa: E402
from models.networks.logo_batches import grid_of  # noqa: E402
from models.networks.logo_draws import draw_pairs, draw_windows, grids_of  # noqa: E402
from models.networks.logo_store import DeviceScenes, prepared  # noqa: E402
from tests.models.logo_stored import write_scenes  # noqa: E402


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    cache = SceneCache(write_scenes(tmp_path_factory.mktemp("scenes"), "train", 3), Part.TRAIN)
    return [[prepared(scene) for scene in cache.read(number)] for number in cache.numbers()]


@pytest.fixture(scope="module")
def scenes(groups):
    kept = DeviceScenes(4, (224, 384), torch.device("cpu"))
    for group in groups:
        kept.add(group)
    return kept


def test_the_grids_of_many_windows_are_those_of_one():
    boxes = np.array([[40, 40, 180, 96], [60, 50, 90, 80], [-100, 300, 60, 360], [700, 10, 900, 90]], np.float32)
    unclear = np.array([[300, 200, 420, 260]], np.float32)

    marks, sides = grids_of(torch.from_numpy(boxes)[None], torch.from_numpy(unclear)[None], (28, 48))
    wanted_marks, wanted_sides = grid_of(boxes, unclear, (28, 48))

    np.testing.assert_array_equal(marks[0].numpy(), wanted_marks)
    here = np.broadcast_to(wanted_marks == 1, wanted_sides.shape)
    np.testing.assert_allclose(sides[0].numpy()[here], wanted_sides[here], atol=1e-5)


def test_windows_show_where_marks_are(scenes):
    batch = draw_windows(scenes, np.random.default_rng(1), 6)

    assert batch.planes.shape == (6, 8, 224, 384)
    found = (batch.marks > 0).flatten(1).any(dim=1)
    assert bool(found.all())
    # A mark holds still, the noise around it does not.
    spread = torch.nn.functional.avg_pool2d(batch.planes[:, 6:7], 8)
    assert float(spread[batch.marks > 0].mean()) < 0.5 * float(spread[batch.marks == 0].mean())


def test_every_mark_of_a_batch_is_another_one(scenes):
    batch = draw_pairs(scenes, np.random.default_rng(2), n=6, n_none=3)

    assert len(set(batch.seeds.tolist())) == len(batch.seeds) == 6
    assert batch.seen.shape == (9, 6, 40, 96)
    assert batch.enrolled.shape == (6, 2, 6, 40, 96)
    assert batch.judged[:6].tolist() == [1.0] * 6
    assert set(batch.judged[6:].tolist()) <= {0.0, -1.0}


def test_a_place_looks_more_like_its_own_mark_than_like_others(scenes):
    batch = draw_pairs(scenes, np.random.default_rng(3), n=9, n_none=1)
    seen, enrolled = batch.seen[:9, 1:3].flatten(1), batch.enrolled[:, 0, 1:3].flatten(1)

    alike = torch.corrcoef(torch.cat((seen, enrolled)))[:9, 9:]

    assert (alike.argmax(dim=1) == torch.arange(9)).float().mean() >= 0.5


def test_moves_lead_from_what_is_shown_to_the_mark(scenes):
    batch = draw_pairs(scenes, np.random.default_rng(4), n=9, n_none=1)

    assert 0.005 < float(batch.moves.abs().mean()) < 0.5
    still = np.array([[10.0, 10.0, 50.0, 30.0]], np.float32)
    assert np.allclose(moves_to(still, still), 0.0)


def test_the_newest_scenes_take_the_place_of_the_oldest(groups):
    kept = DeviceScenes(2, (224, 384), torch.device("cpu"))

    for group in groups:
        kept.add(group)

    assert (len(kept), kept.n_added, kept.n_marks) == (2, 3, 6)
    picked = kept.pick(np.random.default_rng(0), 6, n_views=1)
    assert not set(picked.seeds.tolist()) & set(groups[0][0].seeds)
