"""Opening one source with FFmpeg: checked address, bounded time, the best picture and sound stream, and a typed reason when not.

Owned by the room's thread, which alone opens, reads and closes it: closing from another thread crashes FFmpeg.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from inference.samples import MAX_PIXELS
from streams.http_body import EmptyBody, HttpBody, checked_addresses, unraised
from streams.messages import ReadMode
from streams.status import SourceEnded, SourceReason, SourceUnavailable
from streams.urls import StreamUrl, UrlPolicy, UrlRefused
from streams.waiting import Waiting

BLOCKED_S = 0.002
"""A read that took longer found the socket empty."""
HLS_TIMEOUT_FACTOR = 3.0
"""A playlist's segments come far apart, so its reads may take this much longer."""
_IO_BYTES = 64 * 1024

FORMATS = "flv,live_flv,hls,mpegts,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,rtsp,rtp,sdp,avi,mpeg,ogg,wav,mp3,aac,h264,hevc,ivf,asf"
"""Demuxers that may be chosen; the many others are attack surface and nothing else."""
_WHITELISTS = {
    "rtmp": "rtmp,rtmpt,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "rtsp": "rtsp,rtp,tcp",
    "rtsps": "rtsps,rtsp,rtp,tls,tcp",
    "file": "file",
}
_REASONS: tuple[tuple[type[Exception], SourceReason], ...] = (
    (av.error.ExitError, SourceReason.TIMEOUT),
    (av.error.TimeoutError, SourceReason.TIMEOUT),
    (av.error.HTTPUnauthorizedError, SourceReason.AUTH),
    (av.error.HTTPForbiddenError, SourceReason.AUTH),
    (av.error.HTTPNotFoundError, SourceReason.NOT_FOUND),
    (av.error.FileNotFoundError, SourceReason.NOT_FOUND),
    (av.error.PermissionError, SourceReason.AUTH),
    (av.error.DecoderNotFoundError, SourceReason.CODEC_UNSUPPORTED),
    (av.error.PatchWelcomeError, SourceReason.CODEC_UNSUPPORTED),
    (av.error.ProtocolNotFoundError, SourceReason.REFUSED),
    (av.error.DemuxerNotFoundError, SourceReason.CORRUPT),
    (av.error.InvalidDataError, SourceReason.CORRUPT),
    (av.error.ArgumentError, SourceReason.CORRUPT),
    (av.error.IsADirectoryError, SourceReason.NOT_FOUND),
    (av.error.EOFError, SourceReason.ENDED),
)


def reason_of(error: Exception) -> SourceReason:
    """Name the reason behind one of FFmpeg's errors."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), SourceReason.UNREACHABLE)


def unavailable(error: Exception, url: StreamUrl) -> SourceUnavailable:
    """Translate one of FFmpeg's errors; its own text is left out, because it carries the address."""
    words = getattr(error, "strerror", None) or type(error).__name__
    return SourceUnavailable(reason_of(error), f"{url}: {words}")


@dataclass(frozen=True, slots=True)
class OpenLimits:
    """Bounds of opening and reading."""

    open_timeout_s: float
    """From the first look-up to the streams being known, redirects included."""
    read_timeout_s: float
    """Longest time without a packet."""
    max_pixels: int = MAX_PIXELS


class Source:
    """One opened container with the streams that will be read.

    `open` → `packets` until it raises → `close`, all on one thread.
    """

    def __init__(self, url: StreamUrl, limits: OpenLimits, waiting: Waiting) -> None:
        self.url = url
        self.limits = limits
        self.video: VideoStream | None = None
        self.audio: AudioStream | None = None
        self.lacks: SourceReason | None = None
        """What was wanted and is not there, while something else is."""
        self._waiting = waiting
        self._container: InputContainer | None = None
        self._body: HttpBody | None = None
        self._nested: list[HttpBody] = []
        self._refused: SourceUnavailable | None = None
        self._is_hls = False

    @classmethod
    def open(cls, url: StreamUrl, policy: UrlPolicy, limits: OpenLimits, waiting: Waiting) -> Source:
        """Connect, and find out what there is.

        Raises:
            SourceUnavailable: with its typed reason.
        """
        source = cls(url, limits, waiting)
        waiting.allow(limits.open_timeout_s)
        try:
            source._open(policy)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            source.close()
            raise source._failure() or unavailable(error, url) from None
        except BaseException:
            source.close()
            raise
        return source

    def choose(self, *, video: bool, audio: bool, mode: ReadMode) -> None:
        """Pick the streams to read: the largest picture, the default sound; everything else is discarded unread.

        Raises:
            SourceUnavailable: nothing of what is wanted is there, or it cannot be decoded.
        """
        container = self._opened
        usable = [stream for stream in container.streams.video if _is_picture(stream)]
        unsupported = any(stream.codec_context is None for stream in (*container.streams.video, *container.streams.audio))
        if video and usable:
            self.video = max(usable, key=lambda stream: (stream.codec_context.width or 0) * (stream.codec_context.height or 0))
            self._check_size(self.video)
        heard = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if audio and heard:
            best = container.streams.best("audio", related=self.video)
            self.audio = next((stream for stream in heard if best is not None and stream.index == best.index), heard[0])
        missing = SourceReason.CODEC_UNSUPPORTED if unsupported else None
        if self.video is None and self.audio is None:
            reason = missing or (SourceReason.NO_VIDEO if video else SourceReason.NO_AUDIO)
            raise SourceUnavailable(reason, f"{self.url} has no {'picture' if video else 'sound'} that can be decoded")
        if video and self.video is None:
            self.lacks = missing or SourceReason.NO_VIDEO
        elif audio and self.audio is None:
            self.lacks = SourceReason.NO_AUDIO
        self._prepare()

    def packets(self) -> Iterator[Packet[Any]]:
        """Yield the chosen streams' packets as they come; the last of a file are followed by an empty one per stream.

        Raises:
            SourceEnded: the stream is over.
            SourceUnavailable: it broke off, with the reason.
        """
        chosen: list[Stream] = [stream for stream in (self.video, self.audio) if stream is not None]
        timeout_s = self.limits.read_timeout_s * (HLS_TIMEOUT_FACTOR if self._is_hls else 1.0)
        waiting, native = self._waiting, self._body is None and not self.url.is_file
        reader = self._opened.demux(*chosen)
        while True:
            waiting.deadline_s = (asked_s := time.monotonic()) + timeout_s
            waiting.mark_idle(False)
            try:
                packet = next(reader, None)
            except av.error.FFmpegError as error:
                raise self._failure() or unavailable(error, self.url) from None
            finally:
                waiting.mark_idle(True)
            if packet is None or self._refused is not None:
                raise self._failure() or SourceEnded(f"{self.url} ended")
            yield packet
            if native and time.monotonic() - asked_s > BLOCKED_S:
                waiting.rest()

    @property
    def duration_s(self) -> float | None:
        """Length that the container states, seconds."""
        duration = self._opened.duration
        return duration / av.time_base if duration and duration > 0 else None

    @property
    def start_s(self) -> float | None:
        """First time stamp that the container states, seconds."""
        start = self._opened.start_time
        return start / av.time_base if start is not None else None

    def close(self) -> None:
        """Close the container and every connection; nothing is chosen any more.

        The streams are let go because they hold the container, which holds our `io_open` and so this object. The circle would keep
        the decoders' pictures, megabytes for every opening, until the garbage collector comes, which counts objects and not bytes.
        """
        if self._container is not None:
            self._container.close()
            self._container = None
        self.video = self.audio = None
        for body in (self._body, *self._nested):
            if body is not None:
                body.close()

    @property
    def _opened(self) -> InputContainer:
        if self._container is None:
            raise RuntimeError("the source is not open")
        return self._container

    def _open(self, policy: UrlPolicy) -> None:
        options = {"fflags": "+discardcorrupt+genpts", "analyzeduration": "1500000", "probesize": "1000000", "fpsprobesize": "0"}
        options |= {"max_pixels": str(self.limits.max_pixels), "threads": "1", "format_whitelist": FORMATS}
        scheme = self.url.scheme
        timeouts = (self.limits.open_timeout_s, self.limits.read_timeout_s)
        if scheme in ("http", "https"):
            self._open_http(policy, options)
            return
        if not self.url.is_file:
            checked_addresses(self.url, policy)
        options["protocol_whitelist"] = _WHITELISTS[scheme]
        if scheme.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        name = f"file:{self.url.reveal()}" if self.url.is_file else self.url.reveal()
        if self.url.is_file:
            options |= {"probesize": "5000000", "analyzeduration": "5000000"}
        self._waiting.mark_idle(False)
        self._container = av.open(name, options=options, timeout=None if self.url.is_file else timeouts)

    def _open_http(self, policy: UrlPolicy, options: dict[str, str]) -> None:
        self._body = body = HttpBody(self.url, policy, self._waiting)
        start = body.peek(7)
        if not start and body.failure is None:
            raise SourceUnavailable(SourceReason.ENDED, f"{self.url} answered and sent nothing")
        self._is_hls = start == b"#EXTM3U"
        if self._is_hls:
            # FFmpeg's persistent connections reach into its own HTTP client and abort on anybody else's.
            options |= {"http_persistent": "0", "http_multiple": "0", "allowed_extensions": "ALL", "extension_picky": "0"}
        wait_s = self.limits.read_timeout_s * (HLS_TIMEOUT_FACTOR if self._is_hls else 1.0)
        self._waiting.mark_idle(False)
        self._container = av.open(
            body,
            mode="r",
            format="hls" if self._is_hls else None,
            options=options,
            timeout=(self.limits.open_timeout_s, wait_s),
            buffer_size=_IO_BYTES,
            io_open=lambda url, flags, given: self._open_nested(url, policy, given),
        )

    def _open_nested(self, text: str, policy: UrlPolicy, options: dict[str, str]) -> HttpBody | EmptyBody:
        """Open what a playlist names; called by FFmpeg, so nothing may be raised here."""
        network_only = UrlPolicy(policy.allowed_hosts, policy.allow_private, policy.allow_loopback)
        end = options.get("end_offset")
        try:
            url = StreamUrl.parse(text, network_only)
            if url.scheme not in ("http", "https"):
                raise UrlRefused(f"a playlist may name http and https only, got {url.scheme}")
            body = HttpBody(url, policy, self._waiting, offset=int(options.get("offset", 0)), end=int(end) if end else None)
        except UrlRefused as error:
            self._refused = SourceUnavailable(SourceReason.REFUSED, f"{self.url} names an address that is refused: {error}")
            return EmptyBody()
        except SourceUnavailable as error:
            if error.reason is SourceReason.REFUSED:
                self._refused = unraised(error)
            return EmptyBody()
        self._nested = [known for known in self._nested[-7:] if known.failure is None]
        self._nested.append(body)
        return body

    def _failure(self) -> SourceUnavailable | None:
        """What our own reading knows better than FFmpeg's error code; a new error each time, for it is going to be raised."""
        kept = self._refused or (self._body.failure if self._body is not None else None)
        return unraised(kept) if kept is not None else None

    def _check_size(self, stream: VideoStream) -> None:
        width, height = stream.codec_context.width or 0, stream.codec_context.height or 0
        if width * height > self.limits.max_pixels:
            raise SourceUnavailable(
                SourceReason.TOO_LARGE, f"{self.url} is {width}x{height}; at most {self.limits.max_pixels} pixels are decoded"
            )

    def _prepare(self) -> None:
        for stream in self._opened.streams:
            if stream is self.video or stream is self.audio:
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"max_pixels": str(self.limits.max_pixels)}
            else:
                with contextlib.suppress(AttributeError):
                    stream.discard = Discard.all


def _is_picture(stream: VideoStream) -> bool:
    """A decodable video stream that is no cover picture."""
    return stream.codec_context is not None and not int(stream.disposition) & 0x0400
