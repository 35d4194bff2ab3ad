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


_Words = list[list[float]]
"""For each place of a window: the costs of the words that begin there, by length from one on; minus infinity for none."""

_NONE = -math.inf


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
        alone = sum([self._costs.get(char, LATIN if char.isascii() else UNKNOWN) for char in written])
        return max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR)) - max(alone, self._costs.get(written, alone))

    def compare(self, text: str, at: tuple[int, int], term: str) -> Comparison:
        """Compare a term in place of `text[at]` with what is written there, by the likeliest cuts of a window around it."""
        left = max(0, at[0] - WINDOW)
        window = text[left : at[1] + WINDOW]
        start, end = at[0] - left, at[1] - left
        words = self._words(window)
        ahead, behind = _forward(words), _backward(words)
        own = ahead[start] + max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR)) + behind[end]
        return Comparison(own - ahead[-1], own - _across(words, start, ahead, behind), own - _across(words, end, ahead, behind))

    def _words(self, text: str) -> _Words:
        """Return, for each place, the costs of the words of one, two, three, ... characters that begin there."""
        known, pair_cost = self._costs.get, self._pairs.word_cost
        n = len(text)
        words: _Words = []
        for place, char in enumerate(text):
            cost = known(char)
            here = [(LATIN if char.isascii() else UNKNOWN) if cost is None else cost]
            if place + 1 < n:
                pair = text[place : place + 2]
                cost = known(pair)
                if cost is None:
                    cost = pair_cost(pair)
                here.append(_NONE if cost is None else cost)
                for end in range(place + 3, min(n, place + MAX_WORD) + 1):
                    here.append(known(text[place:end], _NONE))
            words.append(here)
        return words


def _forward(words: _Words) -> list[float]:
    """Return, for each place, the cost of the likeliest cut of what is before it."""
    best = [0.0] + [_NONE] * len(words)
    for start, here in enumerate(words):
        before = best[start]
        end = start
        for cost in here:
            end += 1
            if before + cost > best[end]:
                best[end] = before + cost
    return best


def _backward(words: _Words) -> list[float]:
    """Return, for each place, the cost of the likeliest cut of what is behind it."""
    best = [0.0] * (len(words) + 1)
    for start in range(len(words) - 1, -1, -1):
        likeliest = _NONE
        end = start
        for cost in words[start]:
            end += 1
            if cost + best[end] > likeliest:
                likeliest = cost + best[end]
        best[start] = likeliest
    return best


def _across(words: _Words, place: int, ahead: list[float], behind: list[float]) -> float:
    """Return the cost of the likeliest cut in which a word runs across a place; minus infinity where none does."""
    best = _NONE
    for start in range(max(0, place - MAX_WORD + 1), place):
        before = ahead[start]
        end = place
        for cost in words[start][place - start :]:
            end += 1
            if cost > _NONE:
                best = max(best, before + cost + behind[end])
    return best
