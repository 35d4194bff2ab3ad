"""A recogniser for sherpa-onnx, small enough to write by hand: it hears tones, and each tone is a word.

It is a Zipformer CTC model to the library: its features in, log-probabilities of every fourth frame out. The loudest of a few bands
names the token; where none is loud it is the blank.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.samples import SAMPLE_RATE_HZ, Pcm
from tests.onnx_maker import Node, Port, onnx_bytes

TOKENS = ("<blk>", "▁", "加", "微", "信", "▁hi")
TONES_HZ = {"加": 600.0, "微": 1200.0, "信": 2400.0, "▁hi": 4000.0}
N_BANDS = 80
METADATA = {"model_type": "zipformer2_ctc", "version": "1", "model_author": "livewarden-tests", "comment": "non-streaming"}


def sung(*words: tuple[str, float], pause_s: float = 0.12) -> Pcm:
    """Sing words, each for so many seconds, with pauses before, between and after."""
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ))
    parts = [pause]
    for token, seconds in words:
        angles = 2 * np.pi * TONES_HZ[token] * np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        parts += [0.3 * np.sin(angles), pause]
    return np.concatenate(parts).astype(np.float32)


def _band(hz: float) -> int:
    """The band of 80 between 20 and 7600 Hz that a frequency falls into."""
    low, at, high = (1127 * np.log1p(one / 700) for one in (20.0, hz, 7600.0))
    return round((at - low) / (high - low) * (N_BANDS + 1) - 1)


def band_weights(n_tokens: int = len(TOKENS)) -> NDArray[np.float32]:
    """From the bands of a frame to the tokens: each tone's band is its token's score."""
    weights = np.zeros((N_BANDS, n_tokens), np.float32)
    for token, hz in TONES_HZ.items():
        weights[_band(hz), TOKENS.index(token)] = 1.0
    return weights


def graph(metadata: dict[str, str] | None = None) -> bytes:
    whole = {name: np.asarray(value, np.int64) for name, value in {"zero": [0], "all": [1 << 40], "axis": [1], "step": [4]}.items()}
    nodes = [
        Node("Slice", ["x", "zero", "all", "axis", "step"], ["fourth"]),
        Node("MatMul", ["fourth", "bands"], ["loud"]),
        Node("Add", ["loud", "offset"], ["logits"]),
        Node("LogSoftmax", ["logits"], ["log_probs"], {"axis": 2}),
        Node("Add", ["x_lens", "three"], ["padded"]),
        Node("Div", ["padded", "four"], ["log_probs_len"]),
    ]
    offset = np.asarray([2.0, -100.0, 0.0, 0.0, 0.0, 0.0], np.float32)
    return onnx_bytes(
        nodes,
        [Port("x", ["N", "T", N_BANDS]), Port("x_lens", ["N"], np.int64)],
        [Port("log_probs", ["N", "U", len(TOKENS)]), Port("log_probs_len", ["N"], np.int64)],
        {"bands": band_weights(), "offset": offset, "three": np.asarray(3), "four": np.asarray(4), **whole},
        METADATA if metadata is None else metadata,
    )


def write_tones(folder: Path) -> Path:
    """Write the model as sherpa-onnx's are published."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.int8.onnx").write_bytes(graph())
    (folder / "tokens.txt").write_text("".join(f"{token} {index}\n" for index, token in enumerate(TOKENS)), encoding="utf-8")
    return folder
