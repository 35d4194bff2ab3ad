"""One generation of lists, compiled: from a text to the hits that stand, in one pass over every view.

A generation never changes; new lists make a new one and the checker swaps the reference. What the hits mean to a policy is
`check.py`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.samples import Scene
from inference.text.lexicon import Term, WordList
from inference.text.normalise import Normaliser, ViewKind
from inference.text.patterns import Automaton, Hit, literal_patterns, sound_patterns
from inference.text.segment import Segmenter
from inference.text.tables import Tables
from inference.text.verify import Meant, Verifier

MAX_CANDIDATES = 4096
"""Hits of one text that are verified, first ones first; a text with more has long been judged."""


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of the language, whatever the lists: made once."""

    normaliser: Normaliser
    segmenter: Segmenter
    tables: Tables

    @classmethod
    def load(cls) -> Language:
        """Read the package's tables."""
        tables = Tables.load()
        return cls(Normaliser(tables), Segmenter(tables.word_costs), tables)


class Matcher:
    """Word lists and allowed phrases, compiled; safe to use from every thread."""

    def __init__(self, language: Language, lists: Sequence[WordList], allow: Sequence[str]) -> None:
        self._normaliser = language.normaliser
        self._verifier = Verifier(language.segmenter)
        aliases = language.tables.aliases
        self._literal = Automaton(literal_patterns(lists, allow, language.normaliser, aliases))
        self._sound = Automaton(sound_patterns(lists, language.normaliser, aliases))
        self.terms = tuple(term for word_list in lists for term in word_list.terms)
        """Every term of every list."""
        self.n_patterns = len(self._literal) + len(self._sound)
        """Different patterns in both automata."""

    def candidates(self, canon: str) -> list[Hit]:
        """Find every pattern in every view of a canonical text; nearly always none."""
        hits = self._literal.hits(ViewKind.CANONICAL, canon)
        for kind, text in self._normaliser.strings(canon):
            hits += (self._sound if kind is ViewKind.PHONETIC else self._literal).hits(kind, text)
        return hits

    def meant(self, canon: str, scene: Scene) -> list[Meant]:
        """Find the hits that stand in a canonical text, by place; one a term and place, the plainest way to see it."""
        candidates = self.candidates(canon)
        if not candidates:
            return []
        views = {kind: self._normaliser.view(kind, canon) for kind in dict.fromkeys(hit.kind for hit in candidates)}
        standing: list[Meant] = []
        allowed: list[Meant] = []
        for hit in candidates[:MAX_CANDIDATES]:
            term = hit.pattern.term
            if term is not None and term.scenes and scene not in term.scenes:
                continue
            judged = self._verifier.judge(hit, views[hit.kind], canon)
            if judged is not None:
                (allowed if term is None else standing).append(judged)
        return _resolved(_not_allowed(standing, allowed))


def _not_allowed(hits: list[Meant], allowed: list[Meant]) -> list[Meant]:
    """Leave out hits that overlap an allowed phrase."""
    if not allowed:
        return hits
    covered = set[int]()
    for phrase in allowed:
        covered.update(range(phrase.first, phrase.last + 1))
    return [hit for hit in hits if covered.isdisjoint(range(hit.first, hit.last + 1))]


def _resolved(hits: list[Meant]) -> list[Meant]:
    """Keep, per label, the widest hit at each place, and among equal ones the surest; hits come back by place."""
    hits = sorted(hits, key=lambda hit: (hit.first, -hit.last, -_worth(hit), len(hit.transforms)))
    reached: dict[str, int] = {}
    kept: list[Meant] = []
    for hit in hits:
        label = _term(hit).label
        if hit.last > reached.get(label, -1):
            reached[label] = hit.last
            kept.append(hit)
    return kept


def _worth(hit: Meant) -> float:
    return _term(hit).level + hit.weight


def _term(hit: Meant) -> Term:
    """Return the term of a hit that stands; an allowed phrase never does."""
    assert hit.hit.pattern.term is not None  # for the type checker: allowed phrases are kept apart in `meant`
    return hit.hit.pattern.term
