"""Views fold what they promise, and every character of every view knows where it came from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.normalise import Normaliser, ViewKind
from inference.text.tables import SYLLABLE_BASE, Tables, fold_character

NORMALISER = Normaliser(Tables.load())


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
    assert SYLLABLE_BASE not in NORMALISER.canonical(SYLLABLE_BASE)


def test_one_syllable_is_one_character_however_it_is_written():
    sounds = {
        NORMALISER.phonetic(NORMALISER.canonical(text)) for text in ("加微信", "家为心", "jia wei xin", "jiaweixin", "加wei信")
    }

    assert len(sounds) == 1
    assert len(sounds.pop()) == 3


def test_letters_that_are_no_pinyin_stay_letters():
    assert NORMALISER.phonetic("vx qq") == "vxqq"


def test_symbols_that_stand_for_words_are_spelt_out():
    views = dict(NORMALISER.strings("🐧群➕v"))

    assert views[ViewKind.STRIPPED] == "群v"
    assert views[ViewKind.WORDED] == "qq群加v"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_every_view_is_the_same_with_and_without_its_map(text):
    canon = NORMALISER.canonical(text)
    origins = NORMALISER.origins(text)

    assert len(origins) == len(canon)
    assert origins == sorted(origins)
    for kind, quick in NORMALISER.strings(canon):
        view = NORMALISER.view(kind, canon)
        assert view.text == quick
        assert len(view.first) == len(view.last) == len(quick)
        assert all(0 <= a <= b < len(canon) for a, b in zip(view.first, view.last, strict=True))


@pytest.mark.parametrize(("run", "parts"), [("weixin", ["wei", "xin"]), ("zhuangbi", ["zhuang", "bi"]), ("vx", None), ("", [])])
def test_runs_split_into_as_few_syllables_as_cover_them(tables, run, parts):
    assert tables.spellings.split(run) == parts
