"""The logo networks as ONNX files with their manifests, checked against torch by the runtime that serves.

Two models: `logo-finder` and `logo-teller`, a folder each. Thresholds come from the run's evaluation.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.digests import sha256_of
from models.errors import DataError
from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP, N_PACKED
from models.logo_matching import STRANGERS_FILE
from models.manifest import Licence, Manifest, Provenance, TensorSpec
from models.networks.logo import LogoNets
from models.networks.logo_evaluate import read_logo_evaluation, runs_finder, runs_teller
from models.networks.logo_graphs import FINDER_INPUT, FINDER_OUTPUT, TELLER_INPUT, TELLER_OUTPUT, finder_graph, teller_graph
from models.networks.logo_train import load_nets
from models.store import MANIFEST_FILE

FINDER, TELLER = "logo-finder", "logo-teller"
TOLERANCE = 2e-3
"""Largest difference between graph and torch: of likelihoods and embeddings as they are, of sides by their size."""

_NOTICE = (
    "Trained by the Livewarden authors on made-up marks over frames of Big Buck Bunny and Tears of Steel (CC BY 3.0, Blender "
    "Foundation), car-detection (CC BY 4.0, Intel), NASA (public domain) and screenshots of Freedoom (BSD-3-Clause) and OpenTTD."
)
_NOTES = (
    "Knows no logo: enrolled marks are compared with what the teller says; `block` is the score from which 97 % of the findings "
    "were right in the evaluation, `review` 90 %. Metrics are of the test side of made-up scenes (marks, fonts and frames never "
    "trained on), judged look by look with half of the marks enrolled; see README.md beside this file."
)


class Runs(Protocol):
    """The runtime that serves, as exporting sees it."""

    def run(self, graph: bytes, ids: NDArray[Any]) -> NDArray[Any]:
        """Run a graph with one input and one output."""
        ...


@dataclass(frozen=True, slots=True)
class LogoExported:
    """What was written."""

    ref: str
    """Both, as `name@version`."""
    size_bytes: int
    """Of both graphs together."""
    parity: str
    """How near the graphs are to the networks, as a line."""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)


def export_logo(run: Path, to: Path, *, version: str, serving: Runs) -> LogoExported:
    """Write graphs and manifests of a run's networks.

    Args:
        run: folder of the run, evaluated.
        to: folder for `logo-finder/` and `logo-teller/`.
        version: for the manifests.
        serving: runs the graphs for the comparison.

    Raises:
        DataError: the run has no networks or no evaluation, or a graph answers otherwise than torch does.
    """
    net, metrics = load_nets(run), read_logo_evaluation(run)
    graphs = {FINDER: finder_graph(net.finder), TELLER: teller_graph(net.teller)}
    largest = compare_logo(graphs[FINDER], graphs[TELLER], net, serving)
    refs = []
    for name, graph in graphs.items():
        folder = to / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.onnx").write_bytes(graph)
        if name == TELLER:
            shutil.copyfile(run / STRANGERS_FILE, folder / STRANGERS_FILE)
        manifest = _manifest(folder, version, metrics)
        manifest.dump(folder / MANIFEST_FILE)
        refs.append(manifest.ref)
    parity = f"largest difference from torch {largest:.1e}"
    return LogoExported(" and ".join(refs), sum(len(graph) for graph in graphs.values()), parity, metrics)


def compare_logo(finder: bytes, teller: bytes, net: LogoNets, serving: Runs) -> float:
    """Run both graphs and both networks on the same noise, of several sizes.

    Returns:
        the largest difference.

    Raises:
        DataError: it is above the tolerance.
    """
    random = np.random.default_rng(3)
    largest = 0.0
    for n, rows, columns in ((1, 360, 640), (2, 104, 56), (1, 328, 152)):
        planes = random.integers(0, 256, (n, N_PACKED, rows, columns), dtype=np.uint8)
        mine, graph = runs_finder(net)(planes), serving.run(finder, planes)
        largest = max(largest, float(np.abs(mine[:, :1] - graph[:, :1]).max()))
        largest = max(largest, float(np.abs(graph[:, 1:] / mine[:, 1:] - 1.0).max()))
    for n in (1, 7):
        shown = random.uniform(0, 255, (n, N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX)).astype(np.float32)
        largest = max(largest, float(np.abs(runs_teller(net)(shown) - serving.run(teller, shown)).max()))
    if not largest <= TOLERANCE:
        raise DataError(f"the graphs answer otherwise than torch: difference {largest:.1e}, allowed {TOLERANCE:.0e}")
    return largest


def _manifest(folder: Path, version: str, metrics: Mapping[str, float]) -> Manifest:
    name = folder.name
    finder = name == FINDER
    given = (
        TensorSpec(FINDER_INPUT, "uint8", (None, N_PACKED, None, None), 0)
        if finder
        else TensorSpec(TELLER_INPUT, "float32", (None, N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX), 0)
    )
    answered = (
        TensorSpec(FINDER_OUTPUT, "float32", (None, 5, None, None), 0)
        if finder
        else TensorSpec(TELLER_OUTPUT, "float32", (None, 133), 0)
    )
    numbers = {"floor": 0.1, "most": 16.0, "overlap": 0.45}
    if not finder:
        numbers = {"review": metrics["enrolled_200_review_threshold"], "block": metrics["enrolled_200_threshold"]}
    return Manifest(
        name=name,
        version=version,
        task="logo.find" if finder else "logo.tell",
        file=f"{name}.onnx",
        sha256=sha256_of(folder / f"{name}.onnx"),
        inputs=(given,),
        outputs=(answered,),
        licence=Licence("Apache-2.0", _NOTICE),
        provenance=Provenance("trained by `livewarden models train logo`"),
        postprocess=numbers,
        batch_ladder=(1, 2, 4) if finder else (1, 2, 4, 8, 16),
        metrics=metrics,
        extra_files={} if finder else {STRANGERS_FILE: sha256_of(folder / STRANGERS_FILE)},
        notes=_NOTES,
    )
