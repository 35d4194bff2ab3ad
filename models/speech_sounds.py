"""Clips as they sound, one behind the other in one file: what training on a GPU works from, and what makers of speech hand in.

    flat  |·|--clip 0--|··|·|--clip 1--|··|      · is one hop of silence, so that no frame of a clip reaches into another

Run as a program it makes speech of made-up people until it is told to end, one of many makers beside a training run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.speech_bank import Clip, Kind, synthetic
from models.speech_codec import HOP_N, n_frames
from models.speech_sources import Part, Recording, Voice, read_noise, read_voice
from models.speech_synth import Espeak
from models.speech_texts import Readings, Talk, read_sentences

_BEFORE, _BEHIND = 1, 2
"""Hops of silence around a clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Clips and their PCM."""

    pcm: NDArray[np.int16]
    """Mono at 16 kHz, shape (T,), T a multiple of a hop; frame n of the flat PCM is frame n - start of its clip."""
    clips: tuple[tuple[Kind, Clip], ...]

    def __repr__(self) -> str:
        return f"Sounds({len(self.clips)} clips, {len(self.pcm) / 16_000 / 3600:.2f} h)"

    @classmethod
    def of(cls, sources: Iterable[tuple[Kind, Recording]]) -> Sounds:
        """Put recordings one behind the other."""
        parts: list[NDArray[np.int16]] = []
        clips: list[tuple[Kind, Clip]] = []
        place = 0
        for kind, one in sources:
            length = n_frames(len(one.wave))
            part = np.zeros((_BEFORE + length + _BEHIND) * HOP_N, np.int16)
            spoken = np.rint(np.clip(one.wave, -1.0, 1.0) * 32767.0)[: (length + _BEHIND) * HOP_N]
            part[_BEFORE * HOP_N : _BEFORE * HOP_N + len(spoken)] = spoken
            clips.append((kind, Clip(place + _BEFORE, length, one.text, one.syllables)))
            parts.append(part)
            place += len(part) // HOP_N
        return cls(np.concatenate(parts) if parts else np.zeros(0, np.int16), tuple(clips))

    @classmethod
    def read(cls, path: Path) -> Sounds:
        """Read a file that was written.

        Raises:
            DataError: it is missing or no such file.
        """
        try:
            with np.load(path) as held:
                rows = zip(*(held[name].tolist() for name in ("kinds", "starts", "counts", "texts", "syllables")), strict=True)
                clips = tuple((Kind(kind), Clip(start, size, text, tuple(said.split()))) for kind, start, size, text, said in rows)
                return cls(held["pcm"], clips)
        except (OSError, ValueError, KeyError) as exc:
            raise DataError(f"cannot read {path}: {exc}; training makes it") from exc

    def write(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        clips = [clip for _, clip in self.clips]
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            np.savez(
                file,
                pcm=self.pcm,
                kinds=np.array([f"{kind}" for kind, _ in self.clips]),
                starts=np.array([clip.start for clip in clips], np.int64),
                counts=np.array([clip.count for clip in clips], np.int64),
                texts=np.array([clip.text for clip in clips], np.str_),
                syllables=np.array([" ".join(clip.syllables) for clip in clips], np.str_),
            )
        draft.replace(path)


def people(data: Path) -> Iterator[tuple[Kind, Recording]]:
    """Yield people as recorded, those of training alone, and noise.

    Raises:
        DataError: a set cannot be read.
        TrainingUnavailable: there is no ffmpeg.
    """
    speech = data / "speech"
    for voice in Voice:
        for one in read_voice(speech, voice):
            if one.part is Part.TRAIN:
                yield Kind(voice.value), one
    yield Kind.NOISE, Recording(read_noise(speech), "", (), "noise", Part.TRAIN)


def make_parts(folder: Path, talk: Talk, espeak: Espeak, *, seed: int, end_s: float, part_s: float) -> None:
    """Make made-up speakers until a moment, a file every so many seconds of their speech: `SEED-NUMBER.npz`.

    Args:
        folder: for the files; made where it is missing.
        talk: what is said.
        espeak: who says it; of this maker alone.
        seed: of chance, and the name of the files.
        end_s: monotonic seconds at which to end, with the file begun.
        part_s: seconds of speech in a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in takewhile(lambda _: time.monotonic() < end_s, count()):
        made = synthetic(talk, espeak, hours=part_s / 3600.0, seed=seed * 10_007 + number, coded=False)
        Sounds.of((Kind.SYNTHETIC, one) for one in made).write(folder / f"{seed}-{number}.npz")


def main(arguments: Sequence[str] | None = None) -> None:
    """Be one maker: `python -m models.speech_sounds`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds speech and text")
    parser.add_argument("--to", type=Path, required=True, help="folder of the parts")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="how long to go on")
    parser.add_argument("--part", type=float, default=120.0, help="seconds of speech in a file")
    parser.add_argument("--espeak", type=Path, required=True, help="folder for the synthesiser's data, of this maker alone")
    given = parser.parse_args(arguments)
    talk = Talk(Readings.read(given.data / "speech"), read_sentences(given.data / "text"))
    end_s = time.monotonic() + given.seconds
    make_parts(given.to, talk, Espeak(given.espeak), seed=given.seed, end_s=end_s, part_s=given.part)


if __name__ == "__main__":
    main()
