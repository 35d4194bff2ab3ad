from __future__ import annotations

import numpy as np
import pytest

from streams.clips import ClipCutter
from streams.sampling import AudioPlan


def sound(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * 16_000), dtype=np.float32)


def test_windows_overlap_by_window_less_hop():
    cutter = ClipCutter(AudioPlan(window_s=2.0, hop_s=1.0))
    whole = sound(4.0)

    cut = [window for start in range(0, 64_000, 1024) for window in cutter.add(whole[start : start + 1024], start_s=start / 16_000)]

    assert [window.start_s for window in cut] == [0.0, 1.0, 2.0]
    assert all(np.array_equal(window.pcm, whole[int(window.start_s * 16_000) :][:32_000]) for window in cut)


def test_the_rest_is_given_out_once_and_marked_last():
    cutter = ClipCutter(AudioPlan(window_s=2.0, hop_s=1.0))
    cutter.add(sound(2.7), start_s=0.0)

    rest = cutter.finish()

    assert [(window.start_s, len(window.pcm), window.last) for window in rest] == [(1.0, 27_200, True)]
    assert cutter.finish() == []


def test_a_rest_that_windows_covered_already_is_not_given_out_again():
    cutter = ClipCutter(AudioPlan(window_s=2.0, hop_s=1.0))
    cutter.add(sound(2.0), start_s=0.0)

    assert cutter.finish() == []


def test_a_hole_ends_the_window_and_nothing_is_made_up():
    cutter = ClipCutter(AudioPlan(window_s=2.0, hop_s=1.0))
    cutter.add(sound(1.5), start_s=0.0)

    short = cutter.add(sound(1.0), start_s=9.0)

    assert [(window.start_s, len(window.pcm), window.last) for window in short] == [(0.0, 24_000, False)]
    assert [window.start_s for window in cutter.add(sound(1.0), start_s=10.0)] == [9.0]


def test_a_piece_that_arrives_about_then_is_joined():
    cutter = ClipCutter(AudioPlan(window_s=2.0, hop_s=1.0))
    assert cutter.joined(5.0) == 5.0
    cutter.add(sound(1.0), start_s=5.0)

    assert cutter.joined(6.1) == 6.0
    assert cutter.joined(8.0) == 8.0


def test_a_hop_longer_than_the_window_is_refused():
    with pytest.raises(ValueError, match="hop_s must be"):
        AudioPlan(window_s=1.0, hop_s=2.0)
