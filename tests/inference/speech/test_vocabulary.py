"""What is listened for, from the word lists in force."""

from __future__ import annotations

import pytest

from inference.samples import Scene
from inference.speech import vocabulary
from inference.speech.pronouncing import Pronouncer
from inference.speech.vocabulary import Vocabulary
from inference.text.lexicon import WordList
from inference.text.matcher import Language
from inference.text.terms import Mode, Term


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer(Language.load().normaliser)


def listed(*terms: Term) -> list[WordList]:
    return [WordList("mine", 3, terms)]


def term(text: str, mode: Mode = Mode.PINYIN, *scenes: Scene, label: str = "ads.contact") -> Term:
    return Term(text, label, 2, frozenset(scenes), mode)


def test_terms_that_count_in_speech_are_listened_for(pronouncer: Pronouncer):
    words = Vocabulary.of(
        listed(
            term("加微信"), term("加群", Mode.FOLD, Scene.ASR), term("卖号", Mode.EXACT), term("代练", Mode.FOLD, Scene.DANMAKU)
        ),
        (),
        pronouncer,
    )

    assert list(dict.fromkeys(row[0].term.text for row in words.listed)) == ["加微信", "加群", "卖号"]
    assert words.listed[0][0].ref == "mine@3"
    assert words.n_terms == 3
    assert words.left_out == {}


def test_what_is_not_listened_for_is_counted_by_its_reason(pronouncer: Pronouncer):
    words = Vocabulary.of(
        listed(term("whatsapp"), term("赌+博 within 3", Mode.COMBINATION), term("群[0-9]+", Mode.REGEX), term("赌1…"), term("赌…")),
        (),
        pronouncer,
    )

    assert words.left_out == {"unpronounceable": 1, "mode": 2, "short": 1}
    assert words.n_terms == 1


def test_homophones_of_several_lists_share_a_path(pronouncer: Pronouncer):
    words = Vocabulary.of(listed(term("冰毒", label="drugs"), term("病毒", label="custom.word")), (), pronouncer)

    assert len(words.paths) == 1
    assert [one.term.text for one in words.listed[0]] == ["冰毒", "病毒"]


def test_allowed_phrases_are_listened_for_where_they_hold_a_term(pronouncer: Pronouncer):
    words = Vocabulary.of(listed(term("加微")), ("加微博", "微波炉", "加薇"), pronouncer)

    said = {" ".join(spoken.syllables): row for spoken, row in zip(words.spoken, words.listed, strict=True)}
    assert said["jia wei bo"] == ()
    assert set(said) == {"jia wei", "jia wei bo"}


def test_more_terms_than_the_bound_are_left_out_and_counted(pronouncer: Pronouncer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vocabulary, "MAX_PATHS", 2)

    words = Vocabulary.of(listed(term("加微信"), term("扫码"), term("进群")), (), pronouncer)

    assert len(words.paths) == 2
    assert words.left_out == {"bound": 1}
