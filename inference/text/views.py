"""Ways to read a text in which something may be hidden, each as sounds with a way back to the canonical text.

Made only where a first look gave a reason to: the plain sounds, with pinyin spelt out, with emoji as words, with letters for
digits, digits as words, Han alone, and runs collapsed. What is looked for in them is not known here (`patterns.py`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from inference.text.normalise import DIGIT_BASE, Normaliser
from inference.text.shapes import MAX_PARTS

_TOKEN = re.compile(r"[a-z]+")
MIXED = re.compile(r"[a-z0-9@$!|]*[a-z][a-z0-9@$!|]*")
LEET = str.maketrans("0123456789@$!|", "oizeasgtbgasil")
"""Digits and signs to the letters they look like."""

LEET_TOO = str.maketrans("0123456789@$!|", "olzeasbtbqasli")
"""The same, by the other letters that some of them look like."""

"""Runs of letters, digits and signs with at least one letter."""

_PAIR = re.compile(r"(..)\1", re.DOTALL)
_TAIL = re.compile(r"[0-9]{5,}$")
_CALLED = {
    **dict(zip("0123456789", "零一二三四五六七八九", strict=True)),
    **dict(zip("abcdegikopqrtuvxy", "诶比西弟一机爱开哦屁球啊踢有微叉外", strict=True)),
}
"""What a digit or letter is called, by a character of that sound."""


def called_sounds(normaliser: Normaliser) -> dict[str, str]:
    """Return the sound of a digit or letter to the sound of what it is called."""
    return {normaliser.sound_of(char): normaliser.sound_of(word) for char, word in _CALLED.items()}


MAX_SPOKEN_DIGITS = 2
"""Digits in a row that may stand for syllables (6合彩); longer runs are numbers."""

N_WORDS = 3
"""Words of a symbol that are tried."""


class ViewKind(StrEnum):
    """The readings, in the order they are tried: what needs the least seeing-through comes first."""

    PLAIN = "plain"
    """Letters and digits as they are, symbols gone."""
    SPELT = "spelt"
    """Runs of Latin letters that are pinyin as syllables."""
    WORDED = "worded"
    """Symbols and emoji that stand for words spelt out, pinyin too."""
    LEET = "leet"
    """Digits and signs inside a run of letters as the letters they look like."""
    SPOKEN = "spoken"
    """One or two digits in a row, and single letters, as what they are called."""
    HAN = "han"
    """Without Latin letters and digits."""
    COMPOSED = "composed"
    """Parts of characters that stand in a row as the character they make."""
    COLLAPSED = "collapsed"
    """Runs of one sound, and of one pair of sounds, made one."""


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One sound and where it stands in the canonical text; a struct, because a reading makes one a character."""

    sound: str
    first: int
    """Index of the first canonical character it stands for."""
    last: int
    """Index of the last one (inclusive)."""
    read: str = ""
    """The character it is read as, where that is another one than is written."""


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a text."""

    kind: ViewKind
    sounds: str
    units: list[Unit]
    """Per sound."""

    @classmethod
    def of(cls, kind: ViewKind, units: list[Unit]) -> View:
        """Lay out units."""
        return cls(kind, "".join(unit.sound for unit in units), units)


class Views:
    """Reads canonical texts in every way that differs from the plain one; one instance serves every thread."""

    def __init__(self, normaliser: Normaliser) -> None:
        self._sound_of = normaliser.sound_of
        self._syllables = normaliser.syllables
        self._words = normaliser.words
        self._called = {char: (word, self._sound_of(word)) for char, word in _CALLED.items()}

    def readings(self, canon: str, parts: Mapping[str, str]) -> Iterator[View]:
        """Yield every reading of a canonical text that has a sound of its own, plainest first.

        Args:
            canon: the canonical text.
            parts: parts in a row to the character they make, for the characters that matter.
        """
        plain = self.plain(canon)
        yield View.of(ViewKind.PLAIN, plain)
        richest = plain
        has_letters = any("a" <= unit.sound <= "z" for unit in plain)
        has_digits = any(_is_digit(unit.sound) for unit in plain)
        if has_letters and (spelt := self._spelt(canon, plain)) is not None:
            richest = spelt
            yield View.of(ViewKind.SPELT, spelt)
            yield from _collapsed(canon, plain)
        for worded in self._worded(canon, richest):
            richest = worded
            yield View.of(ViewKind.WORDED, worded)
        if has_letters or has_digits:
            yield from self._with_letters(canon, plain, richest)
        composed = _composed(canon, plain if richest is plain else richest, parts, self._sound_of)
        if composed is not None:
            yield View.of(ViewKind.COMPOSED, composed)
            yield from _collapsed(canon, composed)
        yield from _collapsed(canon, richest)

    def plain(self, canon: str) -> list[Unit]:
        """Return the letters, digits and ideographs of a canonical text with their sounds."""
        words, sound_of = self._words, self._sound_of
        return [
            Unit(sound, index, index) for index, char in enumerate(canon) if ord(char) not in words and (sound := sound_of(char))
        ]

    def _spelt(self, canon: str, plain: list[Unit]) -> list[Unit] | None:
        """Spell pinyin out; None where no run of letters is pinyin."""
        split = self._syllables.split
        runs = {match.start(): parts for match in _TOKEN.finditer(canon) if (parts := split(match[0])) is not None}
        if not runs:
            return None
        units: list[Unit] = []
        done = 0
        for unit in plain:
            parts = runs.get(unit.first)
            if parts is not None:
                spelt = list(self._spelt_units(parts, unit.first))
                units += spelt
                done = spelt[-1].last + 1
            elif unit.first >= done:
                units.append(unit)
        return units

    def _spelt_units(self, parts: Iterable[str], start: int) -> Iterator[Unit]:
        for part in parts:
            yield Unit(self._syllables.class_of(part), start, start + len(part) - 1)
            start += len(part)

    def _worded(self, canon: str, units: list[Unit]) -> Iterator[list[Unit]]:
        """Yield the text with symbols spelt out, once by the likeliest words, once each by the others."""
        symbols = [(index, self._words[ord(char)]) for index, char in enumerate(canon) if ord(char) in self._words]
        n_words = min(N_WORDS, max((len(words) for _, words in symbols), default=0))
        for choice in range(n_words - 1, -1, -1):
            spoken = [
                Unit(self._sound_of(char), index, index, char)
                for index, words in symbols
                for char in words[min(choice, len(words) - 1)]
            ]
            yield sorted([*units, *spoken], key=lambda unit: unit.first)

    def _with_letters(self, canon: str, plain: list[Unit], richest: list[Unit]) -> Iterator[View]:
        for table in (LEET, LEET_TOO):
            letters = self._leet(canon, plain, table)
            if letters is not None:
                yield View.of(ViewKind.LEET, letters)
        spoken = [self._spoken(canon, unit) for unit in richest]
        if spoken != richest:
            yield View.of(ViewKind.SPOKEN, spoken)
            yield from _collapsed(canon, spoken)
        for units in [plain] if richest is plain else [plain, richest]:
            han = [unit for unit in units if unit.sound >= "\u2e80"]
            if 1 < len(han) < len(units):
                yield View.of(ViewKind.HAN, han)
                yield from _collapsed(canon, han)

    def _leet(self, canon: str, plain: list[Unit], table: Mapping[int, int]) -> list[Unit] | None:
        """Read the digits and signs of mixed runs as letters, and those runs as pinyin where they are; None without a mixed run."""
        runs = {
            match.start(): match[0].translate(table)
            for match in MIXED.finditer(canon)
            if not match[0].isalpha() and not _TAIL.search(match[0])
        }
        if not runs:
            return None
        inside = {index for start, text in runs.items() for index in range(start, start + len(text))}
        units = [unit for unit in plain if unit.first not in inside]
        for start, text in runs.items():
            parts = self._syllables.split(text)
            if parts is not None:
                units += self._spelt_units(parts, start)
            else:
                units += [Unit(char, start + index, start + index) for index, char in enumerate(text)]
        return sorted(units, key=lambda unit: unit.first)

    def _spoken(self, canon: str, unit: Unit) -> Unit:
        char = canon[unit.first]
        called = self._called.get(char) if unit.last == unit.first and not unit.read else None
        if called is None or _run(canon, unit.first) > (MAX_SPOKEN_DIGITS if char.isdecimal() else 1):
            return unit
        return Unit(called[1], unit.first, unit.last, called[0])


def _is_digit(sound: str) -> bool:
    return DIGIT_BASE <= ord(sound) < DIGIT_BASE + 10


def _run(canon: str, index: int) -> int:
    """Return how many digits, or Latin letters, stand in a row around a place; of many no more than matters."""
    kind = str.isdecimal if canon[index].isdecimal() else _is_latin
    start = end = index
    while start and index - start <= MAX_SPOKEN_DIGITS and kind(canon[start - 1]):
        start -= 1
    while end + 1 < len(canon) and end - index <= MAX_SPOKEN_DIGITS and kind(canon[end + 1]):
        end += 1
    return end - start + 1


def _is_latin(char: str) -> bool:
    return "a" <= char <= "z"


def _composed(canon: str, units: list[Unit], parts: Mapping[str, str], sound_of: Callable[[str], str]) -> list[Unit] | None:
    """Put parts together, longest first; None where nothing makes a character."""
    chars = "".join([unit.read or canon[unit.first] for unit in units])
    if not any(chars[at : at + size] in parts for size in range(2, MAX_PARTS + 1) for at in range(len(chars) - size + 1)):
        return None
    found: list[Unit] = []
    place = 0
    while place < len(units):
        for size in range(min(MAX_PARTS, len(units) - place), 1, -1):
            row = units[place : place + size]
            char = parts.get(chars[place : place + size])
            if char is not None:
                found.append(Unit(sound_of(char), row[0].first, row[-1].last, char))
                place += size
                break
        else:
            found.append(units[place])
            place += 1
    return found if len(found) < len(units) else None


def _says_again(canon: str, unit: Unit, before: Unit) -> bool:
    """Tell whether a unit is the same as another, sound and character."""
    return unit.sound == before.sound and canon[unit.first] == canon[before.first]


def _collapsed(canon: str, units: list[Unit]) -> Iterator[View]:
    """Yield the view whose repetitions are one, where there are any: first of single sounds, then of pairs as well."""
    if all(one.sound != other.sound for one, other in itertools.pairwise(units)) and not _PAIR.search(
        "".join([u.sound for u in units])
    ):
        return
    single: list[Unit] = []
    for unit in units:
        if single and _says_again(canon, unit, single[-1]):
            single[-1] = Unit(single[-1].sound, single[-1].first, unit.last, single[-1].read)
        else:
            single.append(unit)
    if len(single) < len(units):
        yield View.of(ViewKind.COLLAPSED, single)
    paired: list[Unit] = []
    for unit in units:
        paired.append(unit)
        while len(paired) >= 4 and _says_again(canon, paired[-1], paired[-3]) and _says_again(canon, paired[-2], paired[-4]):
            one, other = paired[-2], paired[-1]
            del paired[-2:]
            paired[-2:] = [
                Unit(paired[-2].sound, paired[-2].first, one.last, paired[-2].read),
                Unit(paired[-1].sound, paired[-1].first, other.last, paired[-1].read),
            ]
    if len(paired) < len(units):
        yield View.of(ViewKind.COLLAPSED, paired)
