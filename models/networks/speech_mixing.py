"""Made-up talk in batches on a device: PCM of clips in, features and units of many utterances out, thousands of seconds a second.

    PCM (on the device) ─ frames of a `Timing` ─ spectrum ─ shape + detail ─┬─ people A ─ room ─ features A
                                                                            └─ people B ─ room ─ features B

Nothing is asked of the device on the way, so that it never waits for the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.networks.speech_people import Dice, People, drifts, slurred, spoken_by
from models.networks.speech_rooms import Heard, Room
from models.speech_bank import N_BINS, N_SHAPE, Kind, waves
from models.speech_codec import HOP_N, STRIDE
from models.speech_mix import Shares
from models.speech_sounds import Sounds
from models.speech_timing import Shelf, Timing, answerable, timed

_WINDOW_N, _FFT_N = 400, 512
_BEFORE_N = (_WINDOW_N - HOP_N) // 2
_FLOOR = 1e-8


class Pool:
    """PCM of clips on a device; grows until it is full."""

    def __init__(self, shelf: Shelf, device: torch.device, *, n_hours: float) -> None:
        """Set a pool up.

        Args:
            shelf: keeps where the clips are.
            device: where the PCM lies.
            n_hours: how much fits.
        """
        self.shelf, self.device = shelf, device
        self._pcm = torch.zeros(int(n_hours * 360_000) * HOP_N + _FFT_N, dtype=torch.int16, device=device)
        self._n_frames = 0
        self._window = torch.hamming_window(_WINDOW_N, periodic=False, device=device) / 32768.0
        bins = np.arange(N_BINS)
        twice = np.where(bins % (N_BINS - 1), 2.0, 1.0)[:, None]
        turned = twice * np.cos(2.0 * np.pi / _FFT_N * bins[:, None] * np.arange(N_SHAPE))
        self._turned = torch.as_tensor(turned / _FFT_N, dtype=torch.float32, device=device)
        self._waves = torch.as_tensor(waves(bins), device=device)

    def __repr__(self) -> str:
        return f"Pool({self.hours:.1f} h, {self.shelf})"

    @property
    def hours(self) -> float:
        """How much there is."""
        return self._n_frames / 360_000

    def add(self, sounds: Sounds) -> bool:
        """Take clips; False where they do not fit any more."""
        count = len(sounds.pcm) // HOP_N
        place = self._n_frames * HOP_N + _BEFORE_N
        if place + len(sounds.pcm) > len(self._pcm):
            return False
        self._pcm[place : place + len(sounds.pcm)] = torch.from_numpy(sounds.pcm).to(self.device)
        self.shelf.add(sounds.clips, self._n_frames)
        self._n_frames += count
        return True

    def logs(self, frames: Tensor) -> Tensor:
        """Return the log power spectra of frames, (..., 257)."""
        # PCM lies half a window late in the tensor, so that frame n begins at value n * hop.
        every = self._pcm.as_strided((max(1, self._n_frames), _WINDOW_N), (HOP_N, 1))
        spectrum = torch.fft.rfft(every[frames].float() * self._window, _FFT_N)
        return torch.log(spectrum.real.square() + spectrum.imag.square() + _FLOOR)

    def split(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return shapes (..., N_SHAPE) and details (..., 257) of frames, as `speech_bank.split`."""
        logs = self.logs(frames)
        shapes = logs @ self._turned
        return shapes, logs - shapes @ self._waves


@dataclass(frozen=True, slots=True, eq=False)
class MixedBatch:
    """Utterances to learn from, each spoken by two people: row b and row b + B say the same at the same moments."""

    features: Tensor
    """(2 B, n, N_MELS), 0 behind an utterance."""
    n_answers: Tensor
    """Posterior frames of each row, (2 B,), on the CPU."""
    units: Tensor
    """(2 B, most)"""
    n_units: Tensor
    """(2 B,), on the CPU."""

    def __repr__(self) -> str:
        return f"MixedBatch({len(self.features)} utterances of {self.features.shape[1]} frames)"


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is mixed."""

    shares: Shares = field(default_factory=lambda: Shares(words=0.45, syllables=0.2, synthetic=0.35))
    heard: Heard = field(default_factory=Heard)
    human: float = 1.0
    """How far speakers are from who was recorded."""
    synthetic: float = 0.6
    """The same for made-up speakers, who are many already."""


class DeviceMixer:
    """Makes batches out of timings; on one thread."""

    def __init__(self, pool: Pool, mixture: Mixture, seed: int) -> None:
        self.pool, self._mixture = pool, mixture
        self._dice = Dice(pool.device, seed)
        self._room = Room(self._dice, mixture.heard)

    def timed(self, n_rows: int, n_frames: int, rng: np.random.Generator) -> Timing:
        """Draw what is spoken when; on any thread."""
        return timed(self.pool.shelf, n_rows, n_frames, rng, self._mixture.shares)

    def mixed(self, timing: Timing) -> MixedBatch:
        """Have utterances spoken by two people each, where they may be."""
        with torch.no_grad():
            return self._mixed(timing)

    def _mixed(self, timing: Timing) -> MixedBatch:
        device, lengths = self.pool.device, torch.from_numpy(timing.n_frames)
        n_frames = int(timing.n_frames.max())
        power = self._spoken(timing, n_frames)
        there = torch.arange(n_frames, device=device) < lengths.to(device)[:, None]
        features = self._room.features(power, there.repeat(2, 1), self._recorded if self._noise_clips() else None)
        # An utterance that cannot be answered counts for nothing.
        n_units = torch.from_numpy(np.where(answerable(timing), timing.n_units, 0))
        answers = -(-lengths // STRIDE)
        units = torch.from_numpy(timing.units).to(device)
        return MixedBatch(features, answers.repeat(2), units.repeat(2, 1), n_units.repeat(2))

    def _spoken(self, timing: Timing, n_frames: int) -> Tensor:
        """Return the power of two views of a batch, (2 B, n_frames, 257)."""
        device, dice, n_rows = self.pool.device, self._dice, len(timing.sources)
        sources, moments, parts = (torch.from_numpy(one).to(device) for one in (timing.sources, timing.moments, timing.parts))
        shapes, details = self.pool.split(sources)  # (B, L, N_SHAPE), (B, L, 257)
        spoken = moments >= 0
        reach = dice.integers(n_rows, low=1, high=4) * (dice.uniform(n_rows) < 0.45)
        shapes = slurred(shapes, spoken.sum(dim=1), reach)
        levels = torch.exp(0.6 * dice.normal(n_rows, int(timing.parts.max()) + 1))
        views = [self._view(timing, shapes, details) for _ in range(2)]
        return torch.cat([_in_time(one, levels, parts, moments, n_frames) for one in views])

    def _view(self, timing: Timing, shapes: Tensor, details: Tensor) -> Tensor:
        dice, (n_rows, length) = self._dice, shapes.shape[:2]
        synthetic = torch.from_numpy(timing.synthetic).to(dice.device)
        width = torch.where(synthetic, self._mixture.synthetic, self._mixture.human)
        width = torch.where(dice.uniform(n_rows) < 0.15, 0.25, width)
        drift = drifts(n_rows, length, dice, spread=dice.uniform(n_rows, high=0.15))
        return spoken_by(People.anybody(width, dice), shapes, details, drift)

    def _noise_clips(self) -> bool:
        return len(self.pool.shelf.by_kind.get(Kind.NOISE, ())) > 0

    def _recorded(self, n_rows: int, n_frames: int) -> Tensor:
        """Return recorded noise from any moment on."""
        shelf = self.pool.shelf
        clip = int(shelf.by_kind[Kind.NOISE][0])
        start, count = int(shelf.starts[clip]), int(shelf.counts[clip])
        at = self._dice.integers(n_rows, 1, high=count) + torch.arange(n_frames, device=self.pool.device)
        return torch.exp(self.pool.logs(start + at % count))


def _in_time(power: Tensor, levels: Tensor, parts: Tensor, moments: Tensor, n_frames: int) -> Tensor:
    """Bring clips to their levels and lay them down where they are spoken; they may overlap.

    Args:
        power: of the frames that are spoken, (B, L, 257).
        levels: of each clip of an utterance, (B, C).
        parts: clip of each frame, (B, L).
        moments: when it is spoken, -1 never, (B, L).
        n_frames: of the longest utterance.
    """
    n_rows = len(power)
    spoken = (moments >= 0).float()
    counts = torch.zeros_like(levels).scatter_add_(1, parts, spoken)
    sums = torch.zeros_like(levels).scatter_add_(1, parts, spoken * power.mean(dim=2))
    gains = (levels / (sums / counts.clamp(min=1.0)).clamp(min=1e-6)).gather(1, parts) * spoken
    # Frames that are not spoken go into a row of their own.
    row = torch.arange(n_rows, device=power.device)[:, None] * n_frames
    where = torch.where(moments >= 0, row + moments, n_rows * n_frames)
    timeline = torch.zeros(n_rows * n_frames + 1, N_BINS, device=power.device)
    timeline.index_add_(0, where.flatten(), (power * gains[:, :, None]).flatten(0, 1))
    return timeline[:-1].view(n_rows, n_frames, N_BINS)
