"""The acoustic model as an ONNX file with its manifest: written operator by operator, weights in 16 bits, checked against torch.

What the graph answers is compared by the runtime that serves, at several lengths, in batches, alone and with silence behind, before
anything is kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.digests import sha256_of
from models.errors import DataError
from models.networks.onnx_graph import Graph
from models.networks.speech import SILENT, USUAL_N, Block, Level, SpeechNet
from models.networks.speech_card import manifest_of, spotting_numbers
from models.networks.speech_train import load_best_speech
from models.seam import TextServing
from models.speech_codec import N_MELS, STRIDE, UNITS, n_posteriors
from models.speech_evaluate import read_speech_evaluation
from models.store import MANIFEST_FILE

GRAPH_FILE = "units.onnx"
INPUT, OUTPUT = "features", "log_probs"

TOLERANCE = 2e-3
"""Largest difference of a log probability above -10 between the graph and torch with weights of 16 bits."""


@dataclass(frozen=True, slots=True)
class SpeechExported:
    """What was written."""

    ref: str
    size_bytes: int
    parity: str
    """How far the graph's answers are from torch's."""
    metrics: dict[str, float] = field(default_factory=dict, hash=False)


def export_speech(run: Path, to: Path, *, version: str, serving: TextServing) -> SpeechExported:
    """Write graph and manifest of a run's best network.

    Args:
        run: folder of the run, evaluated.
        to: folder for `units.onnx` and `manifest.yaml`; a manifest there hands its numbers of spotting on.
        version: for the manifest.
        serving: runs the graph for the comparison.

    Raises:
        DataError: the run has no network or no evaluation, or the graph answers otherwise than torch does.
    """
    trained, evaluation = load_best_speech(run), read_speech_evaluation(run)
    graph = speech_graph(trained.net)
    parity = compare_speech(graph, trained.net, serving)
    to.mkdir(parents=True, exist_ok=True)
    numbers = spotting_numbers(to / MANIFEST_FILE)
    (to / GRAPH_FILE).write_bytes(graph)
    manifest = manifest_of(evaluation, numbers, version=version, file=GRAPH_FILE, sha256=sha256_of(to / GRAPH_FILE))
    manifest.dump(to / MANIFEST_FILE)
    return SpeechExported(manifest.ref, len(graph), parity, dict(manifest.metrics))


def compare_speech(graph: bytes, net: SpeechNet, serving: TextServing) -> str:
    """Compare the graph, run as it is served, with torch: batches of clips of every ending, and each clip alone.

    Returns:
        a line that says how far they are apart.

    Raises:
        DataError: an answer differs by more than the tolerance.
    """
    rng = np.random.default_rng(1)
    net = with_rounded_matrices(net)
    apart = alone = 0.0
    for longest in (1, 4, 37, 200, 501):
        features = made_up(rng, longest)
        with torch.no_grad():
            wanted = net(torch.from_numpy(features)).log_probs.numpy()
        got = serving.run(graph, features)
        if got.shape != (len(features), n_posteriors(longest), len(UNITS)):
            raise DataError(f"the graph answers {got.shape} for {features.shape}; nothing was written")
        likely = wanted > -10.0
        apart = max(apart, float(np.abs(got - wanted)[likely].max()))
        short = n_posteriors(longest // 2 + 1)
        single = serving.run(graph, features[:1, : longest // 2 + 1])[0]
        alone = max(alone, float(np.abs(single - got[0, :short])[single > -10.0].max()))
    if not max(apart, alone) <= TOLERANCE:
        raise DataError(
            f"the graph answers up to {apart:.2e} otherwise than torch, {alone:.2e} otherwise alone; nothing was written"
        )
    return f"largest difference from torch {apart:.1e}, alone from in a batch {alone:.1e}"


def with_rounded_matrices(net: SpeechNet) -> SpeechNet:
    """Return a copy of a network with its matrices as the graph keeps them."""
    small: SpeechNet = copy.deepcopy(net)
    small.eval()
    with torch.no_grad():
        for layer in small.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.copy_(layer.weight.half().float())
    return small


def made_up(rng: np.random.Generator, longest: int) -> NDArray[np.float32]:
    """Return 5 clips of random sound; the first ends halfway, silence behind."""
    slow = np.repeat(rng.normal(18.0, 4.0, (5, longest // 8 + 1, N_MELS)), 8, axis=1)[:, :longest]
    features = np.maximum(0.0, slow + rng.normal(0.0, 1.0, slow.shape)).astype(np.float32)
    features[0, longest // 2 + 1 :] = 0.0
    return features


def speech_graph(net: SpeechNet) -> bytes:
    """Write a network as an ONNX file; the names of its units are in the metadata `units`."""
    graph = _Graph()
    graph.network(net)
    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", "n", N_MELS])
    answered = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", "frames", len(UNITS)])
    return graph.written("livewarden speech units", given, answered, properties={"units": "\n".join(UNITS)})


class _Graph(Graph):
    """Put down in the order of `SpeechNet.forward`; matrices in 16 bits."""

    def network(self, net: SpeechNet) -> None:
        highest = self.op("ReduceMax", INPUT, axes=[2], keepdims=1)
        heard = self.op("Cast", self.op("Greater", highest, self.number(SILENT)), to=TensorProto.FLOAT)  # (B, n, 1)
        loud = self.loudness(heard)
        x, mask, weight = self.stem(net, self.levelled(net.level, heard, loud), heard, loud)
        for index, block in enumerate(net.blocks):
            x = self.block(block, x, mask, weight)
            if index == net.shape.n_blocks // 2 - 1:
                chances = self.op("Softmax", self.judged(net, x), axis=2)
                x = self.op("Add", x, self.dense(net.back, chances))
        self.op("LogSoftmax", self.judged(net, x), axis=2, output=OUTPUT)

    def loudness(self, heard: str) -> str:
        level = self.op("ReduceMean", INPUT, axes=[2], keepdims=1)
        count = self.op("Add", self.total(heard), self.number(1e-3))
        off = self.op("Sub", level, self.op("Div", self.total(self.op("Mul", level, heard)), count))
        squares = self.total(self.op("Mul", self.op("Mul", off, off), heard))
        spread = self.op("Sqrt", self.op("Add", self.op("Div", squares, count), self.number(0.25)))
        share = self.op("Sigmoid", self.op("Div", self.op("Mul", self.number(2.0), off), spread))
        return self.op("Mul", heard, share)

    def levelled(self, layer: Level, heard: str, loud: str) -> str:
        count = self.op("Add", self.total(loud), self.number(1e-3))
        by_frame = self.op("Mul", self.op("ReduceMean", INPUT, axes=[2], keepdims=1), loud)
        usual = self.op("Add", self.op("Div", self.total(by_frame), count), self.parameter(layer.usual))
        usual_n = self.number(USUAL_N)
        whole = self.op("Add", count, usual_n)
        mean = self.op("Div", self.op("Add", self.total(self.op("Mul", INPUT, loud)), self.op("Mul", usual, usual_n)), whole)
        off = self.op("Sub", INPUT, mean)
        squares = self.total(self.op("Mul", self.op("Mul", off, off), loud))
        known = self.parameter(USUAL_N * layer.swing.square())
        x = self.op("Div", off, self.op("Sqrt", self.op("Div", self.op("Add", squares, known), whole)))
        return self.op("Mul", self.op("Clip", x, self.number(-4.0), self.number(4.0)), heard)

    def total(self, x: str) -> str:
        return self.op("ReduceSum", x, self.integers([1]), keepdims=1)

    def stem(self, net: SpeechNet, x: str, heard: str, loud: str) -> tuple[str, str, str]:
        half = self.pooled(self.op("Transpose", heard, perm=[0, 2, 1]))  # (B, 1, n/2)
        mask = self.op("Transpose", self.pooled(half), perm=[0, 2, 1])
        weight = self.op("Transpose", self.pooled(self.pooled(self.op("Transpose", loud, perm=[0, 2, 1]))), perm=[0, 2, 1])
        convolved = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        y = self.op("Relu", self.convolution(net.stem.first, self.op("Unsqueeze", x, self.integers([1])), **convolved))
        y = self.op("Mul", y, self.op("Unsqueeze", half, self.integers([3])))
        y = self.op("Relu", self.convolution(net.stem.second, y, **convolved))
        flat = self.op(
            "Reshape", self.op("Transpose", y, perm=[0, 2, 1, 3]), self.integers([0, 0, net.shape.n_maps * (N_MELS // STRIDE)])
        )
        return self.op("Mul", self.dense(net.stem.join, flat), mask), mask, weight

    def pooled(self, x: str) -> str:
        return self.op("MaxPool", x, kernel_shape=[2], strides=[2], ceil_mode=1)

    def block(self, block: Block, x: str, mask: str, weight: str) -> str:
        width = block.out.in_features
        value, gate = self.split(self.dense(block.widen, self.norm(block.before, x)), [width, width], axis=2)
        y = self.op("Mul", self.op("Mul", value, self.op("Sigmoid", gate)), mask)
        size = block.near.kernel_size[0]
        turned = self.op("Transpose", y, perm=[0, 2, 1])
        near = self.convolution(block.near, turned, kernel_shape=[size], pads=[size // 2, size // 2], group=width)
        y = self.norm(block.after, self.op("Transpose", near, perm=[0, 2, 1]))
        y = self.op("Mul", y, self.op("Sigmoid", y))
        clip = self.op("Div", self.total(self.op("Mul", y, weight)), self.op("Add", self.total(weight), self.number(1e-3)))
        gates = self.op("Sigmoid", self.dense(block.excite, self.op("Relu", self.dense(block.squeeze, clip))))
        return self.op("Add", x, self.dense(block.out, self.op("Mul", y, gates)))

    def judged(self, net: SpeechNet, x: str) -> str:
        return self.dense(net.answer, self.norm(net.norm, x))

    def dense(self, layer: Any, x: str) -> str:
        return self.op("Add", self.op("MatMul", x, self.halved(layer.weight.T)), self.parameter(layer.bias))

    def convolution(self, layer: Any, x: str, **attributes: Any) -> str:
        return self.op("Conv", x, self.parameter(layer.weight), self.parameter(layer.bias), **attributes)
