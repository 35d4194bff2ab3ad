"""How likely one character follows another in ordinary Chinese: what tells a disguise from language that happens to sound alike.

Owns the table of counted pairs (`build_pairs.py`) and no decision; `verify.py` compares what it says.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from pathlib import Path

EDGE = "·"
"""Stands for whatever is no Han character, and for the ends of a text."""

_STEP = 0.5
_LEVELS = {char: step * _STEP for step, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef")}

SMOOTHING = 12.0
"""Weight of a character's own share against the pairs seen behind a character."""

BOND = 3.5
"""By how much likelier (natural logarithm) a character is behind another than anywhere for the two to hold together like a word."""

ORDINARY = -8.0
"""Log probability from which a pair is ordinary company."""

UNSEEN = 0.5
"""Count of a character that was never seen."""


class PairModel:
    """Log probabilities of one character behind another; never changes after it is made."""

    def __init__(self, lines: list[str]) -> None:
        counts: dict[str, float] = {}
        after: dict[str, float] = {}
        alone: dict[str, float] = {}
        for line in lines:
            first, steps = line.split("\t")
            level = 0.0
            total = 0.0
            for char in steps:
                if char in _LEVELS:
                    level = math.exp(_LEVELS[char])
                    continue
                counts[first + char] = level
                alone[char] = alone.get(char, 0.0) + level
                total += level
            after[first] = total
        n = sum(alone.values()) or 1.0
        self._alone = {char: math.log(count / n) for char, count in alone.items()}
        self._rare = math.log(UNSEEN / n)
        self._seen: Mapping[str, float] = {
            pair: round(math.log((count + SMOOTHING * math.exp(self._alone[pair[1]])) / (after[pair[0]] + SMOOTHING)), 1)
            for pair, count in counts.items()
        }
        self._backoff = {first: math.log(SMOOTHING / (total + SMOOTHING)) for first, total in after.items()}

    @classmethod
    def load(cls, path: Path) -> PairModel:
        """Read the table."""
        return cls(gzip.decompress(path.read_bytes()).decode().splitlines())

    def __len__(self) -> int:
        return len(self._seen)

    def is_ordinary(self, pair: str) -> bool:
        """Tell whether two characters stand together in ordinary texts, and not only once in a while."""
        return self._seen.get(pair, -math.inf) > ORDINARY

    def alone(self, char: str) -> float:
        """Return the log share of a character among all."""
        return self._alone.get(char, self._rare)

    def after(self, first: str, second: str) -> float:
        """Return the log probability of `second` behind `first`."""
        return self.of_pair(first + second)

    def of_pair(self, pair: str) -> float:
        """Return the log probability of the second of two characters behind the first."""
        seen = self._seen.get(pair)
        if seen is not None:
            return seen
        return self._backoff.get(pair[0], 0.0) + self._alone.get(pair[1], self._rare)

    def word_cost(self, pair: str) -> float | None:
        """Return the log share of a pair that holds together like a word (笑死), or None for one that does not."""
        behind = self._seen.get(pair)
        if behind is None or pair[0] == EDGE or pair[1] == EDGE:
            return None
        alone = self._alone[pair[1]]
        return self._alone.get(pair[0], self._rare) + behind if behind - alone > BOND else None

    def cost(self, chars: str, start: int, end: int) -> float:
        """Return the log probability of `chars[start:end]` and of what follows it, given what stands before.

        Args:
            chars: Han characters, and EDGE for everything else.
            start: first character.
            end: behind the last character; the one there counts too, or EDGE at the end of the text.
        """
        before = chars[start - 1] if start else EDGE
        total = 0.0
        for index in range(start, end + 1):
            here = chars[index] if index < len(chars) else EDGE
            total += self.after(before, here)
            before = here
        return total
