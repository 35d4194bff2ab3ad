"""From sound to the numbers that the speech network reads, and from syllables to the units it answers: the one way there is.

Knows sound and Hanyu pinyin only, and no network library. What the network makes of the numbers is `networks/speech.py`; finding
terms in its answers is for serving.

    pcm       |--400--|                 window of 25 ms, every 160 samples (10 ms): one feature frame
                 |--400--|
                    |--400--|
    frame t   is centred on sample 160 t + 80
    posterior one for 4 feature frames: 40 ms
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000

HOP_N = 160
"""PCM values from one feature frame to the next: 10 ms."""

N_MELS = 48
"""Bands of a feature frame."""

STRIDE = 4
"""Feature frames of one posterior frame."""

FRAME_S = 0.04
"""Seconds of one posterior frame."""

BLANK = 0
"""Column of the output that says: nothing new here."""

SILENCE = 0.0
"""What every band of digital silence is, so that zeros behind a clip are silence; real sound lies between 5 and 30."""

_WINDOW_N = 400
_FFT_N = 512
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_FLOOR = 1e-10
"""Power that counts as silence: below the rounding of 16 bits."""

_INITIALS = (
    "b",
    "p",
    "m",
    "f",
    "d",
    "t",
    "n",
    "l",
    "g",
    "k",
    "h",
    "j",
    "q",
    "x",
    "zh",
    "ch",
    "sh",
    "r",
    "z",
    "c",
    "s",
    "y",
    "w",
    "yu",
)
_FINALS = (
    *("a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "er", "o", "ou", "ong"),
    *("i", "ia", "ian", "iang", "iao", "ie", "in", "ing", "iong", "iu"),
    *("u", "ua", "uai", "uan", "uang", "ui", "un", "uo"),
    *("v", "van", "ve", "vn"),
    *("i_z", "i_zh"),
)

UNITS: tuple[str, ...] = ("<blank>", *_INITIALS, *_FINALS)
"""Names of the network's outputs: initials and finals without tones, `v` for ü, `i_z` as in zi, `i_zh` as in zhi."""

_INDEX = {name: index for index, name in enumerate(UNITS)}

_AFTER_Y = {"a": "ia", "an": "ian", "ang": "iang", "ao": "iao", "e": "ie", "ong": "iong", "ou": "iu"}
_AFTER_W = {"a": "ua", "ai": "uai", "an": "uan", "ang": "uang", "ei": "ui", "en": "un", "o": "uo"}
_ROUND = {"u": "v", "uan": "van", "ue": "ve", "un": "vn", "van": "van", "ve": "ve", "vn": "vn", "v": "v"}
_APICAL = {"z": "i_z", "c": "i_z", "s": "i_z", "zh": "i_zh", "ch": "i_zh", "sh": "i_zh", "r": "i_zh"}
_HUMMED = {"m": ("m",), "n": ("n",), "ng": ("eng",), "hm": ("h", "m"), "hng": ("h", "eng"), "ê": ("ei",)}
"""Interjections without a vowel, as the units nearest to them."""


@cache
def units_of(syllable: str) -> tuple[int, ...]:
    """Return the units of one toneless syllable of Hanyu pinyin: an initial and a final, or a final alone.

    Syllables that sound alike have the same units however they are spelt: `lv`, `lü` and `lu:`, `nue` and `nve`.

    Args:
        syllable: small letters, e.g. `wei`, `xin`, `lu:`, `er`.

    Raises:
        ValueError: it is no syllable; names it.
    """
    spelt = syllable.strip().lower().replace("u:", "v").replace("ü", "v")
    names = _HUMMED.get(spelt) or _parts(spelt)
    if not all(name in _INDEX for name in names):
        raise ValueError(f"unknown syllable {syllable!r}; give one toneless syllable of Hanyu pinyin, e.g. 'wei'")
    return tuple(_INDEX[name] for name in names)


def _parts(spelt: str) -> tuple[str, ...]:
    """Split into names of units; a name that is none says that it is no syllable."""
    if spelt in _FINALS and spelt[0] in "aeo":
        return (spelt,)
    initial = spelt[:2] if spelt[:2] in ("zh", "ch", "sh") else spelt[:1]
    rest = spelt[len(initial) :]
    if initial == "y":
        return ("yu", _ROUND[rest]) if rest in _ROUND else ("y", _AFTER_Y.get(rest, rest))
    if initial == "w":
        return ("w", _AFTER_W.get(rest, rest))
    if initial in ("j", "q", "x") or (initial in ("n", "l") and rest in ("ue", "ve", "v", "van", "vn")):
        rest = _ROUND.get(rest, rest)
    elif rest == "i":
        rest = _APICAL.get(initial, rest)
    elif rest == "o" and initial in ("b", "p", "m", "f"):
        rest = "uo"
    return (initial, rest) if initial in _INITIALS and rest in _FINALS and rest != "er" else ("",)


@dataclass(frozen=True, slots=True)
class Units:
    """Units in the order they are spoken."""

    ids: tuple[int, ...]
    """Columns of the network's output, none of them `BLANK`."""

    @classmethod
    def of(cls, syllables: Iterable[str]) -> Units:
        """Return the units of toneless syllables.

        Raises:
            ValueError: one is no syllable; names it.
        """
        return cls(tuple(unit for syllable in syllables for unit in units_of(syllable)))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __str__(self) -> str:
        return " ".join(UNITS[unit] for unit in self.ids)


def n_frames(n_pcm: int) -> int:
    """Return how many feature frames a clip of so many PCM values has."""
    return n_pcm // HOP_N


def n_posteriors(n_features: int) -> int:
    """Return how many posterior frames the network answers for so many feature frames."""
    return -(-n_features // STRIDE)


def log_mels(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the features of one mono clip at 16 kHz.

    Nothing is normalised here: the network takes out the clip's level and colour itself, and looks past digital silence.

    Args:
        pcm: values in [-1, 1], float32, shape (T,).

    Returns:
        float32, shape (T // 160, N_MELS), 0 for digital silence; the logarithm of the power over that of silence.

    Raises:
        ValueError: the clip is not one row of values.
    """
    return mels_of(power_of(pcm))


def power_of(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the power spectrum of every frame of one mono clip.

    Returns:
        float32, shape (T // 160, 257).

    Raises:
        ValueError: the clip is not one row of values.
    """
    if pcm.ndim != 1:
        raise ValueError(f"pcm must be one row of values, got shape {pcm.shape}")
    count = n_frames(len(pcm))
    if count == 0:
        return np.zeros((0, _FFT_N // 2 + 1), np.float32)
    before = (_WINDOW_N - HOP_N) // 2
    padded = np.zeros(count * HOP_N + _WINDOW_N, np.float32)
    padded[before : before + len(pcm)] = pcm[: len(padded) - before]
    framed = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_N)[: count * HOP_N : HOP_N]
    spectrum = np.fft.rfft(framed * _window(), _FFT_N, axis=1)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def mels_of(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn power spectra, shape (n, 257), into features, shape (n, N_MELS)."""
    mels: NDArray[np.float32] = np.log(power @ filters() + np.float32(_FLOOR)) - np.float32(np.log(_FLOOR))
    return mels


@cache
def _window() -> NDArray[np.float32]:
    return np.hamming(_WINDOW_N).astype(np.float32)


@cache
def filters() -> NDArray[np.float32]:
    """Return the triangular filters of the bands, float32, shape (257, N_MELS); the top of each is 1."""
    edges = _hz(np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), N_MELS + 2))
    bins = np.arange(_FFT_N // 2 + 1)[:, None] * (SAMPLE_RATE_HZ / _FFT_N)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def _mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    hz: NDArray[np.float64] = 700.0 * (np.power(10.0, mel / 2595.0) - 1.0)
    return hz
