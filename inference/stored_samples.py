"""Stored findings as a replay reads them, one JSON object a line: a whole sample, a violation event's `data`, or one finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from inference.errors import InvalidSample
from inference.samples import Modality, Scene
from inference.verdicts import Box, Finding


@dataclass(frozen=True, slots=True)
class StoredSample:
    """What detectors found on one sample."""

    findings: tuple[Finding, ...]
    room_id: str = ""
    pts_s: float = 0.0
    """Session timeline, seconds."""
    scene: Scene | None = None
    """Where a text came from; None for media."""


@dataclass(frozen=True, slots=True)
class NumberedSample:
    """A sample and where it stands."""

    line: int
    """In the findings file, counted from 1."""
    sample: StoredSample


class _Named(msgspec.Struct):
    name: str


class _Times(msgspec.Struct):
    last_seen_s: float = 0.0


class _Frame(msgspec.Struct):
    boxes: list[Box] = []
    text: str | None = None
    qr: str | None = None


class _Evidence(msgspec.Struct):
    frames: list[_Frame] = []


class _ViolationData(msgspec.Struct):
    """What a replay needs of a violation event's `data`."""

    violation_id: str
    label: str
    score: float
    modality: Modality
    detector: _Named
    room_id: str = ""
    sublabel: str | None = None
    temporal: _Times = msgspec.field(default_factory=_Times)
    evidence: _Evidence = msgspec.field(default_factory=_Evidence)

    def sample(self) -> StoredSample:
        """Make the finding of it that the violation is about."""
        frame = self.evidence.frames[-1] if self.evidence.frames else _Frame()
        finding = Finding(
            self.label,
            self.score,
            self.modality,
            self.detector.name,
            self.temporal.last_seen_s,
            self.sublabel,
            boxes=tuple(frame.boxes),
            text=frame.text,
            qr=frame.qr,
        )
        return StoredSample((finding,), self.room_id, self.temporal.last_seen_s)


class _SingleFinding(msgspec.Struct):
    """A finding by itself."""

    label: str
    score: float
    modality: Modality
    scene: Scene | None = None
    detector: str = "stored"

    def sample(self) -> StoredSample:
        """Make a sample of it."""
        return StoredSample((Finding(self.label, self.score, self.modality, self.detector),), scene=self.scene)


def read_samples(lines: Iterable[bytes]) -> list[NumberedSample]:
    """Read a findings file; empty lines are passed over, and of a violation's events the last one stands for all.

    Raises:
        InvalidSample: a line is none of the three forms; names the line and what is wrong.
    """
    samples: dict[str | int, NumberedSample] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = msgspec.json.decode(line)
            sample = _sample(given)
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidSample(f"findings, line {number}: {error}") from error
        violation = given.get("violation_id")
        samples[number if violation is None else str(violation)] = NumberedSample(number, sample)
    return sorted(samples.values(), key=lambda one: one.line)


def _sample(given: Any) -> StoredSample:
    if not isinstance(given, dict):
        raise ValueError(f"expected a JSON object, got {type(given).__name__}")
    if "findings" in given:
        return msgspec.convert(given, StoredSample)
    if "violation_id" in given:
        return msgspec.convert(given, _ViolationData).sample()
    return msgspec.convert(given, _SingleFinding).sample()
