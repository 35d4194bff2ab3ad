from __future__ import annotations

import numpy as np
import pytest

from models.speech_bank import Kind
from models.speech_mix import Shares
from models.speech_sounds import Sounds
from models.speech_timing import LEAST, Shelf, answerable, timed, warped
from tests.models.speech_sets import READINGS, recordings

SHARES = {"words": Shares(1, 0, 0), "syllables": Shares(0, 1, 0), "synthetic": Shares(0, 0, 1)}


@pytest.fixture
def sounds() -> Sounds:
    return Sounds.of(recordings())


@pytest.fixture
def shelf(sounds) -> Shelf:
    shelf = Shelf(READINGS, ["你好微信大家好"] * 40)
    shelf.add(sounds.clips, 100)
    return shelf


@pytest.mark.parametrize("kind", SHARES)
def test_what_is_spoken_is_what_is_written_down(shelf, sounds, kind):
    of_frame = {}
    for kind_of, clip in sounds.clips:
        of_frame |= {100 + clip.start + frame: (kind_of, clip) for frame in range(clip.count)}

    timing = timed(shelf, 6, 400, np.random.default_rng(3), SHARES[kind])

    for row in range(6):
        spoken = timing.moments[row] >= 0
        clips = [of_frame[frame] for frame in timing.sources[row][spoken].tolist()]
        assert all(one.startswith(kind) for one, _ in clips)
        changes = np.flatnonzero(np.diff(timing.parts[row][spoken], prepend=-1))
        units = [unit for place in changes for unit in clips[place][1].units]
        assert timing.units[row, : timing.n_units[row]].tolist() == units
        assert timing.n_frames[row] == timing.moments[row].max() + 1 <= 400
    assert answerable(timing).all()
    assert timing.synthetic.all() == (kind == "synthetic")


def test_time_within_a_clip_never_runs_backwards(shelf):
    timing = timed(shelf, 8, 600, np.random.default_rng(5), Shares(1, 0, 0))

    for sources, parts, moments in zip(timing.sources, timing.parts, timing.moments, strict=True):
        spoken = moments >= 0
        same = np.diff(parts[spoken]) == 0
        assert (np.diff(sources[spoken])[same] >= 0).all()
        assert (np.diff(moments[spoken])[same] == 1).all()


def test_a_bent_clip_begins_and_ends_where_it_did():
    along = np.linspace(0.0, 1.0, 200, endpoint=False)

    bent = warped(along, np.zeros(200, np.int64), np.array([3]), np.random.default_rng(1))

    assert bent[0] == 0.0
    assert np.diff(bent).min() > 0.0
    assert 0.98 < bent[-1] < 1.0


def test_short_utterances_are_of_words_and_syllables(shelf):
    timing = timed(shelf, 40, 100, np.random.default_rng(1), Shares(0.1, 0.1, 0.8))

    assert not timing.synthetic.any()


def test_clips_that_come_later_are_drawn_too(sounds):
    shelf = Shelf(READINGS, [])
    shelf.add([one for one in sounds.clips if one[0] is not Kind.SYNTHETIC], 0)
    shelf.add([one for one in sounds.clips if one[0] is Kind.SYNTHETIC], 5000)

    timing = timed(shelf, 4, 300, np.random.default_rng(1), SHARES["synthetic"])

    assert timing.synthetic.all()
    assert timing.sources[timing.moments >= 0].min() >= 5000


def test_a_syllable_has_frames_enough_for_its_answers(shelf):
    timing = timed(shelf, 20, 200, np.random.default_rng(2), SHARES["syllables"])

    for parts, moments in zip(timing.parts, timing.moments, strict=True):
        assert np.bincount(parts[moments >= 0]).min() >= LEAST
