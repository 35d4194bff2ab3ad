"""The detector that says where somebody speaks; every detector of speech shares its answer (`voice.py`)."""

from __future__ import annotations

from inference.detectors import Extras, StagedDetector
from inference.host import Host
from inference.samples import AudioClip, Modality
from inference.speech.voice import Chunked, VoiceActivity, VoiceOutputs
from inference.verdicts import Finding


class VadDetector(StagedDetector[AudioClip, Chunked, VoiceOutputs]):
    """Says where speech is, in `Detection.extras.speech`; it has no findings of its own."""

    name = "vad"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(self, voice: VoiceActivity, *, host: Host) -> None:
        super().__init__(host, frozenset())
        self._voice = voice

    def prepare(self, sample: AudioClip) -> Chunked:
        """Cut into chunks."""
        return self._voice.prepare(sample)

    async def infer(self, prepared: Chunked, *, deadline_s: float | None) -> VoiceOutputs:
        """Wait for the lane."""
        return await self._voice.listen(prepared, deadline_s=deadline_s)

    def findings(self, outputs: VoiceOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """None: speech is no violation."""
        return ()

    def extras(self, outputs: VoiceOutputs, sample: AudioClip) -> Extras:
        """Stretches of speech on the session's timeline, their share, and how loud the clip is."""
        return Extras(speech=self._voice.speech(outputs, sample))
