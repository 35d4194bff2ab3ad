"""What is listened for: the terms of one generation of word lists, as paths of units.

Adding a term needs no training: a new generation of lists makes a new vocabulary. How paths are found is `spotting.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inference.samples import Scene
from inference.speech.pronouncing import Pronouncer, Spoken
from inference.speech.spotting import UnitPaths
from inference.text.terms import Mode, Term

MIN_SYLLABLES = 2
"""A single syllable is said in every sentence."""

MAX_PATHS = 20_000
"""Ways to say terms that are listened for, first lists first; 1,000 take some 8 ms of a core for 8 s of speech. More are left out,
and counted."""

SPOKEN_MODES = frozenset({Mode.EXACT, Mode.FOLD, Mode.PINYIN})
"""Modes whose text is one word or phrase; a pattern or a combination has no one way to say it."""


class NamedList(Protocol):
    """A word list, as far as it is listened for."""

    @property
    def ref(self) -> str:
        """Name and version, e.g. `base@1`."""
        ...

    @property
    def terms(self) -> Sequence[Term]:
        """What is on it."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A term and the list it is on."""

    term: Term
    ref: str
    """Name and version of the list."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Every way to say what is listened for."""

    paths: UnitPaths
    spoken: tuple[Spoken, ...]
    """Of each path, by its column."""
    listed: tuple[tuple[Listed, ...], ...]
    """Of each path: the terms that are said so; () for an allowed phrase."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Terms that are not listened for, by reason: `mode`, `unpronounceable`, `short`, `bound`."""

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.paths)} paths, left out {dict(self.left_out)})"

    @classmethod
    def of(cls, lists: Iterable[NamedList], allowed: Iterable[str], pronouncer: Pronouncer) -> Vocabulary:
        """Work out how the terms that count in speech are said, and the allowed phrases that hold one of them.

        Args:
            lists: word lists, first ones first where there are too many terms.
            allowed: phrases that suppress what they overlap.
            pronouncer: says them.
        """
        said: dict[tuple[int, ...], tuple[Spoken, list[Listed]]] = {}
        left_out: Counter[str] = Counter()
        for word_list in lists:
            for term in word_list.terms:
                if term.scenes and Scene.ASR not in term.scenes:
                    continue
                ways, reason = _ways(term, pronouncer)
                if not reason and len(said) + len(ways) > MAX_PATHS:
                    reason = "bound"
                if reason:
                    left_out[reason] += 1
                    continue
                for way in ways:
                    said.setdefault(way.units, (way, []))[1].append(Listed(term, word_list.ref))
        rows = [(way, tuple(listed)) for way, listed in said.values()]
        rows += [(way, ()) for way in _harmless(allowed, set(said), pronouncer)]
        paths = UnitPaths.of([way.units for way, _ in rows])
        return cls(paths, tuple(way for way, _ in rows), tuple(listed for _, listed in rows), dict(left_out))

    @property
    def n_terms(self) -> int:
        """Terms listened for."""
        return len({listed for row in self.listed for listed in row})


def _ways(term: Term, pronouncer: Pronouncer) -> tuple[tuple[Spoken, ...], str]:
    """Return how a term is said, and why it is not listened for where it is not."""
    if term.mode not in SPOKEN_MODES:
        return (), "mode"
    ways = pronouncer.readings(term.text)
    if not ways:
        return (), "unpronounceable"
    long_enough = tuple(way for way in ways if len(way.syllables) >= MIN_SYLLABLES)
    return long_enough, "" if long_enough else "short"


def _harmless(allowed: Iterable[str], terms: set[tuple[int, ...]], pronouncer: Pronouncer) -> list[Spoken]:
    """Say the allowed phrases that hold a term: where one of those is heard, the term inside is not meant."""
    found: dict[tuple[int, ...], Spoken] = {}
    lengths = sorted(set(map(len, terms)))
    for phrase in allowed:
        for way in pronouncer.readings(phrase):
            if way.units not in terms and _holds(way.units, terms, lengths):
                found.setdefault(way.units, way)
    return list(found.values())


def _holds(units: tuple[int, ...], terms: set[tuple[int, ...]], lengths: Sequence[int]) -> bool:
    return any(units[start : start + n] in terms for n in lengths for start in range(len(units) - n + 1))
