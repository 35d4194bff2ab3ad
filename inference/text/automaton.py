"""All forms of all terms, found in one pass over the sounds of a text.

An automaton never changes after it is built; new lists make a new one. Beside forms it knows hints, which prove nothing but ask for
a closer look: a sound said twice (something may hide behind repetition), four numerals in a row (a number may be spelt out),
parts of characters in a row.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ahocorasick_rs import AhoCorasick, Implementation

from inference.text.patterns import Form, Pattern, Technique

Found = list[tuple[int, int, int]]
"""Number of the pattern, first sound, behind the last sound; overlapping ones too."""

NUMERALS = "零一二三四五六七八九幺两"
"""Han characters that stand for digits."""

PART = 40_000
"""Patterns of one part. The library keeps the interpreter to itself while it builds one, and every request waits: some 0.4 s."""

BREATH_S = 0.002
"""Between two parts, so that those who wait get their turn, seconds."""

N_NUMERALS = 4
"""Numerals in a row that may be a number; 一起吧 sounds like three."""


class Hint(IntEnum):
    """Why a text needs a closer look, beside forms; the stronger reason counts where a pattern gives two."""

    DOUBLED = 0
    """A sound, or two of a term, said twice."""
    NUMERALS = 1
    """Numerals in a row."""
    PARTS = 2
    """Parts of characters in a row."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One form found in one reading."""

    form: Form
    start: int
    end: int


def numeral_hints(sounds: Sequence[str]) -> Iterator[str]:
    """Yield every row of four numerals, given their sounds."""
    return map("".join, itertools.product(sounds, repeat=N_NUMERALS))


def _written(grouped: Mapping[str, Sequence[Form]]) -> Iterator[str]:
    """Yield the sounds of terms as they are listed."""
    return (sounds for sounds, forms in grouped.items() if any(form.technique is Technique.WRITTEN for form in forms))


def _search(patterns: list[str]) -> Callable[..., Found]:
    """Build `find(sounds, overlapping=True)`: ordered by the end of what is found, the longest first, as one automaton has it."""
    finds: list[Callable[..., Found]] = []
    for first in range(0, max(1, len(patterns)), PART):
        if finds:
            time.sleep(BREATH_S)
        part = patterns[first : first + PART]
        finds.append(AhoCorasick(part, implementation=Implementation.ContiguousNFA).find_matches_as_indexes)
    if len(finds) == 1:
        return finds[0]

    def find(sounds: str, overlapping: bool) -> Found:
        found = [
            (number + part * PART, start, end)
            for part, search in enumerate(finds)
            for number, start, end in search(sounds, overlapping=overlapping)
        ]
        found.sort(key=_by_end)
        return found

    return find


def _by_end(found: tuple[int, int, int]) -> tuple[int, int]:
    return found[2], found[1]


class Automaton:
    """Finds patterns; a text of n sounds is searched in O(n + found)."""

    def __init__(self, patterns: Iterable[Pattern], numerals: Iterable[str] = (), parts: Iterable[str] = ()) -> None:
        """Build it.

        Args:
            patterns: the forms and their sounds.
            numerals: sounds of rows of numerals.
            parts: sounds of parts of characters in a row.
        """
        grouped: defaultdict[str, list[Form]] = defaultdict(list)
        for pattern in patterns:
            grouped[pattern.sounds].append(pattern.form)
        self._forms: list[tuple[Form, ...]] = [tuple(forms) for forms in grouped.values()]
        self.n_forms = len(grouped)
        """Patterns that stand for forms; those from here on are hints alone."""
        numbers = {sounds: number for number, sounds in enumerate(grouped)}
        self.hints: dict[int, Hint] = {}
        """What a pattern asks for, by its number; one that stands for forms may be a hint as well."""
        hints = {
            Hint.DOUBLED: [sound * 2 for sound in dict.fromkeys("".join(grouped))]
            + [text[at : at + 2] * 2 for text in _written(grouped) for at in range(len(text) - 1)],
            Hint.NUMERALS: numerals if grouped else (),
            Hint.PARTS: parts,
        }
        for hint, rows in hints.items():
            for sounds in rows:
                number = numbers.setdefault(sounds, len(numbers))
                self.hints[number] = max(hint, self.hints.get(number, hint))
        self._find = _search(list(numbers))

    @property
    def find(self) -> Callable[..., Found]:
        """Return the search itself: `find(sounds, overlapping=True)`."""
        found: Callable[..., Found] = self._find
        return found

    def forms(self, number: int) -> tuple[Form, ...]:
        """Return the forms of a pattern; () for a hint."""
        return self._forms[number] if number < self.n_forms else ()

    def found(self, sounds: str) -> list[Sighting]:
        """Find every form in a reading."""
        return [
            Sighting(form, start, end)
            for number, start, end in self._find(sounds, overlapping=True)
            if number < self.n_forms
            for form in self._forms[number]
        ]
