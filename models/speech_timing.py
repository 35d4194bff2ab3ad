"""Whole batches of made-up talk at once: which clips are spoken, when, how fast, and which frame is heard at which moment.

Pure numpy and small; what is heard at the frames is computed on the device, in `networks/speech_mixing.py`. The rules are those of
`speech_mix.py`, for many utterances in step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speech_bank import Clip, Kind
from models.speech_codec import STRIDE
from models.speech_mix import LONG, Shares
from models.speech_texts import Readings

Ints = NDArray[np.int64]

LEAST = 9
"""Frames of a syllable at least: two answers and a blank between equal units must fit into frames of four."""


class Shelf:
    """Clips by number, with what is needed to time them; grows while training goes on."""

    def __init__(self, readings: Readings, sentences: Sequence[str], n_words: int = 250_000) -> None:
        """Take what is said; clips come by `add`.

        Args:
            readings: of the words, to cut sentences.
            sentences: what real people wrote; may be empty.
            n_words: sentences are cut until there are so many words.
        """
        self._readings, self._sentences, self._n_words = readings, sentences, n_words
        self.starts, self.counts, self.n_syllables, self.units_at, self.n_units = (np.zeros(0, np.int64) for _ in range(5))
        self.units = np.zeros(0, np.int64)
        self.by_kind: dict[Kind, Ints] = {}
        self._word_clips, self._word_firsts, self._word_counts = (np.zeros(0, np.int64) for _ in range(3))
        self._stream = np.zeros(0, np.int64)
        """Words in an order that somebody wrote."""

    def __repr__(self) -> str:
        return f"Shelf({', '.join(f'{len(clips)} {kind}' for kind, clips in self.by_kind.items())})"

    def add(self, clips: Sequence[tuple[Kind, Clip]], offset: int) -> None:
        """Take clips whose frames begin at an offset."""
        first = len(self.starts)
        units = [clip.units for _, clip in clips]
        lengths = np.array([len(one) for one in units], np.int64)
        self.starts = np.append(self.starts, [offset + clip.start for _, clip in clips]).astype(np.int64)
        self.counts = np.append(self.counts, [clip.count for _, clip in clips]).astype(np.int64)
        self.n_syllables = np.append(self.n_syllables, [max(1, len(clip.syllables)) for _, clip in clips]).astype(np.int64)
        self.units_at = np.append(self.units_at, len(self.units) + np.cumsum(lengths) - lengths)
        self.n_units = np.append(self.n_units, lengths)
        self.units = np.append(self.units, [unit for one in units for unit in one]).astype(np.int64)
        kinds = np.array([kind for kind, _ in clips])
        for kind in Kind:
            mine = first + np.flatnonzero(kinds == kind)
            self.by_kind[kind] = np.append(self.by_kind.get(kind, np.zeros(0, np.int64)), mine)
        if (kinds == Kind.WORDS).any():
            self._put_words_in_order(clips, first)

    def _put_words_in_order(self, clips: Sequence[tuple[Kind, Clip]], first: int) -> None:
        texts: dict[str, list[int]] = {}
        for number, (kind, clip) in enumerate(clips, start=first):
            if kind is Kind.WORDS:
                texts.setdefault(clip.text, []).append(number)
        self._word_clips = np.array([number for numbers in texts.values() for number in numbers], np.int64)
        self._word_counts = np.array([len(numbers) for numbers in texts.values()], np.int64)
        self._word_firsts = np.cumsum(self._word_counts) - self._word_counts
        place = {text: number for number, text in enumerate(texts)}
        known, stream = frozenset(texts), []
        for index in np.random.default_rng(0).permutation(len(self._sentences))[: self._n_words // 4]:
            stream += [place[word.text] for word in self._readings.cut(self._sentences[index], known)]
            if len(stream) >= self._n_words:
                break
        self._stream = np.array(stream, np.int64)

    def sentences(self, n_rows: int, n_clips: int, rng: np.random.Generator) -> Ints:
        """Draw rows of words, most of them in an order that somebody wrote; (n_rows, n_clips)."""
        words = rng.integers(len(self._word_counts), size=(n_rows, n_clips))
        if len(self._stream) > n_clips:
            starts = rng.integers(len(self._stream) - n_clips, size=(n_rows, 1))
            written = self._stream[starts + np.arange(n_clips)]
            words = np.where(rng.random((n_rows, 1)) < 0.7, written, words)
        chosen = (rng.random(words.shape) * self._word_counts[words]).astype(np.int64)
        clips: Ints = self._word_clips[self._word_firsts[words] + chosen]
        return clips

    def syllables(self, n_rows: int, n_clips: int, rng: np.random.Generator) -> Ints:
        """Draw rows of single syllables, one voice a row; (n_rows, n_clips)."""
        voices = [self.by_kind[kind] for kind in (Kind.SYLLABLES_A, Kind.SYLLABLES_B) if len(self.by_kind[kind])]
        of = rng.integers(len(voices), size=n_rows)
        return np.stack([voices[index][rng.integers(len(voices[index]), size=n_clips)] for index in of])

    def made_up(self, n_rows: int, n_clips: int, n_frames: int, rng: np.random.Generator) -> Ints:
        """Draw rows of synthetic sentences, those first that fit; (n_rows, n_clips)."""
        clips = self.by_kind[Kind.SYNTHETIC]
        drawn = clips[rng.integers(len(clips), size=(n_rows, n_clips))]
        order = np.argsort(self.counts[drawn] > n_frames, axis=1, kind="stable")
        return np.take_along_axis(drawn, order, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """A batch of utterances: B of them, at most n frames long, made of at most L frames of clips."""

    sources: Ints
    """Frame of the pool that is spoken, (B, L)."""
    moments: Ints
    """When, (B, L); -1 behind an utterance's last."""
    parts: Ints
    """Which of the utterance's clips a frame is of, (B, L)."""
    n_frames: Ints
    """(B,)"""
    units: Ints
    """(B, most), 0 behind the last."""
    n_units: Ints
    """(B,)"""
    synthetic: NDArray[np.bool_]
    """Whether a made-up speaker speaks, (B,)."""

    def __repr__(self) -> str:
        return f"Timing({len(self.sources)} utterances, {int(self.n_frames.sum())} frames)"


def timed(shelf: Shelf, n_rows: int, n_frames: int, rng: np.random.Generator, shares: Shares | None = None) -> Timing:
    """Draw a batch of utterances of at most so many frames, and not much fewer."""
    kinds = _kinds(shelf, n_rows, n_frames, rng, shares or Shares())
    n_clips = 4 + n_frames // 14
    clips = np.zeros((n_rows, n_clips), np.int64)
    synthetic = kinds == 2
    n_words, n_syllables, n_made_up = (int((kinds == kind).sum()) for kind in range(3))
    if n_words:
        clips[kinds == 0] = shelf.sentences(n_words, n_clips, rng)
    if n_syllables:
        clips[kinds == 1] = shelf.syllables(n_syllables, n_clips, rng)
    if n_made_up:
        clips[kinds == 2] = shelf.made_up(n_made_up, n_clips, n_frames, rng)
    wanted = _lasting(shelf, clips, synthetic, rng)
    pauses = _pauses(wanted, synthetic, rng)
    first = np.where(rng.random((n_rows, 1)) < 0.5, rng.integers(0, 30, (n_rows, 1)), 0)
    places = first + np.cumsum(wanted + pauses, axis=1) - wanted - pauses
    long = places[:, 0] + wanted[:, 0] > n_frames
    places[long, 0], wanted[long, 0] = 0, np.minimum(wanted[long, 0], n_frames)
    said = np.logical_and.accumulate(places + wanted <= n_frames, axis=1)
    return _laid_out(shelf, clips, np.where(said, wanted, 0), places, synthetic, rng)


def _kinds(shelf: Shelf, n_rows: int, n_frames: int, rng: np.random.Generator, shares: Shares) -> Ints:
    there = [len(shelf.by_kind.get(kind, ())) > 0 for kind in (Kind.WORDS, Kind.SYLLABLES_A, Kind.SYNTHETIC)]
    there[1] |= len(shelf.by_kind.get(Kind.SYLLABLES_B, ())) > 0
    # Synthetic clips are whole sentences and fit into nothing short.
    there[2] &= n_frames >= LONG or not (there[0] or there[1])
    weights = np.array([shares.words, shares.syllables, shares.synthetic]) * there
    return np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(n_rows), side="right").astype(np.int64)


def _lasting(shelf: Shelf, clips: Ints, synthetic: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Return how many frames clips are made to last; see `speech_mix.py`."""
    counts, said = shelf.counts[clips], shelf.n_syllables[clips]
    hurried = ~synthetic & (rng.random(len(clips)) < 0.75)
    pace = np.exp(rng.uniform(np.log(11.0), np.log(34.0), (len(clips), 1)))
    fast = np.clip(pace * said * np.exp(rng.normal(0.0, 0.2, clips.shape)) / counts, 0.3, 1.6)
    factor = np.where(hurried[:, None], fast, np.exp(rng.normal(0.0, 0.12, clips.shape)))
    frames: Ints = np.maximum(np.maximum((counts * factor).astype(np.int64), LEAST * said), 8)
    return frames


def _pauses(wanted: Ints, synthetic: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Return frames from the end of a clip to the start of the next; below 0 they overlap."""
    apart = synthetic[:, None] | (rng.random(wanted.shape) < 0.12)
    over = -np.minimum(rng.integers(0, 8, wanted.shape), wanted // 6)
    return np.where(apart, rng.integers(0, 45, wanted.shape), over)


def _laid_out(
    shelf: Shelf, clips: Ints, wanted: Ints, places: Ints, synthetic: NDArray[np.bool_], rng: np.random.Generator
) -> Timing:
    """Write down frame by frame what is spoken when."""
    rows, columns = np.nonzero(wanted)
    lengths, which = wanted[rows, columns], clips[rows, columns]
    of = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    totals = wanted.sum(axis=1)
    at = np.arange(len(of)) - np.repeat(np.cumsum(totals) - totals, totals)
    counts = shelf.counts[which]
    bent = warped(within / lengths[of], of, shelf.n_syllables[which], rng)
    steps = np.clip((bent * counts[of]).astype(np.int64), 0, counts[of] - 1)
    shape = (len(clips), int(totals.max()))
    sources, moments, parts = np.zeros(shape, np.int64), np.full(shape, -1), np.zeros(shape, np.int64)
    sources[rows[of], at] = shelf.starts[which][of] + steps
    moments[rows[of], at] = places[rows, columns][of] + within
    parts[rows[of], at] = columns[of]
    units, n_units = _units(shelf, rows, which, len(clips))
    return Timing(sources, moments, parts, moments.max(axis=1) + 1, units, n_units, synthetic)


def warped(along: NDArray[np.float64], of: Ints, n_syllables: Ints, rng: np.random.Generator) -> NDArray[np.float64]:
    """Bend time within clips: faster here, slower there, over the clip and within its syllables; never backwards.

    Args:
        along: how far each frame is through its clip, 0..1.
        of: its clip.
        n_syllables: of each clip.
        rng: chance.
    """
    bent = along
    # The steepness of both together stays above 0.3.
    for turns, most in ((np.ones(len(n_syllables)), 0.3), (n_syllables, 0.4)):
        swing, phase = rng.uniform(-most, most, len(n_syllables)), rng.uniform(0.0, 1.0, len(n_syllables))
        angle = 2.0 * np.pi * (turns[of] * along + phase[of])
        bent = bent + swing[of] / (2.0 * np.pi * turns[of]) * (np.sin(angle) - np.sin(2.0 * np.pi * phase[of]))
    return bent


def _units(shelf: Shelf, rows: Ints, which: Ints, n_rows: int) -> tuple[Ints, Ints]:
    lengths = shelf.n_units[which]
    of = np.repeat(np.arange(len(which)), lengths)
    within = np.arange(len(of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    n_units = np.bincount(rows[of], minlength=n_rows)
    at = np.arange(len(of)) - np.repeat(np.cumsum(n_units) - n_units, n_units)
    units = np.zeros((n_rows, max(1, int(n_units.max()))), np.int64)
    units[rows[of], at] = shelf.units[shelf.units_at[which][of] + within]
    return units, n_units


def answerable(timing: Timing) -> NDArray[np.bool_]:
    """Tell for each utterance whether the network has frames enough to answer."""
    repeats: Ints = ((timing.units[:, 1:] == timing.units[:, :-1]) & (timing.units[:, 1:] > 0)).sum(axis=1)
    fits: NDArray[np.bool_] = (timing.n_units > 0) & (timing.n_units + repeats <= -(-timing.n_frames // STRIDE))
    return fits
