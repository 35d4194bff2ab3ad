from __future__ import annotations

import numpy as np
import pytest

from models.logo_boxes import CELL_PX
from models.logo_cache import SceneCache
from models.logo_fonts import Part
from models.logo_marks import Kind, Mark
from models.logo_matching import N_NUMBERS
from models.logo_strangers import strangers_of
from tests.models.logo_stored import HEIGHT_PX, WIDTH_PX, pattern, write_scenes

ON_MARK = (110.0, 68.0)
BESIDE = ((600.0, 400.0), (200.0, 300.0))


class Graphs:
    """A finder that names fixed centres, and a teller that tells each crop by its mean tone."""

    def __init__(self) -> None:
        self.centres = (ON_MARK, *BESIDE)

    def find(self, planes: np.ndarray) -> np.ndarray:
        grid = np.zeros((1, 5, HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX), np.float32)
        for x, y in self.centres:
            column, row = int(x) // CELL_PX, int(y) // CELL_PX
            grid[0, :, row, column] = (0.9, 2.0, 1.0, 2.0, 1.0)
        return grid

    def tell(self, shown: np.ndarray) -> np.ndarray:
        told = np.zeros((len(shown), N_NUMBERS + 5), np.float32)
        told[:, 0] = 1.0
        told[:, 1] = shown[:, 0].mean(axis=(1, 2)) / 100.0
        told[:, :N_NUMBERS] /= np.linalg.norm(told[:, :N_NUMBERS], axis=1, keepdims=True)
        return told


@pytest.fixture
def cache(tmp_path, monkeypatch) -> SceneCache:
    monkeypatch.setattr("models.logo_strangers.draw_mark", lambda seed: Mark(seed, Kind.ICON, pattern(seed)))
    write_scenes(tmp_path, "train", 1)
    return SceneCache(tmp_path, Part.TRAIN)


def test_made_up_marks_and_every_place_beside_a_scenes_marks_are_strangers(cache):
    graphs = Graphs()

    found = strangers_of(graphs.find, graphs.tell, cache, n_made_up=3, n_scenery=100)

    assert found.shape == (3 + len(BESIDE), N_NUMBERS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)


def test_a_place_on_a_mark_of_a_scene_is_none(cache):
    graphs = Graphs()
    graphs.centres = (ON_MARK,)

    assert len(strangers_of(graphs.find, graphs.tell, cache, n_made_up=0, n_scenery=100)) == 0


@pytest.mark.parametrize(("most", "n"), [(0, 0), (1, 1), (2, 2), (9, 2)])
def test_no_more_scenery_is_taken_than_asked_for(cache, most, n):
    graphs = Graphs()

    assert len(strangers_of(graphs.find, graphs.tell, cache, n_made_up=0, n_scenery=most)) == n
