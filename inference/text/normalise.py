"""One character at a time: what a character is without disguise, and the one character that stands for its sound.

The canonical text folds width, case, script and look-alikes and drops what cannot be seen. The sound of a text is one string in
which every syllable is the character of its class, digits are marked, and everything between is gone: one `str.translate` makes it,
one pass of the automaton searches it. What else may be hidden (pinyin, emoji, repetition) is `views.py`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
from numpy.typing import NDArray

from inference.text.tables import Tables

DIGIT_BASE = 0xE0
"""Code point that stands for 0 in the sound of a text, `à`; 9 is `é`. Folding leaves no accents, so they are free."""

MARK = "\u00ff"
"""Stands in the sound of a text for a symbol that means a word or folds to several characters: look closer."""

SEPARATOR = "\x00"
"""Between texts that are sounded together; no text may hold it."""

N_TABLE = 0x32000
"""Code points in the table for batches; nothing above is a letter, a digit or an ideograph."""

_DROPPED = np.uint32(0xFFFFFFFF)
_PRECOMPUTED = (range(0, 0xAC00), range(0xD7B0, 0x10000), range(0x1F000, 0x1FC00))


class _Sounds(dict[int, str | None]):
    """Code point to its sound; what is not kept is worked out anew, so that no sender can make it grow."""

    def __init__(self, fold: Mapping[int, str | None], classes: Mapping[str, str], words: Container[int]) -> None:
        super().__init__()
        self._fold, self._classes, self._words = fold, classes, words

    def __missing__(self, code: int) -> str | None:
        folded = self._fold.get(code, chr(code))
        if folded is None:
            return None
        if code in self._words:
            return MARK
        if len(folded) > 1:
            return MARK if any(map(str.isalnum, folded)) else None
        return self.of(folded)

    def of(self, char: str) -> str | None:
        """Return the sound of a canonical character; None for what is neither letter nor digit."""
        if "0" <= char <= "9":
            return chr(DIGIT_BASE + ord(char) - ord("0"))
        if ord(char) in self._words:
            return MARK
        return self._classes.get(char, char if char.isalnum() else None)


class Normaliser:
    """Folds and sounds texts; one instance serves every thread, it never changes after it is made."""

    def __init__(self, tables: Tables) -> None:
        self.fold = tables.fold
        """Code point to what it folds to, for `str.translate`."""
        self.words = tables.words_for_symbols
        """Code point of a canonical symbol to the words it may stand for, likeliest first."""
        self.syllables = tables.syllables
        self._by_char = _Sounds(self.fold, self.syllables.main_classes(), self.words)
        for block in _PRECOMPUTED:
            self._by_char.update((code, self._by_char[code]) for code in block)
        self.sounds: Mapping[int, str | None] = self._by_char
        """Code point as sent to its sound, for `str.translate`."""

    def canonical(self, text: str) -> str:
        """Fold width, case, traditional characters and look-alikes; drop what cannot be seen."""
        return text.translate(self.fold)

    def sound(self, text: str) -> str:
        """Return the sound of a text as sent: syllables as characters of their classes, digits marked, the rest as letters."""
        return text.translate(self.sounds)

    def sound_of(self, char: str) -> str:
        """Return the sound of one canonical character; empty for what is neither letter, digit nor a symbol for a word."""
        return self._by_char.of(char) or ""

    def origins(self, text: str) -> list[int]:
        """Return, for each character of the canonical text, the index of the character sent that it came from."""
        fold = self.fold
        back: list[int] = []
        for index, char in enumerate(text):
            target = fold.get(ord(char), char)
            if target is not None:
                back.extend([index] * len(target))
        return back


class BatchSounds:
    """The sounds of many texts at once, through one table look-up of numpy; the same strings as `Normaliser.sound` gives."""

    def __init__(self, normaliser: Normaliser) -> None:
        sounds = normaliser.sounds
        found = [sounds[code] for code in range(N_TABLE)]
        self._table: NDArray[np.uint32] = np.array([_DROPPED if one is None else ord(one) for one in found], dtype=np.uint32)
        self._table[ord(SEPARATOR)] = ord(SEPARATOR)

    def sound(self, joined: str) -> str:
        """Return the sound of texts joined by SEPARATOR, joined by it again."""
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        sounds = self._table.take(codes, mode="clip")
        return str(sounds[sounds != _DROPPED].tobytes(), "utf-32-le")
