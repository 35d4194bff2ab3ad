"""What the characters of the base list can be written as: the hand-made table behind the generator."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from tests.inference.text.evasion_sets.rows import table

Form = tuple[str, ...]
"""A disguised term: one piece for each character of the term (Latin runs are pieces of one letter)."""


@dataclass(frozen=True, slots=True)
class Character:
    """One Han character of the base list; every list may be empty."""

    pinyin: str
    """With its tone mark."""
    traditional: str
    homophones: tuple[str, ...]
    """Same sound, any tone, in use for this purpose."""
    homophones_rare: tuple[str, ...]
    """Other common characters of the same sound."""
    dialect: tuple[str, ...]
    """Same sound to those who do not tell z from zh, c from ch, s from sh, n from l, in from ing, an from ang."""
    lookalikes: tuple[str, ...]
    split_beside: tuple[str, ...]
    split_above: tuple[str, ...]

    @property
    def toneless(self) -> str:
        """Pinyin in plain letters, ü as v."""
        return plain(self.pinyin)


def plain(pinyin: str) -> str:
    """Take tone marks off."""
    marked = unicodedata.normalize("NFD", pinyin.replace("ü", "v"))
    return "".join(char for char in marked if unicodedata.category(char) != "Mn")


def is_han(char: str) -> bool:
    """Whether a character of the base list is a Han character."""
    return "\u4e00" <= char <= "\u9fff"


class Tables:
    """The table of characters, whole-term substitutions, and the source of chance of one run."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.characters = {line["char"]: _character(line) for line in table("characters.tsv")}
        self.substitutions: dict[tuple[str, str], list[str]] = {}
        self.ordinary = {line["form"] for line in table("ordinary.tsv")}
        """Forms that are everyday words, or that a reader would not take for the term."""
        for line in table("substitutions.tsv"):
            self.substitutions[line["technique"], line["term"]] = line["forms"].split(" | ")

    def __getitem__(self, char: str) -> Character:
        return self.characters[char]


def _character(line: dict[str, str]) -> Character:
    return Character(
        pinyin=line["pinyin"],
        traditional=line["traditional"],
        homophones=tuple(line["homophones"].split()),
        homophones_rare=tuple(line["homophones_rare"].split()),
        dialect=tuple(line["dialect"].split()),
        lookalikes=tuple(line["lookalikes"].split()),
        split_beside=tuple(filter(None, line["split_beside"].split(","))),
        split_above=tuple(filter(None, line["split_above"].split(","))),
    )
