"""What is spoken in training: sentences in the words of the recordings, from real comments and from chance, as syllables.

Readings come from the tables of the recordings alone: the longest word that fits, and for a character outside any word what it is
read as most often there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DataError
from models.speech_sources import Part, Voice, part_of, read_table, syllables_of

_HAN = re.compile(r"[一-鿿]+")
_SETS = ("cold", "swsr", "douyu_danmaku")
"""Text sets whose sentences are spoken; a missing one is done without."""

_MAX_WORD = 7


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is spoken."""

    text: str
    syllables: tuple[str, ...]


class Readings:
    """Words and characters with their syllables."""

    def __init__(self, words: Iterable[Word], syllables: Sequence[str]) -> None:
        """Take words with their readings.

        Args:
            words: the vocabulary.
            syllables: all there are, for talk without sense.
        """
        self.words = {word.text: word for word in words}
        self.syllables = syllables
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        for word in self.words.values():
            if len(word.text) == len(word.syllables):
                for char, syllable in zip(word.text, word.syllables, strict=True):
                    seen[char][syllable] += 1
        self.chars = {char: counts.most_common(1)[0][0] for char, counts in seen.items()}

    @classmethod
    def read(cls, folder: Path) -> Readings:
        """Read those of the recorded words and syllables.

        Raises:
            DataError: a table cannot be read.
        """
        spoken = {voice: _spoken(folder / "words_zh" / f"{voice}.csv") for voice in Voice}
        words = spoken.pop(Voice.WORDS)
        return cls(words, sorted({one for rows in spoken.values() for word in rows for one in word.syllables}))

    @classmethod
    def of_dictionary(cls, path: Path, chars: Mapping[str, str]) -> Readings:
        """Read a dictionary of words and phones, one a line; of several readings the first; odd ones are left out.

        Args:
            path: of the dictionary.
            chars: readings of single characters, which go before the dictionary's.

        Raises:
            DataError: it cannot be read.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as exc:
            raise DataError(f"cannot read {path}: {exc.strerror}") from exc
        rows = (line.split() for line in lines)
        words = [
            Word(row[0], syllables_of(row[1:]))
            for row in rows
            if row and _HAN.fullmatch(row[0]) and len(row) == 1 + 2 * len(row[0])
        ]
        words += [Word(char, (syllable,)) for char, syllable in chars.items()]
        return cls(words, sorted({one for word in words for one in word.syllables}))

    def spelt(self, text: str) -> tuple[str, ...]:
        """Return the syllables of a text.

        Raises:
            DataError: a character has no reading.
        """
        words = self.cut(text)
        if sum(len(word.text) for word in words) != len(text):
            raise DataError(f"no reading for a character of {text!r}")
        return tuple(one for word in words for one in word.syllables)

    def cut(self, text: str, known: frozenset[str] | None = None) -> list[Word]:
        """Cut a run of characters into words, the longest first.

        Args:
            text: Chinese characters; one without a reading ends the sentence.
            known: words that may be used, what is in none is left out; without it all, and single characters too.
        """
        words: list[Word] = []
        place = 0
        while place < len(text):
            piece = next(self._fitting(text, place, known), None)
            if piece is not None:
                words.append(piece)
            elif known is None:
                break
            place += len(piece.text) if piece else 1
        return words

    def _fitting(self, text: str, place: int, known: frozenset[str] | None) -> Iterator[Word]:
        for size in range(min(_MAX_WORD, len(text) - place), 0, -1):
            part = text[place : place + size]
            if part in self.words and (known is None or part in known):
                yield self.words[part]
        char = text[place]
        if known is None and char in self.chars:
            yield Word(char, (self.chars[char],))


def read_sentences(folder: Path) -> list[str]:
    """Read runs of 4 to 24 Chinese characters of the text sets, each once, in a fixed order.

    Args:
        folder: holds the text sets.
    """
    runs: dict[str, None] = {}
    for name in _SETS:
        path = folder / name / "data.csv"
        if path.is_file():
            for row in read_table(path):
                runs.update(dict.fromkeys(run for run in _HAN.findall(row["text"]) if 4 <= len(run) <= 24))
    return [run for run in runs if part_of(run) is Part.TRAIN]


class Talk:
    """Endless talk: words in an order that somebody wrote, and words and syllables in none."""

    def __init__(self, readings: Readings, sentences: Sequence[str]) -> None:
        """Take what is said.

        Args:
            readings: words with syllables.
            sentences: what real people wrote; may be empty.
        """
        self._readings, self._sentences = readings, sentences
        self._words = list(readings.words.values())
        self._syllables = readings.syllables

    def spoken(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Return the syllables of one sentence."""
        kind = rng.random()
        if kind < 0.6 and self._sentences:
            words = self._readings.cut(self._sentences[int(rng.integers(len(self._sentences)))])
            if words:
                return tuple(one for word in words for one in word.syllables)
        if kind < 0.8:
            return tuple(
                one for index in rng.integers(len(self._words), size=rng.integers(1, 7)) for one in self._words[index].syllables
            )
        return tuple(self._syllables[index] for index in rng.integers(len(self._syllables), size=rng.integers(2, 12)))


def _spoken(path: Path) -> list[Word]:
    return [Word(row["text"], syllables_of(row["phones"].split())) for row in read_table(path)]
