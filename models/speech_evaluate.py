"""Unit error of the acoustic model on what was kept out of training: unheard synthetic voices, new recordings, strangers.

The strangers' sentences are for this alone; nothing is chosen by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.speech_codec import BLANK, SAMPLE_RATE_HZ, log_mels
from models.speech_sources import Codec, Part, Recording, Voice, Wave, decoded, read_table, read_voice, through
from models.speech_synth import HELD_OUT, Espeak, any_manner
from models.speech_texts import Readings, Talk

EVALUATION_FILE = "evaluation.json"

Answers = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The network: features (n, N_MELS) of one clip to log probabilities (n / 4, units)."""


class Group(StrEnum):
    """Who speaks."""

    SYNTHETIC = "unheard_synthetic"
    """Variants of espeak-ng that were kept out, new sentences."""
    WORDS = "known_voice_words"
    """New words by the woman who spoke the words of training, one by one as recorded."""
    SYLLABLES = "known_voices_syllables"
    """New syllables by the two who spoke those of training, one by one: nothing beside a sound tells what it is."""
    STRANGERS = "strangers"
    """People never heard, reading sentences."""


class Spoilt(StrEnum):
    """What happened to the sound."""

    CLEAN = "clean"
    NOISE = "noise_10db"
    AAC = "aac_32k"


@dataclass(frozen=True, slots=True)
class UnitError:
    """Errors counted over some clips."""

    n_wrong: int
    """Units to change, add or leave out."""
    n_units: int
    """Units that were spoken."""

    @property
    def share(self) -> float:
        """Wrong units of those spoken."""
        return self.n_wrong / max(1, self.n_units)


def unit_error(answers: Answers, recordings: Iterable[Recording]) -> UnitError:
    """Count what the best path through the answers gets wrong."""
    wrong = spoken = 0
    for one in recordings:
        wrong += distance(best_path(answers(log_mels(one.wave))), one.units.ids)
        spoken += len(one.units)
    return UnitError(wrong, spoken)


def best_path(log_probs: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the units of the likeliest column of each frame, repeats and blanks taken out."""
    columns = log_probs.argmax(axis=1).tolist()
    return tuple(one for one, before in zip(columns, [BLANK, *columns], strict=False) if one not in (BLANK, before))


def distance(heard: Sequence[int], spoken: Sequence[int]) -> int:
    """Return how many units must be changed, added or left out to make one of the other."""
    row = np.arange(len(spoken) + 1)
    target = np.asarray(spoken, np.int64)
    for count, unit in enumerate(heard, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (target != unit))
        best = np.concatenate([[count], best])
        # What is left out runs on from the left: a minimum of all places before, each one step dearer.
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])


def noisy(wave: Wave, ratio_db: float, rng: np.random.Generator) -> Wave:
    """Add pink noise at a ratio of mean powers."""
    spectrum = np.fft.rfft(rng.normal(0.0, 1.0, len(wave)))
    spectrum /= np.sqrt(np.maximum(1.0, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum, len(wave))
    scale = np.sqrt(np.mean(np.square(wave)) / np.mean(np.square(noise)) * 10 ** (-ratio_db / 10))
    return np.asarray(wave + scale * noise, np.float32)


def spoilt(recordings: Sequence[Recording], how: Spoilt) -> list[Recording]:
    """Return recordings after what happened to them."""
    if how is Spoilt.NOISE:
        waves = [noisy(one.wave, 10.0, np.random.default_rng(seed)) for seed, one in enumerate(recordings)]
    elif how is Spoilt.AAC:
        waves = _through_aac([one.wave for one in recordings])
    else:
        return list(recordings)
    return [replace(one, wave=wave) for one, wave in zip(recordings, waves, strict=True)]


def _through_aac(waves: Sequence[Wave]) -> list[Wave]:
    """Send clips through the codec one behind the other: starting the program for each would take longest."""
    gap = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
    whole = through(np.concatenate([part for wave in waves for part in (wave, gap)]), Codec.AAC)
    starts = np.cumsum([0, *(len(wave) + len(gap) for wave in waves)])
    return [whole[start : start + len(wave)] for start, wave in zip(starts, waves, strict=False)]


def unheard(folder: Path, data: Path, *, n_sentences: int) -> Iterator[Recording]:
    """Yield sentences by the held-out variants, words and syllables in an order that nobody wrote.

    Args:
        folder: for the synthesiser's data.
        data: holds `speech`.
        n_sentences: of each variant.
    """
    talk, espeak = Talk(Readings.read(data / "speech"), []), Espeak(folder / "espeak")
    for number, variant in enumerate(HELD_OUT):
        rng = np.random.default_rng((77, number))
        for _ in range(n_sentences):
            syllables = talk.spoken(rng)
            manner = any_manner(variant, rng)
            yield Recording(espeak.say(syllables, manner, rng), "", syllables, variant, Part.TEST)


def known(data: Path, group: Group, *, share: float = 1.0) -> Iterator[Recording]:
    """Yield the held-out recordings of known voices, or the first share of them.

    Args:
        data: holds `speech`.
        group: words or syllables.
        share: of each voice's recordings, 0..1.
    """
    for voice in (Voice.WORDS,) if group is Group.WORDS else (Voice.SYLLABLES_A, Voice.SYLLABLES_B):
        kept = [one for one in read_voice(data / "speech", voice) if one.part is Part.TEST]
        yield from kept[: max(1, int(len(kept) * share))]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a stranger."""

    file: str
    text: str
    speaker: str
    syllables: tuple[str, ...]


def stranger_lines(data: Path) -> list[Line]:
    """Read what people never heard say.

    Raises:
        DataError: sentences or the dictionary of readings cannot be read.
    """
    chars = Readings.read(data / "speech").chars
    readings = Readings.of_dictionary(data / "speech" / "pocketsphinx_zh" / "mandarin_notone.dic", chars)
    rows = read_table(data / "speech" / "sentences_zh" / "transcripts.csv")
    return [Line(row["file"], row["text"], row["speaker"], readings.spelt(row["text"])) for row in rows]


def strangers(data: Path) -> Iterator[Recording]:
    """Yield the sentences of people never heard; raises as `stranger_lines`."""
    for line in stranger_lines(data):
        wave = decoded(data / "speech" / "sentences_zh" / line.file)
        yield Recording(wave, line.text, line.syllables, line.speaker, Part.TEST)


def write_evaluation(run: Path, found: dict[str, Any]) -> None:
    """Keep figures with a run."""
    (run / EVALUATION_FILE).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_speech_evaluation(run: Path) -> dict[str, Any]:
    """Read a run's figures.

    Raises:
        DataError: it was not evaluated.
    """
    path = run / EVALUATION_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise DataError(f"cannot read {path}: {exc.strerror}; evaluate first, with --out {run}") from exc
    return found
