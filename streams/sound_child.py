"""The child that decodes sound files: one after the other from its socket, until that is closed. See `streams/sound_files.py`.

A clip that takes too long ends it by an alarm, so that nothing of it outlives a parent that was killed.
"""

from __future__ import annotations

import contextlib
import io
import math
import resource
import signal
import socket
import sys
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.sounds import MAX_SOUND_S
from streams.decode import silence_ffmpeg
from streams.sound_files import DECODED, MEMORY_BYTES, REFUSED, receive, send

FORMATS = "wav,w64,aiff,caf,mp3,aac,flac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,flv,mpegts,amr,asf"
"""Demuxers that may be chosen: no playlist, which would have us open what it names."""
MAX_SAMPLES = round(MAX_SOUND_S * SAMPLE_RATE_HZ) + 1
"""One more than a clip may have: enough to be refused by."""


def decode_file(data: bytes) -> Pcm:
    """Decode the first stream of sound; parts that are damaged are left out.

    Raises:
        ValueError: there is none, or nothing of it can be decoded.
    """
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none", "threads": "1"}
    try:
        container = av.open(io.BytesIO(data), mode="r", options=options)
    except FFmpegError as exc:
        raise ValueError(f"it is no file with sound that is known ({exc.strerror})") from exc
    with container:
        if not container.streams.audio:
            raise ValueError("there is no sound in it")
        pieces = _pieces(container)
    if not pieces:
        raise ValueError("nothing of its sound can be decoded")
    return np.concatenate(pieces)[:MAX_SAMPLES].astype(np.float32) / np.float32(32768)


def _pieces(container: InputContainer) -> list[NDArray[Any]]:
    stream = container.streams.audio[0]
    resampler, pieces, n_samples = _resampler(), list[NDArray[Any]](), 0
    with contextlib.suppress(FFmpegError):  # a file that is cut off ends here
        for packet in container.demux(stream):
            frames: list[AudioFrame] = []
            with contextlib.suppress(FFmpegError, ValueError):
                frames = stream.codec_context.decode(packet if packet.size else None)
            for frame in frames:
                try:
                    resampled = resampler.resample(frame)
                except ValueError:  # rate or layout changed on the way
                    resampler = _resampler()
                    resampled = resampler.resample(frame)
                pieces += [piece.to_ndarray()[0] for piece in resampled]
                n_samples += sum(piece.samples for piece in resampled)
            if n_samples >= MAX_SAMPLES:
                return pieces
    if pieces:
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return pieces


def _resampler() -> AudioResampler:
    # Whole numbers: FFmpeg then averages channels, as is done with WAV; of floats it makes a sum that may leave [-1, 1].
    return AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)


def serve(sock: socket.socket, deadline_s: float) -> None:
    """Answer clip after clip until the other side is gone."""
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            _, data = receive(sock)
            signal.alarm(math.ceil(deadline_s))
            try:
                tag, answer = DECODED, decode_file(data).tobytes()
            except (ValueError, FFmpegError, MemoryError) as exc:
                tag, answer = REFUSED, (str(exc) or type(exc).__name__).encode()
            signal.alarm(0)
            send(sock, tag, answer)


def main() -> None:
    """Run a child: `streams.sound_child <socket fd> <seconds a clip may take>`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence_ffmpeg()
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        serve(sock, float(sys.argv[2]))
