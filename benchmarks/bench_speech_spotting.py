"""How many spoken terms are found, and at how many false alarms: ours beside pocketsphinx with its 2010 Mandarin model, in one run.

    python -m benchmarks.bench_speech_spotting [--data ../shared/data] [--model FOLDER] [--voices N] [--json]

Two questions, each clean, in pink noise at 10 dB and through AAC at 32 kb/s:

- Synthetic voices that training never heard: 30 terms of the shipped list in sentences, by each voice, and as much talk without
  them. Recall against false alarms an hour of all terms together.
- People never heard, reading sentences: their two-syllable words, and phrases of four syllables. Recall against false alarms a
  keyword and hour.

A hit in a clip in which the keyword is said counts as found, elsewhere as false. Thresholds are swept over the scores: ours by the
distance to the shipped threshold of each length, both by the mean score a sound.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import machine_line
from benchmarks.speech_listeners import Dictionary, Hit, Keyword, Listener, Ours, PocketSphinx
from inference.loader import UNITS
from inference.speech.pronouncing import Pronouncer
from inference.text.check import TextChecker
from models.shipped import FOLDER
from models.speech_evaluate import Spoilt, spoilt, strangers
from models.speech_sources import SAMPLE_RATE_HZ, Part, Recording
from models.speech_synth import HELD_OUT, Espeak, any_manner
from models.speech_texts import Readings, Talk

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

N_TERMS = 30
PER_HOUR = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)
"""False alarms an hour of all terms together."""
PER_KEYWORD_HOUR = (0.33, 1.0, 2.0, 4.0, 7.5, 15.0)
"""False alarms a keyword and hour."""

Rank = Callable[[Hit], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    question: str
    condition: str
    listener: str
    recall: tuple[float, ...]
    """At each rate of false alarms."""
    n_said: int
    hours: float
    """Of talk; keyword-hours where the rate is one a keyword."""
    shipped_recall: float
    """Found at the thresholds that ship; pocketsphinx ships none, so this says nothing of it."""
    shipped_rate: float
    """False alarms there, in the unit of the rates."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Clips and what is said in each."""

    question: str
    keywords: tuple[Keyword, ...]
    clips: tuple[Recording, ...]
    said: tuple[frozenset[int], ...]
    """Keywords said in each clip."""
    rates: tuple[float, ...]
    per_keyword: bool

    @property
    def hours(self) -> float:
        """What the false alarms are counted over."""
        spans = [
            len(clip.wave) / SAMPLE_RATE_HZ / 3600 * (len(self.keywords) - len(said) if self.per_keyword else 1)
            for clip, said in zip(self.clips, self.said, strict=True)
        ]
        return sum(spans)


def measure(trial: Trial, condition: Spoilt, listener: Listener, rank: Rank) -> Row:
    """Run one listener over all clips of a trial."""
    found: list[float] = []
    false: list[float] = []
    for clip, said in zip(spoilt(trial.clips, condition), trial.said, strict=True):
        best = dict.fromkeys(said, -np.inf)
        for hit in listener.listen(clip.wave):
            if hit.keyword in best:
                best[hit.keyword] = max(best[hit.keyword], rank(hit))
            else:
                false.append(rank(hit))
        found += best.values()
    order = np.sort(np.array([*false, -np.inf]))[::-1]
    recalls = []
    for rate in trial.rates:
        threshold = order[min(len(order) - 1, int(rate * trial.hours))]
        recalls.append(float((np.array(found) > threshold).mean()))
    shipped = float((np.array(found) >= 0.0).mean()), float((order >= 0.0).sum() / trial.hours)
    return Row(trial.question, condition, listener.name, tuple(recalls), len(found), trial.hours, *shipped)


def synthetic(data: Path, work: Path, dictionary: Dictionary, n_voices: int) -> Trial:
    """Terms of the shipped list in sentences by unheard voices, each sentence once with a term and once with talk in its place."""
    checker = TextChecker.load()
    pronouncer = Pronouncer(checker.normaliser)
    texts = [term.text for term in checker.in_force.lists[0].terms if term.text.isalpha() and not term.text.isascii()]
    keywords = tuple(
        dictionary.said(text, pronouncer.readings(text)[0].syllables) for text in texts[:: len(texts) // N_TERMS][:N_TERMS]
    )
    talk, espeak = Talk(Readings.read(data / "speech"), []), Espeak(work / "espeak")
    clips: list[Recording] = []
    said: list[frozenset[int]] = []
    for voice, variant in enumerate(HELD_OUT[:n_voices]):
        rng = np.random.default_rng((99, voice))
        for keyword in keywords:
            for inside in (keyword.syllables, talk.spoken(rng)):
                syllables = (*talk.spoken(rng), *inside, *talk.spoken(rng))
                wave = espeak.say(syllables, any_manner(variant, rng), rng)
                clips.append(Recording(wave, "", syllables, variant, Part.TEST))
                said.append(_said(keywords, syllables))
    return Trial(f"{len(keywords)} terms, synthetic", keywords, tuple(clips), tuple(said), PER_HOUR, per_keyword=False)


def by_strangers(data: Path, dictionary: Dictionary, n_syllables: int) -> Trial:
    """Words of two syllables, or phrases of more, of the sentences that strangers read."""
    clips = tuple(strangers(data))
    texts: dict[str, None] = {}
    for clip in clips:
        words = dictionary.cut(clip.text)
        if n_syllables == 2:
            texts.update(dict.fromkeys(word for word in words if len(word) == n_syllables))
        else:
            texts.update(dict.fromkeys(_phrases(words, n_syllables)))
    keywords = tuple(dictionary.keyword(text) for text in texts)
    # By syllables and by text: the dictionary reads some characters otherwise than the transcript does.
    said = tuple(
        _said(keywords, clip.syllables) | {number for number, keyword in enumerate(keywords) if keyword.text in clip.text}
        for clip in clips
    )
    question = f"{len(keywords)} {'words' if n_syllables == 2 else 'phrases'} of {n_syllables} syllables, strangers"
    return Trial(question, keywords, clips, said, PER_KEYWORD_HOUR, per_keyword=True)


def _phrases(words: Sequence[str], n_syllables: int) -> Iterable[str]:
    """Yield runs of whole words that have so many characters, one after the other."""
    for first in range(len(words)):
        run = ""
        for word in words[first:]:
            run += word
            if len(run) == n_syllables:
                yield run
            if len(run) >= n_syllables:
                break


def _said(keywords: Sequence[Keyword], syllables: Sequence[str]) -> frozenset[int]:
    spoken = " ".join(("", *syllables, ""))
    return frozenset(number for number, keyword in enumerate(keywords) if " ".join(("", *keyword.syllables, "")) in spoken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", type=Path, default=FOLDER / UNITS)
    parser.add_argument("--work", type=Path, default=Path("/tmp/livewarden-bench-spotting"))
    parser.add_argument("--voices", type=int, default=len(HELD_OUT), help="synthetic voices")
    parser.add_argument("--strangers-only", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = given.data / "speech" / "pocketsphinx_zh"
    dictionary = Dictionary(folder / "mandarin_notone.dic")
    trials = [by_strangers(given.data, dictionary, n) for n in (2, 4)]
    if not given.strangers_only:
        trials.insert(0, synthetic(given.data, given.work, dictionary, given.voices))
    rows = [
        row
        for trial in trials
        for condition in Spoilt
        for row in _both(trial, condition, Ours(given.model, trial.keywords), PocketSphinx(folder, trial.keywords))
    ]
    if given.json:
        json.dump(
            {"machine": machine_line("onnxruntime-gpu", "pocketsphinx"), "rows": list(map(asdict, rows))}, sys.stdout, indent=1
        )
        return
    print(machine_line("onnxruntime-gpu", "pocketsphinx"))
    for trial in trials:
        _print(trial, [row for row in rows if row.question == trial.question])


def _both(trial: Trial, condition: Spoilt, ours: Ours, theirs: PocketSphinx) -> Iterable[Row]:
    lengths = [len(keyword.syllables) for keyword in trial.keywords]
    yield measure(trial, condition, ours, lambda hit: _margin(ours, hit.score, lengths[hit.keyword]))
    yield measure(trial, condition, theirs, lambda hit: hit.score)


def _margin(ours: Ours, score: float, n_syllables: int) -> float:
    """Return how far a score lies over the shipped threshold of its length, in steps from `told` to `sure`."""
    row = min(n_syllables, 6) - 2
    told, sure = ours.rules.told[row], ours.rules.sure[row]
    return (score - told) / max(sure - told, 0.05)


def _print(trial: Trial, rows: Sequence[Row]) -> None:
    unit = "a keyword and hour" if trial.per_keyword else "an hour of all terms"
    print(f"\n### {trial.question}: recall at so many false alarms {unit}\n")
    print(f"{rows[0].n_said} said, {rows[0].hours:.2f} {'keyword-hours' if trial.per_keyword else 'hours'}\n")
    print("| sound | who | " + " | ".join(f"{rate:g}" for rate in trial.rates) + " | at the shipped thresholds |")
    print("|---" * (3 + len(trial.rates)) + "|")
    for row in rows:
        shipped = f"{row.shipped_recall:.2f} at {row.shipped_rate:.2f}" if row.listener == Ours.name else ""
        curve = " | ".join(f"{recall:.2f}" for recall in row.recall)
        print(f"| {row.condition} | {row.listener} | {curve} | {shipped} |")


if __name__ == "__main__":
    main()
