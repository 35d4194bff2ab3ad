"""Texts are found by the pinyin and the initials that people type for them."""

from __future__ import annotations

import pytest

from inference.text.normalise import Normaliser
from inference.text.tables import Tables
from inference.text.typed import MAX_REMEMBERED, Letters

NORMALISER = Normaliser(Tables.load())
LETTERS = Letters(NORMALISER.syllables)


@pytest.mark.parametrize(
    ("canon", "typed"),
    [
        ("主播666", "\nzb666\nzhubo666"),
        ("主播，加油", "\nzbjy\nzhubojiayou"),
        ("a主", "\naz\nazhu"),
        ("主播" * 10, "\n" + "zb" * 4 + "\n" + "zhubo" * 4),
        ("女装", "\nnz\nnvzhuang"),
        ("主", ""),
        ("good", ""),
        ("？！", ""),
        ("한국主播", ""),
        ("主播한국", "\nzb\nzhubo"),
    ],
)
def test_texts_are_spelt_as_they_are_typed(canon, typed):
    assert LETTERS.of(canon) == typed


def test_pairs_of_initials_that_a_typed_prefix_may_mean():
    assert LETTERS.pairs("zb") == {"\nzb"}
    assert LETTERS.pairs("zhu") == {"\nzh"}
    assert LETTERS.pairs("zhub") == {"\nzh", "\nzb"}
    assert LETTERS.pairs("xianz") == {"\nxi", "\nxa", "\nxn", "\nxz"}


def test_spellings_are_remembered_within_a_bound():
    letters = Letters(NORMALISER.syllables)
    for index in range(MAX_REMEMBERED + 1):
        letters.of(str(index))

    assert len(letters._spelt) == 1
    assert letters.of("主播") == letters.of("主播") == "\nzb\nzhubo"
