"""Names of enrolled titles, and words of enrolled logos, in texts: on the screen, in a room's title. A witness beside looks. Pure.

Texts are compared without case, width, spaces and punctuation, since readers of pictures drop and add those at random; a name of
Latin letters counts only where no further letter stands beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

MIN_CHARACTERS = 2
"""Shorter names are in every text."""
MIN_LATIN = 4
"""Shorter names of Latin letters or digits are parts of words or counters."""


@dataclass(frozen=True, slots=True)
class NamedTitle:
    """One name of a title, folded."""

    name: str
    """What the title is called, as findings say it."""
    label: str
    folded: str
    latin: bool


@dataclass(frozen=True, slots=True)
class TitleNames:
    """Every name of every title."""

    names: tuple[NamedTitle, ...] = ()

    @classmethod
    def of(cls, titles: Sequence[tuple[str, str, Sequence[str]]]) -> TitleNames:
        """Fold the names of titles, each (name, label, what it is called); those too short to mean anything are left out."""
        found: dict[tuple[str, str], NamedTitle] = {}
        for name, label, called in titles:
            for words in filter(is_telling, called):
                folded = fold(words)
                found[name, folded] = NamedTitle(name, label, folded, folded.isascii())
        return cls(tuple(found.values()))

    def within(self, text: str, *, least_share: float = 0.0) -> tuple[NamedTitle, ...]:
        """Return the titles that a text names, each once.

        Args:
            text: as it was read or written.
            least_share: of the text's letters that a name must make up, 0..1; digits beside the name are left out of account.
        """
        if not self.names:
            return ()
        folded = fold(text)
        words = " " + re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()) + " "
        found = {
            named.name: named
            for named in self.names
            if named.folded in folded
            and (not named.latin or _as_words(named.folded, words))
            and _share(named.folded, folded) >= least_share
        }
        return tuple(found.values())


def is_telling(words: str) -> bool:
    """Tell whether words are long enough to mean something where they are read."""
    folded = fold(words)
    return len(folded) >= (MIN_LATIN if folded.isascii() else MIN_CHARACTERS)


def fold(text: str) -> str:
    """Leave letters and digits only, lower-case, at their common width."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _share(name: str, folded: str) -> float:
    beside = folded.replace(name, "", 1)
    return len(name) / (len(name) + sum(not character.isdigit() for character in beside))


def _as_words(folded: str, words: str) -> bool:
    """Tell whether a Latin name stands in a text as whole words, spaces within it left out of account."""
    pattern = r"(?<![a-z0-9])" + r" ?".join(map(re.escape, folded)) + r"(?![a-z0-9])"
    return re.search(pattern, words) is not None
