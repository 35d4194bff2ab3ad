"""Word boundaries by unigram counts: whether a term found in a text is a word there, or two halves of its neighbours.

It owns the dynamic programme over word costs and no list of terms; the caller says which stretch of which text is in question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from inference.text.pairs import PairModel

MAX_WORD = 4
"""Characters of the longest counted word."""

WINDOW = 4
"""Characters looked at on either side of a term; a word boundary further away does not depend on it."""

UNKNOWN = -18.0
"""Cost of a character that was never counted: rarer than once in the 60 million words counted."""

LATIN = -6.0
"""Cost of a Latin letter or digit."""

TERM_FLOOR = -12.5
"""Cost at which a term is offered that is rarer in books than this, about 200 in 60 million: lists hold what books do not."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much likelier a term is than other readings of a place, as differences of logarithms."""

    margin: float
    """Than what is written there, cut as it is likeliest: negative where that is ordinary language (带狗进店 is no 代购)."""
    left: float
    """Than a reading in which a word runs across its start; infinite where none does. 现代|购物 runs across both ends of 代购."""
    right: float
    """Than a reading in which a word runs across its end."""


class Segmenter:
    """Cuts short windows of text into words; never changes after it is made."""

    def __init__(self, costs: Mapping[str, float], pairs: PairModel) -> None:
        self._costs = costs
        self._pairs = pairs

    def is_word(self, text: str) -> bool:
        """Tell whether a text is one counted word."""
        return len(text) > 1 and text in self._costs

    def likelier_at_most(self, written: str, term: str) -> float:
        """Return a bound of `compare(...).margin` from above, whatever stands around: both cut as cheaply as they can be alone."""
        alone = sum(self._costs.get(char, LATIN if char.isascii() else UNKNOWN) for char in written)
        return max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR)) - max(alone, self._costs.get(written, alone))

    def compare(self, text: str, at: tuple[int, int], term: str) -> Comparison:
        """Compare a term in place of `text[at]` with what is written there, by the likeliest cuts of a window around it."""
        left = max(0, at[0] - WINDOW)
        window = text[left : at[1] + WINDOW]
        start, end = at[0] - left, at[1] - left
        ahead, behind = self._forward(window), self._backward(window)
        own = ahead[start] + max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR)) + behind[end]
        return Comparison(
            own - ahead[-1], own - self._across(window, start, ahead, behind), own - self._across(window, end, ahead, behind)
        )

    def _cost(self, text: str, start: int, end: int) -> float | None:
        """Return the cost of `text[start:end]` as one word, or None where it is none."""
        cost = self._costs.get(text[start:end])
        if cost is None:
            if end - start == 1:
                return LATIN if text[start].isascii() else UNKNOWN
            if end - start == 2:
                return self._pairs.word_cost(text[start:end])
        return cost

    def _forward(self, text: str) -> list[float]:
        """Return, for each place, the cost of the likeliest cut of what is before it."""
        best = [0.0]
        for end in range(1, len(text) + 1):
            here = -math.inf
            for start in range(max(0, end - MAX_WORD), end):
                cost = self._cost(text, start, end)
                if cost is not None and best[start] + cost > here:
                    here = best[start] + cost
            best.append(here)
        return best

    def _backward(self, text: str) -> list[float]:
        """Return, for each place, the cost of the likeliest cut of what is behind it."""
        n = len(text)
        best = [0.0] * (n + 1)
        for start in range(n - 1, -1, -1):
            here = -math.inf
            for end in range(start + 1, min(n, start + MAX_WORD) + 1):
                cost = self._cost(text, start, end)
                if cost is not None and cost + best[end] > here:
                    here = cost + best[end]
            best[start] = here
        return best

    def _across(self, text: str, place: int, ahead: list[float], behind: list[float]) -> float:
        """Return the cost of the likeliest cut in which a word runs across a place; minus infinity where none does."""
        best = -math.inf
        for start in range(max(0, place - MAX_WORD + 1), place):
            for end in range(place + 1, min(len(text), start + MAX_WORD) + 1):
                cost = self._cost(text, start, end)
                if cost is not None:
                    best = max(best, ahead[start] + cost + behind[end])
        return best
