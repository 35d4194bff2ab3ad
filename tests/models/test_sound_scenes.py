from __future__ import annotations

import numpy as np
import pytest

from models.sound_scenes import RATE_HZ, SoundKind, make

every_kind = pytest.mark.parametrize("kind", list(SoundKind))


@every_kind
def test_a_sound_is_finite_within_full_scale_and_as_long_as_asked(kind: SoundKind):
    for seed in range(5):
        for n in (RATE_HZ // 2, 2 * RATE_HZ):
            sound = make(kind, np.random.default_rng(seed), n)
            assert (sound.shape, sound.dtype) == ((n,), np.float32)
            assert 0.01 < np.abs(sound).max() <= 1.0


@every_kind
def test_one_seed_makes_one_sound_and_another_seed_another(kind: SoundKind):
    first, again, other = (make(kind, np.random.default_rng(seed), RATE_HZ) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def crest(kind: SoundKind) -> float:
    """Peak over root mean square, the median of some sounds."""
    ratios = []
    for seed in range(15):
        sound = make(kind, np.random.default_rng(seed), 2 * RATE_HZ)
        ratios.append(float(np.abs(sound).max() / np.sqrt(np.square(sound).mean())))
    return float(np.median(ratios))


def test_shots_are_sudden_and_sirens_are_not():
    assert crest(SoundKind.GUNSHOT) > 2 * crest(SoundKind.SIREN)
