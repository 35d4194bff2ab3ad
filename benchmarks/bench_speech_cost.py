"""What does listening cost, in CPU seconds a second of one room that talks all the time, beside pocketsphinx on the same sound?

    python -m benchmarks.bench_speech_cost [--data ../shared/data] [--rooms 16] [--rounds 5] [--json]

Rooms talk without a pause (synthetic voices, and the people of the test sets); windows of 8 s every 4 s, as the shipped policy cuts
them, so that every second is heard twice; the rooms' windows come together and share batches, on one executor thread. CPU time of
the whole process by the shipped detector, voice activity included, with 60 and with 1,000 terms; then the parts one by one.
pocketsphinx hears the same sound once, as a stream, one room after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine_line
from benchmarks.speech_listeners import Dictionary, Keyword, PocketSphinx
from inference.devices import DeviceShare
from inference.lanes import Device
from inference.registry import open_spotting
from inference.samples import SAMPLE_RATE_HZ, AudioClip
from inference.speech.hearing import listen
from inference.speech.keywords import KeywordDetector
from inference.speech.pronouncing import Pronouncer
from inference.speech.vocabulary import Vocabulary
from inference.text.check import TextChecker
from inference.text.lexicon import WordList
from inference.text.terms import Mode, Term
from models.speech_codec import log_mels
from models.speech_evaluate import strangers
from models.speech_synth import HELD_OUT, Espeak, any_manner
from models.speech_texts import Readings, Talk
from models.store import ModelStore, default_root

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WINDOW_S, HOP_S = 8.0, 4.0
N_TERMS = (60, 1000)

Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one thing."""

    what: str
    ms: float
    """Milliseconds of one core a second of one room, median over the rounds."""
    low: float
    high: float


class Words:
    """One list of so many terms, as a generation of lists."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.lists = (WordList("bench", 1, tuple(terms)),)
        self.allowed: tuple[str, ...] = ()


class Listened:
    """The text engine as the detector needs it, with a list that is swapped between rounds."""

    def __init__(self, checker: TextChecker) -> None:
        self.findings = checker.findings
        self.normaliser = checker.normaliser
        self.words = checker.words
        self.in_force = Words(())


def rooms_talking(data: Path, work: Path, n_rooms: int) -> list[Wave]:
    """Make twelve seconds of talk without a pause for each room."""
    talk, espeak = Talk(Readings.read(data / "speech"), []), Espeak(work / "espeak")
    people = [recording.wave for recording in strangers(data)]
    waves = []
    for room in range(n_rooms):
        rng = np.random.default_rng((5, room))
        parts: list[Wave] = []
        while sum(map(len, parts)) < (WINDOW_S + HOP_S) * SAMPLE_RATE_HZ:
            variant = HELD_OUT[room % len(HELD_OUT)]
            synthetic = espeak.say(talk.spoken(rng), any_manner(variant, rng), rng)
            parts.append(people[int(rng.integers(len(people)))] if room % 2 else synthetic)
        waves.append(np.concatenate(parts)[: round((WINDOW_S + HOP_S) * SAMPLE_RATE_HZ)])
    return waves


def windows(waves: Sequence[Wave]) -> list[AudioClip]:
    """Cut one window of every room; a window stands for HOP_S of the room."""
    size = round(WINDOW_S * SAMPLE_RATE_HZ)
    now = datetime.now(UTC)
    return [AudioClip(f"room{number}", "s", 0.0, now, 0.0, wave[:size].copy()) for number, wave in enumerate(waves)]


def cpu_ms(work: Callable[[], object], room_seconds: float) -> float:
    """Run something once; milliseconds of CPU of the whole process a room-second."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000 / room_seconds


def vocabularies(checker: TextChecker) -> dict[int, list[Term]]:
    """Take the shipped terms, then ordinary words of two to four characters, to so many terms."""
    shipped = [term for term in checker.in_force.lists[0].terms if term.mode in (Mode.PINYIN, Mode.FOLD)]
    from inference.text.tables import Tables

    words = sorted(word for word in Tables.load().word_costs if 2 <= len(word) <= 4)
    drawn = np.random.default_rng(1).permutation(len(words))[: N_TERMS[-1]]
    more = [Term(words[index], "custom.word", 2, mode=Mode.PINYIN) for index in drawn]
    return {n: [*shipped, *more][:n] for n in N_TERMS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", type=Path, default=default_root())
    parser.add_argument("--work", type=Path, default=Path("/tmp/livewarden-bench-spotting"))
    parser.add_argument("--rooms", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    costs = run(given.data, given.models, given.work, n_rooms=given.rooms, n_rounds=given.rounds)
    if given.json:
        json.dump(
            {"machine": machine_line("onnxruntime-gpu", "pocketsphinx"), "costs": list(map(asdict, costs))}, sys.stdout, indent=1
        )
        return
    print(machine_line("onnxruntime-gpu", "pocketsphinx"))
    print(f"\n### CPU a room-second of continuous speech, {given.rooms} rooms\n")
    print("| what | ms | low | high | of one core |\n|---|---|---|---|---|")
    for cost in costs:
        print(f"| {cost.what} | {cost.ms:.2f} | {cost.low:.2f} | {cost.high:.2f} | {cost.ms / 10:.2f} % |")


def run(data: Path, store: Path, work: Path, *, n_rooms: int, n_rounds: int) -> list[Cost]:
    """Measure everything in turns."""
    checker = TextChecker.load()
    waves, text, lists = rooms_talking(data, work, n_rooms), Listened(checker), vocabularies(checker)
    device = Device(DeviceShare.auto("cpu", n_threads=1))
    with ThreadPoolExecutor(max_workers=1) as threads:
        detector = open_spotting(ModelStore(store), device, text, threads=threads)
        try:
            contenders = _contenders(detector, text, lists, waves, data)
            figures: dict[str, list[float]] = {what: [] for what in contenders}
            for _ in range(n_rounds):
                for what, measure in contenders.items():
                    figures[what].append(measure())
        finally:
            device.close()
    return [Cost(what, statistics.median(ms), min(ms), max(ms)) for what, ms in figures.items()]


def _contenders(
    detector: KeywordDetector, text: Listened, lists: dict[int, list[Term]], waves: Sequence[Wave], data: Path
) -> dict[str, Callable[[], float]]:
    """Say what is measured, and how."""
    room_s = len(waves) * HOP_S

    async def look(clips: Sequence[AudioClip]) -> None:
        await asyncio.gather(*(detector.detect(clip) for clip in clips))

    def whole(n: int) -> float:
        text.in_force = Words(lists[n])
        detector.vocabulary()
        clips = windows(waves)
        return cpu_ms(lambda: asyncio.run(look(clips)), room_s)

    clips = windows(waves)
    outputs = [asyncio.run(detector.infer(detector.prepare(clip), deadline_s=None)) for clip in clips]
    pronouncer = Pronouncer(text.normaliser)
    said = {n: Vocabulary.of(Words(terms).lists, (), pronouncer) for n, terms in lists.items()}
    parts: dict[str, Callable[[], float]] = {f"spotting, {n:,} terms, all of it": (lambda n=n: whole(n)) for n in N_TERMS}
    parts["  of it: voice activity"] = lambda: cpu_ms(lambda: asyncio.run(_voices(detector, windows(waves))), room_s)
    parts["  of it: features"] = lambda: cpu_ms(lambda: [log_mels(clip.pcm) for clip in clips], room_s)
    for n in N_TERMS:
        parts[f"  of it: finding {n:,} terms"] = lambda n=n: cpu_ms(
            lambda: [listen(one.posteriors, said[n], detector.rules) for one in outputs], room_s
        )
    folder = data / "speech" / "pocketsphinx_zh"
    dictionary = Dictionary(folder / "mandarin_notone.dic")
    for terms in lists.values():
        keywords = list(_sayable(dictionary, pronouncer, terms))
        sphinx = PocketSphinx(folder, keywords)
        # It hears a stream once, where our windows overlap: twelve seconds are twelve seconds.
        seconds = sum(map(len, waves)) / SAMPLE_RATE_HZ
        parts[f"pocketsphinx, {len(keywords):,} terms"] = lambda sphinx=sphinx, seconds=seconds: cpu_ms(
            lambda: [sphinx.listen(wave) for wave in waves], seconds
        )
    return parts


async def _voices(detector: KeywordDetector, clips: Sequence[AudioClip]) -> None:
    await asyncio.gather(*(detector.voice.listen(detector.voice.prepare(clip), deadline_s=None) for clip in clips))


def _sayable(dictionary: Dictionary, pronouncer: Pronouncer, terms: Sequence[Term]) -> list[Keyword]:
    found = []
    for term in terms:
        for way in pronouncer.readings(term.text)[:1]:
            try:
                found.append(dictionary.said(term.text, way.syllables))
            except KeyError:
                continue  # the 2010 dictionary has no such syllable
    return found


if __name__ == "__main__":
    main()
