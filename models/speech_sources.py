"""The speech network's recordings: packs of clips cut by their tables, each on one fixed side of the split; and the noise.

Reads the sets that shipped weights may learn from, and the strangers' sentences for the evaluation alone. Sound is decoded by the
program ffmpeg. What is made of it is `speech_bank.py`.
"""

from __future__ import annotations

import csv
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError, TrainingUnavailable
from models.speech_codec import HOP_N, SAMPLE_RATE_HZ, Units, power_of

SPLIT_SALT = "livewarden-speech-split-1"
"""Named in the hash that puts a text on its side; a new salt makes figures incomparable."""

TEST_SHARE = 20
"""Texts of a hundred that no network learns from."""

Wave = NDArray[np.float32]
"""Mono PCM in [-1, 1] at 16 kHz, shape (T,)."""


_DIGITAL = 1e-4
"""Power of a frame that holds rounding only."""

_MARGIN = 2
"""Frames that are left around what is loud."""


class Voice(StrEnum):
    """Whose recordings, by the name of their table."""

    WORDS = "words"
    SYLLABLES_A = "syllables_a"
    SYLLABLES_B = "syllables_b"


class Part(StrEnum):
    """Sides of the split."""

    TRAIN = "train"
    TEST = "test"


class Codec(StrEnum):
    """What sound went through."""

    NONE = "none"
    AAC = "aac"
    OPUS = "opus"
    MP3 = "mp3"


_ROUND_TRIPS = {
    Codec.AAC: (".m4a", ("-c:a", "aac", "-b:a", "32k")),
    Codec.OPUS: (".ogg", ("-c:a", "libopus", "-b:a", "16k")),
    Codec.MP3: (".mp3", ("-c:a", "libmp3lame", "-b:a", "24k")),
}


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One spoken word, syllable or sentence."""

    wave: Wave
    text: str
    """What the table says was spoken: characters, or one syllable with its tone."""
    syllables: tuple[str, ...]
    """Toneless."""
    voice: str
    part: Part

    @property
    def units(self) -> Units:
        """What the network should answer."""
        return Units.of(self.syllables)

    def __repr__(self) -> str:
        return f"Recording({self.text} by {self.voice}, {len(self.wave) / SAMPLE_RATE_HZ:.2f} s)"


def part_of(text: str) -> Part:
    """Return the side a text is on, whoever speaks it."""
    digest = hashlib.sha256(f"{SPLIT_SALT}:{text}".encode()).digest()
    return Part.TEST if int.from_bytes(digest[:8], "big") % 100 < TEST_SHARE else Part.TRAIN


def read_voice(folder: Path, voice: Voice, codec: Codec = Codec.NONE, every: int = 1) -> Iterator[Recording]:
    """Yield the recordings of one voice, without the silence around them.

    Args:
        folder: the speech sets, with `words_zh`.
        voice: which table.
        codec: sent through it first.
        every: only each so-many-th pack.

    Raises:
        DataError: table or pack cannot be read.
        TrainingUnavailable: there is no ffmpeg.
    """
    packs: dict[str, Wave] = {}
    rows = read_table(folder / "words_zh" / f"{voice}.csv")
    wanted = set(sorted({row["file"] for row in rows})[::every])
    for row in (row for row in rows if row["file"] in wanted):
        name = row["file"]
        if name not in packs:
            packs = {name: through(decoded(folder / "words_zh" / name), codec)}
        start, end = (int(float(row[key]) * SAMPLE_RATE_HZ) for key in ("start_s", "end_s"))
        wave = trimmed(packs[name][max(0, start - 800) : end + 800])
        yield Recording(wave, row["text"], syllables_of(row["phones"].split()), voice, part_of(row["text"]))


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table with a header.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as exc:
        raise DataError(f"cannot read {path}: {exc.strerror}; give --data the folder that holds speech and text") from exc


_VOWELS_OF_Y = {"ux": "yu", "an": "yuan", "e": "yue", "n": "yun", "en": "yun", "uxe": "yue", "uxan": "yuan", "uxn": "yun"}
_SPELT = {"ux": "v", "uxe": "ve", "uxan": "van", "uxn": "vn", "ib": "i", "if": "i"}
_MUTE = ("as", "es", "os")


def syllables_of(phones: Sequence[str]) -> tuple[str, ...]:
    """Turn the tables' initials and finals, two a syllable, into syllables of pinyin.

    Raises:
        DataError: their number is odd.
    """
    if len(phones) % 2:
        raise DataError(f"odd number of phones in {' '.join(phones)!r}; a syllable has two")
    return tuple(_joined(*pair) for pair in zip(phones[::2], phones[1::2], strict=True))


def _joined(initial: str, final: str) -> str:
    if initial == "uxs":
        return _VOWELS_OF_Y[final]
    if initial in ("j", "q", "x"):
        return initial + _SPELT.get(final, final).replace("v", "u")
    if (initial, final) == ("y", "ie"):
        return "ye"
    return ("" if initial in _MUTE else initial) + _SPELT.get(final, final)


def decoded(path: Path) -> Wave:
    """Decode a file of sound.

    Raises:
        DataError: it cannot be decoded.
        TrainingUnavailable: there is no ffmpeg.
    """
    pcm = _ffmpeg(["-i", str(path), "-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-"])
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def through(wave: Wave, codec: Codec) -> Wave:
    """Return sound as it comes out of a codec at a low rate, as long as it went in."""
    if codec is Codec.NONE:
        return wave
    suffix, options = _ROUND_TRIPS[codec]
    raw = ["-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", "-"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound{suffix}"
        _ffmpeg([*raw, *options, str(path)], (np.clip(wave, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
        out = decoded(path)
    return np.pad(out[: len(wave)], (0, max(0, len(wave) - len(out))))


def _ffmpeg(arguments: Sequence[str], pcm: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *arguments], input=pcm, capture_output=True, check=False)
    except FileNotFoundError as exc:
        raise TrainingUnavailable("training speech needs the program ffmpeg; install the package ffmpeg") from exc
    if done.returncode:
        raise DataError(f"ffmpeg {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def trimmed(wave: Wave, *, hiss: bool = True) -> Wave:
    """Cut off what is far quieter than the loudest frame, before and behind.

    Args:
        wave: one clip.
        hiss: whether what is little louder than the clip's edges is cut off too; not where speech may begin at once.
    """
    power = power_of(wave).sum(axis=1)
    heard = power[power > _DIGITAL]
    if not len(heard):
        return wave
    least = heard.max() * 10**-3.3
    if hiss:
        edges = np.median(np.concatenate([heard[:8], heard[-8:]]))
        least = max(least, min(edges * 10**0.4, heard.max() * 10**-1.5))
    loud = np.flatnonzero(power > least)
    return wave[max(0, int(loud[0]) - _MARGIN) * HOP_N : (int(loud[-1]) + 1 + _MARGIN) * HOP_N]


def read_noise(folder: Path) -> Wave:
    """Read the recording of voices round a fire."""
    return decoded(folder / "noise" / "voices-around-a-fire.mp3")
