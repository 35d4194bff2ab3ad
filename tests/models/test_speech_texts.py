from __future__ import annotations

import numpy as np
import pytest

from models.errors import DataError
from models.speech_sources import Part, part_of
from models.speech_texts import Readings, Talk, Word, read_sentences
from tests.models.speech_sets import READINGS

DICTIONARY = "你好 n i h ao\n长 ch ang\n长大 zh ang d a\nA es ei\n坏 h uai h\n一起 y i q i\n"


def test_a_sentence_is_cut_at_its_longest_words():
    assert [word.text for word in READINGS.cut("你好微信")] == ["你好", "微信"]


def test_a_character_outside_a_word_has_its_usual_reading():
    words = READINGS.cut("好大")

    assert [word.syllables for word in words] == [("hao",), ("da",)]


def test_a_character_without_reading_ends_the_sentence():
    assert [word.text for word in READINGS.cut("你好龘微信")] == ["你好"]


def test_with_words_given_what_is_in_none_is_left_out():
    assert [word.text for word in READINGS.cut("你好龘大微信", frozenset({"你好", "信"}))] == ["你好", "信"]


def test_a_dictionary_gives_readings_and_odd_lines_are_left_out(tmp_path):
    (tmp_path / "d.dic").write_text(DICTIONARY, "utf-8")

    readings = Readings.of_dictionary(tmp_path / "d.dic", {"大": "da"})

    assert readings.spelt("长大一起") == ("zhang", "da", "yi", "qi")
    assert readings.spelt("长大大") == ("zhang", "da", "da")
    assert "坏" not in readings.words


def test_characters_that_are_given_go_before_the_dictionary(tmp_path):
    (tmp_path / "d.dic").write_text("大 d ai\n", "utf-8")

    assert Readings.of_dictionary(tmp_path / "d.dic", {"大": "da"}).spelt("大") == ("da",)


def test_a_missing_dictionary_and_a_missing_reading_are_named(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        Readings.of_dictionary(tmp_path / "none.dic", {})
    with pytest.raises(DataError, match="no reading for a character of '龘'"):
        READINGS.spelt("龘")


def test_sentences_are_runs_of_chinese_on_the_training_side_each_once(tmp_path):
    (tmp_path / "cold").mkdir()
    lines = [f"主播你好{tail}，abc短，" for tail in "天地人和大小多少上下左右"]
    (tmp_path / "cold" / "data.csv").write_text("text,label\n" + "\n".join(f'"{line}",1' for line in lines * 2), "utf-8")

    runs = read_sentences(tmp_path)

    assert runs
    assert len(set(runs)) == len(runs)
    assert all(len(run) >= 4 and part_of(run) is Part.TRAIN for run in runs)


def test_without_text_sets_there_is_still_talk(tmp_path):
    talk = Talk(READINGS, read_sentences(tmp_path))

    spoken = [talk.spoken(np.random.default_rng(seed)) for seed in range(20)]

    assert all(spoken)
    assert {one for line in spoken for one in line} <= {"ni", "hao", "wei", "xin", "da", "jia", "ba", "lv"}


def test_talk_follows_what_people_wrote():
    talk = Talk(Readings([Word("你好", ("ni", "hao"))], ("ba",)), ["你好你好"])

    spoken = [talk.spoken(np.random.default_rng(seed)) for seed in range(30)]

    assert ("ni", "hao", "ni", "hao") in spoken
