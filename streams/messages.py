"""What the worker and a decoder child say to each other, as MessagePack: plain values, nothing that could run code.

A child works on bytes that strangers sent, so what comes from it is checked like any input.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import msgspec

from streams.sampling import SamplingMode, SamplingPlan
from streams.status import SourceReason, SourceState
from streams.urls import UrlPolicy

MAX_MESSAGE_BYTES = 64 * 1024


class ReadMode(StrEnum):
    """How a source is read."""

    LIVE = "live"
    """As it comes; what cannot be handed over now is dropped and counted."""
    FILE = "file"
    """As fast as it is taken; waits instead of dropping, times from 0, never reconnects."""


class ChildSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a decoder child is told once, when it starts."""

    policy: UrlPolicy
    open_timeout_s: float
    read_timeout_s: float
    retry_budget_s: float
    """A live source that gave nothing for this long is given up, seconds."""
    ended_after_s: float
    """A live source that ended and is not found again for this long is over, seconds."""
    memory_bytes: int
    """Private memory the child may use; a decompression bomb meets this wall in its own process."""


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Worker to child: open this source."""

    watch_id: int
    seat: int
    """Entry of the slab's room table."""
    seed: str
    """Seeds the room's jitter."""
    url: str
    mode: ReadMode
    plan: SamplingPlan
    session_started_s: float
    floor_s: float
    """Session time handed over before; nothing comes earlier."""


class ChangePlan(msgspec.Struct, frozen=True, tag="plan"):
    """Worker to child: sample it differently from now on."""

    watch_id: int
    plan: SamplingPlan


class Unwatch(msgspec.Struct, frozen=True, tag="unwatch"):
    """Worker to child: close it; answered by `Gone`."""

    watch_id: int


class FrameReady(msgspec.Struct, frozen=True, tag="frame"):
    """Child to worker: a picture lies in the slab."""

    watch_id: int
    slot: int
    n_slots: int
    width: int
    height: int
    full_range: bool
    bt709: bool
    pts_s: float
    captured_s: float
    captured_unix_s: float


class ClipReady(msgspec.Struct, frozen=True, tag="clip"):
    """Child to worker: a window of sound lies in the slab."""

    watch_id: int
    slot: int
    n_slots: int
    n_pcm: int
    start_s: float
    captured_s: float
    captured_unix_s: float
    last: bool


class Figures(msgspec.Struct, frozen=True, tag="figures"):
    """Child to worker: how the room stands; counts are since the child took it."""

    watch_id: int
    state: SourceState
    reason: SourceReason | None
    detail: str
    mode: SamplingMode
    effective_fps: float
    gop_s: float | None
    width: int
    height: int
    codec: str
    pts_s: float
    duration_s: float | None
    n_corrupt: int
    n_reconnects: int
    drops: dict[str, int]


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Child to worker: the room's thread has ended and its seat is free."""

    watch_id: int


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Child to worker: ready to take rooms."""

    pid: int


Command = Watch | ChangePlan | Unwatch
Report = FrameReady | ClipReady | Figures | Gone | Hello

_ENCODER = msgspec.msgpack.Encoder()


@cache
def _decoders() -> tuple[msgspec.msgpack.Decoder[Command], msgspec.msgpack.Decoder[Report]]:
    return msgspec.msgpack.Decoder(Command), msgspec.msgpack.Decoder(Report)


def encode(message: Command | Report) -> bytes:
    """Write a message."""
    return _ENCODER.encode(message)


def decode_command(data: bytes) -> Command:
    """Read what the worker said."""
    return _decoders()[0].decode(data)


def decode_report(data: bytes) -> Report:
    """Read what a child said.

    Raises:
        msgspec.DecodeError: it is not a message of ours.
    """
    return _decoders()[1].decode(data)
