"""Folding shows what a character is, sounds show what it sounds like, and many texts at once give what each gives alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.normalise import MARK, SEPARATOR, BatchSounds, Normaliser
from inference.text.syllables import CLASS_BASE
from inference.text.tables import Tables, fold_character

NORMALISER = Normaliser(Tables.load())
TOGETHER = BatchSounds(NORMALISER)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("代購外掛", "代购外挂"),
        ("ＱＱ１２３", "qq123"),
        ("ⓓⓐⓘ 𝕕𝕒𝕚 🅰🅱", "dai dai ab"),
        ("dài gòu", "dai gou"),
        ("加\u200b微\u00ad信\u202e", "加微信"),
        ("①❷٣⑷", "1234"),
        ("⼤⿇".replace("⿇", "麻"), "大麻"),
        ("ВеСhаt", "bechat"),
        ("カ口", "力口"),
        ("a\ud800b\x00c\ue000", "abc"),
        ("a\u3000b\tc", "a b c"),
        ("STRASSE ß", "strasse ss"),
    ],
)
def test_canonical_folds_width_case_script_and_what_cannot_be_seen(sent, canonical):
    assert NORMALISER.canonical(sent) == canonical


def test_folding_never_lets_a_private_use_character_through():
    for code in (0xE000, 0xE1A2, 0xF8FF):
        assert fold_character(chr(code)) is None
    assert CLASS_BASE not in NORMALISER.canonical(CLASS_BASE)
    assert NORMALISER.sound(CLASS_BASE) == ""


def test_one_sound_is_one_character_whichever_character_is_written():
    assert len({NORMALISER.sound(text) for text in ("加微信", "家为心", "加-微❤信", "傢微信", "加\u200b微信")}) == 1
    assert len(NORMALISER.sound("加微信")) == 3


def test_what_regions_say_alike_is_one_sound():
    for one, other in (("张", "脏"), ("吃", "呲"), ("是", "四"), ("你", "里"), ("因", "英"), ("安", "昂"), ("跟", "耕")):
        assert NORMALISER.sound(one) == NORMALISER.sound(other)
    assert NORMALISER.sound("发") != NORMALISER.sound("哈")


def test_letters_and_digits_make_a_sound_lower_case_and_nothing_else_does():
    assert NORMALISER.sound("V信").islower()
    assert NORMALISER.sound("６六").islower()
    assert not NORMALISER.sound("主播加油！？ ❤").islower()


def test_a_symbol_that_stands_for_a_word_asks_for_a_closer_look():
    assert NORMALISER.sound("➕群") == MARK + NORMALISER.sound("群")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_every_canonical_character_knows_where_it_came_from(text):
    origins = NORMALISER.origins(text)

    assert len(origins) == len(NORMALISER.canonical(text))
    assert origins == sorted(origins)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec=None, exclude_characters=SEPARATOR), max_size=20), min_size=1, max_size=8))
def test_many_texts_at_once_sound_as_each_alone(texts):
    sounds = TOGETHER.sound(SEPARATOR.join(texts)).split(SEPARATOR)

    assert sounds == [NORMALISER.sound(text) for text in texts]
