"""Synthetic speakers: espeak-ng fed with numbered pinyin, as its own variants and as variants made up here.

Always the voice `cmn-latn-pinyin`: `cmn` reads many characters wrongly in version 1.51. Tones are drawn by chance: the units
have none.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DataError, TrainingUnavailable
from models.speech_codec import SAMPLE_RATE_HZ
from models.speech_sources import Wave, trimmed

LANGUAGE = "cmn-latn-pinyin"

HELD_OUT = (
    "f2",
    "f4",
    "m2",
    "m5",
    "klatt3",
    "Annie",
    "Denis",
    "Lee",
    "Mario",
    "belinda",
    "caleb",
    "ed",
    "linda",
    "norbert",
    "steph",
    "victor",
)
"""Variants that no network learns from: the unheard voices of the evaluation."""

KNOWN = (
    *("Alex", "Alicia", "Andrea", "Andy", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Marco", "Michael", "Mike"),
    *("Nguyen", "Storm", "adam", "anika", "announcer", "antonio", "aunty", "benjamin", "boris", "david", "edward", "edward2"),
    *("f1", "f3", "f5", "grandma", "grandpa", "gustave", "iven", "iven2", "iven3", "iven4", "john", "kaukovalta", "klatt"),
    *("klatt2", "klatt4", "klatt5", "m1", "m3", "m4", "m6", "m7", "m8", "marcelo", "max", "michel", "miguel", "pablo", "paul"),
    *("pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph2", "steph3", "travis", "whisper", "whisperf", "zac"),
)
"""Variants to learn from; robots and jokes are left out."""

_ESPEAK_HZ = 22_050

_NEEDED = ("phontab", "phonindex", "phondata", "intonations", "cmn_dict", "lang/sit", "voices/!v")
"""Of espeak-ng's data: it looks through every voice of every language at each start, and knows at most 350."""


@dataclass(frozen=True, slots=True)
class Manner:
    """Who speaks and how."""

    variant: str
    pitch: int = 50
    """0 to 99."""
    words_per_minute: int = 175


class Espeak:
    """The program with a data folder of its own, in which made-up variants lie beside the stock ones."""

    def __init__(self, folder: Path) -> None:
        """Lay out the data folder.

        Args:
            folder: for it; made where it is missing.

        Raises:
            TrainingUnavailable: there is no espeak-ng.
        """
        self._folder = folder
        self._variants = folder / "espeak-ng-data" / "voices" / "!v"
        if not self._variants.is_dir():
            for path in _NEEDED:
                _copied(_data_of_espeak() / path, folder / "espeak-ng-data" / path)

    def invent(self, name: str, rng: np.random.Generator) -> None:
        """Make up a variant: vocal tract, pitch, breath and timbre by chance."""
        (self._variants / name).write_text(_made_up(name, rng), encoding="ascii")

    def say(self, syllables: Sequence[str], manner: Manner, rng: np.random.Generator) -> Wave:
        """Speak toneless syllables with tones by chance.

        Raises:
            DataError: there is no such variant, or the program failed.
        """
        if not (self._variants / manner.variant).is_file():
            raise DataError(f"espeak-ng has no variant {manner.variant!r}, and would speak as another")
        tones = rng.choice([1, 2, 3, 4, 5], size=len(syllables), p=[0.23, 0.23, 0.2, 0.28, 0.06])
        words = [f"{one.replace('v', 'ü')}{tone}" for one, tone in zip(syllables, tones, strict=True)]
        command = [
            *("espeak-ng", f"--path={self._folder}", "-v", f"{LANGUAGE}+{manner.variant}"),
            *("-p", str(manner.pitch), "-s", str(manner.words_per_minute), "--stdout", " ".join(words)),
        ]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or len(done.stdout) < 1000:
            raise DataError(f"espeak-ng as {manner.variant}: {done.stderr.decode(errors='replace').strip() or 'no sound'}")
        pcm = np.frombuffer(done.stdout[44 : len(done.stdout) & ~1], "<i2").astype(np.float32) / 32768.0
        return trimmed(resampled(pcm, _ESPEAK_HZ, SAMPLE_RATE_HZ), hiss=False)


def resampled(wave: Wave, from_hz: int, to_hz: int) -> Wave:
    """Change the rate of a whole clip by its spectrum."""
    count = round(len(wave) * to_hz / from_hz)
    spectrum = np.fft.rfft(wave)
    kept = np.zeros(count // 2 + 1, spectrum.dtype)
    n_kept = min(len(kept), len(spectrum))
    kept[:n_kept] = spectrum[:n_kept]
    return np.asarray(np.fft.irfft(kept, count) * (count / max(1, len(wave))), np.float32)


def any_manner(variant: str, rng: np.random.Generator) -> Manner:
    """Return a speaker in any pitch and at any speed from slow to hasty."""
    return Manner(variant, pitch=int(rng.integers(0, 100)), words_per_minute=int(rng.integers(120, 340)))


def _made_up(name: str, rng: np.random.Generator) -> str:
    tract = rng.uniform(0.8, 1.28)
    low = tract * 100 * rng.uniform(0.6, 1.6)
    lines = ["language variant", f"name {name}", f"pitch {low:.0f} {low * rng.uniform(1.15, 1.9):.0f}"]
    for formant in range(9):
        place = np.clip(100 * tract * rng.normal(1.0, 0.05), 70, 140)
        lines.append(f"formant {formant} {place:.0f} {rng.uniform(60, 140):.0f} {rng.uniform(60, 180):.0f}")
    if rng.random() < 0.5:
        lines.append("breath " + " ".join(f"{rng.uniform(0, 8):.0f}" for _ in range(8)))
    if rng.random() < 0.3:
        lines.append(f"voicing {rng.uniform(40, 120):.0f}")
    lines.append(f"consonants {rng.uniform(60, 160):.0f} {rng.uniform(60, 160):.0f}")
    lines.append(f"flutter {rng.uniform(0, 8):.0f}")
    lines.append(f"roughness {rng.uniform(0, 4):.0f}")
    levels = rng.uniform(60, 255, 3)
    lines.append(f"tone 600 {levels[0]:.0f} 1200 {levels[1]:.0f} 2400 {levels[2]:.0f}")
    return "\n".join(lines) + "\n"


def _data_of_espeak() -> Path:
    try:
        told = subprocess.run(["espeak-ng", "--version"], capture_output=True, check=True).stdout.decode()
    except FileNotFoundError as exc:
        raise TrainingUnavailable("synthetic speech needs the program espeak-ng; install the package espeak-ng") from exc
    return Path(told.rsplit("Data at:", 1)[1].strip())


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
