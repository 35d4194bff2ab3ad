"""How each piece of a form is really written in a text, and what stands between the pieces.

Pure: it names what it sees (`verify.py` weighs it). Positions are those of the canonical text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from inference.text.patterns import Form
from inference.text.syllables import Syllables
from inference.text.tables import is_han
from inference.text.views import LEET, LEET_TOO, Unit

CLAUSE_MARKS = frozenset("，。！？；,!?;\n")
"""Marks that end a clause; a term does not run across one by accident of typing."""


class Way(IntEnum):
    """How one piece is written, plainest first."""

    SAME = 0
    """As expected."""
    REPEATED = 1
    """As expected, more than once."""
    EMOJI = 2
    """By a symbol or emoji that stands for it."""
    NUMERAL = 3
    """By a digit or letter that is called so."""
    SPLIT = 4
    """In parts."""
    SPELT = 5
    """In Latin letters, exactly."""
    SPELT_ALIKE = 6
    """In Latin letters, as a region says it."""
    HOMOPHONE = 7
    """By another character of exactly its sound."""
    ALIKE = 8
    """By another character, of its sound in some region."""


_AS_ONE = (Way.SAME, Way.REPEATED, Way.HOMOPHONE, Way.ALIKE)
"""Ways in which a piece shows as its first character, however often that is said."""


@dataclass(frozen=True, slots=True)
class Line:
    """A canonical text, and what is left of it without symbols."""

    canon: str
    chars: str
    """Letters, digits and ideographs alone."""
    at: Sequence[int]
    """Per canonical character: its index in `chars`, or that of the next one; one more entry for the end."""
    n_hidden: int = 0
    """Characters of the text as sent that show nothing."""
    n_styled: int = 0
    """Letters and digits of the text as sent in another form than a keyboard gives."""

    @classmethod
    def of(cls, canon: str, text: str = "", fold: Mapping[int, str | None] | None = None) -> Line:
        """Read a canonical text; with the text as sent and its folding, also how much of it was disguised."""
        n_hidden = n_styled = 0
        if fold is not None and text != canon:
            folded = [fold.get(ord(char), char) for char in text if char >= "\u0080"]
            n_hidden = folded.count(None)
            n_styled = sum(one is not None and one.isascii() and one.isalnum() for one in folded)
        if canon.isalnum():
            return cls(canon, canon, range(len(canon) + 1), n_hidden, n_styled)
        kept: list[str] = []
        at: list[int] = []
        for char in canon:
            at.append(len(kept))
            if char.isalnum():
                kept.append(char)
        at.append(len(kept))
        return cls(canon, "".join(kept), at, n_hidden, n_styled)


class Writing(msgspec.Struct, frozen=True, gc=False):
    """How a form is written where it was found; a struct, because one is made for everything that is found."""

    first: int
    """Index of the first canonical character."""
    last: int
    """Index of the last one (inclusive)."""
    ways: tuple[Way, ...]
    """Per piece."""
    gaps: tuple[str, ...]
    """What stands between two pieces, where anything does."""
    shown: str
    """The pieces as written, each once."""

    def count(self, way: Way, other: Way | None = None) -> int:
        """Return how many pieces are written in one of these ways."""
        n = self.ways.count(way)
        return n if other is None else n + self.ways.count(other)

    @property
    def is_plain(self) -> bool:
        """Whether every piece is written as expected, once."""
        return not any(self.ways)

    @property
    def is_literal(self) -> bool:
        """Whether every piece is written as expected, once or more."""
        return max(self.ways) <= Way.REPEATED

    @property
    def has_clause(self) -> bool:
        """Whether a mark that ends a clause stands between two pieces."""
        return any(not CLAUSE_MARKS.isdisjoint(gap) for gap in self.gaps)


def writing_of(form: Form, units: Sequence[Unit], canon: str, syllables: Syllables) -> Writing:
    """Say how a form is written by the units it was found in, one a piece."""
    first, last = units[0].first, units[-1].last
    ways = tuple([_way(unit, canon, piece, syllables) for unit, piece in zip(units, form.pieces, strict=True)])
    if last - first + 1 == len(units) and not any(unit.read for unit in units):  # a character a piece, side by side: nearly all
        return Writing(first, last, ways, (), canon[first : last + 1])
    gaps = tuple([canon[one.last + 1 : other.first] for one, other in itertools.pairwise(units) if other.first > one.last + 1])
    shown = "".join(
        [canon[unit.first] if way in _AS_ONE else canon[unit.first : unit.last + 1] for unit, way in zip(units, ways, strict=True)]
    )
    return Writing(first, last, ways, gaps, shown)


def _way(unit: Unit, canon: str, piece: str, syllables: Syllables) -> Way:
    written = canon[unit.first : unit.last + 1]
    if written == piece:
        return Way.SAME
    if unit.read:
        return _read_as(unit, canon, piece, syllables)
    head = written[0]
    if head == piece[0] and written[-1] == piece[-1] and len(written) >= len(piece):
        return Way.REPEATED  # a run of one sound: what is between is symbols or the same sound again
    if not is_han(head):
        if not is_han(piece[0]):
            return Way.SPELT  # letters that digits or signs stand for
        spelt = ("".join(filter(str.isalpha, written.translate(table))) for table in (LEET, LEET_TOO))
        return Way.SPELT if any(syllables.sounds_like(one, piece) for one in spelt) else Way.SPELT_ALIKE
    return Way.HOMOPHONE if syllables.same_sound(head, piece[0]) else Way.ALIKE


def _read_as(unit: Unit, canon: str, piece: str, syllables: Syllables) -> Way:
    """Say how a unit is written that is read as another character: an emoji, a digit or letter by its name, parts."""
    if is_han(canon[unit.first]):
        if unit.read == piece:
            return Way.SPLIT
        return Way.HOMOPHONE if syllables.same_sound(unit.read, piece[0]) else Way.ALIKE
    return Way.NUMERAL if canon[unit.first].isalnum() else Way.EMOJI
