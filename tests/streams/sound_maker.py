"""Sound in the codecs of phones and encoders, for tests."""

from __future__ import annotations

import io

import av
import numpy as np

from inference.samples import Pcm

SECONDS = 2


def tone(rate_hz: int) -> Pcm:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz * SECONDS) / rate_hz)).astype(np.float32)


def encoded(container: str, codec: str, *, rate_hz: int = 44_100) -> bytes:
    """Two seconds of 440 Hz in stereo."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="stereo")
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=rate_hz, frame_size=stream.frame_size or None)
        frame = av.AudioFrame.from_ndarray(np.stack([tone(rate_hz)] * 2), format="fltp", layout="stereo")
        frame.sample_rate = rate_hz
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()
