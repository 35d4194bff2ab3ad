"""Log-mel features as a manifest describes them, for networks of sound that others trained as for the example here.

The arithmetic is that of Kaldi's filter banks, which most published recognisers were trained on: whole frames only, pre-emphasis,
window, power spectrum, triangles that are straight on the mel scale. Our own speech network has features of its own
(`speech_codec.py`).

    pcm       |--- frame_n_pcm ---|
              |hop|--- frame_n_pcm ---|        frames that do not fit are left out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class MelSpec:
    """The numbers of one kind of features; defaults are Kaldi's at 16 kHz with 80 bands."""

    n_bands: int = 80
    frame_n_pcm: int = 400
    hop_n_pcm: int = 160
    low_hz: float = 20.0
    high_hz: float = 7600.0
    preemphasis: float = 0.97
    pcm_scale: float = 1.0
    """What PCM in [-1, 1] is multiplied by first; 32768 for networks that were trained on 16-bit integers."""
    window_floor: float = 0.0
    """The window is `floor + (1 - floor) * hann ** power`: 0 and 0.85 Povey's, 0 and 1 Hann's, 0.08 and 1 Hamming's."""
    window_power: float = 0.85
    dc_removed: bool = True
    """Whether each frame's mean is taken out."""
    log_floor: float = 1.1920929e-07
    """Smallest energy of a band before the natural logarithm."""
    centred: bool = False
    """Whether each band's mean over the whole sound is taken out."""

    def __post_init__(self) -> None:
        if not 0 < self.hop_n_pcm <= self.frame_n_pcm <= 16_384:
            raise ManifestError(f"need 0 < hop_n_pcm <= frame_n_pcm <= 16384, got {self.hop_n_pcm} and {self.frame_n_pcm}")
        if not 0 < self.n_bands <= 512:
            raise ManifestError(f"mel_bands must be 1 to 512, got {self.n_bands}")
        if not 0 <= self.low_hz < self.high_hz <= SAMPLE_RATE_HZ / 2:
            raise ManifestError(f"need 0 <= mel_low_hz < mel_high_hz <= 8000, got {self.low_hz} and {self.high_hz}")
        if self.log_floor <= 0:
            raise ManifestError(f"log_floor must be above 0, got {self.log_floor}")

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> MelSpec | None:
        """Read the features of a manifest's own numbers.

        Args:
            numbers: `postprocess` of the manifest; `mel_bands` says that there are features, the others have defaults.

        Returns:
            None where the network takes PCM, that is without `mel_bands`.

        Raises:
            ManifestError: a number is out of range.
        """
        if "mel_bands" not in numbers:
            return None
        usual = cls()
        return cls(
            n_bands=int(numbers["mel_bands"]),
            frame_n_pcm=int(numbers.get("frame_n_pcm", usual.frame_n_pcm)),
            hop_n_pcm=int(numbers.get("hop_n_pcm", usual.hop_n_pcm)),
            low_hz=numbers.get("mel_low_hz", usual.low_hz),
            high_hz=numbers.get("mel_high_hz", usual.high_hz),
            preemphasis=numbers.get("preemphasis", usual.preemphasis),
            pcm_scale=numbers.get("pcm_scale", usual.pcm_scale),
            window_floor=numbers.get("window_floor", usual.window_floor),
            window_power=numbers.get("window_power", usual.window_power),
            dc_removed=bool(numbers.get("dc_removed", usual.dc_removed)),
            log_floor=numbers.get("log_floor", usual.log_floor),
            centred=bool(numbers.get("bands_centred", usual.centred)),
        )

    def numbers(self) -> dict[str, float]:
        """Return what a manifest says of these features; `of` gives an equal one back."""
        return {
            "mel_bands": self.n_bands,
            "frame_n_pcm": self.frame_n_pcm,
            "hop_n_pcm": self.hop_n_pcm,
            "mel_low_hz": self.low_hz,
            "mel_high_hz": self.high_hz,
            "preemphasis": self.preemphasis,
            "pcm_scale": self.pcm_scale,
            "window_floor": self.window_floor,
            "window_power": self.window_power,
            "dc_removed": float(self.dc_removed),
            "log_floor": self.log_floor,
            "bands_centred": float(self.centred),
        }

    def n_frames(self, n_pcm: int) -> int:
        """Count the whole frames of so many PCM values."""
        return 0 if n_pcm < self.frame_n_pcm else 1 + (n_pcm - self.frame_n_pcm) // self.hop_n_pcm


def log_mels(pcm: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
    """Compute the features of one sound.

    Args:
        pcm: mono at 16 kHz, float32 in [-1, 1], shape (T,).
        spec: which features.

    Returns:
        float32, shape (`spec.n_frames(T)`, `spec.n_bands`).
    """
    n_frames = spec.n_frames(len(pcm))
    if n_frames == 0:
        return np.zeros((0, spec.n_bands), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(pcm, spec.frame_n_pcm)[:: spec.hop_n_pcm]
    frames = windows.astype(np.float32) * np.float32(spec.pcm_scale)
    if spec.dc_removed:
        frames -= frames.mean(axis=1, keepdims=True)
    if spec.preemphasis:
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        frames = frames - np.float32(spec.preemphasis) * before
    spectrum = np.fft.rfft(frames * _window(spec), _fft_n(spec), axis=1)
    power = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32)
    mels = np.log(np.maximum(power @ _filters(spec), np.float32(spec.log_floor)))
    return np.asarray(mels - mels.mean(axis=0) if spec.centred else mels, np.float32)


def _fft_n(spec: MelSpec) -> int:
    return 1 << (spec.frame_n_pcm - 1).bit_length()


@cache
def _window(spec: MelSpec) -> NDArray[np.float32]:
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.frame_n_pcm) / max(1, spec.frame_n_pcm - 1))
    return (spec.window_floor + (1 - spec.window_floor) * hann**spec.window_power).astype(np.float32)


@cache
def _filters(spec: MelSpec) -> NDArray[np.float32]:
    """Triangles over the bins of the spectrum, straight on the mel scale, shape (bins, bands)."""
    n_bins = _fft_n(spec) // 2 + 1
    bins = _mel(np.arange(n_bins) * (SAMPLE_RATE_HZ / _fft_n(spec)))[:, None]
    low, high = _mel(np.asarray([spec.low_hz, spec.high_hz]))
    edges = np.linspace(low, high, spec.n_bands + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _mel(hz: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1127.0 * np.log1p(hz / 700.0))
