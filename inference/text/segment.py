"""Word boundaries by unigram counts: whether a term found in a text is a word there, or two halves of its neighbours.

It owns the dynamic programme over word costs and no list of terms; the caller says which stretch of which text is in question.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from inference.text.pairs import PairModel

MAX_WORD = 4
"""Characters of the longest counted word."""

WINDOW = 6
"""Characters looked at on either side of a term; a word boundary further away does not depend on it."""

UNKNOWN = -18.0
"""Cost of a character that was never counted: rarer than once in the 60 million words counted."""

LATIN = -6.0
"""Cost of a Latin letter or digit."""

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

    def __init__(self, costs: Mapping[str, float], pairs: PairModel) -> None:
        self._costs = costs
        self._pairs = pairs

    def is_word(self, text: str) -> bool:
        """Tell whether a text is one counted word."""
        return len(text) > 1 and text in self._costs

    def read(self, text: str, term_at: tuple[int, int] | None = None, *, term_cost: float = TERM_FLOOR) -> Reading:
        """Find the likeliest cut; a term may be offered as one more word at `term_at` = [start, end)."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            char = text[end - 1]
            here = (best[end - 1][0] + self._costs.get(char, LATIN if char.isascii() else UNKNOWN), end - 1)
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

    def margin(self, text: str, at: tuple[int, int], term: str) -> float:
        """Return how much likelier a stretch is with `term` in place of `text[at]`, as a difference of logarithms.

        Negative where the written form speaks for itself because it is ordinary language (带狗进店 is no 代购), and minus infinity
        where the term would cut the words around it in two.
        """
        left = max(0, at[0] - WINDOW)
        window = text[left : at[1] + WINDOW]
        start = at[0] - left
        meant = window[:start] + term + window[at[1] - left :]
        cost = max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR))
        reading = self.read(meant, (start, start + len(term)), term_cost=cost)
        if not {start, start + len(term)} <= {0, *reading.cuts}:
            return -math.inf
        return reading.cost - self.read(window).cost

    def crossing(self, text: str, at: tuple[int, int], term: str) -> tuple[float, float]:
        """Return by how much a term is likelier than a reading in which a word runs across its start, and across its end.

        Differences of logarithms; infinite where no word does. 现代|购物 runs across both ends of 代购.
        """
        left = max(0, at[0] - WINDOW)
        window = text[left : at[1] + WINDOW]
        start, end = at[0] - left, at[1] - left
        meant = window[:start] + term + window[end:]
        cost = max(TERM_FLOOR, self._costs.get(term, TERM_FLOOR))
        own = self._best(meant, term_at=(start, start + len(term)), term_cost=cost)
        before = self._best(window, closed=start) if 0 < start else -math.inf
        after = self._best(window, closed=end) if end < len(window) else -math.inf
        return own - before, own - after

    def _best(
        self, text: str, *, closed: int = -1, term_at: tuple[int, int] | None = None, term_cost: float = TERM_FLOOR
    ) -> float:
        """Return the cost of the likeliest cut that has a word across the place `closed`, or the term at `term_at`."""
        costs = self._costs
        best = [0.0] + [-math.inf] * len(text)
        for end in range(1, len(text) + 1):
            if end == closed or (term_at is not None and term_at[0] < end < term_at[1]):
                continue
            here = best[end - 1] + costs.get(text[end - 1], LATIN if text[end - 1].isascii() else UNKNOWN)
            for start in range(max(0, end - MAX_WORD), end - 1):
                cost = costs.get(text[start:end])
                if cost is None and end - start == 2:  # noqa: PLR2004
                    cost = self._pairs.word_cost(text[start:end])
                if cost is not None and best[start] + cost > here:
                    here = best[start] + cost
            if term_at is not None and end == term_at[1]:
                here = max(here, best[term_at[0]] + term_cost)
            best[end] = here
        return best[-1]

    def free_ends(self, text: str, start: int, end: int) -> bool:
        """Tell whether no likely word runs across either end of `text[start:end]`."""
        left = max(0, start - WINDOW)
        cuts = {0, *self.read(text[left : end + WINDOW]).cuts}
        return start - left in cuts and end - left in cuts
