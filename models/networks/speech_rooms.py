"""What is heard beside the speaker, for batches on a device: noise, echo, codec, microphone and masks, as in `speech_noises.py`.

Power spectra are (R, n, 257); a fixed share of rows gets each, so that no shape has to be asked of the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.speech_people import Dice, curves, drifts
from models.speech_bank import N_BINS
from models.speech_codec import filters

_FLOOR = 1e-10


@dataclass(frozen=True, slots=True)
class Heard:
    """How often each thing happens to the sound, and how much is hidden."""

    echo: float = 0.35
    noise: float = 0.6
    colour: float = 0.7
    low_pass: float = 0.2
    codec: float = 0.2
    ratio_db: tuple[float, float] = (2.0, 30.0)
    n_bands: int = 3
    """Bands that are hidden at most, each up to 8 wide."""
    hidden: float = 0.1
    """Share of the moments that is hidden on average."""


def steady(n_rows: int, n_frames: int, dice: Dice) -> Tensor:
    """Return hiss, hum or wind: one spectrum, as noisy as noise is, at times swelling."""
    slope = dice.uniform(n_rows, 1, high=6.0) * torch.arange(N_BINS, device=dice.device) / N_BINS
    swelling = drifts(n_rows, n_frames, dice, spread=(dice.uniform(n_rows) < 0.4).float(), every=max(20, n_frames // 5))
    grain = -torch.log(dice.uniform(n_rows, n_frames, N_BINS).clamp(min=1e-12))
    return torch.exp(curves(n_rows, dice, spread=2.0) - slope)[:, None] * torch.exp(swelling)[:, :, None] * grain


def music(n_rows: int, n_frames: int, dice: Dice) -> Tensor:
    """Return chords that change and fade, with beats of broad noise."""
    n_beats, n_notes = n_frames // 20 + 1, 4
    length = dice.integers(n_rows, 1, low=20, high=60)
    at = torch.arange(n_frames, device=dice.device)[None]
    beat, within = at // length, at % length  # (R, n)
    base = dice.uniform(n_rows, n_beats, n_notes, 1, low=3.0, high=25.0)
    bins = torch.arange(N_BINS, device=dice.device)
    number = torch.round(bins / base).clamp(min=1.0)
    fall = torch.exp(-dice.uniform(n_rows, n_beats, n_notes, 1, low=0.1, high=0.8) * (number - 1.0))
    there = (dice.uniform(n_rows, n_beats, n_notes, 1) < 0.6).float()
    chords = (there * fall * torch.exp(-0.5 * (bins - number * base).square())).sum(dim=2)  # (R, beats, 257)
    fade = torch.exp(-within / dice.uniform(n_rows, 1, low=10.0, high=80.0))
    power = fade[:, :, None] * chords.gather(1, beat[:, :, None].expand(-1, -1, N_BINS))
    strength = (dice.uniform(n_rows, 1) < 0.6) * torch.exp(-within / dice.uniform(n_rows, 1, low=2.0, high=8.0))
    grain = -torch.log(dice.uniform(n_rows, n_frames, N_BINS).clamp(min=1e-12))
    return power + strength[:, :, None] * torch.exp(curves(n_rows, dice, spread=1.5) - 2.0)[:, None] * grain + 1e-6


def babble(power: Tensor, n_rows: int, dice: Dice) -> Tensor:
    """Return other people of the batch who talk at the same time."""
    loud = power / power.mean(dim=(1, 2), keepdim=True).clamp(min=1e-9)
    others = torch.stack([loud[dice.integers(n_rows, high=len(power))] for _ in range(3)])
    there = torch.cat([torch.ones(1, n_rows, device=dice.device), (dice.uniform(2, n_rows) < 0.6).float()])
    return (others * there[:, :, None, None]).sum(dim=0).roll(int(power.shape[1] // 3), dims=1) + 1e-6


def at_ratio(power: Tensor, noise: Tensor, ratio_db: Tensor, dice: Dice) -> Tensor:
    """Add noise to speech at ratios of their mean powers, with the beats that two sounds of unknown phase have.

    Args:
        power: (R, n, 257).
        noise: the same.
        ratio_db: (R,).
        dice: chance.
    """
    loud, rest = (one.mean(dim=(1, 2), keepdim=True).clamp(min=1e-9) for one in (power, noise))
    noise = noise * (loud / rest * torch.pow(10.0, -ratio_db / 10.0)[:, None, None])
    cross = 2.0 * torch.sqrt(power * noise) * torch.cos(dice.uniform(*power.shape, high=2.0 * np.pi))
    return (power + noise + cross).clamp(min=0.0)


def echoed(power: Tensor, seconds: Tensor, level: Tensor) -> Tensor:
    """Return speech as it is in rooms: every frame trails off, the highs sooner; over 128 frames at most.

    Args:
        power: (R, n, 257).
        seconds: of each room, (R,).
        level: of the echo, (R,).
    """
    highs = torch.linspace(1.0, 0.6, N_BINS, device=power.device)
    decay = torch.exp(-0.138 / (seconds[:, None] * highs))[:, None]  # (R, 1, 257)
    tail, step = power, 1
    while step < min(128, power.shape[1]):
        # Doubling: what trails off over 2 k frames is what does over k, now and k frames ago.
        tail = tail + decay**step * F.pad(tail, (0, 0, step, 0))[:, : power.shape[1]]
        step *= 2
    return power + level[:, None, None] * decay * F.pad(tail, (0, 0, 1, 0))[:, : power.shape[1]]


def coded(power: Tensor, dice: Dice) -> Tensor:
    """Return speech as codecs at low rates leave it: bins far below their neighbours are gone, the others coarser."""
    n_rows = len(power)
    around = F.avg_pool1d(power.flatten(0, 1)[:, None], 17, stride=1, padding=8)[:, 0].view_as(power)
    least = torch.pow(10.0, dice.uniform(n_rows, 1, 1, low=-2.5, high=-0.5))
    coarse = torch.exp(dice.uniform(n_rows, 1, 1, low=0.0, high=0.5) * dice.normal(*power.shape))
    return torch.where(power < least * around, power * 1e-3, power * coarse)


class Room:
    """Turns talk into features as microphones leave them."""

    def __init__(self, dice: Dice, heard: Heard | None = None) -> None:
        self._dice, self._heard = dice, heard or Heard()
        self._filters = torch.as_tensor(filters(), device=dice.device)

    def features(self, power: Tensor, there: Tensor, recorded: Callable[[int, int], Tensor] | None = None) -> Tensor:
        """Return features of talk, (R, n, N_MELS), 0 behind what is there.

        Args:
            power: of the talk, (R, n, 257).
            there: whether a frame is of the utterance, (R, n).
            recorded: gives so many rows of so many frames of recorded noise.
        """
        dice, heard, n_rows = self._dice, self._heard, len(power)
        power = _for_some(power, dice.some(n_rows, heard.echo), self._echoed)
        power = self._with_noise(power, recorded)
        power = _for_some(power, dice.some(n_rows, heard.colour), self._coloured)
        power = _for_some(power, dice.some(n_rows, heard.codec), lambda some: coded(some, dice))
        power = _for_some(power, dice.some(n_rows, heard.low_pass), self._low)
        gain = torch.exp(dice.uniform(n_rows, 1, 1, low=-4.0, high=6.0))
        features = torch.log((power * gain) @ self._filters + _FLOOR) - float(np.log(_FLOOR))
        return masked(features, there, dice, heard) * there[:, :, None]

    def _echoed(self, power: Tensor) -> Tensor:
        rows, dice = len(power), self._dice
        return echoed(power, dice.uniform(rows, low=0.1, high=0.8), dice.uniform(rows, low=0.02, high=0.3))

    def _coloured(self, power: Tensor) -> Tensor:
        return power * torch.exp(curves(len(power), self._dice, spread=1.3))[:, None]

    def _low(self, power: Tensor) -> Tensor:
        cut = self._dice.integers(len(power), 1, 1, low=110, high=250)
        return torch.where(torch.arange(N_BINS, device=power.device) >= cut, power * 1e-4, power)

    def _with_noise(self, power: Tensor, recorded: Callable[[int, int], Tensor] | None) -> Tensor:
        dice, n_frames = self._dice, power.shape[1]
        rows = dice.some(len(power), self._heard.noise)
        cuts = [round(share * len(rows)) for share in (0.0, 0.45, 0.62, 0.85, 1.0)]
        sizes = [high - low for low, high in pairwise(cuts)]
        kinds = [
            steady(sizes[0], n_frames, dice),
            music(sizes[1], n_frames, dice),
            babble(power, sizes[2], dice),
            recorded(sizes[3], n_frames) if recorded else steady(sizes[3], n_frames, dice),
        ]
        low, high = self._heard.ratio_db
        ratio_db = dice.uniform(len(rows), low=low, high=high)
        return power.index_copy(0, rows, at_ratio(power[rows], torch.cat(kinds), ratio_db, dice)) if len(rows) else power


def _for_some(power: Tensor, rows: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    return power.index_copy(0, rows, change(power[rows])) if len(rows) else power


def masked(features: Tensor, there: Tensor, dice: Dice, heard: Heard) -> Tensor:
    """Hide some bands and moments behind what is usual in the utterance, so that no single one decides."""
    n_rows, n_frames, n_bands = features.shape
    count = there.sum(dim=1)[:, None, None].clamp(min=1)
    usual = (features * there[:, :, None]).sum(dim=1, keepdim=True) / count
    hidden = torch.zeros_like(features, dtype=torch.bool)
    bands, moments = torch.arange(n_bands, device=dice.device), torch.arange(n_frames, device=dice.device)
    for _ in range(heard.n_bands):
        width = dice.integers(n_rows, 1, low=1, high=9) * (dice.uniform(n_rows, 1) < 0.6)
        low = (dice.uniform(n_rows, 1) * (n_bands - width)).long()
        hidden |= ((bands >= low) & (bands < low + width))[:, None]
    # A mask for every 100 frames, so that long and short utterances lose alike.
    share = dice.uniform(n_rows, 1, high=2.0 * heard.hidden)
    for _ in range(-(-n_frames // 100)):
        width = (share * dice.uniform(n_rows, 1, high=1.0) * 200).clamp(max=20.0)
        low = dice.uniform(n_rows, 1) * (n_frames - width)
        hidden |= ((moments >= low) & (moments < low + width))[:, :, None]
    return torch.where(hidden, usual, features)
