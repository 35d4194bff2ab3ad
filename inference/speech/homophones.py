"""Ordinary words that sound like a term: tones are not heard, so 冰毒 and 病毒 are one thing to whoever listens.

Nothing in the sound tells them apart; a person is told which words else may have been meant.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

from inference.speech.pronouncing import Syllabled

MOST_TOLD = 3
"""Words told of one term, commonest first."""

RARER = 2.0
"""A word this much rarer than the term itself (natural logarithm of shares) is not what was meant, and is not told."""

MAX_KNOWN = 4096
"""Terms whose words are remembered; all are forgotten when there are more."""


class Homophones:
    """Looks a dictionary through for what sounds the same; from any thread."""

    def __init__(self, costs: Mapping[str, float], readings: Mapping[str, Sequence[str]]) -> None:
        """Sort a dictionary.

        Args:
            costs: word to the natural logarithm of its share.
            readings: Han character to its toneless syllables, main one first.
        """
        self._costs, self._readings = costs, readings
        self._known: dict[tuple[Syllabled, str], tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._by_start: Mapping[tuple[int, str], Sequence[str]] | None = None

    def of(self, syllables: Syllabled, term: str) -> tuple[str, ...]:
        """Return the commonest words that are said with these syllables, other than the term itself.

        The first call of all sorts the dictionary, a tenth of a second.
        """
        key = (syllables, term)
        with self._lock:
            if (found := self._known.get(key)) is None:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                found = self._known[key] = self._search(syllables, term)
            return found

    def _search(self, syllables: Syllabled, term: str) -> tuple[str, ...]:
        """Go through the words that begin alike; a word is read by the main readings of its characters."""
        if self._by_start is None:
            self._by_start = self._sorted_out()
        found = [word for word in self._by_start.get((len(syllables), syllables[0]), ()) if self._said(word) == syllables]
        rarest = self._costs.get(term, -math.inf) - RARER
        common = (word for word in found if word != term and self._costs[word] >= rarest)
        return tuple(sorted(common, key=lambda word: -self._costs[word])[:MOST_TOLD])

    def _sorted_out(self) -> Mapping[tuple[int, str], Sequence[str]]:
        by_start = defaultdict[tuple[int, str], list[str]](list)
        for word in self._costs:
            by_start[len(word), self._main(word[0])].append(word)
        return dict(by_start)

    def _said(self, word: str) -> Syllabled:
        return tuple(map(self._main, word))

    def _main(self, char: str) -> str:
        readings = self._readings.get(char)
        return readings[0] if readings else ""
