"""Media for tests, generated with PyAV on the spot: painted overlays, any codec and container we read, and broken ones."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Draw = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Clip:
    """What to encode."""

    seconds: float = 6.0
    size: tuple[int, int] = (320, 240)
    fps: int = 15
    gop: int = 15
    """Frames from key frame to key frame."""
    codec: str = "libx264"
    audio: str | None = "aac"
    audio_rate_hz: int = 44_100
    pix_fmt: str = "yuv420p"
    b_frames: int = 0
    crf: int = 28


def numbered(size: tuple[int, int]) -> Draw:
    """Draw pictures that say which one they are: the index in binary as 16 black or white blocks along the top."""

    def draw(index: int) -> NDArray[np.uint8]:
        width, height = size
        picture = np.zeros((height, width, 3), dtype=np.uint8)
        x = np.linspace(0, 255, width, dtype=np.float32)
        picture[..., 0] = x[None, :]
        picture[..., 1] = (np.linspace(0, 255, height)[:, None] + 3 * index) % 256
        picture[..., 2] = 90
        block, tall = width // 16, height // 4
        for bit in range(16):
            picture[:tall, bit * block : (bit + 1) * block] = 255 if index >> bit & 1 else 0
        return picture

    return draw


def read_number(rgb: NDArray[np.uint8]) -> int:
    """Read back which picture `numbered` drew."""
    height, width = rgb.shape[:2]
    block, row = width / 16, rgb[height // 8].mean(axis=-1)
    return sum(1 << bit for bit in range(16) if row[int((bit + 0.5) * block)] > 128)


def painted(base: Draw, overlay: NDArray[np.uint8], *, x: int, y: int, frames: range) -> Draw:
    """Paint an RGB overlay on the pictures of a range."""

    def draw(index: int) -> NDArray[np.uint8]:
        picture = base(index)
        if index in frames:
            picture[y : y + overlay.shape[0], x : x + overlay.shape[1]] = overlay
        return picture

    return draw


def encode(clip: Clip, *, container: str, draw: Draw | None = None, tone_hz: float = 440.0) -> bytes:
    """Encode a clip into one of FFmpeg's containers (`flv`, `mpegts`, `mp4`, `matroska`, `webm`)."""
    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    with av.open(out, "w", format=container, options=options) as muxer:
        write(muxer, clip, draw or numbered(clip.size), tone_hz=tone_hz)
    return out.getvalue()


def encode_to(path: Path, clip: Clip, *, draw: Draw | None = None, options: dict[str, str] | None = None) -> Path:
    """Encode a clip into a file; the name's ending says the container."""
    with av.open(str(path), "w", options=options or {}) as muxer:
        write(muxer, clip, draw or numbered(clip.size))
    return path


def write(muxer: av.container.OutputContainer, clip: Clip, draw: Draw, *, tone_hz: float = 440.0) -> None:
    """Encode a clip into an open container, picture and sound interleaved."""
    video = muxer.add_stream(clip.codec, rate=clip.fps)
    video.width, video.height = clip.size
    video.pix_fmt = clip.pix_fmt
    video.options = _video_options(clip)
    audio = muxer.add_stream(clip.audio, rate=clip.audio_rate_hz, layout="stereo") if clip.audio else None
    n_pcm = int(clip.seconds * clip.audio_rate_hz)
    at = 0
    for index in range(round(clip.seconds * clip.fps)):
        frame = av.VideoFrame.from_ndarray(draw(index), format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, clip.fps)
        muxer.mux(video.encode(frame))
        while audio is not None and at + 1024 <= n_pcm and at / clip.audio_rate_hz <= index / clip.fps:
            muxer.mux(audio.encode(_tone(at, clip.audio_rate_hz, tone_hz)))
            at += 1024
    muxer.mux(video.encode(None))
    if audio is not None:
        muxer.mux(audio.encode(None))


def _video_options(clip: Clip) -> dict[str, str]:
    common = {"g": str(clip.gop), "threads": "1"}
    if clip.codec == "libx264":
        return common | {"preset": "ultrafast", "sc_threshold": "0", "bf": str(clip.b_frames), "crf": str(clip.crf)}
    if clip.codec == "libx265":
        return {"preset": "ultrafast", "x265-params": f"keyint={clip.gop}:min-keyint={clip.gop}:scenecut=0:pools=1:log-level=none"}
    if clip.codec == "libvpx-vp9":
        return common | {"deadline": "realtime", "cpu-used": "8"}
    return common


def _tone(at: int, rate_hz: int, tone_hz: float) -> av.AudioFrame:
    wave = 0.3 * np.sin(2 * np.pi * tone_hz * (at + np.arange(1024)) / rate_hz)
    frame = av.AudioFrame.from_ndarray(np.tile(wave.astype(np.float32), (2, 1)), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
    return frame


def hls(folder: Path, clip: Clip, *, segment_s: float = 2.0) -> Path:
    """Write a finished HLS playlist with MPEG-TS segments; return the playlist."""
    playlist = folder / "live.m3u8"
    options = {"hls_time": str(segment_s), "hls_list_size": "0", "hls_segment_filename": str(folder / "part%03d.ts")}
    with av.open(str(playlist), "w", format="hls", options=options) as muxer:
        write(muxer, clip, numbered(clip.size))
    return playlist


# FLV taken apart and put together, for what no encoder of today would write


@dataclass(frozen=True, slots=True)
class FlvTag:
    """One tag of an FLV file."""

    kind: int
    """8 sound, 9 picture, 18 script."""
    time_ms: int
    body: bytes

    @property
    def is_key(self) -> bool:
        """Whether it is a picture that decoding can begin with."""
        return self.kind == 9 and self.body[0] >> 4 & 7 == 1

    def pack(self, *, shift_ms: int = 0) -> bytes:
        """Write the tag, moved in time."""
        time_ms = (self.time_ms + shift_ms) & 0xFFFFFFFF
        head = struct.pack(">B", self.kind) + len(self.body).to_bytes(3, "big") + (time_ms & 0xFFFFFF).to_bytes(3, "big")
        head += struct.pack(">B", time_ms >> 24) + b"\0\0\0"
        return head + self.body + struct.pack(">I", len(self.body) + 11)


FLV_HEADER = b"FLV\x01\x05" + struct.pack(">I", 9) + b"\0\0\0\0"


def flv_tags(data: bytes) -> list[FlvTag]:
    """Take an FLV file apart."""
    tags, at = [], 13
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time_ms = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        tags.append(FlvTag(data[at], time_ms, data[at + 11 : at + 11 + size]))
        at += 11 + size + 4
    return tags


def joined_flv(*parts: bytes) -> bytes:
    """Put FLV files one after the other on one running clock, as a stream that changes its resolution does."""
    out, shift_ms = [FLV_HEADER], 0
    for part in parts:
        tags = [tag for tag in flv_tags(part) if tag.kind != 18]
        out.extend(tag.pack(shift_ms=shift_ms) for tag in tags)
        shift_ms += max(tag.time_ms for tag in tags) + 40
    return b"".join(out)


def unknown_codec_flv(data: bytes) -> bytes:
    """Rename the picture codec of an FLV file to one that does not exist."""
    return FLV_HEADER + b"".join(
        (FlvTag(tag.kind, tag.time_ms, bytes([tag.body[0] & 0xF0 | 0x0E]) + tag.body[1:]) if tag.kind == 9 else tag).pack()
        for tag in flv_tags(data)
        if tag.kind == 9
    )


def without_keys_flv(data: bytes, *, after_ms: int) -> bytes:
    """Remove every key frame after a moment, sequence headers kept."""
    return FLV_HEADER + b"".join(
        tag.pack() for tag in flv_tags(data) if not (tag.is_key and tag.body[1] == 1 and tag.time_ms > after_ms)
    )


def scratched(data: bytes, *, share: float, seed: int, spare: int = 4096) -> bytes:
    """Overwrite random bytes behind the first `spare` ones."""
    rng = random.Random(seed)
    bytes_ = bytearray(data)
    for _ in range(int((len(data) - spare) * share)):
        bytes_[rng.randrange(spare, len(data))] = rng.randrange(256)
    return bytes(bytes_)


def garbage(n_bytes: int, *, seed: int = 7) -> bytes:
    """Bytes that are no media."""
    return random.Random(seed).randbytes(n_bytes)
