"""The detector that says where somebody speaks; every detector of speech shares its answer (`voice.py`).

It knows how loud a clip is, so it says where a stream is mute, too.
"""

from __future__ import annotations

import numpy as np

from inference.detectors import Extras, StagedDetector
from inference.host import Host
from inference.samples import AudioClip, Modality
from inference.speech.voice import Chunked, VoiceActivity, VoiceOutputs
from inference.verdicts import Finding

MUTE = "quality.mute"
MUTE_PEAK = 0.001
"""A clip whose loudest sample is below this, of 1, is mute: the noise of a microphone nobody speaks into is above."""
MUTE_SCORE = 0.95
MUTE_CLIP_S = 2.0
"""Shorter clips are too short to be called mute, seconds."""


class VadDetector(StagedDetector[AudioClip, Chunked, VoiceOutputs]):
    """Says where speech is, in `Detection.extras.speech`; its one finding is a stream without sound."""

    name = "vad"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(self, voice: VoiceActivity, *, host: Host) -> None:
        super().__init__(host, frozenset({MUTE}))
        self._voice = voice

    def prepare(self, sample: AudioClip) -> Chunked:
        """Cut into chunks."""
        return self._voice.prepare(sample)

    async def infer(self, prepared: Chunked, *, deadline_s: float | None) -> VoiceOutputs:
        """Wait for the lane."""
        return await self._voice.listen(prepared, deadline_s=deadline_s)

    def findings(self, outputs: VoiceOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """A mute clip of a room; speech is no violation."""
        if not sample.room_id or sample.duration_s < MUTE_CLIP_S or not float(np.abs(sample.pcm).max()) < MUTE_PEAK:
            return ()  # a clip of no numbers is broken, not mute
        return (Finding(label=MUTE, score=MUTE_SCORE, modality=self.modality, detector=self.name, pts_s=sample.end_s),)

    def extras(self, outputs: VoiceOutputs, sample: AudioClip) -> Extras:
        """Stretches of speech on the session's timeline, their share, and how loud the clip is."""
        return Extras(speech=self._voice.speech(outputs, sample))
