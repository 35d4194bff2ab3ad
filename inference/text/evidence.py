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

from inference.text.automaton import NUMERALS
from inference.text.cues import Cues
from inference.text.pairs import EDGE, PairModel
from inference.text.patterns import Form, Technique
from inference.text.segment import Comparison, Segmenter
from inference.text.tables import Tables, is_han
from inference.text.views import View, ViewKind
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
        return len(self.form.pieces) == 2

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

    def around(self) -> tuple[str, str]:
        """Return the canonical characters on either side, empty at the ends of the text."""
        canon, first, last = self.line.canon, self.written.first, self.written.last
        return canon[max(0, first - N_CUE) : first], canon[last + 1 : last + 1 + N_CUE]


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

    def probability(self, case: Case) -> float:
        """Return how likely the form is meant, 0..1."""
        weights = self._weights.get(case.kind)
        if weights is None or (case.kind is Kind.LATIN and case.written.is_literal and case.form.technique is Technique.WRITTEN):
            return 1.0  # letters that the list itself has, as a token of their own
        values = self.features(case)
        total = sum(weight * value for weight, value in zip(weights, values, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def has_cue(self, case: Case) -> bool:
        """Tell whether a word stands beside a form that goes with its label."""
        cues = self._cues.of(case.form.term.label if case.form.term else "")
        return any(cues.search(side) for side in case.around())

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
        compared = self._segmenter.compare(chars, (start, start + len(shown)), form.meant)
        left = self._pull((before[-2:-1], prev), han[0], ahead=True)
        right = self._pull((after[1:2], next_), han[-1], ahead=False)
        joined = max(1.5, min(bonds, default=0.0) + 1.0)
        steps = itertools.pairwise([prev, *han, next_])
        n = len(form.pieces)
        n_other = written.count(Way.HOMOPHONE, Way.ALIKE)
        gap = "".join(written.gaps)
        inserted = any(map(str.isalnum, gap))
        cues = self._cues.of(form.term.label if form.term else "")
        values = [
            1.0,
            max(-LIMIT, min(LIMIT, compared.margin)) / 4.0,
            max(-LIMIT, min(LIMIT, compared.left)) / 4.0,
            max(-LIMIT, min(LIMIT, compared.right)) / 4.0,
            -sum(self._pairs.after(one, other) for one, other in steps) / (len(han) + 1) / 4.0,
            left / 4.0,
            right / 4.0,
            min(bonds, default=0.0) / 4.0,
            float(prev == EDGE),
            float(next_ == EDGE),
            float(not before.strip() and not after.strip()),
            float(n == 2),
            float(n == 3),
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
            float(self._cues.is_everyday(before) or self._cues.is_everyday(after)),
            float(case.line.n_hidden > 0),
            float(case.line.n_styled > 1),
            float(form.technique is Technique.ALIAS),
            float(form.technique is Technique.INITIALS),
            float(written.count(Way.REPEATED) > 0),
            float(shown[0] in self._surnames and shown[0] != form.pieces[0] and n <= 3),
            form.weight,
            float(left > joined),
            float(right > joined),
            float(case.view.kind is ViewKind.HAN),
        ]
        values += self._together(values, compared, gap, (before, shown, after))
        if case.kind is Kind.LITERAL:  # who lists a term means it: only the words around its ends can say that it is not there
            values = [0.0 if name in _OF_DISGUISES else value for name, value in zip(FEATURES, values, strict=True)]
        return values

    def _together(self, values: list[float], compared: Comparison, gap: str, place: tuple[str, str, str]) -> list[float]:
        """Return what only says something in company: thresholds of word boundaries, repetition across an end, products."""
        before, shown, after = place
        least = max(-LIMIT, min(LIMIT, compared.left, compared.right)) / 4.0
        margin, surprise, two = values[1], values[4], float(len(shown) == 2)
        cue = float(any(values[FEATURES.index(name)] for name in ("cue_before", "cue_after")))
        return [
            float(compared.left < 0),
            float(compared.right < 0),
            float(compared.left < NEAR),
            float(compared.right < NEAR),
            float(bool(gap) and not gap.strip()) * least,
            float(bool(gap)) * least,
            float(after[:1] == shown[-1]),
            float(before[-1:] == shown[0]),
            float(any(one in NUMERALS and other in MEASURES for one, other in itertools.pairwise(shown + after[:1]))),
            margin * two,
            cue * margin,
            surprise * two,
            float(self._writes_pinyin(before) or self._writes_pinyin(after)),
        ]

    def _writes_pinyin(self, text: str) -> bool:
        """Tell whether a text beside a form is pinyin too: who writes all in Latin letters disguises nothing by it."""
        return any(self._split(token) is not None for token in _TOKEN.findall(text) if len(token) > 1)

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

    def _pull(self, outside: tuple[str, str], inside: str, *, ahead: bool) -> float:
        """Return how strongly the character at an end of a form holds to its neighbour outside.

        Less than nothing where that one rather belongs to the next further out: in 网赌注册 it is 册 that 注 holds to, not 赌.
        """
        further, near = outside
        further = further if further and is_han(further) else EDGE
        bond = self._bond(near, inside) if ahead else self._bond(inside, near)
        other = self._bond(further, near) if ahead else self._bond(near, further)
        return bond if bond >= other else bond - other
