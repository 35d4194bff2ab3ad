"""The seam every detector keeps: `prepare → infer → findings`, and what one detection carries.

Adding a detector is one class that keeps it, one manifest and one policy line; a test suite runs over every one of them.
What is done about findings is for the policy; which detectors a deployment has, for `registry.py`.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar, cast

from inference.errors import LivewardenError, ModelError
from inference.host import Host
from inference.samples import AudioClip, FrameSample, Modality, Scene
from inference.speech.transcript import Transcript
from inference.tickets import Ticket, Timing
from inference.verdicts import Box, Finding

log = logging.getLogger(__name__)

TextReader = Callable[[str, Scene], Sequence[Finding]]
"""The text engine as detectors see it: what does this text say."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text read from a picture."""

    text: str
    box: Box
    """Upright rectangle around the line, fractions of the frame; its score is how sure it is that text is there."""
    score: float
    """Mean probability of the characters read, 0..1."""


LineReader = Callable[[TextLine], Sequence[Finding]]
"""What a line says by where it stands, too: the words of enrolled logos."""


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """A stretch of speech `[start_s, end_s)` on the session's timeline."""

    start_s: float
    end_s: float
    confidence: float
    """Mean probability of speech over the stretch, 0..1."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Where somebody speaks in a clip, and how loud the clip is."""

    segments: tuple[SpeechSegment, ...]
    """In order, not overlapping."""
    share: float
    """Part of the clip that is speech, 0..1."""
    energy_dbfs: float
    """Root mean square of the clip in dB of full scale; -inf for digital silence."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a detector learnt besides findings, for whoever comes after it."""

    lines: tuple[TextLine, ...] = ()
    """Text on the picture, from top to bottom (`ocr`)."""
    speech: Speech | None = None
    """Speech in the clip (`vad`)."""
    transcript: Transcript | None = None
    """What was said in the clip (`asr`)."""
    n_dropped: int = 0
    """Candidates that were over a bound and not looked at."""


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Where the time of one detection went, seconds."""

    prepare_s: float
    """Own work before the models, waiting for a thread included."""
    queue_s: float
    """Waiting in lanes."""
    infer_s: float
    """In batches of lanes; the whole middle stage of a detector without one."""
    findings_s: float
    """Own work behind the models, waiting for a thread included."""
    total_s: float
    """From call to answer."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's answer to one sample."""

    detector: str
    findings: tuple[Finding, ...]
    timing: StageTiming
    extras: Extras = field(default_factory=Extras)

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """Text on the picture; empty for detectors that do not read."""
        return self.extras.lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came back from the lanes; each detector has its own kind."""

    timings: tuple[Timing, ...] = ()
    """Of every lane ticket that was waited for one after the other."""


class Detector(Protocol):
    """What the engine and the worker know of a detector."""

    @property
    def name(self) -> str:
        """How policies, metrics and findings call it."""
        ...

    @property
    def modality(self) -> Modality:
        """Which samples it takes."""
        ...

    @property
    def labels(self) -> frozenset[str]:
        """Every taxonomy code it may report."""
        ...

    async def detect(self, sample: FrameSample | AudioClip, *, deadline_s: float | None = None) -> Detection:
        """Look at one sample; see `StagedDetector.detect`."""
        ...

    def forget(self, room_id: str) -> None:
        """Drop what is remembered of a room."""
        ...


S = TypeVar("S", FrameSample, AudioClip)
P = TypeVar("P")
O = TypeVar("O", bound=Outputs)  # noqa: E741  the letter says outputs; it is a type, not a number


class StagedDetector(ABC, Generic[S, P, O]):
    """Composes the three stages; CPU stages run on the host's threads, the middle one waits for lanes."""

    name: ClassVar[str]
    modality: ClassVar[Modality]
    takes: ClassVar[type[FrameSample] | type[AudioClip]]

    def __init__(self, host: Host, labels: frozenset[str]) -> None:
        self._host = host
        self.labels = labels

    @abstractmethod
    def prepare(self, sample: S) -> P:
        """Turn a sample into what the lanes take. CPU work; thread-safe."""

    @abstractmethod
    async def infer(self, prepared: P, *, deadline_s: float | None) -> O:
        """Wait for the lanes. CPU work in between goes to the host's threads."""

    @abstractmethod
    def findings(self, outputs: O, sample: S) -> tuple[Finding, ...]:
        """Turn outputs into findings. CPU work; thread-safe, same inputs, same findings."""

    def extras(self, outputs: O, sample: S) -> Extras:
        """What was learnt besides findings. CPU work; thread-safe."""
        return Extras()

    def forget(self, room_id: str) -> None:
        """Drop what is remembered of a room; most detectors remember nothing."""

    async def detect(self, sample: FrameSample | AudioClip, *, deadline_s: float | None = None) -> Detection:
        """Look at one sample.

        Args:
            sample: of the kind that `modality` says.
            deadline_s: absolute moment of the monotonic clock after which the answer is of no use.

        Raises:
            TypeError: the sample is of another kind.
            DeadlineExceeded: the deadline passed before a stage began.
            Overloaded: a lane's queue, or the threads', is full.
            NotReady: a lane or the threads are not up.
            ModelError: a model, or this detector itself, failed on the sample.
        """
        if not isinstance(sample, self.takes):
            raise TypeError(f"detector {self.name} takes {self.takes.__name__}, got {type(sample).__name__}")
        try:
            detection = await self._staged(cast(S, sample), deadline_s)
        except LivewardenError as exc:
            self._host.metrics.samples_failed.labels(self.name, type(exc).__name__).inc()
            raise
        except Exception as exc:
            log.exception("a detector failed on a sample", extra={"detector": self.name})
            self._host.metrics.samples_failed.labels(self.name, type(exc).__name__).inc()
            raise ModelError(self.name, exc) from exc
        self._record(detection)
        return detection

    async def _staged(self, sample: S, deadline_s: float | None) -> Detection:
        clock = self._host.clock
        began_s = clock.now_s()
        prepared = await self._host.run(self.name, lambda: self.prepare(sample), deadline_s=deadline_s)
        prepared_s = clock.now_s()
        outputs = await self.infer(prepared, deadline_s=deadline_s)
        inferred_s = clock.now_s()
        # No deadline any more: the costly part is paid for.
        found, extras = await self._host.run(
            self.name, lambda: (self.findings(outputs, sample), self.extras(outputs, sample)), deadline_s=None
        )
        done_s = clock.now_s()
        queue_s = sum(timing.wait_s for timing in outputs.timings)
        infer_s = sum(timing.infer_s for timing in outputs.timings) if outputs.timings else inferred_s - prepared_s
        between_s = max(0.0, inferred_s - prepared_s - queue_s - infer_s)  # own work between two lanes counts as post-processing
        timing = StageTiming(prepared_s - began_s, queue_s, infer_s, done_s - inferred_s + between_s, done_s - began_s)
        return Detection(self.name, found, timing, extras)

    def _record(self, detection: Detection) -> None:
        metrics, timing = self._host.metrics, detection.timing
        stages = {"prepare": timing.prepare_s, "queue": timing.queue_s, "infer": timing.infer_s, "findings": timing.findings_s}
        for stage, seconds in stages.items():
            metrics.detect_seconds.labels(self.name, stage).observe(seconds)
        for label in {finding.label for finding in detection.findings}:
            metrics.findings.labels(self.name, label).inc()


def timings_of(tickets: Sequence[Ticket]) -> tuple[Timing, ...]:
    """Sum up tickets that were waited for together: the one that was answered last stands for all."""
    done = [ticket.timing for ticket in tickets if ticket.timing is not None]
    return (max(done, key=lambda timing: timing.done_s),) if done else ()
