"""What the HTTP routes and the command line ask of whoever watches the rooms: the worker beside them, or a cluster of workers.

`streams/worker.py` is the worker in this process, `streams/cluster.py` stands for workers elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from inference.samples import Modality, Pcm, Pixels
from inference.schemas import TextAnswer
from inference.verdicts import Verdict
from streams.rooms import RoomSpec

View = Mapping[str, Any]
"""A JSON object for the eyes of people and dashboards; its fields are described in `streams/README.md`."""


class Queued(StrEnum):
    """What became of a pushed sample."""

    ACCEPTED = "accepted"
    """It waits to be looked at."""
    NOT_DUE = "not_due"
    """No detector is due for this room now; the policy's cadence is kept for pushed rooms too."""
    REPEATED = "repeated"
    """The picture is the one looked at before; its findings hold."""


@dataclass(frozen=True, slots=True, eq=False)
class PushedFrame:
    """One picture that a platform pushed."""

    pixels: Pixels
    """RGB, uint8, shape (H, W, 3)."""
    captured_at: datetime | None = None
    """When it was taken, as the platform says, aware; None: now."""


@dataclass(frozen=True, slots=True, eq=False)
class PushedSound:
    """A stretch of sound that a platform pushed; neighbouring pushes are one stream."""

    pcm: Pcm
    """Mono float32 in [-1, 1] at 16 kHz, shape (T,)."""
    captured_at: datetime | None = None
    """When its end was taken, as the platform says, aware; None: now."""


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What became of one push."""

    modality: Modality
    queued: Queued
    pts_s: float
    """Where on the session's timeline it was put, seconds."""
    verdict: Verdict | None = None
    """The policy's answer, where somebody waited for it."""
    degraded: tuple[str, ...] = ()
    """Detectors that did not answer, where somebody waited."""


@dataclass(frozen=True, slots=True)
class DanmakuLine:
    """One chat line of a room."""

    text: str
    uid: str | None = None
    message_id: str | None = None


class RoomDesk(Protocol):
    """Where rooms are put up for watching, fed and described. Awaited on the API's event loop."""

    async def watch(self, room: RoomSpec) -> None:
        """Begin to watch a room, or change how it is watched; durable when it returns.

        Raises:
            InvalidSample: the policy it names does not exist.
            Overloaded: no more rooms fit.
        """
        ...

    async def unwatch(self, room_id: str) -> None:
        """Stop watching a room.

        Raises:
            NotFound: it is not watched.
        """
        ...

    async def views(self) -> Sequence[View]:
        """Describe every room."""
        ...

    async def view(self, room_id: str) -> View:
        """Describe one room.

        Raises:
            NotFound: it is not watched.
        """
        ...

    async def push_frame(self, room_id: str, frame: PushedFrame, *, wait: bool) -> PushAnswer:
        """Take a picture of a room whose media are pushed.

        Raises:
            NotFound: the room is not watched.
            InvalidSample: its media are pulled, or the moment of capture cannot be.
        """
        ...

    async def push_sound(self, room_id: str, sound: PushedSound) -> PushAnswer:
        """Take sound of a room whose media are pushed; raises as `push_frame`."""
        ...

    async def danmaku(self, room_id: str, lines: Sequence[DanmakuLine]) -> Sequence[TextAnswer]:
        """Check chat lines of a room, in order; what is found becomes a violation of the room, and a spike raises its sampling.

        Raises:
            NotFound: the room is not watched.
        """
        ...

    async def review(self, violation_id: str, *, overturned: bool) -> None:
        """Tell whoever holds the violation open that a person overturned it, or took that back."""
        ...

    async def status(self) -> View:
        """Describe the whole: models, device, broker, totals."""
        ...

    def unready(self) -> Sequence[str]:
        """Say what is not up yet; empty when ready."""
        ...


def joined(verdicts: Sequence[Verdict]) -> Verdict:
    """Put the verdicts of several detectors on one sample together: the harshest decides, all findings are in."""
    decisive = max(verdicts, key=lambda verdict: verdict.decision.rank)
    judged = sorted(
        (one for verdict in verdicts for one in verdict.judged), key=lambda one: (-one.decision.rank, -one.finding.score)
    )
    return Verdict(decisive.decision, decisive.policy, tuple(judged), decisive.shadow)
