"""Other people out of few, for batches on a device: what `speech_voices.py` does to one utterance, in torch, and pitch that moves.

Chance comes from `Dice`, a generator of the device, so that nothing waits for the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.speech_bank import N_BINS, N_SHAPE

MOST_LOG = 25.0
"""Log power is cut off there."""


class Dice:
    """Chance on a device."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self._source = torch.Generator(device).manual_seed(seed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return numbers of [low, high)."""
        return torch.rand(shape, generator=self._source, device=self.device) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Return numbers round 0 with a spread of 1."""
        return torch.randn(shape, generator=self._source, device=self.device)

    def integers(self, *shape: int, low: int = 0, high: int) -> Tensor:
        """Return whole numbers of [low, high)."""
        return torch.randint(low, high, shape, generator=self._source, device=self.device)

    def some(self, n_rows: int, share: float) -> Tensor:
        """Choose a fixed share of rows: their numbers, so that shapes are known without asking the device."""
        return torch.randperm(n_rows, generator=self._source, device=self.device)[: round(share * n_rows)]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """How R speakers differ from who was recorded; see `speech_voices.Person`."""

    places: Tensor
    """(R, 257)"""
    pitch: Tensor
    """(R,)"""
    depth: Tensor
    """(R,)"""
    lifter: Tensor
    """(R, N_SHAPE)"""
    colour: Tensor
    """(R, 257)"""

    @classmethod
    def same(cls, n_rows: int, device: torch.device) -> People:
        """Return who was recorded."""
        one, bins = torch.ones(n_rows, device=device), torch.arange(N_BINS, device=device, dtype=torch.float32)
        return cls(
            bins.repeat(n_rows, 1), one, one, torch.ones(n_rows, N_SHAPE, device=device), torch.zeros(n_rows, N_BINS, device=device)
        )

    @classmethod
    def anybody(cls, width: Tensor, dice: Dice) -> People:
        """Make up speakers, from deep men to children.

        Args:
            width: of each, 1 for all there are, 0 for who was recorded, (R,).
            dice: chance.
        """
        n_rows, wide = len(width), width[:, None]
        along = torch.arange(N_BINS, device=dice.device) / N_BINS
        tract = torch.exp(wide * dice.uniform(n_rows, 1, low=np.log(0.74), high=np.log(1.25)))
        waves = [
            dice.uniform(n_rows, 1, low=-size, high=size)
            * torch.sin(torch.pi * (along * dice.uniform(n_rows, 1, low=1.0, high=turns) + dice.uniform(n_rows, 1, high=2.0)))
            for size, turns in ((0.06, 4.0), (0.04, 8.0))
        ]
        bend = 1.0 + wide * (waves[0] + waves[1])
        orders = torch.arange(N_SHAPE, device=dice.device) / N_SHAPE
        tilt = torch.cos(torch.pi * orders * dice.uniform(n_rows, 1, low=0.5, high=2.0))
        lifter = (1.0 + wide * dice.uniform(n_rows, 1, low=-0.2, high=0.2) * tilt) * torch.exp(
            wide * (0.05 * dice.normal(n_rows, N_SHAPE) + dice.uniform(n_rows, 1, low=-0.25, high=0.18))
        )
        lifter[:, 0] = 1.0
        return cls(
            places=(along * N_BINS / (tract * bend)).clamp(0.0, N_BINS - 1.0),
            pitch=torch.exp(width * dice.uniform(n_rows, low=np.log(0.42), high=np.log(1.45))),
            depth=1.0 + width * dice.uniform(n_rows, low=-0.75, high=0.25),
            lifter=lifter,
            colour=wide * curves(n_rows, dice, spread=1.3),
        )


def curves(n_rows: int, dice: Dice, *, spread: float, n_knots: int = 7) -> Tensor:
    """Return smooth random curves over the bins, in log power, as `speech_voices.curve`; (n_rows, 257)."""
    knots = np.concatenate([[0.0], np.geomspace(8.0, N_BINS - 1.0, n_knots - 1)])
    spans = np.stack([np.interp(np.arange(N_BINS), knots, row) for row in np.eye(n_knots)])
    return spread * dice.normal(n_rows, n_knots) @ torch.as_tensor(spans, dtype=torch.float32, device=dice.device)


def drifts(n_rows: int, n_frames: int, dice: Dice, *, spread: Tensor, every: int = 20) -> Tensor:
    """Return slow random curves over time, a knot every so many frames; (n_rows, n_frames)."""
    knots = spread[:, None] * dice.normal(n_rows, n_frames // every + 3)
    return F.interpolate(knots[:, None], size=n_frames, mode="linear", align_corners=True)[:, 0]


def waves_at(places: Tensor) -> Tensor:
    """Return what each coefficient adds at each place, in bins; (R, N_SHAPE, places), as `speech_bank.waves`."""
    orders = torch.arange(N_SHAPE, device=places.device, dtype=torch.float32)
    scale = torch.where(orders > 0, 2.0, 1.0)
    return torch.cos((2.0 * np.pi / 512) * orders[None, :, None] * places[:, None, :]) * scale[None, :, None]


def slurred(shapes: Tensor, totals: Tensor, reach: Tensor) -> Tensor:
    """Let every frame be drawn to those around it; (R, L, N_SHAPE).

    Args:
        shapes: (R, L, N_SHAPE).
        totals: frames of each row that are spoken, (R,).
        reach: frames to either side, (R,).
    """
    sums = F.pad(shapes.cumsum(dim=1), (0, 0, 1, 0))  # (R, L + 1, N_SHAPE)
    at = torch.arange(shapes.shape[1], device=shapes.device)[None, :]
    last = (totals[:, None] - 1).clamp(min=0)
    low = (at - reach[:, None]).clamp(min=0)
    high = torch.minimum(at + reach[:, None], last).maximum(low)

    def summed(ends: Tensor) -> Tensor:
        return sums.gather(1, ends[:, :, None].expand(-1, -1, shapes.shape[2]))

    return (summed(high + 1) - summed(low)) / (high + 1 - low)[:, :, None]


def spoken_by(people: People, shapes: Tensor, details: Tensor, drift: Tensor | None = None) -> Tensor:
    """Return the power spectra of frames as people would have them, (R, L, 257).

    Args:
        people: R of them.
        shapes: (R, L, N_SHAPE).
        details: (R, L, 257).
        drift: how the pitch moves, as a logarithm, (R, L).
    """
    logs = (shapes * people.lifter[:, None]) @ waves_at(people.places) + people.colour[:, None]
    pitch = people.pitch[:, None] if drift is None else people.pitch[:, None] * torch.exp(drift)  # (R, 1 or L)
    bins = torch.arange(N_BINS, device=shapes.device, dtype=torch.float32)
    harmonics = folded(torch.round(bins / pitch[:, :, None]).long()).expand(-1, shapes.shape[1], -1)
    logs = logs + people.depth[:, None, None] * details.gather(2, harmonics)
    return torch.exp(logs.clamp(max=MOST_LOG))


def folded(places: Tensor) -> Tensor:
    """Reflect places beyond the highest bin."""
    turn = 2 * (N_BINS - 1)
    places = places % turn
    return torch.where(places > N_BINS - 1, turn - places, places)
