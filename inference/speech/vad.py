"""Where somebody speaks in a clip: Silero VAD over 32 ms chunks, then stretches of speech.

    clip     |--- 512 ---|--- 512 ---|--- 512 ---| 0 0
    step 1   64 zeros + chunk 0
    step 2           64 of chunk 0 + chunk 1            the net's state goes from step to step

One lane ticket is one clip: `LockstepSession` takes all clips of a batch through their steps together. Clips overlap by half, so
each starts with a fresh state and nothing is kept per room; the first chunks of a clip are the last ones of the clip before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.detectors import Extras, Outputs, Speech, SpeechSegment, StagedDetector
from inference.host import Host
from inference.lanes import Lane
from inference.samples import SAMPLE_RATE_HZ, AudioClip, Modality, Pcm
from inference.sessions import Rows, Session
from inference.verdicts import Finding
from models.manifest import Manifest

CHUNKS = "chunks"
"""Input of a LockstepSession: float32 (n, steps, 512)."""
PROBABILITIES = "probabilities"
"""Output of a LockstepSession: float32 (n, steps), probability of speech of each chunk."""
STEP_BUCKETS = (32, 64, 128, 256, 512, 1024)
"""Steps a clip is padded to, so that clips of nearly one length share a batch; 1024 are 32.8 s."""
MAX_CLIP_S = 600.0
"""Longer sound is looked at up to here; callers cut their streams into clips long before."""


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


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """How chunks become stretches of speech."""

    speech_threshold: float
    """A stretch begins with a chunk at or above it."""
    silence_threshold: float
    """It ends with `min_silence_s` below this."""
    min_speech_s: float
    """Shorter stretches are dropped."""
    min_silence_s: float
    pad_s: float
    """Added to both ends."""

    @classmethod
    def of(cls, manifest: Manifest) -> SegmentRules:
        """Read them from the manifest.

        Raises:
            ManifestError: one is missing.
        """
        return cls(
            speech_threshold=manifest.number("speech_threshold"),
            silence_threshold=manifest.number("silence_threshold"),
            min_speech_s=manifest.number("min_speech_s"),
            min_silence_s=manifest.number("min_silence_s"),
            pad_s=manifest.number("speech_pad_s"),
        )


def speech_segments(
    probabilities: NDArray[np.float32], rules: SegmentRules, *, chunk_s: float, duration_s: float
) -> tuple[SpeechSegment, ...]:
    """Find the stretches of speech.

    Args:
        probabilities: of each chunk, 0..1, shape (steps,).
        rules: thresholds and lengths.
        chunk_s: length of a chunk, seconds.
        duration_s: length of the clip, seconds; no stretch goes beyond it.

    Returns:
        stretches from the clip's beginning at 0, in order, not overlapping.
    """
    found: list[SpeechSegment] = []
    for first, end in _stretches(probabilities, rules, max(1, math.ceil(rules.min_silence_s / chunk_s))):
        if (end - first) * chunk_s >= rules.min_speech_s:
            confidence = min(1.0, float(probabilities[first:end].mean()))
            start_s = max(0.0, first * chunk_s - rules.pad_s)
            found.append(SpeechSegment(start_s, min(duration_s, end * chunk_s + rules.pad_s), confidence))
    return _apart(found)


def _stretches(probabilities: NDArray[np.float32], rules: SegmentRules, n_silence: int) -> list[tuple[int, int]]:
    """Chunks [first, end) from a loud one to the quiet ones that end it."""
    found: list[tuple[int, int]] = []
    first: int | None = None
    quiet_from: int | None = None
    for index, probability in enumerate(probabilities.tolist()):
        if probability >= rules.speech_threshold:
            first = index if first is None else first
            quiet_from = None
        elif first is not None and probability < rules.silence_threshold:
            quiet_from = index if quiet_from is None else quiet_from
            if index + 1 - quiet_from >= n_silence:
                found.append((first, quiet_from))
                first = quiet_from = None
    if first is not None:
        found.append((first, len(probabilities) if quiet_from is None else quiet_from))
    return found


def _apart(segments: list[SpeechSegment]) -> tuple[SpeechSegment, ...]:
    """Let neighbours that grew into each other meet in the middle."""
    for index, (left, right) in enumerate(pairwise(segments)):
        if left.end_s > right.start_s:
            middle = (left.end_s + right.start_s) / 2
            segments[index] = SpeechSegment(left.start_s, middle, left.confidence)
            segments[index + 1] = SpeechSegment(middle, right.end_s, right.confidence)
    return tuple(segments)


def energy_dbfs(pcm: Pcm) -> float:
    """Tell how loud a clip is: root mean square in dB of full scale; -inf for digital silence or nothing at all."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Chunked:
    """A clip cut for the net."""

    chunks: NDArray[np.float32]
    """Shape (steps, 512), zeros behind the end."""
    n_steps: int
    """Steps that hold sound; the others are padding."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VadOutputs(Outputs):
    """The net's answer to one clip."""

    probabilities: NDArray[np.float32]
    """Of each chunk, shape (steps,)."""


class VadDetector(StagedDetector[AudioClip, Chunked, VadOutputs]):
    """Says where speech is, in `Detection.extras.speech`; it has no findings of its own."""

    name = "vad"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(self, lane: Lane, manifest: Manifest, *, host: Host) -> None:
        """Bind to a lane over a `LockstepSession`.

        Raises:
            ManifestError: a number is missing.
        """
        super().__init__(host, frozenset())
        self._lane = lane
        self._rules = SegmentRules.of(manifest)
        self._n_chunk = int(manifest.number("chunk_n_pcm"))

    def prepare(self, sample: AudioClip) -> Chunked:
        """Cut into chunks, silence where a value is no number, padding to a bucket of steps."""
        pcm = np.nan_to_num(sample.pcm[: int(MAX_CLIP_S * SAMPLE_RATE_HZ)], nan=0.0, posinf=1.0, neginf=-1.0)
        n_steps = math.ceil(len(pcm) / self._n_chunk)
        top = STEP_BUCKETS[-1]
        padded = next((bucket for bucket in STEP_BUCKETS if bucket >= n_steps), math.ceil(n_steps / top) * top)
        chunks = np.zeros(padded * self._n_chunk, np.float32)
        chunks[: len(pcm)] = np.clip(pcm, -1.0, 1.0)
        return Chunked(chunks.reshape(padded, self._n_chunk), n_steps)

    async def infer(self, prepared: Chunked, *, deadline_s: float | None) -> VadOutputs:
        """Wait for the lane; a clip without sound needs none."""
        if prepared.n_steps == 0:
            return VadOutputs(probabilities=np.zeros(0, np.float32))
        ticket = self._lane.submit({CHUNKS: prepared.chunks}, deadline_s=deadline_s)
        speech = (await ticket)[PROBABILITIES][: prepared.n_steps].copy()
        return VadOutputs(probabilities=speech, timings=() if ticket.timing is None else (ticket.timing,))

    def findings(self, outputs: VadOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """None: speech is no violation."""
        return ()

    def extras(self, outputs: VadOutputs, sample: AudioClip) -> Extras:
        """Stretches of speech on the session's timeline, their share, and how loud the clip is."""
        found = speech_segments(
            outputs.probabilities, self._rules, chunk_s=self._n_chunk / SAMPLE_RATE_HZ, duration_s=sample.duration_s
        )
        placed = tuple(SpeechSegment(sample.start_s + one.start_s, sample.start_s + one.end_s, one.confidence) for one in found)
        spoken_s = sum(one.end_s - one.start_s for one in found)
        share = min(1.0, spoken_s / sample.duration_s) if sample.duration_s else 0.0
        finite = np.nan_to_num(sample.pcm, nan=0.0, posinf=1.0, neginf=-1.0)
        return Extras(speech=Speech(placed, share, energy_dbfs(np.clip(finite, -1.0, 1.0))))
