"""Sounds that need no words: any ONNX network of task `audio.classify` with a manifest, over windows of a clip, through a lane.

    clip      |---------------------------|
    windows   |--window_s--|
                    |--window_s--|             every_s further on
                            |--window_s--|     the last one ends with the clip

    postprocess:                 # of the manifest
      window_s: 2.0              # what the network hears at once, seconds
      every_s: 1.0               # from one window to the next
      mel_bands: 40              # with it log-mels as `models/log_mels.py` reads them; without it the network takes PCM
      min_energy_dbfs: -55       # quieter windows are not asked about

The graph answers one score per class; a class's calibration maps it to 0..1. Classes without a label are what it is not.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.detectors import Outputs, StagedDetector, timings_of
from inference.errors import ConfigError
from inference.host import Host
from inference.lanes import Lane
from inference.samples import SAMPLE_RATE_HZ, AudioClip, Modality, Pcm
from inference.speech.segments import energy_dbfs
from inference.speech.voice import MAX_CLIP_S, clean
from inference.tickets import Timing
from inference.verdicts import Finding, Heard
from models.log_mels import MelSpec, log_mels
from models.manifest import ClassSpec, Manifest

TASK = "audio.classify"
MIN_ENERGY_DBFS = -55.0
TOGETHER = 32
"""Windows of one clip that wait in a lane at a time, so that a long clip leaves room for others."""


@dataclass(frozen=True, slots=True)
class SoundSpec:
    """What a manifest says of a network of sound classes, ready for use."""

    input: str
    output: str
    mels: MelSpec | None
    """None for a network that takes PCM."""
    window_n: int
    """PCM values of a window."""
    hop_n: int
    """PCM values from one window to the next."""
    min_energy_dbfs: float
    classes: tuple[ClassSpec, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> SoundSpec:
        """Read it.

        Raises:
            ConfigError: the manifest is of another task, or its tensors are not those of such a network.
            ManifestError: a number is missing or out of range.
        """
        if manifest.task != TASK:
            raise ConfigError(f"{manifest.ref} has the task {manifest.task!r}; sound classes need {TASK!r}")
        if not manifest.labels:
            raise ConfigError(f"{manifest.ref} maps no class to a label; give at least one class its label")
        numbers = manifest.postprocess
        spec = cls(
            input=manifest.inputs[0].name,
            output=manifest.outputs[0].name,
            mels=MelSpec.of(numbers),
            window_n=round(manifest.number("window_s") * SAMPLE_RATE_HZ),
            hop_n=round(manifest.number("every_s") * SAMPLE_RATE_HZ),
            min_energy_dbfs=numbers.get("min_energy_dbfs", MIN_ENERGY_DBFS),
            classes=manifest.classes,
        )
        if spec.hop_n < 1 or spec.window_n < spec.hop_n:
            raise ConfigError(f"{manifest.ref}: need 0 < every_s <= window_s, got {numbers['every_s']} and {numbers['window_s']}")
        wanted = spec.row_shape
        given = manifest.inputs[0].shape[1:]
        fits = len(given) == len(wanted) and all(own in (None, size) for own, size in zip(given, wanted, strict=True))
        if len(manifest.inputs) != 1 or not fits:
            raise ConfigError(f"{manifest.ref}: its windows are {list(wanted)}, its input {spec.input} takes {list(given)}")
        return spec

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one window as the network takes it."""
        return (self.window_n,) if self.mels is None else (self.mels.n_frames(self.window_n), self.mels.n_bands)

    def row(self, pcm: Pcm) -> NDArray[np.float32]:
        """Make the network's input of one window, `window_n` PCM values. CPU work."""
        return np.ascontiguousarray(pcm if self.mels is None else log_mels(pcm, self.mels), np.float32)


@dataclass(frozen=True, slots=True)
class SoundModel:
    """A network in its lane."""

    lane: Lane
    spec: SoundSpec


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window of a clip, on its way through one network."""

    start_s: float
    """From the clip's beginning, seconds."""
    row: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a network says of one window."""

    start_s: float
    scores: NDArray[np.float32]
    """Of each class, as the graph answers, shape (classes,)."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SoundOutputs(Outputs):
    """What every network says of one clip."""

    scored: tuple[tuple[Scored, ...], ...]
    """By network, then by window."""


class SoundDetector(StagedDetector[AudioClip, tuple[tuple[Window, ...], ...], SoundOutputs]):
    """Reports sound classes; one finding per class and clip, with the time it was heard. Several networks speak for themselves."""

    name = "sound"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(self, models: Sequence[SoundModel], *, host: Host) -> None:
        """Bind to the lanes of the networks.

        Args:
            models: at least one.
            host: threads and clock.
        """
        labels = {row.label for model in models for row in model.spec.classes if row.label is not None}
        super().__init__(host, frozenset(labels))
        self._models = tuple(models)

    def prepare(self, sample: AudioClip) -> tuple[tuple[Window, ...], ...]:
        """Cut into each network's windows; silence where a value is no number, quiet windows left out."""
        pcm = clean(sample)[: int(MAX_CLIP_S * SAMPLE_RATE_HZ)]
        return tuple(tuple(_windows(pcm, model.spec)) for model in self._models)

    async def infer(self, prepared: tuple[tuple[Window, ...], ...], *, deadline_s: float | None) -> SoundOutputs:
        """Wait for the lanes."""
        scored: list[tuple[Scored, ...]] = []
        timings: tuple[Timing, ...] = ()
        for model, windows in zip(self._models, prepared, strict=True):
            found: list[Scored] = []
            for first in range(0, len(windows), TOGETHER):
                group = windows[first : first + TOGETHER]
                tickets = [model.lane.submit({model.spec.input: one.row}, deadline_s=deadline_s) for one in group]
                rows = await asyncio.gather(*tickets)
                timings += timings_of(tickets)
                found += [Scored(one.start_s, row[model.spec.output]) for one, row in zip(group, rows, strict=True)]
            scored.append(tuple(found))
        return SoundOutputs(scored=tuple(scored), timings=timings)

    def findings(self, outputs: SoundOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """One finding for each class over its floor, at its surest."""
        found: list[Finding] = []
        for model, scored in zip(self._models, outputs.scored, strict=True):
            for row in model.spec.classes:
                if row.label is not None:
                    found += self._of_class(model, row, scored, sample)
        return tuple(found)

    def _of_class(self, model: SoundModel, row: ClassSpec, scored: Sequence[Scored], sample: AudioClip) -> list[Finding]:
        heard = loudest_run(
            [(one.start_s, float(row.calibration.apply(one.scores[row.index]))) for one in scored], row.threshold, model.spec
        )
        if heard is None:
            return []
        start_s = sample.start_s + heard.start_s
        end_s = min(sample.end_s, sample.start_s + heard.end_s)
        finding = Finding(
            row.label or "",
            round(heard.score, 4),
            self.modality,
            self.name,
            pts_s=start_s,
            sublabel=row.name,
            model=model.lane.session.ref,
            heard=Heard(start_s, end_s),
        )
        return [finding]


@dataclass(frozen=True, slots=True)
class Run:
    """Windows one after another in which a class was heard."""

    start_s: float
    """From the clip's beginning, seconds."""
    end_s: float
    score: float
    """Of the surest of them, 0..1."""


def loudest_run(scores: Sequence[tuple[float, float]], threshold: float, spec: SoundSpec) -> Run | None:
    """Find the run of windows around the surest one.

    Args:
        scores: (start in seconds, calibrated score) of every window that was scored, in order.
        threshold: windows below it are not heard.
        spec: how long windows are, and how far apart.

    Returns:
        None where no window reaches the threshold.
    """
    window_s, hop_s = spec.window_n / SAMPLE_RATE_HZ, spec.hop_n / SAMPLE_RATE_HZ
    best: Run | None = None
    run: Run | None = None
    before_s = -math.inf
    for start_s, score in scores:
        if score < threshold or score <= 0.0:
            run = None
            continue
        goes_on = run is not None and start_s - before_s <= hop_s + 1e-6
        run = Run(
            run.start_s if run and goes_on else start_s, start_s + window_s, max(score, run.score if run and goes_on else 0.0)
        )
        before_s = start_s
        if best is None or run.score > best.score or run.start_s == best.start_s:
            best = run
    return best


def _windows(pcm: Pcm, spec: SoundSpec) -> Iterator[Window]:
    """Cut the windows that are loud enough; a clip shorter than one is filled up with silence."""
    if not len(pcm):
        return
    padded = pcm if len(pcm) >= spec.window_n else np.concatenate([pcm, np.zeros(spec.window_n - len(pcm), np.float32)])
    last = len(padded) - spec.window_n
    for first in sorted({*range(0, last, spec.hop_n), last}):
        piece = padded[first : first + spec.window_n]
        if energy_dbfs(piece) >= spec.min_energy_dbfs:
            yield Window(first / SAMPLE_RATE_HZ, spec.row(piece))
