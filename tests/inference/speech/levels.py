"""A recogniser small enough to write by hand: it hears how high the sound's mean is, and each level is a word.

Sound that stays at 0.2 for a while says 加, at 0.3 微, and so on; silence is the blank. A step of 640 values is heard by itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.samples import SAMPLE_RATE_HZ, Pcm
from models.digests import sha256_of
from models.manifest import Licence, Manifest, Provenance, TensorSpec
from models.store import MANIFEST_FILE
from tests.onnx_maker import Node, Port, onnx_bytes

TOKENS = ("<blk>", "你", "加", "微", "信", "▁hi")
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
STEP_N = 640
_SHARP = 4_000.0
"""How sure the network is: neighbours of a level get less than a millionth."""


def spoken(*words: tuple[str, float], pause_s: float = 0.08) -> Pcm:
    """Say words, each for so many seconds, with short pauses after each."""
    parts = []
    for token, seconds in words:
        level = LEVELS[TOKENS.index(token)]
        parts += [np.full(round(seconds * SAMPLE_RATE_HZ), level), np.zeros(round(pause_s * SAMPLE_RATE_HZ))]
    return np.concatenate(parts).astype(np.float32)


def graph(*, tokens_inside: bool = True) -> bytes:
    """Logits are -sharp * (mean - level)**2, less what all levels share: the nearest level wins."""
    levels = np.asarray(LEVELS, np.float32)
    weights = {
        "shape": np.asarray([0, -1, STEP_N], np.int64),
        "slope": (2 * _SHARP * levels)[None],
        "offset": -_SHARP * levels**2,
    }
    nodes = [
        Node("Reshape", ["pcm", "shape"], ["steps"]),
        Node("ReduceMean", ["steps"], ["mean"], {"axes": [2], "keepdims": 1}),
        Node("MatMul", ["mean", "slope"], ["scaled"]),
        Node("Add", ["scaled", "offset"], ["logits"]),
    ]
    metadata = {"tokens": "\n".join(TOKENS)} if tokens_inside else {}
    return onnx_bytes(nodes, [Port("pcm", ["n", "t"])], [Port("logits", ["n", "steps", len(LEVELS)])], weights, metadata)


def manifest(sha256: str, *, extra_files: dict[str, str] | None = None) -> Manifest:
    return Manifest(
        name="levels",
        version="1",
        task="speech.ctc",
        file="levels.onnx",
        sha256=sha256,
        inputs=(TensorSpec("pcm", "float32", (None, None)),),
        outputs=(TensorSpec("logits", "float32", (None, None, len(LEVELS))),),
        licence=Licence("Apache-2.0", "made for tests"),
        provenance=Provenance("written by hand"),
        postprocess={"step_n_pcm": STEP_N, "max_s": 8},
        batch_ladder=(1, 2),
        extra_files=extra_files or {},
    )


def write_levels(folder: Path, *, tokens_inside: bool = True) -> Path:
    """Write the network as it is published: graph, manifest, and its tokens where they are not inside."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "levels.onnx").write_bytes(graph(tokens_inside=tokens_inside))
    extra: dict[str, str] = {}
    if not tokens_inside:
        (folder / "tokens.txt").write_text("".join(f"{token} {index}\n" for index, token in enumerate(TOKENS)), encoding="utf-8")
        extra["tokens.txt"] = sha256_of(folder / "tokens.txt")
    manifest(sha256_of(folder / "levels.onnx"), extra_files=extra).dump(folder / MANIFEST_FILE)
    return folder
