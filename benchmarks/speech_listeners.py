"""Who listens for keywords in the speech benchmarks, and what is listened for: ours, and pocketsphinx with its 2010 Mandarin model.

A listener gives every hit of every keyword in a clip with a score of its own scale; thresholds are swept afterwards, so both show
their whole curve from one run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from inference.speech.confidence import SpottingRules
from inference.speech.fit_spotting import Ear
from inference.speech.spotting import UnitPaths, find, ratios
from inference.speech.weighing import clarity, weighed
from models.manifest import Manifest
from models.speech_codec import FRAME_S, units_of
from models.speech_sources import SAMPLE_RATE_HZ, syllables_of

LOOSE = "1e-40"
"""Threshold of pocketsphinx at which it tells nearly everything; the curve is cut out of the scores."""

LOWEST = -3.0
"""The same for ours, nats a unit."""

Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Keyword:
    """Something that is listened for."""

    text: str
    syllables: tuple[str, ...]
    phones: tuple[str, ...]
    """As the 2010 dictionary writes them."""

    @property
    def units(self) -> tuple[int, ...]:
        """As our network answers."""
        return tuple(unit for syllable in self.syllables for unit in units_of(syllable))


@dataclass(frozen=True, slots=True)
class Hit:
    """One keyword heard once."""

    keyword: int
    start_s: float
    end_s: float
    score: float


class Listener(Protocol):
    """Hears keywords in clips."""

    name: str

    def listen(self, wave: Wave) -> list[Hit]:
        """Return every hit in one clip."""
        ...


class Ours:
    """The acoustic model that ships, with the spotting of the product."""

    name = "livewarden"

    def __init__(self, folder: Path, keywords: Sequence[Keyword]) -> None:
        manifest = Manifest.load(folder / "manifest.yaml")
        self.rules = SpottingRules.of(manifest)
        self._ear = Ear(folder, manifest)
        self._paths = UnitPaths.of([keyword.units for keyword in keywords])
        self._n_syllables = np.array([len(keyword.syllables) for keyword in keywords])
        self._floors = np.full(len(keywords), LOWEST, np.float32)
        self._frames = np.ceil(self._n_syllables * (self.rules.numbers.max_syllable_s / FRAME_S)).astype(np.int32)

    def listen(self, wave: Wave) -> list[Hit]:
        """Return every hit in one clip."""
        log_probs, numbers = self._ear.hear(wave), self.rules.numbers
        found = find(ratios(log_probs, numbers), self._paths, self._floors, numbers, max_frames=self._frames)
        worth = [weighed(hit, clarity(log_probs, hit), int(self._n_syllables[hit.path]), numbers) for hit in found]
        return [Hit(hit.path, hit.start * FRAME_S, hit.end * FRAME_S, hit.score) for hit in worth]


class PocketSphinx:
    """Keyword spotting of pocketsphinx."""

    name = "pocketsphinx"

    def __init__(self, folder: Path, keywords: Sequence[Keyword]) -> None:
        self._work = tempfile.TemporaryDirectory(prefix="livewarden-bench-")
        work = Path(self._work.name)
        lines = [f"k{number} {' '.join(keyword.phones)}\n" for number, keyword in enumerate(keywords)]
        (work / "words.dic").write_text("".join(lines), "utf-8")
        (work / "words.kws").write_text("".join(f"k{number} /{LOOSE}/\n" for number in range(len(keywords))), "utf-8")
        self._decoder = pocketsphinx.Decoder(
            hmm=str(folder / "tdt_sc_8k"),
            dict=str(work / "words.dic"),
            kws=str(work / "words.kws"),
            lm=None,
            samprate=SAMPLE_RATE_HZ,
            logfn="/dev/null",
        )
        self._n_phones = [len(keyword.phones) for keyword in keywords]

    def listen(self, wave: Wave) -> list[Hit]:
        """Return every hit in one clip."""
        pcm = (np.clip(wave, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, False, True)
        self._decoder.end_utt()
        return [self._hit(segment) for segment in self._decoder.seg() or ()]

    def _hit(self, segment: pocketsphinx.Segment) -> Hit:
        keyword = int(segment.word[1:])
        score = float(np.log(max(segment.prob, 1e-300))) / self._n_phones[keyword]
        return Hit(keyword, segment.start_frame / 100, segment.end_frame / 100, score)


class Dictionary:
    """The 2010 dictionary: words with their phones and syllables."""

    def __init__(self, path: Path) -> None:
        self.words: dict[str, tuple[str, ...]] = {}
        for line in path.read_text("utf-8").splitlines():
            row = line.split()
            if row and len(row) == 1 + 2 * len(row[0]):
                self.words.setdefault(row[0], tuple(row[1:]))
        self._phones_of: Mapping[str, tuple[str, ...]] = {
            syllable: pair for pair in self._pairs() for syllable in syllables_of(pair)
        }

    def keyword(self, text: str) -> Keyword:
        """Return a text as a keyword, said as the dictionary's words are."""
        phones = tuple(phone for word in self.cut(text) for phone in self.words[word])
        return Keyword(text, syllables_of(phones), phones)

    def said(self, text: str, syllables: Sequence[str]) -> Keyword:
        """Return a keyword with its syllables given."""
        return Keyword(text, tuple(syllables), tuple(phone for one in syllables for phone in self._phones_of[one]))

    def cut(self, text: str) -> list[str]:
        """Cut a text into words, the longest first; characters without an entry are passed over."""
        words: list[str] = []
        place = 0
        while place < len(text):
            word = next(
                (text[place:end] for end in range(min(len(text), place + 6), place, -1) if text[place:end] in self.words), ""
            )
            words += [word] if word else []
            place += len(word) or 1
        return words

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for phones in self.words.values():
            yield from zip(phones[::2], phones[1::2], strict=True)
