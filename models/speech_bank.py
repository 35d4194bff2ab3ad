"""The bank: every clip of training as spectral shapes and details, so that a voice can be changed after the clip was made.

    log power of a frame, 257 bins  =  shape (40 cepstral coefficients: the vocal tract)  +  detail (what is left: pitch and breath)

The two are stretched apart from each other in `speech_voices.py`: 40 numbers along a warped frequency axis, and bins along another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.speech_codec import Units, n_frames, power_of
from models.speech_sources import Codec, Part, Recording, Voice, read_noise, read_voice, through
from models.speech_synth import KNOWN, Espeak, any_manner
from models.speech_texts import Readings, Talk, read_sentences

N_SHAPE = 40
"""Cepstral coefficients of a shape: finer structure is pitch."""

_FLOOR = 1e-8
_INDEX_FILE, _SHAPES_FILE, _DETAILS_FILE = "bank.json", "shapes.f16", "details.f16"
N_BINS = 257


class Kind(StrEnum):
    """Where a clip is from."""

    WORDS = "words"
    SYLLABLES_A = "syllables_a"
    SYLLABLES_B = "syllables_b"
    SYNTHETIC = "synthetic"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Clip:
    """Some frames of the bank."""

    start: int
    """First frame."""
    count: int
    """Frames."""
    text: str
    syllables: tuple[str, ...]

    @property
    def units(self) -> tuple[int, ...]:
        """What is spoken."""
        return Units.of(self.syllables).ids


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Frames on disk, and the clips they are of."""

    shapes: NDArray[np.float16]
    """(n, N_SHAPE)"""
    details: NDArray[np.float16]
    """(n, 257)"""
    clips: dict[Kind, list[Clip]]

    def __repr__(self) -> str:
        return (
            f"Bank({', '.join(f'{len(clips)} {kind}' for kind, clips in self.clips.items())}, {len(self.shapes) / 360_000:.1f} h)"
        )

    @classmethod
    def open(cls, folder: Path) -> Bank:
        """Open a bank that was written.

        Raises:
            DataError: there is none.
        """
        try:
            index = json.loads((folder / _INDEX_FILE).read_text(encoding="utf-8"))
        except OSError as exc:
            raise DataError(f"cannot read {folder / _INDEX_FILE}: {exc.strerror}; training makes it") from exc
        clips = {
            Kind(kind): [Clip(start, count, text, tuple(syllables.split())) for start, count, text, syllables in rows]
            for kind, rows in index.items()
        }
        return cls(_mapped(folder / _SHAPES_FILE, N_SHAPE), _mapped(folder / _DETAILS_FILE, N_BINS), clips)


def _mapped(path: Path, width: int) -> NDArray[np.float16]:
    return np.memmap(path, np.float16, "r").reshape(-1, width)


def split(power: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Part power spectra, shape (n, 257), into shapes, shape (n, N_SHAPE), and details, shape (n, 257)."""
    logs = np.log(power + np.float32(_FLOOR))
    cepstra = np.fft.irfft(logs, axis=1)[:, :N_SHAPE].astype(np.float32)
    return cepstra.astype(np.float16), (logs - cepstra @ waves(np.arange(N_BINS))).astype(np.float16)


def waves(bins: NDArray[Any]) -> NDArray[np.float32]:
    """Return what each coefficient adds at each place of the frequency axis, given in bins; shape (N_SHAPE, places)."""
    orders = np.arange(N_SHAPE)[:, None]
    rows = np.cos(2.0 * np.pi / 512 * orders * np.asarray(bins)[None, :]) * np.where(orders > 0, 2.0, 1.0)
    return np.asarray(rows, np.float32)


def write_bank(folder: Path, sources: Iterable[tuple[Kind, Recording]]) -> None:
    """Write clips into a folder; the index comes last, so that a bank that was broken off is none."""
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, list[Any]] = {}
    start = 0
    with (folder / _SHAPES_FILE).open("wb") as shapes_file, (folder / _DETAILS_FILE).open("wb") as details_file:
        for kind, one in sources:
            shapes, details = split(power_of(one.wave))
            shapes_file.write(shapes.tobytes())
            details_file.write(details.tobytes())
            index.setdefault(kind, []).append([start, n_frames(len(one.wave)), one.text, " ".join(one.syllables)])
            start += len(shapes)
    (folder / _INDEX_FILE).write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


def has_bank(folder: Path) -> bool:
    """Tell whether a folder has a whole bank."""
    return (folder / _INDEX_FILE).is_file()


def training_sources(data: Path, folder: Path, *, synthetic_h: float, seed: int) -> Iterator[tuple[Kind, Recording]]:
    """Yield everything to learn from: people as recorded and through codecs, made-up speakers, and noise.

    Args:
        data: holds `speech` and `text`.
        folder: for the synthesiser's data.
        synthetic_h: hours of made-up speakers.
        seed: of chance.

    Raises:
        DataError: a set cannot be read.
        TrainingUnavailable: ffmpeg or espeak-ng is missing.
    """
    speech = data / "speech"
    for voice in Voice:
        # The packs are Opus already; a part again through AAC is what streams do to sound.
        for codec, every in ((Codec.NONE, 1), (Codec.AAC, 3)):
            for one in read_voice(speech, voice, codec, every):
                if one.part is Part.TRAIN:
                    yield Kind(voice.value), one
    yield Kind.NOISE, Recording(read_noise(speech), "", (), "noise", Part.TRAIN)
    talk = Talk(Readings.read(speech), read_sentences(data / "text"))
    for one in synthetic(talk, Espeak(folder / "espeak"), hours=synthetic_h, seed=seed):
        yield Kind.SYNTHETIC, one


def synthetic(talk: Talk, espeak: Espeak, *, hours: float, seed: int, coded: bool = True) -> Iterator[Recording]:
    """Yield sentences of speakers that espeak-ng has or that are made up.

    Args:
        talk: what is said.
        espeak: who says it.
        hours: of speech.
        seed: of chance.
        coded: whether every tenth goes through a codec.
    """
    rng = np.random.default_rng(seed)
    left_s, count = hours * 3600.0, 0
    while left_s > 0:
        variant = KNOWN[int(rng.integers(len(KNOWN)))]
        if rng.random() < 0.7:
            variant = "made-up"
            espeak.invent(variant, rng)
        syllables = talk.spoken(rng)
        while len(syllables) < 12:
            syllables += talk.spoken(rng)
        wave = espeak.say(syllables, any_manner(variant, rng), rng)
        if coded and count % 10 == 0:
            wave = through(wave, (Codec.AAC, Codec.OPUS, Codec.MP3)[int(rng.integers(3))])
        yield Recording(wave, "", syllables, variant, Part.TRAIN)
        left_s -= len(wave) / 16_000
        count += 1


def by_text(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Group clips by what is spoken."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.text, []).append(clip)
    return groups
