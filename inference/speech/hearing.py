"""From the acoustic model's answers to the terms that were said: which of the paths that fit are meant, when, and how surely. Pure.

Several paths may fit one place: a term inside a longer one, terms that sound nearly alike, a term inside an allowed phrase. What
says most about the place stands; a term inside another stands too where it is about something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.speech.confidence import SpottingRules
from inference.speech.pronouncing import Pronouncer
from inference.speech.spotting import NEVER, PathHit, find, greedy, ratios
from inference.speech.stretches import Posteriors
from inference.speech.vocabulary import Listed, Vocabulary
from inference.speech.weighing import clarity, weighed
from inference.verdicts import Span
from models.speech_codec import FRAME_S

AROUND = 250
"""Posterior frames before and behind a term whose sounds are told with it: 10 s, so that all terms of a window share one line."""

SAME_PLACE = 0.4
"""Two hits that share this much of the shorter one are about the same sounds."""

MAX_HITS = 64
"""Terms told of one clip, those that say most first; a clip with more has long been judged."""

ROOM = 1.25
"""The floor times this is where evidence begins to count, so that a hit at the floor still says something for each of its units."""


@dataclass(frozen=True, slots=True)
class HeardLine:
    """What was heard around a term, as pinyin."""

    text: str
    span: Span
    """The term's sounds in it, code points."""

    @property
    def inside(self) -> str:
        """The sounds of the term alone."""
        return self.text[self.span.start : self.span.end]


@dataclass(frozen=True, slots=True)
class HeardTerm:
    """One place where something on the lists was said."""

    listed: tuple[Listed, ...]
    """The terms that are said so, one of each label that no surer hit has here already."""
    hit: PathHit
    """Rows of the posteriors, and the score a unit."""
    first: int
    """Posterior frame of the clip in which it begins."""
    end: int
    """Posterior frame of the clip behind it."""
    confidence: float
    """Calibrated, 0..1."""


def listen(posteriors: Posteriors, vocabulary: Vocabulary, rules: SpottingRules, *, share: float = 1.0) -> tuple[HeardTerm, ...]:
    """Find what is said of a vocabulary.

    Args:
        posteriors: of one clip.
        vocabulary: what is listened for.
        rules: the acoustic model's.
        share: above 1, what falls short of the floors is told too, down to the floor times this.

    Returns:
        hits in the order of time.
    """
    if not len(posteriors.places) or not len(vocabulary.paths):
        return ()
    ratio = ratios(posteriors.log_probs, rules.numbers)
    ratio[posteriors.walls] = NEVER
    n_syllables = np.array([len(spoken.syllables) for spoken in vocabulary.spoken], np.int32)
    frames = np.ceil(n_syllables * (rules.numbers.max_syllable_s / FRAME_S)).astype(np.int32)
    floors = rules.floors(n_syllables, share=share)
    hits = find(ratio, vocabulary.paths, floors, rules.numbers, max_frames=frames)
    ranked = sorted(
        _worth(hits, posteriors, n_syllables, floors, rules), key=lambda hit: _evidence(hit, vocabulary, rules, share), reverse=True
    )
    standing = [_heard(hit, listed, posteriors, vocabulary, rules) for hit, listed in _resolved(ranked, vocabulary)]
    return tuple(sorted(standing, key=lambda one: (one.first, one.end)))


def line_of(posteriors: Posteriors, hit: PathHit, pronouncer: Pronouncer) -> HeardLine:
    """Write what was heard around a hit, and where in it the hit lies."""
    low = max(0, hit.start - AROUND)
    units = [(low + frame, unit) for frame, unit in greedy(posteriors.log_probs[low : hit.end + AROUND])]
    before = pronouncer.written([unit for frame, unit in units if frame < hit.start])
    inside = pronouncer.written([unit for frame, unit in units if hit.start <= frame < hit.end])
    behind = pronouncer.written([unit for frame, unit in units if frame >= hit.end])
    start = len(before) + 1 if before and inside else len(before)
    return HeardLine(" ".join(filter(None, (before, inside, behind))), Span(start, start + len(inside)))


def _worth(
    hits: Sequence[PathHit],
    posteriors: Posteriors,
    n_syllables: NDArray[np.int32],
    floors: NDArray[np.float32],
    rules: SpottingRules,
) -> Iterator[PathHit]:
    """Yield the hits that are clear and still reach their floors, with what they are worth."""
    for hit in hits:
        if (clear := clarity(posteriors.log_probs, hit)) >= rules.min_clarity:
            worth = weighed(hit, clear, int(n_syllables[hit.path]), rules.numbers)
            if worth.score >= floors[hit.path]:
                yield worth


def _evidence(hit: PathHit, vocabulary: Vocabulary, rules: SpottingRules, share: float) -> float:
    spoken = vocabulary.spoken[hit.path]
    return (hit.score - ROOM * share * rules.floor(len(spoken.syllables))) * len(spoken.units)


def _resolved(ranked: Sequence[PathHit], vocabulary: Vocabulary) -> Iterator[tuple[PathHit, tuple[Listed, ...]]]:
    """Yield the hits that stand, with the terms they stand for: what is surer goes first and takes its place."""
    taken: list[tuple[PathHit, frozenset[str]]] = []
    quiet = [hit for hit in ranked if not vocabulary.listed[hit.path]]
    for hit in ranked:
        listed = vocabulary.listed[hit.path]
        if not listed or any(_inside(hit, other, vocabulary) for other in quiet):
            continue
        labels = set[str]()
        for other, its_labels in taken:
            if hit.overlap(other) >= SAME_PLACE:
                related = _nested(hit, other, vocabulary)
                labels |= its_labels if related else {one.term.label for one in listed}
        fresh = {one.term.label: one for one in reversed(listed) if one.term.label not in labels}
        if fresh and len(taken) < MAX_HITS:
            taken.append((hit, frozenset(fresh)))
            yield hit, tuple(fresh.values())


def _inside(hit: PathHit, phrase: PathHit, vocabulary: Vocabulary) -> bool:
    """Tell whether a term is heard as part of an allowed phrase."""
    return hit.overlap(phrase) >= SAME_PLACE and _holds(vocabulary.spoken[phrase.path].units, vocabulary.spoken[hit.path].units)


def _nested(one: PathHit, other: PathHit, vocabulary: Vocabulary) -> bool:
    short, long = sorted((vocabulary.spoken[hit.path].units for hit in (one, other)), key=len)
    return _holds(long, short)


def _holds(long: tuple[int, ...], short: tuple[int, ...]) -> bool:
    return any(long[start : start + len(short)] == short for start in range(len(long) - len(short) + 1))


def _heard(
    hit: PathHit, listed: tuple[Listed, ...], posteriors: Posteriors, vocabulary: Vocabulary, rules: SpottingRules
) -> HeardTerm:
    confidence = rules.confidence(hit.score, len(vocabulary.spoken[hit.path].syllables))
    first, last = int(posteriors.places[hit.start]), int(posteriors.places[hit.end - 1])
    return HeardTerm(listed, hit, first, last + 1, confidence)
