"""Ordinary words that sound like a term."""

from __future__ import annotations

import pytest

from inference.speech import homophones
from inference.speech.homophones import MOST_TOLD, Homophones
from inference.text.tables import Tables

COSTS = {"冰毒": -15.0, "病毒": -10.0, "并读": -18.0, "兵": -9.0, "兵读": -12.0, "饼": -11.0}
READINGS = {"冰": ["bing"], "病": ["bing"], "并": ["bing"], "兵": ["bing"], "毒": ["du"], "读": ["du", "dou"], "饼": ["bing"]}
BING_DU = ("bing", "du")


def test_words_with_the_same_syllables_are_told_commonest_first_without_the_term_and_what_is_far_rarer():
    assert Homophones(COSTS, READINGS).of(BING_DU, "冰毒") == ("病毒", "兵读")


def test_every_word_is_told_of_a_term_that_the_dictionary_lacks():
    assert Homophones(COSTS, READINGS).of(BING_DU, "冰都") == ("病毒", "兵读", "冰毒")[:MOST_TOLD]


def test_a_word_of_characters_without_a_reading_is_passed_over():
    assert Homophones({"囧毒": -5.0, "病囧": -5.0}, READINGS).of(BING_DU, "冰毒") == ()


def test_no_word_sounds_like_a_phrase_that_nothing_sounds_like():
    assert Homophones(COSTS, READINGS).of(("bing", "du", "bing"), "冰毒冰") == ()


def test_what_was_found_is_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(homophones, "MAX_KNOWN", 2)
    known = Homophones(COSTS, READINGS)

    asked = [known.of(BING_DU, term) for term in ("冰毒", "冰毒", "一", "二")]

    assert asked[:2] == [("病毒", "兵读")] * 2
    assert len(known._known) == 1


def test_the_shipped_dictionary_knows_what_a_drug_sounds_like():
    tables = Tables.load()

    assert Homophones(tables.word_costs, tables.syllables.readings).of(BING_DU, "冰毒") == ("病毒",)
