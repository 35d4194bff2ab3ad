"""What speaks for and against a form being meant, as numbers, and the weights that make one probability of them.

Owns the features and a linear model for each kind of case; the weights are learnt by `build_evidence.py`. Pure.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inference.text.pairs import EDGE, PairModel
from inference.text.patterns import Form, Technique
from inference.text.segment import Segmenter
from inference.text.tables import Tables, is_han
from inference.text.views import View, ViewKind
from inference.text.written import Line, Way, Writing

N_CUE = 10
"""Characters on either side in which words that offer or accuse are looked for."""

CLEAR = 3.0
"""Difference of logarithms from which a term is clearly likelier than a word across one of its ends."""

LIMIT = 12.0
"""Differences of logarithms count up to so much either way."""

_CUES = {
    "ads.contact": "资料|私|聊|找我|领|资源|一起|带你|兄弟|姐姐|小哥|想|需要|发你|看我|福利|链接|攻略|要的|主页|来",
    "ads": "上分|上星|单|便宜|王者|靠谱|专业|封号|滴滴|找|接|有人|谁要|点券|安全|折|年|低价|秒|出|弃游|皮肤|热门|抖音|当天|平台|了解|带头|有要的|换",
    "banned_game": "稳|封|举报|锁头|绝对|肯定|卖|低价|传奇|满级|新开|日卡|对面|这人|他|人|最新|找我|出|试用|压枪|变态|开服|爆率|开|是不是|天天|别",
    "gambling": "平台|网站|线上|稳|赢|注册|送|首存|充|开奖|内幕|特码|澳门|真人|今晚|计划|回本|必|盘|返水|开户|赚|香港|资料|玩|来|买|押|足球|重庆|爆|金币|首选",
    "porn": "同城|附近|小姐姐|美女|学生|免费|资源|网站|看|约|多少钱|套图|私房|深夜|晚上|一对一|表演|直播|找|吗|妹|无删减|最新|谁有|姐姐|来",
    "fraud": "日赚|招|一单|手机|信用卡|花呗|白条|秒|额度|帮人|跑分|学历|专业|可验|点数|借|放|欠|在家|名额|点我|被|骗|小心|带你|找我|限时|包|团伙|玩|淘宝|学生|两百|领",
    "drugs": "卖|吸|抽|现货|叶子|飞|买|有|找我|贩|克|抓|戒",
    "abuse": "你|个|真是|主播|对面|队友|打野|辅助|滚|玩意|臭|这|一群|就是|吧|啊|给我|怎么|让他|不会玩|我|粉丝|什么|又|别|祝|举报",
    "": "卖|找|买|做|机构|中介|成功|正规|查|信息|包|代理|专业|吗|有|出|加|私|价|便宜|主播|平台|网站|收",
}
_CUE_PATTERNS = {family: re.compile(words) for family, words in _CUES.items()}
"""Words around offers and accusations, by family of labels; the longest family that a label begins with counts."""

_ORDINARY = re.compile(
    r"老师|同学|生日|机场|地铁|车站|路口|医院|学校|教室|公园|超市|家具|衣服|裙|窗|锅|菜|饭|面包|奶茶|糖|酸奶|味|香|孩子|小朋友|爸|猫|狗粮"
    r"|电影|小说|歌|听|诗|书|字|课|作业|考试|比赛|球|天气|今天天|下雨|阳光|快乐|恭喜|谢谢|晚安|早上好|睡|散步|旅游|山|河|树|花|颜色|尺寸|厘米|公里|度"
)
"""Words of everyday life."""


def cue_pattern(label: str) -> re.Pattern[str]:
    """Return the words that go with a label."""
    for family in (label, label.split(".")[0]):
        if family in _CUE_PATTERNS:
            return _CUE_PATTERNS[family]
    return _CUE_PATTERNS[""]


class Kind(StrEnum):
    """Kinds of cases that are weighed apart."""

    LITERAL = "literal"
    """Its own characters, whatever stands between."""
    SOUND = "sound"
    """Other characters of its sound."""
    MIXED = "mixed"
    """Pinyin beside characters, emoji, digits or parts for some."""
    SHAPE = "shape"
    """Characters that look like its own."""
    REVERSED = "reversed"
    """Its characters backwards."""
    LATIN = "latin"
    """Latin letters alone: pinyin, initials, abbreviations."""


@dataclass(frozen=True, slots=True)
class Case:
    """One form found in one reading of one text."""

    form: Form
    view: View
    line: Line
    written: Writing

    @property
    def bounds(self) -> tuple[int, int]:
        """Where it stands in `line.chars`, [start, end)."""
        return self.line.at[self.written.first], self.line.at[self.written.last + 1]

    @property
    def is_two(self) -> bool:
        """Whether it has two pieces: short enough to arise by accident anywhere."""
        return len(self.form.pieces) == 2  # noqa: PLR2004

    @property
    def kind(self) -> Kind:
        """How it is weighed."""
        if not any(map(is_han, self.form.pieces)):
            return Kind.LATIN
        if self.form.technique is Technique.REVERSED:
            return Kind.REVERSED
        if self.form.technique is Technique.SHAPE:
            return Kind.SHAPE
        if self.written.count(Way.HOMOPHONE, Way.ALIKE):
            return Kind.SOUND
        return Kind.LITERAL if self.written.is_literal and self.form.technique is not Technique.INITIALS else Kind.MIXED

    @property
    def has_cue(self) -> bool:
        """Whether a word stands beside it that goes with its label."""
        cues = cue_pattern(self.form.term.label if self.form.term else "")
        return any(cues.search(side) for side in self.around())

    def around(self) -> tuple[str, str]:
        """Return the canonical characters on either side, empty at the ends of the text."""
        canon, first, last = self.line.canon, self.written.first, self.written.last
        return canon[max(0, first - N_CUE) : first], canon[last + 1 : last + 1 + N_CUE]


FEATURES = (
    "bias", "margin", "cut", "cross_left", "cross_right", "surprise", "left", "right", "inner", "edge_left", "edge_right", "alone", "two", "three", "other", "alike", "looks",
    "all_other", "spelt", "emoji", "numeral", "split", "symbol_gap", "space_gap", "clause_gap", "inserted", "word", "cue_before", "cue_after", "ordinary",
    "hidden", "styled", "alias",
    "initials", "repeated", "surname", "weight", "joined_left", "joined_right", "cue_word",
)  # fmt: skip


class Evidence:
    """Weighs cases; never changes after it is made."""

    def __init__(self, tables: Tables, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._pairs: PairModel = tables.pairs
        self._surnames = tables.surnames
        self._shapes = tables.shapes
        self._weights: Mapping[str, Sequence[float]] = tables.evidence

    def probability(self, case: Case) -> float:
        """Return how likely the form is meant, 0..1."""
        weights = self._weights.get(case.kind)
        if weights is None:
            return 1.0
        values = self.features(case)
        total = sum(weight * value for weight, value in zip(weights, values, strict=True))
        if case.kind is Kind.LITERAL and case.written.is_plain and not case.written.gaps:
            total += self._as_listed(case, values)
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def _as_listed(self, case: Case, values: Sequence[float]) -> float:
        """Return what speaks for a term that stands there as the list writes it: much, where no other word could be cut out."""
        named = dict(zip(FEATURES, values, strict=True))
        whole = min(named["cross_left"], named["cross_right"]) * 4.0 > CLEAR and not named["joined_left"] and not named["joined_right"]
        return 2.0 if whole and self._segmenter.is_word("".join(case.form.pieces)) else 0.8 if whole else 0.0

    def features(self, case: Case) -> list[float]:
        """Return the numbers, in the order of FEATURES."""
        written, form = case.written, case.form
        start, end = case.bounds
        shown = written.shown
        chars = case.line.chars[:start] + shown + case.line.chars[end:]
        before, after = case.around()
        han = [char if is_han(char) else EDGE for char in shown]
        prev = before[-1] if before and is_han(before[-1]) else EDGE
        next_ = after[0] if after and is_han(after[0]) else EDGE
        bonds = [self._bond(one, other) for one, other in itertools.pairwise(han)]
        pieces = form.pieces if form.technique is not Technique.REVERSED else form.pieces[::-1]
        margin = self._segmenter.margin(chars, (start, start + len(shown)), "".join(pieces))
        across = self._segmenter.crossing(chars, (start, start + len(shown)), "".join(pieces))
        steps = itertools.pairwise([prev, *han, next_])
        n = len(form.pieces)
        n_other = written.count(Way.HOMOPHONE, Way.ALIKE)
        gap = "".join(written.gaps)
        inserted = any(map(str.isalnum, gap))
        cues = cue_pattern(form.term.label if form.term else "")
        return [
            1.0,
            max(-LIMIT, min(LIMIT, margin)) / 4.0,
            float(margin == -math.inf),
            *(max(-LIMIT, min(LIMIT, one)) / 4.0 for one in across),
            -sum(self._pairs.after(one, other) for one, other in steps) / (len(han) + 1) / 4.0,
            self._bond(prev, han[0]) / 4.0,
            self._bond(han[-1], next_) / 4.0,
            min(bonds, default=0.0) / 4.0,
            float(prev == EDGE),
            float(next_ == EDGE),
            float(not before.strip() and not after.strip()),
            float(n == 2),  # noqa: PLR2004
            float(n == 3),  # noqa: PLR2004
            n_other / n,
            written.count(Way.ALIKE) / n,
            self._looks_alike(case) / n,
            float(n_other == n),
            float(written.count(Way.SPELT, Way.SPELT_ALIKE) > 0),
            float(written.count(Way.EMOJI) > 0),
            float(written.count(Way.NUMERAL) > 0),
            float(written.count(Way.SPLIT) > 0),
            float(bool(gap.strip()) and not written.has_clause and not inserted),
            float(bool(gap) and not gap.strip()),
            float(written.has_clause),
            float(inserted),
            float(not gap and not written.is_plain and self._segmenter.is_word(shown)),
            float(cues.search(before) is not None),
            float(cues.search(after) is not None),
            float(_ORDINARY.search(before) is not None or _ORDINARY.search(after) is not None),
            float(case.line.n_hidden > 0),
            float(case.line.n_styled > 1),
            float(form.technique is Technique.ALIAS),
            float(form.technique is Technique.INITIALS),
            float(written.count(Way.REPEATED) > 0),
            float(shown[0] in self._surnames and shown[0] != form.pieces[0] and n <= 3),  # noqa: PLR2004
            form.weight,
            float(self._joins(prev, han[0], bonds)),
            float(self._joins(han[-1], next_, bonds)),
            float(case.view.kind is ViewKind.HAN),
        ]

    def _looks_alike(self, case: Case) -> int:
        """Count the pieces in whose place a character stands that looks alike as well."""
        if len(case.written.shown) != len(case.form.pieces):
            return 0
        return sum(
            char in self._shapes.of(piece).alike
            for char, piece in zip(case.written.shown, case.form.pieces, strict=True)
            if char != piece
        )

    def _bond(self, one: str, other: str) -> float:
        """Return by how much likelier `other` is behind `one` than anywhere; 0 at an edge."""
        if EDGE in (one, other):
            return 0.0
        return max(-LIMIT, min(LIMIT, self._pairs.after(one, other) - self._pairs.alone(other)))

    def _joins(self, one: str, other: str, bonds: Sequence[float]) -> bool:
        """Tell whether two characters across an end of a form hold together better than the form itself does."""
        return self._bond(one, other) > max(1.5, min(bonds, default=0.0) + 1.0)
