"""Syllables: classes of what sounds alike, readings of characters, splits of Latin runs."""

from __future__ import annotations

import pytest

from inference.text.syllables import MAX_CACHED_RUNS, MAX_RUN, merged


@pytest.mark.parametrize(
    ("syllable", "name"),
    [
        ("zhang", "zan"),
        ("chi", "ci"),
        ("shuang", "suan"),
        ("ning", "lin"),
        ("nv", "lv"),
        ("dong", "dong"),
        ("er", "er"),
        ("ng", "ng"),
    ],
)
def test_a_class_is_named_after_what_everybody_makes_of_it(syllable, name):
    assert merged(syllable) == name


@pytest.mark.parametrize(
    ("run", "parts"), [("weixin", ("wei", "xin")), ("zhuangbi", ("zhuang", "bi")), ("xian", ("xian",)), ("vx", None), ("", ())]
)
def test_runs_split_into_as_few_syllables_as_cover_them(tables, run, parts):
    assert tables.syllables.split(run) == parts


def test_runs_that_nobody_types_are_not_split(tables):
    assert tables.syllables.split("a" * (MAX_RUN + 1)) is None


def test_splits_are_remembered_within_bounds(tables):
    for number in range(MAX_CACHED_RUNS + 10):
        tables.syllables.split(f"ba{number:x}".translate(str.maketrans("0123456789", "ghijklmnop")))

    assert len(tables.syllables._splits) <= MAX_CACHED_RUNS


def test_a_polyphone_has_every_reading_people_use_and_a_character_shares_sounds_exactly(tables):
    assert tables.syllables.readings["乐"] == ["le", "yue"]
    assert tables.syllables.same_sound("乐", "月")
    assert not tables.syllables.same_sound("张", "脏")
