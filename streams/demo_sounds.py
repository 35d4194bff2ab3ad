"""What the demo's rooms sound like: a quiet tune, and over it, in one room, a voice that says what must be found.

The voice is a shipped recording of a synthesiser (`demo_assets/make_talk.py` makes it), since a fresh machine has none.
"""

from __future__ import annotations

import io
from importlib.resources import files

import av
import numpy as np

from inference.samples import SAMPLE_RATE_HZ, Pcm


def tune(seconds: float) -> Pcm:
    """Play a slow arpeggio: sound that is no speech."""
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    notes_hz = np.array([220.0, 277.2, 329.6, 440.0])[(t * 2).astype(int) % 4]
    phase = np.cumsum(2 * np.pi * notes_hz / SAMPLE_RATE_HZ)
    return np.asarray(0.08 * np.sin(phase) * (0.6 + 0.4 * np.cos(2 * np.pi * t * 2)), dtype=np.float32)


def talk(seconds: float) -> Pcm:
    """Play the shipped voice over the tune, again and again where the scene is longer than the recording."""
    voice = _recording("talk.ogg")
    n_pcm = int(seconds * SAMPLE_RATE_HZ)
    spoken = np.tile(voice, -(-n_pcm // len(voice)))[:n_pcm]
    return np.asarray(spoken + 0.1 * tune(seconds), dtype=np.float32)


def _recording(name: str) -> Pcm:
    """Decode a shipped recording to mono PCM at 16 kHz."""
    chunks: list[Pcm] = []
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    with av.open(io.BytesIO(files("streams").joinpath("demo_assets", name).read_bytes()), "r") as container:
        for frame in [*container.decode(audio=0), None]:
            chunks += [np.asarray(out.to_ndarray()[0], dtype=np.float32) for out in resampler.resample(frame)]
    return np.concatenate(chunks)
