"""Answers of an acoustic model made by hand: what it would say if it heard these syllables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.speech.stretches import Posteriors, Stretch
from models.manifest import Manifest
from models.manifest_yaml import parse_manifest
from models.speech_codec import BLANK, UNITS, units_of

MANIFEST = """
name: speech-units
version: "1"
task: speech.units
file: units.onnx
sha256: "0000000000000000000000000000000000000000000000000000000000000000"
licence: {spdx: Apache-2.0, notice: made by a test}
provenance: {source: made by a test}
inputs: [{name: features, dtype: float32, shape: [-1, -1, 48], batch_axis: 0}]
outputs: [{name: log_probs, dtype: float32, shape: [-1, -1, 65], batch_axis: 0}]
postprocess:
  frame_floor: 12.0
  pause_cost: 0.02
  max_syllable_s: 0.7
  min_clarity: 0.5
  told_2: -0.5
  told_3: -0.8
  told_4: -1.0
  told_5: -1.2
  told_6: -1.2
  sure_2: -0.2
  sure_3: -0.3
  sure_4: -0.4
  sure_5: -0.5
  sure_6: -0.5
"""


def units_manifest() -> Manifest:
    """A manifest of an acoustic model, with round thresholds."""
    return parse_manifest(MANIFEST, where="test")


def heard(spoken: str, *, sure: float = 0.97) -> NDArray[np.float32]:
    """Log probabilities of a network that hears these syllables with this probability; `.` is a frame of silence."""
    units = [unit for syllable in spoken.split() for unit in ((BLANK,) if syllable == "." else _spread(syllable))]
    rows = np.full((len(units), len(UNITS)), (1 - sure) / (len(UNITS) - 1), np.float32)
    rows[np.arange(len(units)), units] = sure
    return np.log(rows)


def posteriors(*stretches: str, sure: float = 0.97, gap: int = 25) -> Posteriors:
    """What the network answered to stretches of speech, `gap` frames of silence apart."""
    first, parts = 0, []
    for spoken in stretches:
        rows = heard(spoken, sure=sure)
        parts.append((Stretch(first, first + len(rows)), rows))
        first += len(rows) + gap
    return Posteriors.joined(parts, len(UNITS))


def _spread(syllable: str) -> tuple[int, ...]:
    return tuple(frame for unit in units_of(syllable) for frame in (unit, BLANK))
