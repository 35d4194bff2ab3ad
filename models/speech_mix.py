"""Endless made-up talk for training: clips of the bank joined to sentences, spoken by people who never were, in noise and echo.

Everything is on power spectra, where joining, noise and echo are sums; the features at the end are those of `speech_codec.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.speech_bank import N_BINS, Bank, Clip, Kind, by_text
from models.speech_codec import mels_of, n_posteriors
from models.speech_noises import any_noise, at_ratio, echoed
from models.speech_texts import Readings
from models.speech_voices import Person, anybody, curve, paced, slurred, spoken_by

Power = NDArray[np.float32]

LONG = 250
"""Frames from which an utterance can hold a synthetic sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One utterance to learn from."""

    features: NDArray[np.float32]
    """(n, N_MELS)"""
    units: tuple[int, ...]
    """What is spoken; the network can answer it in so many frames."""

    def __repr__(self) -> str:
        return f"Example({len(self.features)} frames, {len(self.units)} units)"


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each kind of talk is drawn, out of their sum."""

    words: float = 0.5
    syllables: float = 0.15
    synthetic: float = 0.35


class Mixer:
    """Draws utterances; one instance on one thread, each utterance from the generator handed in alone."""

    def __init__(self, bank: Bank, readings: Readings, sentences: Sequence[str], shares: Shares | None = None) -> None:
        """Take what there is.

        Args:
            bank: clips.
            readings: of the words, to cut sentences.
            sentences: what real people wrote; may be empty.
            shares: of the kinds of talk.
        """
        self._bank, self._readings, self._sentences = bank, readings, sentences
        self._words = by_text(bank.clips.get(Kind.WORDS, ()))
        self._known = frozenset(self._words)
        self._texts = sorted(self._words)
        self._syllables = [bank.clips[kind] for kind in (Kind.SYLLABLES_A, Kind.SYLLABLES_B) if bank.clips.get(kind)]
        self._synthetic = bank.clips.get(Kind.SYNTHETIC, [])
        there = (bool(self._words), bool(self._syllables), bool(self._synthetic))
        shares = shares or Shares()
        weights = np.array([shares.words, shares.syllables, shares.synthetic]) * there
        self._odds = np.cumsum(weights / weights.sum())
        short = weights * (1.0, 1.0, 0.0) if weights[:2].any() else weights
        self._short_odds = np.cumsum(short / short.sum())

    def example(self, n_frames: int, rng: np.random.Generator) -> Example:
        """Draw an utterance of at most so many feature frames, and not much fewer."""
        # Synthetic clips are whole sentences and fit into nothing short.
        clips, synthetic = self._drawn(n_frames, rng, self._odds if n_frames >= LONG else self._short_odds)
        timeline, units = self._joined(clips, n_frames, synthetic, rng)
        return Example(self._heard(timeline, rng), units)

    def _drawn(self, n_frames: int, rng: np.random.Generator, odds: NDArray[np.float64]) -> tuple[list[Clip], bool]:
        """Return clips to speak, more than will fit."""
        kind = int(np.searchsorted(odds, rng.random(), side="right"))
        if kind == 0:
            return self._sentence(max(1, n_frames // 25), rng), False
        if kind == 1:
            voice = self._syllables[int(rng.integers(len(self._syllables)))]
            return [voice[index] for index in rng.integers(len(voice), size=n_frames // 10)], False
        return [self._synthetic[index] for index in rng.integers(len(self._synthetic), size=8)], True

    def _sentence(self, n_words: int, rng: np.random.Generator) -> list[Clip]:
        texts: list[str] = []
        while len(texts) < n_words:
            if self._sentences and rng.random() < 0.7:
                line = self._sentences[int(rng.integers(len(self._sentences)))]
                texts += [word.text for word in self._readings.cut(line, self._known)]
            else:
                texts += [self._texts[index] for index in rng.integers(len(self._texts), size=4)]
        return [self._any(self._words[text], rng) for text in texts]

    @staticmethod
    def _any(clips: Sequence[Clip], rng: np.random.Generator) -> Clip:
        return clips[int(rng.integers(len(clips)))]

    def _joined(
        self, clips: Sequence[Clip], n_frames: int, synthetic: bool, rng: np.random.Generator
    ) -> tuple[Power, tuple[int, ...]]:
        """Speak clips one after the other, overlapping or with pauses, until the time is full."""
        hurried = not synthetic and rng.random() < 0.75
        pace = float(np.exp(rng.uniform(np.log(11.0), np.log(34.0)))) if hurried else 0.0
        place = int(rng.integers(0, 30)) if rng.random() < 0.5 else 0
        starts: list[int] = []
        rows: list[NDArray[np.int64]] = []
        units: tuple[int, ...] = ()
        for clip in clips:
            wanted = _lasting(clip, pace, rng)
            if place + wanted > n_frames:
                if units:
                    break
                place, wanted = 0, min(wanted, n_frames)
            starts.append(place)
            rows.append(clip.start + paced(clip.count, wanted, rng))
            units += clip.units
            place = max(0, place + wanted + _pause(wanted, synthetic, rng))
        timeline = np.zeros((max(start + len(one) for start, one in zip(starts, rows, strict=True)), N_BINS), np.float32)
        for start, power in zip(starts, self._spoken(rows, anybody(rng, width=_width(synthetic, rng)), rng), strict=True):
            timeline[start : start + len(power)] += power
        return timeline, units

    def _spoken(self, rows: Sequence[NDArray[np.int64]], person: Person, rng: np.random.Generator) -> Iterator[Power]:
        joined = np.concatenate(rows)
        shapes: NDArray[np.floating[Any]] = self._bank.shapes[joined]
        if rng.random() < 0.4:
            shapes = slurred(shapes, int(rng.integers(1, 3)))
        power = spoken_by(person, shapes, self._bank.details[joined])
        for one in np.split(power, np.cumsum([len(one) for one in rows])[:-1]):
            # Recordings differ in level, and so do words in a sentence.
            yield one * np.float32(np.exp(rng.normal(0.0, 0.6)) / max(1e-6, float(one.mean())))

    def _heard(self, power: Power, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the features of talk as a microphone and a codec leave them."""
        if rng.random() < 0.3:
            power = echoed(power, rng)
        if rng.random() < 0.55:
            power = at_ratio(power, any_noise(len(power), self._bank, rng), float(rng.uniform(2.0, 30.0)), rng)
        if rng.random() < 0.6:
            power = power * np.exp(curve(rng, spread=1.2))
        if rng.random() < 0.2:
            power[:, int(rng.integers(110, 250)) :] *= np.float32(1e-4)
        features = mels_of(power * np.float32(np.exp(rng.uniform(-4.0, 6.0))))
        return masked(features, rng)


def _width(synthetic: bool, rng: np.random.Generator) -> float:
    """Return how far a speaker may be from who was recorded; made-up speakers are many already."""
    if rng.random() < 0.2:
        return 0.25
    return 0.6 if synthetic else 1.0


def _lasting(clip: Clip, pace: float, rng: np.random.Generator) -> int:
    """Return how many frames a clip is made to last: by the pace in frames a syllable, within what sounds like speech."""
    if not pace:
        factor = float(np.exp(rng.normal(0.0, 0.12)))
    else:
        factor = float(np.clip(pace * len(clip.syllables) * np.exp(rng.normal(0.0, 0.15)) / clip.count, 0.3, 1.6))
    # Two answers a syllable and a blank between equal units must fit into frames of four.
    return max(int(clip.count * factor), 9 * len(clip.syllables), 8)


def _pause(n_spoken: int, synthetic: bool, rng: np.random.Generator) -> int:
    """Return frames from the end of a clip to the start of the next; below 0 they overlap."""
    if synthetic or rng.random() < 0.12:
        return int(rng.integers(0, 45))
    return -min(int(rng.integers(0, 8)), n_spoken // 6)


def masked(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Hide some bands and moments, so that no single one decides."""
    count, n_bands = features.shape
    usual = features.mean(axis=0)
    for _ in range(int(rng.integers(0, 3))):
        width = int(rng.integers(1, 9))
        low = int(rng.integers(0, n_bands - width))
        features[:, low : low + width] = usual[low : low + width]
    for _ in range(int(rng.integers(0, 1 + count // 150))):
        width = int(rng.integers(1, 11))
        start = int(rng.integers(0, max(1, count - width)))
        features[start : start + width] = usual
    return features


def fits(example: Example) -> bool:
    """Tell whether the network has frames enough to answer."""
    repeats = sum(one == other for one, other in zip(example.units, example.units[1:], strict=False))
    return 0 < len(example.units) + repeats <= n_posteriors(len(example.features))
