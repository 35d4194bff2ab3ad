"""Sets the numbers of spotting for the acoustic model that ships: run by a maintainer after every new model.

    python -m inference.speech.fit_spotting --data ../shared/data

Terms that nobody says are listened for in talk: words of the dictionary by length, hundreds of each, in sentences of voices and in
recordings of words that the model never learnt from, clean, in noise and after AAC, and the same words by people who are made up.
What scores so high that it is told more often than `--told` times a keyword and hour lies under the threshold. Two syllables have a
rate of their own: much of what sounds like them is them, in other words, and they are only for a person to look at. The strangers'
sentences are not looked at: they are for measuring. The numbers go into the manifest of the model; how many of the words that are
said would be told is printed beside them.
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
from inference.loader import UNITS as MODEL
from inference.sessions import OnnxSession
from inference.speech.confidence import LENGTHS
from inference.speech.pronouncing import Pronouncer, Spoken
from inference.speech.spotting import NEVER, SpottingNumbers, UnitPaths, find, ratios
from inference.speech.weighing import clarity, weighed
from inference.text.matcher import Language
from inference.verdicts import ModelRef
from models.manifest import Manifest
from models.shipped import FOLDER
from models.speech_bank import Bank, Kind, has_bank, write_bank
from models.speech_codec import BLANK, FRAME_S, UNITS, log_mels
from models.speech_evaluate import Group, Spoilt, known, spoilt, unheard
from models.speech_mix import Mixer
from models.speech_sources import Part, Recording
from models.speech_texts import Readings

PER_LENGTH = 800
"""Keywords of each length."""

LOWEST = {2: -1.6, 3: -2.2, 4: -2.6, 5: -2.8, 6: -2.8}
"""Scores below are not kept, by syllables: no threshold is set so low."""

MADE_UP_FRAMES = 800
"""Feature frames of an utterance by a made-up person: a window."""

CLEAR_SHARE = 0.02
"""Share of the words that are said which may be lost to the clarity gate."""

PRIOR_SHARE = 0.6
"""How much of a unit's commonness is taken off it; on made-up people best between 0.5 and 1 (4 syllables: 0.48 found without, 0.58
with it, at one false alarm in three keyword-hours)."""

PAUSE_COST = 0.02

CLARITY_SHARE, PACE_SHARE = 0.9, 0.4
"""What unclear and hurried sounds cost. On talk that was kept out, at a tenth of a false alarm a keyword and hour, made-up people's
words of two syllables are found 0.49 times without and 0.61 with them, of three 0.89 and 0.91, of four 0.94 and 0.96; half or
twice as dear is much the same."""

SURE_SHARE = 0.1
"""A term is sure where false alarms are so much rarer than where it is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """What the network answers to a clip whose words are known."""

    log_probs: NDArray[np.float32]
    units: tuple[int, ...]


class Ear:
    """The acoustic model, on the calling thread."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._input, self._output = manifest.inputs[0].name, manifest.outputs[0].name
        ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
        self._session = OnnxSession(folder / manifest.file, ref=ref, share=DeviceShare.auto("cpu"))

    def hear(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log probabilities, shape (frames, units)."""
        return self.read(log_mels(wave))

    def read(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log probabilities of features, shape (frames, units)."""
        answer = self._session.run({self._input: features[np.newaxis]})[self._output][0]
        return np.asarray(answer, np.float32)


@dataclass(slots=True)
class Counted:
    """Scores of one length of keywords."""

    lowest: float
    """Scores below were not kept."""
    wrong: list[float] = field(default_factory=list)
    """Of what was not said."""
    keyword_hours: float = 0.0
    right: list[float] = field(default_factory=list)
    """Of what was said."""

    def threshold(self, per_hour: float) -> float:
        """Return the score that so many false alarms a keyword and hour reach; at most a perfect one."""
        scores = np.sort(np.array([*self.wrong, self.lowest], np.float32))[::-1]
        return float(min(0.0, scores[min(len(scores) - 1, int(per_hour * self.keyword_hours))]))

    def recall(self, threshold: float) -> float:
        """Return the share of what was said that reaches a score."""
        return float((np.array(self.right) >= threshold).mean()) if self.right else 0.0


def talk(ear: Ear, data: Path, work: Path, *, n_sentences: int, n_made_up: int) -> Iterator[Talk]:
    """Yield what was kept out of the training: in turns clean, in noise and after AAC, then by made-up people."""
    recorded = [one for group in (Group.WORDS, Group.SYLLABLES) for one in known(data, group)]
    strung = _strung(recorded, np.random.default_rng(5))
    whole = [*unheard(work, data, n_sentences=n_sentences), *strung]
    for number, how in enumerate(Spoilt):
        for one in spoilt(whole[number :: len(Spoilt)], how):
            yield Talk(ear.hear(one.wave), tuple(one.units))
    if not has_bank(work / "bank"):
        write_bank(work / "bank", ((Kind(one.voice), one) for one in recorded))
    mixer = Mixer(Bank.open(work / "bank"), Readings.read(data / "speech"), [])
    for number in range(n_made_up):
        example = mixer.example(MADE_UP_FRAMES, np.random.default_rng((4, number)))
        yield Talk(ear.read(example.features), tuple(example.units))


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


def count(clips: Sequence[Talk], drawn: Sequence[Spoken], numbers: SpottingNumbers) -> tuple[dict[int, Counted], list[float]]:
    """Score keywords in talk.

    Returns:
        scores by length, and how clear the words were that were said.
    """
    counted = {n: Counted(LOWEST[n]) for n in LENGTHS}
    paths = UnitPaths.of([spoken.units for spoken in drawn])
    lengths = np.array([len(spoken.syllables) for spoken in drawn])
    floors = np.array([LOWEST[n] for n in lengths], np.float32)
    frames = np.ceil(lengths * (numbers.max_syllable_s / FRAME_S)).astype(np.int32)
    clear: list[float] = []
    rng = np.random.default_rng(11)
    for clip in clips:
        ratio = ratios(clip.log_probs, numbers)
        said = np.array([_occurs(spoken.units, clip.units) for spoken in drawn])
        for hit in find(ratio, paths, floors, numbers, max_frames=frames):
            if not said[hit.path]:
                n = int(lengths[hit.path])
                counted[n].wrong.append(weighed(hit, clarity(clip.log_probs, hit), n, numbers).score)
        for n in LENGTHS:
            counted[n].keyword_hours += ((lengths == n) & ~said).sum() * len(ratio) * FRAME_S / 3600
            start = 2 * int(rng.integers(max(1, len(clip.units) // 2 - n)))
            counted[n].right += list(_of_what_is_said(clip, clip.units[start : start + 2 * n], ratio, clear, numbers))
    return counted, clear


def _of_what_is_said(
    clip: Talk, said: tuple[int, ...], ratio: NDArray[np.float32], clear: list[float], numbers: SpottingNumbers
) -> Iterator[float]:
    """Score some units that are said, and note how clear they were."""
    if not said:
        return
    n_syllables = max(LENGTHS[0], len(said) // 2)
    frames = np.full(1, int(len(said) / 2 * numbers.max_syllable_s / FRAME_S), np.int32)
    hits = find(ratio, UnitPaths.of([said]), np.full(1, LOWEST[n_syllables], np.float32), numbers, max_frames=frames)
    best = max(hits, key=lambda hit: hit.score, default=None)
    if best is None:
        yield float(NEVER)
        return
    clear.append(clarity(clip.log_probs, best))
    yield weighed(best, clear[-1], n_syllables, numbers).score


def bias_of(clips: Sequence[Talk]) -> tuple[float, ...]:
    """Return what is taken off units for being common in what the network answers; 0 for the blank."""
    common = np.log(np.mean([np.exp(clip.log_probs).mean(axis=0) for clip in clips], axis=0) + 1e-6)
    bias = -PRIOR_SHARE * (common - common[BLANK + 1 :].mean())
    bias[BLANK] = 0.0
    return tuple(round(float(one), 3) for one in bias)


def _occurs(units: Sequence[int], spoken: Sequence[int]) -> bool:
    return any(tuple(spoken[start : start + len(units)]) == tuple(units) for start in range(len(spoken) - len(units) + 1))


def fitted(
    manifest: Manifest,
    numbers: SpottingNumbers,
    counted: dict[int, Counted],
    clear: Sequence[float],
    rates: tuple[float, float],
) -> Manifest:
    """Put the numbers into a manifest.

    Args:
        manifest: of the model.
        numbers: that the scores were counted with.
        counted: scores by length.
        clear: how clear the words were that were said.
        rates: false alarms a keyword and hour at which a term is told: of two syllables, and of more.
    """
    after = dict(manifest.postprocess)
    after |= {"frame_floor": numbers.frame_floor, "pause_cost": numbers.pause_cost, "max_syllable_s": numbers.max_syllable_s}
    after |= {"clarity_share": numbers.clarity_share, "pace_share": numbers.pace_share}
    for n, one in counted.items():
        told = one.threshold(rates[n > LENGTHS[0]])
        after[f"told_{n}"] = round(told, 4)
        after[f"sure_{n}"] = round(max(told, one.threshold(rates[n > LENGTHS[0]] * SURE_SHARE)), 4)
    after["min_clarity"] = round(min(0.5, float(np.quantile(clear, CLEAR_SHARE))), 3)
    after |= {f"bias_{unit}": one for unit, one in zip(UNITS, numbers.bias, strict=True) if one}
    return replace(manifest, postprocess=after)


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds speech")
    parser.add_argument("--work", type=Path, default=Path("/tmp/livewarden-fit-spotting"), help="for what is made on the way")
    parser.add_argument("--model", type=Path, default=FOLDER / MODEL, help="folder with manifest and graph")
    parser.add_argument("--told", type=float, default=0.03, help="false alarms a keyword and hour at which a term is told")
    parser.add_argument("--told-two", type=float, default=0.1, help="the same for two syllables")
    parser.add_argument("--sentences", type=int, default=40, help="of each synthetic voice")
    parser.add_argument("--made-up", type=int, default=300, help="utterances of made-up people")
    given = parser.parse_args()
    path = given.model / "manifest.yaml"
    manifest = Manifest.load(path)
    language = Language.load()
    drawn = keywords(Pronouncer(language.normaliser), sorted(language.tables.word_costs), np.random.default_rng(3))
    ear = Ear(given.model, manifest)
    clips = list(talk(ear, given.data, given.work, n_sentences=given.sentences, n_made_up=given.made_up))
    numbers = SpottingNumbers(pause_cost=PAUSE_COST, bias=bias_of(clips), clarity_share=CLARITY_SHARE, pace_share=PACE_SHARE)
    counted, clear = count(clips, drawn, numbers)
    after = fitted(manifest, numbers, counted, clear, (given.told_two, given.told))
    for n, one in counted.items():
        told, sure = after.number(f"told_{n}"), after.number(f"sure_{n}")
        figures = f"told {told:.3f} (recall {one.recall(told):.3f}), sure {sure:.3f} (recall {one.recall(sure):.3f})"
        sys.stdout.write(f"{n} syllables, {one.keyword_hours:.0f} keyword-hours: {figures}\n")
    sys.stdout.write(f"clarity {after.number('min_clarity')}\n")
    after.dump(path)


if __name__ == "__main__":
    main()
