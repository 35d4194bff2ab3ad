"""What is heard beside the speaker: steady noise, talk, music-like sound and echo, as power spectra made by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.speech_bank import N_BINS, Bank, Clip, Kind
from models.speech_voices import SAME, anybody, curve, spoken_by

Power = NDArray[np.float32]
"""Power spectra, float32, (n, 257)."""


def any_noise(count: int, bank: Bank, rng: np.random.Generator) -> Power:
    """Return so many frames of one of the kinds of noise."""
    kind = rng.random()
    if kind < 0.45:
        return steady(count, rng)
    if kind < 0.65:
        return music(count, rng)
    if kind < 0.85:
        return babble(count, bank, rng)
    fire = bank.clips.get(Kind.NOISE)
    return _cut(bank, fire[0], count, rng) if fire else steady(count, rng)


def steady(count: int, rng: np.random.Generator) -> Power:
    """Return hiss, hum or wind: one spectrum, as noisy as noise is, at times swelling."""
    spectrum = np.exp(curve(rng, spread=2.0) - rng.uniform(0.0, 6.0) * np.arange(N_BINS) / N_BINS)
    power = spectrum * rng.exponential(1.0, (count, N_BINS)).astype(np.float32)
    if rng.random() < 0.4:
        power *= np.exp(np.interp(np.arange(count), np.linspace(0, count, 6), rng.normal(0.0, 1.0, 6)))[:, None]
    return power.astype(np.float32)


def music(count: int, rng: np.random.Generator) -> Power:
    """Return chords that change and fade, with beats of broad noise."""
    power = np.zeros((count, N_BINS), np.float32)
    bins = np.arange(N_BINS)
    beat = int(rng.integers(20, 60))
    for start in range(0, count, beat):
        fade = np.exp(-np.arange(min(beat, count - start)) / rng.uniform(10, 80))[:, None]
        for _ in range(int(rng.integers(1, 5))):
            base = rng.uniform(3.0, 25.0)
            partials = base * np.arange(1, int(N_BINS / base))
            lines = (
                np.exp(-0.5 * (bins[None, :] - partials[:, None]) ** 2)
                * np.exp(-rng.uniform(0.1, 0.8) * np.arange(len(partials)))[:, None]
            )
            power[start : start + beat] += (fade * lines.sum(axis=0)).astype(np.float32)
        if rng.random() < 0.6:
            hit = np.exp(-np.arange(len(fade)) / rng.uniform(2, 8))[:, None] * np.exp(curve(rng, spread=1.5) - 2.0)
            power[start : start + beat] += (hit * rng.exponential(1.0, hit.shape)).astype(np.float32)
    return power + np.float32(1e-6)


def babble(count: int, bank: Bank, rng: np.random.Generator) -> Power:
    """Return other people who talk at the same time."""
    clips = bank.clips.get(Kind.SYNTHETIC) or bank.clips.get(Kind.WORDS) or []
    power = np.full((count, N_BINS), 1e-6, np.float32)
    for _ in range(int(rng.integers(2, 5)) if clips else 0):
        clip = clips[int(rng.integers(len(clips)))]
        rows = clip.start + (np.arange(count) + int(rng.integers(clip.count))) % clip.count
        voice = spoken_by(anybody(rng, width=0.5), bank.shapes[rows], bank.details[rows])
        power += voice / max(1e-6, float(voice.mean()))
    return power


def _cut(bank: Bank, clip: Clip, count: int, rng: np.random.Generator) -> Power:
    rows = clip.start + (np.arange(count) + int(rng.integers(clip.count))) % clip.count
    return spoken_by(SAME, bank.shapes[rows], bank.details[rows])


def at_ratio(power: Power, noise: Power, ratio_db: float, rng: np.random.Generator) -> Power:
    """Add noise to speech at a ratio of their mean powers, with the beats that two sounds of unknown phase have."""
    loud = max(1e-9, float(power.mean()))
    noise = noise * np.float32(loud / max(1e-9, float(noise.mean())) * 10 ** (-ratio_db / 10))
    cross = 2.0 * np.sqrt(power * noise) * np.cos(rng.uniform(0.0, 2.0 * np.pi, power.shape).astype(np.float32))
    mixed: Power = np.maximum(power + noise + cross, 0.0).astype(np.float32)
    return mixed


def echoed(power: Power, rng: np.random.Generator) -> Power:
    """Return speech as it is in a room: every frame trails off, the highs sooner."""
    seconds = rng.uniform(0.1, 0.7)
    decay = np.exp(-13.8 * 0.01 / (seconds * np.linspace(1.0, 0.6, N_BINS))).astype(np.float32)
    level = np.float32(rng.uniform(0.02, 0.25))
    tail = np.zeros(N_BINS, np.float32)
    out = np.empty_like(power)
    for place, frame in enumerate(power):
        out[place] = frame + level * tail
        tail = decay * (tail + frame)
    return out
