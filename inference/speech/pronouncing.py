"""How a term is said: every reading of its characters as toneless syllables, and those as the units of the acoustic model.

Latin letters are read by the names that Chinese speakers give them, runs of letters that are pinyin as the syllables they spell.
What cannot be said so (a long English word) has no reading. Finding a reading in sound is `spotting.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

from inference.text.normalise import Normaliser
from inference.text.tables import is_han
from models.speech_codec import UNITS, units_of

Syllabled = tuple[str, ...]
"""Toneless syllables in the order they are said."""

MAX_READINGS = 8
"""Readings of one term, likeliest first; a term of four polyphones has up to sixteen, and nobody says the last ones."""

MAX_SPELT_OUT = 6
"""Letters of the longest run that people say letter by letter."""

MIN_PINYIN = 3
"""Letters of the shortest run that may be meant as pinyin; `QQ`, `vx` are letters."""

_LETTERS: Mapping[str, tuple[Syllabled, ...]] = {
    "a": (("ei",),),
    "b": (("bi",),),
    "c": (("xi",),),
    "d": (("di",),),
    "e": (("yi",),),
    "f": (("ai", "fu"),),
    "g": (("ji",),),
    "h": (("ai", "chi"),),
    "i": (("ai",),),
    "j": (("zhei",),),
    "k": (("kei",),),
    "l": (("ai", "le"),),
    "m": (("ai", "mu"),),
    "n": (("en",),),
    "o": (("ou",),),
    "p": (("pi",),),
    "q": (("qiu",), ("kou",)),
    "r": (("a",),),
    "s": (("ai", "si"),),
    "t": (("ti",),),
    "u": (("you",),),
    "v": (("wei",),),
    "w": (("da", "bu", "liu"),),
    "x": (("ai", "ke", "si"),),
    "y": (("wai",),),
    "z": (("zei",),),
}
"""What Chinese speakers call each letter, in syllables of Mandarin."""

_DIGITS: tuple[tuple[Syllabled, ...], ...] = (
    (("ling",),),
    (("yi",), ("yao",)),
    (("er",),),
    (("san",),),
    (("si",),),
    (("wu",),),
    (("liu",),),
    (("qi",),),
    (("ba",),),
    (("jiu",),),
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One way to say a term."""

    syllables: Syllabled
    units: tuple[int, ...]
    """Columns of the acoustic model's answer, two a syllable or one."""


class Pronouncer:
    """Says terms and writes what was heard; never changes after it is made."""

    def __init__(self, normaliser: Normaliser) -> None:
        self._normaliser = normaliser

    def readings(self, text: str) -> tuple[Spoken, ...]:
        """Return every way to say a text, likeliest first; () where a part of it cannot be said in Mandarin."""
        parts = list(self._parts(self._normaliser.canonical(text)))
        if not parts or not all(parts):
            return ()
        spoken: dict[tuple[int, ...], Spoken] = {}
        for choice in islice(product(*parts), MAX_READINGS):
            syllables = tuple(syllable for part in choice for syllable in part)
            units = tuple(unit for syllable in syllables for unit in units_of(syllable))
            spoken.setdefault(units, Spoken(syllables, units))
        return tuple(spoken.values())

    def _parts(self, canon: str) -> Iterator[tuple[Syllabled, ...]]:
        """Yield the choices for each character or run of letters; an empty choice for what cannot be said."""
        readings = self._normaliser.syllables.readings
        place = 0
        while place < len(canon):
            char = canon[place]
            end = place + 1
            if "a" <= char <= "z":
                while end < len(canon) and "a" <= canon[end] <= "z":
                    end += 1
                yield from self._run(canon[place:end])
            elif "0" <= char <= "9":
                yield _DIGITS[int(char)]
            elif is_han(char):
                yield tuple((syllable,) for syllable in readings.get(char, ()) if is_sayable(syllable))
            elif char.isalpha():
                yield ()
            place = end

    def _run(self, letters: str) -> Iterator[tuple[Syllabled, ...]]:
        """Read a run of Latin letters: as pinyin where it is some, else by the letters' names."""
        split = self._normaliser.syllables.split(letters) if len(letters) >= MIN_PINYIN else None
        if split is not None and all(is_sayable(syllable) for syllable in split):
            yield (split,)
        elif len(letters) <= MAX_SPELT_OUT:
            yield from (_LETTERS[letter] for letter in letters)
        else:
            yield ()

    def written(self, units: Sequence[int]) -> str:
        """Write units as pinyin, e.g. `jia wei xin`; a unit that makes no syllable with its neighbour stands alone."""
        said: list[str] = []
        place = 0
        while place < len(units):
            pair = self._spelling.get(tuple(units[place : place + 2]))
            said.append(pair or self._spelling.get((units[place],)) or UNITS[units[place]].partition("_")[0])
            place += 2 if pair else 1
        return " ".join(said)

    @cached_property
    def _spelling(self) -> Mapping[tuple[int, ...], str]:
        syllables = {syllable for readings in self._normaliser.syllables.readings.values() for syllable in readings}
        syllables.update(syllable for names in _LETTERS.values() for name in names for syllable in name)
        return {units_of(syllable): syllable for syllable in sorted(syllables) if is_sayable(syllable)}


def is_sayable(syllable: str) -> bool:
    """Tell whether the acoustic model has units for a syllable."""
    try:
        units_of(syllable)
    except ValueError:
        return False
    return True
