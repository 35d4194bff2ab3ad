"""The logo networks: one finds overlays on a look, one tells what a place shows as 128 numbers to be compared.

Finder: packed planes to a mark's likelihood and its sides at every 16th pixel. Teller: a crop of one place to an embedding, how the
box should move, and whether it is a mark at all. Neither knows any logo: what is enrolled is compared with what the teller says, so
adding one changes no weight and costs nothing per look. The graphs only; training is `logo_train.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.logo_boxes import CELL_PX
from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP, N_PACKED

LARGEST_LOG = 3.6
"""Natural logarithm of the farthest side, in cells."""

_LUMA, _COLOUR, _STILL = (1 / 64, -2.0), (1 / 32, -4.0), (1 / 32, 0.0)
"""Factor and shift that bring planes to about -2..2."""


@dataclass(frozen=True, slots=True)
class LogoShape:
    """Channels of the two networks; kept with their weights."""

    finder: tuple[int, ...] = (16, 32, 48, 96, 128)
    """After each halving."""
    teller: tuple[int, ...] = (32, 48, 96, 128)
    n_numbers: int = 128
    """Of an embedding."""


class Step(nn.Module):
    """Convolution over 3 by 3 pixels, normalised; rectified where it ends a block."""

    def __init__(self, n_in: int, n_out: int, *, stride: int = 1, rectified: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_out, momentum=0.03)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, (B, C, H, W) to (B, C', H / stride, W / stride)."""
        y: Tensor = self.norm(self.conv(x))
        return F.relu(y) if self.rectified else y


class Block(nn.Module):
    """Two steps added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Step(width, width)
        self.second = Step(width, width, rectified=False)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Refine, shape unchanged."""
        return F.relu(x + self.second(self.first(x)))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the finder answers, on its grid."""

    mark: Tensor
    """Logits, (B, 1, H / 16, W / 16)."""
    sides: Tensor
    """Distances from the cell's centre to left, top, right, bottom in cells, (B, 4, H / 16, W / 16)."""


class Finder(nn.Module):
    """Planes of a look to overlays."""

    def __init__(self, shape: LogoShape) -> None:
        super().__init__()
        a, b, c, d, e = shape.finder
        _keep_scales(self, [_LUMA] * 4 + [_COLOUR] * 2 + [_STILL] * 2)
        self.entry = Step(N_PACKED, a, stride=2)
        self.quarter = nn.Sequential(Step(a, b, stride=2), Step(b, b))
        self.eighth = nn.Sequential(Step(b, c, stride=2), Block(c))
        self.sixteenth = nn.Sequential(Step(c, d, stride=2), Block(d))
        self.last = nn.Sequential(Step(d, e, stride=2), Step(e, e))
        self.from_last = nn.Conv2d(e, c, 1)
        self.from_sixteenth = nn.Conv2d(d, c, 1)
        self.join_sixteenth = Step(c, c)
        self.join_eighth = Step(c, c)
        self.answer = nn.Conv2d(c, 5, 1)
        nn.init.constant_(self.answer.bias.detach()[:1], -4.6)

    def forward(self, planes: Tensor) -> Found:
        """Look.

        Args:
            planes: uint8 or float of 0..255, (B, 8, H / 2, W / 2).
        """
        x = planes.float() * self.factors + self.shifts
        eighth = self.eighth(self.quarter(self.entry(x)))  # (B, 48, H / 16, W / 16)
        sixteenth = self.sixteenth(eighth)
        low = self.from_last(self.last(sixteenth))
        middle = self.join_sixteenth(self.from_sixteenth(sixteenth) + _doubled(low, sixteenth))
        answers = self.answer(self.join_eighth(eighth + _doubled(middle, eighth))).float()
        return Found(answers[:, :1], torch.exp(answers[:, 1:].clamp(-LARGEST_LOG, LARGEST_LOG)))


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What the teller answers for each crop."""

    numbers: Tensor
    """Embeddings of length 1, (B, 128)."""
    mark: Tensor
    """Logits of being one whole mark, (B,)."""
    moves: Tensor
    """How the box should move: right and down by its width and height, then natural logarithms of its growth, (B, 4)."""

    def split(self, n: int) -> tuple[Told, Told]:
        """Cut into the first n and the rest."""
        return Told(self.numbers[:n], self.mark[:n], self.moves[:n]), Told(self.numbers[n:], self.mark[n:], self.moves[n:])


class Teller(nn.Module):
    """Crops of places to embeddings."""

    def __init__(self, shape: LogoShape) -> None:
        super().__init__()
        a, b, c, d = shape.teller
        _keep_scales(self, [_LUMA, _COLOUR, _COLOUR, _STILL, _STILL, (1 / 32, -4.0)])
        assert len(self.factors.flatten()) == N_CROP
        fine = (Step(N_CROP, a, stride=2), Step(a, b, stride=2), Block(b))
        self.body = nn.Sequential(*fine, Step(b, c, stride=2), Block(c), Block(c), Step(c, d, stride=2))
        n_cells = -(-CROP_HEIGHT_PX // CELL_PX) * -(-CROP_WIDTH_PX // CELL_PX)
        self.tell = nn.Linear(d * n_cells, shape.n_numbers)
        self.judge = nn.Linear(d * n_cells, 5)
        nn.init.zeros_(self.judge.weight)

    def forward(self, crops: Tensor) -> Told:
        """Tell.

        Args:
            crops: float of 0..255, (B, 6, 40, 96).
        """
        x = torch.flatten(self.body(crops * self.factors + self.shifts), start_dim=1)  # (B, 128 * 3 * 6)
        judged = self.judge(x).float()
        return Told(F.normalize(self.tell(x).float(), dim=1), judged[:, 0], judged[:, 1:])


class LogoNets(nn.Module):
    """Both networks, trained side by side and kept in one file; they share nothing."""

    def __init__(self, shape: LogoShape) -> None:
        super().__init__()
        self.shape = shape
        self.finder = Finder(shape)
        self.teller = Teller(shape)


def _keep_scales(net: nn.Module, scales: list[tuple[float, float]]) -> None:
    net.register_buffer("factors", torch.tensor([row[0] for row in scales]).view(1, -1, 1, 1))
    net.register_buffer("shifts", torch.tensor([row[1] for row in scales]).view(1, -1, 1, 1))


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """Double the sides, cut to those of the finer picture."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")[:, :, : like.shape[2], : like.shape[3]]
