"""What goes into the violation tracker and what comes out: one look at a room, and one step in a violation's life. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from inference.rules import Reason
from inference.samples import Modality, Scene
from inference.verdicts import Decision, Judged, ModelRef, PolicyRef


class Kind(StrEnum):
    """What happened to a violation."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class RoomRef:
    """Whose violation it is."""

    room_id: str
    session_id: str
    biz: str = "default"
    anchor_uid: str | None = None
    pass_through: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """One sample that one detector looked at, with what the policy says of it; also when nothing was found."""

    room: RoomRef
    detector: str
    modality: Modality
    pts_s: float
    captured_at: datetime
    judged: tuple[Judged, ...] = ()
    """Every finding with its own decision; empty where nothing was found."""
    scene: Scene | None = None
    evidence: tuple[Any, ...] = ()
    """References to stored media of this sample; carried, never opened."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in a violation's life, with everything an alert says."""

    kind: Kind
    violation_id: str
    seq: int
    room: RoomRef
    label: str
    sublabel: str | None
    decision: Decision
    severity: int
    action_hint: str
    score: float
    modality: Modality
    detector: str
    model: ModelRef | None
    policy: PolicyRef
    rule: str
    hits: int
    window: int
    first_seen_s: float
    last_seen_s: float
    captured_at: datetime
    reason: Reason
    evidence: tuple[Any, ...] = ()
