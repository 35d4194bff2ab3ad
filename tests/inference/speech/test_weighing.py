"""What a hit is worth besides how well its sounds fit."""

from __future__ import annotations

import math

import pytest

from inference.speech.spotting import PathHit, SpottingNumbers
from inference.speech.weighing import clarity, weighed
from tests.inference.speech.posteriors_maker import posteriors

NUMBERS = SpottingNumbers(clarity_share=0.9, pace_share=0.4)
SLOW = PathHit(0, 0, 12, -0.5)
"""Two syllables of 0.24 s."""


def test_clarity_looks_at_sounds_only():
    said = posteriors(". . jia . .", sure=0.8)

    assert clarity(said.log_probs, PathHit(0, 0, 6, 0.0)) == pytest.approx(0.8, abs=1e-4)
    assert clarity(said.log_probs, PathHit(0, 0, 2, 0.0)) == 0.0


def test_what_is_clear_and_slow_is_worth_its_score():
    assert weighed(SLOW, 1.0, 2, NUMBERS) == SLOW


def test_unclear_sounds_cost_by_their_clarity_down_to_a_bound():
    assert weighed(SLOW, 0.5, 2, NUMBERS).score == pytest.approx(-0.5 + 0.9 * math.log(0.5))
    assert weighed(SLOW, 0.0, 2, NUMBERS) == weighed(SLOW, 0.01, 2, NUMBERS)


def test_hurried_syllables_cost_by_how_much_too_short_they_are_and_slow_ones_nothing():
    assert weighed(PathHit(0, 0, 6, -0.5), 1.0, 2, NUMBERS).score == pytest.approx(-0.5 + 0.4 * math.log(0.5))
    assert weighed(PathHit(0, 0, 40, -0.5), 1.0, 2, NUMBERS).score == -0.5


def test_a_model_without_these_numbers_is_judged_by_fit_alone():
    assert weighed(PathHit(0, 0, 2, -0.5), 0.2, 2, SpottingNumbers()).score == -0.5
