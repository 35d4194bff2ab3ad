"""What is found in plain sounds is judged where it stands, as a full reading would judge it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inference.samples import Scene
from inference.text.automaton import Sighting
from inference.text.check import read_lists
from inference.text.matcher import Language, Matcher
from inference.text.plain_reading import MAX_JUDGED_LENGTH, PlainReading
from models.taxonomy import Taxonomy
from tests.inference.text.evasions import negatives, positives

LANGUAGE = Language.load()
MATCHER = Matcher(LANGUAGE, read_lists([], Taxonomy.load(), base=True), [])
PLAIN = PlainReading(LANGUAGE.normaliser, LANGUAGE.views, LANGUAGE.verifier)


def found(text: str) -> list[Sighting]:
    """Return what a first search finds, as far as the characters are odd company."""
    chars = "".join(filter(str.isalnum, LANGUAGE.normaliser.canonical(text)))
    hits = MATCHER.automaton.find(LANGUAGE.normaliser.sound(text), overlapping=True)
    return [Sighting(form, start, end) for number, start, end in hits for form in MATCHER._company.of(number, chars[start:end])]


def stands(text: str) -> bool:
    return PLAIN.stands(text, LANGUAGE.normaliser.sound(text), found(text))


@pytest.mark.parametrize("text", ["代打王者", "专业代 打找我", "找人代*打"])
def test_a_term_by_its_own_characters_stands(text):
    assert stands(text)


@pytest.mark.parametrize("text", ["主播加油", "带狗进店的主播", "现代购物中心", ""])
def test_ordinary_talk_does_not_stand(text):
    assert not stands(text)


def test_an_allowed_phrase_says_nothing_by_itself():
    text = "博彩众长"
    sightings = Matcher(LANGUAGE, [], [text]).automaton.found(LANGUAGE.normaliser.sound(text))

    assert sightings
    assert not PLAIN.stands(text, LANGUAGE.normaliser.sound(text), sightings)


def test_a_long_text_is_left_to_a_full_reading():
    text = "代狗" + "好" * MAX_JUDGED_LENGTH + "带打"

    assert stands(text) == bool([sighting for sighting in found(text) if sighting.form.term is not None])


def test_nothing_stands_that_a_full_reading_would_not_find():
    canonical, now = LANGUAGE.normaliser.canonical, datetime.now(UTC)
    texts = [row.text for row in positives()[::11]] + [row.text for row in negatives()[::5]]

    lone = [text for text in texts if stands(text) and not MATCHER.meant(text, canonical(text), Scene.DANMAKU, now)]

    assert lone == []
