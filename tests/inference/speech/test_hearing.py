"""Which terms are meant in what was heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.speech.confidence import SpottingRules
from inference.speech.hearing import line_of, listen
from inference.speech.pronouncing import Pronouncer
from inference.speech.stretches import Posteriors, Stretch
from inference.speech.vocabulary import Vocabulary
from inference.text.lexicon import WordList
from inference.text.matcher import Language
from inference.text.terms import Mode, Term
from models.speech_codec import UNITS
from tests.inference.speech.posteriors_maker import heard, posteriors, units_manifest

RULES = SpottingRules.of(units_manifest())
PRONOUNCER = Pronouncer(Language.load().normaliser)


def words(*terms: str, allowed: tuple[str, ...] = ()) -> Vocabulary:
    """Terms with their label behind a slash; `ads.contact` where there is none."""
    read = [(text, label or "ads.contact") for text, _, label in (one.partition("/") for one in terms)]
    listed = tuple(Term(text, label, 2, mode=Mode.PINYIN) for text, label in read)
    return Vocabulary.of([WordList("mine", 1, listed)], allowed, PRONOUNCER)


def found(said: Posteriors, vocabulary: Vocabulary) -> list[str]:
    return [one.term.text for heard_term in listen(said, vocabulary, RULES) for one in heard_term.listed]


def test_a_term_is_heard_with_its_place_in_the_clip():
    said = posteriors("ni hao . . jia wei xin . kuai lai")

    (one,) = listen(said, words("加微信"), RULES)

    assert (one.first, one.end) == (10, 21)
    assert one.confidence > 0.9
    assert line_of(said, one.hit, PRONOUNCER).text == "ni hao jia wei xin kuai lai"
    assert line_of(said, one.hit, PRONOUNCER).inside == "jia wei xin"


def test_homophones_are_one_thing_and_the_place_counts_behind_a_pause():
    said = posteriors("ni hao", "jia wei xin", gap=50)

    (one,) = listen(said, words("家维新"), RULES)

    assert one.first == 8 + 50


def test_what_is_not_said_is_not_heard():
    assert found(posteriors("jin tian tian qi hen hao"), words("加微信", "赌博", "扫码进群")) == []


def test_no_term_is_put_together_from_two_stretches():
    assert found(posteriors("jia", "wei xin"), words("加微信")) == []


@pytest.mark.parametrize("reading", ["yin hang", "yin xing"])
def test_every_reading_of_a_polyphone_is_heard(reading: str):
    assert found(posteriors(reading), words("银行")) == ["银行"]


def test_a_longer_term_takes_the_place_of_one_inside_it_unless_that_is_about_something_else():
    said = posteriors("jia wei xin qun")

    assert found(said, words("微信", "加微信群", "加微信")) == ["加微信群"]
    assert sorted(found(said, words("微信/competitor.mention", "加微信群"))) == ["加微信群", "微信"]


def test_of_terms_that_sound_nearly_alike_the_better_one_stands_whatever_their_labels():
    rows = heard("kai gua")
    rows[0, UNITS.index("w")] = np.log(0.4)
    said = Posteriors.joined([(Stretch(0, len(rows)), rows)], len(UNITS))

    assert found(said, words("外挂/banned_game.cheat", "开挂/custom.word")) == ["开挂"]


def test_two_terms_said_alike_under_two_labels_both_stand():
    assert sorted(found(posteriors("bing du"), words("冰毒/drugs", "病毒/custom.word"))) == ["冰毒", "病毒"]


def test_a_term_inside_an_allowed_phrase_is_not_meant_and_elsewhere_it_is():
    vocabulary = words("加微", allowed=("加微博",))

    assert found(posteriors("jia wei bo"), vocabulary) == []
    assert found(posteriors("jia wei bo", "jia wei ba"), vocabulary) == ["加微"]


def test_said_twice_is_heard_twice_in_the_order_of_time():
    hits = listen(posteriors("jia wei xin . . jia wei xin"), words("加微信"), RULES)

    assert [one.first for one in hits] == sorted(one.first for one in hits)
    assert len(hits) == 2


def test_where_every_sound_is_a_little_likely_nothing_is_believed():
    rows = np.log(np.full((60, len(UNITS)), 1 / len(UNITS), np.float32))
    rows[:, 0] -= 0.1
    noise = Posteriors.joined([(Stretch(0, 60), rows)], len(UNITS))

    assert found(noise, words("加微信", "赌博")) == []
    deaf = replace(RULES, min_clarity=0.0)
    assert listen(noise, words("加微信"), deaf) != ()  # it is the gate that keeps it out


def test_what_falls_short_of_the_floor_is_told_only_on_request_and_with_little_confidence():
    rows = heard("jia wei xin")
    rows[4, :] = np.log(1e-3)
    rows[4, UNITS.index("b")], rows[4, UNITS.index("w")] = np.log(0.9), np.log(0.002)
    said = Posteriors.joined([(Stretch(0, len(rows)), rows)], len(UNITS))

    assert listen(said, words("加微信"), RULES) == ()
    (nearly,) = listen(said, words("加微信"), RULES, share=3.0)
    assert 0.0 < nearly.confidence < 0.6
    assert line_of(said, nearly.hit, PRONOUNCER).inside.startswith("jia b")


def test_nothing_heard_and_nothing_listened_for_tell_nothing():
    assert listen(Posteriors.joined([], len(UNITS)), words("加微信"), RULES) == ()
    assert listen(posteriors("jia wei xin"), words(), RULES) == ()


def test_what_is_unclear_falls_below_the_floor_where_the_model_says_what_that_costs():
    said = posteriors("jia wei xin", sure=0.6)
    dear = replace(RULES, numbers=replace(RULES.numbers, clarity_share=2.0))

    (cheap,) = listen(said, words("加微信"), RULES)
    assert listen(said, words("加微信"), dear) == ()
    (nearly,) = listen(said, words("加微信"), dear, share=2.0)
    assert nearly.hit.score == pytest.approx(cheap.hit.score + 2.0 * np.log(0.6), abs=1e-4)
