"""Made sounds of six kinds, for the example network of sound classes: shots, sirens, applause, music, voices, and the rest.

All of it is computed from random numbers; nothing is recorded. Good enough to show how a network of sound classes is made, tested
and served; a network for real rooms needs real recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
MAX_N = 4 * RATE_HZ
"""Longest sound that is made, PCM values."""

Sound = NDArray[np.float64]


class SoundKind(StrEnum):
    """What can be heard; the order is that of the network's classes."""

    OTHER = "other"
    """Noise, wind, hum, knocks, clicks."""
    SPEECH = "speech"
    MUSIC = "music"
    SIREN = "siren"
    APPLAUSE = "applause"
    GUNSHOT = "gunshot"


def make(kind: SoundKind, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Make one sound as a room would carry it: with something behind it, at some level, through some channel.

    Args:
        kind: what shall be heard.
        rng: where chance comes from.
        n: PCM values at 16 kHz, at most `MAX_N`.

    Returns:
        float32 in [-1, 1], shape (n,).
    """
    sound = _level(_MAKERS[kind](rng, n))
    behind = SoundKind.OTHER if rng.random() < 0.6 else rng.choice([SoundKind.SPEECH, SoundKind.MUSIC, SoundKind.OTHER])
    ratio_db = rng.uniform(6, 40)
    mixed = sound + _level(_MAKERS[SoundKind(behind)](rng, n)) * 10 ** (-ratio_db / 20)
    mixed = _channel(rng, mixed)
    peak = 10 ** (rng.uniform(-24, 6) / 20)  # above full scale: clipped, as shots into a microphone are
    return np.clip(mixed / max(float(np.abs(mixed).max()), 1e-9) * peak, -1.0, 1.0).astype(np.float32)


def _level(sound: Sound) -> Sound:
    """Bring a sound to a root mean square of 0.1 where it is loudest (over 50 ms)."""
    total = np.concatenate([[0.0], np.cumsum(np.square(sound))])
    span = min(len(sound), RATE_HZ // 20)
    power = float((total[span:] - total[:-span]).max()) / span
    return sound * (0.1 / max(float(np.sqrt(max(power, 0.0))), 1e-9))


def _channel(rng: np.random.Generator, sound: Sound) -> Sound:
    """A room's echo now and then, and the band of a microphone and a codec."""
    if rng.random() < 0.5:
        sound = _echoed(rng, sound, decay_s=rng.uniform(0.05, 0.4), share=rng.uniform(0.1, 0.5))
    low, high = rng.uniform(20, 200), rng.uniform(3_400, 8_000)
    return _shaped(sound, lambda hz: (hz > low) & (hz < high))


def _shaped(sound: Sound, gain: Callable[[NDArray[Any]], Any]) -> Sound:
    """Filter by a gain over frequency, hertz."""
    size = 1 << (len(sound) - 1).bit_length()
    gains = np.asarray(gain(np.fft.rfftfreq(size, 1 / RATE_HZ)), np.float64)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * gains, size)[: len(sound)])


def _echoed(rng: np.random.Generator, sound: Sound, *, decay_s: float, share: float) -> Sound:
    length = min(len(sound), int(decay_s * 3 * RATE_HZ))
    tail = rng.standard_normal(length) * np.exp(-np.arange(length) / (decay_s * RATE_HZ / 2))
    tail /= np.sqrt(np.square(tail).sum())
    size = 1 << (len(sound) + length).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    return np.asarray(sound + share * wet)


def _noise(rng: np.random.Generator, n: int, slope: float) -> Sound:
    """Noise whose power falls with frequency: slope 0 white, 1 pink, 2 brown."""
    return _shaped(rng.standard_normal(n), lambda hz: np.maximum(hz, 20.0) ** (-slope / 2))


def _slow(rng: np.random.Generator, n: int, hz: float) -> Sound:
    """A value between 0 and 1 that wanders about so many times a second."""
    points = rng.random(max(2, int(n / RATE_HZ * hz) + 2))
    return np.interp(np.linspace(0, len(points) - 1, n), np.arange(len(points)), points)


def _put(sound: Sound, piece: Sound, at: int) -> None:
    """Add a piece at a place; what goes beyond the end is lost."""
    end = min(len(sound), at + len(piece))
    if at < end:
        sound[at:end] += piece[: end - at]


def _falling(n: int, decay_s: float) -> Sound:
    return np.asarray(np.exp(-np.arange(n) / (decay_s * RATE_HZ)))


def _other(rng: np.random.Generator, n: int) -> Sound:
    sound = _noise(rng, n, rng.uniform(0, 2)) * (0.2 + _slow(rng, n, rng.uniform(0.3, 4)))
    if rng.random() < 0.3:
        base = rng.choice([50.0, 60.0, rng.uniform(80, 400)])
        sound += sum(np.sin(2 * np.pi * base * k * np.arange(n) / RATE_HZ + k) / k for k in range(1, 6)) * rng.uniform(0, 0.5)
    if rng.random() < 0.6:
        _knocks(rng, sound)
    return sound


def _knocks(rng: np.random.Generator, sound: Sound) -> None:
    """Knocks, keys, clicks, doors: short and tuned, without the long roaring tail of a shot."""
    height = float(np.abs(sound).max()) * rng.uniform(1, 12)
    for _ in range(rng.integers(1, 10)):
        length = int(rng.uniform(0.01, 0.12) * RATE_HZ)
        ring = np.sin(2 * np.pi * rng.uniform(100, 3_000) * np.arange(length) / RATE_HZ)
        piece = (ring + 0.3 * rng.standard_normal(length)) * _falling(length, rng.uniform(0.003, 0.02))
        _put(sound, piece * height, int(rng.integers(len(sound))))


def _speech(rng: np.random.Generator, n: int) -> Sound:
    """Syllables of a buzzing source through three wandering formants, some begun by a hiss."""
    sound = np.zeros(n)
    pitch = rng.uniform(80, 300)
    at = int(rng.uniform(0, 0.3) * RATE_HZ)
    while at < n:
        length = int(rng.uniform(0.09, 0.3) * RATE_HZ)
        glide = pitch * (1 + 0.25 * (_slow(rng, length, 6) - 0.5))
        phase = np.cumsum(glide) / RATE_HZ
        buzz = 2 * (phase % 1) - 1
        formants = rng.uniform([250, 800, 2_000], [900, 2_200, 3_500])
        _put(sound, _voiced(buzz, formants) * np.hanning(length), at)
        if rng.random() < 0.4:
            hiss = int(rng.uniform(0.03, 0.1) * RATE_HZ)
            _put(sound, _shaped(rng.standard_normal(hiss), lambda hz: hz > 3_000) * np.hanning(hiss) * 0.1, max(0, at - hiss))
        at += length + int(rng.exponential(0.05) * RATE_HZ) + (int(rng.uniform(0.2, 0.6) * RATE_HZ) if rng.random() < 0.12 else 0)
    return sound


def _voiced(buzz: Sound, formants_hz: Sound) -> Sound:
    return _shaped(buzz, lambda hz: sum(1 / (1 + ((hz - at_hz) / 90) ** 2) for at_hz in formants_hz))


def _music(rng: np.random.Generator, n: int) -> Sound:
    """Chords on a beat, with a drum kit behind most of them: its snare is what shots must be told from."""
    sound = np.zeros(n)
    beat = int(rng.uniform(0.25, 0.7) * RATE_HZ)
    root = rng.uniform(80, 300)
    for number, at in enumerate(range(int(rng.integers(beat)) - beat, n, beat)):
        for step in rng.choice([0, 3, 4, 5, 7, 9, 12, 16], size=rng.integers(1, 5), replace=False):
            hz = root * 2 ** (step / 12)
            length = int(beat * rng.uniform(0.8, 3))
            t = np.arange(length) / RATE_HZ
            tone = sum(np.sin(2 * np.pi * hz * k * t) / k ** rng.uniform(1, 2) for k in range(1, 7))
            _put(sound, tone * _falling(length, rng.uniform(0.1, 0.8)) * np.minimum(1, t / 0.01), max(0, at))
        if rng.random() < 0.7:
            _put(sound, _drum(rng, snare=number % 2 == 1) * rng.uniform(0.3, 2.5), max(0, at))
    return sound


def _drum(rng: np.random.Generator, *, snare: bool) -> Sound:
    length = int(0.2 * RATE_HZ)
    t = np.arange(length) / RATE_HZ
    if not snare:
        return np.asarray(np.sin(2 * np.pi * np.cumsum(50 + 120 * np.exp(-t / 0.03)) / RATE_HZ) * _falling(length, 0.08))
    rattle = _shaped(rng.standard_normal(length), lambda hz: hz > 800) * _falling(length, rng.uniform(0.02, 0.06))
    return np.asarray(rattle + np.sin(2 * np.pi * rng.uniform(170, 250) * t) * _falling(length, 0.05))


def _siren(rng: np.random.Generator, n: int) -> Sound:
    t = np.arange(n) / RATE_HZ
    low, high, rate = rng.uniform(400, 900), rng.uniform(1_000, 1_800), rng.uniform(0.2, 4)
    turn = np.sin(2 * np.pi * rate * t + rng.uniform(0, 6.3))
    sweep = np.sign(turn) if rng.random() < 0.4 else turn
    phase = 2 * np.pi * np.cumsum(low + (high - low) * (sweep + 1) / 2) / RATE_HZ
    return np.asarray(sum(np.sin(k * phase) / k**1.5 for k in range(1, rng.integers(2, 6))))


def _applause(rng: np.random.Generator, n: int) -> Sound:
    sound = np.zeros(n)
    for at in rng.integers(0, n, int(n / RATE_HZ * rng.uniform(25, 250))):
        length = int(rng.uniform(0.005, 0.02) * RATE_HZ)
        _put(sound, rng.standard_normal(length) * _falling(length, rng.uniform(0.002, 0.006)) * rng.uniform(0.3, 1), int(at))
    centre = rng.uniform(900, 2_500)
    return _shaped(sound, lambda hz: 1 / (1 + ((hz - centre) / 1_200) ** 2))


def _gunshot(rng: np.random.Generator, n: int) -> Sound:
    """A crack and its blast, once, several times or in a burst, with the roar that comes back from around."""
    sound = np.zeros(n)
    burst = rng.random() < 0.4
    count = int(rng.integers(3, 14)) if burst else int(rng.integers(1, 4))
    gap_s = rng.uniform(0.06, 0.15) if burst else rng.uniform(0.25, 0.9)
    at = int(rng.uniform(0, 0.5) * (n - RATE_HZ // 2))
    decay_s, slope = rng.uniform(0.015, 0.09), rng.uniform(0.5, 1.6)
    length = int(0.5 * RATE_HZ)
    for _ in range(count):
        blast = _noise(rng, length, slope) * _falling(length, decay_s)
        blast /= np.abs(blast).max()
        blast[: RATE_HZ // 1_000] += rng.uniform(0.5, 2) * np.sin(np.linspace(0, 2 * np.pi, RATE_HZ // 1_000))
        _put(sound, blast * rng.uniform(0.7, 1), at)
        at += int(gap_s * RATE_HZ * rng.uniform(0.9, 1.1))
    return _echoed(rng, sound, decay_s=rng.uniform(0.2, 1.2), share=rng.uniform(0.05, 0.3))


_MAKERS: Mapping[SoundKind, Callable[[np.random.Generator, int], Sound]] = {
    SoundKind.OTHER: _other,
    SoundKind.SPEECH: _speech,
    SoundKind.MUSIC: _music,
    SoundKind.SIREN: _siren,
    SoundKind.APPLAUSE: _applause,
    SoundKind.GUNSHOT: _gunshot,
}
