"""The text network: a linear part over known runs of characters, a deep part, and how much the one is trusted beside the other.

Deep: characters and hashed pairs of them, gated convolutions, attention and maximum over the text. The graph only; numbers come
from `text_codec.py`, the linear part from `linear.py`, training is `train.py`. What a text answers does not depend on its filling
nor on what it is batched with: filling is zero wherever neighbours are looked at, and left out where they are summed up.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data import HEADS
from models.networks.text_linear import BUCKET_FACTORS, N_PRINTS, PRINT_FACTORS, Linear
from models.text_codec import PAD

FAR_BELOW = -1e4
"""Added to filling, so that it is never the highest nor attended to."""
TABLES = ("characters", "pairs", "grams")
"""Parts that are looked up: nearly all of the weights."""


@dataclass(frozen=True, slots=True)
class TextShape:
    """The sizes that make one network; kept with its weights."""

    n_ids: int
    """Characters the alphabet numbers, filling and strangers included."""
    width: int = 96
    """Channels of every layer."""
    n_blocks: int = 2
    n_pairs: int = 16_384
    """Buckets of neighbouring pairs."""
    n_grams: int = 262_144
    """Buckets of the linear part."""
    n_looks: int = 4
    """Places in the text that are attended to at once."""
    dropout: float = 0.25


class GatedBlock(nn.Module):
    """A convolution over three neighbours with a gate, added to what came in."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(3 * width, 2 * width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Mix neighbours.

        Args:
            x: (B, L, D).
            mask: 1 for characters and 0 for filling, (B, L, 1).
        """
        near = self.norm(x) * mask
        # One product over all positions of the batch: three times as fast on a CPU as a convolution of so few channels.
        edge = torch.zeros_like(near[:, :1])
        before = torch.cat((edge, near[:, :-1]), dim=1)
        after = torch.cat((near[:, 1:], edge), dim=1)
        value, gate = self.mix(torch.cat((before, near, after), dim=2)).chunk(2, dim=2)  # (B, L, D) each
        return x + self.drop(value * torch.sigmoid(gate))


class TextNet(nn.Module):
    """Numbers of characters to one logit per answer."""

    def __init__(self, shape: TextShape) -> None:
        super().__init__()
        self.shape = shape
        self.characters = nn.Embedding(shape.n_ids, shape.width, padding_idx=PAD)
        self.pairs = nn.Embedding(shape.n_pairs, shape.width)
        self.grams = nn.Embedding(shape.n_grams, len(HEADS) + 1)
        self.grams.weight.requires_grad_(False)
        self.register_buffer("prints", torch.full((shape.n_grams,), -1, dtype=torch.int8))
        self.register_buffer("bias", torch.zeros(len(HEADS)))
        self.register_buffer("trust", torch.zeros(len(HEADS)))
        self.blocks = nn.ModuleList(GatedBlock(shape.width, shape.dropout) for _ in range(shape.n_blocks))
        self.look = nn.Linear(shape.width, shape.n_looks)
        self.norm = nn.LayerNorm(shape.width)
        self.join = nn.Linear((shape.n_looks + 1) * shape.width, 2 * shape.width)
        self.answer = nn.Linear(2 * shape.width, len(HEADS))
        self.drop = nn.Dropout(shape.dropout)
        self._start()

    def _start(self) -> None:
        nn.init.normal_(self.characters.weight, std=0.3)
        nn.init.zeros_(self.characters.weight[PAD].detach())
        nn.init.normal_(self.pairs.weight, std=0.05)
        nn.init.zeros_(self.grams.weight.detach())

    def take(self, linear: Linear) -> None:
        """Take a fitted linear part in; it is never trained further. Until it is trusted it counts for nothing."""
        with torch.no_grad():
            self.grams.weight[:, :-1] = torch.from_numpy(linear.weights)
            self.grams.weight[:, -1] = torch.from_numpy(linear.rarity)
            self.prints.copy_(torch.from_numpy(linear.prints))
            self.bias.copy_(torch.from_numpy(linear.bias))

    def forward(self, ids: Tensor) -> Tensor:
        """Answer a batch.

        Args:
            ids: int32, (B, L), filling last.

        Returns:
            logits, (B, 2), in the order of `HEADS`.
        """
        return self.deep(ids) + self.trust * self.linear(ids)

    def deep(self, ids: Tensor) -> Tensor:
        """Answer by the deep part alone, logits, (B, 2)."""
        mask = _mask(ids)
        pair = _hashed(ids, BUCKET_FACTORS[1])
        x = self.drop((self.characters(ids) + self.drop(self.pairs(pair % self.shape.n_pairs))) * mask)  # (B, L, D)
        for block in self.blocks:
            x = block(x, mask)
        answered: Tensor = self.answer(self.drop(F.relu(self.join(self._pooled(self.norm(x), mask)))))
        return answered

    def linear(self, ids: Tensor) -> Tensor:
        """Answer by the linear part alone, logits, (B, 2)."""
        buckets = torch.cat([_hashed(ids, row) for row in BUCKET_FACTORS], dim=1) % self.shape.n_grams  # (B, 4 L)
        prints = torch.cat([_hashed(ids, row) for row in PRINT_FACTORS], dim=1) % N_PRINTS
        known = (self.prints[buckets] == prints).to(torch.float32).unsqueeze(2)
        found = self.grams(buckets) * known * torch.cat([_mask(ids)] * len(BUCKET_FACTORS), dim=1)  # (B, 4 L, 3)
        rarity = torch.sqrt(found[:, :, -1].square().sum(dim=1, keepdim=True).clamp(min=1e-6))  # (B, 1)
        return found[:, :, :-1].sum(dim=1) / rarity + self.bias

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        away = (1.0 - mask) * FAR_BELOW  # (B, L, 1)
        looks = torch.softmax(self.look(x) + away, dim=1).transpose(1, 2)  # (B, K, L)
        attended = torch.flatten(torch.matmul(looks, x), start_dim=1)  # (B, K * D)
        highest = (x + away).amax(dim=1)  # (B, D)
        return torch.cat((attended, highest), dim=1)


def _mask(ids: Tensor) -> Tensor:
    """Return 1.0 for characters and 0.0 for filling, (B, L, 1)."""
    return (ids != PAD).unsqueeze(2).to(torch.float32)


def _hashed(ids: Tensor, factors: Sequence[int]) -> Tensor:
    """Hash the run that ends at each character; what stands before a text counts as filling."""
    total = ids * factors[-1]
    for by, factor in enumerate(reversed(factors[:-1]), start=1):
        total = total + torch.cat((torch.zeros_like(ids[:, :by]), ids[:, :-by]), dim=1) * factor
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A table in 8 bits: what was `weights[i, j]` is `values[i, j] * steps[j]`."""

    values: Tensor
    """int8, (n, D)."""
    steps: Tensor
    """float32, (D,)."""


def rounded(weights: Tensor) -> Rounded:
    """Round a table to 8 bits, each column by its own largest value."""
    steps = weights.detach().abs().amax(dim=0).clamp(min=1e-8) / 127.0
    return Rounded(torch.round(weights.detach() / steps).to(torch.int8), steps)


def with_rounded_tables(net: TextNet) -> TextNet:
    """Return a copy whose tables hold what 8 bits keep of them: the network as it is shipped."""
    copied = copy.deepcopy(net)
    with torch.no_grad():
        for name in TABLES:
            table = getattr(copied, name)
            small = rounded(table.weight)
            table.weight.copy_(small.values.to(table.weight.dtype) * small.steps)
    return copied
