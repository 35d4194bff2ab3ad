"""A recogniser that says 加微信 at the beginning of whatever it is given: for tests of everything around a recogniser."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.digests import sha256_of
from models.manifest import Licence, Manifest, Provenance, TensorSpec
from models.store import MANIFEST_FILE
from tests.onnx_maker import Node, Port, onnx_bytes

TOKENS = ("<blk>", "加", "微", "信")
STEP_N = 640
_SAYS = (1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 3)
"""Token of each step of 40 ms; blank ever after."""


def graph() -> bytes:
    table = np.zeros((1_000, len(TOKENS)), np.float32)
    table[np.arange(1_000), [*_SAYS, *[0] * (1_000 - len(_SAYS))]] = 9.0
    nodes = [
        Node("Reshape", ["pcm", "shape"], ["steps"]),
        Node("Shape", ["steps"], ["sizes"]),
        Node("Slice", ["sizes", "one", "two", "zero"], ["n_steps"]),
        Node("Slice", ["table", "zero", "n_steps", "zero"], ["said"]),
        Node("ReduceMean", ["steps"], ["mean"], {"axes": [2], "keepdims": 1}),
        Node("MatMul", ["mean", "nothing"], ["silent"]),
        Node("Add", ["silent", "said"], ["logits"]),
    ]
    weights = {
        "shape": np.asarray([0, -1, STEP_N], np.int64),
        "nothing": np.zeros((1, len(TOKENS)), np.float32),
        "table": table,
        **{name: np.asarray([value], np.int64) for name, value in {"zero": 0, "one": 1, "two": 2}.items()},
    }
    metadata = {"tokens": "\n".join(TOKENS)}
    return onnx_bytes(nodes, [Port("pcm", ["n", "t"])], [Port("logits", ["n", "u", len(TOKENS)])], weights, metadata)


def write_parrot(folder: Path) -> Path:
    """Write the network as it is published."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parrot.onnx").write_bytes(graph())
    Manifest(
        name="parrot",
        version="1",
        task="speech.ctc",
        file="parrot.onnx",
        sha256=sha256_of(folder / "parrot.onnx"),
        inputs=(TensorSpec("pcm", "float32", (None, None)),),
        outputs=(TensorSpec("logits", "float32", (None, None, len(TOKENS))),),
        licence=Licence("Apache-2.0", "made for tests"),
        provenance=Provenance("written by hand"),
        postprocess={"step_n_pcm": STEP_N, "max_s": 16},
        batch_ladder=(1, 2),
    ).dump(folder / MANIFEST_FILE)
    return folder
