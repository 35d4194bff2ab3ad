"""The text network as an ONNX file with its manifest: written operator by operator, its tables in 8 bits, checked against torch.

The graph is written by hand so that it has the few operators a CPU runs fast and the older opset every runtime of ours takes. What
it answers is compared by the runtime that serves, at every length, before anything is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper

from models.data import HEADS
from models.digests import sha256_of
from models.errors import DataError
from models.evaluate import read_evaluation
from models.networks.onnx_graph import Graph
from models.networks.text import FAR_BELOW, TextNet, rounded, with_rounded_tables
from models.networks.text_card import manifest_of
from models.networks.text_linear import BUCKET_FACTORS, N_PRINTS, PRINT_FACTORS
from models.seam import TextServing
from models.store import MANIFEST_FILE
from models.text_codec import FIRST, LENGTHS, PAD, Alphabet, Ids
from models.train import load_best

GRAPH_FILE = "text.onnx"
INPUT, OUTPUT = "ids", "scores"

TOLERANCE = 1e-4
"""Largest difference of a score, 0..1, between the graph and torch."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the graph's answers are from torch's."""

    n_texts: int
    largest: float

    def __str__(self) -> str:
        return f"largest difference from torch {self.largest:.1e} over {self.n_texts} texts of every length"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    ref: str
    size_bytes: int
    parity: Parity
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)


def export(run: Path, to: Path, *, version: str, serving: TextServing) -> Exported:
    """Write graph and manifest of a run's best network.

    Args:
        run: folder of the run, evaluated.
        to: folder for `text.onnx` and `manifest.yaml`.
        version: for the manifest.
        serving: runs the graph for the comparison.

    Raises:
        DataError: the run has no network or no evaluation, or the graph answers otherwise than torch does.
    """
    trained, evaluation = load_best(run), read_evaluation(run)
    heats = [float(evaluation["temperature"][head]) for head in HEADS]
    graph = graph_bytes(trained.net, trained.alphabet, heats)
    parity = compare(graph, trained.net, heats, serving)
    to.mkdir(parents=True, exist_ok=True)
    (to / GRAPH_FILE).write_bytes(graph)
    manifest = manifest_of(evaluation, version=version, file=GRAPH_FILE, sha256=sha256_of(to / GRAPH_FILE))
    manifest.dump(to / MANIFEST_FILE)
    return Exported(manifest.ref, len(graph), parity, manifest.metrics)


def compare(graph: bytes, net: TextNet, heats: Sequence[float], serving: TextServing) -> Parity:
    """Compare the graph, run as it is served, with torch on made-up texts of every length and every filling.

    Raises:
        DataError: an answer differs by more than the tolerance.
    """
    small = with_rounded_tables(net)
    small.eval()
    rng = np.random.default_rng(1)
    largest, n_texts = 0.0, 0
    for length in LENGTHS:
        ids = made_up(rng, length, net.shape.n_ids)
        with torch.no_grad():
            wanted = torch.sigmoid(small(torch.from_numpy(ids)) / torch.tensor(heats)).numpy()
        largest = max(largest, float(np.abs(serving.run(graph, ids) - wanted).max()))
        n_texts += len(ids)
    if not largest <= TOLERANCE:
        raise DataError(f"the graph answers up to {largest:.2e} otherwise than torch; at most {TOLERANCE:.0e}; nothing was written")
    return Parity(n_texts, largest)


def made_up(rng: np.random.Generator, length: int, n_ids: int) -> Ids:
    """Return texts of random characters, one of every size up to a length, int32, (length, length)."""
    ids = rng.integers(1, n_ids, (length, length), np.int32)
    # Frequent characters are what real texts are made of.
    ids = np.where(rng.random(ids.shape) < 0.5, np.minimum(ids, FIRST + ids % 200), ids).astype(np.int32)
    ids[np.arange(length)[None, :] > np.arange(length)[:, None]] = PAD
    return ids


def graph_bytes(net: TextNet, alphabet: Alphabet, heats: Sequence[float]) -> bytes:
    """Write a network as an ONNX file; its answers are probabilities, its alphabet is in the metadata `characters`."""
    graph = _Graph(net)
    graph.network(heats)
    given = helper.make_tensor_value_info(INPUT, TensorProto.INT32, ["n", "length"])
    answered = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(HEADS)])
    return graph.written("livewarden text classifier", given, answered, properties={"characters": alphabet.characters})


class _Graph(Graph):
    """Put down in the order of `TextNet.forward`; numbers of characters are 32 bits wide, as the input is."""

    def __init__(self, net: TextNet) -> None:
        super().__init__()
        self._net = net

    def network(self, heats: Sequence[float]) -> None:
        net, shape = self._net, self._net.shape
        seen = self.op("Cast", self.op("Not", self.op("Equal", INPUT, self.integers([PAD], np.int32))), to=TensorProto.FLOAT)
        mask = self.op("Unsqueeze", seen, self.integers([2]))  # (n, L, 1)
        away = self.op("Mul", self.op("Sub", self.floats([1.0]), mask), self.floats([FAR_BELOW]))
        before = [INPUT, *(self.shift(INPUT, by) for by in range(1, len(BUCKET_FACTORS)))]
        pair = self.rest(self.hash(before, BUCKET_FACTORS[1]), shape.n_pairs)
        near = self.op("Add", self.table("characters", INPUT), self.table("pairs", pair))
        x = self.op("Mul", near, mask)  # (n, L, D)
        for block in net.blocks:
            x = self.block(block, x, mask)
        pooled = self.pooled(self.norm(net.norm, x), away)
        joined = self.op("Relu", self.dense(net.join, pooled))
        linear = self.op("Mul", self.linear(before, mask), self.parameter(net.trust))
        logits = self.op("Add", self.dense(net.answer, joined), linear)
        self.op("Sigmoid", self.op("Div", logits, self.floats(list(heats))), output=OUTPUT)

    def block(self, block: Any, x: str, mask: str) -> str:
        near = self.op("Mul", self.norm(block.norm, x), mask)
        sides = self.op("Concat", self.shift(near, 1, n_axes=3), near, self.shift(near, -1, n_axes=3), axis=2)
        value, gate = self.split(self.dense(block.mix, sides), [self._net.shape.width] * 2, axis=2)
        return self.op("Add", x, self.op("Mul", value, self.op("Sigmoid", gate)))

    def pooled(self, x: str, away: str) -> str:
        shape = self._net.shape
        looks = self.op("Softmax", self.op("Add", self.dense(self._net.look, x), away), axis=1)
        attended = self.op("MatMul", self.op("Transpose", looks, perm=[0, 2, 1]), x)  # (n, K, D)
        flat = self.op("Reshape", attended, self.integers([0, shape.n_looks * shape.width]))
        highest = self.op("ReduceMax", self.op("Add", x, away), axes=[1], keepdims=0)
        return self.op("Concat", flat, highest, axis=1)

    def linear(self, before: Sequence[str], mask: str) -> str:
        net, n_orders = self._net, len(BUCKET_FACTORS)
        buckets = self.rest(self.op("Concat", *(self.hash(before, row) for row in BUCKET_FACTORS), axis=1), net.shape.n_grams)
        prints = self.rest(self.op("Concat", *(self.hash(before, row) for row in PRINT_FACTORS), axis=1), N_PRINTS)
        owner = self.op("Cast", self.op("Gather", self.tensor(net.prints.numpy()), buckets), to=TensorProto.INT32)
        known = self.op("Unsqueeze", self.op("Cast", self.op("Equal", owner, prints), to=TensorProto.FLOAT), self.integers([2]))
        known = self.op("Mul", known, self.op("Concat", *[mask] * n_orders, axis=1))
        found = self.op("Mul", self.table("grams", buckets), known)  # (n, 4 L, 3)
        weights, rarity = self.split(found, [len(HEADS), 1], axis=2)
        axis = self.integers([1])
        total = self.op("ReduceSum", weights, axis, keepdims=0)
        squares = self.op("ReduceSum", self.op("Mul", rarity, rarity), axis, keepdims=0)
        norm = self.op("Sqrt", self.op("Max", squares, self.floats([1e-6])))
        return self.op("Add", self.op("Div", total, norm), self.parameter(net.bias))

    def hash(self, before: Sequence[str], factors: Sequence[int]) -> str:
        """Hash the run that ends at each character; `before` holds the text moved by 0, 1, 2, ..."""
        terms = [self.op("Mul", before[by], self.integers([factor], np.int32)) for by, factor in enumerate(reversed(factors))]
        total = terms[0]
        for term in terms[1:]:
            total = self.op("Add", total, term)
        return total

    def rest(self, hashed: str, n_buckets: int) -> str:
        return self.op("Mod", hashed, self.integers([n_buckets], np.int32))

    def shift(self, x: str, by: int, *, n_axes: int = 2) -> str:
        """Move along the length; zeros come in at the side left."""
        rest = [0] * (n_axes - 2)
        return self.op("Pad", x, self.integers([0, by, *rest, 0, -by, *rest]))

    def table(self, name: str, places: str) -> str:
        """Look up and spread 8 bits to floats."""
        small = rounded(getattr(self._net, name).weight)
        found = self.op("Gather", self.tensor(small.values.numpy()), places)
        return self.op("DequantizeLinear", found, self.tensor(small.steps.numpy()), axis=2)

    def floats(self, values: Sequence[float]) -> str:
        return self.tensor(np.array(values, np.float32))
