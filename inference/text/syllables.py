"""Toneless syllables: how Han is read, how Latin runs split into them, and which ones sound the same to many speakers.

Every syllable has a class, one private-use character: z and zh, c and ch, s and sh, n and l, in and ing, en and eng, an and ang are
one class each, because whole regions of speakers (and input methods set up for them) write them alike. Classes are what is searched
for; the syllables themselves tell how far apart two ways to write something are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

CLASS_BASE = "\ue000"
"""First of the private-use characters that stand for classes of syllables. Folding drops what a text has of them."""

MAX_SYLLABLE = 6
"""Letters of the longest syllable (`zhuang`)."""

MAX_RUN = 48
"""Letters; a longer run of Latin letters is no pinyin anybody types, and splitting it would cost."""

MAX_CACHED_RUNS = 20_000
"""Runs whose split is remembered; the cache is emptied when it is full. Danmaku repeat the same few hundred."""

_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"))
_FINAL = re.compile(r"(?<=[aei])ng$")
_VOWELS = frozenset("aeiouv")
_TYPED = (("lue", "lve"), ("nue", "nve"))


def merged(syllable: str) -> str:
    """Return the name of a syllable's class: `zhang` and `zan` are both `zan`."""
    for full, short in _INITIALS:
        if syllable.startswith(full):
            syllable = short + syllable[len(full) :]
            break
    else:
        if syllable.startswith("n") and len(syllable) > 1 and syllable[1] in _VOWELS:
            syllable = "l" + syllable[1:]
    return _FINAL.sub("n", syllable)


class Syllables:
    """The syllables of Mandarin; never changes after it is made but for a cache of splits.

    Second readings count only for characters that people really read in two ways; dictionaries list many more.
    """

    def __init__(self, lines: Iterable[str], polyphones: Iterable[str]) -> None:
        """Read the table.

        Args:
            lines: a syllable, the characters read so first, the characters that can be read so; separated by tabs.
            polyphones: characters whose other readings count.
        """
        self.readings: defaultdict[str, list[str]] = defaultdict(list)
        """Han character to its syllables, main one first."""
        polyphones = frozenset(polyphones)
        others: list[tuple[str, str]] = []
        names: list[str] = []
        for line in lines:
            syllable, main, other = line.split("\t")
            names.append(syllable)
            for char in main:
                self.readings[char].append(syllable)
            others.extend((char, syllable) for char in other if char in polyphones)
        for char, syllable in others:
            self.readings[char].append(syllable)
        classes = {name: chr(ord(CLASS_BASE) + index) for index, name in enumerate(dict.fromkeys(map(merged, names)))}
        self._class_of = {name: classes[merged(name)] for name in names}
        self._spelt = {name for name in names if not _VOWELS.isdisjoint(name)}
        for typed, meant in _TYPED:
            self._class_of[typed] = self._class_of[meant]
            self._spelt.add(typed)
        self._splits: dict[str, tuple[str, ...] | None] = {}

    def class_of(self, syllable: str) -> str:
        """Return the private-use character of a syllable's class.

        Raises:
            KeyError: there is no such syllable.
        """
        return self._class_of[syllable]

    def classes(self, char: str) -> Sequence[str]:
        """Return the classes a Han character can be read as, main one first; () where it has no reading."""
        return tuple(dict.fromkeys(self._class_of[syllable] for syllable in self.readings.get(char, ())))

    def main_classes(self) -> Mapping[str, str]:
        """Return Han character to the class of its main reading."""
        return {char: self._class_of[syllables[0]] for char, syllables in self.readings.items()}

    def is_spelt(self, letters: str) -> bool:
        """Tell whether letters are one syllable as people type it."""
        return letters in self._spelt

    def sounds_like(self, syllable: str, char: str) -> bool:
        """Tell whether a Han character has exactly this syllable among its readings."""
        return syllable in self.readings.get(char, ())

    def same_sound(self, one: str, other: str) -> bool:
        """Tell whether two Han characters share a reading exactly; what only shares a class is a dialect's."""
        others = self.readings.get(other, ())
        return any(map(others.__contains__, self.readings.get(one, ())))

    def split(self, run: str) -> tuple[str, ...] | None:
        """Split a run of Latin letters into as few syllables as cover it, or None where none do; linear in its length."""
        if len(run) > MAX_RUN:
            return None
        try:
            return self._splits[run]
        except KeyError:
            pass
        if len(self._splits) >= MAX_CACHED_RUNS:
            self._splits.clear()
        found = self._splits[run] = self._fewest(run)
        return found

    def _fewest(self, run: str) -> tuple[str, ...] | None:
        best: list[tuple[int, int] | None] = [(0, 0)] + [None] * len(run)
        for end in range(1, len(run) + 1):
            for start in range(max(0, end - MAX_SYLLABLE), end):
                before = best[start]
                if before is not None and run[start:end] in self._spelt:
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
        return tuple(reversed(parts))
