"""Whether a hit is meant: token and word boundaries, separators between clauses, and what the written form says by itself.

Pure; it takes hits with their views and gives back how sure it is. What a term is worth is the list's business, what follows is the
policy's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inference.text.contacts import looks_like_id
from inference.text.lexicon import Mode
from inference.text.normalise import View, ViewKind
from inference.text.patterns import Hit
from inference.text.segment import Segmenter
from inference.text.tables import SYLLABLE_BASE, is_han

MAX_GAP = 16
"""Removed characters between two neighbouring characters of a term; whoever leaves more room is not read as one word."""

MAX_BOUNDARY_TEST = 3
"""Characters of the longest term whose word boundaries are tested; longer ones do not arise from two neighbours."""

CLAUSE_MARKS = frozenset("，。！？；：、,!?;:\n")
"""Marks that end a clause; a term does not run across one unless the same mark stands in every gap (加，微，信)."""

SUBSTITUTED = -2.5
"""Log price of writing one character of a term with another of the same sound."""

SPELT = -1.0
"""Log price of writing one syllable in Latin letters."""

SHORT_SOUND = 0.72
"""What is left of the score of a hit of two syllables that rests on sound alone."""

LONG_SOUND = 0.92
"""The same for three and more syllables, which ordinary language hardly makes by accident."""

_LETTERS = re.compile(r"[a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Meant:
    """A hit that stands: where in the canonical text, how sure, and what was seen through."""

    hit: Hit
    first: int
    """Index of its first canonical character."""
    last: int
    """Index of its last canonical character (inclusive)."""
    weight: float
    """What is left of the term's score, 0..1."""
    transforms: tuple[str, ...]
    """Disguises seen through, outermost first."""


class Verifier:
    """Judges hits one by one, cheapest test first; never changes after it is made."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def judge(self, hit: Hit, view: View, canon: str) -> Meant | None:
        """Return how a hit stands, or None where it is not meant."""
        first, last = view.first[hit.start], view.last[hit.end - 1]
        allowed = hit.pattern.term is None
        if hit.pattern.term is not None and hit.pattern.term.mode is Mode.EXACT and hit.kind is not ViewKind.CANONICAL:
            return None
        if hit.pattern.collapsed and (hit.kind is not ViewKind.COLLAPSED or last - first < len(hit.pattern.written)):
            return None
        if not allowed and (_cuts_token(canon, first, last, hit) or not _joined(hit, view, canon)):
            return None
        if hit.kind is ViewKind.PHONETIC:
            return None if allowed else self._judge_sound(hit, view, canon)
        if not allowed and not self._is_word(hit, view):
            return None
        return Meant(hit, first, last, hit.pattern.weight, _seen_through(hit, view, canon))

    def _is_word(self, hit: Hit, view: View) -> bool:
        """Test the word boundaries of a short Han term."""
        if hit.end - hit.start > MAX_BOUNDARY_TEST or not all(map(is_han, view.text[hit.start : hit.end])):
            return True
        return self._segmenter.stands_alone(view.text, hit.start, hit.end)

    def _judge_sound(self, hit: Hit, view: View, canon: str) -> Meant | None:
        """Weigh a hit that rests on sound: the term as it was meant against the text as it is written."""
        term = hit.pattern.term
        if term is None or term.mode is not Mode.PINYIN:
            return None
        written = [canon[view.first[i] : view.last[i] + 1] for i in range(hit.start, hit.end)]
        meant = _NOT_ALNUM.sub("", hit.pattern.written)
        n_spelt = sum(
            part.isascii() and view.text[i] >= SYLLABLE_BASE for i, part in zip(range(hit.start, hit.end), written, strict=True)
        )
        n_other = sum(part != char and is_han(part[0]) for part, char in zip(written, meant, strict=True))
        if n_spelt + n_other == 0:
            return None  # the letters themselves match: the views made of letters have judged it
        first, last = view.first[hit.start], view.last[hit.end - 1]
        if n_spelt and _splits_run(canon, first, last):
            return None
        n_sounds = sum(is_han(char) for char in meant)
        if not n_spelt and not self._sounds_meant(hit, view, canon, meant, n_other):
            return None
        weight = hit.pattern.weight * (LONG_SOUND if n_sounds > 2 or n_spelt == n_sounds else SHORT_SOUND)
        names = ("homophone",) * bool(n_other) + ("pinyin",) * bool(n_spelt)
        return Meant(hit, first, last, weight, (*names, *_seen_through(hit, view, canon)))

    def _sounds_meant(self, hit: Hit, view: View, canon: str, meant: str, n_other: int) -> bool:
        """Compare the two readings of a stretch written in Han alone."""
        chars = "".join(canon[place] for place in view.first)
        return self._segmenter.likelier(chars, (hit.start, hit.end), meant, penalty=SUBSTITUTED * n_other)


_NOT_ALNUM = re.compile(r"[\W_]+")


def _cuts_token(canon: str, first: int, last: int, hit: Hit) -> bool:
    """Tell whether the hit begins or ends inside a run of Latin letters.

    A contact id written straight behind (加vxabc123) is not the same word.
    """
    if first > 0 and _is_latin(canon[first]) and _is_latin(canon[first - 1]):
        return True
    if not (_is_latin(canon[last]) and last + 1 < len(canon) and _is_latin(canon[last + 1])):
        return False
    tail = _LETTERS.match(canon, last + 1, last + 25)
    label = hit.pattern.term.label if hit.pattern.term else ""
    return not (label == "ads.contact" and tail is not None and looks_like_id(tail[0]))


def _splits_run(canon: str, first: int, last: int) -> bool:
    """Tell whether a spelt hit is only part of a run of Latin letters."""
    before = first > 0 and _is_latin(canon[first]) and _is_latin(canon[first - 1])
    return before or (last + 1 < len(canon) and _is_latin(canon[last]) and _is_latin(canon[last + 1]))


def _is_latin(char: str) -> bool:
    return "a" <= char <= "z"


def _joined(hit: Hit, view: View, canon: str) -> bool:
    """Tell whether what was removed inside a hit may be removed: short gaps, and no clause ends in them."""
    gaps = [canon[view.last[i] + 1 : view.first[i + 1]] for i in range(hit.start, hit.end - 1) if view.first[i + 1] > view.last[i]]
    if any(len(gap) > MAX_GAP for gap in gaps):
        return False
    marked = any(not CLAUSE_MARKS.isdisjoint(gap) for gap in gaps)
    return not marked or (len(gaps) > 1 and len(set(gaps)) == 1)


def _seen_through(hit: Hit, view: View, canon: str) -> tuple[str, ...]:
    """Name the disguises of a hit that the views undid, apart from those of single characters."""
    names = [hit.pattern.transform] if hit.pattern.transform else []
    if hit.kind is ViewKind.WORDED and any(not canon[place].isalnum() for place in view.first[hit.start : hit.end]):
        names.append("emoji")
    if hit.kind is ViewKind.COLLAPSED and any(view.last[i] > view.first[i] for i in range(hit.start, hit.end)):
        names.append("repeat")
    places = range(hit.start, hit.end - 1)
    if any(not canon[j].isalnum() for i in places for j in range(view.last[i] + 1, view.first[i + 1])):
        names.append("separator")
    return tuple(names)
