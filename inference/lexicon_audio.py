"""`livewarden lexicon try TEXT... --audio FILE`: where and how surely terms are heard in a file of sound, listed or not.

One detector, built for this and closed again; what it shows is made here too.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.clock import SystemClock
from inference.devices import DeviceShare
from inference.errors import ConfigError, InvalidSample
from inference.lanes import Device
from inference.registry import open_spotting
from inference.samples import SAMPLE_RATE_HZ, AudioClip, Pcm
from inference.settings import InferenceSettings
from inference.sounds import decode_sound
from inference.speech.confidence import TOLD
from inference.speech.hearing import HeardTerm
from inference.speech.keywords import KeywordDetector, SpeechOutputs
from inference.speech.pronouncing import Spoken
from inference.speech.stretches import start_s
from inference.speech.vocabulary import Vocabulary
from inference.text.check import TextChecker
from inference.text.lexicon import WordList
from inference.text.reasons import also_alike
from inference.text.terms import Mode, Term
from inference.verdicts import Finding
from models.errors import ModelsError
from models.store import ModelStore

NEARLY = 2.5
"""Times the floor: how far below it a term is still looked for, so that it is seen how much is missing."""

N_SHOWN = 5
"""Places of one term that are shown, the surest ones."""

_FULL_SCALE = {1: 128.0, 2: 32768.0, 4: 2147483648.0}
"""By bytes of a sample."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term may have been said."""

    start_s: float
    end_s: float
    confidence: float
    """0..1; told in a room from `TOLD`."""
    units: str
    """What was heard there."""
    line: str
    """What was heard around it."""

    @property
    def told(self) -> bool:
        """Whether a room would tell it."""
        return self.confidence >= TOLD


@dataclass(frozen=True, slots=True)
class Tried:
    """One term in one file of sound."""

    text: str
    readings: tuple[Spoken, ...]
    """Ways to say it; () where it cannot be said in Mandarin."""
    places: tuple[Place, ...]
    """The surest first."""

    @property
    def heard(self) -> bool:
        """Whether a room would tell it."""
        return any(place.told for place in self.places)


@dataclass(frozen=True, slots=True)
class TriedSound:
    """What was heard in one file."""

    terms: tuple[Tried, ...]
    findings: tuple[Finding, ...]
    """Of the lists in force."""
    spoken_s: float
    """Seconds that reached the acoustic model."""


def try_sound(texts: Sequence[str], file: Path, checker: TextChecker, deployment: InferenceSettings) -> TriedSound:
    """Listen for texts in a file.

    Raises:
        ConfigError: the file cannot be read.
        InvalidSample: it is no sound.
        NotReady: a model is missing.
    """
    clip = _clip(file)
    with _detector(checker, deployment) as detector:
        outputs = asyncio.run(_heard(detector, clip))
        terms = tuple(_tried(text, detector, outputs, clip) for text in texts)
        findings = detector.findings(outputs, clip)
    return TriedSound(terms, findings, outputs.posteriors.spoken_s)


def tried_view(tried: Tried, sound: TriedSound) -> dict[str, Any]:
    """Describe one term for machines."""
    places = [
        {
            "start_s": round(place.start_s, 2),
            "end_s": round(place.end_s, 2),
            "confidence": round(place.confidence, 4),
            "told": place.told,
            "units": place.units,
            "line": place.line,
        }
        for place in tried.places
    ]
    readings = [" ".join(spoken.syllables) for spoken in tried.readings]
    return {"text": tried.text, "readings": readings, "heard": tried.heard, "places": places, "spoken_s": round(sound.spoken_s, 2)}


def tried_lines(tried: Tried) -> Iterator[str]:
    """Write one term for a person."""
    if not tried.readings:
        yield f"unsaid   {tried.text}: cannot be said in Mandarin syllables"
        return
    readings = ", ".join(" ".join(spoken.syllables) for spoken in tried.readings)
    yield f"{'heard' if tried.heard else 'unheard':<8} {tried.text} ({readings})"
    for place in tried.places:
        short = "" if place.told else f", below {TOLD:g}: not told"
        yield f"  {place.start_s:.2f}-{place.end_s:.2f} s  {place.confidence:.2f}{short}  heard 【{place.units}】 in {place.line}"


def finding_line(finding: Finding) -> str:
    """Write a finding of the lists in force for a person."""
    match, heard = finding.match, finding.heard
    assert match is not None  # a spotted term has both
    assert heard is not None
    line = f"  {heard.start_s:.2f}-{heard.end_s:.2f} s  {finding.score:.2f} {finding.label}: {match.term!r} of {match.list}"
    return line + also_alike(finding)[1]


def _clip(file: Path) -> AudioClip:
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"cannot read {file}: {exc.strerror}; give a WAV file") from exc
    clock = SystemClock()
    return AudioClip("", "", 0.0, clock.utc(), clock.now_s(), decode_sound(data, "audio/wav", wav_at_any_rate), last=True)


def wav_at_any_rate(data: bytes, _: str) -> Pcm:
    """Decode WAV of any rate and of 8, 16 or 32 bits, brought to 16 kHz by its spectrum.

    Raises:
        InvalidSample: something else.
    """
    try:
        with wave.open(io.BytesIO(data)) as reader:
            rate_hz, n_channels, width = reader.getframerate(), reader.getnchannels(), reader.getsampwidth()
            frames = reader.readframes(reader.getnframes())
    except (wave.Error, EOFError) as exc:
        raise InvalidSample(f"no WAV file ({exc}); make one, e.g. `ffmpeg -i sound -ac 1 -ar 16000 sound.wav`") from exc
    if width not in _FULL_SCALE or not frames:
        raise InvalidSample(f"WAV of {8 * width} bits and {len(frames)} bytes; send sound of 8, 16 or 32 bits")
    pcm = np.frombuffer(frames[: len(frames) // (width * n_channels) * width * n_channels], f"<i{width}" if width > 1 else "u1")
    scaled = (pcm.astype(np.float64) - (_FULL_SCALE[1] if width == 1 else 0.0)) / _FULL_SCALE[width]
    mono = scaled.reshape(-1, n_channels).mean(axis=1)
    n_pcm = round(len(mono) * SAMPLE_RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(mono)[: n_pcm // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, n_pcm) * (n_pcm / max(1, len(mono))), np.float32)


@contextmanager
def _detector(checker: TextChecker, deployment: InferenceSettings) -> Iterator[KeywordDetector]:
    """Build the detector alone on the CPU.

    Raises:
        ConfigError: a model is missing.
    """
    device = Device(DeviceShare.auto("cpu", n_threads=1))
    threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="detect")
    try:
        yield open_spotting(ModelStore(deployment.models.dir), device, checker, threads=threads)
    except ModelsError as exc:
        raise ConfigError(f"{exc}; get it with `livewarden models pull`") from exc
    finally:
        device.close()
        threads.shutdown()


async def _heard(detector: KeywordDetector, clip: AudioClip) -> SpeechOutputs:
    return await detector.infer(detector.prepare(clip), deadline_s=None)


def _tried(text: str, detector: KeywordDetector, outputs: SpeechOutputs, clip: AudioClip) -> Tried:
    alone = WordList("tried", 1, (Term(text, "custom.word", 3, mode=Mode.PINYIN),))
    vocabulary = Vocabulary.of([alone], (), detector.pronouncer)
    heard = sorted(detector.try_out(outputs, vocabulary, share=NEARLY), key=lambda one: one.hit.score, reverse=True)
    return Tried(text, vocabulary.spoken, tuple(_place(one, detector, outputs, clip) for one in heard[:N_SHOWN]))


def _place(one: HeardTerm, detector: KeywordDetector, outputs: SpeechOutputs, clip: AudioClip) -> Place:
    line = detector.line(outputs, one)
    return Place(start_s(one.first, clip), start_s(one.end, clip), one.confidence, line.inside, line.text)
