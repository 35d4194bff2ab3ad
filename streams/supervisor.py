"""The worker's pool of decoder children: shares rooms among them, hands their samples on, and replaces those that die.

A spare child stands ready, so the rooms of one that died are opened again at once. A room that was inside FFmpeg when its child
died is a suspect; twice a suspect, it is decoded alone (`streams/quarantine.py`). FFmpeg itself is never loaded in this process.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inference.clock import Clock, SystemClock
from inference.metrics import Metrics
from inference.samples import SAMPLE_RATE_HZ
from streams.decoder import Decoder, DecoderLost
from streams.decoders import Decoders, PoolLimits
from streams.intake import audio_clip, drop, frame_sample, with_figures
from streams.messages import (
    ChangePlan,
    ChildSettings,
    ClipReady,
    Figures,
    FrameReady,
    Gone,
    Hello,
    ReadMode,
    Report,
    Unwatch,
    Watch,
)
from streams.orders import MediaSink, WatchOrder
from streams.quarantine import Record
from streams.sampling import SamplingPlan
from streams.settings import Settings
from streams.status import SourceReason, SourceState, SourceStatus
from streams.urls import UrlPolicy

log = logging.getLogger(__name__)

TICK_S = 0.25
MESSAGES_PER_TURN = 64
"""Taken from one child before the next has its turn."""
CLOSE_TIMEOUT_S = 15.0


@dataclass(slots=True, eq=False)
class _Room:
    """A watched room."""

    order: WatchOrder
    watch_id: int
    status: SourceStatus
    plan: SamplingPlan
    record: Record = field(default_factory=Record)
    decoder: Decoder | None = None
    floor_s: float = 0.0
    """Session time up to which pictures were handed over."""
    heard_until_s: float = 0.0
    n_frames: int = 0
    n_clips: int = 0
    base: SourceStatus | None = None
    """Counts of the decoders before the present one."""


def _died(status: SourceStatus, state: SourceState, how: str) -> SourceStatus:
    return replace(status, state=state, reason=SourceReason.DECODER_DIED, detail=f"its decoder ended ({how})")


class DecoderPool:
    """Decodes rooms in child processes. Public methods are safe from any thread and return at once; `close` waits for the end.

    `start` → `watch` / `change_plan` / `unwatch` in any order → `close`, after which no process and no memory is left.
    """

    def __init__(
        self,
        sink: MediaSink,
        limits: PoolLimits | None = None,
        *,
        policy: UrlPolicy | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._sink, self._metrics = sink, metrics
        self._clock = clock or SystemClock()
        self._limits = limits or PoolLimits()
        self._settings = ChildSettings(
            policy=policy or UrlPolicy(),
            open_timeout_s=self._limits.open_timeout_s,
            read_timeout_s=self._limits.read_timeout_s,
            retry_budget_s=self._limits.retry_budget_s,
            ended_after_s=self._limits.ended_after_s,
            memory_bytes=self._limits.memory_bytes,
        )
        self._rooms: dict[str, _Room] = {}
        self._by_watch: dict[int, _Room] = {}
        self._decoders = Decoders(self._settings, self._limits)
        self._homeless: deque[_Room] = deque()
        self._ids = itertools.count(1)
        self._requests: deque[Callable[[], None]] = deque()
        self._statuses: dict[str, SourceStatus] = {}
        self._closing = threading.Event()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="decoder-pool", daemon=True)

    @classmethod
    def from_settings(
        cls, sink: MediaSink, settings: Settings, *, clock: Clock, metrics: Metrics | None = None, policy: UrlPolicy | None = None
    ) -> DecoderPool:
        """Make a pool as the deployment's settings say; `policy` where other sources are allowed than for rooms."""
        given = settings.decoders
        limits = PoolLimits(
            rooms_per_decoder=given.rooms_per_decoder,
            slab_bytes=given.slab_mib * 1024 * 1024,
            open_timeout_s=given.open_timeout_s,
            read_timeout_s=given.read_timeout_s,
        )
        return cls(sink, limits, policy=policy or settings.url_policy, clock=clock, metrics=metrics)

    def start(self) -> None:
        """Start the pool's thread, which starts the first children."""
        self._decoders.wake_by(self._wake_in)
        self._thread.start()

    def watch(self, order: WatchOrder) -> None:
        """Begin to watch a room; an order for a room that is watched already replaces the one before."""
        self._request(lambda: self._add(order))

    def change_plan(self, room_id: str, plan: SamplingPlan) -> None:
        """Sample a room differently from now on; unknown rooms are ignored. Whether sound is decoded is settled at its opening."""
        self._request(lambda: self._change_plan(room_id, plan))

    def unwatch(self, room_id: str) -> None:
        """Stop watching a room; nothing of it reaches the sink once the pool's thread has taken notice."""
        self._request(lambda: self._remove(room_id))

    def status(self, room_id: str) -> SourceStatus | None:
        """How a room's source stands, or None when it is not watched."""
        return self._statuses.get(room_id)

    def statuses(self) -> list[SourceStatus]:
        """How every watched room's source stands."""
        return list(self._statuses.values())

    def pids(self) -> list[int]:
        """Process ids of the children."""
        return [decoder.pid for decoder in self._decoders]

    def close(self) -> None:
        """End every child and the pool's thread; calls after the first do nothing."""
        self._closing.set()
        if self._thread.is_alive():
            self._wake()
            self._thread.join(CLOSE_TIMEOUT_S)
        else:
            self._decoders.close()
            self._wake_in.close()
        self._wake_out.close()

    def _request(self, request: Callable[[], None]) -> None:
        self._requests.append(request)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"\0")

    def _run(self) -> None:
        next_tick_s = 0.0
        try:
            while not self._closing.is_set():
                for decoder in self._decoders.talking(TICK_S):
                    self._listen(decoder)
                while self._requests:
                    self._requests.popleft()()
                if (now_s := self._clock.now_s()) >= next_tick_s or self._homeless:
                    self._tick(now_s)
                    next_tick_s = now_s + TICK_S
        finally:
            self._decoders.close()
            self._wake_in.close()

    def _tick(self, now_s: float) -> None:
        for decoder in self._decoders:
            decoder.hung = decoder.hung_rooms(now_s=now_s)
            if decoder.hung:
                self._bury(decoder)
        for room in list(self._rooms.values()):
            if room.decoder is not None and room.record.is_clear(now_s=now_s):
                self._release_from_quarantine(room)
        self._seat_homeless(now_s)
        if self._metrics is not None:
            self._metrics.decoders.set(len(self._decoders))

    def _seat_homeless(self, now_s: float) -> None:
        waiting, self._homeless = self._homeless, deque()
        try:
            while waiting:
                if self._by_watch.get(waiting[0].watch_id) is waiting[0]:
                    self._place(waiting[0], now_s)
                waiting.popleft()
            self._decoders.keep_spare()
        except OSError:  # no process or no memory to be had now: the next tick tries again
            log.exception("cannot start a decoder")
            self._homeless.extend(waiting)

    def _listen(self, decoder: Decoder) -> None:
        if decoder not in self._decoders:
            return
        try:
            reports = decoder.receive(MESSAGES_PER_TURN)
            for report in reports:
                self._take(decoder, report)
        except (DecoderLost, ValueError) as lost:
            log.warning("decoder lost", extra={"pid": decoder.pid, "why": str(lost)})
            self._bury(decoder)

    def _bury(self, decoder: Decoder) -> None:
        """A child died, or must: move its rooms, and hold those that may have killed it to account."""
        suspects = decoder.suspects()
        how = self._decoders.retire(decoder)
        log.warning("decoder ended", extra={"pid": decoder.pid, "how": how, "suspects": len(suspects), "rooms": len(decoder.seats)})
        if self._metrics is not None:
            self._metrics.decoder_restarts.labels(how).inc()
        now_s = self._clock.now_s()
        for watch_id in decoder.seats:
            room = self._by_watch.get(watch_id)
            if room is not None and room.decoder is decoder:
                self._move(room, now_s, is_suspect=watch_id in suspects, how=how)
        self._seat_homeless(now_s)

    def _move(self, room: _Room, now_s: float, *, is_suspect: bool, how: str) -> None:
        room.decoder = None
        room.base = room.status
        was_apart = room.record.is_apart
        is_apart = room.record.strike(now_s=now_s) if is_suspect else was_apart
        if room.status.state.is_final:
            return
        if is_suspect and room.order.mode is ReadMode.FILE and is_apart:
            self._show(room, _died(room.status, SourceState.FAILED, how))
            return
        state = SourceState.QUARANTINED if is_apart else SourceState.RECONNECTING
        if is_apart and not was_apart and self._metrics is not None:
            self._metrics.rooms_quarantined.inc()
        self._show(room, replace(_died(room.status, state, how), n_moves=room.status.n_moves + 1))
        room.base = room.status
        self._homeless.append(room)

    # --- rooms

    def _add(self, order: WatchOrder) -> None:
        self._remove(order.room_id)
        status = SourceStatus(order.room_id, order.session_id, SourceState.CONNECTING)
        room = _Room(order, next(self._ids), status, order.plan)
        self._rooms[order.room_id] = self._by_watch[room.watch_id] = room
        self._statuses[order.room_id] = status
        self._homeless.append(room)

    def _remove(self, room_id: str) -> None:
        room = self._rooms.pop(room_id, None)
        if room is None:
            return
        del self._by_watch[room.watch_id]
        self._statuses.pop(room_id, None)
        self._leave(room)

    def _leave(self, room: _Room) -> None:
        decoder, room.decoder = room.decoder, None
        if decoder is None:
            return
        if decoder.is_quarantine:
            self._decoders.retire(decoder)
            return
        with contextlib.suppress(DecoderLost):  # a dead child is buried when its socket tells
            decoder.send(Unwatch(room.watch_id))

    def _change_plan(self, room_id: str, plan: SamplingPlan) -> None:
        room = self._rooms.get(room_id)
        if room is None:
            return
        room.plan = plan
        if room.decoder is not None:
            with contextlib.suppress(DecoderLost):
                room.decoder.send(ChangePlan(room.watch_id, plan))

    def _release_from_quarantine(self, room: _Room) -> None:
        self._leave(room)
        room.record.acquit()
        room.base = room.status
        self._homeless.append(room)

    def _place(self, room: _Room, now_s: float) -> None:
        """Seat a room: apart if it must be, else where the fewest are, else with the spare."""
        if now_s < room.record.not_before_s:
            self._homeless.append(room)
            return
        decoder = self._decoders.home(apart=room.record.is_apart)
        seat = decoder.free_seat()
        if seat is None:
            self._homeless.append(room)
            return
        decoder.slab.clear_seat(seat)
        decoder.seats[room.watch_id] = seat
        room.decoder = decoder
        if room.record.is_apart:
            decoder.is_quarantine = True
            room.record.alone_since_s = now_s
        order = room.order
        watch = Watch(
            watch_id=room.watch_id,
            seat=seat,
            seed=f"{order.room_id}/{order.session_id}/{room.status.n_moves}",
            url=order.url.reveal(),
            mode=order.mode,
            plan=room.plan,
            session_started_s=order.session_started_s,
            floor_s=room.floor_s,
        )
        with contextlib.suppress(DecoderLost):  # buried, and the room moved, when its socket tells
            decoder.send(watch)

    # --- what children say

    def _take(self, decoder: Decoder, report: Report) -> None:
        if isinstance(report, Hello):
            decoder.is_ready = True
            return
        if isinstance(report, Gone):
            decoder.seats.pop(report.watch_id, None)
            return
        room = self._by_watch.get(report.watch_id)
        if room is not None and room.decoder is not decoder:
            room = None
        if isinstance(report, Figures):
            if room is not None:
                self._take_figures(room, report)
            return
        self._take_sample(decoder, room, report)

    def _take_sample(self, decoder: Decoder, room: _Room | None, ready: FrameReady | ClipReady) -> None:
        if room is None or self._is_repeat(room, ready):
            drop(decoder.slab, ready)
        elif isinstance(ready, FrameReady):
            sample = frame_sample(decoder.slab, ready, room.order)
            room.floor_s = max(room.floor_s, ready.pts_s)
            room.n_frames += 1
            self._hand_over(lambda: self._sink.on_frame(sample))
        else:
            clip = audio_clip(decoder.slab, ready, room.order)
            room.heard_until_s = max(room.heard_until_s, clip.end_s)
            room.n_clips += 1
            self._hand_over(lambda: self._sink.on_clip(clip))

    @staticmethod
    def _is_repeat(room: _Room, ready: FrameReady | ClipReady) -> bool:
        """A file is read from its beginning again after its decoder died; what was handed over before is not again."""
        if room.order.mode is not ReadMode.FILE or not room.status.n_moves:
            return False
        if isinstance(ready, FrameReady):
            return ready.pts_s <= room.floor_s
        return ready.start_s + ready.n_pcm / SAMPLE_RATE_HZ <= room.heard_until_s

    def _take_figures(self, room: _Room, figures: Figures) -> None:
        status = replace(with_figures(room.status, room.base, figures), n_frames=room.n_frames, n_clips=room.n_clips)
        if room.record.is_apart and not figures.state.is_final:
            status = replace(status, state=SourceState.QUARANTINED)
        self._count(room.status, status)
        if room.order.mode is ReadMode.LIVE:
            room.floor_s = max(room.floor_s, figures.pts_s)
        self._show(room, status)

    def _count(self, before: SourceStatus, after: SourceStatus) -> None:
        """Add what is new since the last figures to the product's counters."""
        metrics = self._metrics
        if metrics is None:
            return
        known = dict(before.drops)
        for reason, count in after.drops:
            metrics.samples_dropped.labels("image", reason).inc(max(0, count - known.get(reason, 0)))
        metrics.frames_corrupt.inc(max(0, after.n_corrupt - before.n_corrupt))
        if after.n_reconnects > before.n_reconnects:
            metrics.source_reconnects.labels(after.reason or "ended").inc(after.n_reconnects - before.n_reconnects)

    def _show(self, room: _Room, status: SourceStatus) -> None:
        room.status = status
        if self._rooms.get(room.order.room_id) is room:
            self._statuses[room.order.room_id] = status
        self._hand_over(lambda: self._sink.on_status(status))

    def _hand_over(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # the room border: one sample that the worker cannot take must not end every room's decoding
            log.exception("sink failed")


__all__ = ["DecoderPool", "MediaSink", "PoolLimits", "ReadMode", "WatchOrder"]
