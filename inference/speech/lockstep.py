"""Silero VAD over whole clips: 32 ms chunks, one run of the net per step for all clips of a batch together.

    clip     |--- 512 ---|--- 512 ---|--- 512 ---| 0 0
    step 1   64 zeros + chunk 0
    step 2           64 of chunk 0 + chunk 1            the net's state goes from step to step

Clips overlap by half, so each starts with a fresh state and nothing is kept per room; the first chunks of a clip are the last ones
of the clip before.
"""

from __future__ import annotations

import numpy as np

from inference.sessions import Rows, Session
from models.manifest import Manifest

CHUNKS = "chunks"
"""Input of a LockstepSession: float32 (n, steps, 512)."""
PROBABILITIES = "probabilities"
"""Output of a LockstepSession: float32 (n, steps), probability of speech of each chunk."""
STEP_BUCKETS = (32, 64, 128, 256, 512, 1024)
"""Steps a clip is padded to, so that clips of nearly one length share a batch; 1024 are 32.8 s."""


class LockstepSession:
    """A session of Silero VAD that takes whole clips: n clips, each as many steps, one run of the net per step."""

    def __init__(self, session: Session, manifest: Manifest, *, warm_steps: int = 2) -> None:
        """Wrap a session.

        Args:
            session: the net; takes context + chunk and state, gives probability and state, all with the batch on axis 0.
            manifest: names of its tensors and the sizes of chunk and context.
            warm_steps: steps of a warm-up clip; every step costs the same.
        """
        self._session = session
        self._sound, self._state = manifest.inputs[0].name, manifest.inputs[1].name
        self._speech, self._next_state = manifest.outputs[0].name, manifest.outputs[1].name
        self._n_state = tuple(
            size or 1 for axis, size in enumerate(manifest.inputs[1].shape) if axis != manifest.inputs[1].batch_axis
        )
        self._n_chunk = int(manifest.number("chunk_n_pcm"))
        self._n_context = int(manifest.number("context_n_pcm"))
        self._warm_steps = warm_steps
        self.input_names: tuple[str, ...] = (CHUNKS,)
        self.name = session.name
        self.provider = session.provider
        self.ref = session.ref

    def run(self, batch: Rows) -> Rows:
        """Score every chunk of n clips."""
        chunks = batch[CHUNKS]
        n, steps = chunks.shape[:2]
        state = np.zeros((n, *self._n_state), np.float32)
        sound = np.zeros((n, self._n_context + self._n_chunk), np.float32)
        speech = np.zeros((n, steps), np.float32)
        for step in range(steps):
            sound[:, : self._n_context] = sound[:, -self._n_context :]
            sound[:, self._n_context :] = chunks[:, step]
            answer = self._session.run({self._sound: sound, self._state: state})
            speech[:, step] = answer[self._speech][:, 0]
            state = answer[self._next_state]
        return {PROBABILITIES: speech}

    def warm(self, n_rows: int) -> None:
        """Run a short batch of silence."""
        self.run({CHUNKS: np.zeros((n_rows, self._warm_steps, self._n_chunk), np.float32)})
