"""Where somebody speaks in a clip, worked out once for every detector that asks.

One lane ticket is one clip: `LockstepSession` takes all clips of a batch through their steps together. Who asks second of the same
clip waits for, or gets, the answer to the first.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from inference.detectors import Outputs, Speech, SpeechSegment
from inference.lanes import Lane
from inference.samples import SAMPLE_RATE_HZ, AudioClip
from inference.speech.lockstep import CHUNKS, PROBABILITIES, STEP_BUCKETS
from inference.speech.segments import SegmentRules, energy_dbfs, speech_segments
from inference.tickets import Ticket
from models.manifest import Manifest

MAX_CLIP_S = 600.0
"""Longer sound is looked at up to here; callers cut their streams into clips long before."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunked:
    """A clip cut for the net."""

    clip: AudioClip
    chunks: NDArray[np.float32]
    """Shape (steps, 512), zeros behind the end."""
    n_steps: int
    """Steps that hold sound; the others are padding."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VoiceOutputs(Outputs):
    """The net's answer to one clip."""

    probabilities: NDArray[np.float32]
    """Of each chunk, shape (steps,)."""


class VoiceActivity:
    """The lane of the voice-activity net and what its answers mean. One for all detectors; safe from any thread and event loop."""

    def __init__(self, lane: Lane, manifest: Manifest) -> None:
        """Bind to a lane over a `LockstepSession`.

        Raises:
            ManifestError: a number is missing.
        """
        self._lane = lane
        self._rules = SegmentRules.of(manifest)
        self._n_chunk = int(manifest.number("chunk_n_pcm"))
        self._asked: WeakKeyDictionary[AudioClip, Ticket] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def n_remembered(self) -> int:
        """Clips whose answer is kept: those that somebody still holds."""
        return len(self._asked)

    def prepare(self, clip: AudioClip) -> Chunked:
        """Cut into chunks, silence where a value is no number, padding to a bucket of steps. CPU work."""
        pcm = clean(clip)[: int(MAX_CLIP_S * SAMPLE_RATE_HZ)]
        n_steps = math.ceil(len(pcm) / self._n_chunk)
        top = STEP_BUCKETS[-1]
        padded = next((bucket for bucket in STEP_BUCKETS if bucket >= n_steps), math.ceil(n_steps / top) * top)
        chunks = np.zeros(padded * self._n_chunk, np.float32)
        chunks[: len(pcm)] = pcm
        return Chunked(clip, chunks.reshape(padded, self._n_chunk), n_steps)

    async def listen(self, prepared: Chunked, *, deadline_s: float | None) -> VoiceOutputs:
        """Wait for the lane, or for the answer that somebody else waits for already; a clip without sound needs none.

        Raises:
            Overloaded: the lane's queue is full.
            DeadlineExceeded: the deadline passed before the clip ran.
            ModelError: the net failed.
            NotReady: the lane is not up.
        """
        if prepared.n_steps == 0:
            return VoiceOutputs(probabilities=np.zeros(0, np.float32))
        ticket = self._ticket(prepared, deadline_s)
        speech = (await ticket)[PROBABILITIES][: prepared.n_steps].copy()
        return VoiceOutputs(probabilities=speech, timings=() if ticket.timing is None else (ticket.timing,))

    def speech(self, outputs: VoiceOutputs, clip: AudioClip) -> Speech:
        """Say where speech is on the session's timeline, its share, and how loud the clip is."""
        found = speech_segments(
            outputs.probabilities, self._rules, chunk_s=self._n_chunk / SAMPLE_RATE_HZ, duration_s=clip.duration_s
        )
        placed = tuple(SpeechSegment(clip.start_s + one.start_s, clip.start_s + one.end_s, one.confidence) for one in found)
        spoken_s = sum(one.end_s - one.start_s for one in found)
        share = min(1.0, spoken_s / clip.duration_s) if clip.duration_s else 0.0
        return Speech(placed, share, energy_dbfs(clean(clip)))

    def _ticket(self, prepared: Chunked, deadline_s: float | None) -> Ticket:
        with self._lock:
            ticket = self._asked.get(prepared.clip)
            # One that is over may have been refused, or given up by whoever asked: it answers for that asker only.
            if ticket is None or ticket.failed:
                ticket = self._asked[prepared.clip] = self._lane.submit({CHUNKS: prepared.chunks}, deadline_s=deadline_s)
        return ticket


def clean(clip: AudioClip) -> NDArray[np.float32]:
    """Return a clip's PCM within [-1, 1], silence where a value is no number."""
    return np.clip(np.nan_to_num(clip.pcm, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
