"""What does the shipped detector tell of where none of the terms is said: silence, noise, music, ordinary talk?

    python -m benchmarks.bench_speech_quiet [--data ../shared/data] [--minutes 30] [--json]

The shipped lists, models and thresholds, window by window as rooms are heard: digital silence, hiss and hum of several colours,
made-up music, the sound of clips and of voices round a fire, people who read sentences in Mandarin and English, and talk by
synthetic voices that training never heard, clean and in noise. Where a term is said by chance its syllables are in the text, and it
does not count. Made kinds last `--minutes` each; recordings as long as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine_line
from inference.devices import DeviceShare
from inference.lanes import Device
from inference.registry import open_spotting
from inference.samples import SAMPLE_RATE_HZ, AudioClip
from inference.speech.keywords import KeywordDetector
from inference.text.check import TextChecker
from models.speech_evaluate import noisy, strangers
from models.speech_sources import decoded
from models.speech_synth import HELD_OUT, Espeak, any_manner
from models.speech_texts import Readings, Talk
from models.store import ModelStore, default_root

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WINDOW_S = 8.0
CLIPS = ("bigbuckbunny.mp4", "nasa_13013.mp4", "tears-of-steel-battle-clip-medium.webm")
"""With sound."""

Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was told of one kind of sound."""

    kind: str
    minutes: float
    told: tuple[str, ...]
    """Terms, with what was heard."""

    @property
    def per_hour(self) -> float:
        """False alarms an hour."""
        return len(self.told) / max(1e-9, self.minutes / 60)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Some seconds of one kind, and what is said in it, as far as is known."""

    kind: str
    wave: Wave
    syllables: tuple[str, ...] = ()


def silence(minutes: float) -> Iterator[Sound]:
    yield Sound("digital silence", np.zeros(round(minutes * 60 * SAMPLE_RATE_HZ), np.float32))


def noise(minutes: float, rng: np.random.Generator) -> Iterator[Sound]:
    """Yield ten seconds at a time of noise of any colour and level, at times with a hum."""
    for _ in range(round(minutes * 6)):
        n_pcm = 10 * SAMPLE_RATE_HZ
        spectrum = np.fft.rfft(rng.normal(0, 1, n_pcm)) * np.maximum(1, np.arange(n_pcm // 2 + 1)) ** rng.uniform(-1.2, 0.3)
        wave = np.fft.irfft(spectrum, n_pcm)
        wave *= rng.uniform(0.005, 0.3) / np.abs(wave).max()
        wave += rng.uniform(0, 0.1) * np.sin(2 * np.pi * rng.uniform(45, 200) * np.arange(n_pcm) / SAMPLE_RATE_HZ)
        yield Sound("steady noise", wave.astype(np.float32))


def music(minutes: float, rng: np.random.Generator) -> Iterator[Sound]:
    """Yield ten seconds at a time of chords that change, with overtones and beats."""
    at_s = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for _ in range(round(minutes * 6)):
        wave = np.zeros(len(at_s))
        beat_s = rng.uniform(0.25, 0.8)
        fade = np.exp(-(at_s % beat_s) * rng.uniform(1, 8))
        for _ in range(int(rng.integers(2, 6))):
            steps = rng.integers(-12, 24, int(10 / beat_s) + 1)[(at_s / beat_s).astype(int)]
            phase = np.cumsum(220 * 2.0 ** (steps / 12)) / SAMPLE_RATE_HZ
            wave += sum(np.sin(2 * np.pi * k * phase) / k ** rng.uniform(1, 2) for k in range(1, 7)) * fade
        yield Sound("made-up music", (0.3 * wave / np.abs(wave).max()).astype(np.float32))


def talk(minutes: float, data: Path, work: Path, rng: np.random.Generator, *, noise_db: float | None) -> Iterator[Sound]:
    """Yield sentences by unheard voices, some three at a time."""
    said, espeak = Talk(Readings.read(data / "speech"), []), Espeak(work / "espeak")
    left_s = minutes * 60
    while left_s > 0:
        syllables = tuple(syllable for _ in range(3) for syllable in said.spoken(rng))
        wave = espeak.say(syllables, any_manner(HELD_OUT[int(rng.integers(len(HELD_OUT)))], rng), rng)
        left_s -= len(wave) / SAMPLE_RATE_HZ
        kind = "talk, synthetic" if noise_db is None else f"talk, synthetic, noise at {noise_db:g} dB"
        yield Sound(kind, wave if noise_db is None else noisy(wave, noise_db, rng), syllables)


def recordings(data: Path) -> Iterator[Sound]:
    """Yield the sound of the test data."""
    for one in strangers(data):
        yield Sound("people reading Mandarin", one.wave, one.syllables)
    for path in sorted((data / "speech" / "sentences_en").glob("*.flac")):
        yield Sound("people speaking English", decoded(path))
    yield Sound("voices round a fire", decoded(data / "speech" / "noise" / "voices-around-a-fire.mp3"))
    for path in (data / "video" / name for name in CLIPS):
        yield Sound("sound of clips", decoded(path))


async def listen(detector: KeywordDetector, sound: Sound) -> list[str]:
    """Return what is told of one sound, as rooms are heard."""
    size = round(WINDOW_S * SAMPLE_RATE_HZ)
    told = []
    said = " ".join(("", *sound.syllables, ""))
    for first in range(0, len(sound.wave), size):
        now = datetime.now(UTC)
        clip = AudioClip("r", "s", first / SAMPLE_RATE_HZ, now, 0.0, sound.wave[first : first + size].astype(np.float32))
        for finding in (await detector.detect(clip)).findings:
            assert finding.match is not None  # a spotted term has one
            ways = detector.pronouncer.readings(finding.match.term)
            if not any(" ".join(("", *way.syllables, "")) in said for way in ways):
                told.append(f"{finding.match.term} ({finding.match.matched}, {finding.score:.2f})")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", type=Path, default=default_root())
    parser.add_argument("--work", type=Path, default=Path("/tmp/livewarden-bench-spotting"))
    parser.add_argument("--minutes", type=float, default=30.0, help="of each kind that is made")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(17)
    sounds = [
        silence(given.minutes / 3),
        noise(given.minutes, rng),
        music(given.minutes, rng),
        talk(given.minutes, given.data, given.work, rng, noise_db=None),
        talk(given.minutes, given.data, given.work, rng, noise_db=10.0),
        recordings(given.data),
    ]
    seconds: dict[str, float] = {}
    told: dict[str, list[str]] = {}
    device = Device(DeviceShare.auto("cpu", n_threads=1))
    with ThreadPoolExecutor(max_workers=1) as threads:
        detector = open_spotting(ModelStore(given.models), device, TextChecker.load(), threads=threads)
        for sound in (one for kind in sounds for one in kind):
            seconds[sound.kind] = seconds.get(sound.kind, 0.0) + len(sound.wave) / SAMPLE_RATE_HZ
            told.setdefault(sound.kind, []).extend(asyncio.run(listen(detector, sound)))
    device.close()
    rows = [Heard(kind, spent / 60, tuple(told[kind])) for kind, spent in seconds.items()]
    if given.json:
        json.dump({"machine": machine_line("onnxruntime-gpu"), "rows": list(map(asdict, rows))}, sys.stdout, indent=1)
        return
    print(machine_line("onnxruntime-gpu"))
    print(f"\n### False alarms of the {detector.vocabulary().n_terms} shipped terms\n")
    print("| sound | minutes | false alarms | an hour | which |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.kind} | {row.minutes:.1f} | {len(row.told)} | {row.per_hour:.2f} | {', '.join(row.told[:6])} |")
    hours, n_told = sum(row.minutes for row in rows) / 60, sum(len(row.told) for row in rows)
    print(f"| all | {hours * 60:.0f} | {n_told} | {n_told / hours:.2f} | |")


if __name__ == "__main__":
    main()
