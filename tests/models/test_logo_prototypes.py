from __future__ import annotations

import numpy as np
import pytest

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP
from models.logo_matching import N_NUMBERS
from models.logo_prototypes import COVERED_WORTH, Side, covered, prototypes_of, whole_of
from models.logo_renderings import Tint

RGBA = np.full((20, 40, 4), 255, np.uint8)


def axes(*at: int) -> np.ndarray:
    return np.eye(N_NUMBERS, dtype=np.float32)[list(at)]


def by_half(shown: np.ndarray) -> np.ndarray:
    """Tell the first half of the crops one thing and the second another."""
    told = np.zeros((len(shown), N_NUMBERS + 5), np.float32)
    told[: len(shown) // 2, 0] = 1.0
    told[len(shown) // 2 :, 1] = 1.0
    return told


def test_a_mark_is_enrolled_as_the_mean_of_its_views_in_each_tint():
    assert prototypes_of(RGBA, by_half, tints=(Tint.OWN, Tint.WHITE), sides=()) == pytest.approx(axes(0, 1))


def test_each_covered_side_adds_a_shorter_one_in_each_tint():
    prototypes = prototypes_of(RGBA, by_half, tints=(Tint.OWN, Tint.WHITE), sides=(Side.LEFT, Side.TOP))

    assert prototypes[:2] == pytest.approx(axes(0, 1))
    assert prototypes[2:] == pytest.approx(COVERED_WORTH * axes(0, 1, 0, 1))
    assert whole_of(prototypes) == pytest.approx(axes(0, 1))


@pytest.mark.parametrize(
    ("side", "inside", "outside"),
    [
        (Side.LEFT, (20, 15), (20, 60)),
        (Side.RIGHT, (20, 80), (20, 30)),
        (Side.TOP, (7, 48), (20, 48)),
        (Side.BOTTOM, (33, 48), (20, 48)),
    ],
)
def test_a_plate_holds_still_at_its_side_and_leaves_the_rest(side: Side, inside: tuple[int, int], outside: tuple[int, int]):
    crops = np.full((3, N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX), 50.0, np.float32)

    plated = covered(crops, side)

    assert [crop[0][inside] for crop in plated] == [70.0, 130.0, 190.0]
    assert [plane[inside] for plane in plated[0][1:]] == [128.0, 128.0, 0.0, 0.0, 50.0]
    assert all(plane[outside] == 50.0 for plane in plated[0])
    assert (plated[:, :, :3] == 50.0).all()
    assert (crops == 50.0).all()
