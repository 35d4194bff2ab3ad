"""Which forms of a pattern the characters written there may be: their own, or such as hardly ever stand together otherwise.

It knows nothing of what stands around; verdicts on characters are remembered, because chat writes the same again and again.
"""

from __future__ import annotations

from inference.text.automaton import Automaton
from inference.text.pairs import PairModel
from inference.text.patterns import Form, Technique
from inference.text.segment import Segmenter
from inference.text.terms import Mode

MAX_MEMO = 131_072
"""Verdicts on written characters remembered; all are forgotten when there are more."""

MAX_WEIGHED = 2
"""Characters of a form that is weighed without what stands around it; longer ones are rare."""

LEAST_BY_SOUND = -1.0
LEAST_BY_SHAPE = 1.0
"""Difference of logarithms below which hardly a disguise is meant, by sound and by shape or backwards (`build_evidence.py`)."""


class Company:
    """Looks at written characters for one generation of lists; safe to use from every thread."""

    def __init__(self, automaton: Automaton, pairs: PairModel, segmenter: Segmenter) -> None:
        self._forms = automaton.forms
        self._is_ordinary = pairs.is_ordinary
        self._likelier = segmenter.likelier_at_most
        self._memo: dict[tuple[int, str], tuple[Form, ...]] = {}

    def of(self, number: int, written: str) -> tuple[Form, ...]:
        """Return the forms of a pattern that characters may be."""
        key = (number, written)
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) >= MAX_MEMO:
                self._memo.clear()
            known = self._memo[key] = tuple(form for form in self._forms(number) if self._may_be(written, form))
        return known

    def forget(self) -> None:
        """Empty what is remembered."""
        self._memo.clear()

    def _may_be(self, written: str, form: Form) -> bool:
        return len(form.pieces) != len(written) or form.term is None or self._is_odd(written, form)

    def _is_odd(self, written: str, form: Form) -> bool:
        """Tell whether a form is written by its own characters, or by some that are odd company.

        Odd is what no ordinary text has two of in a row, and what is not likelier as it is written than the term is.
        """
        own = "".join(form.pieces)
        by_itself = form.technique in (Technique.WRITTEN, Technique.ALIAS)
        if written == own and by_itself:
            return True
        by_sound = by_itself and form.term is not None and form.term.mode is Mode.PINYIN
        before, same = "", True
        for char, piece in zip(written, form.pieces, strict=True):
            if char < "\u3400":
                before = ""
                same = True
                continue
            differs = char != piece[0]
            if differs and not by_sound:
                return False
            if before and (differs or not same) and self._is_ordinary(before + char):
                return False
            same = not differs
            before = char
        if len(written) <= MAX_WEIGHED and min(written) >= "\u3400":
            least = LEAST_BY_SOUND if by_itself else LEAST_BY_SHAPE
            return self._likelier(written, form.meant) >= least
        return True
