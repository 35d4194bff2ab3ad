from __future__ import annotations

import numpy as np
import pytest

from models.speech_bank import N_BINS, split
from models.speech_codec import power_of
from models.speech_voices import SAME, Person, anybody, curve, paced, slurred, spoken_by
from tests.models.speech_sets import tone

SHAPES, DETAILS = split(power_of(tone(200, 0.5)))


BINS = np.arange(N_BINS)
PEAK = np.exp(8.0 * np.exp(-(((BINS - 60) / 20.0) ** 2)))[None].astype(np.float32)
"""One frame with one formant, at bin 60."""
COMB = np.exp(np.cos(2 * np.pi * BINS / 6.0))[None].astype(np.float32)
"""One frame with a harmonic every 6 bins."""


def test_who_was_recorded_sounds_as_recorded():
    wanted = power_of(tone(200, 0.5))

    power = spoken_by(SAME, SHAPES, DETAILS)

    assert np.abs(np.log(power + 1e-6) - np.log(wanted + 1e-6)).max() < 0.1


def test_a_longer_vocal_tract_lowers_the_formants():
    long = Person(np.clip(SAME.places * 1.25, 0, N_BINS - 1), 1.0, 1.0, SAME.lifter, SAME.colour)

    assert int(spoken_by(SAME, *split(PEAK))[0].argmax()) == pytest.approx(60, abs=1)
    assert int(spoken_by(long, *split(PEAK))[0].argmax()) == pytest.approx(48, abs=1)


def test_a_longer_vocal_tract_keeps_the_pitch():
    long = Person(np.clip(SAME.places * 1.25, 0, N_BINS - 1), 1.0, 1.0, SAME.lifter, SAME.colour)

    same, other = (np.log(spoken_by(one, *split(COMB))[0]) for one in (SAME, long))

    assert np.corrcoef(same[20:200], other[20:200])[0, 1] > 0.9


def test_a_higher_pitch_spreads_the_harmonics():
    high = Person(SAME.places, 1.5, 1.0, SAME.lifter, SAME.colour)

    power = np.log(spoken_by(high, *split(COMB))[0])

    peaks = [place for place in range(20, 200) if power[place] == power[place - 4 : place + 5].max()]
    assert np.diff(peaks).mean() == pytest.approx(9.0, abs=0.3)


def test_a_whisper_has_no_harmonics():
    whisper = Person(SAME.places, 1.0, 0.0, SAME.lifter, SAME.colour)

    rough, smooth = (np.abs(np.diff(np.log(spoken_by(one, SHAPES, DETAILS)[25]), 2)).max() for one in (SAME, whisper))

    assert smooth < 0.2 * rough


@pytest.mark.parametrize("seed", range(20))
def test_anybody_can_speak_any_frames(seed):
    person = anybody(np.random.default_rng(seed))

    power = spoken_by(person, SHAPES, DETAILS)

    assert power.shape == (len(SHAPES), N_BINS)
    assert np.isfinite(power).all()
    assert (power > 0).all()
    assert "tract" in repr(person)


def test_no_width_is_who_was_recorded():
    person = anybody(np.random.default_rng(1), width=0.0)

    assert np.allclose(person.places, SAME.places)
    assert (person.pitch, person.depth) == (1.0, 1.0)
    assert np.allclose(person.lifter, 1.0)
    assert np.allclose(person.colour, 0.0)


@pytest.mark.parametrize(("count", "wanted"), [(100, 50), (50, 100), (10, 3), (1, 8), (300, 300)])
def test_another_pace_keeps_the_order_and_reaches_both_ends(count, wanted):
    for seed in range(10):
        rows = paced(count, wanted, np.random.default_rng(seed))

        assert len(rows) == wanted
        assert (np.diff(rows) >= 0).all()
        assert rows.min() >= 0
        assert rows.max() < count


def test_curves_are_smooth():
    assert np.abs(np.diff(curve(np.random.default_rng(2), spread=1.0))).max() < 0.5


def test_slurred_frames_are_the_mean_of_those_around():
    shapes = np.zeros((9, 2), np.float16)
    shapes[4] = 3.0

    assert slurred(shapes, 1)[:, 0] == pytest.approx([0, 0, 0, 1, 1, 1, 0, 0, 0])
    assert slurred(np.full((5, 2), 2.5, np.float16), 2) == pytest.approx(np.full((5, 2), 2.5))
