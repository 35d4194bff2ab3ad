"""Words that stand around what is meant: offers, accusations, and everyday life, which speaks against both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

EVERYDAY = "!"
"""Key of the words of everyday life in the table."""


@lru_cache(maxsize=64)
def _stand_in(words: re.Pattern[str], text: str) -> bool:
    return words.search(text) is not None


class Cues:
    """Cue words by family of labels; never changes after it is made."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read lines of a family (a label, the part of one before the dot, or nothing) and its words, separated by a tab."""
        rows = (line.split("\t") for line in lines if not line.startswith("#"))
        self._words = {family: re.compile("|".join(words.split(" "))) for family, words in rows}

    def of(self, label: str) -> re.Pattern[str]:
        """Return the words that go with a label."""
        return self._words.get(label) or self._words.get(label.partition(".")[0]) or self._words[""]

    def stand_in(self, label: str, text: str) -> bool:
        """Tell whether a word that goes with a label stands anywhere in a text; asked of one text again and again."""
        return _stand_in(self.of(label), text)

    def is_everyday(self, text: str) -> bool:
        """Tell whether a text speaks of everyday life."""
        return self._words[EVERYDAY].search(text) is not None
