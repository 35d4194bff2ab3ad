"""From the score of a path to how sure it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.policy_book import PolicyBook
from inference.samples import Modality
from inference.speech.confidence import LENGTHS, MOST, MOST_OF_TWO, SURE, TOLD, SpottingRules
from inference.verdicts import Decision, Finding
from models.errors import ManifestError
from models.speech_codec import UNITS
from models.taxonomy import Taxonomy
from tests.inference.speech.posteriors_maker import units_manifest

RULES = SpottingRules.of(units_manifest())


@pytest.mark.parametrize("n_syllables", [*LENGTHS, 9])
def test_confidence_rises_with_the_score_and_is_told_at_the_floor(n_syllables: int):
    floor = RULES.floor(n_syllables)
    scores = np.linspace(3 * floor, 0.0, 50)

    confidences = [RULES.confidence(float(score), n_syllables) for score in scores]

    assert confidences == sorted(confidences)
    assert RULES.confidence(floor, n_syllables) == pytest.approx(TOLD)
    assert RULES.confidence(floor * 1.01, n_syllables) < TOLD
    assert confidences[0] == 0.0


def test_a_perfect_score_is_sure_but_for_two_syllables_never_enough_to_act_at_once():
    assert RULES.confidence(0.0, 3) == MOST
    assert RULES.confidence(-0.3, 3) == pytest.approx(SURE)
    assert RULES.confidence(0.0, 2) == MOST_OF_TWO < 0.85


def test_two_syllables_block_nothing_under_the_shipped_policy_even_where_a_picture_agrees():
    taxonomy = Taxonomy.load()
    shipped = PolicyBook.load((), taxonomy=taxonomy).for_room("any")

    for label in taxonomy:
        heard = Finding(label.code, MOST_OF_TWO, Modality.AUDIO, "spotting", text="du bo")
        seen = Finding(label.code, 0.99, Modality.IMAGE, "porn")
        assert shipped.decide([heard], beside=[seen]).decision is not Decision.BLOCK
        assert shipped.decide([heard]).judged[0].severity <= 3


def test_floors_are_by_length_and_lower_where_what_is_nearly_there_is_wanted():
    n_syllables = np.array([2, 3, 4, 8], np.int32)

    assert RULES.floors(n_syllables).tolist() == pytest.approx([-0.5, -0.8, -1.0, -1.2])
    assert RULES.floors(n_syllables, share=2.0).tolist() == pytest.approx([-1.0, -1.6, -2.0, -2.4])


def test_a_manifest_without_thresholds_is_refused_and_the_number_named():
    manifest = units_manifest()
    partly = {name: value for name, value in manifest.postprocess.items() if name != "told_3"}

    with pytest.raises(ManifestError, match="told_3"):
        SpottingRules.of(replace(manifest, postprocess=partly))


def test_a_units_bias_is_read_in_the_order_of_the_answers_and_none_is_none():
    manifest = units_manifest()
    biased = SpottingRules.of(replace(manifest, postprocess={**manifest.postprocess, f"bias_{UNITS[3]}": -0.5}))

    assert RULES.numbers.bias == ()
    assert biased.numbers.bias == (0.0, 0.0, 0.0, -0.5, *[0.0] * (len(UNITS) - 4))


def test_thresholds_that_lie_on_each_other_are_no_trouble():
    level = replace(RULES, told=(0.0,) * 5, sure=(0.0,) * 5)

    assert level.confidence(-1.0, 4) == 0.0
    assert level.confidence(0.0, 4) == pytest.approx(TOLD)
