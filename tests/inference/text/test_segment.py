"""Word boundaries and pairs: ordinary language speaks for itself, a disguise does not."""

from __future__ import annotations

import math

import pytest

from inference.text.pairs import EDGE
from inference.text.segment import Segmenter


@pytest.fixture(scope="module")
def segmenter(tables) -> Segmenter:
    return Segmenter(tables.word_costs, tables.pairs)


def test_a_word_across_an_end_speaks_against_a_term(segmenter):
    across = segmenter.compare("我在现代购物中心", (3, 5), "代购")
    alone = segmenter.compare("有没有代购的", (3, 5), "代购")

    assert across.left < 0
    assert across.right < 0
    assert alone.left > 0
    assert alone.right > 0


def test_ordinary_language_is_likelier_than_a_term_that_sounds_like_it(segmenter):
    ordinary = segmenter.compare("带狗进店", (0, 2), "代购")
    odd = segmenter.compare("有人戴购吗", (2, 4), "代购")

    assert ordinary.margin < odd.margin


def test_no_word_across_an_end_is_infinitely_unlikely(segmenter):
    assert segmenter.compare("代购", (0, 2), "代购").left == math.inf


@pytest.mark.parametrize(("written", "term"), [("带狗", "代购"), ("戴够", "代购"), ("开盘", "开盒")])
def test_the_bound_without_context_is_a_bound(segmenter, written, term):
    bound = segmenter.likelier_at_most(written, term)

    for before, after in (("", ""), ("我要", "吗"), ("他", "了")):
        text = f"{before}{written}{after}"
        at = (len(before), len(before) + len(written))
        assert segmenter.compare(text, at, term).margin <= bound + 1e-9


def test_pairs_that_belong_together_are_likelier_than_others(tables):
    pairs = tables.pairs

    assert pairs.after("主", "播") > pairs.after("主", "膊")
    assert pairs.is_ordinary("主播")
    assert not pairs.is_ordinary("戴购")
    assert pairs.word_cost("主播") is not None
    assert pairs.word_cost(f"主{EDGE}") is None
