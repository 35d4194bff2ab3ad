"""How the numbers of spotting are set: on talk made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.speech.fit_spotting import Counted, Talk, bias_of, count, fitted
from inference.speech.pronouncing import Pronouncer
from inference.speech.spotting import SpottingNumbers
from inference.text.matcher import Language
from models.speech_codec import BLANK, FRAME_S, UNITS, units_of
from tests.inference.speech.posteriors_maker import heard, units_manifest

PRONOUNCER = Pronouncer(Language.load().normaliser)
NUMBERS = SpottingNumbers(clarity_share=0.9, pace_share=0.4)


def talk(spoken: str, *, sure: float = 0.9) -> Talk:
    """What the network answers, and what was said."""
    return Talk(heard(spoken, sure=sure), tuple(unit for syllable in spoken.split() for unit in units_of(syllable)))


def test_a_threshold_lies_where_false_alarms_are_as_many_as_asked_for():
    counted = Counted(-2.0, wrong=[-1.0, -0.2, -0.7, -0.4], keyword_hours=2.0, right=[-0.1, -0.5, -1.5])

    assert counted.threshold(0.5) == pytest.approx(-0.4)
    assert counted.threshold(100.0) == -2.0
    assert counted.recall(-0.4) == pytest.approx(1 / 3)
    assert Counted(-2.0, keyword_hours=2.0).threshold(0.5) == -2.0


def test_keywords_count_as_false_alarms_only_where_they_are_not_said():
    clip = talk("jin tian jia wei xin ba")
    drawn = [PRONOUNCER.readings(text)[0] for text in ("今天", "金甜甜", "家为")]

    counted, clear = count([clip], drawn, NUMBERS)

    assert counted[2].wrong == []  # both words of two syllables are said
    assert counted[2].keyword_hours == 0.0
    assert counted[3].keyword_hours == pytest.approx(len(clip.log_probs) * FRAME_S / 3600)
    assert len(counted[2].right) == 1
    assert clear == pytest.approx([0.9] * len(clear), abs=1e-3)


def test_a_word_that_nearly_fits_is_a_false_alarm_with_what_it_is_worth():
    clip, drawn = talk("jia wei xin", sure=0.6), PRONOUNCER.readings("加会信")[:1]

    ((plain,), (worth,)) = (count([clip], drawn, numbers)[0][3].wrong for numbers in (SpottingNumbers(), NUMBERS))

    assert worth < plain < 0.0


def test_what_is_common_is_taken_off_and_the_blank_left_alone():
    bias = bias_of([talk("ba ba ba ba ma")])

    assert bias[BLANK] == 0.0
    assert bias[UNITS.index("b")] < bias[UNITS.index("m")]


def test_the_numbers_go_into_the_manifest_with_a_rate_of_its_own_for_two_syllables():
    counted = {n: Counted(-2.0, wrong=list(np.linspace(-2.0, -0.1, 20)), keyword_hours=10.0) for n in (2, 3)}

    after = fitted(units_manifest(), replace(NUMBERS, bias=(0.0,) * len(UNITS)), counted, [0.3, 0.9], (1.0, 0.5))

    assert after.number("told_2") < after.number("told_3") < after.number("sure_3")
    assert (after.number("clarity_share"), after.number("pace_share")) == (0.9, 0.4)
    assert after.number("min_clarity") == pytest.approx(0.312, abs=1e-3)
