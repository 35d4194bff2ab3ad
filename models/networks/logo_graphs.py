"""The logo networks as ONNX graphs, written operator by operator with the norms folded into the convolutions.

One input and one output each. Finder: uint8 (n, 8, H / 2, W / 2) to (n, 5, H / 16, W / 16), likelihood and four sides in cells.
Teller: float32 (n, 6, 40, 96) to (n, 133), the embedding's 128 numbers, likelihood, four moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP, N_PACKED
from models.networks.logo import LARGEST_LOG, Block, Finder, Step, Teller
from models.networks.onnx_graph import Graph

FINDER_INPUT, FINDER_OUTPUT = "planes", "places"
TELLER_INPUT, TELLER_OUTPUT = "crops", "told"


def finder_graph(net: Finder) -> bytes:
    """Write the finder in evaluation mode."""
    graph = _Graph()
    x = graph.scaled(graph.op("Cast", FINDER_INPUT, to=TensorProto.FLOAT), net)
    eighth = graph.layers(net.eighth, graph.layers(net.quarter, graph.step(net.entry, x)))
    sixteenth = graph.layers(net.sixteenth, eighth)
    low = graph.plain(net.from_last, graph.layers(net.last, sixteenth))
    middle = graph.op("Add", graph.plain(net.from_sixteenth, sixteenth), graph.doubled(low, sixteenth))
    joined = graph.op("Add", eighth, graph.doubled(graph.step(net.join_sixteenth, middle), eighth))
    answers = graph.plain(net.answer, graph.step(net.join_eighth, joined))
    mark, sides = graph.split(answers, [1, 4], axis=1)
    bounded = graph.op("Clip", sides, graph.number(-LARGEST_LOG), graph.number(LARGEST_LOG))
    graph.op("Concat", graph.op("Sigmoid", mark), graph.op("Exp", bounded), output=FINDER_OUTPUT, axis=1)
    given = helper.make_tensor_value_info(FINDER_INPUT, TensorProto.UINT8, ["n", N_PACKED, "rows", "columns"])
    return graph.written(
        "livewarden logo finder", given, helper.make_tensor_value_info(FINDER_OUTPUT, TensorProto.FLOAT, ["n", 5, "h", "w"])
    )


def teller_graph(net: Teller) -> bytes:
    """Write the teller in evaluation mode."""
    graph = _Graph()
    x = graph.op("Flatten", graph.layers(net.body, graph.scaled(TELLER_INPUT, net)), axis=1)
    numbers = graph.op("LpNormalization", graph.flat_dense(net.tell, x), axis=1, p=2)
    mark, moves = graph.split(graph.flat_dense(net.judge, x), [1, 4], axis=1)
    graph.op("Concat", numbers, graph.op("Sigmoid", mark), moves, output=TELLER_OUTPUT, axis=1)
    given = helper.make_tensor_value_info(TELLER_INPUT, TensorProto.FLOAT, ["n", N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX])
    told = helper.make_tensor_value_info(TELLER_OUTPUT, TensorProto.FLOAT, ["n", net.tell.out_features + 5])
    return graph.written("livewarden logo teller", given, told)


class _Graph(Graph):
    """What both networks are made of."""

    def scaled(self, x: str, net: nn.Module) -> str:
        return self.op("Add", self.op("Mul", x, self.parameter(net.factors)), self.parameter(net.shifts))

    def layers(self, layers: nn.Sequential, x: str) -> str:
        for layer in layers:
            x = self.block(layer, x) if isinstance(layer, Block) else self.step(layer, x)
        return x

    def block(self, block: Block, x: str) -> str:
        return self.op("Relu", self.op("Add", x, self.step(block.second, self.step(block.first, x))))

    def step(self, step: Any, x: str) -> str:
        assert isinstance(step, Step)
        norm = step.norm
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weights = self.parameter(step.conv.weight * gain.view(-1, 1, 1, 1))
        shift = self.parameter(norm.bias - norm.running_mean * gain)
        stride = list(step.conv.stride)
        y = self.op("Conv", x, weights, shift, kernel_shape=[3, 3], strides=stride, pads=[1, 1, 1, 1])
        return self.op("Relu", y) if step.rectified else y

    def plain(self, conv: nn.Conv2d, x: str) -> str:
        assert conv.bias is not None
        return self.op("Conv", x, self.parameter(conv.weight), self.parameter(conv.bias), kernel_shape=[1, 1])

    def flat_dense(self, layer: nn.Linear, x: str) -> str:
        return self.op("Gemm", x, self.parameter(layer.weight), self.parameter(layer.bias), transB=1)

    def doubled(self, x: str, like: str) -> str:
        """Double the sides, cut to those of another."""
        twice = self.op(
            "Resize", x, "", self.tensor(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        sides = self.op("Slice", self.op("Shape", like), self.integers([2]), self.integers([4]))
        return self.op("Slice", twice, self.integers([0, 0]), sides, self.integers([2, 3]))
