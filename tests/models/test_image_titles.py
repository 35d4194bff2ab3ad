from __future__ import annotations

import numpy as np
import pytest

from models.image_titles import SIZE, VIEWS, Title
from models.image_views import VIEW_SIZE, part_of_frame, view


@pytest.mark.parametrize("seed", range(8))
def test_the_same_seeds_draw_the_same_pixels_and_levels_differ(seed: int) -> None:
    first, again = Title.of(seed), Title.of(seed)
    np.testing.assert_array_equal(first.level(2), again.level(2))
    assert first.level(2).shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(first.level(2).astype(int) - first.level(3)).mean() > 1


def test_every_way_of_drawing_comes_up() -> None:
    assert {Title.of(seed).view for seed in range(60)} == set(VIEWS)


def test_a_view_is_of_one_size_whatever_the_source_and_leaves_it_alone() -> None:
    rng = np.random.default_rng(0)
    source = Title.of(1).level(0)
    before = source.copy()
    for _ in range(10):
        seen = view(source, rng, faces=[source])
        assert seen.shape == (VIEW_SIZE[1], VIEW_SIZE[0], 3)
        assert seen.dtype == np.uint8
    np.testing.assert_array_equal(source, before)


def test_a_part_of_a_tiny_frame_can_be_cut() -> None:
    assert part_of_frame(np.zeros((9, 9, 3), np.uint8), np.random.default_rng(0), least=0.1).shape == (216, 384, 3)
