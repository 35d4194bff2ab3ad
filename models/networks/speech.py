"""The acoustic model: log-mel features to units by CTC, depthwise convolutions with a look at the whole clip.

    features (B, n, 48) ─ level and colour of the clip taken out ─ 2 convolutions over bands and time, 4 frames to 1 ─ blocks ─┐
                                                                                                           log_probs (B, n/4, 62)

Frames of digital silence are looked past everywhere, so that zeros behind a clip change nothing before them, and clips of different
lengths share a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.speech_codec import N_MELS, SILENCE, STRIDE, UNITS

SILENT = SILENCE + 0.01
"""A frame with no band above this is digital silence."""

USUAL_N = 80.0
"""Loud frames of a clip that count as much as what is usual."""


@dataclass(frozen=True, slots=True)
class SpeechShape:
    """The sizes of the network."""

    width: int = 192
    n_blocks: int = 8
    kernel: int = 9
    n_maps: int = 16
    """Maps of the two convolutions over bands and time."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network answers."""

    log_probs: Tensor
    """(B, ceil(n / 4), U)"""
    halfway: Tensor
    """The same from the middle of the network, for training."""


class SpeechNet(nn.Module):
    """The network; see the module."""

    def __init__(self, shape: SpeechShape) -> None:
        super().__init__()
        self.shape = shape
        self.level = Level()
        self.stem = Stem(shape)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_blocks))
        self.norm = nn.LayerNorm(shape.width)
        self.answer = nn.Linear(shape.width, len(UNITS))
        self.back = nn.Linear(len(UNITS), shape.width)

    def forward(self, features: Tensor) -> Answer:
        """Answer for a batch; float32, (B, n, N_MELS)."""
        heard = (features.amax(dim=2, keepdim=True) > SILENT).to(features.dtype)  # (B, n, 1)
        loud = loudness(features, heard)
        x, mask, weight = self.stem(self.level(features, heard, loud), heard, loud)  # (B, T, D), (B, T, 1), (B, T, 1)
        halfway = x
        for index, block in enumerate(self.blocks):
            x = block(x, mask, weight)
            if index == self.shape.n_blocks // 2 - 1:
                # What it takes the clip for so far goes back in, so that the rest can mind what stands beside it.
                halfway = self.judged(x)
                x = x + self.back(halfway.exp().to(x.dtype))
        return Answer(self.judged(x), halfway)

    def judged(self, x: Tensor) -> Tensor:
        """Return log probabilities of the units, in full precision."""
        return F.log_softmax(self.answer(self.norm(x)).float(), dim=2)


def loudness(features: Tensor, heard: Tensor) -> Tensor:
    """Weigh frames by how far they stand out of the clip, 0..1, (B, n, 1): speech counts, pauses hardly do."""
    level = features.mean(dim=2, keepdim=True)
    count = heard.sum(dim=1, keepdim=True) + 1e-3
    middle = (level * heard).sum(dim=1, keepdim=True) / count
    spread = (((level - middle).square() * heard).sum(dim=1, keepdim=True) / count + 0.25).sqrt()
    return heard * torch.sigmoid(2.0 * (level - middle) / spread)


class Level(nn.Module):
    """Takes level and colour out of a clip.

    A short clip is too little to tell the speaker's colour from the vowel that is spoken: there what is usual counts more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.usual = nn.Parameter(torch.zeros(N_MELS))
        """How far each band usually is from the clip's level."""
        self.swing = nn.Parameter(torch.full((N_MELS,), 2.5))
        """How far each band usually moves."""

    def forward(self, features: Tensor, heard: Tensor, loud: Tensor) -> Tensor:
        """Return bands around 0, with a spread of about 1; silence is 0."""
        count = loud.sum(dim=1, keepdim=True) + 1e-3
        level = (features.mean(dim=2, keepdim=True) * loud).sum(dim=1, keepdim=True) / count
        mean = ((features * loud).sum(dim=1, keepdim=True) + USUAL_N * (level + self.usual)) / (count + USUAL_N)
        squares = ((features - mean).square() * loud).sum(dim=1, keepdim=True)
        spread = ((squares + USUAL_N * self.swing.square()) / (count + USUAL_N)).sqrt()
        return ((features - mean) / spread).clamp(-4.0, 4.0) * heard


class Stem(nn.Module):
    """Two convolutions over bands and time, each halving both."""

    def __init__(self, shape: SpeechShape) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, shape.n_maps, 3, stride=2, padding=1)
        self.second = nn.Conv2d(shape.n_maps, shape.n_maps, 3, stride=2, padding=1)
        self.join = nn.Linear(shape.n_maps * (N_MELS // STRIDE), shape.width)

    def forward(self, x: Tensor, heard: Tensor, loud: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return frames of 40 ms, which of them are no silence, and their weights."""
        half = F.max_pool1d(heard.transpose(1, 2), 2, ceil_mode=True)  # (B, 1, n/2)
        mask = F.max_pool1d(half, 2, ceil_mode=True).transpose(1, 2)  # (B, T, 1)
        weight = F.max_pool1d(F.max_pool1d(loud.transpose(1, 2), 2, ceil_mode=True), 2, ceil_mode=True).transpose(1, 2)
        y = F.relu(self.first(x.unsqueeze(1))) * half.unsqueeze(3)  # (B, M, n/2, 24)
        y = F.relu(self.second(y))  # (B, M, T, 12)
        return self.join(y.transpose(1, 2).flatten(2)) * mask, mask, weight


class Block(nn.Module):
    """Gate, depthwise convolution over time, and a look at the whole clip; added to what came in."""

    def __init__(self, shape: SpeechShape) -> None:
        super().__init__()
        width = shape.width
        self.before = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.near = nn.Conv1d(width, width, shape.kernel, padding=shape.kernel // 2, groups=width)
        self.after = nn.LayerNorm(width)
        self.squeeze = nn.Linear(width, width // 8)
        self.excite = nn.Linear(width // 8, width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(shape.dropout)
        self.skipped = 0.0
        """Share of a batch's clips that pass by, in training: the others count the more."""
        self.by_shifts = False
        """Whether the convolution is written as sums, which GPUs train faster; the same but for rounding."""

    def forward(self, x: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        """Keep the shape (B, T, D)."""
        y = F.glu(self.widen(self.before(x)), dim=2) * mask
        near = shifted(y, self.near) if self.by_shifts else self.near(y.transpose(1, 2)).transpose(1, 2)
        y = F.silu(self.after(near))
        clip = (y * weight).sum(dim=1) / (weight.sum(dim=1) + 1e-3)  # (B, D)
        y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(clip)))).unsqueeze(1)
        y = self.dropout(self.out(y))
        if self.training and self.skipped:
            y = y * ((torch.rand(len(y), 1, 1, device=y.device) >= self.skipped) / (1.0 - self.skipped)).to(y.dtype)
        return x + y


def shifted(x: Tensor, near: nn.Conv1d) -> Tensor:
    """Apply a depthwise convolution to (B, T, D) as a sum of shifted products."""
    size = near.kernel_size[0]
    padded = F.pad(x, (0, 0, size // 2, size // 2))
    weight = near.weight.to(x.dtype)  # (D, 1, size)
    y = near.bias.to(x.dtype)
    for place in range(size):
        y = y + padded[:, place : place + x.shape[1]] * weight[:, 0, place]
    return y
