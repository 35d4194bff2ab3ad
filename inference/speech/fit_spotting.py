"""Sets the thresholds of spotting for the acoustic model that ships: run by a maintainer after every new model.

    python -m inference.speech.fit_spotting --data ../shared/data

Terms that nobody says are listened for in talk: words of the dictionary by length, hundreds of each, in sentences of voices and in
recordings of words that the model never learnt from, clean, in noise and after AAC. What scores so high that it is told more often
than `--told` times a keyword and hour lies under the threshold. The strangers' sentences are not looked at: they are for measuring.
The numbers go into the manifest of the model; how many of the words that are said would be told is printed beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.devices import DeviceShare
from inference.loader import UNITS
from inference.sessions import OnnxSession
from inference.speech.confidence import LENGTHS
from inference.speech.hearing import clarity
from inference.speech.pronouncing import Pronouncer, Spoken
from inference.speech.spotting import NEVER, SpottingNumbers, UnitPaths, end_scores, find, ratios
from inference.speech.stretches import Posteriors, Stretch
from inference.text.matcher import Language
from inference.verdicts import ModelRef
from models.manifest import Manifest
from models.shipped import FOLDER
from models.speech_codec import FRAME_S, log_mels
from models.speech_evaluate import Spoilt, known, spoilt, unheard
from models.speech_sources import Part, Recording

PER_LENGTH = 400
"""Keywords of each length."""

PEAK = 25
"""Frames in which one keyword is counted once: a second."""

LOWEST = -8.0
"""Scores below are not kept: no threshold is set so low."""

JOINED_S = 6.0
"""Short recordings are put together to about this length, as talk is."""

CLEAR_SHARE = 0.02
"""Share of the words that are said which may be lost to the clarity gate."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A clip whose words are known."""

    wave: NDArray[np.float32]
    units: tuple[int, ...]


class Ear:
    """The acoustic model, on the calling thread."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._input, self._output = manifest.inputs[0].name, manifest.outputs[0].name
        ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
        self._session = OnnxSession(folder / manifest.file, ref=ref, share=DeviceShare.auto("cpu"))

    def hear(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log probabilities, shape (frames, units)."""
        answer = self._session.run({self._input: log_mels(wave)[np.newaxis]})[self._output][0]
        return np.asarray(answer, np.float32)


@dataclass(slots=True)
class Counted:
    """Scores of one length of keywords."""

    wrong: list[NDArray[np.float32]] = field(default_factory=list)
    """Of what was not said."""
    keyword_hours: float = 0.0
    right: list[float] = field(default_factory=list)
    """Of what was said."""

    def threshold(self, per_hour: float) -> float:
        """Return the score that so many false alarms a keyword and hour reach; at most a perfect one."""
        scores = np.sort(np.concatenate([*self.wrong, np.array([LOWEST], np.float32)]))[::-1]
        return float(min(0.0, scores[min(len(scores) - 1, int(per_hour * self.keyword_hours))]))

    def recall(self, threshold: float) -> float:
        """Return the share of what was said that reaches a score."""
        return float((np.array(self.right) >= threshold).mean()) if self.right else 0.0


def talk(data: Path, work: Path, *, n_sentences: int, known_share: float) -> Iterator[Talk]:
    """Yield what was kept out of the training, in turns clean, in noise and after AAC."""
    spoken = list(unheard(work, data, n_sentences=n_sentences))
    recorded = list(_strung(known(data, share=known_share), np.random.default_rng(5)))
    for number, one in enumerate([*spoken, *recorded]):
        how = list(Spoilt)[number % len(Spoilt)]
        heard = spoilt(one, how, number)
        yield Talk(heard.wave, tuple(heard.units))


def _strung(recordings: Iterable[Recording], rng: np.random.Generator) -> Iterator[Recording]:
    """Put words of one speaker together, in any order."""
    by_voice: dict[str, list[Recording]] = {}
    for one in recordings:
        by_voice.setdefault(one.voice, []).append(one)
    for voice, clips in by_voice.items():
        row = iter([clips[index] for index in rng.permutation(len(clips))])
        while together := list(islice(row, 8)):
            wave = np.concatenate([one.wave for one in together])
            yield Recording(wave, "", tuple(syllable for one in together for syllable in one.syllables), voice, Part.TEST)


def keywords(pronouncer: Pronouncer, words: Iterable[str], rng: np.random.Generator) -> list[Spoken]:
    """Draw keywords of every length from a dictionary; long ones are two words."""
    by_length: dict[int, list[Spoken]] = {n: [] for n in LENGTHS}
    for word in words:
        for way in pronouncer.readings(word)[:1]:
            if len(way.syllables) in by_length:
                by_length[len(way.syllables)].append(way)
    drawn: list[Spoken] = []
    for n in LENGTHS:
        if n > LENGTHS[2]:
            heads, tails = by_length[n - 2], by_length[2]
            pairs = zip(rng.integers(len(heads), size=PER_LENGTH), rng.integers(len(tails), size=PER_LENGTH), strict=True)
            by_length[n] = [_after(heads[head], tails[tail]) for head, tail in pairs]
        drawn += [by_length[n][index] for index in rng.permutation(len(by_length[n]))[:PER_LENGTH]]
    return drawn


def _after(one: Spoken, other: Spoken) -> Spoken:
    return Spoken(one.syllables + other.syllables, one.units + other.units)


def count(
    ear: Ear, clips: Iterable[Talk], drawn: Sequence[Spoken], numbers: SpottingNumbers
) -> tuple[dict[int, Counted], list[float]]:
    """Score keywords in talk.

    Returns:
        scores by length, and how clear the words were that were said.
    """
    counted = {n: Counted() for n in LENGTHS}
    paths = UnitPaths.of([spoken.units for spoken in drawn])
    lengths = np.array([len(spoken.syllables) for spoken in drawn])
    clear: list[float] = []
    rng = np.random.default_rng(11)
    for clip in clips:
        log_probs = ear.hear(clip.wave)
        ratio = ratios(log_probs, numbers)
        peaks = _peaks(np.divide(end_scores(ratio, paths, numbers), paths.lengths, dtype=np.float32))
        said = np.array([_occurs(spoken.units, clip.units) for spoken in drawn])
        for n in LENGTHS:
            columns = (lengths == n) & ~said
            scores = peaks[:, columns]
            counted[n].wrong.append(scores[scores > LOWEST])
            counted[n].keyword_hours += columns.sum() * len(log_probs) * FRAME_S / 3600
            _of_what_is_said(n, clip, log_probs, ratio, (counted[n], clear, rng), numbers)
    return counted, clear


def _of_what_is_said(
    n: int,
    clip: Talk,
    log_probs: NDArray[np.float32],
    ratio: NDArray[np.float32],
    into: tuple[Counted, list[float], np.random.Generator],
    numbers: SpottingNumbers,
) -> None:
    """Score one stretch of n syllables that is said."""
    counted, clear, rng = into
    size = 2 * n
    if len(clip.units) < size:
        return
    start = 2 * int(rng.integers((len(clip.units) - size) // 2 + 1))
    path = UnitPaths.of([clip.units[start : start + size]])
    frames = np.full(1, int(n * numbers.max_syllable_s / FRAME_S), np.int32)
    hits = find(ratio, path, np.full(1, LOWEST, np.float32), numbers, max_frames=frames)
    best = max(hits, key=lambda hit: hit.score, default=None)
    counted.right.append(best.score if best else float(NEVER))
    if best:
        clear.append(clarity(Posteriors.joined([(Stretch(0, len(log_probs)), log_probs)], log_probs.shape[1]), best))


def _peaks(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(scores, ((0, -len(scores) % PEAK), (0, 0)), constant_values=NEVER)
    best: NDArray[np.float32] = padded.reshape(-1, PEAK, scores.shape[1]).max(axis=1)
    return best


def _occurs(units: Sequence[int], spoken: Sequence[int]) -> bool:
    return any(tuple(spoken[start : start + len(units)]) == tuple(units) for start in range(len(spoken) - len(units) + 1))


def fitted(manifest: Manifest, counted: dict[int, Counted], clear: Sequence[float], rates: tuple[float, float]) -> Manifest:
    """Put the thresholds into a manifest."""
    numbers = dict(manifest.postprocess) | _plain(SpottingNumbers())
    for n, one in counted.items():
        told = one.threshold(rates[0])
        numbers[f"told_{n}"] = round(told, 4)
        numbers[f"sure_{n}"] = round(max(told, one.threshold(rates[1])), 4)
    numbers["min_clarity"] = round(min(0.5, float(np.quantile(clear, CLEAR_SHARE))), 3)
    return replace(manifest, postprocess=numbers)


def _plain(numbers: SpottingNumbers) -> dict[str, float]:
    return {"frame_floor": numbers.frame_floor, "pause_cost": numbers.pause_cost, "max_syllable_s": numbers.max_syllable_s}


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds speech")
    parser.add_argument("--work", type=Path, default=Path("/tmp/livewarden-fit-spotting"), help="for the synthesiser's data")
    parser.add_argument("--model", type=Path, default=FOLDER / UNITS, help="folder with manifest and graph")
    parser.add_argument("--told", type=float, default=0.03, help="false alarms a keyword and hour at which a term is told")
    parser.add_argument("--sure", type=float, default=0.003, help="and at which it is sure")
    parser.add_argument("--sentences", type=int, default=40, help="of each synthetic voice")
    parser.add_argument("--known", type=float, default=1.0, help="share of the held-out recordings")
    given = parser.parse_args()
    path = given.model / "manifest.yaml"
    manifest = Manifest.load(path)
    language = Language.load()
    drawn = keywords(Pronouncer(language.normaliser), sorted(language.tables.word_costs), np.random.default_rng(3))
    clips = talk(given.data, given.work, n_sentences=given.sentences, known_share=given.known)
    counted, clear = count(Ear(given.model, manifest), clips, drawn, SpottingNumbers())
    after = fitted(manifest, counted, clear, (given.told, given.sure))
    for n, one in counted.items():
        told, sure = after.number(f"told_{n}"), after.number(f"sure_{n}")
        figures = f"told {told:.3f} (recall {one.recall(told):.3f}), sure {sure:.3f} (recall {one.recall(sure):.3f})"
        sys.stdout.write(f"{n} syllables, {one.keyword_hours:.0f} keyword-hours: {figures}\n")
    sys.stdout.write(f"clarity {after.number('min_clarity')}\n")
    after.dump(path)


if __name__ == "__main__":
    main()
