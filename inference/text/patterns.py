"""What a term looks like in the sounds of a text: itself and the ways people write it to get past a filter.

A term becomes forms, most useful first, as many as the size of the lists allows. Whether a form that was found is meant is not
decided here (`verify.py`), nor how it is searched (`automaton.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from inference.text.normalise import Normaliser
from inference.text.shapes import Shapes
from inference.text.syllables import merged
from inference.text.tables import Alias, Tables, is_han
from inference.text.terms import Mode, Term

MAX_CHARS = 65_536
"""Characters whose sounds are remembered while patterns are made."""

MAX_READINGS = 8
"""Sounds of one way to write a term; polyphones multiply."""

N_FORMS = 80_000
"""Forms that all lists together may have: with more of two sounds each, every text holds one, and each is looked into."""

FORMS_PER_TERM = range(4, 1201)
"""At least so many forms a term has however large the lists, and at most so many however small."""

MIN_REVERSED = 2
MIN_INITIALS = 3
"""Letters of the shortest initials that mean something without characters beside them; shorter ones are listed as aliases."""

MIN_COLLAPSED = 2
MAX_MIXED = 4
"""Syllables of the longest term whose initials are mixed with characters; longer terms lose nothing by it."""


class Technique(StrEnum):
    """Ways to write a term that are forms of their own; what a reading undoes is named by its view."""

    WRITTEN = ""
    """As listed, or in characters of the same sound."""
    ALIAS = "alias"
    PINYIN = "pinyin"
    REVERSED = "reversed"
    INITIALS = "initials"
    SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class Form:
    """One way a term is looked for."""

    term: Term | None
    """None for an allowed phrase."""
    ref: str
    """The list and its version; empty for an allowed phrase."""
    pieces: tuple[str, ...]
    """Per sound of the pattern: the canonical text that is expected to be written there."""
    technique: Technique = Technique.WRITTEN
    transform: str = ""
    """Name of the disguise that this form is by itself; empty for the term as listed."""
    weight: float = 1.0
    """What is left of the term's score where it is written so, 0..1."""
    meant: str = ""
    """What the term says: its own letters, digits and ideographs, folded."""
    needs_cue: bool = False
    """Whether it only counts beside words that offer or accuse."""
    part: int = 0
    """Of a combination: which of its parts this is."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form and the sounds it is found by."""

    sounds: str
    form: Form


class Forms:
    """Makes the patterns of terms; one instance serves every generation of lists."""

    def __init__(self, tables: Tables, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._syllables = normaliser.syllables
        self._aliases: Sequence[Alias] = tables.aliases
        self._heads = frozenset(alias.concept[0] for alias in tables.aliases)
        self._sound_of = lru_cache(maxsize=MAX_CHARS)(normaliser.sound_of)
        self._ways = lru_cache(maxsize=MAX_CHARS)(self._sounds_of)
        self._shapes: Shapes = tables.shapes

    def of_term(self, term: Term, ref: str, n_max: int) -> list[Pattern]:
        """Return the patterns of a term, at most `n_max`, most useful first."""
        if term.mode is Mode.REGEX:
            return []
        if term.mode is Mode.COMBINATION:
            return [pattern for part, text in enumerate(term.parts) for pattern in self._part(term, ref, part, text)]
        own = self._plain(term.text)
        if len(own) < 2:
            return []
        made = self._disguised(term, ref, own) if term.mode is not Mode.EXACT else iter(())
        found: dict[tuple[str, tuple[str, ...]], Pattern] = {}
        for pattern in itertools.chain(self._sounded(Form(term, ref, own)), made):
            found.setdefault((pattern.sounds, pattern.form.pieces), pattern)
            if pattern.form.technique is Technique.WRITTEN and (single := self.collapsed(pattern)) is not None:
                found.setdefault((single.sounds, single.form.pieces), single)
            if len(found) >= n_max:
                break
        meant = "".join(own)
        return [Pattern(pattern.sounds, _meaning(pattern.form, meant)) for pattern in found.values()]

    def collapsed(self, pattern: Pattern) -> Pattern | None:
        """Return how a pattern looks where repetitions are made one, or None where it has none (时时彩 does)."""
        form = pattern.form
        if len(set(pattern.sounds)) == len(pattern.sounds):
            return None
        runs = [(sound, "".join(form.pieces[i] for i, _ in group)) for sound, group in _runs(pattern.sounds)]
        if len(runs) == len(pattern.sounds) or len(runs) < MIN_COLLAPSED:
            return None
        return Pattern("".join(sound for sound, _ in runs), replace(form, pieces=tuple(pieces for _, pieces in runs)))

    def of_phrase(self, phrase: str) -> list[Pattern]:
        """Return the patterns of an allowed phrase."""
        own = self._plain(phrase)
        return list(self._sounded(Form(None, "", own))) if own else []

    def _plain(self, text: str) -> tuple[str, ...]:
        """Return the letters, digits and ideographs of a text, folded."""
        return tuple([char for char in self._normaliser.canonical(text) if char.isalnum() and self._sound_of(char)])

    def _part(self, term: Term, ref: str, part: int, text: str) -> Iterator[Pattern]:
        own = self._plain(text)
        if own:
            yield from self._sounded(Form(term, ref, own, meant=text, part=part))
            for alias in self._aliased("".join(own)):
                yield from self._sounded(replace(alias, term=term, ref=ref, meant=text, part=part))

    def _sounded(self, form: Form) -> Iterator[Pattern]:
        """Yield the ways written pieces sound, main readings first."""
        options = [self._ways(piece) for piece in form.pieces]
        for sounds in itertools.islice(itertools.product(*options), MAX_READINGS):
            yield Pattern("".join(sounds), form)

    def _sounds_of(self, piece: str) -> Sequence[str]:
        """Return the ways one written piece sounds, main reading first."""
        return self._syllables.classes(piece) or (self._normaliser.sound_of(piece),)

    def _disguised(self, term: Term, ref: str, own: tuple[str, ...]) -> Iterator[Pattern]:
        """Yield a term's disguises, most useful first."""
        aliases = list(self._aliased("".join(own)))
        heard = term.mode is Mode.PINYIN and any(map(is_han, own))
        for alias in aliases:
            yield from self._sounded(replace(alias, term=term, ref=ref))
        if heard:
            yield from self._pinyin(term, ref, own)
            yield from self._initials(term, ref, own)
        if len(own) >= MIN_REVERSED and own[::-1] != own:
            yield from self._sounded(Form(term, ref, own[::-1], Technique.REVERSED, "reversed", 0.8))
        yield from self._alike(term, ref, own)
        if heard:
            for alias in aliases:
                if any(map(is_han, alias.pieces)) and alias.weight >= 0.95:
                    yield from self._pinyin(term, ref, alias.pieces)

    def _aliased(self, own: str) -> Iterator[Form]:
        """Yield what a term becomes when concepts in it are written otherwise; forms without term, for their pieces and weight."""
        if self._heads.isdisjoint(own):
            return
        spelt = {own: Form(None, "", tuple(own))}
        for alias in self._aliases:
            for text, form in list(spelt.items()):
                if alias.concept in text and len(spelt) < FORMS_PER_TERM.stop:
                    written = text.replace(alias.concept, alias.variant)
                    weight = round(form.weight * alias.weight, 3)
                    cue = form.needs_cue or alias.needs_cue
                    pieces = self._plain(written)
                    spelt.setdefault(written, Form(None, "", pieces, Technique.ALIAS, alias.transform, weight, needs_cue=cue))
        del spelt[own]
        yield from spelt.values()

    def _pinyin(self, term: Term, ref: str, own: tuple[str, ...]) -> Iterator[Pattern]:
        """Yield a term in Latin letters; a region's way to spell it as well."""
        readings = [self._syllables.readings.get(piece, [piece])[:2] for piece in own]
        for syllables in itertools.islice(itertools.product(*readings), 4):
            for spelt in dict.fromkeys((syllables, tuple(map(merged, syllables)))):
                letters = "".join(spelt)
                form = Form(term, ref, tuple(letters), Technique.PINYIN, "pinyin", 0.95 if spelt == syllables else 0.9)
                yield Pattern(letters, form)

    def _initials(self, term: Term, ref: str, own: tuple[str, ...]) -> Iterator[Pattern]:
        """Yield a term's initials, and for short terms every mixture of initials and characters."""
        firsts = [self._syllables.readings[piece][0][0] if piece in self._syllables.readings else piece for piece in own]
        for taken in _choices(len(own)):
            pieces = tuple(first if short else piece for first, piece, short in zip(firsts, own, taken, strict=True))
            n_han = len(pieces) - sum(taken)
            if pieces != own and (n_han or len(pieces) >= MIN_INITIALS):
                yield from self._sounded(Form(term, ref, pieces, Technique.INITIALS, "initials", 0.85))

    def hints(self, term: Term) -> Iterator[str]:
        """Yield sounds of two of a term's characters in a row, one or both written in parts: they ask for a closer look."""
        if term.mode in (Mode.EXACT, Mode.REGEX):
            return
        own = self._plain(term.text)
        for one, other in itertools.pairwise(own):
            ways, others = self._shapes.of(one).apart, self._shapes.of(other).apart
            pairs = itertools.chain(
                ((way, other) for way in ways), ((one, way) for way in others), itertools.product(ways[:8], others[:8])
            )
            for left, right in pairs:
                yield "".join(map(self._sound_of, left + right))

    def composer(self, terms: Iterable[Term]) -> Mapping[str, str]:
        """Return parts in a row to the character they make, for the characters of terms."""
        return self._shapes.composer(sorted({char for term in terms for char in self._plain(term.text)}))

    def _alike(self, term: Term, ref: str, own: tuple[str, ...]) -> Iterator[Pattern]:
        """Yield a term with characters that look like its own: one, then in short terms two."""
        alike = [self._shapes.of(piece).alike for piece in own]
        for index, others in enumerate(alike):
            for char in others:
                pieces = (*own[:index], char, *own[index + 1 :])
                yield from self._main(Form(term, ref, pieces, Technique.SHAPE, "shape", 0.92))
        if 2 < len(own) <= MAX_MIXED:  # of two characters one is left as it is, or nobody reads it
            for one, other in itertools.combinations(range(len(own)), 2):
                for first, second in itertools.product(alike[one][:12], alike[other][:12]):
                    pieces = (*own[:one], first, *own[one + 1 : other], second, *own[other + 1 :])
                    yield from self._main(Form(term, ref, pieces, Technique.SHAPE, "shape", 0.88))

    def _main(self, form: Form) -> Iterator[Pattern]:
        """Yield the one sound of pieces that are a disguise of a disguise: main readings only."""
        sounds = "".join(map(self._sound_of, form.pieces))
        if len(sounds) == len(form.pieces):  # a stroke that folds to a dot has none
            yield Pattern(sounds, form)


def _runs(sounds: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    for sound, group in itertools.groupby(enumerate(sounds), key=lambda place: place[1]):
        yield sound, list(group)


@lru_cache(maxsize=128)
def _choices(n: int) -> tuple[tuple[bool, ...], ...]:
    """Return which characters are initials: all; in short terms every mixture, in long ones one run of them."""
    if n <= MAX_MIXED:
        some = [taken for taken in itertools.product((True, False), repeat=n) if 0 < sum(taken) < n]
    else:
        runs = itertools.combinations(range(n + 1), 2)
        some = [tuple(start <= index < end for index in range(n)) for start, end in runs if 0 < end - start < n]
    return ((True,) * n, *some)


def _meaning(form: Form, meant: str) -> Form:
    """Return a form with what its term says; by hand, because `dataclasses.replace` takes four times as long."""
    return Form(form.term, form.ref, form.pieces, form.technique, form.transform, form.weight, meant, form.needs_cue, form.part)


def forms_per_term(n_terms: int) -> int:
    """Return how many forms a term may have when there are so many terms."""
    wanted = N_FORMS // max(n_terms, 1)
    return min(max(wanted, FORMS_PER_TERM.start), FORMS_PER_TERM.stop - 1)
