from __future__ import annotations

import numpy as np
import pytest

from models.calibration import Calibration
from models.errors import ManifestError


def test_scores_lie_on_the_lines_between_points_and_flat_beyond():
    line = Calibration.of([[0.2, 0.1], [0.4, 0.5], [0.8, 0.9]])

    got = line.apply(np.array([[0.0, 0.2, 0.3], [0.6, 0.8, 1.0]], np.float32))

    np.testing.assert_allclose(got, [[0.1, 0.1, 0.3], [0.7, 0.9, 0.9]], atol=1e-6)


def test_without_points_scores_stay_and_are_kept_within_one():
    np.testing.assert_allclose(Calibration().apply([-1.0, 0.4, 2.0]), [0.0, 0.4, 1.0])
    assert Calibration().invert(0.4) == 0.4


def test_invert_gives_the_smallest_raw_score_that_reaches():
    line = Calibration.of([[0.0, 0.1], [0.5, 0.5], [0.6, 0.5], [1.0, 0.9]])

    assert line.invert(0.5) == pytest.approx(0.5)
    assert line.invert(0.7) == pytest.approx(0.8)
    assert line.invert(0.05) == -np.inf
    assert line.invert(0.95) == np.inf


@pytest.mark.parametrize(
    "pairs", [[[0.0, 0.0]], [[0.0, 0.5], [1.0, 0.4]], [[0.5, 0.0], [0.5, 1.0]], [[0, 0], [1, 1.2]], [[0, 0], [1]]]
)
def test_a_line_that_falls_or_is_no_line_is_refused(pairs):
    with pytest.raises(ManifestError):
        Calibration.of(pairs)
