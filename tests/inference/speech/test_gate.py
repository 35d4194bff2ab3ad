from __future__ import annotations

import numpy as np
import pytest

from inference.detectors import SpeechSegment
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.speech.gate import GateRules, believable, worth_hearing
from inference.speech.transcript import Token, Transcript, spelt

RULES = GateRules()


def loud(seconds: float = 10.0, level: float = 0.1) -> Pcm:
    return np.random.default_rng(0).normal(0, level, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def heard(*segments: SpeechSegment, pcm: Pcm | None = None, max_s: float = 30.0) -> list[tuple[float, float]]:
    """What is cut out of a clip that begins at 100 s: (start, length)."""
    found = worth_hearing(segments, loud() if pcm is None else pcm, RULES, clip_start_s=100.0, max_s=max_s)
    return [(one.start_s, round(one.duration_s, 3)) for one in found]


def said(*words: str, score: float | None = None) -> Transcript:
    return spelt([Token(word, 0.0, 1.0, score) for word in words])


def test_near_stretches_are_recognised_together_and_distant_ones_apart():
    first, near, far = SpeechSegment(101, 102, 0.9), SpeechSegment(102.3, 103, 0.9), SpeechSegment(105, 106, 0.9)

    assert heard(first, near, far) == [(101, 2.0), (105, 1.0)]


def test_a_stretch_that_is_doubtful_on_the_whole_is_not_recognised():
    assert heard(SpeechSegment(101, 102, 0.59), SpeechSegment(105, 106, 0.61)) == [(105, 1.0)]
    assert heard(SpeechSegment(101, 102, 0.9), SpeechSegment(102, 105, 0.4)) == []  # joined: (0.9 + 3 x 0.4) / 4


def test_a_stretch_that_nobody_can_hear_is_not_recognised():
    pcm = loud()
    pcm[: 4 * SAMPLE_RATE_HZ] = loud(4.0, 0.001)  # -60 dBFS

    assert heard(SpeechSegment(101, 103, 0.9), SpeechSegment(105, 106, 0.9), pcm=pcm) == [(105, 1.0)]
    assert heard(SpeechSegment(101, 103, 0.9), pcm=np.zeros(10 * SAMPLE_RATE_HZ, np.float32)) == []


def test_a_stretch_too_long_for_the_recogniser_is_cut_into_equal_pieces():
    assert heard(SpeechSegment(100, 109, 0.9), max_s=4.0) == [(100, 3.0), (103, 3.0), (106, 3.0)]


def test_the_sound_of_a_stretch_is_that_of_its_time():
    pcm = loud()

    (stretch,) = worth_hearing([SpeechSegment(101, 102, 0.9)], pcm, RULES, clip_start_s=100.0, max_s=30.0)

    assert np.array_equal(stretch.pcm, pcm[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ])
    assert stretch.confidence == pytest.approx(0.9)


def test_an_answer_faster_than_anybody_speaks_is_not_believed():
    assert believable(said(*"加微信看更多精彩内容"), 2.0, RULES)
    assert not believable(said(*"谢谢观看" * 10), 2.0, RULES)


def test_an_answer_the_recogniser_only_guessed_is_not_believed():
    assert believable(said("加", score=0.31), 1.0, RULES)
    assert not believable(said("加", score=0.29), 1.0, RULES)
    assert not believable(Transcript(), 1.0, RULES)
