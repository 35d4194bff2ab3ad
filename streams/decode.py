"""From packets to the pictures and sound that are wanted: decodes as little as the sampler allows and converts nothing it need not.

Belongs to one room's thread; FFmpeg's objects never leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import av.error
import av.logging
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inference.planes import planar_bytes
from inference.samples import SAMPLE_RATE_HZ, Pcm
from streams.sampling import Sampler, Step
from streams.timeline import Timeline

MAX_PENDING_BYTES = 16 * 1024 * 1024
"""Undecoded packets kept since the last key frame; beyond, they are decoded early rather than kept."""
MAX_STAMPS = 4096
"""Reading times kept; more only where key frames do not come any more, and there the oldest are of no use."""
_PLANAR = frozenset({"yuv420p", "yuvj420p"})
_BT709 = frozenset({1, 9, 10})
"""H.273 matrix codes: BT.709, and BT.2020, which is nearer to it than to BT.601."""
_FULL_RANGE = 2
_NONREF_UNTIL_S = 0.25
"""Frames nothing refers to are skipped until this long before the target; the target itself may be any frame."""


@dataclass(frozen=True, slots=True, eq=False)
class WantedFrame:
    """A decoded frame the sampler took, still in the decoder's memory."""

    frame: VideoFrame
    pts_s: float
    """On the session's timeline."""
    read_s: float
    """Monotonic time at which its packet was read."""
    full_range: bool
    bt709: bool

    @property
    def n_bytes(self) -> int:
        """Size of its three planes without padding."""
        return planar_bytes(self.frame.width, self.frame.height)

    def copy_to(self, target: NDArray[np.uint8]) -> None:
        """Write the planes one after the other without padding."""
        at = 0
        for index, plane in enumerate(self.frame.planes):
            width, height = self.frame.width, self.frame.height
            if index:
                width, height = (width + 1) // 2, (height + 1) // 2
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8, count=plane.line_size * height).reshape(height, plane.line_size)
            target[at : at + width * height].reshape(height, width)[:] = rows[:, :width]
            at += width * height


def silence_ffmpeg() -> None:
    """Keep FFmpeg's own log to itself: it carries addresses with their keys."""
    av.logging.set_level(None)


class VideoDecoder:
    """The picture half of one opened source."""

    def __init__(self, stream: VideoStream, sampler: Sampler, timeline: Timeline, mark: Callable[[bool], None]) -> None:
        self._stream, self._context = stream, stream.codec_context
        self._track = stream.index
        self._tick_s = float(stream.time_base or 0)
        self._sampler, self._timeline, self._mark = sampler, timeline, mark
        self._reformatter = VideoReformatter()
        self._pending: list[Packet[Any]] = []
        self._n_pending_bytes = 0
        self._read_s: dict[int, float] = {}
        """When each packet since the key frame was read, by its time stamp."""
        self._is_dirty = False
        """Whether the decoder holds frames of the current group."""
        self.n_corrupt = 0
        self.n_packets = 0

    def feed(self, packet: Packet[Any], *, now_s: float) -> WantedFrame | None:
        """Take the next packet; return a frame when one is wanted now. An empty packet ends the stream."""
        if packet.dts is None and packet.pts is None:
            return self._finish(now_s) if not packet.size else None
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else packet.pts
        if pts is None or dts is None:
            return None
        self.n_packets += 1
        self._timeline.note(self._track, dts * self._tick_s, now_s=now_s)
        if packet.is_corrupt:
            self.n_corrupt += 1
            return None
        is_key = packet.is_keyframe
        step = self._sampler.on_packet(self._timeline.at(self._track, pts * self._tick_s), is_key=is_key)
        if is_key:
            self._start_group()
        if len(self._read_s) >= MAX_STAMPS:
            del self._read_s[next(iter(self._read_s))]
        self._read_s[pts] = now_s
        self._keep(packet)
        if step is Step.KEY or (is_key and packet.has_sidedata("new_extradata")):
            return self._decode_key(packet, wanted=step is Step.KEY, now_s=now_s)
        if step is Step.CATCH_UP or self._n_pending_bytes > MAX_PENDING_BYTES:
            return self._catch_up(now_s)
        return None

    def _start_group(self) -> None:
        self._pending.clear()
        self._n_pending_bytes = 0
        self._read_s.clear()
        if self._is_dirty:
            self._context.flush_buffers()
            self._is_dirty = False

    def _keep(self, packet: Packet[Any]) -> None:
        self._pending.append(packet)
        self._n_pending_bytes += packet.size

    def _decode_key(self, packet: Packet[Any], *, wanted: bool, now_s: float) -> WantedFrame | None:
        """Decode one key frame by itself and drain the decoder, so that nothing is held back for reordering."""
        self._skip("DEFAULT")
        frames = [*self._decode(packet), *self._decode(None)]
        self._context.flush_buffers()
        if not wanted:
            return None
        for frame in frames:
            taken = self._take(frame, alone=True, now_s=now_s)
            if taken is not None:
                return taken
        self._sampler.key_failed()
        return None

    def _catch_up(self, now_s: float) -> WantedFrame | None:
        """Decode what is pending; the decoder stays open for the rest of the group."""
        packets, self._pending, self._n_pending_bytes = self._pending, [], 0
        self._is_dirty = True
        skip_until_s = self._sampler.due_s - _NONREF_UNTIL_S
        taken: WantedFrame | None = None
        for packet in packets:
            stamp = packet.dts if packet.dts is not None else packet.pts
            at_s = self._timeline.at(self._track, (stamp or 0) * self._tick_s)
            self._skip("NONREF" if at_s < skip_until_s else "DEFAULT")
            for frame in self._decode(packet):
                if taken is None:
                    taken = self._take(frame, alone=False, now_s=now_s)
        return taken

    def _finish(self, now_s: float) -> WantedFrame | None:
        """End of the stream: offer what the decoder and the pending packets still hold."""
        due_s = self._sampler.due_s
        if not self._pending and not self._is_dirty:
            return None
        taken = self._catch_up(now_s) if any(self._at_s(packet) >= due_s for packet in self._pending) else None
        for frame in self._decode(None):
            taken = taken or self._take(frame, alone=False, now_s=now_s)
        return taken

    def _at_s(self, packet: Packet[Any]) -> float:
        return self._timeline.at(self._track, (packet.pts or packet.dts or 0) * self._tick_s)

    def _decode(self, packet: Packet[Any] | None) -> Iterator[VideoFrame]:
        self._mark(True)
        try:
            frames = self._context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, ValueError):
            self.n_corrupt += 1
            frames = []
        finally:
            self._mark(False)
        yield from frames

    def _skip(self, what: str) -> None:
        if self._context.skip_frame != what:
            self._context.skip_frame = what  # type: ignore[assignment]

    def _take(self, frame: VideoFrame, *, alone: bool, now_s: float) -> WantedFrame | None:
        if frame.is_corrupt:
            self.n_corrupt += 1
            return None
        if frame.pts is None or not self._sampler.take(self._timeline.at(self._track, frame.pts * self._tick_s), alone=alone):
            return None
        read_s = self._read_s.get(frame.pts, now_s)
        pts_s = self._timeline.give_out(self._track, frame.pts * self._tick_s)
        full_range = frame.format.name.startswith("yuvj") or frame.color_range == _FULL_RANGE
        bt709 = frame.colorspace in _BT709
        if frame.format.name not in _PLANAR:
            is_yuv = frame.format.name.startswith(("yuv", "nv", "p0", "gray"))
            frame = self._reformatter.reformat(frame, format="yuv420p", threads=1)
            full_range, bt709 = (full_range, bt709) if is_yuv else (False, False)
        return WantedFrame(frame, pts_s, read_s, full_range, bt709)


class AudioDecoder:
    """The sound half of one opened source: mono float32 at 16 kHz."""

    def __init__(self, stream: AudioStream, timeline: Timeline, mark: Callable[[bool], None]) -> None:
        self._context, self._track = stream.codec_context, stream.index
        self._tick_s = float(stream.time_base or 0)
        self._timeline, self._mark = timeline, mark
        self._resampler = self._new_resampler()
        self.n_corrupt = 0

    def feed(self, packet: Packet[Any], *, now_s: float) -> list[TimedChunk]:
        """Take the next packet; return the sound it gives, each piece with its place on the timeline."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None:
            self._timeline.note(self._track, stamp * self._tick_s, now_s=now_s)
        self._mark(True)
        try:
            frames = self._context.decode(packet if packet.size else None)
            return [chunk for frame in frames for chunk in self._resample(frame)]
        except (av.error.FFmpegError, ValueError):
            self.n_corrupt += 1
            return []
        finally:
            self._mark(False)

    def _resample(self, frame: AudioFrame) -> Iterator[TimedChunk]:
        if frame.pts is None:
            return
        start_s = self._timeline.give_out(self._track, frame.pts * float(frame.time_base or self._tick_s))
        try:
            pieces = self._resampler.resample(frame)
        except ValueError:  # rate or layout changed in mid-stream
            self._resampler = self._new_resampler()
            pieces = self._resampler.resample(frame)
        for piece in pieces:
            pcm: Pcm = np.array(piece.to_ndarray()[0], dtype=np.float32)
            yield TimedChunk(pcm, start_s)
            start_s += len(pcm) / SAMPLE_RATE_HZ

    @staticmethod
    def _new_resampler() -> AudioResampler:
        return AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class TimedChunk:
    """A piece of decoded sound."""

    pcm: Pcm
    """Mono, 16 kHz, float32, shape (T,)."""
    start_s: float
    """On the session's timeline."""
