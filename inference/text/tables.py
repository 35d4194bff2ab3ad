"""The data tables of the text engine, read once from the package: folding, syllables, word counts, aliases.

It owns the files of `tables/` (made by the `build_*.py` beside this or by hand) and nothing else; what is done with them is the
business of `normalise.py`, `segment.py`, `variants.py` and `verify.py`.
"""

from __future__ import annotations

import gzip
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inference.text.cues import Cues
from inference.text.pairs import PairModel
from inference.text.shapes import Shapes
from inference.text.syllables import Syllables

FOLDER = Path(__file__).with_name("tables")

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

_SQUARED = range(0x1F200, 0x1F252)
"""Ideographs in squares: emoji to whoever picks them, inserted like any other; `folds.tsv` says which ones are meant as words."""

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
    if code in _SQUARED:
        return char
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
    """Name of the disguise: `homophone`, `initials` or `alias`."""
    weight: float
    """What is left of a term's score where it is written so and nothing else speaks for it, 0..1."""
    needs_cue: bool = False
    """Whether it only counts beside words that offer or accuse: it has an ordinary meaning as well."""


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
                folded = looks.get(code, "") or fold_character(chr(code))
                if folded is not None:
                    folded = folded.translate(simple).translate(looks)
                if folded != chr(code):
                    table[code] = folded
        table.update((code, target) for code, target in looks.items() if code not in table)
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
    def words_for_symbols(self) -> Mapping[int, tuple[str, ...]]:
        """The words that a symbol or emoji may stand for, likeliest first, by code point."""
        return {ord(char): tuple(words) for _, source, *words in self._folds("word") for char in source}

    @cached_property
    def syllables(self) -> Syllables:
        """The syllables."""
        lines = (self.folder / "syllables.tsv").read_text("utf-8").splitlines()
        return Syllables(lines, (self.folder / "polyphones.txt").read_text("utf-8").strip())

    @cached_property
    def pairs(self) -> PairModel:
        """How characters follow each other in ordinary texts."""
        return PairModel.load(self.folder / "pairs.tsv.gz")

    @cached_property
    def shapes(self) -> Shapes:
        """How characters come apart, and which look alike."""
        return Shapes.load(self.folder)

    @cached_property
    def english(self) -> frozenset[str]:
        """English words that could be read as pinyin."""
        return frozenset((self.folder / "english.txt").read_text("utf-8").split())

    @cached_property
    def cues(self) -> Cues:
        """Words that stand around what is meant."""
        return Cues((self.folder / "cues.tsv").read_text("utf-8").splitlines())

    @cached_property
    def surnames(self) -> frozenset[str]:
        """Characters that are family names."""
        return frozenset((self.folder / "surnames.txt").read_text("utf-8").strip())

    @cached_property
    def evidence(self) -> Mapping[str, tuple[float, ...]]:
        """Weights of evidence, by kind of case, in the order of `evidence.FEATURES`."""
        lines = (self.folder / "evidence.tsv").read_text("utf-8").splitlines()
        kinds = lines[0].split("\t")[1:]
        columns = zip(*(line.split("\t")[1:] for line in lines[1:]), strict=True)
        return {kind: tuple(map(float, column)) for kind, column in zip(kinds, columns, strict=True)}

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
                cue = weight.endswith("?")
                found.extend(Alias(concept, variant, transform, float(weight.rstrip("?")), cue) for variant in variants.split(" "))
        return tuple(found)

    def _folds(self, kind: str) -> list[list[str]]:
        rows = [line.split("\t") for line in (self.folder / "folds.tsv").read_text("utf-8").splitlines() if line[:1] not in "#"]
        return [row for row in rows if row[0] == kind]
