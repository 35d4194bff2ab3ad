"""Kinds of terms beside plain ones: combinations, patterns in RE2, terms that expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inference.samples import Scene
from inference.text.check import TextChecker
from inference.text.lexicon import WordList
from inference.text.matcher import Language, Matcher
from inference.text.patterns import FORMS_PER_TERM
from inference.text.terms import Mode, Term
from models.taxonomy import Taxonomy

LANGUAGE = Language.load()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def matcher(*terms):
    return Matcher(LANGUAGE, [WordList("mine", 3, terms)], [])


def found(text, *terms, now=NOW):
    one = matcher(*terms)
    if one.glance.is_clean(text):
        return []
    canon = LANGUAGE.normaliser.canonical(text)
    return [(canon[hit.first : hit.last + 1], hit.term.text) for hit in one.meant(text, canon, Scene.DANMAKU, now)]


BOTH = Term("加+群 within 8", "ads.divert", 2, mode=Mode.COMBINATION, parts=("加", "群"), within=8)


@pytest.mark.parametrize(
    ("text", "span"), [("快加一下我们群吧", "加一下我们群"), ("群里可以加", "群里可以加"), ("加 一 下 群", "加 一 下 群")]
)
def test_a_combination_stands_where_all_its_parts_are_near(text, span):
    assert found(text, BOTH) == [(span, BOTH.text)]


@pytest.mark.parametrize("text", ["加一下好友", "群里好热闹", "加一下好友，等会儿我再拉你进群", "主播加油"])
def test_a_combination_does_not_stand_for_some_of_its_parts_or_far_apart(text):
    assert found(text, BOTH) == []


def test_a_pattern_is_searched_in_the_folded_text():
    term = Term("群[0-9]{6,11}", "ads.divert", 3, mode=Mode.REGEX)

    assert found("進羣１２３４５６７", term) == [("群1234567", term.text)]
    assert found("群里有123人", term) == []


def test_a_term_counts_strictly_before_it_expires():
    term = Term("飞刀令", "custom.word", 2, mode=Mode.FOLD, expires=NOW)

    assert found("飞刀令", term, now=NOW - timedelta(seconds=1)) == [("飞刀令", "飞刀令")]
    assert found("飞刀令", term, now=NOW) == []


def test_what_was_found_is_remembered_only_where_it_cannot_change_with_time():
    lasting, ending = Term("天狼星", "custom.word", 2), Term("飞刀令", "custom.word", 2, expires=datetime(2999, 1, 1, tzinfo=UTC))
    for terms, remembered in (((lasting,), 1), ((lasting, ending), 0)):
        checker = TextChecker(LANGUAGE, Taxonomy.load(), [WordList("mine", 1, terms)], [])
        checker.findings("天*狼星", Scene.DANMAKU)

        assert len(checker._matcher.read) == remembered


def test_large_lists_get_fewer_forms_a_term():
    few = matcher(*[Term("代练", "ads.boost", 2, mode=Mode.PINYIN)])
    terms = [
        Term(chr(0x4E00 + n // 100 * 7) + chr(0x5000 + n % 100 * 9) + "星", "custom.word", 2, mode=Mode.PINYIN) for n in range(3000)
    ]

    assert few.n_patterns > 20
    assert matcher(*terms).n_patterns < 3000 * 30


def test_a_term_of_a_thousand_readings_stays_small():
    assert matcher(Term("重行长乐" * 8, "custom.word", 2, mode=Mode.PINYIN)).n_patterns <= FORMS_PER_TERM.stop
