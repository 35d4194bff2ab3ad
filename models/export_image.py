"""The picture network as an ONNX file with its manifest and ordinary frames: weights in 16 bits, compared with torch as served.

The graph is written node by node. Weights are rounded to float16 before anything is compared, and cast when the graph is loaded:
the file is half as large, and serving computes in float32 all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper

from models.digests import sha256_of
from models.errors import DataError
from models.image_titles import Pixels
from models.manifest import Licence, Manifest, Preprocess, Provenance, TensorSpec
from models.networks.image import SIDE_PX, Conv, FrameNet
from models.networks.onnx_graph import Graph
from models.seam import TextServing
from models.store import MANIFEST_FILE
from models.train_image import ORDINARY_FRAMES_FILE, load_net, tensor

NAME, TASK = "image-embedding", "image.embed"
GRAPH_FILE, ORDINARY_FILE = "image.onnx", "ordinary.npy"
INPUT, OUTPUT = "image", "embedding"
EVALUATION_FILE = "evaluation.json"
"""Figures of an exported network by `benchmarks/bench_gallery.py --evaluation RUN/evaluation.json`; what is there when the run is
exported again goes with it, and into the manifest."""
_SERVING = "shipped network and colour"
"""The eye that serves, among those that are measured."""
TOLERANCE = 0.999
"""Least cosine between the graph's answer and torch's."""

_NOTICE = (
    "Its blocks are those of a MobileNetV2 of google-coral/test_data (Apache-2.0). How their answers are weighed was learnt by the "
    "Livewarden authors from made-up pictures, frames of Big Buck Bunny ((c) Blender Foundation, CC BY 3.0) and of a clip of "
    "mdn/shared-assets (CC0), and screenshots of Luanti worlds (MIT)."
)
_NOTES = (
    "Input RGB, stretched to a square, -1..1. Compare by cosine after subtracting the mean of ordinary frames (ordinary.npy, "
    "float16). Figures are in benchmarks/README.md (bench_gallery), on games and clips it has not learnt from; see README.md here."
)


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """What was written."""

    ref: str
    size_bytes: int
    cosine: float
    """Least cosine between the graph's answers and torch's."""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    """By `EVALUATION_FILE`; none where the network was not measured yet."""

    @property
    def parity(self) -> str:
        """How near the graph is to the network."""
        return f"least cosine with torch {self.cosine:.6f}"


def export_image(run: Path, to: Path, *, version: str, serving: TextServing) -> ExportedImage:
    """Write graph, ordinary frames and manifest of a run's network.

    Args:
        run: folder of the run.
        to: folder for the files.
        version: for the manifest.
        serving: runs the graph for the comparison.

    Raises:
        DataError: the run has no network, or the graph answers otherwise than torch does.
    """
    net = rounded(load_net(run))
    frames = list(np.load(run / ORDINARY_FRAMES_FILE, allow_pickle=False))
    graph = graph_bytes(net)
    looks = embedded(net, frames)
    cosine = least_cosine(serving.run(graph, tensor(frames[::4], SIDE_PX).numpy()), looks[::4])
    if not cosine >= TOLERANCE:
        raise DataError(f"the graph's answers have a cosine of {cosine:.5f} with torch's, below {TOLERANCE}; nothing was written")
    to.mkdir(parents=True, exist_ok=True)
    (to / GRAPH_FILE).write_bytes(graph)
    np.save(to / ORDINARY_FILE, looks.astype(np.float16), allow_pickle=False)
    metrics = _measured(run / EVALUATION_FILE, to / EVALUATION_FILE)
    digests = {name: sha256_of(to / name) for name in (GRAPH_FILE, ORDINARY_FILE)}
    manifest = manifest_of(net, version=version, digests=digests, metrics=metrics)
    manifest.dump(to / MANIFEST_FILE)
    return ExportedImage(manifest.ref, len(graph), cosine, metrics)


def _measured(path: Path, to: Path) -> dict[str, float]:
    """Take a run's figures along; by kind of title and figure.

    Raises:
        DataError: the file is not what the benchmark writes.
    """
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        figures = {f"{kind} {name}": float(value) for kind, eyes in told.items() for name, value in eyes[_SERVING].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as exc:
        raise DataError(
            f"{path} has no figures of {_SERVING!r}; write it with python -m benchmarks.bench_gallery --evaluation"
        ) from exc
    to.write_bytes(path.read_bytes())
    return {re.sub(r"\W+", "_", name).strip("_"): value for name, value in figures.items()}


def rounded(net: FrameNet) -> FrameNet:
    """Round a network's weights to 16 bits, in place."""
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(weight.half())
    return net


def embedded(net: FrameNet, frames: Sequence[Pixels]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embed pictures by torch, shape (n, d)."""
    with torch.no_grad():
        found: np.ndarray[Any, np.dtype[np.float32]] = torch.cat([net(tensor([frame], SIDE_PX)) for frame in frames]).numpy()
    return found


def least_cosine(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Return the least cosine between rows of the same number, after taking off the mean."""
    first, second = one - other.mean(0), other - other.mean(0)
    products = (first * second).sum(1) / np.maximum(np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1), 1e-9)
    return float(products.min())


def manifest_of(net: FrameNet, *, version: str, digests: Mapping[str, str], metrics: Mapping[str, float]) -> Manifest:
    """Write the manifest of an exported network; the digests are of graph and ordinary frames."""
    return Manifest(
        name=NAME,
        version=version,
        task=TASK,
        file=GRAPH_FILE,
        sha256=digests[GRAPH_FILE],
        inputs=(TensorSpec(INPUT, "float32", (None, 3, SIDE_PX, SIDE_PX), 0),),
        outputs=(TensorSpec(OUTPUT, "float32", (None, net.shape.n_seen), 0),),
        licence=Licence("Apache-2.0", _NOTICE),
        provenance=Provenance("trained by `livewarden models train image`"),
        preprocess=Preprocess(width_px=SIDE_PX, height_px=SIDE_PX, scale=1 / 127.5, mean=(1.0, 1.0, 1.0)),
        batch_ladder=(1, 2, 4, 8, 16, 32),
        extra_files={ORDINARY_FILE: digests[ORDINARY_FILE]},
        metrics=metrics,
        notes=_NOTES,
    )


def graph_bytes(net: FrameNet) -> bytes:
    """Write a network as an ONNX file."""
    graph = _Graph()
    graph.network(net)
    side: list[Any] = ["n", 3, SIDE_PX, SIDE_PX]
    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, side)
    answered = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", net.shape.n_seen])
    return graph.written("livewarden picture network", given, answered)


class _Graph(Graph):
    """Put down in the order of `FrameNet.forward`."""

    def network(self, net: FrameNet) -> None:
        few = self.op("AveragePool", INPUT, kernel_shape=[4, 4], strides=[4, 4])
        colours = self.op("Conv", few, self.halved(net.colours.weight), self.halved(net.colours.bias), kernel_shape=[1, 1])
        share = self.mean(self.clip(colours, 1.0))
        means = [self.op("Mul", share, self.number(4.0))]
        x = self.conv(net.stem, INPUT)
        for number, stage in enumerate(net.stages):
            for block in stage:
                y = x
                for conv in block.convs:
                    y = self.conv(conv, y)
                x = self.op("Add", x, y) if block.adds else y
            if number in net.shape.tapped:
                means.append(self.mean(x))
        seen = self.op("Concat", *means, axis=1)
        centred = self.op("Sub", seen, self.tensor(net.middle.numpy()))
        scaled = self.op("Div", centred, self.tensor(net.spread.numpy()))
        self.op("Gemm", scaled, self.halved(net.join.weight), output=OUTPUT, transB=1)

    def conv(self, conv: Conv, x: str) -> str:
        spec, (left, right, top, bottom) = conv.spec, conv.pads
        y = self.op(
            "Conv",
            x,
            self.halved(conv.conv.weight),
            self.halved(conv.conv.bias),
            kernel_shape=[spec.side] * 2,
            strides=[spec.stride] * 2,
            pads=[top, left, bottom, right],
            group=spec.n_in if spec.depthwise else 1,
        )
        return self.clip(y, 6.0) if spec.clipped else y

    def mean(self, x: str) -> str:
        return self.op("Flatten", self.op("GlobalAveragePool", x), axis=1)

    def clip(self, x: str, high: float) -> str:
        return self.op("Clip", x, self.number(0.0), self.number(high))
