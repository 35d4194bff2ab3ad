"""One room inside a decoder child: opens its source, reads it to the end, opens it again, until told to stop or out of budget."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.backoff import Backoff
from streams.clips import ClipCutter, Window
from streams.decode import AudioDecoder, VideoDecoder, WantedFrame
from streams.messages import ChildSettings, ClipReady, Figures, FrameReady, Gone, ReadMode, Watch
from streams.outlet import Outlet, WorkerGone
from streams.sampling import Sampler, SamplingPlan
from streams.slab import Activity, Slab
from streams.sources import OpenLimits, Source
from streams.status import SourceEnded, SourceReason, SourceState, SourceUnavailable
from streams.timeline import Timeline
from streams.urls import StreamUrl, UrlRefused
from streams.waiting import Waiting, nap_for

log = logging.getLogger(__name__)

FIGURES_EVERY_S = 2.0
CORRUPT_WINDOW = 100
"""After this many packets the share of broken ones is looked at."""
CORRUPT_SHARE = 0.5
"""A connection that breaks more of them than this is opened anew."""


class Seat:
    """A room's place in its child: who it is, where its flags lie, how its child is doing."""

    def __init__(self, watch: Watch, settings: ChildSettings, slab: Slab, outlet: Outlet, count_rooms: Any) -> None:
        self.watch, self.settings, self.slab, self.outlet = watch, settings, slab, outlet
        self.stopping = threading.Event()
        self.waiting = Waiting(
            self.stopping, nap_s=lambda: 0.0 if watch.mode is ReadMode.FILE else nap_for(count_rooms()), mark_idle=self._mark_idle
        )
        self._index = watch.seat

    @property
    def patience(self) -> threading.Event | None:
        """What a hand-over may wait for: files wait, live rooms do not."""
        return self.stopping if self.watch.mode is ReadMode.FILE else None

    def mark_decoding(self, on: bool) -> None:
        """Say whether FFmpeg decodes at this moment."""
        if on:
            self.slab.beat(self._index, time.monotonic(), self.settings.read_timeout_s)
        self.slab.set_activity(self._index, Activity.DECODING if on else Activity.IDLE)

    def _mark_idle(self, idle: bool) -> None:
        if not idle:
            self.slab.beat(self._index, now_s := time.monotonic(), max(1.0, self.waiting.deadline_s - now_s))
        self.slab.set_activity(self._index, Activity.IDLE if idle else Activity.DEMUXING)


class RoomReader(threading.Thread):
    """The owner thread of one room's containers."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(name=f"room-{seat.watch.watch_id}", daemon=True)
        self._seat, self._watch, self._outlet = seat, seat.watch, seat.outlet
        self._plan = seat.watch.plan
        self._rng = Random(seat.watch.seed)
        self._floor_s = seat.watch.floor_s
        self._backoff = Backoff(budget_s=seat.settings.retry_budget_s, rng=self._rng)
        self._state = SourceState.CONNECTING
        self._reason: SourceReason | None = None
        self._detail = ""
        self._source: Source | None = None
        self._sampler: Sampler | None = None
        self._video: VideoDecoder | None = None
        self._audio: AudioDecoder | None = None
        self._cutter: ClipCutter | None = None
        self._timeline = Timeline(session_started_s=0.0)
        self._n_reconnects = self._n_corrupt_before = 0
        self._drops: Counter[str] = Counter()
        self._recent_s: deque[float] = deque(maxlen=9)
        self._size = (0, 0)
        self._figures_due_s = 0.0
        self._ended_s: float | None = None
        """Monotonic time at which the live stream ended; None while it goes on."""

    def change_plan(self, plan: SamplingPlan) -> None:
        """Follow another plan from the next packet on (called from the child's main thread)."""
        self._plan = plan

    def run(self) -> None:
        """Read until stopped, ended or given up; then free the seat."""
        try:
            while not self._seat.stopping.is_set() and self._attempt():
                pass
            self._say_figures()
        except WorkerGone:
            log.info("worker gone", extra={"watch_id": self._watch.watch_id})
        finally:
            self._seat.slab.set_activity(self._watch.seat, Activity.IDLE)
            self._seat.stopping.wait()
            self._outlet.say(Gone(self._watch.watch_id), until=threading.Event())

    def _attempt(self) -> bool:
        """Open and read once; tell whether to try again."""
        end = self._read_to_the_end()  # pauses come after it: its error holds the frames that hold the decoders
        return end is not None and self._after(*end)

    def _read_to_the_end(self) -> tuple[SourceReason, str] | None:
        """Open and read; return why it ended or failed, or None when told to stop."""
        try:
            self._read_once()
        except SourceEnded as ended:
            return SourceReason.ENDED, str(ended)
        except SourceUnavailable as unavailable:
            return unavailable.reason, str(unavailable)
        except UrlRefused as refused:
            return SourceReason.REFUSED, str(refused)
        except WorkerGone:
            raise
        except Exception:  # room border: whatever a strange source makes FFmpeg or its binding do, the other rooms go on
            log.exception("room failed", extra={"watch_id": self._watch.watch_id})
            return SourceReason.CORRUPT, "the source cannot be read; the decoder's log has the reason"
        return None

    def _after(self, reason: SourceReason, detail: str) -> bool:
        """Decide what follows a source that ended or failed."""
        self._seat.slab.set_activity(self._watch.seat, Activity.IDLE)  # a long pause must not read as a hung open
        if self._seat.stopping.is_set():
            return False
        if self._watch.mode is ReadMode.FILE:
            self._become(SourceState.ENDED if reason is SourceReason.ENDED else SourceState.FAILED, reason, detail)
            return False
        now_s = time.monotonic()
        if reason is SourceReason.ENDED and self._ended_s is None:
            self._ended_s = now_s
        pause_s = self._backoff.failed(now_s=now_s)
        if self._ended_s is not None and now_s - self._ended_s >= self._seat.settings.ended_after_s:
            self._become(SourceState.ENDED, SourceReason.ENDED, detail)
            return False
        if pause_s is None:
            self._become(SourceState.FAILED, reason, detail)
            return False
        self._become(SourceState.RECONNECTING, reason, detail)
        self._n_reconnects += 1
        self._seat.stopping.wait(pause_s)
        return True

    def _read_once(self) -> None:
        watch, settings = self._watch, self._seat.settings
        limits = OpenLimits(settings.open_timeout_s, settings.read_timeout_s)
        url = StreamUrl.parse(watch.url, settings.policy)
        self._say_figures()
        source = self._source = Source.open(url, settings.policy, limits, self._seat.waiting)
        try:
            plan = self._plan
            source.choose(video=plan.video, audio=plan.audio is not None, mode=watch.mode)
            self._begin(source)
            self._read(source)
        finally:
            self._end_source(source)

    def _begin(self, source: Source) -> None:
        live = self._watch.mode is ReadMode.LIVE
        started_s = self._watch.session_started_s
        first_s = None if live else source.start_s
        self._timeline = Timeline(session_started_s=started_s, floor_s=self._floor_s, live=live, first_stamp_s=first_s)
        mark = self._seat.mark_decoding
        if source.video is not None:
            self._sampler = Sampler(self._plan, self._rng)
            self._video = VideoDecoder(source.video, self._sampler, self._timeline, mark)
        if source.audio is not None and self._plan.audio is not None:
            self._audio = AudioDecoder(source.audio, self._timeline, mark)
            self._cutter = ClipCutter(self._plan.audio)

    def _read(self, source: Source) -> None:
        reason = source.lacks
        sound_at = source.audio.index if source.audio is not None else -1
        for packet in source.packets():
            now_s = time.monotonic()
            if self._state is not SourceState.LIVE and packet.size:
                self._backoff.succeeded()
                self._ended_s = None
                self._become(
                    SourceState.LIVE, reason, f"no {'picture' if reason is SourceReason.NO_VIDEO else 'sound'}" if reason else ""
                )
            if packet.stream_index == sound_at:
                self._hear(packet, now_s)
            else:
                self._see(packet, now_s)
            if now_s >= self._figures_due_s:
                self._say_figures()
            if self._seat.stopping.is_set():
                return

    def _see(self, packet: Any, now_s: float) -> None:
        video, sampler = self._video, self._sampler
        if video is None or sampler is None:
            return
        sampler.change_plan(self._plan)
        wanted = video.feed(packet, now_s=now_s)
        if wanted is not None:
            self._hand_over_frame(wanted, now_s)
        if video.n_packets >= CORRUPT_WINDOW and video.n_corrupt > CORRUPT_SHARE * video.n_packets:
            raise SourceUnavailable(SourceReason.CORRUPT, f"{video.n_corrupt} of {video.n_packets} packets are broken")

    def _hear(self, packet: Any, now_s: float) -> None:
        if self._audio is None or self._cutter is None:
            return
        for chunk in self._audio.feed(packet, now_s=now_s):
            for window in self._cutter.add(chunk.pcm, start_s=chunk.start_s):
                self._hand_over_clip(window, now_s)

    def _hand_over_frame(self, wanted: WantedFrame, now_s: float) -> None:
        frame = wanted.frame
        region = self._outlet.store(wanted.n_bytes, wanted.copy_to, until=self._seat.patience)
        if region is None:
            self._drops["slab_full"] += 1
            return
        ready = FrameReady(
            watch_id=self._watch.watch_id,
            slot=region.slot,
            n_slots=region.n_slots,
            width=frame.width,
            height=frame.height,
            full_range=wanted.full_range,
            bt709=wanted.bt709,
            pts_s=wanted.pts_s,
            captured_s=wanted.read_s,
            captured_unix_s=time.time() - (now_s - wanted.read_s),
        )
        if not self._outlet.say(ready, until=self._seat.patience):
            self._outlet.discard(region)
            self._drops["pipe_full"] += 1
            return
        self._size = (frame.width, frame.height)
        self._recent_s.append(wanted.pts_s)

    def _hand_over_clip(self, window: Window, now_s: float) -> None:
        def write(target: NDArray[np.uint8]) -> None:
            target[:] = window.pcm.view(np.uint8)

        region = self._outlet.store(window.pcm.nbytes, write, until=self._seat.patience)
        if region is None:
            self._drops["slab_full"] += 1
            return
        ready = ClipReady(
            watch_id=self._watch.watch_id,
            slot=region.slot,
            n_slots=region.n_slots,
            n_pcm=len(window.pcm),
            start_s=window.start_s,
            captured_s=now_s,
            captured_unix_s=time.time(),
            last=window.last,
        )
        if not self._outlet.say(ready, until=self._seat.patience):
            self._outlet.discard(region)
            self._drops["pipe_full"] += 1

    def _end_source(self, source: Source) -> None:
        """Hand over the rest of the sound, remember the counts, close."""
        try:
            for window in self._cutter.finish() if self._cutter is not None else []:
                self._hand_over_clip(window, time.monotonic())
        finally:
            self._forget(source)

    def _forget(self, source: Source) -> None:
        self._floor_s = max(self._floor_s, self._timeline.highest_s) if self._watch.mode is ReadMode.LIVE else self._floor_s
        self._n_corrupt_before = self._n_corrupt
        if self._sampler is not None:
            self._drops["missed"] += self._sampler.n_missed
        self._figures_of(source)
        self._video = self._audio = self._cutter = None
        self._source = None
        source.close()

    @property
    def _n_corrupt(self) -> int:
        return self._n_corrupt_before + sum(part.n_corrupt for part in (self._video, self._audio) if part is not None)

    def _become(self, state: SourceState, reason: SourceReason | None, detail: str) -> None:
        self._state, self._reason, self._detail = state, reason, detail
        self._say_figures()

    def _figures_of(self, source: Source) -> None:
        video = source.video
        self._codec = video.codec_context.name if video is not None else ""
        self._duration_s = source.duration_s if self._watch.mode is ReadMode.FILE else None

    _codec = ""
    _duration_s: float | None = None

    def _say_figures(self) -> None:
        """Tell the worker how the room stands; lost when it takes no messages now, for another follows."""
        self._figures_due_s = time.monotonic() + FIGURES_EVERY_S
        if self._source is not None:
            self._figures_of(self._source)
        sampler, recent_s = self._sampler, self._recent_s
        span_s = recent_s[-1] - recent_s[0] if len(recent_s) > 1 else 0.0
        drops = Counter(self._drops)
        if self._video is not None and sampler is not None:
            drops["missed"] += sampler.n_missed
        figures = Figures(
            watch_id=self._watch.watch_id,
            state=self._state,
            reason=self._reason,
            detail=self._detail,
            mode=sampler.mode if sampler is not None else Sampler(self._plan, self._rng).mode,
            effective_fps=(len(recent_s) - 1) / span_s if span_s > 0 else 0.0,
            gop_s=sampler.gop_s if sampler is not None else None,
            width=self._size[0],
            height=self._size[1],
            codec=self._codec,
            pts_s=self._timeline.highest_s,
            duration_s=self._duration_s,
            n_corrupt=self._n_corrupt,
            n_reconnects=self._n_reconnects,
            drops={reason: count for reason, count in drops.items() if count},
        )
        self._outlet.say(figures, until=self._seat.stopping if self._state.is_final else None)
