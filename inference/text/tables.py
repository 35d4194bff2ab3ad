"""The data tables of the text engine, read once from the package: folding, syllables, word counts, aliases.

It owns the files of `tables/` (made by `build_tables.py` or by hand) and nothing else; what is done with them is `normalise.py`,
`segment.py` and `lexicon.py`.
"""

from __future__ import annotations

import gzip
import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).with_name("tables")

SYLLABLE_BASE = "\ue000"
"""First of the private-use characters that stand for syllables; 419 are in use. Folding drops what a text has of them."""

MAX_SYLLABLE = 6
"""Letters of the longest syllable (`zhuang`)."""

_FOLDED = (
    range(0x0000, 0x3400),
    range(0xA000, 0xAC00),
    range(0xD7B0, 0x10000),
    range(0x1D400, 0x1D800),
    range(0x1F100, 0x1F270),
    range(0x1FBF0, 0x1FBFA),
    range(0x2F800, 0x2FA20),
    range(0xE0000, 0xE01F0),
)
"""Blocks in which a character may fold to something else; Han and Hangul syllables have their own table or none."""

_BLANKS = frozenset({0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800})
"""Letters and patterns that show nothing: Hangul fillers and the empty Braille cell."""

_DROPPED = frozenset({"Cf", "Cc", "Cn", "Co", "Cs", "Mn", "Me"})
_SPACES = frozenset({"Zs", "Zl", "Zp"})
_CONTROL_SPACES = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")


def is_han(char: str) -> bool:
    """Tell whether a character is of the main Han block or its first extension."""
    return "\u3400" <= char <= "\u9fff"


def fold_character(char: str) -> str | None:
    """Return what one character folds to by Unicode's own rules, or None where it shows nothing.

    Compatibility forms become what they stand for, letters lose marks and case, digits of any script become ASCII; `(a)` and `1.`
    made from one character lose their wrapping.
    """
    code, category = ord(char), unicodedata.category(char)
    if category in _SPACES or char in _CONTROL_SPACES:
        return " "
    if category in _DROPPED or code in _BLANKS:
        return None
    if (letter := _enclosed_letter(code)) is not None:
        return letter
    if (digit := unicodedata.digit(char, None)) is not None:
        return str(digit)
    text = unicodedata.normalize("NFKC", char)
    if len(text) > 1:
        text = text.strip("().") or text
    text = unicodedata.normalize("NFKD", text.casefold()) if text < "\u0530" else text.casefold()
    text = "".join(part for part in text if unicodedata.category(part) not in _DROPPED)
    return text or None


def _enclosed_letter(code: int) -> str | None:
    """Return the letter of a squared, circled or regional letter that Unicode gives no decomposition."""
    for start in (0x1F110, 0x1F130, 0x1F150, 0x1F170, 0x1F1E6):
        if start <= code < start + 26:
            return chr(ord("a") + code - start)
    return None


@dataclass(frozen=True, slots=True)
class Alias:
    """One other way to write a concept."""

    concept: str
    variant: str
    transform: str
    """Name of the disguise: `homophone` or `alias`."""
    weight: float
    """What is left of a term's score where it is written so and nothing else speaks for it, 0..1."""


class Spellings:
    """Toneless syllables: their private-use characters, how Han is read, and how Latin runs split into them.

    Second readings count only for characters that people really read in two ways; dictionaries list many more.
    """

    def __init__(self, lines: list[str], polyphones: str) -> None:
        self.readings: defaultdict[str, list[str]] = defaultdict(list)
        self._codes: dict[str, str] = {}
        others: list[tuple[str, str]] = []
        for index, line in enumerate(lines):
            syllable, main, other = line.split("\t")
            code = chr(ord(SYLLABLE_BASE) + index)
            self._codes[syllable] = code
            for char in main:
                self.readings[char].append(code)
            others.extend((char, code) for char in other if char in polyphones)
        for char, code in others:
            self.readings[char].append(code)
        self._codes = {key: code for key, code in self._codes.items() if set(key) & set("aeiouv")}
        for typed, meant in (("lue", "lve"), ("nue", "nve")):
            self._codes.setdefault(typed, self._codes[meant])

    def sound(self, syllable: str) -> str:
        """Return the private-use character of a syllable.

        Raises:
            KeyError: there is no such syllable.
        """
        return self._codes[syllable]

    def split(self, run: str) -> list[str] | None:
        """Split a run of Latin letters into as few syllables as cover it, or None where none do; linear in its length."""
        best: list[tuple[int, int] | None] = [(0, 0)] + [None] * len(run)
        for end in range(1, len(run) + 1):
            for start in range(max(0, end - MAX_SYLLABLE), end):
                before = best[start]
                if before is not None and run[start:end] in self._codes:
                    here = best[end]
                    if here is None or before[0] + 1 < here[0]:
                        best[end] = (before[0] + 1, start)
        parts: list[str] = []
        end = len(run)
        while end:
            step = best[end]
            if step is None:
                return None
            parts.append(run[step[1] : end])
            end = step[1]
        return parts[::-1]


@dataclass(frozen=True)
class Tables:
    """Everything the text engine reads from its package."""

    folder: Path = FOLDER

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Tables:
        """Point at the tables; each is read when it is first asked for."""
        return cls(folder)

    @cached_property
    def fold(self) -> dict[int, str | None]:
        """Code point to what it folds to; about 12,000 entries, made in some 50 ms from Python's own Unicode data."""
        table: dict[int, str | None] = {}
        looks = {ord(char): target for _, source, target in self._folds("look") for char in source}
        simple = {ord(old): new for old, new in self._simplified.items()}
        table.update(simple)
        for block in _FOLDED:
            for code in block:
                folded = fold_character(chr(code))
                if folded is not None:
                    folded = folded.translate(simple).translate(looks)
                if folded != chr(code):
                    table[code] = folded
        return table

    @cached_property
    def _simplified(self) -> dict[str, str]:
        source, target = (self.folder / "simplified.txt").read_text("utf-8").splitlines()
        return dict(zip(source, target, strict=True))

    @cached_property
    def traditional(self) -> frozenset[str]:
        """Characters that have a simplified form."""
        return frozenset(self._simplified)

    @cached_property
    def words_for_symbols(self) -> Mapping[int, str]:
        """Symbols and emoji that stand for a word, by code point."""
        return {ord(char): target for _, source, target in self._folds("word") for char in source}

    @cached_property
    def spellings(self) -> Spellings:
        """The syllables."""
        lines = (self.folder / "syllables.tsv").read_text("utf-8").splitlines()
        return Spellings(lines, (self.folder / "polyphones.txt").read_text("utf-8"))

    @cached_property
    def syllable_of(self) -> Mapping[int, str]:
        """Han code point to the private-use character of its main reading."""
        return {ord(char): sounds[0] for char, sounds in self.spellings.readings.items()}

    @cached_property
    def word_costs(self) -> Mapping[str, float]:
        """Word to the natural logarithm of its share among all words counted (negative)."""
        lines = gzip.decompress((self.folder / "words.tsv.gz").read_bytes()).decode().splitlines()
        lines += (self.folder / "modern_words.tsv").read_text("utf-8").splitlines()
        counts = {word: int(count) for word, count in (line.split("\t") for line in lines)}
        total = math.log(sum(counts.values()))
        return {word: math.log(count) - total for word, count in counts.items()}

    @cached_property
    def aliases(self) -> tuple[Alias, ...]:
        """Other ways to write a concept, from `aliases.tsv`."""
        found: list[Alias] = []
        for line in (self.folder / "aliases.tsv").read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                concept, variants, transform, weight = line.split("\t")
                found.extend(Alias(concept, variant, transform, float(weight)) for variant in variants.split(" "))
        return tuple(found)

    def _folds(self, kind: str) -> list[list[str]]:
        rows = [line.split("\t") for line in (self.folder / "folds.tsv").read_text("utf-8").splitlines() if line[:1] not in "#"]
        return [row for row in rows if row[0] == kind]
