"""One generation of lists, compiled: from a text to the terms that stand.

A generation never changes; new lists make a new one and the checker swaps the reference. Nearly every text ends after a glance
(`glance.py`). What the hits mean to a policy is `check.py`'s business.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from inference.samples import Scene
from inference.text.automaton import NUMERALS, Automaton, Sighting, numeral_hints
from inference.text.company import Company
from inference.text.contacts import Contact
from inference.text.glance import Asked, Glance
from inference.text.lexicon import WordList
from inference.text.normalise import Normaliser
from inference.text.patterns import Form, Forms, Pattern, forms_per_term
from inference.text.plain_reading import PlainReading
from inference.text.regexes import compile_regex
from inference.text.segment import Segmenter
from inference.text.tables import Tables, is_han
from inference.text.terms import Mode, Term
from inference.text.verify import Meant, Verifier
from inference.text.views import Views
from inference.text.written import Line
from inference.verdicts import Finding

MAX_SIGHTINGS = 4096
"""Forms of one text that are verified, first ones first; a text with more has long been judged."""

MAX_HINTED = 5_000
"""Terms up to which each has hints of its own for characters written in parts, a few dozen; larger lists have `RARE_PART`."""


RARE_PART = -13.0
"""Log share of all characters below which one asks for a full reading where terms come apart into it: one line in 1,700."""

MAX_STANDING = 64
"""Terms that stand in one text after which no more are looked for; a text with more has long been judged."""

MAX_ROWS = 256
"""Ways to choose one hit a part of a combination that are tried."""

MAX_READ = 8_192
"""Texts whose findings are remembered; all are forgotten when there are more."""

MAX_READ_LENGTH = 64
"""Characters of the longest of them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one text, before anybody decides."""

    findings: tuple[Finding, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of the language, whatever the lists: made once."""

    tables: Tables
    normaliser: Normaliser
    segmenter: Segmenter
    views: Views
    verifier: Verifier
    forms: Forms

    @classmethod
    def load(cls) -> Language:
        """Read the package's tables."""
        tables = Tables.load()
        normaliser = Normaliser(tables)
        segmenter = Segmenter(tables.word_costs, tables.pairs)
        verifier = Verifier(tables, segmenter)
        return cls(tables, normaliser, segmenter, Views(normaliser), verifier, Forms(tables, normaliser))


class Matcher:
    """Word lists and allowed phrases, compiled; safe to use from every thread."""

    def __init__(self, language: Language, lists: Sequence[WordList], allow: Sequence[str]) -> None:
        self._language = language
        self.lists: tuple[WordList, ...] = tuple(lists)
        """The lists themselves."""
        self.allowed: tuple[str, ...] = tuple(allow)
        """Phrases that suppress the hits they overlap."""
        self.terms: tuple[Term, ...] = tuple(term for word_list in lists for term in word_list.terms)
        """Every term of every list."""
        self.parts = language.forms.composer(self.terms)
        numerals = sorted(set(map(language.normaliser.sound_of, NUMERALS)))
        self.automaton = Automaton(self._patterns(lists, allow), numeral_hints(numerals), self._parts_in_a_row())
        self.n_patterns = self.automaton.n_forms
        """Different patterns searched for."""
        self._regexes = [
            (Form(term, word_list.ref, ()), compile_regex(term.text))
            for word_list in lists
            for term in word_list.terms
            if term.mode is Mode.REGEX
        ]
        self.read: dict[tuple[str, Scene], Reading] = {}
        """What was found in texts of late, by text and scene; chat repeats itself."""
        self._may_expire = any(term.expires is not None for term in self.terms)
        self._company = Company(self.automaton, language.tables.pairs, language.segmenter)
        asked = Asked([regex for _, regex in self._regexes], self._rare_parts())
        plain = PlainReading(language.normaliser, language.views, language.verifier)
        self.glance = Glance(language.normaliser, self.automaton, self._company, plain, asked)
        """The quick look at whether a text needs `meant` at all."""

    def forget(self) -> None:
        """Empty what is remembered of texts, as if none had been seen; for measurements."""
        self.read.clear()
        self.glance.forget()
        self._company.forget()

    def remember(self, key: tuple[str, Scene], reading: Reading) -> None:
        """Keep what was found in a text, unless it is long or may change with time."""
        if not self._may_expire and len(key[0]) <= MAX_READ_LENGTH:
            if len(self.read) >= MAX_READ:
                self.read.clear()
            self.read[key] = reading

    def _patterns(self, lists: Sequence[WordList], allow: Sequence[str]) -> Iterator[Pattern]:
        forms = self._language.forms
        n_max = forms_per_term(len(self.terms))
        for word_list in lists:
            for term in word_list.terms:
                yield from forms.of_term(term, word_list.ref, n_max)
        for phrase in allow:
            yield from forms.of_phrase(phrase)

    def _parts_in_a_row(self) -> Iterator[str]:
        if len(self.terms) <= MAX_HINTED:
            for term in self.terms:
                yield from self._language.forms.hints(term)

    def _rare_parts(self) -> frozenset[str]:
        """Return the rare characters among those that terms come apart into, where lists are too large for hints."""
        if len(self.terms) <= MAX_HINTED:
            return frozenset()
        alone = self._language.tables.pairs.alone
        return frozenset(char for row in self.parts for char in row if is_han(char) and alone(char) < RARE_PART)

    def meant(self, text: str, canon: str, scene: Scene, now: datetime) -> list[Meant]:
        """Find the terms that stand in a text, by place; one a label and place, the plainest way to see it."""
        line = Line.of(canon, text, self._language.normaliser.fold)
        standing: list[Meant] = []
        allowed: list[Meant] = []
        judge, company = self._language.verifier.judge, self._company.of
        for view in self._language.views.readings(canon, self.parts):
            if len(standing) >= MAX_STANDING:
                break
            shown = "".join([unit.read or canon[unit.first] for unit in view.units])
            found = self.automaton.find(view.sounds, overlapping=True)[:MAX_SIGHTINGS]
            for number, start, end in found:
                if len(standing) >= MAX_STANDING:
                    break
                for form in company(number, shown[start:end]) if number < self.automaton.n_forms else ():
                    if not _counts(form, scene, now):
                        continue
                    judged = judge(Sighting(form, start, end), view, line)
                    if judged is not None:
                        (allowed if form.term is None else standing).append(judged)
        standing += self._by_regex(canon, scene, now)
        whole = [hit for hit in _not_allowed(standing, allowed) if hit.term.mode is not Mode.COMBINATION]
        return _resolved([*whole, *_combined([hit for hit in standing if hit.term.mode is Mode.COMBINATION])])

    def _by_regex(self, canon: str, scene: Scene, now: datetime) -> Iterator[Meant]:
        for form, regex in self._regexes:
            if _counts(form, scene, now):
                for match in regex.finditer(canon):
                    yield Meant(form, match.start(), match.end() - 1, 1.0, ())


def _counts(form: Form, scene: Scene, now: datetime) -> bool:
    term = form.term
    return term is None or ((not term.scenes or scene in term.scenes) and term.counts_at(now))


def _combined(parts: list[Meant]) -> Iterator[Meant]:
    """Yield the combinations of which every part stands, near enough to each other; one a term, the narrowest."""
    by_term: defaultdict[Term, defaultdict[int, list[Meant]]] = defaultdict(lambda: defaultdict(list))
    for hit in parts:
        by_term[hit.term][hit.form.part].append(hit)
    for term, found in by_term.items():
        if len(found) < len(term.parts):
            continue
        spans = [
            (min(hit.first for hit in row), max(hit.last for hit in row), row)
            for row in itertools.islice(itertools.product(*found.values()), MAX_ROWS)
        ]
        first, last, row = min(spans, key=lambda span: span[1] - span[0])
        if last - first + 1 <= term.within:
            transforms = tuple(dict.fromkeys(name for hit in row for name in hit.transforms))
            yield Meant(row[0].form, first, last, min(hit.weight for hit in row), transforms)


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
