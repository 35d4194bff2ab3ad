"""What speaks for and against a form being meant, as numbers, and the weights that make one probability of them.

Owns the features and a linear model for each kind of case; the weights are learnt by `build_evidence.py`. Pure.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from inference.text.automaton import NUMERALS
from inference.text.cues import EVERYDAY, Cues
from inference.text.pairs import EDGE, PairModel
from inference.text.patterns import Form, Technique
from inference.text.segment import Segmenter
from inference.text.tables import Tables, is_han
from inference.text.views import ViewKind
from inference.text.written import Line, Way, Writing

N_CUE = 10
"""Characters on either side in which words that offer or accuse are looked for."""

NEAR = 3.0
"""Difference of logarithms below which a word across an end of a term is nearly as likely as the term."""

MEASURES = frozenset("个盒只条张把件位名次局点分杯碗瓶份块本页双对群颗棵座间层楼号级星天年月日岁斤克米秒福菜单")
"""Characters that count things behind a numeral."""

LIMIT = 12.0
"""Differences of logarithms count up to so much either way."""


_TOKEN = re.compile("[a-z]+")


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


class Case(msgspec.Struct, frozen=True, gc=False):
    """One form found in one reading of one text; a struct, because one is made for everything that is found."""

    form: Form
    view: ViewKind
    """The reading it was found in."""
    line: Line
    written: Writing
    kind: Kind
    """How it is weighed."""

    @classmethod
    def of(cls, form: Form, view: ViewKind, line: Line, written: Writing) -> Case:
        """Put a case together."""
        return cls(form, view, line, written, _kind(form, written))

    @property
    def bounds(self) -> tuple[int, int]:
        """Where it stands in `line.chars`, [start, end)."""
        return self.line.at[self.written.first], self.line.at[self.written.last + 1]

    @property
    def is_two(self) -> bool:
        """Whether it has two pieces: short enough to arise by accident anywhere."""
        return len(self.form.pieces) == 2

    def around(self) -> tuple[str, str]:
        """Return the canonical characters on either side, empty at the ends of the text."""
        canon, first, last = self.line.canon, self.written.first, self.written.last
        return canon[max(0, first - N_CUE) : first], canon[last + 1 : last + 1 + N_CUE]


def _kind(form: Form, written: Writing) -> Kind:
    if not any(map(is_han, form.pieces)):
        return Kind.LATIN
    if form.technique is Technique.REVERSED:
        return Kind.REVERSED
    if form.technique is Technique.SHAPE:
        return Kind.SHAPE
    if Way.HOMOPHONE in written.ways or Way.ALIKE in written.ways:
        return Kind.SOUND
    return Kind.LITERAL if written.is_literal and form.technique is not Technique.INITIALS else Kind.MIXED


FEATURES = (
    "bias", "margin", "cross_left", "cross_right", "surprise", "left", "right", "inner", "edge_left", "edge_right",
    "alone", "two", "three", "other", "alike", "looks", "all_other", "spelt", "emoji", "numeral", "split",
    "symbol_gap", "space_gap", "clause_gap", "inserted", "word", "cue_before", "cue_after", "ordinary", "hidden",
    "styled", "alias", "initials", "repeated", "surname", "weight", "joined_left", "joined_right", "cue_word",
    "crossed_left", "crossed_right", "near_left", "near_right", "space_crossed", "gap_crossed", "next_same",
    "prev_same", "counted", "margin_two", "cue_margin", "surprise_two", "latin_company",
)  # fmt: skip
"""Names of the numbers, in the order of the weights."""


_OF_DISGUISES = frozenset(
    ("margin", "surprise", "alone", "cue_before", "cue_after", "ordinary", "margin_two", "cue_margin", "surprise_two", "weight")
)
"""What speaks for or against a disguise, and nothing of a term's own characters."""


_MARGIN, _CROSS_LEFT, _CROSS_RIGHT, _CROSSED_LEFT, _CROSSED_RIGHT, _NEAR_LEFT, _NEAR_RIGHT = map(
    FEATURES.index, ("margin", "cross_left", "cross_right", "crossed_left", "crossed_right", "near_left", "near_right")
)
_SPACE_CROSSED, _GAP_CROSSED, _MARGIN_TWO, _CUE_MARGIN, _CUE_BEFORE, _CUE_AFTER = map(
    FEATURES.index, ("space_crossed", "gap_crossed", "margin_two", "cue_margin", "cue_before", "cue_after")
)


class Evidence:
    """Weighs cases; never changes after it is made."""

    def __init__(self, tables: Tables, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._pairs: PairModel = tables.pairs
        self._surnames = tables.surnames
        self._shapes = tables.shapes
        self._split = tables.syllables.split
        self._cues: Cues = tables.cues
        self._weights: Mapping[str, Sequence[float]] = tables.evidence
        self._crossing = {kind: _crossing(weights) for kind, weights in self._weights.items()}

    def probability(self, case: Case, *, least: float = 0.0) -> float:
        """Return how likely the form is meant, 0..1; any number below `least` stands for all of them."""
        weights = self._weights.get(case.kind)
        if weights is None or (case.kind is Kind.LATIN and case.written.is_literal and case.form.technique is Technique.WRITTEN):
            return 1.0  # letters that the list itself has, as a token of their own
        values = self._apart(case)
        if least > 0.0 and self._at_most(case, weights, values) < math.log(least / (1.0 - least)):
            return 0.0
        self._compare(case, values)
        total = sum(map(operator.mul, weights, values))
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def has_cue(self, case: Case) -> bool:
        """Tell whether a word stands beside a form that goes with its label."""
        cues = self._cues.of(case.form.term.label if case.form.term else "")
        return any(cues.search(side) for side in case.around())

    def features(self, case: Case) -> list[float]:
        """Return the numbers, in the order of FEATURES."""
        values = self._apart(case)
        self._compare(case, values)
        if case.kind is Kind.LITERAL:  # who lists a term means it: only the words around its ends can say that it is not there
            values = [0.0 if name in _OF_DISGUISES else value for name, value in zip(FEATURES, values, strict=True)]
        return values

    def _at_most(self, case: Case, weights: Sequence[float], values: list[float]) -> float:
        """Return a bound from above of the log odds, before words are cut: most forms are out of the question already."""
        gap = "".join(case.written.gaps)
        two = float(len(case.written.shown) == 2)
        slope = weights[_MARGIN] + two * weights[_MARGIN_TWO] + self._cued(values) * weights[_CUE_MARGIN]
        margin = max(-LIMIT, min(LIMIT, self._segmenter.likelier_at_most(case.written.shown, case.form.meant)))
        total: float = sum(map(operator.mul, weights, values)) + self._crossing[case.kind]
        total += max(slope * margin, slope * -LIMIT) / 4.0
        if gap:
            blank = 0.0 if gap.strip() else weights[_SPACE_CROSSED]
            total += abs(blank + weights[_GAP_CROSSED]) * LIMIT / 4.0
        return total

    def _apart(self, case: Case) -> list[float]:
        """Return the numbers that need no words cut, with zeros for the others."""
        written, form, ways = case.written, case.form, case.written.ways
        shown = written.shown
        before, after = case.around()
        prev = before[-1] if before and is_han(before[-1]) else EDGE
        next_ = after[0] if after and is_han(after[0]) else EDGE
        han = [prev, *[char if is_han(char) else EDGE for char in shown], next_]
        pairs = list(map(operator.add, han, han[1:]))
        bonds = [self._bond(pair) for pair in pairs]
        least_bond = min(bonds[1:-1], default=0.0)
        left = self._pull(before[-2:-1], prev, bonds[0], ahead=True)
        right = self._pull(after[1:2], next_, bonds[-1], ahead=False)
        joined = max(1.5, least_bond + 1.0)
        n = len(form.pieces)
        n_alike = ways.count(Way.ALIKE)
        n_other = n_alike + ways.count(Way.HOMOPHONE)
        gap = "".join(written.gaps)
        inserted = bool(gap) and any(map(str.isalnum, gap))
        clause = bool(gap) and written.has_clause
        label = form.term.label if form.term else ""
        offers = self._cues.stand_in(label, case.line.canon)
        cues = self._cues.of(label)
        everyday = self._cues.stand_in(EVERYDAY, case.line.canon)
        surprise = -sum([self._pairs.of_pair(pair) for pair in pairs]) / (len(shown) + 1) / 4.0
        latin = self._writes_pinyin(before) or self._writes_pinyin(after)
        is_blank = bool(gap) and not gap.strip()
        return [
            1.0,
            0.0,
            0.0,
            0.0,
            surprise,
            left / 4.0,
            right / 4.0,
            least_bond / 4.0,
            prev == EDGE,
            next_ == EDGE,
            not before.strip() and not after.strip(),
            n == 2,
            n == 3,
            n_other / n,
            n_alike / n,
            self._looks_alike(case) / n,
            n_other == n,
            Way.SPELT in ways or Way.SPELT_ALIKE in ways,
            Way.EMOJI in ways,
            Way.NUMERAL in ways,
            Way.SPLIT in ways,
            bool(gap) and not is_blank and not clause and not inserted,
            is_blank,
            clause,
            inserted,
            not gap and any(ways) and self._segmenter.is_word(shown),
            offers and cues.search(before) is not None,
            offers and cues.search(after) is not None,
            everyday and (self._cues.is_everyday(before) or self._cues.is_everyday(after)),
            case.line.n_hidden > 0,
            case.line.n_styled > 1,
            form.technique is Technique.ALIAS,
            form.technique is Technique.INITIALS,
            Way.REPEATED in ways,
            shown[0] in self._surnames and shown[0] != form.pieces[0] and n <= 3,
            form.weight,
            left > joined,
            right > joined,
            case.view is ViewKind.HAN,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            after[:1] == shown[-1],
            before[-1:] == shown[0],
            any(one in NUMERALS and other in MEASURES for one, other in zip(shown, shown[1:] + after[:1], strict=False)),
            0.0,
            0.0,
            surprise * (len(shown) == 2),
            latin,
        ]

    def _compare(self, case: Case, values: list[float]) -> None:
        """Add the numbers that need the likeliest cuts into words, with a word across an end of the form and without."""
        line, written = case.line, case.written
        start, end = case.bounds
        shown = written.shown
        chars = line.chars[:start] + shown + line.chars[end:]
        compared = self._segmenter.compare(chars, (start, start + len(shown)), case.form.meant)
        margin = max(-LIMIT, min(LIMIT, compared.margin)) / 4.0
        values[_MARGIN] = margin
        values[_CROSS_LEFT] = max(-LIMIT, min(LIMIT, compared.left)) / 4.0
        values[_CROSS_RIGHT] = max(-LIMIT, min(LIMIT, compared.right)) / 4.0
        values[_CROSSED_LEFT] = compared.left < 0
        values[_CROSSED_RIGHT] = compared.right < 0
        values[_NEAR_LEFT] = compared.left < NEAR
        values[_NEAR_RIGHT] = compared.right < NEAR
        if written.gaps:
            least = max(-LIMIT, min(LIMIT, compared.left, compared.right)) / 4.0
            values[_SPACE_CROSSED] = 0.0 if "".join(written.gaps).strip() else least
            values[_GAP_CROSSED] = least
        values[_MARGIN_TWO] = margin * (len(shown) == 2)
        values[_CUE_MARGIN] = margin * self._cued(values)

    def _cued(self, values: list[float]) -> float:
        return float(bool(values[_CUE_BEFORE] or values[_CUE_AFTER]))

    def _writes_pinyin(self, text: str) -> bool:
        """Tell whether a text beside a form is pinyin too: who writes all in Latin letters disguises nothing by it."""
        return any(self._split(token) is not None for token in _TOKEN.findall(text) if len(token) > 1)

    def _looks_alike(self, case: Case) -> int:
        """Count the pieces in whose place a character stands that looks alike as well."""
        if len(case.written.shown) != len(case.form.pieces):
            return 0
        return sum(
            [
                char in self._shapes.of(piece).alike
                for char, piece in zip(case.written.shown, case.form.pieces, strict=True)
                if char != piece
            ]
        )

    def _bond(self, pair: str) -> float:
        """Return by how much likelier the second of a pair is behind the first than anywhere; 0 at an edge."""
        if EDGE in pair:
            return 0.0
        return max(-LIMIT, min(LIMIT, self._pairs.of_pair(pair) - self._pairs.alone(pair[1])))

    def _pull(self, further: str, near: str, bond: float, *, ahead: bool) -> float:
        """Return how strongly the character at an end of a form holds to its neighbour outside.

        Less than nothing where that one rather belongs to the next further out: in 网赌注册 it is 册 that 注 holds to, not 赌.
        """
        further = further if further and is_han(further) else EDGE
        other = self._bond(further + near if ahead else near + further)
        return bond if bond >= other else bond - other


def _crossing(weights: Sequence[float]) -> float:
    """Return the most that words across the ends of a form can add to the log odds, whatever stands there."""
    total = 0.0
    sides = ((_CROSS_LEFT, _CROSSED_LEFT, _NEAR_LEFT), (_CROSS_RIGHT, _CROSSED_RIGHT, _NEAR_RIGHT))
    for cross, crossed, near in sides:
        total += max(
            weights[cross] * place / 4.0 + weights[crossed] * (place < 0) + weights[near] * (place < NEAR)
            for edge in (-LIMIT, 0.0, NEAR, LIMIT)  # linear in between
            for place in (edge - 1e-9, edge)
        )
    return total
