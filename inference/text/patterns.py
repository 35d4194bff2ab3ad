"""What a term looks like in each view, and the automata that find all of it in one pass.

A term becomes patterns: itself, its other ways to be written, its sounds. An automaton never changes after it is built; new lists
make a new one. Whether a hit is meant is not decided here (`verify.py`).
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from inference.text.lexicon import Mode, Term, WordList
from inference.text.normalise import Normaliser, ViewKind
from inference.text.tables import Alias, is_han

MAX_VARIANTS = 64
"""Ways to write one term beside its own; more come from terms that hold several concepts, and add hardly a hit."""

MAX_READINGS = 8
"""Phonetic patterns of one way to write a term; polyphones multiply."""

MIN_SOUNDS = 2
"""Characters of the shortest phonetic pattern; one syllable is every fourth-hundredth character."""

_RUN = re.compile(r"(.)\1+", re.DOTALL)
_NOT_ALNUM = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way a term looks in a view."""

    term: Term | None
    """None for an allowed phrase."""
    list: str
    """The list and its version; empty for an allowed phrase."""
    written: str
    """The canonical text that this pattern stands for."""
    transform: str = ""
    """Disguise that this way of writing is by itself; empty for the term as listed."""
    weight: float = 1.0
    """What is left of the term's score where it is written so, 0..1."""
    collapsed: bool = False
    """True where it only counts in the view whose repetitions are collapsed."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a pattern was found in a view."""

    pattern: Pattern
    kind: ViewKind
    start: int
    end: int


class Automaton:
    """One automaton over many patterns; a text of n characters is searched in O(n + hits)."""

    def __init__(self, patterns: Iterable[tuple[str, Pattern]]) -> None:
        grouped: defaultdict[str, list[Pattern]] = defaultdict(list)
        for text, pattern in patterns:
            grouped[text].append(pattern)
        self._patterns: list[tuple[Pattern, ...]] = [tuple(found) for found in grouped.values()]
        self._find = AhoCorasick(list(grouped)).find_matches_as_indexes if grouped else None

    def __len__(self) -> int:
        return len(self._patterns)

    def hits(self, kind: ViewKind, text: str) -> list[Hit]:
        """Find every pattern in a view of a text, overlapping ones too."""
        if self._find is None:
            return []
        found = self._find(text, overlapping=True)
        if not found:
            return []
        return [Hit(pattern, kind, start, end) for index, start, end in found for pattern in self._patterns[index]]


def literal_patterns(
    lists: Sequence[WordList], allow: Sequence[str], normaliser: Normaliser, aliases: Sequence[Alias]
) -> Iterator[tuple[str, Pattern]]:
    """Yield what is looked for in the views made of letters."""
    for word_list in lists:
        for term in word_list.terms:
            for way in ways(term, word_list.ref, normaliser, aliases):
                yield from _literal(way, normaliser)
    for phrase in allow:
        yield from _literal(Pattern(None, "", normaliser.canonical(phrase)), normaliser)


def sound_patterns(lists: Sequence[WordList], normaliser: Normaliser, aliases: Sequence[Alias]) -> Iterator[tuple[str, Pattern]]:
    """Yield what is looked for in the view made of syllables."""
    for word_list in lists:
        for term in word_list.terms:
            if term.mode is Mode.PINYIN:
                for way in ways(term, word_list.ref, normaliser, aliases):
                    plain = _NOT_ALNUM.sub("", way.written)
                    borrowed = way.transform and all(map(is_han, plain))  # its sound is a disguise of a disguise
                    if len(plain) >= MIN_SOUNDS and any(map(is_han, plain)) and not borrowed:
                        yield from ((sound, way) for sound in _sounds(plain, normaliser))


def ways(term: Term, ref: str, normaliser: Normaliser, aliases: Sequence[Alias]) -> list[Pattern]:
    """Return the ways to write a term: as listed first, then with each concept in it written differently."""
    own = normaliser.canonical(term.text).strip()
    found = {own: Pattern(term, ref, own)} if own else {}
    if term.mode is not Mode.EXACT:
        for alias in aliases:
            if alias.concept in own:
                written = own.replace(alias.concept, alias.variant)
                found.setdefault(written, Pattern(term, ref, written, alias.transform, alias.weight))
    return list(itertools.islice(found.values(), MAX_VARIANTS + 1))


def _literal(way: Pattern, normaliser: Normaliser) -> Iterator[tuple[str, Pattern]]:
    """Yield the texts under which one way of writing is looked for; a single character is never looked for alone."""
    texts = {way.written: way}
    if way.term is None or way.term.mode is not Mode.EXACT:
        plain = _NOT_ALNUM.sub("", way.written)
        texts.setdefault(plain, way)
        single = _RUN.sub(r"\1", plain)
        if single not in texts:
            texts[single] = Pattern(way.term, way.list, way.written, way.transform, way.weight, collapsed=True)
    yield from ((text, pattern) for text, pattern in texts.items() if len(text) > 1)


def _sounds(plain: str, normaliser: Normaliser) -> Iterator[str]:
    """Yield the ways a written term sounds, main readings first."""
    readings = [normaliser.sounds(char) or (char,) for char in plain]
    yield from itertools.islice(map("".join, itertools.product(*readings)), MAX_READINGS)
