"""Voice activity for tests without the public model: whatever is loud is speech."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inference.sessions import Rows
from inference.speech.lockstep import CHUNKS, PROBABILITIES
from inference.speech.voice import VoiceActivity
from inference.testing import fake_lane
from models.manifest import Manifest

MANIFEST = Path(__file__).resolve().parents[3] / "models" / "manifests" / "silero-vad.yaml"


def loud_is_speech(batch: Rows) -> Rows:
    """0.9 where a chunk is above -40 dBFS, else 0."""
    return {PROBABILITIES: np.where(np.square(batch[CHUNKS]).mean(axis=2) > 1e-4, 0.9, 0.0).astype(np.float32)}


@contextmanager
def loud_voice() -> Iterator[VoiceActivity]:
    with fake_lane(loud_is_speech, input_names=(CHUNKS,)) as lane:
        yield VoiceActivity(lane, Manifest.load(MANIFEST))
