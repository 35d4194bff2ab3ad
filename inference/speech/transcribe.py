"""What was said in a clip, where a deployment has a recogniser: stretches of speech in, the text engine's findings out, with times.

    clip -> voice activity -> gate -> recogniser, stretch by stretch -> one transcript -> text engine (scene asr) -> findings

Off unless `speech.transcriber` names a recogniser; the adapters are `ctc_transcriber.py` and `sherpa.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from inference.detectors import Extras, Outputs, StagedDetector, TextReader
from inference.host import Host
from inference.samples import AudioClip, Modality, Pcm, Scene
from inference.speech.gate import GateRules, Stretch, believable, worth_hearing
from inference.speech.transcript import Transcript, one_after_another
from inference.speech.voice import Chunked, VoiceActivity, clean
from inference.verdicts import Finding, Heard, ModelRef


class Transcriber(Protocol):
    """A recogniser, as the detector knows it. Bounded: more work than it takes is refused, never piled up."""

    @property
    def ref(self) -> ModelRef:
        """What findings call it."""
        ...

    @property
    def max_s(self) -> float:
        """Longest piece of speech it takes, seconds."""
        ...

    async def transcribe(self, pcm: Pcm, *, deadline_s: float | None) -> Transcript:
        """Recognise one piece of speech; may be awaited on any event loop.

        Args:
            pcm: mono at 16 kHz, float32 in [-1, 1], shape (T,), at most `max_s`.
            deadline_s: absolute moment of the monotonic clock after which the answer is of no use.

        Returns:
            words with times from the beginning of `pcm`; empty where nothing was understood.

        Raises:
            Overloaded: too much waits already.
            DeadlineExceeded: the deadline passed before it began.
            NotReady: it is not up.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TranscriptOutputs(Outputs):
    """What was said in one clip."""

    transcript: Transcript
    """Times on the session's timeline."""
    confidence: float = 0.0
    """How sure the voice-activity net is that somebody spoke there, 0..1."""
    n_doubted: int = 0
    """Answers of the recogniser that were not believed."""


class TranscriptDetector(StagedDetector[AudioClip, Chunked, TranscriptOutputs]):
    """Reports what the text engine finds in what is said; the transcript itself is in `Detection.extras.transcript`."""

    name = "asr"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(
        self,
        transcriber: Transcriber,
        voice: VoiceActivity,
        read: TextReader,
        *,
        host: Host,
        text_labels: frozenset[str],
        rules: GateRules | None = None,
    ) -> None:
        """Bind to a recogniser.

        Args:
            transcriber: the recogniser.
            voice: says where speech is.
            read: the text engine.
            host: threads and clock.
            text_labels: every code the text engine may report.
            rules: what is worth recognising.
        """
        super().__init__(host, text_labels)
        self._transcriber = transcriber
        self._voice = voice
        self._read = read
        self._rules = rules or GateRules()

    def prepare(self, sample: AudioClip) -> Chunked:
        """Cut into chunks for the voice-activity net."""
        return self._voice.prepare(sample)

    async def infer(self, prepared: Chunked, *, deadline_s: float | None) -> TranscriptOutputs:
        """Find speech, then recognise it stretch by stretch, so that one long clip fills no queue."""
        clip = prepared.clip
        heard = await self._voice.listen(prepared, deadline_s=deadline_s)
        stretches = await self._host.run(
            self.name,
            lambda: worth_hearing(
                self._voice.speech(heard, clip).segments,
                clean(clip),
                self._rules,
                clip_start_s=clip.start_s,
                max_s=self._transcriber.max_s,
            ),
            deadline_s=deadline_s,
        )
        parts = [(stretch, await self._transcriber.transcribe(stretch.pcm, deadline_s=deadline_s)) for stretch in stretches]
        return self._outputs([(stretch, part) for stretch, part in parts if part.text])

    def findings(self, outputs: TranscriptOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """What the text engine says of the transcript, each finding with the time of its words."""
        if not outputs.transcript.text:
            return ()
        return tuple(self._finding(one, outputs, sample) for one in self._read(outputs.transcript.text, Scene.ASR))

    def extras(self, outputs: TranscriptOutputs, sample: AudioClip) -> Extras:
        """The transcript, and how many answers were not believed."""
        return Extras(transcript=outputs.transcript, n_dropped=outputs.n_doubted)

    def _outputs(self, parts: list[tuple[Stretch, Transcript]]) -> TranscriptOutputs:
        believed = [one for one in parts if believable(one[1], one[0].duration_s, self._rules)]
        return TranscriptOutputs(
            transcript=one_after_another([part.moved(stretch.start_s) for stretch, part in believed]),
            confidence=min((stretch.confidence for stretch, _ in believed), default=0.0),
            n_doubted=len(parts) - len(believed),
        )

    def _finding(self, finding: Finding, outputs: TranscriptOutputs, sample: AudioClip) -> Finding:
        said = outputs.transcript.at(finding.match.spans) if finding.match else None
        # Where the recogniser does not say how sure it is of the words, that somebody spoke at all is what is known.
        sure = outputs.confidence if said is None or said.score is None else said.score
        start_s, end_s = (sample.start_s, sample.end_s) if said is None else (said.start_s, said.end_s)
        return replace(
            finding,
            score=round(finding.score * sure, 4),
            modality=self.modality,
            detector=self.name,
            pts_s=start_s,
            model=self._transcriber.ref,
            text=outputs.transcript.text,
            heard=Heard(start_s, end_s),
        )
