"""One generation of lists, compiled: from a text to the terms that stand.

A generation never changes; new lists make a new one and the checker swaps the reference. Nearly every text ends after one look: its
sounds hold no form, and neither letters, digits nor signs behind which one could hide. What the hits mean to a policy is `check.py`'s
business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from inference.samples import Scene
from inference.text.automaton import NUMERALS, Automaton, Found, numeral_hints
from inference.text.lexicon import WordList
from inference.text.normalise import Normaliser
from inference.text.patterns import Form, Forms, Pattern, forms_per_term
from inference.text.segment import Segmenter
from inference.text.tables import Tables
from inference.text.terms import Mode, Term
from inference.text.verify import Meant, Verifier
from inference.text.views import View, Views
from inference.text.written import Line

MAX_SIGHTINGS = 4096
"""Forms of one text that are verified, first ones first; a text with more has long been judged."""

MAX_HINTED = 5_000
"""Terms for which characters written in parts are looked for; each takes a few dozen hints."""


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of the language, whatever the lists: made once."""

    tables: Tables
    normaliser: Normaliser
    views: Views
    verifier: Verifier
    forms: Forms

    @classmethod
    def load(cls) -> Language:
        """Read the package's tables."""
        tables = Tables.load()
        normaliser = Normaliser(tables)
        verifier = Verifier(tables, Segmenter(tables.word_costs, tables.pairs))
        return cls(tables, normaliser, Views(normaliser), verifier, Forms(tables, normaliser))


class Matcher:
    """Word lists and allowed phrases, compiled; safe to use from every thread."""

    def __init__(self, language: Language, lists: Sequence[WordList], allow: Sequence[str]) -> None:
        self._language = language
        self.terms: tuple[Term, ...] = tuple(term for word_list in lists for term in word_list.terms)
        """Every term of every list."""
        self.parts = language.forms.composer(self.terms)
        self.automaton = Automaton(self._patterns(lists, allow), self._hints())
        self.n_patterns = self.automaton.n_forms
        """Different patterns searched for."""
        self._sounds = language.normaliser.sounds
        self._find = self.automaton.find

    def _patterns(self, lists: Sequence[WordList], allow: Sequence[str]) -> Iterator[Pattern]:
        forms = self._language.forms
        n_max = forms_per_term(len(self.terms))
        for word_list in lists:
            for term in word_list.terms:
                yield from forms.of_term(term, word_list.ref, n_max)
        for phrase in allow:
            yield from forms.of_phrase(phrase)

    def _hints(self) -> Iterator[str]:
        yield from numeral_hints(sorted(set(map(self._language.normaliser.sound_of, NUMERALS))))
        if len(self.terms) <= MAX_HINTED:
            for term in self.terms:
                yield from self._language.forms.hints(term)

    def first_look(self, text: str) -> Found | None:
        """Search the sounds of a text as sent; None where nothing in it asks for a closer look."""
        sounds = text.translate(self._sounds)
        found = self._find(sounds, overlapping=True)
        return found if found or sounds.islower() else None

    def meant(self, text: str, canon: str, scene: Scene, now: datetime) -> list[Meant]:
        """Find the terms that stand in a text and its canonical form, by place; one a label and place, the plainest way to see it."""
        line = Line.of(canon, text, self._language.normaliser.fold)
        standing: list[Meant] = []
        allowed: list[Meant] = []
        for view in self._language.views.readings(canon, self.parts):
            for sighting in self.automaton.found(view.sounds)[:MAX_SIGHTINGS]:
                if not _counts(sighting.form, scene, now):
                    continue
                judged = self._language.verifier.judge(sighting, view, line)
                if judged is not None:
                    (allowed if sighting.form.term is None else standing).append(judged)
        return _resolved([*_combined(standing), *_not_combinations(_not_allowed(standing, allowed))])


def _counts(form: Form, scene: Scene, now: datetime) -> bool:
    term = form.term
    return term is None or ((not term.scenes or scene in term.scenes) and term.counts_at(now))


def _not_combinations(hits: list[Meant]) -> list[Meant]:
    return [hit for hit in hits if hit.term.mode is not Mode.COMBINATION]


def _combined(hits: list[Meant]) -> list[Meant]:
    return []


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
    hits = sorted(hits, key=lambda hit: (hit.first, -hit.last, -hit.term.level - hit.weight, len(hit.transforms)))
    reached: dict[str, int] = {}
    kept: list[Meant] = []
    for hit in hits:
        label = hit.term.label
        if hit.last > reached.get(label, -1):
            reached[label] = hit.last
            kept.append(hit)
    return kept
