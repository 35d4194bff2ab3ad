"""The picture network: from a frame to 384 numbers that lie near one another where the frames show the same game or scene.

    160 x 160 -> inverted bottlenecks (as MobileNetV2's, up to 160 channels) -> means of four depths, and of drawn colours -> 384

Its bottlenecks are those of a public backbone (Apache-2.0); the last fifth of it, which knows things and not looks, is left away,
and means of earlier depths, which know textures, come in instead. How much each direction of them counts is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import DataError

SIDE_PX = 160
"""Width and height of the input."""


@dataclass(frozen=True, slots=True)
class FrameShape:
    """Sizes of the network."""

    stem: int = 32
    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
    )
    """Of each stage: how much wider a block is inside, channels, blocks, stride of the first."""
    tapped: tuple[int, ...] = (2, 3, 4, 5)
    """Stages whose means are looked at."""
    n_colours: int = 32
    """Colours, drawn at random, whose share of the picture is looked at."""

    @property
    def n_seen(self) -> int:
        """Numbers that the means give, and as many the network."""
        return sum(self.stages[stage][1] for stage in self.tapped) + self.n_colours


@dataclass(frozen=True, slots=True)
class ConvSpec:
    """One convolution of a block."""

    n_in: int
    n_out: int
    side: int = 1
    stride: int = 1
    depthwise: bool = False
    clipped: bool = True
    """Whether its answer is cut to 0..6."""


class Conv(nn.Module):
    """A convolution with a bias; a stride of 2 pads right and below, as the backbone does."""

    def __init__(self, spec: ConvSpec) -> None:
        super().__init__()
        self.spec = spec
        groups = spec.n_in if spec.depthwise else 1
        self.conv = nn.Conv2d(spec.n_in, spec.n_out, spec.side, spec.stride, groups=groups)

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom."""
        if self.spec.side == 1:
            return 0, 0, 0, 0
        return (0, 1, 0, 1) if self.spec.stride == 2 else (1, 1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, C, H, W)."""
        x = self.conv(F.pad(x, self.pads))
        return torch.clamp(x, 0.0, 6.0) if self.spec.clipped else x


class Block(nn.Module):
    """Widen, look around, narrow; what came in is added where shape allows."""

    def __init__(self, n_in: int, n_out: int, *, widening: int, stride: int) -> None:
        super().__init__()
        wide = n_in * widening
        convs = [] if widening == 1 else [Conv(ConvSpec(n_in, wide))]
        convs.append(Conv(ConvSpec(wide, wide, 3, stride, depthwise=True)))
        convs.append(Conv(ConvSpec(wide, n_out, clipped=False)))
        self.convs = nn.ModuleList(convs)
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """Take (n, C, H, W)."""
        y = x
        for conv in self.convs:
            y = conv(y)
        return x + y if self.adds else y


class FrameNet(nn.Module):
    """The network; see the module."""

    def __init__(self, shape: FrameShape | None = None) -> None:
        super().__init__()
        self.shape = shape or FrameShape()
        self.stem = Conv(ConvSpec(3, self.shape.stem, 3, 2))
        stages, n_in = [], self.shape.stem
        for widening, n_out, n_blocks, stride in self.shape.stages:
            blocks = []
            for number in range(n_blocks):
                blocks.append(Block(n_in, n_out, widening=widening, stride=stride if number == 0 else 1))
                n_in = n_out
            stages.append(nn.ModuleList(blocks))
        self.stages = nn.ModuleList(stages)
        self.colours = nn.Conv2d(3, self.shape.n_colours, 1)
        self.register_buffer("middle", torch.zeros(self.shape.n_seen))
        self.register_buffer("spread", torch.ones(self.shape.n_seen))
        self.join = nn.Linear(self.shape.n_seen, self.shape.n_seen, bias=False)
        nn.init.eye_(self.join.weight)
        nn.init.normal_(self.colours.weight, std=1.5)
        nn.init.uniform_(self.colours.bias, -1.0, 1.0)

    def seen(self, x: Tensor) -> Tensor:
        """Return the means, as they come; (n, 3, S, S) of -1..1 to (n, n_seen)."""
        few = F.avg_pool2d(x, 4)  # (n, 3, S/4, S/4)
        means = [torch.clamp(self.colours(few), 0.0, 1.0).mean((2, 3)) * 4.0]
        x = self.stem(x)
        for number, stage in enumerate(self.stages):
            for block in stage:
                x = block(x)
            if number in self.shape.tapped:
                means.append(x.mean((2, 3)))
        return torch.cat(means, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Embed pictures, (n, 3, S, S) of -1..1 to (n, n_seen); not of unit length."""
        joined: Tensor = self.join(self.settled(x))
        return joined

    def settled(self, x: Tensor) -> Tensor:
        """Return the means, each about 0 and as wide as the others on ordinary pictures."""
        settled: Tensor = (self.seen(x) - self.middle) / self.spread
        return settled

    def settle(self, x: Tensor) -> None:
        """Measure middle and spread of the means on ordinary pictures, so that no depth outweighs another."""
        with torch.no_grad():
            seen = torch.cat([self.seen(part) for part in x.split(16)])
            self.middle.copy_(seen.mean(0))
            self.spread.copy_(seen.std(0) + 0.1 * seen.std(0).mean())

    def take_backbone(self, path: Path) -> None:
        """Begin as a MobileNetV2 in ONNX, whose convolutions come in the order of ours.

        Raises:
            DataError: it cannot be read, or its shapes are not ours.
        """
        own = [module.conv for module in self.modules() if isinstance(module, Conv)]
        for mine, (weight, bias) in zip(own, _convolutions(path, len(own)), strict=True):
            if tuple(mine.weight.shape) != weight.shape:
                raise DataError(
                    f"{path} has a convolution {weight.shape} where {tuple(mine.weight.shape)} is wanted; give a MobileNetV2"
                )
            with torch.no_grad():
                mine.weight.copy_(torch.from_numpy(weight))
                mine.bias.copy_(torch.from_numpy(bias))


def _convolutions(path: Path, n_wanted: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return weight and bias of the first convolutions of a graph."""
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, ValueError) as exc:
        raise DataError(f"cannot read backbone {path}: {exc}") from exc
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = [
        (arrays[node.input[1]].astype(np.float32), arrays[node.input[2]].astype(np.float32))
        for node in graph.node
        if node.op_type == "Conv"
    ]
    if len(found) < n_wanted:
        raise DataError(f"{path} has {len(found)} convolutions, at least {n_wanted} are wanted; give a MobileNetV2")
    return found[:n_wanted]
