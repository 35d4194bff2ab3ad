"""Word boundaries by unigram counts: whether a term found in a text is a word there, or two halves of its neighbours.

It owns the dynamic programme over word costs and no list of terms; the caller says which stretch of which text is in question.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

MAX_WORD = 4
"""Characters of the longest counted word."""

WINDOW = 6
"""Characters looked at on either side of a term; a word boundary further away does not depend on it."""

UNKNOWN = -18.0
"""Cost of a character that was never counted: rarer than once in the 60 million words counted."""

TERM_FLOOR = -14.5
"""Cost at which a term is offered that is rarer in books than this, about 30 in 60 million: lists hold what books do not."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The likeliest way to cut a stretch of text into words."""

    cost: float
    """Sum of the words' log shares (negative; nearer to 0 is likelier)."""
    cuts: tuple[int, ...]
    """Ends of the words, ascending."""


class Segmenter:
    """Cuts short windows of text into words; never changes after it is made."""

    def __init__(self, costs: Mapping[str, float]) -> None:
        self._costs = costs

    def read(self, text: str, term_at: tuple[int, int] | None = None, *, term_cost: float = TERM_FLOOR) -> Reading:
        """Find the likeliest cut; a term may be offered as one more word at `term_at` = [start, end)."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            here = (best[end - 1][0] + self._costs.get(text[end - 1], UNKNOWN), end - 1)
            for start in range(max(0, end - MAX_WORD), end - 1):
                cost = self._costs.get(text[start:end])
                if cost is not None and best[start][0] + cost > here[0]:
                    here = (best[start][0] + cost, start)
            if term_at is not None and end == term_at[1]:
                offered = best[term_at[0]][0] + term_cost
                here = max(here, (offered, term_at[0]))
            best.append(here)
        cuts: list[int] = []
        end = len(text)
        while end:
            cuts.append(end)
            end = best[end][1]
        return Reading(best[-1][0], tuple(reversed(cuts)))

    def stands_alone(self, text: str, start: int, end: int) -> bool:
        """Tell whether `text[start:end]` reads as words of its own, or as part of one longer word that holds all of it.

        False where the likeliest reading has a word across one end of it: 现代|购物 against 代购.
        """
        left = max(0, start - WINDOW)
        window = text[left : end + WINDOW]
        at = (start - left, end - left)
        cost = max(TERM_FLOOR, self._costs.get(text[start:end], TERM_FLOOR))
        cuts = (0, *self.read(window, at, term_cost=cost).cuts)
        if at[0] in cuts and at[1] in cuts:
            return True
        return any(a <= at[0] and b >= at[1] for a, b in itertools.pairwise(cuts))

    def likelier(self, text: str, at: tuple[int, int], term: str, *, penalty: float) -> bool:
        """Tell whether `term` was meant where `text[at]` is written, at the price of `penalty` for writing it so.

        The written form speaks for itself where it is ordinary language (带狗进店 is no 代购); a disguise is not.
        """
        left = max(0, at[0] - WINDOW)
        window = text[left : at[1] + WINDOW]
        start = at[0] - left
        meant = window[:start] + term + window[at[1] - left :]
        cost = max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR))
        reading = self.read(meant, (start, start + len(term)), term_cost=cost)
        return reading.cost + penalty > self.read(window).cost and {start, start + len(term)} <= {0, *reading.cuts}
