"""The text network: characters and hashed pairs of them, gated convolutions, attention and maximum over the text, two answers.

The graph only; numbers come from `text_codec.py`, training is `train.py`. What a text answers does not depend on how far it was
padded nor on what it is batched with: filling is zero wherever neighbours are looked at, and left out where they are summed up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data import HEADS
from models.text_codec import PAD

PAIR, FAR_PAIR = 40503, 10007
"""Multipliers of the hashes; their products with any character's number stay within 31 bits."""
FAR_BELOW = -1e4
"""Added to filling, so that it is never the highest nor attended to."""
TABLES = ("characters", "pairs", "grams")
"""Parts that are looked up: nearly all of the weights."""


@dataclass(frozen=True, slots=True)
class TextShape:
    """The sizes that make one network; kept with its weights."""

    n_ids: int
    """Characters the alphabet numbers, filling and strangers included."""
    width: int = 64
    """Channels of every layer."""
    n_blocks: int = 2
    n_pairs: int = 32_768
    """Buckets of neighbouring pairs."""
    n_grams: int = 131_072
    """Buckets of the linear part: pairs and triples, one weight per answer."""
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
        self.grams = nn.Embedding(shape.n_grams, len(HEADS))
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
        nn.init.zeros_(self.grams.weight)

    def forward(self, ids: Tensor) -> Tensor:
        """Answer a batch.

        Args:
            ids: int32, (B, L), filling last.

        Returns:
            logits, (B, 2), in the order of `HEADS`.
        """
        mask = (ids != PAD).unsqueeze(2).to(self.look.weight.dtype)  # (B, L, 1)
        before, far = _shifted(ids, 1), _shifted(ids, 2)
        pair = before * PAIR + ids
        triple = far * FAR_PAIR + pair
        x = self.drop((self.characters(ids) + self.drop(self.pairs(pair % self.shape.n_pairs))) * mask)  # (B, L, D)
        for block in self.blocks:
            x = block(x, mask)
        deep = self.answer(self.drop(F.relu(self.join(self._pooled(self.norm(x), mask)))))
        return deep + self._linear(pair, triple, mask)

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        away = (1.0 - mask) * FAR_BELOW  # (B, L, 1)
        looks = torch.softmax(self.look(x) + away, dim=1).transpose(1, 2)  # (B, K, L)
        attended = torch.flatten(torch.matmul(looks, x), start_dim=1)  # (B, K * D)
        highest = (x + away).amax(dim=1)  # (B, D)
        return torch.cat((attended, highest), dim=1)

    def _linear(self, pair: Tensor, triple: Tensor, mask: Tensor) -> Tensor:
        n_grams = self.shape.n_grams
        weights = self.grams(pair % n_grams) + self.grams(triple % n_grams)  # (B, L, 2)
        n_seen = mask.sum(dim=1).clamp(min=1.0)  # (B, 1)
        return (weights * mask).sum(dim=1) / torch.sqrt(n_seen)


def _shifted(ids: Tensor, by: int) -> Tensor:
    """Move a text to the right; filling comes in from the left."""
    return torch.cat((torch.zeros_like(ids[:, :by]), ids[:, :-by]), dim=1)


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
