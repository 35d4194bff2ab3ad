"""Views of a text that undo disguises, each with a way back to the text as it was sent.

canonical: width, case, script and look-alikes folded, invisible characters gone; stripped: only letters and digits of it;
worded: emoji that stand for words spelt out, then stripped; collapsed: runs of one character made one; phonetic: every syllable,
written in Han or in pinyin, one private-use character. What is looked for in the views is not known here (`lexicon.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inference.text.tables import SYLLABLE_BASE, Tables

_NOT_ALNUM = re.compile(r"[\W_]+")
_NOT_SOUND = re.compile(rf"[^\w{SYLLABLE_BASE}-\uf8ff]+|_+")
_RUN = re.compile(r"(.)\1+", re.DOTALL)
_RUNS = re.compile(r"(.)\1*", re.DOTALL)
_PIECE = re.compile(r"[a-z]+|.", re.DOTALL)
_LATIN = re.compile(r"[a-z]+")

MAX_PINYIN_RUN = 48
"""Letters; a longer run of Latin letters is no pinyin anybody types, and segmenting it would cost."""


class ViewKind(StrEnum):
    """The views, in the order they are searched: what needs the least seeing-through comes first."""

    CANONICAL = "canonical"
    STRIPPED = "stripped"
    WORDED = "worded"
    COLLAPSED = "collapsed"
    PHONETIC = "phonetic"


@dataclass(frozen=True, slots=True)
class View:
    """One view of a text and where each of its characters stood in the canonical view."""

    kind: ViewKind
    text: str
    first: list[int]
    """Per character: index of the first canonical character it stands for."""
    last: list[int]
    """Per character: index of the last canonical character it stands for (inclusive)."""


class Normaliser:
    """Makes the views; one instance serves every thread, it never changes after it is made."""

    def __init__(self, tables: Tables) -> None:
        self._fold = tables.fold
        self._words = tables.words_for_symbols
        self._syllable_of = tables.syllable_of
        self._spellings = tables.spellings
        self._symbols = frozenset(chr(code) for code in self._words)

    def canonical(self, text: str) -> str:
        """Fold width, case, traditional characters and look-alikes; drop what cannot be seen."""
        return text.translate(self._fold)

    def strings(self, canon: str) -> Iterator[tuple[ViewKind, str]]:
        """Yield the other views of a canonical text that differ from it, without maps: the quick first look."""
        plain = canon
        if not canon.isalnum():
            plain = _NOT_ALNUM.sub("", canon)
            yield ViewKind.STRIPPED, plain
            if not self._symbols.isdisjoint(canon):
                plain = _NOT_ALNUM.sub("", canon.translate(self._words))
                yield ViewKind.WORDED, plain
        if len(set(plain)) < len(plain):
            single = _RUN.sub(r"\1", plain)
            if len(single) < len(plain):
                yield ViewKind.COLLAPSED, single
        yield ViewKind.PHONETIC, self.phonetic(canon)

    def phonetic(self, canon: str) -> str:
        """Write every syllable of a canonical text as one private-use character; other letters and digits stay."""
        spelt = canon if self._symbols.isdisjoint(canon) else canon.translate(self._words)
        if not spelt.isdecimal():
            spelt = _LATIN.sub(lambda run: self._spell(run[0]), spelt).translate(self._syllable_of)
        return _NOT_SOUND.sub("", spelt)

    def origins(self, text: str) -> list[int]:
        """Return, for each character of the canonical view, the index of the character sent that it came from."""
        fold = self._fold
        back: list[int] = []
        for index, char in enumerate(text):
            target = fold.get(ord(char), char)
            if target is not None:
                back.extend([index] * len(target))
        return back

    def view(self, kind: ViewKind, canon: str) -> View:
        """Build one view of a canonical text together with its map; done only for texts with a candidate."""
        if kind is ViewKind.CANONICAL:
            places = list(range(len(canon)))
            return View(kind, canon, places, places)
        if kind is ViewKind.PHONETIC:
            return self._phonetic_view(canon)
        view = self._stripped_view(kind, canon, worded=kind is not ViewKind.STRIPPED)
        return _collapsed(view) if kind is ViewKind.COLLAPSED else view

    def sounds(self, char: str) -> Sequence[str]:
        """Return the readings of one canonical character, main one first, as private-use characters."""
        return self._spellings.readings.get(char, ())

    def _spell(self, run: str) -> str:
        """Return the syllables of a run of Latin letters as private-use characters, or the run itself where it is no pinyin."""
        return "".join(sound for _, sound in self._sounded(run))

    def _expanded(self, canon: str, *, worded: bool) -> View:
        """Spell symbols out where asked, and say where each character comes from."""
        if not worded or self._symbols.isdisjoint(canon):
            places = list(range(len(canon)))
            return View(ViewKind.CANONICAL, canon, places, places)
        chars: list[str] = []
        places = []
        for index, char in enumerate(canon):
            spelt = self._words.get(ord(char), char)
            chars.append(spelt)
            places.extend([index] * len(spelt))
        return View(ViewKind.CANONICAL, "".join(chars), places, places)

    def _stripped_view(self, kind: ViewKind, canon: str, *, worded: bool) -> View:
        source = self._expanded(canon, worded=worded)
        kept = [index for index, char in enumerate(source.text) if char.isalnum()]
        places = [source.first[index] for index in kept]
        return View(kind, "".join(source.text[index] for index in kept), places, places)

    def _phonetic_view(self, canon: str) -> View:
        source = self._expanded(canon, worded=True)
        chars: list[str] = []
        first: list[int] = []
        last: list[int] = []
        for piece in _PIECE.finditer(source.text):
            start = piece.start()
            for part, sound in self._sounded(piece[0]):
                if sound:
                    chars.append(sound)
                    first.append(source.first[start])
                    last.append(source.last[start + len(part) - 1])
                start += len(part)
        return View(ViewKind.PHONETIC, "".join(chars), first, last)

    def _sounded(self, piece: str) -> Iterator[tuple[str, str]]:
        """Yield the parts of one piece (a run of Latin letters or one character), each with what it becomes."""
        if not _LATIN.match(piece):
            sound = self._syllable_of.get(ord(piece), piece)
            yield piece, sound if sound != piece or piece.isalnum() else ""
            return
        found = self._spellings.split(piece) if len(piece) <= MAX_PINYIN_RUN else None
        for part in found or piece:
            yield part, self._spellings.sound(part) if found else part


def _collapsed(view: View) -> View:
    """Make every run of one character a single one that stands for the whole run."""
    runs = [(match.start(), match.end()) for match in _RUNS.finditer(view.text)]
    return View(
        ViewKind.COLLAPSED,
        "".join(view.text[start] for start, _ in runs),
        [view.first[start] for start, _ in runs],
        [view.last[end - 1] for _, end in runs],
    )
