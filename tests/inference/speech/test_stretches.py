"""Speech cut out of a clip for the acoustic model, and its answers joined again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.detectors import SpeechSegment
from inference.samples import SAMPLE_RATE_HZ
from inference.speech.stretches import CONTEXT_S, SIZES, Posteriors, Stretch, pieces_of, start_s, stretches_of
from models.speech_codec import FRAME_S, STRIDE
from tests.inference.samples_maker import clip


def speech(*ranges: tuple[float, float], seconds: float = 8.0, at_s: float = 100.0) -> tuple[Stretch, ...]:
    sound = clip(np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32), start_s=at_s)
    return stretches_of([SpeechSegment(at_s + first, at_s + end, 0.9) for first, end in ranges], sound)


def test_a_stretch_is_the_speech_and_a_little_around_it():
    (one,) = speech((2.0, 3.0))

    assert one.first * FRAME_S == pytest.approx(2.0 - CONTEXT_S, abs=FRAME_S)
    assert one.end * FRAME_S == pytest.approx(3.0 + CONTEXT_S, abs=2 * FRAME_S)


def test_a_short_pause_stays_inside_a_long_one_parts():
    assert len(speech((1.0, 2.0), (2.6, 3.0))) == 1
    assert len(speech((1.0, 2.0), (2.9, 3.4))) == 2


def test_nothing_lies_outside_the_clip():
    (one,) = speech((0.0, 8.0))

    assert (one.first, one.end) == (0, 200)


@given(st.integers(0, 500), st.integers(1, 2000))
def test_pieces_answer_every_frame_of_a_stretch_once_and_fit_a_size(first: int, n_frames: int):
    pieces = list(pieces_of(Stretch(first, first + n_frames)))

    owned = [frame for piece in pieces for frame in range(piece.own, piece.own_end)]
    assert owned == list(range(first, first + n_frames))
    for piece in pieces:
        assert piece.first <= piece.own < piece.own_end <= piece.end
        assert piece.size in SIZES
        assert piece.size >= (piece.end - piece.first) * STRIDE


def test_answers_are_joined_with_walls_between_and_know_their_place():
    ones, twos = np.ones((3, 5), np.float32), np.full((2, 5), 2.0, np.float32)

    joined = Posteriors.joined([(Stretch(10, 13), ones), (Stretch(40, 42), twos)], 5)

    assert joined.places.tolist() == [10, 11, 12, -1, 40, 41, -1]
    assert joined.walls.tolist() == [False, False, False, True, False, False, True]
    assert joined.log_probs[3].max() < -1000
    assert Posteriors.joined([], 5).log_probs.shape == (0, 5)


def test_frames_have_a_time_on_the_sessions_timeline():
    assert start_s(25, clip(np.zeros(16, np.float32), start_s=7.0)) == pytest.approx(8.0)
